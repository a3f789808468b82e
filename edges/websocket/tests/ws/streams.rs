//! Many open WebSockets at once.

use futures::StreamExt;
use futures::stream;

use crate::server::Server;
use crate::socket::{FIN, TEXT, masked};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_open_connections_end_cleanly() {
    let server = Server::start().await;
    let places = || server.node.platform.metrics.connections.get();
    let mut open: Vec<_> = stream::iter(0..1_000).map(|_| server.open()).buffered(64).collect().await;
    let hello = br#"{"request_id":"1","hello":{"min_version":1,"max_version":1}}"#;
    for socket in &mut open {
        socket.write(&masked(FIN | TEXT, hello)).await;
    }
    for socket in &mut open {
        assert!(socket.text().await["welcome"].is_object());
    }
    assert!(places() >= 1_000, "{}", places());
    server.end_all().await;
    for socket in &mut open {
        assert_eq!(socket.closed().await, (1001, "shutting_down".to_owned()));
    }
    drop(open);
    while places() > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    server.stop().await;
}
