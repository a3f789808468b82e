//! An operator's mistakes with addresses, strangers at the cluster port, and a change of the token
//! do no harm to real nodes.

use std::ffi::OsStr;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::Instant;
use troupe_chaos::local::Addresses;
use troupe_fetch as fetch;
use troupe_raft::transport::token::Token;
use troupe_runtime::Platform;

use crate::accounts::says;
use crate::person::password;
use crate::server::{PATIENCE, Server, binary, new_token, refusal, start, within};

fn join(server: &Server) -> String {
    let all: Vec<&str> =
        (0..server.cluster.len()).map(|node| server.cluster.addresses(node).cluster.as_str()).collect();
    all.join(",")
}

/// `troupe cluster status`, asked at these HTTP addresses: the state of each node.
async fn states(http: &str) -> Vec<String> {
    let mut command = Command::new(binary());
    command.args(["cluster", "status", "-o", "json", "--http", http]).kill_on_drop(true);
    let output = within(command.output()).await.expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let nodes = seen["nodes"].as_array().expect("nodes");
    nodes.iter().map(|node| node["state"].as_str().expect("a state").to_owned()).collect()
}

#[tokio::test]
async fn a_node_with_the_address_of_a_healthy_one_is_refused_and_nobody_leaves() {
    let mut server = Server::started(3).await;
    let stranger = Server::planned(1);
    let taken = server.addresses().cluster.clone();
    let mut command = start(stranger.addresses(), &stranger.data_dir(), server.cluster.token());
    command.args(["--cluster-advertise", &taken, "--cluster-join", &join(&server)]);
    let text = refusal(command).await;
    assert!(text.contains(&taken) && text.contains("is taken") && text.contains("advertise"), "{text}");
    server.is_well().await;
    assert_eq!(states(&server.addresses().http).await, ["ready", "ready", "ready"]);
}

#[tokio::test]
async fn addresses_that_lead_nowhere_are_refused_before_anything_is_touched() {
    let spare = Server::planned(1);
    let free = spare.addresses().clone();
    let everywhere = |address: &str| format!("0.0.0.0:{}", address.rsplit(':').next().unwrap_or_default());
    let cases = [
        (Addresses { client: everywhere(&free.client), ..free.clone() }, "client.advertise"),
        (Addresses { http: everywhere(&free.http), ..free.clone() }, "http.advertise"),
        (Addresses { cluster: everywhere(&free.cluster), ..free.clone() }, "cluster.advertise"),
    ];
    for (at, key) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        let text = refusal(start(&at, folder.path(), &new_token())).await;
        assert!(text.contains("all addresses of this machine") && text.contains(key), "{text}");
        assert!(std::fs::read_dir(folder.path()).expect("it is there").next().is_none(), "nothing was written");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = start(&free, folder.path(), &new_token());
    command.args(["--cluster-join", "192.0.2.1:7800"]);
    let text = refusal(command).await;
    assert!(text.contains("is on loopback") && text.contains("192.0.2.1:7800"), "{text}");
}

#[tokio::test]
async fn a_dead_node_is_never_ready_and_the_next_address_is_asked() {
    let mut server = Server::started(3).await;
    server.cluster.kill(2).await.expect("killed");
    let dead = server.cluster.addresses(2).http.clone();
    let seen = states(&format!("{dead},{}", server.addresses().http)).await;
    let dead_ones: Vec<&String> = seen.iter().filter(|state| state.starts_with("no answer")).collect();
    assert_eq!((seen.len(), dead_ones.len()), (3, 1), "{seen:?}");
}

/// More than there are places, from the address that the nodes have, and again as soon as one is
/// closed.
#[tokio::test]
async fn idle_connections_on_the_cluster_port_do_not_delay_a_killed_node() {
    let mut server = Server::started(3).await;
    let net = Platform::production().net;
    let mut idle = Vec::new();
    for node in 0..2 {
        for _ in 0..100 {
            idle.push(net.connect(&server.cluster.addresses(node).cluster).await.expect("connected"));
        }
    }
    server.cluster.kill(2).await.expect("killed");
    let begun = Instant::now();
    server.cluster.start(2).expect("started");
    server.is_well().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let log = std::fs::read_to_string(server.cluster.log_path(0)).expect("a log");
    assert!(log.matches("WARN").count() < 5, "{log}");
    drop(idle);
}

#[tokio::test]
async fn the_token_is_changed_while_people_talk() {
    let mut server = Server::started(3).await;
    let (ann, mut bob) = (server.person("ann").await, server.person("bob").await);
    let rotate = ["token", "rotate"].map(OsStr::new);
    let (done, said) = server.asks(&rotate).await;
    assert!(done, "{said}");
    let new = said.lines().find(|line| line.starts_with("troupe1.")).expect("the new token").to_owned();
    assert_ne!(new, server.cluster.token());
    ann.send("everyone", "do you still hear me?").await.expect("sent");
    bob.hears("do you still hear me?").await;
    let key = Token::parse(&new).expect("a token").operator_key().reveal().to_owned();
    let made = fetch::post_json(&server.addresses().http, "/v1/users/ann/make-admin", Some(&key), PATIENCE).await;
    assert_eq!(made.expect("answered").0, 200);
    let recorded = async || {
        let trail = says(&server, "ann", &password("ann"), &["audit"]).await.expect("a trail");
        let rows: Vec<Value> = trail.as_array().expect("a list").clone();
        rows.into_iter().filter(|row| row["action"] == "token.rotate").collect::<Vec<_>>()
    };
    let rows = within(async {
        loop {
            match recorded().await {
                rows if rows.is_empty() => tokio::time::sleep(Duration::from_millis(100)).await,
                rows => return rows,
            }
        }
    })
    .await;
    assert_eq!((rows.len(), &rows[0]["by"]), (1, &"operator".into()), "{rows:?}");
    // The fingerprint, which is in the logs too, and nothing else of it.
    assert!(rows[0]["detail"].as_str().is_some_and(|detail| detail.len() == 19), "{rows:?}");

    // With the one before nothing opens: neither an order, nor a backup, nor the cluster to a new
    // node.
    let (done, said) = server.asks(&rotate).await;
    assert!(!done && said.contains("does not accept our token"), "{said}");
    let folder = tempfile::tempdir().expect("a folder");
    let backup = [OsStr::new("backup"), folder.path().as_os_str()];
    assert!(!server.asks(&backup).await.0);
    let stranger = Server::planned(1);
    let mut command = start(stranger.addresses(), &stranger.data_dir(), server.cluster.token());
    command.args(["--cluster-join", &join(&server)]);
    assert!(refusal(command).await.contains("does not accept our token"));
    let mut command = Command::new(binary());
    command.args(backup).args(["--cluster", &join(&server), "--token", &new]).kill_on_drop(true);
    let output = within(command.output()).await.expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    // They are still configured with the one before.
    server.stop().await;
    server.cluster.start_all().expect("started");
    server.cluster.wait_ready(&[0, 1, 2], PATIENCE).await.expect("ready");
    let shown = within(Command::new(binary()).args(["token", "show", "--data-dir"]).arg(server.data_dir()).output());
    assert_eq!(String::from_utf8_lossy(&shown.await.expect("it runs").stdout).trim(), new);
}
