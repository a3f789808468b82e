//! The share of one address in a node, whatever it asks for.

use std::task::Poll;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Method, Request};
use futures::stream;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::time::Instant;
use troupe_actors::budgets::Limits;
use troupe_core::limits;
use troupe_edge_http::Connection;
use troupe_raft::api::LoginPolicy;

use crate::harness::{one_node, one_node_with, within};
use crate::http::Http;

#[tokio::test]
async fn a_request_without_a_meaning_is_paid_for() {
    let limits = Limits { address_rate: 1, address_burst: 20, loopback_factor: 1, ..Limits::default() };
    let node = one_node_with(limits).await;
    let guest = Http::of(&node);
    let begun = Instant::now();
    for _ in 0..8 {
        for path in ["/v1/nothing", "/v1/openapi.json", "/v1/me"] {
            guest.get(path).await;
        }
    }
    // 20 at once, the others at one a second.
    assert!(begun.elapsed() > Duration::from_secs(2), "{:?}", begun.elapsed());
    node.stop().await;
}

/// A client can write any address into these headers, so they give no budget of its own.
#[tokio::test]
async fn the_address_in_a_header_of_proxies_has_no_budget() {
    let limits = Limits { address_rate: 1, address_burst: 20, loopback_factor: 1, ..Limits::default() };
    let node = one_node_with(limits).await;
    let guest = Http::of(&node);
    let begun = Instant::now();
    for number in 0..24 {
        let (from, by) = (format!("10.0.0.{number}"), format!("for=10.0.1.{number}"));
        let headers = [("x-forwarded-for", from.as_str()), ("x-real-ip", from.as_str()), ("forwarded", by.as_str())];
        guest.ask(Method::GET, "/v1/nothing", &headers, Body::empty()).await;
    }
    // 20 at once, the others at one a second.
    assert!(begun.elapsed() > Duration::from_secs(2), "{:?}", begun.elapsed());
    node.stop().await;
}

#[tokio::test]
async fn a_body_that_is_refused_costs_its_bytes() {
    let limits = Limits { address_rate: 1, address_burst: 100, loopback_factor: 1, ..Limits::default() };
    let node = one_node_with(limits).await;
    let ann = Http::user(&node, "ann").await;
    let bomb = format!("{{\"text\":[{}0]}}", "0,".repeat(150_000));
    let json = &[("content-type", "application/json")];
    let mut limited = 0;
    for _ in 0..8 {
        let said = ann.ask(Method::POST, "/v1/conversations/everyone/messages", json, Body::from(bomb.clone())).await;
        limited += usize::from(said.status == 429);
    }
    assert!(limited > 2, "{limited} of 8 were too much");
    node.stop().await;
}

#[tokio::test]
async fn an_address_has_so_many_requests_in_flight_and_its_connection_ends_above() {
    let limits = Limits { address_connections: 4, loopback_factor: 1, ..Limits::default() };
    let node = one_node_with(limits).await;
    let guest = Http::of(&node);
    let connection = Connection::default();
    let (reads, mut read) = tokio::sync::mpsc::unbounded_channel();
    let login = || {
        let reads = reads.clone();
        let never = stream::poll_fn(move |_| {
            let _ = reads.send(());
            Poll::<Option<Result<Bytes, std::io::Error>>>::Pending
        });
        let request = Request::post("/v1/login").header("content-type", "application/json");
        let mut request = request.body(Body::from_stream(never)).expect("a request");
        request.extensions_mut().insert(connection.clone());
        TowerToHyperService::new(guest.router.clone()).call(request)
    };
    let held: Vec<_> = (0..4).map(|_| tokio::spawn(login())).collect();
    for _ in 0..4 {
        within(read.recv()).await.expect("a body is read");
    }
    let Ok(above) = within(login()).await;
    assert_eq!(above.status(), 503);
    within(connection.crowded()).await;
    held.iter().for_each(|task| task.abort());
    for task in held {
        drop(task.await);
    }
    assert_eq!(guest.get("/v1/me").await.status, 401);
    node.stop().await;
}

#[tokio::test]
async fn bodies_without_an_end_leave_room_for_others() {
    let node = one_node(LoginPolicy::Replace).await;
    let ann = Http::user(&node, "ann").await;
    let piece = Bytes::from(vec![b' '; 256 * 1024]);
    let path = "/v1/conversations/everyone/messages";
    let json = &[("content-type", "application/json")];
    let most = limits::BODIES_BYTES / piece.len();
    let mut held = Vec::new();
    for _ in 0..most + 8 {
        let (ann, piece) = (ann.clone(), piece.clone());
        let body = futures::StreamExt::chain(stream::iter([Ok::<_, std::io::Error>(piece)]), stream::pending());
        held.push(tokio::spawn(async move { ann.ask(Method::POST, path, json, Body::from_stream(body)).await }));
    }
    let mut refused = 0;
    while refused == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        refused = held.iter().filter(|task| task.is_finished()).count();
    }
    held.iter().for_each(|task| task.abort());
    for task in held {
        if let Ok(said) = task.await {
            assert_eq!(said.code(503), "overloaded");
        }
    }
    assert_eq!(ann.post(path, json!({ "text": "there is room again" })).await.status, 200);
    node.stop().await;
}
