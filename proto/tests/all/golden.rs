//! Golden bytes: later versions must read the bytes of today. A difference here is a change of
//! format: `UPDATE=1` rewrites the files for new types or variants, never for released ones.

mod accounts;
mod files;
mod messages;
mod people;
mod personal;

use std::fmt::{Debug, Write};
use std::path::Path;

use bytes::Bytes;
use troupe_core::command::{
    AdvanceCursors, Append, CancelScheduled, CloseSession, CreateGroup, CursorMove, Destination, Import, Intent,
    OpenSession, Register, RunDue, Schedule, SettleOutbox, UpdateInbox,
};
use troupe_core::content::{Attachment, Content, Image};
use troupe_core::event::{Flags, Role, Seal};
use troupe_core::feature::{Ban, GroupLink, GroupProfile, Mute, Permission, Scheduled, ScheduledCount, Settings};
use troupe_core::record::{
    Act, Author, Conversation, InboxEntry, Invitation, Member, OutboxKey, OutboxRow, Session, Standing, Status, User,
};
use troupe_core::{
    Body, ClientMessageId, Command, ConversationId, DeviceId, Event, EventKind, GroupId, Seq, Slot, Timestamp,
    TokenHash, UserId, Username,
};

use crate::Kept;

const NOW: Timestamp = Timestamp(1_700_000_000_123);
const ALICE: UserId = UserId(1_029);
const BOB: UserId = UserId(2_050);
const GROUP: GroupId = GroupId(3 * 1024 + 77);
const ID: ClientMessageId = ClientMessageId([0xa1; 16]);
const BEFORE: ClientMessageId = ClientMessageId([0xb2; 16]);
const TOKEN: TokenHash = TokenHash([0xc3; 32]);
const DIRECT: ConversationId = ConversationId::Direct { low: ALICE, high: BOB };

fn device() -> DeviceId {
    DeviceId::new("laptop-1").expect("a device")
}

/// One line `variant hex` per value.
#[track_caller]
fn kept<T: PartialEq + Debug>(
    file: &str,
    values: &[(&str, T)],
    encode: impl Fn(&T) -> Vec<u8>,
    decode: impl Fn(&[u8]) -> T,
) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{file}.hex"));
    let lines = values.iter().fold(String::new(), |mut lines, (name, value)| {
        let hex = encode(value).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        writeln!(lines, "{name} {hex}").expect("a string takes everything");
        lines
    });
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &lines).expect("the golden file can be written");
    }
    let kept = std::fs::read_to_string(&path).expect("the golden file is there; UPDATE=1 writes it");
    assert_eq!(lines, kept, "the form of {file} has changed");
    for (line, (name, value)) in kept.lines().zip(values) {
        let hex = line.split_once(' ').expect("a line is a name and bytes").1;
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect();
        assert_eq!(&decode(&bytes), value, "{file}: {name}");
    }
}

/// For a kind of row whose newest version is also the written one.
#[track_caller]
fn record<T: Kept + PartialEq + Debug>(file: &str, values: &[(&str, T)]) {
    record_of(T::VERSION, file, values);
}

/// A file per version, kept permanently.
#[track_caller]
fn record_of<T: Kept + PartialEq + Debug>(version: u8, file: &str, values: &[(&str, T)]) {
    kept(&format!("{file}.v{version}"), values, T::encode, |bytes| {
        assert_eq!(bytes.first(), Some(&version), "{file}: another version is written");
        T::decode(bytes).expect("kept bytes decode")
    });
    let before = (1..T::VERSION).map(|version| format!("{file}.v{version}.hex"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    assert!(before.into_iter().all(|file| folder.join(file).exists()), "bytes of each version are kept");
}

#[test]
fn user() {
    let user = User {
        id: ALICE,
        name: "Alice".into(),
        password_hash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".into(),
        created: NOW,
        request: ID,
        standing: Standing::default(),
    };
    let standing = Standing {
        status: Status::Disabled,
        admin: true,
        auditor: false,
        one_time: true,
        revision: 3,
        changes: vec![BEFORE, ID],
        password_set: NOW,
        born_with_cluster: true,
        acts: Vec::new(),
    };
    let acts = vec![Act { digest: 0x0102_0304_0506_0708, revision: 0 }, Act { digest: 9, revision: 3 }];
    let remembered = User { standing: Standing { acts, ..standing.clone() }, ..user.clone() };
    let changed = User { standing, ..user.clone() };
    record("user", &[("user", user), ("changed", changed), ("remembered", remembered)]);
}

#[test]
fn session() {
    let session = Session { device: device(), token: TOKEN, created: NOW, used: Timestamp(0) };
    let used = Timestamp(NOW.0 + 1_000);
    record("session", &[("session", session.clone()), ("used", Session { used, ..session })]);
}

#[test]
fn inbox_entry() {
    let entry = InboxEntry { conversation: DIRECT, present: true, version: Seq(7), unanswered: false };
    let left = InboxEntry { present: false, ..entry.clone() };
    let unanswered = InboxEntry { unanswered: true, ..entry.clone() };
    record("inbox_entry", &[("present", entry), ("left", left), ("unanswered", unanswered)]);
}

#[test]
fn invitation() {
    let conversation = ConversationId::Group(GROUP);
    let invitation = Invitation { conversation, by: BOB, version: Seq(9), created: NOW };
    record("invitation", &[("invitation", invitation)]);
}

#[test]
fn conversation() {
    let group = Conversation {
        name: "Friends".into(),
        open: true,
        head: Seq(300),
        time: NOW,
        members: 3,
        chain: 0x0123_4567_89ab_cdef,
        created: Timestamp(NOW.0 - 1_000),
        ..Conversation::default()
    };
    let counted = Conversation { owners: 2, ..group.clone() };
    let wrote = Conversation { low_wrote: true, high_wrote: true, ..group.clone() };
    let large = Conversation { large: Seq(299), ..group.clone() };
    let moderated = Conversation {
        slow_seconds: 30,
        muted_until: Timestamp(NOW.0 + 1),
        mutes: 2,
        bans: 3,
        policy: 4,
        shows_history: true,
        disbanded: true,
        links: 2,
        asks: true,
        join_requests: 1,
        pins: 1,
        ..group.clone()
    };
    let rows = [("group", group), ("owners", counted), ("wrote", wrote), ("large", large), ("moderated", moderated)];
    record("conversation", &rows);
    record("mute", &[("mute", Mute { until: NOW, by: ALICE })]);
    let link = GroupLink { hash: TOKEN, by: ALICE, created: NOW, expires: NOW, uses: 3, used: 1 };
    record("group_link", &[("group_link", link)]);
    let waits = Scheduled { at: NOW.0, body: Some(Body::text("hi")), ..Scheduled::default() };
    let refused = Scheduled { refused: "muted".into(), until: NOW.0 + 1, ..waits.clone() };
    let cancelled = Scheduled { at: NOW.0, ..Scheduled::default() };
    record("scheduled", &[("waits", waits), ("refused", refused), ("cancelled", cancelled)]);
    record("scheduled_count", &[("scheduled_count", ScheduledCount { waiting: 2, kept: 3 })]);
    record("ban", &[("ban", Ban { by: ALICE, at: NOW })]);
    let (notice, avatar) = ("Be kind".to_owned(), "file:1".to_owned());
    let profile = GroupProfile { notice, avatar, notice_by: Some(ALICE), notice_at: NOW };
    record("group_profile", &[("group_profile", profile)]);
}

#[test]
fn member() {
    let member = |role| Member { role, since: Seq(5), spoke: Timestamp(0) };
    let roles = [("member", Role::Member), ("admin", Role::Admin), ("owner", Role::Owner)];
    let [one, two, three] = roles.map(|(name, role)| (name, member(role)));
    let spoke = Member { spoke: NOW, ..member(Role::Member) };
    record("member", &[one, two, three, ("spoke", spoke)]);
}

fn outbox_key() -> OutboxKey {
    OutboxKey { slot: Slot(77), conversation: ConversationId::Group(GROUP), version: Seq(9), user: BOB }
}

#[test]
fn outbox_row() {
    let row = OutboxRow { key: outbox_key(), present: true, by: None };
    let by = OutboxRow { by: Some(ALICE), ..row.clone() };
    record("outbox_row", &[("outbox_row", row), ("by", by)]);
}

fn settings() -> Settings {
    Settings {
        name: Some("Foes".into()),
        notice: Some("Be kind".into()),
        avatar: Some(String::new()),
        join: Settings::OPEN,
        history: Settings::EVERYTHING,
        slow_seconds: Some(30),
        muted_until: Some(0),
        permissions: vec![Permission { act: 4, role: 1 }],
        no_contact: None,
        retention_seconds: Some(60),
    }
}

fn answer() -> Body {
    Body::text("hé").replying_to(Seq(299)).in_thread(Seq(7)).mentioning(&[ALICE, BOB]).mentioning_everyone()
}

fn image() -> Content {
    let (name, media_type) = ("cat.png".to_owned(), "image/png".to_owned());
    let file = Attachment { hash: TOKEN.0.to_vec().into(), name, size: 1_000, media_type };
    let (preview, caption) = (vec![0xd4; 32].into(), "the cat".into());
    Image { file: Some(file), width: 640, height: 480, preview, caption }.into()
}

#[test]
fn event() {
    let event = |kind| Event { seq: Seq(300), time: NOW, sender: ALICE, client_message_id: ID, kind, seal: None };
    let [started, answered, ended] = people::calls();
    let kinds = [
        ("text", EventKind::Message(Body::text("hello, мир"))),
        ("unknown_kind", EventKind::Message(Body { kind: 4_711, content: vec![0, 255].into(), context: None })),
        ("answer", EventKind::Message(answer())),
        ("image", EventKind::Message(image().into())),
        ("created", EventKind::Created { name: "Friends".into() }),
        ("renamed", EventKind::Renamed { name: "Foes".into() }),
        ("added", EventKind::Added { users: vec![ALICE, BOB] }),
        ("removed", EventKind::Removed { user: BOB }),
        ("role_changed", EventKind::RoleChanged { user: BOB, role: Role::Admin }),
        ("reacted", EventKind::Reacted { to: Seq(299), emoji: "👍".into(), removed: false }),
        ("took_back", EventKind::Reacted { to: Seq(299), emoji: "👍".into(), removed: true }),
        ("edited", EventKind::Edited { to: Seq(299), body: Body::text("hello, world") }),
        ("recalled", EventKind::Recalled { to: Seq(299) }),
        ("vanishing", EventKind::Message(Body::text("hello").expiring_in_ms(60_000))),
        ("vanished", EventKind::Vanished { to: Seq(299) }),
        ("voted", EventKind::Voted { to: Seq(299), options: vec![0, 2], removed: false }),
        ("vote_taken_back", EventKind::Voted { to: Seq(299), options: vec![], removed: true }),
        ("poll_closed", EventKind::PollClosed { to: Seq(299), voters: 2, counts: vec![1, 0, 300] }),
        ("stream", EventKind::Message(Body::text("").streaming())),
        ("stream_ended", EventKind::StreamEnded { to: Seq(299), body: Body::text("hello"), aborted: true }),
        ("settings_changed", EventKind::SettingsChanged(Box::new(settings()))),
        ("muted", EventKind::Muted { user: BOB, until: NOW }),
        ("banned", EventKind::Banned { user: BOB, lifted: false }),
        ("ban_lifted", EventKind::Banned { user: BOB, lifted: true }),
        ("transferred", EventKind::Transferred { to: BOB }),
        ("disbanded", EventKind::Disbanded),
        ("link_made", EventKind::LinkMade { hash: TOKEN, uses: 3, expires: NOW }),
        ("link_revoked", EventKind::LinkRevoked { link: 77 }),
        ("join_asked", EventKind::JoinAsked),
        ("join_closed", EventKind::JoinClosed { user: BOB }),
        ("pinned", EventKind::Pinned { to: Seq(299), removed: false }),
        ("unpinned", EventKind::Pinned { to: Seq(299), removed: true }),
        started,
        answered,
        ended,
        ("later_kind", EventKind::Unknown { kind: 77, content: vec![8, 1, 255].into() }),
        ("without_kind", EventKind::Unknown { kind: 0, content: Default::default() }),
    ];
    record_of(1, "event", &kinds.clone().map(|(name, kind)| (name, event(kind))));
    let sealed = kinds.map(|(name, kind)| (name, event(kind).sealed()));
    let erased = sealed[0].1.clone().erased().expect("sealed events can be erased");
    let later = Seal { flags: Flags(1 << 40), ..sealed[0].1.seal.expect("a seal") };
    let later = Event { seal: Some(later), ..sealed[0].1.clone() };
    let more = [("erased", erased), ("later_flag", later)];
    record_of(2, "event", &sealed.into_iter().chain(more).collect::<Vec<_>>());
}

fn send() -> Command {
    append(DIRECT, Some(BEFORE), Intent::Message(Body::text("hi")))
}

fn append(conversation: ConversationId, after: Option<ClientMessageId>, intent: Intent) -> Command {
    Command::Append(Append { conversation, actor: ALICE, client_message_id: ID, after, intent })
}

#[test]
fn command() {
    let change = |intent| append(ConversationId::Group(GROUP), None, intent);
    let close = |token| Command::CloseSession(CloseSession { user: ALICE, device: device(), token });
    let schedule =
        Schedule { conversation: DIRECT, sender: ALICE, client_message_id: ID, at: NOW, body: Body::text("hi") };
    let cancel = CancelScheduled { conversation: DIRECT, sender: ALICE, client_message_id: ID };
    let commands = [
        (
            "register",
            Command::Register(Register {
                name: Username::new("Alice").expect("a name"),
                password_hash: "$argon2id$".into(),
                request: ID,
            }),
        ),
        (
            "open_session",
            Command::OpenSession(OpenSession {
                user: ALICE,
                device: device(),
                token: TOKEN,
                revision: 0,
                from: String::new(),
            }),
        ),
        ("close_session", close(Some(TOKEN))),
        ("close_any_session", close(None)),
        (
            "update_inbox",
            Command::UpdateInbox(UpdateInbox {
                user: BOB,
                conversation: ConversationId::Everyone,
                present: true,
                version: Seq(9),
                by: None,
                unasked: false,
            }),
        ),
        ("send", send()),
        ("send_answer", append(DIRECT, None, Intent::Message(answer()))),
        (
            "create_group",
            Command::CreateGroup(CreateGroup {
                creator: ALICE,
                request: ID,
                name: "Friends".into(),
                open: true,
                members: vec![BOB],
            }),
        ),
        ("rename", change(Intent::Rename { name: "Foes".into() })),
        ("add", change(Intent::Add { users: vec![ALICE, BOB] })),
        ("remove", change(Intent::Remove { user: BOB })),
        ("leave", change(Intent::Leave)),
        ("join", change(Intent::Join)),
        ("set_role", change(Intent::SetRole { user: BOB, role: Role::Owner })),
        (
            "advance_cursors",
            Command::AdvanceCursors(AdvanceCursors {
                conversation: DIRECT,
                moves: vec![CursorMove { user: BOB, delivered: Seq(300), read: Seq(299) }],
            }),
        ),
        ("settle_outbox", Command::SettleOutbox(SettleOutbox { slot: Slot(77), rows: vec![outbox_key()] })),
        ("schedule", Command::from(schedule)),
        ("cancel_scheduled", Command::CancelScheduled(cancel)),
        ("run_due", Command::RunDue(RunDue { slot: Slot(77), until: NOW, most: 16, gone: vec![BOB] })),
    ];
    record("command", &commands);
    let later = |intent| append(ConversationId::Group(GROUP), Some(BEFORE), intent);
    let react = |remove| append(DIRECT, None, Intent::React { to: Seq(299), emoji: "👍".into(), remove });
    let appends = [
        ("rename", later(Intent::Rename { name: "Foes".into() })),
        ("add", later(Intent::Add { users: vec![ALICE, BOB] })),
        ("remove", later(Intent::Remove { user: BOB })),
        ("leave", later(Intent::Leave)),
        ("join", later(Intent::Join)),
        ("set_role", later(Intent::SetRole { user: BOB, role: Role::Owner })),
        ("react", react(false)),
        ("take_back", react(true)),
    ];
    let of_messages = messages::intents().map(|(name, intent)| (name, append(DIRECT, None, intent)));
    record("append", &appends.into_iter().chain(of_messages).collect::<Vec<_>>());
    record("account_command", &accounts::commands());
    let import = |into, events: Vec<Event>, cursors| {
        let (by, source) = (Author { user: UserId(0), name: "operator".into(), address: String::new() }, "0af3".into());
        Command::from(Import { into, request: ID, by, source, events, cursors })
    };
    let said = Event {
        seq: Seq(299),
        time: NOW,
        sender: ALICE,
        client_message_id: BEFORE,
        kind: EventKind::Message(Body::text("hé")),
        seal: None,
    };
    let unknown = EventKind::Unknown { kind: 77, content: Bytes::from_static(&[1, 2, 3]) };
    let unknown = Event { seq: Seq(300), kind: unknown, ..said.clone() }.sealed();
    let cursors = vec![CursorMove { user: BOB, delivered: Seq(300), read: Seq(299) }];
    let imports = [
        ("import_into_known", import(Destination::Known(DIRECT), vec![said, unknown], cursors)),
        ("import_into_group", import(Destination::Group { key: ID, open: true }, Vec::new(), Vec::new())),
    ];
    record("import", &imports);
}
