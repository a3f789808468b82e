//! Cases of RFC 6455 by section, each on a connection of its own over a raw socket.

use serde_json::json;

use crate::server::Server;
use crate::socket::{BINARY, CLOSE, FIN, PING, PONG, Socket, TEXT, masked};

/// The end of a case.
enum Ends {
    /// The server closes with this code.
    Closes(u16),
    /// The server answers with this frame, and the connection goes on.
    Answers(u8, Vec<u8>),
    /// Nothing comes back, and the connection goes on.
    GoesOn,
}
use Ends::{Answers, Closes, GoesOn};

/// A ping in JSON, which works before the login once hello was said.
fn hello() -> Vec<u8> {
    json!({ "request_id": "1", "hello": { "min_version": 1, "max_version": 1 } }).to_string().into_bytes()
}

/// A head without its payload: length in `form` bytes, and a mask.
fn head(first: u8, second: u8, length: &[u8]) -> Vec<u8> {
    [&[first, second][..], length, &[1, 2, 3, 4]].concat()
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    masked(FIN | CLOSE, &[&code.to_be_bytes()[..], reason].concat())
}

fn cases() -> Vec<(&'static str, Vec<u8>, Ends)> {
    let long = vec![b' '; 70_000];
    let unmasked = vec![FIN | TEXT, 2, b'h', b'i'];
    vec![
        ("5.1 a frame without a mask", unmasked, Closes(1002)),
        ("5.2 RSV1", masked(FIN | 0x40 | TEXT, b"x"), Closes(1002)),
        ("5.2 RSV2", masked(FIN | 0x20 | TEXT, b"x"), Closes(1002)),
        ("5.2 RSV3", masked(FIN | 0x10 | TEXT, b"x"), Closes(1002)),
        ("5.2 opcode 3", masked(FIN | 0x3, b"x"), Closes(1002)),
        ("5.2 opcode 7", masked(FIN | 0x7, b"x"), Closes(1002)),
        ("5.2 opcode 11", masked(FIN | 0xb, b"x"), Closes(1002)),
        ("5.2 opcode 15", masked(FIN | 0xf, b"x"), Closes(1002)),
        ("5.2 125 bytes in two bytes of length", head(FIN | TEXT, 0x80 | 126, &[0, 125]), Closes(1002)),
        ("5.2 65535 in eight", head(FIN | TEXT, 0x80 | 127, &65_535u64.to_be_bytes()), Closes(1002)),
        ("5.2 the highest bit of a length", head(FIN | TEXT, 0x80 | 127, &(1u64 << 63).to_be_bytes()), Closes(1002)),
        ("5.2 a huge length", head(FIN | BINARY, 0x80 | 127, &(1u64 << 40).to_be_bytes()), Closes(1009)),
        ("5.4 a continuation of nothing", masked(FIN, b"x"), Closes(1002)),
        ("5.4 a message in a message", [masked(TEXT, b"{"), masked(FIN | TEXT, b"}")].concat(), Closes(1002)),
        (
            "5.4 fragments above the limit",
            [masked(TEXT, &long[..4_000]), masked(0, &long[..4_000])].concat(),
            Closes(1009),
        ),
        ("5.4 a flood of empty fragments", [masked(TEXT, b""), masked(0, b"").repeat(2_000)].concat(), Closes(1008)),
        (
            "5.4 a ping between fragments",
            [masked(TEXT, &hello()[..9]), masked(FIN | PING, b"?"), masked(FIN, &hello()[9..])].concat(),
            Answers(FIN | PONG, b"?".to_vec()),
        ),
        ("5.5 a long ping", head(FIN | PING, 0x80 | 126, &[0, 126]), Closes(1002)),
        ("5.5 a ping in fragments", masked(PING, b"x"), Closes(1002)),
        ("5.5 a close in fragments", masked(CLOSE, b""), Closes(1002)),
        ("5.5.1 a close", close(1000, b"bye"), Closes(1000)),
        ("5.5.1 a close without a code", masked(FIN | CLOSE, b""), Closes(1000)),
        ("5.5.1 a close of one byte", masked(FIN | CLOSE, b"\x03"), Closes(1002)),
        ("5.5.1 a reason that is not UTF-8", close(1000, b"\xff\xfe"), Closes(1007)),
        ("5.5.2 a ping", masked(FIN | PING, b"are you there"), Answers(FIN | PONG, b"are you there".to_vec())),
        ("5.5.2 an empty ping", masked(FIN | PING, b""), Answers(FIN | PONG, Vec::new())),
        ("5.5.3 a pong that was not asked for", masked(FIN | PONG, b"here"), GoesOn),
        ("5.6 text that is not UTF-8", masked(FIN | TEXT, b"\xc3\x28"), Closes(1007)),
        ("5.6 UTF-8 that ends early", masked(FIN | TEXT, b"{\"\xe2\x82"), Closes(1007)),
        ("5.6 a surrogate", masked(FIN | TEXT, b"\xed\xa0\x80"), Closes(1007)),
        ("5.6 binary that is no frame", masked(FIN | BINARY, b"\xff\xff\xff"), Closes(1007)),
        ("5.6 text that is no JSON", masked(FIN | TEXT, b"hello"), Closes(1007)),
        ("5.6 binary after text", [masked(FIN | TEXT, &hello()), masked(FIN | BINARY, b"x")].concat(), Closes(1003)),
        ("7.4.1 code 0", close(0, b""), Closes(1002)),
        ("7.4.1 code 999", close(999, b""), Closes(1002)),
        ("7.4.1 code 1004", close(1004, b""), Closes(1002)),
        ("7.4.1 code 1005", close(1005, b""), Closes(1002)),
        ("7.4.1 code 1006", close(1006, b""), Closes(1002)),
        ("7.4.1 code 1015", close(1015, b""), Closes(1002)),
        ("7.4.2 code 2999", close(2999, b""), Closes(1002)),
        ("7.4.2 code 3000", close(3000, b""), Closes(3000)),
        ("7.4.2 code 4999", close(4999, b"mine"), Closes(4999)),
        ("7.4.2 code 5000", close(5000, b""), Closes(1002)),
        ("10.4 a message above the limit before the login", masked(FIN | TEXT, &long), Closes(1009)),
    ]
}

#[tokio::test]
async fn every_case_ends_as_its_section_says() {
    let server = Server::start().await;
    let mut wrong = Vec::new();
    for (name, bytes, ends) in cases() {
        let mut socket = server.open().await;
        socket.write_late(&bytes).await;
        let outcome = match ends {
            Closes(code) => {
                let (found, reason) = socket.closed().await;
                (found == code).then_some(()).ok_or(format!("closed with {found} ({reason}) instead of {code}"))
            }
            Answers(first, payload) => {
                let found = socket.frame().await;
                let fits = found.as_ref().is_some_and(|(head, bytes)| *head == first && **bytes == payload);
                if fits { works(&mut socket, name).await } else { Err(format!("answered {found:?}")) }
            }
            GoesOn => works(&mut socket, name).await,
        };
        if let Err(why) = outcome {
            wrong.push(format!("{name}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    server.stop().await;
}

/// The connection answers a request, the one of the case itself if it has begun one.
async fn works(socket: &mut Socket, name: &str) -> Result<(), String> {
    if !name.contains("between fragments") {
        socket.write(&masked(FIN | TEXT, &hello())).await;
    }
    let answer = socket.text().await;
    if answer["welcome"].is_object() { Ok(()) } else { Err(format!("does not go on: {answer}")) }
}

#[tokio::test]
async fn a_message_may_come_in_any_pieces() {
    let server = Server::start().await;
    let message = hello();
    // In fragments of every size, and in single bytes of the stream.
    for size in [1, 2, 7, message.len() - 1] {
        let mut socket = server.open().await;
        let parts: Vec<&[u8]> = message.chunks(size).collect();
        for (at, part) in parts.iter().enumerate() {
            let fin = if at + 1 == parts.len() { FIN } else { 0 };
            let op = if at == 0 { TEXT } else { 0 };
            for byte in masked(fin | op, part) {
                socket.write(&[byte]).await;
            }
        }
        assert!(socket.text().await["welcome"].is_object(), "fragments of {size}");
    }
    server.stop().await;
}

#[tokio::test]
async fn frames_right_behind_the_handshake_are_served() {
    let server = Server::start().await;
    let mut socket = Socket::connect(&server).await;
    let mut all = crate::socket::handshake(&server.address, "").into_bytes();
    all.extend(masked(FIN | TEXT, &hello()));
    socket.write(&all).await;
    assert!(socket.asks("").await.starts_with("http/1.1 101 "));
    assert!(socket.text().await["welcome"].is_object());
    server.stop().await;
}
