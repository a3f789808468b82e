//! The opening handshake over raw sockets.

use std::time::Duration;

use tokio::time::Instant;
use troupe_actors::budgets::Limits;
use troupe_core::limits;

use crate::harness::one_node_with;
use crate::server::Server;
use crate::socket::{Socket, handshake};

#[tokio::test]
async fn a_good_handshake_is_answered_and_a_bad_one_says_what_is_missing() {
    let server = Server::start().await;
    let good = handshake(&server.address, "");
    let head = Socket::connect(&server).await.asks(&good).await;
    assert!(head.starts_with("http/1.1 101 ") && head.contains("s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
    for (request, status) in [
        (good.replace("Upgrade: websocket\r\n", ""), "400"),
        (good.replace("Version: 13", "Version: 8"), "426"),
        (good.replace("GET", "POST"), "400"),
        (good.replace("dGhlIHNhbXBsZSBub25jZQ==", "short"), "400"),
        (handshake(&server.address, "Origin: https://evil.example\r\n"), "403"),
    ] {
        let head = Socket::connect(&server).await.asks(&request).await;
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{request}\n{head}");
        assert!(head.contains("application/problem+json"), "{head}");
    }
    for origin in ["https://chat.example".to_owned(), format!("http://{}", server.address)] {
        let request = handshake(&server.address, &format!("Origin: {origin}\r\n"));
        let head = Socket::connect(&server).await.asks(&request).await;
        assert!(head.starts_with("http/1.1 101 "), "{origin}: {head}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_log_in_is_let_go_and_learns_why() {
    let server = Server::start().await;
    let mut silent = server.open().await;
    let begun = Instant::now();
    // The frame with the reason comes before the close frame.
    let wait = Duration::from_secs(limits::UNAUTHENTICATED_SECONDS);
    assert_eq!(silent.closed().await, (1008, "no_login".to_owned()));
    assert!(begun.elapsed() < wait + Duration::from_secs(5), "{:?}", begun.elapsed());
    server.stop().await;
}

#[tokio::test]
async fn a_websocket_takes_a_place_like_any_connection() {
    let limits = Limits { connections: 2, address_connections: 2, loopback_factor: 1, ..Limits::default() };
    let server = Server::over(one_node_with(limits).await).await;
    let mut first = server.open().await;
    let mut second = server.open().await;
    first.enters_json("ann").await;
    // The one without a login makes room.
    let mut third = server.open().await;
    assert_eq!(second.closed().await, (1008, "no_login".to_owned()));
    third.enters_json("bob").await;
    let head = Socket::connect(&server).await.asks(&handshake(&server.address, "")).await;
    assert!(head.starts_with("http/1.1 503 ") && head.contains("retry-after: 1"), "{head}");
    server.stop().await;
}
