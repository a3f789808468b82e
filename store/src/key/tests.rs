//! Keys come back as they were, sort as what they say, and strangers' bytes are refused.

use proptest::prelude::*;
use troupe_core::record::{AuditKey, InviteId, OutboxKey};
use troupe_core::{ConversationId, DeviceId, Timestamp, fold};

use super::*;

fn slot() -> impl Strategy<Value = Slot> {
    (0..SLOTS).prop_map(Slot)
}

fn user() -> impl Strategy<Value = UserId> {
    prop_oneof![1u64..50_000, Just(1024), Just((1 << 53) - 1)].prop_map(UserId)
}

fn conversation() -> impl Strategy<Value = ConversationId> {
    prop_oneof![
        Just(ConversationId::Everyone),
        (1u64..2_000).prop_map(|id| ConversationId::Group(GroupId(id))),
        (1u64..2_000, 1u64..2_000).prop_filter_map("two users", |(a, b)| ConversationId::direct(UserId(a), UserId(b))),
    ]
}

fn message_id() -> impl Strategy<Value = ClientMessageId> {
    any::<[u8; 16]>().prop_map(ClientMessageId)
}

fn device() -> impl Strategy<Value = DeviceId> {
    "[!-~]{1,64}".prop_map(|text| DeviceId::new(&text).expect("printable and short"))
}

fn seq() -> impl Strategy<Value = Seq> {
    prop_oneof![0u64..300, any::<u64>()].prop_map(Seq)
}

fn users_key() -> impl Strategy<Value = UsersKey> {
    prop_oneof![
        slot().prop_map(UsersKey::Counter),
        slot().prop_map(UsersKey::Restored),
        (user(), conversation()).prop_map(|(u, c)| UsersKey::Inbox(u, c)),
        (user(), conversation()).prop_map(|(u, c)| UsersKey::Invitation(u, c)),
        (user(), user()).prop_map(|(u, other)| UsersKey::Known(u, other)),
        (slot(), "\\PC{3,32}").prop_map(|(slot, name)| UsersKey::Name { slot, folded: fold(&name) }),
        (user(), device()).prop_map(|(u, d)| UsersKey::Session(u, d)),
        user().prop_map(UsersKey::User),
        (slot(), seq(), any::<u64>())
            .prop_map(|(slot, time, number)| { UsersKey::Audit(AuditKey { slot, time: Timestamp(time.0), number }) }),
        any::<u64>().prop_map(|id| UsersKey::Invite(InviteId(id))),
        (any::<u64>(), message_id()).prop_map(|(id, request)| UsersKey::Reservation(InviteId(id), request)),
    ]
}

fn conversations_key() -> impl Strategy<Value = ConversationsKey> {
    prop_oneof![
        conversation().prop_map(ConversationsKey::Conversation),
        (conversation(), user(), message_id()).prop_map(|(c, u, id)| ConversationsKey::Placed(c, u, id)),
        (slot(), user(), message_id()).prop_map(|(s, u, id)| ConversationsKey::Request(s, u, id)),
        (conversation(), user()).prop_map(|(c, u)| ConversationsKey::Member(c, u)),
        outbox_key().prop_map(ConversationsKey::Outbox),
        conversation().prop_map(ConversationsKey::Kept),
        (conversation(), user()).prop_map(|(c, u)| ConversationsKey::Cursor(c, u)),
        (conversation(), user(), seq()).prop_map(|(c, u, s)| ConversationsKey::Numbered(c, u, s)),
    ]
}

fn outbox_key() -> impl Strategy<Value = OutboxKey> {
    (slot(), conversation(), seq(), user()).prop_map(|(slot, conversation, version, user)| OutboxKey {
        slot,
        conversation,
        version,
        user,
    })
}

fn event_key() -> impl Strategy<Value = EventKey> {
    (conversation(), seq()).prop_map(|(conversation, seq)| EventKey { conversation, seq })
}

proptest! {
    #[test]
    fn users_keys_round_trip(key in users_key()) {
        prop_assert_eq!(UsersKey::decode(&key.encode()), Some(key));
    }

    #[test]
    fn conversations_keys_round_trip(key in conversations_key()) {
        prop_assert_eq!(ConversationsKey::decode(&key.encode()), Some(key));
    }

    #[test]
    fn event_and_raft_keys_round_trip(event in event_key(), group: u32, index: u64, what in 0usize..What::ALL.len()) {
        prop_assert_eq!(EventKey::decode(&event.encode()), Some(event));
        let log = RaftLogKey { group, index };
        prop_assert_eq!(RaftLogKey::decode(&log.encode()), Some(log));
        let meta = RaftMetaKey { group, what: What::ALL[what] };
        prop_assert_eq!(RaftMetaKey::decode(&meta.encode()), Some(meta));
        let (from, to) = raft::group_range(group);
        prop_assert!(from <= log.encode() && log.encode() < to);
        prop_assert!(from <= meta.encode() && meta.encode() < to);
    }

    /// Whatever decodes is the one encoding of what it says; nothing panics.
    #[test]
    fn decoding_is_strict(mut bytes in proptest::collection::vec(any::<u8>(), 0..60), tag in "[acdgimnorsu]") {
        if let Some(byte) = bytes.get_mut(2) {
            *byte = tag.as_bytes()[0];
        }
        if let Some(byte) = bytes.first_mut() {
            *byte &= 3;
        }
        if let Some(key) = UsersKey::decode(&bytes) {
            prop_assert_eq!(key.encode(), bytes.clone());
        }
        if let Some(key) = ConversationsKey::decode(&bytes) {
            prop_assert_eq!(key.encode(), bytes.clone());
        }
        if let Some(key) = EventKey::decode(&bytes) {
            prop_assert_eq!(key.encode(), bytes.clone());
        }
    }

    #[test]
    fn bent_keys_are_refused_or_say_something_else(key in conversations_key(), at in 0usize..60, bit in 0u8..8) {
        let mut bytes = key.encode();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        prop_assert_ne!(ConversationsKey::decode(&bytes), Some(key.clone()));
        bytes[at] ^= 1 << bit;
        bytes.push(0);
        prop_assert_eq!(ConversationsKey::decode(&bytes), None);
    }

    /// Within a conversation, or a user, or a slot, the order of bytes is the order of what the
    /// keys say.
    #[test]
    fn keys_sort_as_what_they_say(
        c in conversation(), u in user(), s in slot(),
        (users_a, users_b) in (user(), user()), (seq_a, seq_b) in (seq(), seq()),
        (device_a, device_b) in (device(), device()), (conv_a, conv_b) in (conversation(), conversation()),
        (name_a, name_b) in ("\\PC{3,32}", "\\PC{3,32}"), (mut out_a, mut out_b) in (outbox_key(), outbox_key()),
    ) {
        let event = |seq| EventKey { conversation: c, seq }.encode();
        prop_assert_eq!(event(seq_a).cmp(&event(seq_b)), seq_a.cmp(&seq_b));
        let member = |user| ConversationsKey::Member(c, user).encode();
        prop_assert_eq!(member(users_a).cmp(&member(users_b)), users_a.cmp(&users_b));
        let session = |device: &DeviceId| users::session(u, device);
        prop_assert_eq!(session(&device_a).cmp(&session(&device_b)), device_a.cmp(&device_b));
        let inbox = |conversation| UsersKey::Inbox(u, conversation).encode();
        prop_assert_eq!(inbox(conv_a).cmp(&inbox(conv_b)), conv_a.cmp(&conv_b));
        prop_assert_eq!(users::name(s, &name_a).cmp(&users::name(s, &name_b)), name_a.cmp(&name_b));
        out_a.slot = s;
        out_b.slot = s;
        let outbox = |key: &OutboxKey| ConversationsKey::Outbox(key.clone()).encode();
        prop_assert_eq!(outbox(&out_a).cmp(&outbox(&out_b)), out_a.cmp(&out_b));
    }

    /// No conversation's prefix covers a key of another; a range of slots covers exactly its slots.
    #[test]
    fn prefixes_are_exact(a in event_key(), b in event_key(), from in 0..SLOTS, to in 0..=SLOTS) {
        prop_assert_eq!(b.encode().starts_with(&events::events_of(a.conversation)), a.conversation == b.conversation);
        let member = ConversationsKey::Member(b.conversation, UserId(7)).encode();
        prop_assert_eq!(
            member.starts_with(&conversations::members_of(a.conversation)),
            a.conversation == b.conversation
        );
        let (first, last) = slot_range(from, to);
        let inside = (from..to).contains(&a.conversation.slot().0);
        let key = a.encode();
        prop_assert_eq!(first <= key && key < last, inside);
    }

    #[test]
    fn after_prefix_is_the_first_key_outside(
        prefix in proptest::collection::vec(prop_oneof![Just(u8::MAX), any::<u8>()], 0..6),
        other in proptest::collection::vec(prop_oneof![Just(u8::MAX), any::<u8>()], 0..8),
    ) {
        match after_prefix(&prefix) {
            Some(end) => prop_assert_eq!(other.starts_with(&prefix), prefix <= other && other < end),
            None => prop_assert_eq!(other.starts_with(&prefix), prefix <= other),
        }
    }
}

/// Layouts are on disk: these bytes must not change.
#[test]
fn layouts_are_golden() {
    let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let user = UserId(3 * 1024 + 5);
    let group = ConversationId::Group(GroupId(2 * 1024 + 9));
    assert_eq!(hex(UsersKey::User(user).encode()), "0005750000000000000c05");
    assert_eq!(hex(users::name(Slot(258), "ann")), "01026e616e6e");
    assert_eq!(
        hex(ConversationsKey::Member(group, user).encode()),
        "00096d02000000000000080900000000000000000000000000000c05"
    );
    assert_eq!(
        hex(ConversationsKey::Numbered(group, user, Seq(7)).encode()),
        "00094002000000000000080900000000000000000000000000000c050000000000000007"
    );
    assert_eq!(
        hex(EventKey { conversation: group, seq: Seq(1) }.encode()),
        "0009020000000000000809000000000000000000000000000000 01".replace(' ', "")
    );
    assert_eq!(hex(RaftLogKey { group: 1, index: 2 }.encode()), "000000010000000000000002");
    assert_eq!(hex(RaftMetaKey { group: 1, what: What::Vote }.encode()), "0000000101");
}
