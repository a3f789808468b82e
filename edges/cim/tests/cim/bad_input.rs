//! Bad requests get an answer that says what is wrong, never a 500, and nothing is lost.

use serde_json::json;
use troupe_edge_cim::frame::{CAP, Command, Frame};

use crate::harness::{HERE, one_node};

#[tokio::test]
async fn a_bad_request_is_answered_with_the_reason() {
    let node = one_node().await;
    let ann = node.client("ann").await;
    let deep = "[".repeat(10_000);
    let many = json!({ "userId": ann.user, "receiveUserId": 1, "batchMsg": vec!["x"; 101] }).to_string();
    let long = json!({ "userId": ann.user, "msg": "x".repeat(65 * 1024) }).to_string();
    let unknown = json!({ "userId": ann.user, "receiveUserId": 1_747_309_836_375u64, "msg": "x" }).to_string();
    let own = json!({ "userId": ann.user, "receiveUserId": ann.user, "msg": "x" }).to_string();
    let silent = json!({ "userId": ann.user, "receiveUserId": 1 }).to_string();
    let ping = json!({ "userId": 1, "msg": "x", "cmd": "PING", "properties": { "sendUserId": ann.user } }).to_string();
    for (method, path, body, status, reason) in [
        ("POST", "/login", "", 400, "EOF while parsing"),
        ("POST", "/login", "{", 400, "EOF while parsing"),
        ("POST", "/login", "[]", 400, "invalid"),
        ("POST", "/login", deep.as_str(), 400, "invalid type"),
        ("POST", "/login", r#"{"userId":1}"#, 400, "missing field `userName`"),
        ("POST", "/login", r#"{"userId":-1,"userName":"ann"}"#, 400, "the id of a user"),
        ("POST", "/login", r#"{"userId":1e99,"userName":"ann"}"#, 400, "the id of a user"),
        ("POST", "/login", r#"{"userId":1,"userName":7}"#, 400, "a string"),
        ("POST", "/registerAccount", r#"{"userName":"a b"}"#, 400, "a name has letters"),
        ("POST", "/registerAccount", r#"{"userName":"admin"}"#, 400, "choose another"),
        ("POST", "/registerAccount", r#"{"userName":"12345"}"#, 400, "a number is an id"),
        ("POST", "/p2pRoute", many.as_str(), 400, "at most 100"),
        ("POST", "/p2pRoute", unknown.as_str(), 400, "no user has the id"),
        ("POST", "/p2pRoute", own.as_str(), 400, "is the sender"),
        ("POST", "/p2pRoute", silent.as_str(), 400, "msg is missing"),
        ("POST", "/groupRoute", long.as_str(), 400, "64 KiB"),
        ("POST", "/sendMsg", r#"{"userId":1,"msg":"x"}"#, 400, "sendUserId is missing"),
        ("POST", "/sendMsg", ping.as_str(), 400, "cmd wants"),
        ("GET", "/login", "", 405, "wants POST"),
        ("POST", "/onlineUser", "{}", 405, "wants GET"),
        ("POST", "/nothing", "{}", 404, "no such path"),
        ("GET", "/", "", 404, "no such path"),
    ] {
        let (answered, text) = node.ask(HERE, method, path, body).await;
        assert_eq!(answered, status, "{method} {path} {body:.80}: {text}");
        let answer: serde_json::Value = serde_json::from_str(&text).expect("an envelope");
        let message = answer["message"].as_str().expect("a message");
        assert!(message.contains(reason) && answer["code"] != "9000", "{method} {path}: {message}");
    }
    node.stop().await;
}

#[tokio::test]
async fn only_json_of_a_program_comes_in_and_bodies_are_bounded() {
    let node = one_node().await;
    let head = |lines: &str| format!("POST /registerAccount HTTP/1.1\r\nhost: cim\r\nconnection: close\r\n{lines}\r\n");
    let json = "content-type: application/json\r\n";
    for (request, status) in [
        (head("content-type: text/plain\r\ncontent-length: 2\r\n") + "{}", 415),
        (head("content-length: 2\r\n") + "{}", 415),
        (head(&format!("{json}origin: http://127.0.0.1:8083\r\ncontent-length: 2\r\n")) + "{}", 403),
        (head(&format!("{json}sec-fetch-site: same-origin\r\ncontent-length: 2\r\n")) + "{}", 403),
        (head(&format!("{json}content-length: 1000000\r\n")) + &"x".repeat(1_000_000), 413),
        (head(&format!("{json}x: {}\r\n", "y".repeat(20_000))), 431),
        (head(&format!("{json}content-length: 2\r\ncontent-length: 3\r\n")) + "{}", 400),
        ("NONSENSE\r\n\r\n".to_owned(), 400),
    ] {
        let answered = node.raw(HERE, request.as_bytes()).await.0;
        assert_eq!(answered, status, "{request:.150}");
    }
    // The node goes on.
    node.register("ann").await;
    node.stop().await;
}

#[tokio::test]
async fn what_is_no_frame_ends_the_channel_and_nothing_else() {
    let node = one_node().await;
    let mut bob = node.client("bob").await;
    for (number, bytes) in [
        vec![0xff; 32],
        vec![0x80; 5],
        vec![(CAP >> 7) as u8 | 0x80, 0x7f],
        vec![3, 0x0a, 1, 0xff],
        b"\x05GET /".to_vec(),
    ]
    .into_iter()
    .enumerate()
    {
        let mut ann = node.client(&format!("ann{number}")).await;
        ann.write(&bytes).await;
        ann.ends().await;
    }
    // As with CIM, a client's other frames are ignored.
    for command in [Command::Message, Command::Offline, Command::LoginRequest] {
        let user = bob.user as i64;
        bob.send(&Frame { user, command: command as i32, text: "bob".into(), ..Frame::default() }).await;
    }
    bob.send(&Frame { command: 77, ..Frame::default() }).await;
    bob.is_quiet().await;
    node.stop().await;
}
