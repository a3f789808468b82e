//! The protocol over WebSocket: the same frames in binary and in JSON, beside clients over TCP.

use serde_json::json;
use troupe_actors::budgets::Limits;
use troupe_actors::message::wire;
use troupe_core::limits;

use crate::harness::{Ask, ServerMessage, direct, message, one_node_with, password};
use crate::server::Server;
use crate::socket::{BINARY, CLOSE, FIN, masked};

#[tokio::test]
async fn binary_messages_are_the_frames_of_the_protocol() {
    let server = Server::start().await;
    let mut ann = server.node.user("ann").await;
    let mut socket = server.open().await;
    let hello = wire::Hello { min_version: 1, max_version: 1, client: "test".into() };
    let ServerMessage::Welcome(welcome) = socket.ask(Ask::Hello(hello)).await else { panic!("not welcome") };
    assert_eq!(welcome.version, 1);
    let login =
        wire::Login { name: "ann".into(), password: password("ann"), device: "browser".into(), ..Default::default() };
    let ServerMessage::LoggedIn(logged_in) = socket.ask(Ask::Login(login)).await else { panic!("no login") };
    assert_eq!(logged_in.user_id, ann.user);
    // It follows the channel before it is pushed to.
    while !matches!(socket.heard().await, ServerMessage::Conversation(push) if push.conversation == "everyone") {}
    let sent = ann.send("everyone", "over TCP").await;
    loop {
        if let ServerMessage::Event(push) = socket.heard().await {
            let event = push.event.expect("an event");
            assert_eq!((event.seq, event.body().expect("a body").content.as_ref()), (sent.seq, &b"over TCP"[..]));
            break;
        }
    }
    let id = ann.fresh_id();
    let long = "x".repeat(limits::MESSAGE_BYTES);
    let ServerMessage::SendAck(ack) = socket.ask(Ask::Send(message("everyone", &long, id))).await else {
        panic!("no ack")
    };
    assert_eq!(ann.history("everyone").await.last(), Some(&(ack.seq, long)));
    server.stop().await;
}

#[tokio::test]
async fn json_carries_the_same_frames() {
    let server = Server::start().await;
    let mut ann = server.node.user("ann").await;
    let mut bob = server.open().await;
    let bob_id: u64 = bob.enters_json("bob").await.parse().expect("a number");
    let conversation = direct(ann.user, bob_id);
    let send = json!({
        "conversation": conversation,
        "client_message_id": "AAECAwQFBgcICQoLDA0ODw==",
        "body": { "kind": 1, "content": "aGVsbG8" },
    });
    let first = bob.ask_json("send", send.clone()).await;
    assert_eq!(first["send_ack"]["seq"], json!("1"), "{first}");
    assert_eq!(ann.event(&conversation).await, (1, "hello".to_owned()));
    let again = bob.ask_json("send", send).await;
    assert_eq!((&again["send_ack"]["seq"], &again["send_ack"]["duplicate"]), (&json!("1"), &json!(true)));
    ann.send(&conversation, "good day").await;
    let event = bob.push_json("event", |push| push["event"]["seq"] == json!("2")).await;
    assert_eq!(event["conversation"], json!(conversation));
    assert_eq!(event["event"]["sender"], json!(ann.user.to_string()));
    assert_eq!(event["event"]["message"], json!({ "kind": 1, "content": "Z29vZCBkYXk=" }));
    let page = bob.ask_json("fetch", json!({ "conversation": conversation, "seq": 0 })).await;
    assert_eq!(page["page"]["events"].as_array().map(Vec::len), Some(2), "{page}");
    server.stop().await;
}

#[tokio::test]
async fn a_refused_field_names_the_nearest_one_and_the_connection_goes_on() {
    let server = Server::start().await;
    let mut socket = server.open().await;
    socket.enters_json("ann").await;
    for (name, request, says) in [
        ("sned", json!({}), "did you mean \"send\"?"),
        (
            "send",
            json!({ "conversatoin": "everyone" }),
            "send.conversatoin: there is no such field; did you mean \"conversation\"?",
        ),
        ("send", json!({ "body": { "kind": "one" } }), "send.body.kind wants a whole number"),
        ("send", json!({ "body": { "kind": 1, "content": "%%" } }), "send.body.content wants base64"),
        ("fetch", json!({ "conversation": 7 }), "fetch.conversation wants a text"),
        ("fetch", json!({ "seq": 1.5 }), "fetch.seq wants a whole number"),
        ("fetch", json!({ "seq": "18446744073709551616" }), "fetch.seq wants a whole number"),
        ("get_users", json!({ "ids": 7 }), "get_users.ids wants an array"),
        ("fetch", json!([]), "fetch wants an object"),
        ("change_group", json!({ "rename": "a", "remove": 1 }), "only one of them"),
    ] {
        let answer = socket.ask_json(name, request.clone()).await;
        let failure = &answer["failure"];
        assert_eq!(failure["code"], json!("bad_request"), "{name} {request}: {answer}");
        assert_eq!(failure["kind"], json!("REJECTED"));
        assert!(failure["text"].as_str().is_some_and(|text| text.contains(says)), "{name} {request}: {failure}");
    }
    assert!(socket.ask_json("ping", json!({ "nonce": "7" })).await["pong"]["nonce"] == json!("7"));
    server.stop().await;
}

#[tokio::test]
async fn deep_json_ends_the_connection_and_nothing_else() {
    let server = Server::start().await;
    let mut socket = server.open().await;
    let deep = "[".repeat(3_000);
    socket.write(&masked(FIN | crate::socket::TEXT, deep.as_bytes())).await;
    let answer = socket.text().await;
    assert_eq!(answer["failure"]["code"], json!("bad_frame"), "{answer}");
    assert_eq!(socket.closed().await.0, 1007);
    assert!(
        server.open().await.ask_json("hello", json!({ "max_version": 1, "min_version": 1 })).await["welcome"]
            .is_object()
    );
    server.stop().await;
}

#[tokio::test]
async fn a_message_that_is_refused_costs_its_bytes() {
    let limits = Limits { user_rate: 1, user_burst: 200, ..Limits::default() };
    let server = Server::over(one_node_with(limits).await).await;
    let mut socket = server.open().await;
    socket.enters_json("ann").await;
    let bomb = json!({ "sned": vec![0; 45_000] });
    let mut limited = 0;
    for _ in 0..8 {
        let mut frame = bomb.clone();
        frame["request_id"] = json!("77");
        socket.tell_json(&frame).await;
        let answer = socket.text().await;
        limited += usize::from(answer["failure"]["code"] == json!("rate_limited"));
    }
    assert!(limited >= 5, "{limited} of 8 were too much");
    server.stop().await;
}

#[tokio::test]
async fn the_reason_of_an_end_is_in_the_last_frame_and_in_the_close_code() {
    let server = Server::start().await;
    let mut first = server.open().await;
    first.enters_json("ann").await;
    let mut second = server.open().await;
    second.enters_json("ann").await;
    let kicked = first.push_json("kicked", |_| true).await;
    assert_eq!(kicked["code"], json!("replaced"));
    assert_eq!(first.closed().await, (1008, "replaced".to_owned()));
    assert!(second.ask_json("logout", json!({})).await["done"].is_object());
    assert_eq!(second.closed().await, (1000, "logged_out".to_owned()));
    let mut third = server.open().await;
    third.enters_json("bob").await;
    server.end_all().await;
    assert_eq!(third.closed().await, (1001, "shutting_down".to_owned()));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_pings_an_idle_connection_and_lets_a_reader_that_stalls_go() {
    let server = Server::start().await;
    let mut idle = server.open().await;
    idle.enters_json("ann").await;
    let within = std::time::Duration::from_secs(30);
    assert!(tokio::time::timeout(within, idle.pinged()).await.expect("a ping in 30 s").is_empty());

    let mut deaf = server.open().await;
    deaf.enters_json("deaf").await;
    let mut loud = server.node.user("loud").await;
    let slow = || server.node.platform.metrics.slow_consumers.get();
    let before = slow();
    let text = "x".repeat(limits::MESSAGE_BYTES);
    for _ in 0..400 {
        loud.send("everyone", &text).await;
        if slow() > before {
            break;
        }
    }
    assert!(slow() > before, "it still takes bytes");
    server.stop().await;
}

#[tokio::test]
async fn a_frame_without_an_end_keeps_no_more_than_a_greeting() {
    let server = Server::start().await;
    let mut socket = server.open().await;
    // Announced within the limit, and never sent in full.
    let whole = masked(FIN | BINARY, &[0; limits::GREETING_FRAME_BYTES]);
    socket.write(&whole[..whole.len() - 1]).await;
    socket.write(&whole[whole.len() - 1..]).await;
    assert_eq!(socket.closed().await.0, 1007);
    let mut socket = server.open().await;
    socket.write_late(&masked(FIN | BINARY, &[0; limits::GREETING_FRAME_BYTES + 1])).await;
    assert_eq!(socket.closed().await.0, 1009);
    let mut socket = server.open().await;
    socket.write(&masked(FIN | CLOSE, &1001u16.to_be_bytes())).await;
    assert_eq!(socket.closed().await.0, 1001);
    server.stop().await;
}

#[tokio::test]
async fn a_node_that_stops_sends_its_websockets_away_and_serves_them_until_they_go() {
    let server = Server::start().await;
    let mut ann = server.open().await;
    ann.enters_json("ann").await;
    let handle = server.node.handle.clone();
    let drain = tokio::spawn(async move { handle.drain(std::time::Duration::from_secs(60)).await });
    ann.push_json("go_away", |_| true).await;
    let id = "AAECAwQFBgcICQoLDA0ODw==";
    let body = json!({ "kind": 1, "content": "aGVsbG8=" });
    let sent = ann.ask_json("send", json!({ "conversation": "everyone", "client_message_id": id, "body": body })).await;
    assert_eq!(sent["send_ack"]["seq"], json!("1"), "{sent}");
    drain.abort();
    server.stop().await;
}
