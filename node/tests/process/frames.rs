//! Oversized, malformed, truncated and missing frames on the client port. Other clients notice
//! nothing.

use std::time::Duration;

use tokio::time::interval;
use troupe_core::limits;
use troupe_proto::wire::client as wire;
use troupe_proto::wire::client::client_frame::Request as Ask;

use crate::person::Person;
use crate::server::{Server, within};
use crate::wire::{ServerMessage, Wire, announced, frame};

/// Of each kind of connection that says half a thing.
const CROWD: usize = 20;

/// The beginning of TLS: a frame without end to a connection that speaks frames already.
const HALF_HANDSHAKE: &str = "half a handshake";
/// The port serves HTTP too, to a connection that begins with it.
const HTTP: &str = "HTTP";

fn ping() -> Vec<u8> {
    frame(9, Ask::Ping(wire::Ping { nonce: 9 }))
}

/// Looks random and is the same every time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .flatten()
    .take(length)
    .collect()
}

fn bad_frames() -> Vec<(&'static str, Vec<u8>)> {
    let over = limits::FRAME_BYTES + 1;
    vec![
        ("a length above the limit", announced(over, &[])),
        ("the largest length there is", announced(u32::MAX as usize, &[])),
        ("a frame above the limit, whole", announced(over, &vec![1; over])),
        ("more than one read of it", announced(8 * over, &vec![1; 8 * over])),
        ("no length at all", announced(0, &[])),
        ("a frame that is no message", announced(3, &[0xff; 3])),
        ("a field that is cut off", announced(4, &[0x12, 0x7f, 8, 1])),
        ("the largest frame allowed, of noise", announced(limits::FRAME_BYTES, &noise(limits::FRAME_BYTES))),
        ("noise", noise(256 * 1024)),
        (HTTP, b"GET /nothing HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".to_vec()),
        (HALF_HANDSHAKE, vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
        ("a good frame and a bad one behind it", [ping(), announced(3, &[0xff; 3])].concat()),
    ]
}

async fn talk(ann: &mut Person, bob: &mut Person, text: &str) {
    ann.send("everyone", text).await.expect("sent");
    bob.hears(text).await;
}

#[tokio::test]
async fn a_bad_frame_ends_its_own_connection_with_a_word_and_no_other() {
    let mut server = Server::started(1).await;
    let (mut ann, mut bob) = (server.person("ann").await, server.person("bob").await);
    let processes = server.processes();
    let address = server.addresses().client.clone();
    for (what, bytes) in bad_frames() {
        let stranger = Wire::open(&address).await;
        let user = Wire::logged_in(&address, "ann", "laptop").await;
        for (who, mut wire) in [("a stranger", stranger), ("a user", user)] {
            wire.write(&bytes).await;
            if what == HTTP && who == "a stranger" {
                let answer = wire.rest().await;
                assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
                continue;
            }
            let last = wire.end().await;
            // A handshake that comes to nothing ends with the time to log in: nothing was agreed to
            // say a word in.
            if what == HALF_HANDSHAKE && who == "a stranger" {
                assert_eq!(last, None);
                continue;
            }
            let Some(ServerMessage::Failure(failure)) = last else { panic!("{what} of {who} ended with {last:?}") };
            assert_eq!(failure.code, "bad_frame", "{what} of {who}");
            assert!(failure.text.contains("the connection is closed"), "{}", failure.text);
        }
        talk(&mut ann, &mut bob, what).await;
    }
    server.keeps_connections(2).await;
    server.is_well().await;
    assert_eq!(server.processes(), processes);
}

#[tokio::test]
async fn half_a_frame_and_the_end_of_the_connection_harm_nobody() {
    let mut server = Server::started(1).await;
    let (mut ann, mut bob) = (server.person("ann").await, server.person("bob").await);
    let processes = server.processes();
    let address = server.addresses().client.clone();
    let whole = ping();
    for cut in 1..whole.len() {
        // Gone at once; gone for writing only; and the same of somebody who is known.
        Wire::open(&address).await.write(&whole[..cut]).await;
        let mut half_closed = Wire::open(&address).await;
        half_closed.write(&whole[..cut]).await;
        half_closed.finish().await;
        assert_eq!(half_closed.end().await, None);
    }
    for cut in [2, 4, 5] {
        let mut known = Wire::logged_in(&address, "bob", "laptop").await;
        known.write(&announced(limits::FRAME_BYTES, &noise(10_000))[..cut]).await;
    }
    talk(&mut ann, &mut bob, "did you hear something?").await;
    server.keeps_connections(2).await;
    server.is_well().await;
    assert_eq!(server.processes(), processes);
}

#[tokio::test]
async fn who_does_not_come_to_the_point_is_sent_away_after_the_time_to_log_in() {
    let mut server = Server::started(1).await;
    let (mut ann, mut bob) = (server.person("ann").await, server.person("bob").await);
    let address = server.addresses().client.clone();
    let half = announced(limits::GREETING_FRAME_BYTES, &noise(3_000));
    let hello = frame(1, Ask::Hello(wire::Hello { min_version: 1, max_version: 1, client: "test".into() }));
    let mut waiting = Vec::new();
    for _ in 0..CROWD {
        for said in [&[][..], &half[..2], &half, &hello] {
            let mut wire = Wire::open(&address).await;
            wire.write(said).await;
            waiting.push(wire);
        }
    }
    // One byte now and then is not a login either.
    let mut dripping = Wire::open(&address).await;
    talk(&mut ann, &mut bob, "it is crowded here").await;
    let drip = async {
        let mut bytes = half.iter();
        let mut clock = interval(Duration::from_millis(200));
        let mut last = None;
        loop {
            tokio::select! {
                said = dripping.read() => match said {
                    Some(said) => last = Some(said),
                    None => return last,
                },
                _ = clock.tick() => {
                    let byte = bytes.next().expect("it lasts for half an hour");
                    dripping.write(&[*byte]).await;
                }
            }
        }
    };
    let mut ends = vec![within(drip).await];
    for mut wire in waiting {
        ends.push(wire.end().await);
    }
    for end in ends {
        let Some(ServerMessage::Kicked(kicked)) = end else { panic!("ended with {end:?}") };
        assert_eq!(kicked.code, "no_login");
        assert!(kicked.text.contains("connect again"), "{}", kicked.text);
    }
    talk(&mut ann, &mut bob, "now it is quiet").await;
    server.keeps_connections(2).await;
    server.is_well().await;
}
