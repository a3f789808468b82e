//! The catalogue of metrics, and the trace of one message, of a running cluster.

use std::collections::BTreeSet;

use serde_json::Value;
use tokio::process::Command;
use troupe_fetch as fetch;

use crate::server::{PATIENCE, Server, binary, within};

const CATALOGUE: &str = include_str!("../../../docs/metrics.md");

/// Name and kind of each row of the catalogue.
fn listed() -> BTreeSet<(String, String)> {
    let rows = CATALOGUE.lines().filter_map(|line| line.strip_prefix("| `troupe_"));
    let row = |row: &str| {
        let (name, rest) = row.split_once("` | ").expect("a name");
        (format!("troupe_{name}"), rest.split(" |").next().expect("a kind").to_owned())
    };
    rows.map(row).collect()
}

/// Name and kind of each metric that any of the nodes serves.
async fn served(server: &Server) -> BTreeSet<(String, String)> {
    let mut served = BTreeSet::new();
    for node in 0..server.cluster.len() {
        let (status, page) =
            fetch::get(&server.cluster.addresses(node).http, "/metrics", PATIENCE).await.expect("a page");
        assert_eq!(status, 200);
        let page = String::from_utf8(page.to_vec()).expect("text");
        let types =
            page.lines().filter_map(|line| line.strip_prefix("# TYPE ")).filter_map(|line| line.split_once(' '));
        served.extend(types.map(|(name, kind)| (name.to_owned(), kind.to_owned())));
    }
    served
}

async fn trace(server: &Server, token: &str, seq: &str) -> (bool, String) {
    let http: Vec<&str> = (0..server.cluster.len()).map(|node| server.cluster.addresses(node).http.as_str()).collect();
    let mut command = Command::new(binary());
    command.args(["msg", "trace", "everyone", seq, "-o", "json", "--http", &http.join(",")]);
    command.env("TROUPE_CLUSTER_TOKEN", token).kill_on_drop(true);
    let output = within(command.output()).await.expect("it runs");
    let text = if output.status.success() { output.stdout } else { output.stderr };
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn the_catalogue_lists_what_is_served_and_a_message_can_be_traced() {
    let server = Server::started(3).await;
    let (ann, mut bob) = (server.person("ann").await, server.person("bob").await);
    ann.send("everyone", "hello").await.expect("sent");
    bob.hears("hello").await;
    assert_eq!(listed(), served(&server).await);

    // A follower applies an entry up to 20 ms after its leader.
    let applied = async {
        loop {
            let (done, said) = trace(&server, server.cluster.token(), "1").await;
            assert!(done, "{said}");
            if said.matches("\"applied\"").count() >= 2 {
                return said;
            }
        }
    };
    let said = within(applied).await;
    let seen: Value = serde_json::from_str(&said).expect("JSON");
    let hops = seen["hops"].as_array().expect("hops");
    let at = |name: &str| hops.iter().filter(|hop| hop["hop"] == name).collect::<Vec<_>>();
    for once in
        ["edge", "router", "shard", "conversation", "proposer", "acknowledged", "pushed", "fan-out", "connection"]
    {
        assert_eq!(at(once).len(), 1, "{once}: {said}");
    }
    // The last replica may be on its way to it.
    for replicated in ["appended", "flushed", "committed", "applied"] {
        let found = at(replicated);
        assert!((2..=3).contains(&found.len()), "{replicated}: {said}");
        assert!(
            found.iter().all(|hop| hop["shard"] == found[0]["shard"] && hop["index"] == found[0]["index"]),
            "{said}"
        );
    }
    assert_eq!(seen["silent"], serde_json::json!([]));

    let (done, said) = trace(&server, server.cluster.token(), "2").await;
    assert!(!done && said.contains("no node keeps a hop"), "{said}");
    let (done, said) = trace(&server, &crate::server::new_token(), "1").await;
    assert!(!done && said.contains("operator's key"), "{said}");
}
