//! Keys and rows come back as they were, keys sort as what they say, and foreign bytes are refused.

use proptest::prelude::*;

use super::*;
use crate::event::{Body, Event, EventKind};
use crate::feature::{
    ActiveCall, Ban, Edits, GroupLink, GroupProfile, JoinRequest, Mute, OpenStream, OpenStreams, OwnReactions, Pins,
    Reactions, Scheduled, ScheduledCount, StreamPiece, Tally, Vote,
};
use crate::file::FileHash;
use crate::fold;
use crate::id::{ClientMessageId, ConversationId, DeviceId, GroupId, SLOTS, Seq, Slot, Timestamp, UserId};

/// The properties of a table without its types.
struct About {
    name: &'static str,
    family: Family,
    tag: Option<u8>,
    /// Whether a key of the family is one of this table.
    owns: fn(&[u8]) -> bool,
    /// Whether these bytes are no key of this table, or exactly the one that it writes.
    is_strict: fn(&[u8]) -> bool,
    /// Whether this value is unreadable, or read and written again reads the same.
    settles: fn(&[u8]) -> bool,
}

macro_rules! about {
    ($($table:ty),* $(,)?) => {
        [$(About {
            name: stringify!($table),
            family: <$table as Table>::FAMILY,
            tag: <$table as Table>::TAG,
            owns: |key| <$table>::key_in(key).is_some(),
            is_strict: |bytes| <$table>::key_in(bytes).is_none_or(|key| <$table as Table>::key(&key) == bytes),
            settles: |value| <$table>::from_value(value).ok().is_none_or(|row| <$table>::from_value(&row.to_value()) == Ok(row)),
        }),*]
    };
}

/// Every table of applied state. Their tags are on disk: never reuse one.
const ALL: [About; 73] = about![
    Counter,
    InboxEntry,
    Invitation,
    Known,
    NameOf,
    Profile,
    Contact,
    Block,
    ContactBook,
    ContactChange,
    OwedContact,
    Gate,
    Report,
    ReportBook,
    ReportOf,
    Seen,
    Bot,
    BotOwner,
    BotsMade,
    Hook,
    DeadEvent,
    PushSubscription,
    PushKey,
    Session,
    User,
    AuditRow,
    Invite,
    Reservation,
    Conversation,
    Placed,
    GroupOfRequest,
    Member,
    OutboxRow,
    KeptHead,
    Cursor,
    Number,
    Large,
    LastLogin,
    Favourite,
    FavouriteOf,
    FavouriteBook,
    Personal,
    Mention,
    Reactions,
    OwnReactions,
    Edits,
    Tally,
    Vote,
    OpenStream,
    StreamPiece,
    OpenStreams,
    GroupProfile,
    Mute,
    Ban,
    GroupLink,
    JoinRequest,
    Pins,
    Due,
    Scheduled,
    ScheduledCount,
    ActiveCall,
    Upload,
    File,
    FileUsage,
    OwedRoom,
    Room,
    RoomUsed,
    RoomReserved,
    ChunkHash,
    Chunk,
    Preview,
    FileMessage,
    Event,
];

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

fn outbox_key() -> impl Strategy<Value = OutboxKey> {
    (slot(), conversation(), seq(), user()).prop_map(|(slot, conversation, version, user)| OutboxKey {
        slot,
        conversation,
        version,
        user,
    })
}

/// Every table reads back its own key, and no other table of its family takes it.
#[track_caller]
fn is_own<T: Table>(key: &T::Key)
where
    T::Key: PartialEq + std::fmt::Debug,
{
    let bytes = T::key(key);
    assert_eq!(T::key_in(&bytes).as_ref(), Some(key));
    let owners = ALL.iter().filter(|table| table.family == T::FAMILY && (table.owns)(&bytes));
    assert_eq!(owners.count(), 1, "{key:?} is of more than one table");
    assert_eq!(T::key_in(&[&bytes[..], &[0]].concat()).filter(|other| other == key), None, "one byte too many");
}

proptest! {
    #[test]
    fn keys_round_trip(
        (slot, user, other) in (slot(), user(), user()), conversation in conversation(), request in message_id(),
        (device, name) in (device(), "\\PC{3,32}"), (seq, number) in (seq(), any::<u64>()), outbox in outbox_key(),
    ) {
        is_own::<Counter>(&slot);
        is_own::<InboxEntry>(&(user, conversation));
        is_own::<Invitation>(&(user, conversation));
        is_own::<Known>(&(user, other));
        is_own::<NameOf>(&(slot, fold(&name)));
        is_own::<Profile>(&user);
        is_own::<Contact>(&(user, other));
        is_own::<Block>(&(user, other));
        is_own::<ContactBook>(&user);
        is_own::<ContactChange>(&(user, number));
        is_own::<OwedContact>(&(user, other));
        is_own::<Report>(&(slot, number));
        is_own::<ReportBook>(&slot);
        is_own::<ReportOf>(&(slot, user, number));
        is_own::<Gate>(&(conversation, user));
        is_own::<Seen>(&user);
        is_own::<LastLogin>(&user);
        is_own::<Bot>(&(user, other));
        is_own::<BotOwner>(&user);
        is_own::<BotsMade>(&user);
        is_own::<Hook>(&(conversation, number));
        is_own::<DeadEvent>(&(conversation, number, seq));
        is_own::<PushSubscription>(&(user, number));
        is_own::<PushKey>(&conversation);
        is_own::<Session>(&(user, device));
        is_own::<User>(&user);
        is_own::<AuditRow>(&AuditKey { slot, time: Timestamp(seq.0), number });
        is_own::<Invite>(&InviteId(number));
        is_own::<Reservation>(&(InviteId(number), request));
        is_own::<Conversation>(&conversation);
        is_own::<Placed>(&(conversation, user, request));
        is_own::<GroupOfRequest>(&(slot, user, request));
        is_own::<Member>(&(conversation, user));
        is_own::<OutboxRow>(&outbox);
        is_own::<KeptHead>(&conversation);
        is_own::<Cursor>(&(conversation, user));
        is_own::<Number>(&(conversation, user, seq));
        is_own::<Large>(&(conversation, seq));
        is_own::<Reactions>(&(conversation, seq));
        is_own::<OwnReactions>(&(conversation, user, seq));
        is_own::<Edits>(&(conversation, seq));
        is_own::<Tally>(&(conversation, seq));
        is_own::<Vote>(&(conversation, seq, user));
        is_own::<Event>(&(conversation, seq));
        let work = Work::Scheduled { conversation, sender: user, id: request };
        is_own::<Due>(&DueKey { at: Timestamp(number), work });
        let file = FileHash([seq.0 as u8; 32]);
        let works = [
            Work::Poll { conversation, poll: seq },
            Work::Upload { conversation, owner: user, id: request },
            Work::Room { user, conversation, until: Timestamp(number) },
            Work::File { conversation, file },
            Work::Chunks { conversation, number, next: seq.0, end: number },
        ];
        works.into_iter().for_each(|work| is_own::<Due>(&DueKey { at: Timestamp(number), work }));
        is_own::<Scheduled>(&(conversation, user, request));
        is_own::<ScheduledCount>(&(conversation, user));
        is_own::<Upload>(&(conversation, user, request));
        is_own::<File>(&(conversation, file));
        is_own::<FileUsage>(&(conversation, user));
        is_own::<OwedRoom>(&(conversation, user));
        is_own::<Room>(&user);
        is_own::<RoomUsed>(&(user, conversation));
        is_own::<RoomReserved>(&(user, conversation, Timestamp(number)));
        is_own::<ChunkHash>(&(conversation, seq.0, number));
        is_own::<Preview>(&(conversation, file));
        is_own::<FileMessage>(&(conversation, seq));
        is_own::<Chunk>(&(conversation, seq.0, number));
    }

    /// Whatever decodes is the one encoding of what it says; nothing panics.
    #[test]
    fn decoding_is_strict(mut bytes in proptest::collection::vec(any::<u8>(), 0..60), at in 0..ALL.len()) {
        if let (Some(byte), Some(tag)) = (bytes.get_mut(2), ALL[at].tag) {
            *byte = tag;
        }
        if let Some(byte) = bytes.first_mut() {
            *byte &= 3;
        }
        for table in ALL {
            prop_assert!((table.is_strict)(&bytes), "{}", table.name);
        }
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
        let event = |seq| Event::key(&(c, seq));
        prop_assert_eq!(event(seq_a).cmp(&event(seq_b)), seq_a.cmp(&seq_b));
        let member = |user| Member::key(&(c, user));
        prop_assert_eq!(member(users_a).cmp(&member(users_b)), users_a.cmp(&users_b));
        let session = |device: &DeviceId| Session::key(&(u, device.clone()));
        prop_assert_eq!(session(&device_a).cmp(&session(&device_b)), device_a.cmp(&device_b));
        let inbox = |conversation| InboxEntry::key(&(u, conversation));
        prop_assert_eq!(inbox(conv_a).cmp(&inbox(conv_b)), conv_a.cmp(&conv_b));
        let name = |name: &str| NameOf::key(&(s, name.to_owned()));
        prop_assert_eq!(name(&name_a).cmp(&name(&name_b)), name_a.cmp(&name_b));
        out_a.slot = s;
        out_b.slot = s;
        prop_assert_eq!(OutboxRow::key(&out_a).cmp(&OutboxRow::key(&out_b)), out_a.cmp(&out_b));
        let due = |at: Seq| {
            let work = Work::Scheduled { conversation: c, sender: u, id: ClientMessageId::default() };
            Due::key(&DueKey { at: Timestamp(at.0), work })
        };
        prop_assert_eq!(due(seq_a).cmp(&due(seq_b)), seq_a.cmp(&seq_b));
    }

    /// No conversation's prefix covers a key of another.
    #[test]
    fn prefixes_are_exact(a in conversation(), b in conversation(), seq in seq()) {
        prop_assert_eq!(Event::key(&(b, seq)).starts_with(&Event::prefix(&a)), a == b);
        prop_assert_eq!(Member::key(&(b, UserId(7))).starts_with(&Member::prefix(&a)), a == b);
        prop_assert_eq!(Event::key(&(b, seq))[..2].to_vec(), b.slot().0.to_be_bytes().to_vec());
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

    /// Any bytes are a row or an error, and a row is written as one that reads the same.
    #[test]
    fn values_are_total(bytes in proptest::collection::vec(any::<u8>(), 0..80), version in 0u8..4) {
        let bytes = [&[version], &bytes[..]].concat();
        for table in ALL {
            prop_assert!((table.settles)(&bytes), "{}", table.name);
            prop_assert!((table.settles)(&bytes[1..]), "{}", table.name);
        }
    }
}

/// Layouts are on disk: these bytes must not change.
#[test]
fn layouts_are_golden() {
    let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let user = UserId(3 * 1024 + 5);
    let group = ConversationId::Group(GroupId(2 * 1024 + 9));
    assert_eq!(hex(User::key(&user)), "0005750000000000000c05");
    assert_eq!(hex(NameOf::key(&(Slot(258), "ann".to_owned()))), "01026e616e6e");
    assert_eq!(hex(Member::key(&(group, user))), "00096d02000000000000080900000000000000000000000000000c05");
    assert_eq!(
        hex(Number::key(&(group, user, Seq(7)))),
        "00094002000000000000080900000000000000000000000000000c050000000000000007"
    );
    assert_eq!(
        hex(Chunk::key(&(group, 5, 1))),
        "000993".to_owned() + "0200000000000008090000000000000000" + "00000000000000050000000000000001"
    );
    assert_eq!(
        hex(Event::key(&(group, Seq(1)))),
        "00090200000000000008090000000000000000".to_owned() + "0000000000000001"
    );
}

/// The page for people lists each table once, with its family and its tag.
#[test]
fn the_page_about_the_key_space_lists_every_table() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/keyspace.md");
    let page = std::fs::read_to_string(page).expect("docs/keyspace.md");
    for table in ALL {
        let family = format!("| `{}` |", format!("{:?}", table.family).to_lowercase());
        let tag = match table.tag {
            Some(tag) if tag.is_ascii_lowercase() => format!("`{}`", tag as char),
            Some(tag) => format!("{tag:#04x}"),
            None => "slot u16, conversation, seq u64".to_owned(),
        };
        let lines = page.lines().filter(|line| line.starts_with(&family));
        let lines = lines.filter(|line| line.split('|').nth(2).is_some_and(|key| key.contains(&tag)));
        assert_eq!(lines.count(), 1, "{} with tag {tag} in family {:?}", table.name, table.family);
    }
}

#[test]
fn a_wrong_field_is_named() {
    let wrong = |error: DecodeError| error.field().expect("one field is at fault");
    for role in [0, 4] {
        assert_eq!(Member::from_value(&[1, 8, role]).map_err(wrong), Err("member.role"));
    }
    assert_eq!(User::from_value(&[&[1, 18, 5], &b"12345"[..]].concat()).map_err(wrong), Err("user.request"));
    assert_eq!(Session::from_value(&[&[1, 10, 8], &b"my phone"[..]].concat()).map_err(wrong), Err("session.device"));
    assert_eq!(OutboxRow::from_value(&[1, 16, 1]).map_err(wrong), Err("outbox_row.key"));
    let foreign = [&[1, 10, 13, 8, 128, 8, 18, 8], &b"everyone"[..]].concat();
    assert_eq!(OutboxRow::from_value(&foreign).map_err(wrong), Err("outbox_key.slot"));
    assert_eq!(Cursor::from_value(&[2]), Err(DecodeError::Version { found: 2, known: 1 }));
    assert_eq!(Cursor::from_value(&[]).map_err(wrong), Err("record.version"));
    assert_eq!(Placed::from_value(&[0; 9]).map_err(wrong), Err("row"));
}

#[test]
fn a_message_of_the_first_version_reads_back() {
    let kind = EventKind::Message(Body::text("hi"));
    let event = Event {
        seq: Seq(1),
        time: Timestamp(2),
        sender: UserId(3),
        client_message_id: ClientMessageId([4; 16]),
        kind,
        seal: None,
    };
    assert_eq!(Event::from_value(&event.to_value()), Ok(event));
}
