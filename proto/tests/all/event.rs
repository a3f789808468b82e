//! Events of unknown kinds, and unreadable contents.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use prost::encoding::{self, WireType, encode_key, encode_varint};
use troupe_core::form::Record;
use troupe_core::{Body, Event, EventKind};
use troupe_proto::DecodeError;
use troupe_proto::record::RECORD_VERSION;
use troupe_proto::wire::client as wire;

use crate::values;

/// An event of a later version, as its bytes: a kind, and fields of the envelope behind it.
fn later(seq: u64, kind: u32, content: &[u8], envelope: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encoding::uint64::encode(1, &seq, &mut bytes);
    encoding::uint64::encode(2, &1_700_000_000_000, &mut bytes);
    encoding::uint64::encode(3, &1_029, &mut bytes);
    encoding::bytes::encode(4, &vec![7; 16], &mut bytes);
    encoding::bytes::encode(kind, &content.to_vec(), &mut bytes);
    for (field, content) in envelope {
        encoding::bytes::encode(*field, content, &mut bytes);
    }
    bytes
}

fn record(bytes: &[u8]) -> Vec<u8> {
    [&[RECORD_VERSION], bytes].concat()
}

/// The bytes of a generated type for the content of a known kind.
fn generated(kind: &EventKind) -> Option<Vec<u8>> {
    Some(match kind {
        EventKind::Message(body) => wire::Body::from(body).encode_to_vec(),
        EventKind::Created { name } => wire::Created { name: name.clone() }.encode_to_vec(),
        EventKind::Renamed { name } => wire::Renamed { name: name.clone() }.encode_to_vec(),
        EventKind::Added { users } => wire::Added { users: users.iter().map(|user| user.0).collect() }.encode_to_vec(),
        EventKind::Removed { user } => wire::Removed { user: user.0 }.encode_to_vec(),
        EventKind::RoleChanged { user, role } => {
            wire::RoleChanged { user: user.0, role: wire::Role::from(*role).into() }.encode_to_vec()
        }
        EventKind::Edited { to, body } => wire::Edited { to: to.0, body: Some(body.into()) }.encode_to_vec(),
        EventKind::Recalled { to } => wire::Recalled { to: to.0 }.encode_to_vec(),
        EventKind::Vanished { to } => wire::Vanished { to: to.0 }.encode_to_vec(),
        EventKind::StreamEnded { to, body, aborted } => {
            wire::StreamEnded { to: to.0, body: Some(body.into()), aborted: *aborted }.encode_to_vec()
        }
        EventKind::Voted { to, options, removed } => {
            wire::Voted { to: to.0, options: options.clone(), removed: *removed }.encode_to_vec()
        }
        EventKind::PollClosed { to, voters, counts } => {
            wire::PollClosed { to: to.0, voters: *voters, counts: counts.clone() }.encode_to_vec()
        }
        EventKind::Reacted { to, emoji, removed } => {
            wire::Reacted { to: to.0, emoji: emoji.clone(), removed: *removed }.encode_to_vec()
        }
        EventKind::SettingsChanged(settings) => wire::GroupSettings::from(settings.as_ref()).encode_to_vec(),
        EventKind::Muted { user, until } => wire::Muted { user: user.0, until_ms: until.0 }.encode_to_vec(),
        EventKind::Banned { user, lifted } => wire::Banned { user: user.0, lifted: *lifted }.encode_to_vec(),
        EventKind::Transferred { to } => wire::Transferred { to: to.0 }.encode_to_vec(),
        EventKind::Disbanded => wire::Disbanded {}.encode_to_vec(),
        EventKind::LinkMade { hash, uses, expires } => {
            wire::LinkMade { hash: hash.0.to_vec().into(), uses: *uses, expires_ms: expires.0 }.encode_to_vec()
        }
        EventKind::LinkRevoked { link } => wire::LinkRevoked { link: *link }.encode_to_vec(),
        EventKind::Pinned { to, removed } => wire::Pinned { to: to.0, removed: *removed }.encode_to_vec(),
        EventKind::JoinAsked => wire::JoinAsked {}.encode_to_vec(),
        EventKind::JoinClosed { user } => wire::JoinClosed { user: user.0 }.encode_to_vec(),
        EventKind::CallStarted { video, device } => {
            wire::CallStarted { video: *video, device: *device }.encode_to_vec()
        }
        EventKind::CallAnswered { call, device } => {
            wire::CallAnswered { call: call.0, device: *device }.encode_to_vec()
        }
        EventKind::CallEnded { call, caller, video, outcome, lasted_ms } => {
            let (call, caller, outcome) = (call.0, caller.0, wire::CallOutcome::from(*outcome).into());
            wire::CallEnded { call, caller, video: *video, outcome, lasted_ms: *lasted_ms }.encode_to_vec()
        }
        EventKind::Unknown { .. } => return None,
    })
}

proptest! {
    #[test]
    fn any_kind_is_stored_and_passed_on_byte_for_byte(
        seq in 1u64.., kind in 5u32..=999, content in vec(any::<u8>(), 0..80)
    ) {
        let bytes = later(seq, kind, &content, &[]);
        let event = Event::decode(&record(&bytes)).expect("an event");
        prop_assert_eq!((event.seq.0, event.kind.number(), event.kind.content()), (seq, kind, content.into()));
        prop_assert_eq!(event.encode(), record(&bytes), "on disk");
        prop_assert_eq!(wire::Event::from(&event).encode_to_vec(), bytes, "to devices");
    }

    #[test]
    fn what_passes_through_a_push_is_unchanged(
        kind in 5u32..=999, content in vec(any::<u8>(), 0..80),
        envelope in vec((1_002u32..9_999, vec(any::<u8>(), 0..20)), 0..3)
    ) {
        let bytes = later(1, kind, &content, &envelope);
        let push = wire::EventPush { conversation: "everyone".into(), event: wire::Event::decode(&bytes[..]).ok() };
        let push = wire::EventPush::decode(&push.encode_to_vec()[..]).expect("a push");
        prop_assert_eq!(push.event.expect("an event").encode_to_vec(), bytes);
    }

    #[test]
    fn contents_are_what_generated_types_write(event in values::event()) {
        if let Some(content) = generated(&event.kind) {
            prop_assert_eq!(event.kind.content(), content);
        }
    }
}

#[test]
fn fields_of_every_form_stay_in_the_envelope() {
    let mut bytes = later(1, 77, b"?", &[]);
    encoding::uint64::encode(1_500, &300, &mut bytes);
    encoding::fixed32::encode(1_501, &5, &mut bytes);
    encoding::fixed64::encode(1_502, &6, &mut bytes);
    encoding::bytes::encode(1_503, &vec![1, 2], &mut bytes);
    let event = wire::Event::decode(&bytes[..]).expect("an event");
    assert_eq!((event.kind, &event.content[..]), (77, &b"?"[..]));
    assert_eq!(event.encode_to_vec(), bytes);
}

#[test]
fn a_content_that_is_not_understood_is_no_reason_to_lose_a_page() {
    // A role of a later version, and bytes that are no message.
    for content in [&[8, 5, 16, 9][..], &[255]] {
        let good = wire::Event::decode(&later(1, EventKind::MESSAGE, &[8, 1, 18, 1, b'a'], &[])[..]);
        let odd = wire::Event::decode(&later(2, EventKind::ROLE_CHANGED, content, &[])[..]);
        let events = [good, odd].map(|event| event.expect("an event")).to_vec();
        let page = wire::Page { events, head: 2, ..Default::default() };
        let page = wire::Page::decode(&page.encode_to_vec()[..]).expect("a page");
        let kinds: Vec<EventKind> =
            page.events.into_iter().map(|event| Event::try_from(event).expect("an event").kind).collect();
        let odd = EventKind::Unknown { kind: EventKind::ROLE_CHANGED, content: content.to_vec().into() };
        assert_eq!(kinds, [EventKind::Message(Body::text("a")), odd]);
    }
}

#[test]
fn what_a_later_version_adds_to_a_content_is_passed_over_by_readers_and_kept_by_nodes() {
    // A third field in the body of a message.
    let content = [8, 1, 18, 2, b'h', b'i', 24, 9];
    let bytes = later(1, EventKind::MESSAGE, &content, &[]);
    let shown = Event::try_from(wire::Event::decode(&bytes[..]).expect("an event")).expect("an event");
    assert_eq!(shown.kind, EventKind::Message(Body::text("hi")));
    let kept = Event::decode(&record(&bytes)).expect("an event");
    assert_eq!(kept.encode(), record(&bytes));
    assert_eq!(wire::Event::from(&kept).encode_to_vec(), bytes);
}

#[test]
fn an_event_without_a_kind_is_an_event() {
    let id = Bytes::from_static(&[7; 16]);
    let event = wire::Event { seq: 3, client_message_id: id, ..Default::default() };
    let bytes = event.encode_to_vec();
    let event = Event::decode(&record(&bytes)).expect("an event");
    assert_eq!(event.kind, EventKind::Unknown { kind: 0, content: Bytes::new() });
    assert_eq!(event.encode(), record(&bytes));
    // A number where a content belongs is none.
    let mut odd = bytes.clone();
    encode_key(77, WireType::Varint, &mut odd);
    encode_varint(5, &mut odd);
    assert_eq!(Event::decode(&record(&odd)), Ok(event));
}

/// The first version of a row becomes today's value and is written as it was.
#[test]
fn rows_of_every_version_are_read_and_stay_what_they_are() {
    let event = Event::decode(&record(&later(4, EventKind::MESSAGE, &[8, 1, 18, 1, b'a'], &[]))).expect("version 1");
    assert_eq!((event.seal, event.counts_as_unread()), (None, true));
    assert_eq!(event.encode()[0], 1);
    let sealed = event.clone().sealed();
    let bytes = sealed.encode();
    assert_eq!((bytes[0], Event::decode(&bytes)), (2, Ok(sealed.clone())));
    // One chain covers the content and the other the envelope.
    assert_ne!(event.chain(5), sealed.chain(5));
    assert_eq!(Event::VERSION, 2);
    for version in [0, 3, 255] {
        let bytes = [&[version], &bytes[1..]].concat();
        assert_eq!(Event::decode(&bytes), Err(DecodeError::Version { found: version, known: 2 }));
    }
    let unsealed = [&[2], &event.encode()[1..]].concat();
    assert_eq!(Event::decode(&unsealed).map_err(|error| error.field()), Err(Some("event.content_hash")));
}

#[test]
fn a_content_that_was_erased_or_exchanged_says_nothing_and_the_chain_holds() {
    let id = troupe_core::ClientMessageId([7; 16]);
    let (seq, time, sender) = (troupe_core::Seq(1), troupe_core::Timestamp(2), troupe_core::UserId(3));
    let kind = EventKind::Message(Body::text("a secret"));
    let whole = Event { seq, time, sender, client_message_id: id, kind, seal: None }.sealed();
    for content in [&b""[..], &[8, 1, 18, 1, b'a']] {
        let told = wire::Event { content: Bytes::copy_from_slice(content), ..wire::Event::from(&whole) };
        let stored = Event::decode(&[&[2], &told.encode_to_vec()[..]].concat()).expect("an event");
        let shown = Event::try_from(told).expect("an event");
        for event in [stored, shown] {
            let said = EventKind::Unknown { kind: EventKind::MESSAGE, content: content.to_vec().into() };
            assert_eq!((&event.kind, event.seal, event.chain(9)), (&said, whole.seal, whole.chain(9)));
            assert!(event.counts_as_unread() && !event.is_whole());
        }
    }
}

#[test]
fn a_reader_of_a_part_has_no_seal_of_the_whole() {
    let content = [8, 1, 18, 2, b'h', b'i', 24, 9];
    let seal = [(1_001, troupe_core::event::ContentHash::of(&content).0.to_vec())];
    let bytes = later(1, EventKind::MESSAGE, &content, &seal);
    let shown = Event::try_from(wire::Event::decode(&bytes[..]).expect("an event")).expect("an event");
    assert_eq!((&shown.kind, shown.seal), (&EventKind::Message(Body::text("hi")), None));
    // An SDK that keeps it reads it again.
    assert_eq!(Event::try_from(wire::Event::from(&shown)), Ok(shown));
    let kept = Event::decode(&[&[2], &bytes[..]].concat()).expect("an event");
    assert_eq!(kept.encode(), [&[2], &bytes[..]].concat());
    assert!(kept.is_whole());
}
