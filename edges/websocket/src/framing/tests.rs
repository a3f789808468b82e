use super::*;

fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | 126, 0, 0, 0, 0, 0, 0];
    if payload.len() < 126 {
        frame = vec![first, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    } else {
        frame[2..4].copy_from_slice(&(payload.len() as u16).to_be_bytes());
    }
    frame.extend_from_slice(payload);
    frame
}

fn read_all(messages: &mut Messages, bytes: &[u8]) -> Vec<String> {
    let mut received = BytesMut::from(bytes);
    let mut heard = Vec::new();
    loop {
        heard.push(match messages.next(&mut received, Stage::LoggedIn) {
            Ok(None) => return heard,
            Ok(Some(Heard::Frame(frame))) => format!("request {}", frame.request_id),
            Ok(Some(Heard::Refused { request_id, .. })) => format!("refused {request_id}"),
            Ok(Some(Heard::Speaks(form))) => format!("{:?}", form.kind()),
            Ok(Some(Heard::Beat(answer))) => format!("beat {}", answer.is_some()),
            Ok(Some(Heard::Closed(_))) => "closed".to_owned(),
            Err(broken) => {
                heard.push(format!("broken {}", u16::from_be_bytes([broken.goodbye[2], broken.goodbye[3]])));
                return heard;
            }
        });
    }
}

#[test]
fn the_first_message_decides_the_form() {
    let text = masked(0x81, br#"{"request_id":7,"ping":{}}"#);
    let binary = masked(0x82, &wire::ClientFrame { request_id: 8, request: None }.encode_to_vec());
    assert_eq!(read_all(&mut Messages::default(), &text), ["WebSocketJson", "request 7"]);
    assert_eq!(read_all(&mut Messages::default(), &binary), ["WebSocket", "request 8"]);
    let both = [text, binary].concat();
    assert_eq!(read_all(&mut Messages::default(), &both), ["WebSocketJson", "request 7", "broken 1003"]);
}

#[test]
fn an_idle_reader_keeps_no_memory() {
    assert!(size_of::<Messages>() <= 160, "{}", size_of::<Messages>());
    let mut messages = Messages::default();
    let long = format!(r#"{{"request_id":1,"find_users":{{"prefix":"{}"}}}}"#, "x".repeat(20_000));
    let parts = [masked(0x01, &long.as_bytes()[..9_000]), masked(0x80, &long.as_bytes()[9_000..])].concat();
    assert_eq!(read_all(&mut messages, &parts), ["WebSocketJson", "request 1"]);
    assert!(messages.begun.is_none() && messages.held.is_none() && messages.head.is_none());
}

/// Every prefix of a stream of good and bad frames, and every single changed byte: no panic, and no
/// more than one end.
#[test]
fn no_bytes_make_it_panic() {
    let good = [
        masked(0x01, br#"{"request_id":"1","#),
        masked(0x89, b"?"),
        masked(0x80, br#""hello":{}}"#),
        masked(0x88, &[3, 232]),
    ]
    .concat();
    for at in 0..good.len() {
        read_all(&mut Messages::default(), &good[..at]);
        for bit in 0..8 {
            let mut changed = good.clone();
            changed[at] ^= 1 << bit;
            read_all(&mut Messages::default(), &changed);
        }
    }
}
