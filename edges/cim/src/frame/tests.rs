use super::*;

fn between() -> Between {
    Between { sender: UserId(1_025), sender_name: "ann".into(), receiver: UserId(300) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(bytes: &[u8]) -> Result<Option<Frame>, BadFrame> {
    decode(&mut BytesMut::from(bytes))
}

/// The bytes that CIM's own classes write for the same messages.
#[test]
fn frames_have_these_bytes() {
    let login = Frame { text: "ann".into(), user: 1_025, ..Frame::default() };
    assert_eq!(hex(&login.encode_framed()), "080a03616e6e108108");
    let ping = Frame { text: "ping".into(), user: 1_025, command: Command::Ping as i32, ..Frame::default() };
    assert_eq!(hex(&ping.encode_framed()), "0b0a0470696e671081081802");
    assert_eq!(hex(&Frame::pong().encode_framed()), "080a04706f6e671802");
    let properties = concat!(
        "22140a0d726563656976655573657249641203333030",
        "22120a0a73656e645573657249641204",
        "31303235",
        "22130a0c73656e64557365724e616d651203616e6e",
    );
    let message = Frame::message(&between(), "hi".into()).encode_framed();
    assert_eq!(hex(&message), format!("480a02686910ac021801{properties}"));
    let offline = Frame::offline(&between(), vec!["one".into(), "two".into()]).encode_framed();
    assert_eq!(hex(&offline), format!("4e10ac021803{properties}2a036f6e652a0374776f"));
}

#[test]
fn a_frame_is_read_when_all_of_it_has_come() {
    let sent = Frame { text: "x".repeat(300), user: 7, ..Frame::default() };
    let bytes = sent.encode_framed();
    assert_eq!(bytes[0] & 0x80, 0x80, "a length of two bytes");
    for come in 0..bytes.len() {
        assert_eq!(read(&bytes[..come]), Ok(None), "{come}");
    }
    let mut two = BytesMut::from([bytes.as_ref(), bytes.as_ref()].concat().as_slice());
    assert_eq!(decode(&mut two), Ok(Some(sent.clone())));
    assert_eq!(decode(&mut two), Ok(Some(sent)));
    assert_eq!(decode(&mut two), Ok(None));
}

#[test]
fn an_empty_frame_is_a_login_of_nobody() {
    assert_eq!(read(&[0]), Ok(Some(Frame::default())));
}

#[test]
fn no_length_reserves_memory_and_no_bytes_panic() {
    let cap = (CAP as u32 + 1).to_le_bytes();
    let above = [cap[0] | 0x80, (CAP >> 7) as u8];
    assert_eq!(read(&above), Err(BadFrame));
    for bytes in [&[0xff, 0xff, 0xff, 0xff, 0x7f][..], &[0x80; 5], &[0x80; 10], &[0xff; 64], b"GET / HTTP/1.1\r\n\r\n"]
    {
        assert!(matches!(read(bytes), Err(BadFrame) | Ok(None)), "{bytes:?}");
    }
    // Every payload of a few bytes.
    for first in 0..=255u8 {
        for second in 0..=255u8 {
            let _ = read(&[2, first, second]);
            let _ = read(&[4, first, second, 0xff, 0xff]);
        }
    }
    // A text that is no UTF-8.
    assert_eq!(read(&[3, 0x0a, 1, 0xff]), Err(BadFrame));
}
