//! Starts that cannot succeed: the process ends with the reason and a remedy, and running nodes
//! continue.

use std::time::Duration;

use troupe_chaos::local::Addresses;
use troupe_runtime::Platform;
use troupe_store::engine::{Batch, Durability, Engine, Family};
use troupe_store::key::node::{FORMAT, FORMAT_VERSION};
use troupe_store::rocks::Rocks;

use crate::person::connect;
use crate::server::{Server, new_token, refusal, start, within};

fn token_of(server: &Server) -> String {
    let plan = std::fs::read(server.cluster.dir().join("cluster.json")).expect("a plan");
    let plan: serde_json::Value = serde_json::from_slice(&plan).expect("JSON");
    plan["token"].as_str().expect("a token").to_owned()
}

async fn cluster_id(server: &Server) -> String {
    let (connection, _pushes) = connect(&server.addresses().client).await;
    connection.welcome().cluster_id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn mentions(text: &str, all: &[&str]) {
    for part in all {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
}

/// As when the log is on a disk that is full: every line fails.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_node_that_cannot_log_serves_and_stops_all_the_same() {
    let mut server = Server::started(1).await;
    let (at, folder, token) = (server.addresses().clone(), server.data_dir(), token_of(&server));
    server.stop().await;
    let full = std::fs::File::options().write(true).open("/dev/full").expect("a device that is always full");
    let mut command = start(&at, &folder, &token);
    command.stderr(full).args(["--log-filter", "debug"]);
    let mut node = command.spawn().expect("it runs");
    within(async {
        while server.cluster.readiness(0).await.map_or(true, |(ready, _)| !ready) {
            assert_eq!(node.try_wait().expect("a child"), None, "it ended");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let ann = server.person("ann").await;
    ann.send("everyone", "is anybody logging?").await.expect("sent");
    let pid = node.id().expect("it runs") as i32;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM).expect("told");
    let status = within(node.wait()).await.expect("it ends");
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn a_data_directory_of_another_cluster_is_refused_and_both_clusters_go_on() {
    let mut here = Server::started(1).await;
    let mut there = Server::started(1).await;
    let ann = here.person("ann").await;
    ann.send("everyone", "written here").await.expect("sent");
    let (ours, theirs) = (cluster_id(&here).await, cluster_id(&there).await);
    here.stop().await;

    let processes = there.processes();
    let address = there.addresses().cluster.clone();
    let mut command = start(here.addresses(), &here.data_dir(), &token_of(&there));
    command.args(["--cluster-join", &address]);
    let text = refusal(command).await;
    mentions(&text, &[&ours, &theirs, &address, "an empty data directory"]);

    there.is_well().await;
    assert_eq!(there.processes(), processes);
    here.start().await;
    let (again, _pushes) = connect(&here.addresses().client).await;
    assert_eq!(again.resume(ann.token.clone()).await.expect("the same cluster").user_id, ann.user);
    let bob = here.person("bob").await;
    assert_eq!(bob.fetch("everyone", 0).await.expect("a page").events.len(), 1);
}

#[tokio::test]
async fn a_data_directory_of_a_newer_version_is_refused_with_the_way_out() {
    let mut server = Server::started(1).await;
    let ann = server.person("ann").await;
    ann.send("everyone", "written by the newer one").await.expect("sent");
    server.stop().await;
    let path = server.data_dir().join("db");
    set_format(&path, FORMAT_VERSION + 1);

    let text = refusal(start(server.addresses(), &server.data_dir(), &token_of(&server))).await;
    let path = path.display().to_string();
    mentions(&text, &[&path, "newer version", "Start that version", "nothing was changed"]);
}

fn set_format(path: &std::path::Path, version: u32) {
    let rocks = Rocks::open(path).expect("nobody else has it");
    let mut batch = Batch::default();
    batch.put(Family::Node, FORMAT, version.to_be_bytes());
    rocks.write(batch, Durability::Synced).expect("written");
}

#[tokio::test]
async fn a_port_in_use_is_named_with_what_to_do() {
    let net = Platform::production().net;
    let server = Server::planned(1);
    let free = server.addresses().clone();
    let taken = net.bind("127.0.0.1:0").await.expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let cases = [
        (Addresses { client: address.clone(), ..free.clone() }, "client.listen"),
        (Addresses { http: address.clone(), ..free.clone() }, "http.listen"),
        (Addresses { cluster: address.clone(), ..free.clone() }, "cluster port"),
    ];
    for (at, which) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        let text = refusal(start(&at, folder.path(), &new_token())).await;
        mentions(&text, &[&address, which, "in use", "choose another"]);
    }
}

#[tokio::test]
async fn a_second_node_on_the_same_folder_is_refused_and_the_first_goes_on() {
    let mut server = Server::started(1).await;
    let spare = Server::planned(1);
    let processes = server.processes();
    let token = token_of(&server);
    // Started twice by mistake, and started twice with other ports.
    let text = refusal(start(server.addresses(), &server.data_dir(), &token)).await;
    mentions(&text, &[&server.addresses().http, "another node"]);
    let text = refusal(start(spare.addresses(), &server.data_dir(), &token)).await;
    let path = server.data_dir().join("db").display().to_string();
    mentions(&text, &[&path, "in use by another process", "choose another directory"]);
    server.person("ann").await.send("everyone", "undisturbed").await.expect("sent");
    server.is_well().await;
    assert_eq!(server.processes(), processes);
}

#[tokio::test]
async fn a_node_with_the_token_of_another_cluster_is_refused_and_the_running_one_goes_on() {
    let mut server = Server::started(3).await;
    let stranger = Server::planned(1);
    let processes = server.processes();
    let join: Vec<String> = (0..3).map(|index| server.cluster.addresses(index).cluster.clone()).collect();
    let (ann, mut bob) = (server.person("ann").await, server.person("bob").await);

    let mut command = start(stranger.addresses(), &stranger.data_dir(), &new_token());
    command.args(["--cluster-join", &join.join(",")]);
    let text = refusal(command).await;
    mentions(&text, &[&join[0], &join[1], &join[2], "does not accept our token", "the same one"]);

    ann.send("everyone", "who was that?").await.expect("sent");
    bob.hears("who was that?").await;
    server.is_well().await;
    assert_eq!(server.processes(), processes);

    // It has left no trace in its folder: with the right token it is admitted.
    let mut command = start(stranger.addresses(), &stranger.data_dir(), &token_of(&server));
    command.args(["--cluster-join", &join.join(",")]);
    let mut newcomer = command.spawn().expect("it runs");
    stranger.answers().await;
    newcomer.kill().await.expect("ended");
}
