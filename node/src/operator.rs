//! `troupe node`: shows an operator the nodes, and gives a cluster orders about them: drain,
//! undrain, remove, replace.
//!
//! Any node accepts an order and forwards it. This module asks the given nodes, and the others when
//! those do not answer, since one may be the very node that goes ([`crate::asker`]).
//! [`crate::orders`] and `docs/operations.md` define the orders.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use troupe_raft::transport::token::Token;

use crate::arguments::Output;
use crate::asker::Asker;
use crate::exit::refused;
use crate::{guard, token};

const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Subcommand)]
pub enum NodeVerb {
    /// All nodes, what they hold, and what moves
    List {
        #[command(flatten)]
        cluster: Where,
    },
    /// Move leaders, then replicas, off a node; it stays a member and serves who stays
    Drain(Change),
    /// Take a drained node back to work, or keep one that was to leave
    Undrain(Change),
    /// Drain a node, living or dead, and remove it permanently
    Remove(Change),
    /// The same, its replicas going to one other node where they can
    Replace {
        #[command(flatten)]
        change: Change,
        /// The node that takes over; without it the plan chooses
        #[arg(long, value_name = "NODE")]
        with: Option<u64>,
    },
}

#[derive(Args)]
pub struct Where {
    /// HTTP addresses of any nodes, comma-separated: the next one is asked when one does not answer
    #[arg(long, default_value = "127.0.0.1:7780", env = "TROUPE_HTTP")]
    pub http: String,
    #[arg(short, long, value_enum, default_value = "table")]
    pub output: Output,
}

#[derive(Args)]
pub struct Change {
    /// Number of the node, as `troupe node list` shows it
    pub node: u64,
    #[command(flatten)]
    pub cluster: Where,
    /// Only print what would move
    #[arg(long)]
    pub dry_run: bool,
    /// Return when the order is given, not when it is done
    #[arg(long)]
    pub no_wait: bool,
    /// Replicas of each shard from now on
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=7))]
    pub replication: Option<u32>,
    #[command(flatten)]
    pub key: Key,
}

/// How an operator shows that it is one.
#[derive(Args)]
pub struct Key {
    /// The cluster's join token; better given by the variable or a file
    #[arg(long, env = "TROUPE_CLUSTER_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// File that holds the join token
    #[arg(long, env = "TROUPE_CLUSTER_TOKEN_FILE", conflicts_with = "token")]
    pub token_file: Option<PathBuf>,
    /// Data folder of a node on this machine that made its own token
    #[arg(long, default_value = "./troupe-data")]
    pub data_dir: PathBuf,
}

pub async fn run(verb: NodeVerb) -> Result<()> {
    match verb {
        NodeVerb::List { cluster } => {
            let seen = Asker::new(&cluster.http).look().await?;
            cluster.output.print(|| seen.clone(), || table(&seen));
            Ok(())
        }
        NodeVerb::Drain(change) => give("drain", change, None).await,
        NodeVerb::Undrain(change) => give("undrain", change, None).await,
        NodeVerb::Remove(change) => give("remove", change, None).await,
        NodeVerb::Replace { change, with } => give("replace", change, with).await,
    }
}

async fn give(verb: &str, change: Change, with: Option<u64>) -> Result<()> {
    let key = operator_key(&change.key)?;
    let mut asker = Asker::new(&change.cluster.http);
    // Known before the order, because the node that was asked may go by it.
    asker.look().await?;
    let mut path = format!("/v1/nodes/{}/{verb}?dry_run={}", change.node, change.dry_run);
    for (name, value) in [("with", with), ("replication", change.replication.map(u64::from))] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={value}"));
        }
    }
    let (status, answer) = asker.order(&path, key.as_deref()).await?;
    if status != 200 {
        return Err(refused(status, &answer));
    }
    let output = change.cluster.output;
    output.say(plan(&answer).trim_end());
    let wait = !change.dry_run && !change.no_wait;
    if wait {
        wait_until_done(&mut asker, verb, change.node, output).await?;
    }
    let value = || {
        let mut answer = answer.clone();
        answer["order"] = json!(verb);
        answer["done"] = json!(wait);
        answer
    };
    output.print(value, || ending(verb, wait, change.dry_run).to_owned());
    Ok(())
}

fn ending(verb: &str, waited: bool, dry_run: bool) -> &'static str {
    match verb {
        "remove" | "replace" if waited => {
            "done\nwhat is left of that node may still hold the join token: `troupe token rotate` makes it worthless\n"
        }
        _ if waited => "done\n",
        _ if dry_run => "dry run: nothing was done\n",
        _ => "",
    }
}

/// Says what is left whenever that changes.
async fn wait_until_done(asker: &mut Asker, verb: &str, node: u64, output: Output) -> Result<()> {
    let mut told = None;
    loop {
        let seen = asker.look().await?;
        let left = seen["moves"].as_array().map_or(0, Vec::len);
        if is_done(&seen, verb, node) {
            return Ok(());
        }
        if told != Some(left) {
            match left {
                0 => output.say(&format!("  waiting for node {node} to be let go")),
                _ => output.say(&format!("  {left} moves left")),
            }
            told = Some(left);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn is_done(seen: &Value, verb: &str, node: u64) -> bool {
    let known = seen["nodes"].as_array().into_iter().flatten().find(|known| known["id"] == node);
    let still = seen["moves"].as_array().is_some_and(Vec::is_empty);
    match (verb, known) {
        ("remove" | "replace", known) => known.is_none(),
        ("drain", Some(known)) => known["replicas"] == 0 && still,
        ("undrain", Some(known)) => known["state"] == "active" && still,
        (_, None) => true,
        (_, Some(_)) => still,
    }
}

/// `None` where neither a token nor the key of a node on this machine is found: the node says what
/// is missing.
pub fn operator_key(key: &Key) -> Result<Option<String>> {
    let text = match (&key.token, &key.token_file) {
        (Some(token), _) => Some(token.clone()),
        (None, Some(path)) => Some(
            std::fs::read_to_string(path).with_context(|| format!("cannot read the token in {}", path.display()))?,
        ),
        // A cluster of one made its token itself and keeps it there.
        (None, None) => std::fs::read_to_string(key.data_dir.join(token::FILE)).ok(),
    };
    let token = text.map(|text| Token::parse(&text)).transpose()?;
    let own = || std::fs::read_to_string(key.data_dir.join(guard::KEY_FILE)).ok();
    Ok(token.map(|token| token.operator_key().reveal().to_owned()).or_else(own))
}

fn plan(answer: &Value) -> String {
    if answer["removed"] == true {
        return format!("node {} is out of the cluster already\n", answer["node"]);
    }
    let moves: Vec<&Value> = answer["moves"].as_array().into_iter().flatten().collect();
    let mut out = match moves.len() {
        0 => "nothing has to move\n".to_owned(),
        1 => "1 move:\n".to_owned(),
        many => format!("{many} moves:\n"),
    };
    moves.iter().for_each(|moving| out.push_str(&format!("  {}\n", move_line(moving))));
    out
}

/// `shard 3   node 1 -> node 4`.
pub fn move_line(moving: &Value) -> String {
    let what = match (moving["from"].as_u64(), moving["to"].as_u64()) {
        (Some(from), Some(to)) => format!("node {from} -> node {to}"),
        (None, Some(to)) => format!("one more, on node {to}"),
        (Some(from), None) => format!("one fewer, on node {from}"),
        (None, None) => "-".to_owned(),
    };
    let under_way = if moving["under_way"] == true { "   (under way)" } else { "" };
    format!("shard {:<4} {what}{under_way}", moving["shard"].to_string())
}

fn table(seen: &Value) -> String {
    let mut out =
        format!("{:<6}{:<10}{:<11}{:<10}{:<7}{}\n", "NODE", "STATE", "REACHABLE", "REPLICAS", "LEADS", "CLUSTER");
    for node in seen["nodes"].as_array().into_iter().flatten() {
        let text = |name: &str| node[name].as_str().unwrap_or_default().to_owned();
        out.push_str(&format!(
            "{:<6}{:<10}{:<11}{:<10}{:<7}{}\n",
            node["id"].to_string(),
            text("state"),
            if node["reachable"] == true { "yes" } else { "no" },
            node["replicas"].to_string(),
            node["leads"].to_string(),
            text("cluster")
        ));
    }
    let moves: Vec<&Value> = seen["moves"].as_array().into_iter().flatten().collect();
    if !moves.is_empty() {
        out.push_str(&format!("\n{} moves under way or to come:\n", moves.len()));
        moves.iter().for_each(|moving| out.push_str(&format!("  {}\n", move_line(moving))));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(state: &str, replicas: u64, moves: usize) -> Value {
        let moving = json!({ "shard": 1, "from": 1, "to": 2, "under_way": false });
        json!({
            "nodes": [{ "id": 1, "state": state, "reachable": true, "replicas": replicas, "leads": 0, "http": "a:1" }],
            "moves": vec![moving; moves],
        })
    }

    #[test]
    fn an_order_is_done_when_nothing_of_it_is_left() {
        assert!(!is_done(&seen("draining", 3, 1), "drain", 1));
        assert!(!is_done(&seen("draining", 1, 0), "drain", 1));
        assert!(is_done(&seen("draining", 0, 0), "drain", 1));
        assert!(!is_done(&seen("leaving", 0, 0), "remove", 1));
        assert!(is_done(&seen("active", 9, 3), "remove", 2));
        assert!(!is_done(&seen("active", 9, 3), "undrain", 1));
        assert!(is_done(&seen("active", 9, 0), "undrain", 1));
    }

    #[test]
    fn a_plan_can_be_read() {
        let mut answer = seen("draining", 3, 2);
        answer["node"] = json!(1);
        assert_eq!(plan(&answer), "2 moves:\n  shard 1    node 1 -> node 2\n  shard 1    node 1 -> node 2\n");
        assert!(table(&seen("draining", 3, 1)).contains("1 moves under way or to come"));
        answer["removed"] = json!(true);
        assert!(plan(&answer).contains("out of the cluster already"));
    }
}
