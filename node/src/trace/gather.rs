//! `troupe msg trace`: asks each node and puts the hops in order.

use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Value, json};
use troupe_fetch as fetch;

use crate::asker::Asker;
use crate::operator::{Key, Where, operator_key};

/// For one node to answer; its hops are missing otherwise.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(clap::Args)]
pub struct Args {
    /// Id of the conversation, as troupe msg tail prints it: everyone, a direct one or a group
    pub conversation: String,
    /// Number of the event in its conversation
    pub seq: u64,
    #[command(flatten)]
    pub cluster: Where,
    #[command(flatten)]
    pub key: Key,
}

pub async fn run(args: Args) -> Result<()> {
    let key = operator_key(&args.key)?;
    let mut asker = Asker::new(&args.cluster.http);
    let (asked, seen) = asker.get("/v1/cluster").await?;
    let path = format!("/v1/trace?conversation={}&seq={}", args.conversation, args.seq);
    let mut nodes = nodes(&asked, &seen);
    for node in &mut nodes {
        node.ask(&path, key.as_deref()).await?;
    }
    if let Some(more) = nodes.iter().find_map(|node| known(node.answer.as_ref()?)) {
        let path = format!("{path}{more}");
        for node in nodes.iter_mut().filter(|node| node.answer.as_ref().is_some_and(|seen| known(seen).is_none())) {
            node.ask(&path, key.as_deref()).await?;
        }
    }
    let answer = gathered(&args, &nodes);
    // No hop at all is an error in both forms.
    let table = table(&answer)?;
    args.cluster.output.print(|| answer, || table);
    Ok(())
}

/// A node of the cluster, and what it has answered.
struct Node {
    id: u64,
    http: String,
    /// Milliseconds by which its clock is ahead of the one that all times are shown by.
    skew_ms: i64,
    answer: Option<Value>,
}

fn nodes(asked: &str, seen: &Value) -> Vec<Node> {
    let listed = seen["nodes"].as_array().into_iter().flatten();
    let node = |node: &Value| {
        let id = node["id"].as_u64()?;
        let here = seen["node"] == node["id"];
        let http = if here { asked } else { node["http"].as_str().unwrap_or_default() };
        let skew_ms = seen["clock_skew_ms"][id.to_string()].as_i64().unwrap_or_default();
        Some(Node { id, http: http.to_owned(), skew_ms, answer: None })
    };
    listed.filter_map(node).collect()
}

impl Node {
    /// A node that does not answer is reported with the others' hops; a refusal is an error,
    /// because the next node would refuse as well.
    async fn ask(&mut self, path: &str, key: Option<&str>) -> Result<()> {
        match fetch::get_json_as(&self.http, path, key, PATIENCE).await {
            Ok((200, answer)) => self.answer = Some(answer),
            Ok((400 | 401 | 403, answer)) => bail!("{}", answer["error"].as_str().unwrap_or("refused")),
            // Of a version without traces, starting, or gone.
            Ok(_) | Err(_) => {}
        }
        Ok(())
    }
}

/// The message and the log entry, as the query to the other nodes.
fn known(answer: &Value) -> Option<String> {
    let (message, shard) = (answer["message"].as_str()?, answer["shard"].as_u64()?);
    Some(format!("&message={message}&shard={shard}&index={}", answer["index"].as_u64()?))
}

fn gathered(args: &Args, nodes: &[Node]) -> Value {
    let mut hops: Vec<Value> = Vec::new();
    for node in nodes {
        for hop in node.answer.iter().filter_map(|answer| answer["hops"].as_array()).flatten() {
            let time = hop["time_us"].as_i64().unwrap_or_default() - node.skew_ms * 1_000;
            let mut hop = hop.clone();
            hop["node"] = json!(node.id);
            hop["time_us"] = json!(time);
            hops.push(hop);
        }
    }
    hops.sort_by_key(|hop| hop["time_us"].as_i64());
    let silent: Vec<u64> = nodes.iter().filter(|node| node.answer.is_none()).map(|node| node.id).collect();
    json!({ "conversation": args.conversation, "seq": args.seq, "hops": hops, "silent": silent })
}

fn table(answer: &Value) -> Result<String> {
    let hops: Vec<&Value> = answer["hops"].as_array().into_iter().flatten().collect();
    let silent: Vec<String> = answer["silent"].as_array().into_iter().flatten().map(Value::to_string).collect();
    let missing = match silent.len() {
        0 => String::new(),
        _ => format!("no answer from node {}: its hops are missing\n", silent.join(", ")),
    };
    let Some(begin) = hops.first().and_then(|hop| hop["time_us"].as_i64()) else {
        let (conversation, seq) = (&answer["conversation"], &answer["seq"]);
        bail!("{missing}no node keeps a hop of {conversation} at {seq}: the event is too old, or there is none");
    };
    let mut out = format!(
        "{:<14}{:<6}{:<7}{:<6}{:<9}{:>12}  {}\n",
        "HOP", "NODE", "SHARD", "TERM", "INDEX", "AFTER (µs)", "DETAIL"
    );
    for hop in hops {
        let number = |name: &str| hop[name].as_u64().map_or("-".to_owned(), |number| number.to_string());
        let detail = ["to", "from", "commands", "nodes", "connections"].into_iter().find_map(|name| {
            let number = hop[name].as_u64()?;
            Some(match name {
                "to" | "from" => format!("{name} node {number}"),
                name => format!("{number} {name}"),
            })
        });
        let line = format!(
            "{:<14}{:<6}{:<7}{:<6}{:<9}{:>12}  {}",
            hop["hop"].as_str().unwrap_or_default(),
            number("node"),
            number("shard"),
            number("term"),
            number("index"),
            hop["time_us"].as_i64().unwrap_or_default() - begin,
            detail.unwrap_or_default()
        );
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out.push_str(&missing);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Output;

    #[test]
    fn hops_of_several_nodes_are_ordered_by_one_clock() {
        let seen = json!({
            "node": 1,
            "nodes": [{ "id": 1, "http": "" }, { "id": 2, "http": "b:1" }, { "id": 3, "http": "c:1" }],
            "clock_skew_ms": { "2": 40 },
        });
        let mut nodes = nodes("a:1", &seen);
        assert_eq!(nodes.iter().map(|node| node.http.as_str()).collect::<Vec<_>>(), ["a:1", "b:1", "c:1"]);
        nodes[0].answer = Some(json!({ "message": null, "hops": [
            { "hop": "edge", "time_us": 1_000 },
            { "hop": "router", "time_us": 1_010, "shard": 3, "to": 2 },
            { "hop": "acknowledged", "time_us": 4_000 },
        ] }));
        nodes[1].answer = Some(json!({ "message": "0f", "shard": 3, "index": 7, "hops": [
            { "hop": "applied", "time_us": 43_500, "shard": 3, "term": 2, "index": 7 },
        ] }));
        assert_eq!(known(nodes[0].answer.as_ref().expect("an answer")), None);
        let more = known(nodes[1].answer.as_ref().expect("an answer"));
        assert_eq!(more.as_deref(), Some("&message=0f&shard=3&index=7"));

        let cluster = Where { http: String::new(), output: Output::Table };
        let key = Key { token: None, token_file: None, data_dir: Default::default() };
        let args = Args { conversation: "everyone".to_owned(), seq: 5, cluster, key };
        let answer = gathered(&args, &nodes);
        let order: Vec<&str> =
            answer["hops"].as_array().into_iter().flatten().filter_map(|hop| hop["hop"].as_str()).collect();
        assert_eq!(order, ["edge", "router", "applied", "acknowledged"]);
        let table = table(&answer).expect("a table");
        assert!(table.contains("router        1     3      -     -                  10  to node 2\n"), "{table}");
        assert!(table.contains("applied       2     3      2     7                2500\n"), "{table}");
        assert!(table.ends_with("no answer from node 3: its hops are missing\n"), "{table}");
    }

    #[test]
    fn an_event_that_left_no_hop_is_an_error() {
        let error = table(&json!({ "conversation": "everyone", "seq": 9, "hops": [], "silent": [] })).unwrap_err();
        assert!(error.to_string().contains("no node keeps a hop"), "{error}");
    }
}
