//! A node whose data was damaged while it was down: it notices, sets it aside, and comes back as a
//! new one; nothing is lost.

use std::path::{Path, PathBuf};

use crate::server::{PATIENCE, Server};

fn newest_log(database: &Path) -> PathBuf {
    let files = std::fs::read_dir(database).expect("a database").map(|entry| entry.expect("an entry").path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "log")).max().expect("a log")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_a_shortened_log_sets_it_aside_and_joins_anew() {
    let mut server = Server::started(3).await;
    let alice = server.person("alice").await.deaf();
    for number in 0..50 {
        alice.says("everyone", &format!("before {number}")).await;
    }
    const LOST: usize = 2;
    server.cluster.kill(LOST).await.expect("killed");
    let database = server.cluster.data_dir(LOST).join("db");
    let log = newest_log(&database);
    let bytes = std::fs::read(&log).expect("a log");
    std::fs::write(&log, &bytes[..bytes.len() / 2]).expect("shortened");
    server.cluster.start(LOST).expect("started");
    server.cluster.wait_ready(&[LOST], PATIENCE).await.expect("it comes back by itself");
    assert!(server.cluster.data_dir(LOST).join("db.damaged-1").join("CURRENT").exists());
    let page = alice.fetch("everyone", 0).await.expect("a page");
    assert_eq!(page.head, 50, "the others have kept everything");
    alice.says("everyone", "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_copy_is_not_set_aside() {
    let mut server = Server::started(1).await;
    server.person("alice").await.says("everyone", "hello").await;
    server.cluster.kill(0).await.expect("killed");
    let log = newest_log(&server.data_dir().join("db"));
    std::fs::write(&log, []).expect("emptied");
    server.cluster.start(0).expect("started");
    let (success, said) = server.ends().await;
    assert!(!success && said.contains("the only copy"), "{said}");
}
