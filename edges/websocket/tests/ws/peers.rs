//! Other people's clients: `scripts/websocket-peers` installs and runs them.

use tokio::process::Command;

use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn real_peers_connect_or_are_skipped_aloud() {
    let server = Server::start().await;
    let mut ann = server.node.user("ann").await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/websocket-peers");
    let ran = Command::new(script).arg(&server.address).kill_on_drop(true).output().await.expect("it runs");
    let (out, errors) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    println!("{out}");
    assert!(ran.status.success(), "{out}\n{errors}");
    for peer in ["node-ws", "python-websockets"] {
        assert!(out.contains(&format!("ok {peer}")) || out.contains(&format!("SKIPPED {peer}")), "{out}\n{errors}");
    }
    if out.contains("ok python-websockets") {
        let history = ann.history("everyone").await;
        assert!(history.iter().any(|(_, text)| text == "hello from Python"), "{history:?}");
    }
    server.stop().await;
}
