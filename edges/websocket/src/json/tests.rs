use prost::Message as _;
use troupe_actors::message::wire::client_frame::Request;
use troupe_actors::message::wire::server_frame::Message;

use super::*;

fn said(request_id: u64, message: Message) -> Value {
    let frame = wire::ServerFrame { request_id, message: Some(message) };
    serde_json::from_str(&answer(frame.encode_to_vec().into())).expect("JSON")
}

fn refused(text: &str) -> (u64, String) {
    match request(text) {
        Err(Unreadable::Refused { request_id, text }) => (request_id, text),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn a_request_is_read_by_the_names_of_the_file() {
    let frame = request(
        r#"{"request_id":"12","send":{"conversation":"g1","client_message_id":"AAECAwQFBgcICQoLDA0ODw==","after":null,
           "body":{"kind":1,"content":"aGk="}}}"#,
    );
    let body = Some(wire::Body { kind: 1, content: Bytes::from_static(b"hi"), context: None });
    let id = Bytes::from_static(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    let send = wire::Send { conversation: "g1".into(), client_message_id: id, after: Bytes::new(), body };
    assert_eq!(frame, Ok(wire::ClientFrame { request_id: 12, request: Some(Request::Send(send)) }));
    let role = request(r#"{"request_id":1,"change_group":{"set_role":{"user":"9007199254740991","role":"ADMIN"}}}"#);
    let Ok(wire::ClientFrame { request: Some(Request::ChangeGroup(change)), .. }) = role else { panic!("{role:?}") };
    let set = wire::RoleChanged { user: (1 << 53) - 1, role: wire::Role::Admin.into() };
    assert_eq!(change.change, Some(wire::change_group::Change::SetRole(set)));
}

#[test]
fn a_refusal_has_the_number_of_the_request_and_the_place() {
    assert_eq!(
        refused(r#"{"request_id":3,"sned":{}}"#),
        (3, "sned: there is no such field; did you mean \"send\"?".into())
    );
    assert_eq!(refused(r#"{"request_id":"4","send":{"body":7}}"#), (4, "send.body wants an object".into()));
    assert_eq!(refused("[]"), (0, "a frame wants an object".into()));
    let far = refused(r#"{"request_id":5,"fetch":{"zzzzzzzzzzzz":1}}"#).1;
    assert!(far.ends_with("there are conversation, seq, backward, limit"), "{far}");
    let two = refused(r#"{"request_id":6,"ping":{},"pong":{}}"#).1;
    assert!(two.contains("only one of them"), "{two}");
    let long = format!(r#"{{"request_id":7,"{}":1}}"#, "x".repeat(100_000));
    assert!(refused(&long).1.len() < 1_000);
    assert_eq!(request("{"), Err(Unreadable::NoJson));
    assert_eq!(request(&"[".repeat(50_000)), Err(Unreadable::NoJson));
}

#[test]
fn answers_have_texts_for_numbers_of_64_bits_and_base64_for_bytes() {
    let ack = wire::SendAck {
        client_message_id: Bytes::from_static(&[255; 16]),
        seq: u64::MAX,
        time_ms: 5,
        duplicate: false,
        conversation: "everyone".into(),
    };
    let expected = json!({ "request_id": "9", "send_ack": {
        "client_message_id": "/////////////////////w==", "seq": "18446744073709551615", "time_ms": "5",
        "conversation": "everyone",
    } });
    assert_eq!(said(9, Message::SendAck(ack)), expected);
    let failure = wire::Failure {
        kind: wire::failure::Kind::FailedPrecondition.into(),
        code: "out_of_order".into(),
        text: "again".into(),
        retry_after_ms: 70,
    };
    let failure = said(1, Message::Failure(failure));
    assert_eq!(failure["failure"]["kind"], json!("FAILED_PRECONDITION"));
    assert_eq!(failure["failure"]["retry_after_ms"], json!(70));
}

#[test]
fn an_event_of_a_later_kind_keeps_its_content() {
    let event =
        wire::Event { seq: 3, sender: 7, kind: 77, content: Bytes::from_static(b"later"), ..Default::default() };
    let push = wire::EventPush { conversation: "g1".into(), event: Some(event) };
    let pushed = said(0, Message::Event(push));
    let expected = json!({ "seq": "3", "sender": "7", "unknown": { "kind": 77, "content": "bGF0ZXI=" } });
    assert_eq!(pushed, json!({ "event": { "conversation": "g1", "event": expected } }));
}

/// Every answer of the file is written, and every request of it can be read.
#[test]
fn every_frame_of_the_file_has_a_form() {
    let (client, server) = &*FRAMES;
    for field in client.fields().filter(|field| field.name() != "request_id") {
        let text = json!({ "request_id": 1, field.name(): {} }).to_string();
        let frame = request(&text).unwrap_or_else(|error| panic!("{}: {error:?}", field.name()));
        assert_eq!(frame.request.as_ref().map(troupe_actors::ops::name), Some(field.name()));
    }
    for field in server.fields().filter(|field| field.name() != "request_id") {
        let mut frame = DynamicMessage::new(server.clone());
        let kind = field.kind();
        let message = kind.as_message().expect("answers are messages");
        frame.set_field(&field, prost_reflect::Value::Message(DynamicMessage::new(message.clone())));
        let written = answer(frame.encode_to_vec().into());
        assert_eq!(written, json!({ field.name(): {} }).to_string());
    }
}
