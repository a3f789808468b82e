//! Every record decodes to itself, and wrong bytes name the fault.

use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;
use troupe_core::{Command, Event};
use troupe_proto::record::{EncodedCommand, RECORD_VERSION, command_bytes};
use troupe_proto::wire::record as wire;
use troupe_proto::{DecodeError, StampedBatch};

use crate::{Kept, values};

fn same<T: Kept + PartialEq + std::fmt::Debug>(value: T) -> Result<(), TestCaseError> {
    let bytes = value.encode();
    let back = T::decode(&bytes);
    prop_assert_eq!(back.as_ref(), Ok(&value));
    prop_assert_eq!(value.encode(), bytes, "one value, one form");
    Ok(())
}

proptest! {
    #[test]
    fn user(value in values::user_row()) { same(value)?; }

    #[test]
    fn session(value in values::session()) { same(value)?; }

    #[test]
    fn inbox_entry(value in values::inbox_entry()) { same(value)?; }

    #[test]
    fn conversation(value in values::conversation_row()) { same(value)?; }

    #[test]
    fn member(value in values::member()) { same(value)?; }

    #[test]
    fn cursor(value in values::cursor()) { same(value)?; }

    #[test]
    fn outbox_row(value in values::outbox_row()) { same(value)?; }

    #[test]
    fn audit_row(value in values::accounts::audit_row()) { same(value)?; }

    #[test]
    fn invite(value in values::accounts::invite()) { same(value)?; }

    #[test]
    fn reservation(value in values::accounts::reservation()) { same(value)?; }

    #[test]
    fn event(value in values::event()) { same(value)?; }

    #[test]
    fn command(value in values::command()) { same(value)?; }

    #[test]
    fn batch(value in values::batch()) { same(value)?; }

    #[test]
    fn sizes_are_encoded_lengths(batch in values::batch()) {
        let commands: Vec<EncodedCommand> = batch.commands.iter().map(EncodedCommand::of).collect();
        prop_assert_eq!(EncodedCommand::batch(batch.now, batch.level, &commands), batch.encode(), "a batch of encoded commands");
        let empty = StampedBatch { commands: Vec::new(), ..batch.clone() };
        let mut bytes = empty.encode().len();
        prop_assert!(bytes <= EncodedCommand::ENVELOPE);
        for (command, encoded) in batch.commands.iter().zip(&commands) {
            prop_assert_eq!(command_bytes(command), encoded.len());
            bytes += encoded.len();
        }
        prop_assert_eq!(bytes, batch.encode().len());
    }
}

fn sealed(message: impl Message) -> Vec<u8> {
    [vec![RECORD_VERSION], message.encode_to_vec()].concat()
}

#[track_caller]
fn wrong_at<T: Kept + std::fmt::Debug>(field: &str, message: impl Message) {
    let error = T::decode(&sealed(message)).expect_err("this must not decode");
    assert_eq!(error.field(), Some(field), "{error}");
}

fn send() -> wire::Send {
    wire::Send {
        conversation: "g77".into(),
        sender: 5,
        client_message_id: Bytes::from_static(&[1; 16]),
        after: Bytes::new(),
        body: Some(wire::Body { kind: 1, content: Bytes::from_static(b"hi"), context: None }),
    }
}

fn sent(send: wire::Send) -> wire::Command {
    wire::Command { command: Some(wire::command::Command::Send(send)) }
}

#[test]
fn a_wrong_field_is_named() {
    assert!(Command::decode(&sealed(sent(send()))).is_ok(), "the sample itself is right");
    wrong_at::<Command>("send.conversation", sent(wire::Send { conversation: "d9-3".into(), ..send() }));
    wrong_at::<Command>("send.conversation", sent(wire::Send { conversation: "g077".into(), ..send() }));
    wrong_at::<Command>("send.client_message_id", sent(wire::Send { client_message_id: Bytes::new(), ..send() }));
    wrong_at::<Command>("send.after", sent(wire::Send { after: Bytes::from_static(&[1; 15]), ..send() }));
    wrong_at::<Command>("send.body", sent(wire::Send { body: None, ..send() }));
    wrong_at::<Command>("command", wire::Command { command: None });
    let append = wire::Append {
        conversation: "g77".into(),
        actor: 5,
        client_message_id: Bytes::from_static(&[1; 16]),
        after: Bytes::new(),
        intent: 5,
        content: Bytes::new(),
    };
    let appended = |append| wire::Command { command: Some(wire::command::Command::Append(append)) };
    assert!(Command::decode(&sealed(appended(append.clone()))).is_ok(), "the sample itself is right");
    wrong_at::<Command>("append.intent", appended(wire::Append { intent: 999, ..append.clone() }));
    let content = Bytes::from_static(&[8]);
    wrong_at::<Command>("append.intent", appended(wire::Append { intent: 4, content, ..append }));
    wrong_at::<StampedBatch>(
        "command",
        wire::StampedBatch { now_ms: 1, commands: vec![wire::Command::default()], level: 0 },
    );
    let event = wire::Event { client_message_id: Bytes::from_static(&[1; 15]), ..Default::default() };
    wrong_at::<Event>("event.client_message_id", event);
}

/// The rules for names have changed and may change again; logs stay readable.
#[test]
fn a_name_that_is_no_longer_allowed_is_still_decoded() {
    for (name, key, found) in [("g49319", "", "g49319"), ("АLICE", "", "аlice"), ("Чайка", "another", "another")]
    {
        let register = wire::Register {
            name: name.into(),
            name_key: key.into(),
            password_hash: "$argon2id$".into(),
            request: Bytes::from_static(&[1; 16]),
        };
        let bytes = sealed(wire::Command { command: Some(wire::command::Command::Register(register)) });
        let Ok(Command::Register(register)) = Command::decode(&bytes) else { panic!("{name} is not decoded") };
        assert_eq!((register.name.as_str(), register.name.key().as_str()), (name, found));
        assert_eq!(Command::Register(register).encode(), bytes, "and encoded as it was");
    }
}

#[test]
fn a_kind_of_a_later_version_is_an_error() {
    // Field 99 of the oneof, an empty message: a new variant in the eyes of an old program.
    let mut bytes = vec![RECORD_VERSION];
    prost::encoding::encode_key(99, prost::encoding::WireType::LengthDelimited, &mut bytes);
    bytes.push(0);
    assert_eq!(Command::decode(&bytes), Err(DecodeError::Missing { field: "command" }));
}

#[test]
fn a_later_format_is_not_guessed_at() {
    let mut bytes = sealed(sent(send()));
    bytes[0] = RECORD_VERSION + 1;
    assert_eq!(Command::decode(&bytes), Err(DecodeError::Version { found: RECORD_VERSION + 1, known: RECORD_VERSION }));
    assert!(Command::decode(&[]).is_err(), "no bytes are no record");
}
