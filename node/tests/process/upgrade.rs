//! A rolling upgrade as its operator goes through it. A node of an earlier version is one that
//! pretends to be it, which only a build with planted bugs can.

use std::ffi::OsStr;

use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};
use troupe_fetch as fetch;
use troupe_raft::level::PRETENDED;
use troupe_raft::transport::token::Token;

use crate::accounts::says;
use crate::person::{connect, fresh_id, password};
use crate::server::{LOOK, PATIENCE, Server, refusal, start, within};

/// The last node of three.
const EARLIER: usize = 2;

/// A start of the last node that pretends to know no level but the first.
fn pretends(server: &Server) -> Command {
    let join: Vec<&str> =
        (0..server.cluster.len()).map(|node| server.cluster.addresses(node).cluster.as_str()).collect();
    let mut command =
        start(server.cluster.addresses(EARLIER), &server.cluster.data_dir(EARLIER), server.cluster.token());
    command.args(["--cluster-join", &join.join(",")]).env(PRETENDED, "1");
    command
}

async fn all_ready(server: &Server) {
    let deadline = Instant::now() + PATIENCE;
    for node in 0..server.cluster.len() {
        while !matches!(server.cluster.readiness(node).await, Ok((true, _))) {
            assert!(Instant::now() < deadline, "node {node}: {:?}", server.cluster.readiness(node).await);
            sleep(LOOK).await;
        }
    }
}

async fn upgrade(server: &Server, verb: &str) -> (bool, String) {
    let asked = ["cluster", "upgrade", verb, "--http", &server.addresses().http];
    server.asks(&asked.map(OsStr::new)).await
}

/// The output of `troupe cluster upgrade status` as soon as it contains this.
async fn status_says(server: &Server, wanted: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (done, said) = upgrade(server, "status").await;
        assert!(done, "{said}");
        if said.contains(wanted) {
            return said;
        }
        assert!(Instant::now() < deadline, "never '{wanted}': {said}");
        sleep(LOOK).await;
    }
}

/// The operator makes the first administrator.
async fn make_admin(server: &Server, name: &str) -> (u16, Value) {
    let key = Token::parse(server.cluster.token()).expect("a token").operator_key().reveal().to_owned();
    let path = format!("/v1/users/{name}/make-admin");
    fetch::post_json(&server.addresses().http, &path, Some(&key), PATIENCE).await.expect("answered")
}

#[tokio::test]
async fn an_operator_upgrades_node_by_node_and_the_earlier_version_does_not_come_back() {
    let mut server = Server::planned(3);
    server.cluster.start(0).expect("started");
    server.cluster.start(1).expect("started");
    let log = std::fs::File::create(server.cluster.log_path(EARLIER)).expect("a log");
    let mut earlier: Child = pretends(&server).stderr(log).spawn().expect("it runs");
    all_ready(&server).await;

    let said = status_says(&server, "runs an earlier version, which does not support level 2: upgrade it").await;
    assert!(said.starts_with("feature level 1 is in force; level 2 waits\n"), "{said}");
    let line = said.lines().find(|line| line.contains("runs an earlier version")).expect("the reason").trim();
    let named = line.split(" runs ").next().expect("a node").to_owned();
    assert!(named.starts_with("node "), "{said}");
    let (done, refused) = upgrade(&server, "finalize").await;
    assert!(!done && refused.contains(&named) && refused.contains("cannot be finalized"), "{refused}");
    let ann = server.person("ann").await;
    let (status, refused) = make_admin(&server, "ann").await;
    assert!(status == 409 && refused.to_string().contains("is being upgraded"), "{status} {refused}");
    let (visitor, _pushes) = connect(&server.addresses().client).await;
    let refused = visitor.register("bo", &password("bo"), fresh_id()).await.expect_err("a name of level 2");
    assert!(format!("{refused:?}").contains("upgrade_pending"), "{refused:?}");

    earlier.kill().await.expect("ended");
    server.cluster.start(EARLIER).expect("started");
    all_ready(&server).await;
    status_says(&server, "finalize`").await;
    let (done, said) = upgrade(&server, "finalize").await;
    assert!(done && said.contains("the cluster is at feature level 2"), "{said}");
    status_says(&server, "feature level 2 is in force, and no node that can be reached supports more").await;
    // The other nodes apply it a moment later, and those that lead refuse until then.
    let deadline = Instant::now() + PATIENCE;
    for node in 0..server.cluster.len() {
        let http = &server.cluster.addresses(node).http;
        while fetch::get_json(http, "/v1/upgrade", PATIENCE).await.expect("answered").1["level"] != 2 {
            assert!(Instant::now() < deadline, "node {node} stays behind");
            sleep(LOOK).await;
        }
    }
    while make_admin(&server, "ann").await.0 != 200 {
        assert!(Instant::now() < deadline, "{:?}", make_admin(&server, "ann").await);
        sleep(LOOK).await;
    }
    let made = says(&server, "ann", &password("ann"), &["user", "create", "carol"]).await.expect("made");
    assert!(made["one_time_password"].is_string(), "{made}");
    within(visitor.register("bo", &password("bo"), fresh_id())).await.expect("a name of level 2");
    ann.send("everyone", "all of the second level").await.expect("sent");

    server.cluster.kill(EARLIER).await.expect("killed");
    let refused = refusal(pretends(&server)).await;
    assert!(refused.contains("feature level 2") && refused.contains("version 0.2 or later"), "{refused}");
}
