//! Streams that do not read, a thousand at once, and both versions of HTTP.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::StreamExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use troupe_actors::message::{Answer, Request as Asked, Session};
use troupe_actors::passwords::token_hash;
use troupe_core::command::Register;
use troupe_core::{ClientMessageId, Command, DeviceId, Username, limits};
use troupe_proto::client::SessionToken;
use troupe_raft::api::LoginPolicy;

use crate::harness::{Node, one_node, within};
use crate::http::Http;
use crate::stream::Stream;

#[tokio::test]
async fn a_slow_reader_is_ended_and_misses_nothing_when_it_comes_back() {
    let node = one_node(LoginPolicy::Replace).await;
    let ann = Http::user(&node, "ann").await;
    let senders = [Http::user(&node, "bob").await, Http::user(&node, "carl").await];
    let mut stream = ann.stream("").await;
    let text = "x".repeat(60_000);
    let many = 2 + limits::CONNECTION_OUT_BYTES as u64 / 60_000;
    let mut sent = 0;
    for _ in 0..=many / 2 {
        for sender in &senders {
            sent = sender.send("everyone", &text).await;
        }
    }
    within(async {
        while node.handle.platform().metrics.event_streams.get() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let waiting = node.handle.service().output().waiting();
    assert!(waiting < 100_000, "{waiting} bytes are held for a stream that has ended");
    // The events before the end are whole, and the rest comes to the next stream.
    let mut seqs = Vec::new();
    let code = loop {
        let told = stream.next().await.expect("an end with its reason");
        match told.name.as_str() {
            "message" => seqs.extend(told.data["seq"].as_u64()),
            "end" => break told.text("code").to_owned(),
            _ => {}
        }
    };
    assert_eq!(code, "slow_consumer");
    assert!((seqs.len() as u64) < sent, "it has read all");
    let mut stream = ann.stream(&stream.id).await;
    while (seqs.len() as u64) < sent {
        seqs.push(stream.place().await.1);
    }
    assert!(seqs.into_iter().eq(1..=sent));
    node.stop().await;
}

/// Sessions without passwords, which take time to hash: the tokens of a user's devices.
async fn sessions(node: &Node, name: &str, devices: usize) -> Vec<String> {
    let register = Command::Register(Register {
        name: Username::check(name).expect("a name"),
        password_hash: "none".into(),
        request: ClientMessageId(node.platform.rng.bytes()),
    });
    let slot = register.slot();
    let Ok(Answer::Registered(user)) = within(node.handle.ask(slot, Asked::Commit(register))).await else {
        panic!("{name} is not registered")
    };
    let mut tokens = Vec::new();
    for number in 0..devices {
        let device = DeviceId::new(&format!("device-{number}")).expect("a device");
        let secret = node.platform.rng.bytes();
        let token = SessionToken { user, device: device.clone(), secret };
        let session = Session { user, device, token: token_hash(&secret), node: node.cluster.me() };
        let opened =
            within(node.handle.ask(user.slot(), Asked::OpenSession { session, revision: 0, from: String::new() }))
                .await;
        assert!(opened.is_ok(), "{opened:?}");
        tokens.push(URL_SAFE_NO_PAD.encode(token.encode()));
    }
    tokens
}

#[tokio::test]
async fn a_thousand_streams_take_an_event_and_end_cleanly_when_the_node_drains() {
    let node = one_node(LoginPolicy::Replace).await;
    let bob = Http::user(&node, "bob").await;
    let users = 1_000 / limits::SESSIONS_PER_USER + 1;
    let mut tokens = Vec::new();
    for number in 0..users {
        tokens.extend(sessions(&node, &format!("user-{number}"), limits::SESSIONS_PER_USER).await);
    }
    let guest = Http::of(&node);
    let opened = tokens.iter().map(|token| {
        let http = guest.with_token(token);
        async move { http.stream("").await }
    });
    let mut streams: Vec<Stream> = futures::stream::iter(opened).buffer_unordered(16).collect().await;
    assert!(streams.len() >= 1_000);
    let metrics = &node.handle.platform().metrics;
    assert_eq!(metrics.event_streams.get(), streams.len() as u64);
    bob.send("everyone", "to all").await;
    for stream in &mut streams {
        assert_eq!(stream.place().await, ("everyone".to_owned(), 1));
    }
    // They leave their places by themselves: the drain does not wait for its whole time.
    within(node.handle.drain(Duration::from_secs(60))).await;
    for stream in &mut streams {
        assert_eq!(stream.end().await, "shutting_down");
    }
    assert_eq!((metrics.event_streams.get(), metrics.connections.get()), (0, 0));
    assert_eq!(node.handle.service().output().waiting(), 0);
    let late = guest.with_token(&tokens[0]).get("/v1/events").await;
    assert_eq!(late.code(503), "shutting_down");
    node.stop().await;
}

#[tokio::test]
async fn above_the_places_of_an_address_a_stream_is_refused() {
    use troupe_actors::budgets::Limits;
    let limits = Limits { address_connections: 2, loopback_factor: 1, ..Limits::default() };
    let node = crate::harness::one_node_with(limits).await;
    let tokens = sessions(&node, "ann", 3).await;
    let guest = Http::of(&node);
    let first = guest.with_token(&tokens[0]).stream("").await;
    let _second = guest.with_token(&tokens[1]).stream("").await;
    let third = guest.with_token(&tokens[2]);
    let refused = third.get("/v1/events").await;
    assert_eq!((refused.code(503), refused.header("retry-after")), ("overloaded".into(), "1"));
    // A stream is a request in flight too, so its place comes back when its client goes.
    drop(first);
    within(async {
        let open = async || third.open(Method::GET, "/v1/events", &[], Body::empty()).await.status().as_u16();
        while open().await != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    node.stop().await;
}

/// Both versions over a socket, and streams of two devices on one connection of HTTP/2.
#[tokio::test]
async fn streams_and_polls_work_in_both_versions_of_http() {
    let node = one_node(LoginPolicy::Replace).await;
    let bob = Http::user(&node, "bob").await;
    let tokens = sessions(&node, "ann", 3).await;
    let listener = node.platform.net.bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let router = troupe_edge_http::router(node.handle.service().clone());
    let serving = tokio::spawn(async move {
        let builder = auto::Builder::new(TokioExecutor::new());
        loop {
            let (stream, _) = listener.accept().await.expect("accepted");
            let (builder, service) = (builder.clone(), TowerToHyperService::new(router.clone()));
            tokio::spawn(async move { drop(builder.serve_connection(TokioIo::new(stream), service).await) });
        }
    });
    let request = |token: &str, query: &str| {
        let path = format!("http://{address}/v1/events{query}");
        let request = Request::builder().method(Method::GET).uri(path).header("host", &address);
        request.header("authorization", format!("Bearer {token}")).body(Body::empty()).expect("a request")
    };
    let connect = async || TokioIo::new(within(node.platform.net.connect(&address)).await.expect("connected"));
    let (mut one, of_one) = within(hyper::client::conn::http1::handshake(connect().await)).await.expect("HTTP/1.1");
    let shaken = hyper::client::conn::http2::handshake(TokioExecutor::new(), connect().await);
    let (mut two, of_two) = within(shaken).await.expect("HTTP/2");
    let connections = [tokio::spawn(async { drop(of_one.await) }), tokio::spawn(async { drop(of_two.await) })];
    let mut streams = Vec::new();
    for token in &tokens[1..] {
        let answer = within(two.send_request(request(token, ""))).await.expect("an answer");
        streams.push(Stream::new(Body::new(answer.into_body())));
    }
    let answer = within(one.send_request(request(&tokens[0], ""))).await.expect("an answer");
    streams.push(Stream::new(Body::new(answer.into_body())));
    for stream in &mut streams {
        stream.until("ready").await;
    }
    bob.send("everyone", "to all").await;
    for stream in &mut streams {
        assert_eq!(stream.place().await, ("everyone".to_owned(), 1));
    }
    let polled = within(two.send_request(request(&tokens[1], "?wait=30"))).await.expect("an answer");
    assert_eq!(polled.status().as_u16(), 200);
    // A client that goes away frees its place.
    drop((one, two, streams));
    connections.iter().for_each(tokio::task::JoinHandle::abort);
    within(async {
        while node.handle.platform().metrics.connections.get() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    serving.abort();
    node.stop().await;
}
