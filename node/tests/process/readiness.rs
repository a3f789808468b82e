//! A node's reports over HTTP: from its first moment on, and when the others are gone.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{Instant, sleep};
use troupe_fetch as fetch;

use crate::server::{PATIENCE, Server};

/// Between two looks at something that can only be looked at.
const LOOK: Duration = Duration::from_millis(50);

async fn status(server: &Server, index: usize) -> String {
    let command = Command::new(env!("CARGO_BIN_EXE_troupe"))
        .args(["cluster", "status", "--http", &server.cluster.addresses(index).http])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, command).await.expect("it ends").expect("it runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn a_node_that_waits_for_its_cluster_lives_and_says_what_it_waits_for() {
    let mut server = Server::planned(3);
    server.cluster.start(0).expect("started");
    let http = server.addresses().http.clone();
    let deadline = Instant::now() + PATIENCE;
    let reason = loop {
        assert!(Instant::now() < deadline, "{:?}", server.cluster.readiness(0).await);
        if let Ok((false, answer)) = server.cluster.readiness(0).await {
            let reason = answer["reasons"][0].as_str().expect("a reason").to_owned();
            if reason.contains("join list") {
                break reason;
            }
        }
        sleep(LOOK).await;
    };
    let (code, body) = fetch::get(&http, "/livez", PATIENCE).await.expect("an answer");
    assert_eq!((code, body.as_ref()), (200, b"ok\n".as_ref()));
    assert!(reason.contains("2 of 3 nodes of the join list are missing"), "{reason}");
    for other in [1, 2] {
        assert!(reason.contains(&server.cluster.addresses(other).cluster), "{reason}");
    }
    let (code, answer) = fetch::get_json(&http, "/v1/cluster", PATIENCE).await.expect("an answer");
    assert_eq!(code, 503);
    assert!(answer["error"].as_str().is_some_and(|text| text.contains("join list")), "{answer}");

    server.cluster.start(1).expect("started");
    server.cluster.start(2).expect("started");
    server.is_well().await;
    let (code, answer) = fetch::get_json(&http, "/readyz?verbose", PATIENCE).await.expect("an answer");
    assert_eq!((code, &answer["detail"]["replication_target"]), (200, &serde_json::json!(3)));
}

#[tokio::test]
async fn without_a_majority_no_node_is_ready_and_the_status_says_so() {
    let mut server = Server::started(3).await;
    assert!(!status(&server, 0).await.contains("not ready"));
    for index in [1, 2] {
        server.cluster.kill(index).await.expect("killed");
    }
    let killed = Instant::now();
    let answer = loop {
        match server.cluster.readiness(0).await {
            Ok((false, answer)) => break answer,
            other => assert!(killed.elapsed() < Duration::from_secs(10), "{other:?}"),
        }
        sleep(LOOK).await;
    };
    assert!(answer["reasons"].to_string().contains("no reachable leader"), "{answer}");
    let said = status(&server, 0).await;
    assert!(said.contains("not ready") && said.contains("no answer"), "{said}");
    server.start().await;
}
