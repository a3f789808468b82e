//! Strategies for every type that has a byte form.

pub mod accounts;
mod bodies;
mod due;
pub mod files;
mod messages;
pub mod people;
pub mod personal;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use troupe_core::command::{
    AcceptInvitation, AdvanceCursors, Append, CloseSession, CreateGroup, CursorMove, Destination, Import, Intent,
    OpenSession, Register, SettleOutbox, UpdateInbox,
};
use troupe_core::event::{Flags, KINDS, Role, Seal};
use troupe_core::feature::{Permission, Settings};
use troupe_core::record::{Conversation, Cursor, InboxEntry, Member, OutboxKey, OutboxRow, Session, User};
use troupe_core::{
    ClientMessageId, Command, ConversationId, DeviceId, Event, EventKind, GroupId, Level, SLOTS, Seq, Slot, Timestamp,
    TokenHash, UserId, Username,
};
use troupe_proto::StampedBatch;
use troupe_proto::client::SessionToken;

use bodies::body;

/// Small numbers, and boundary values.
fn number() -> impl Strategy<Value = u64> + Clone + 'static {
    prop_oneof![4 => 0..100_000u64, 2 => any::<u64>(), 1 => Just((1 << 53) - 1), 1 => Just(u64::MAX)]
}

fn user() -> impl Strategy<Value = UserId> + Clone + 'static {
    number().prop_map(UserId)
}

/// An id that a client may name.
pub fn real_user() -> impl Strategy<Value = UserId> + Clone + 'static {
    (1..1u64 << 53).prop_map(UserId)
}

fn users() -> impl Strategy<Value = Vec<UserId>> {
    vec(user(), 0..6)
}

fn seq() -> impl Strategy<Value = Seq> {
    number().prop_map(Seq)
}

fn time() -> impl Strategy<Value = Timestamp> {
    number().prop_map(Timestamp)
}

fn slot() -> impl Strategy<Value = Slot> {
    (0..SLOTS).prop_map(Slot)
}

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,40}"
}

fn username() -> impl Strategy<Value = Username> {
    let old = "[a-zäßéжあ][a-zA-Z0-9ÄÖж._-]{2,31}".prop_map(|text| Username::kept(&text, None));
    let new = "[жさ][а-я]{1,10}|[a-z]{2,10}[0-9]{0,3}".prop_filter_map("a reserved word", |text| Username::new(&text));
    prop_oneof![old, new]
}

fn device() -> impl Strategy<Value = DeviceId> {
    "[!-~]{1,64}".prop_map(|text| DeviceId::new(&text).expect("the pattern is of devices"))
}

pub fn message_id() -> impl Strategy<Value = ClientMessageId> {
    any::<[u8; 16]>().prop_map(ClientMessageId)
}

fn token_hash() -> impl Strategy<Value = TokenHash> {
    any::<[u8; 32]>().prop_map(TokenHash)
}

pub fn conversation() -> impl Strategy<Value = ConversationId> {
    let direct = (1..u64::MAX)
        .prop_flat_map(|low| (Just(low), low + 1..=u64::MAX))
        .prop_map(|(low, high)| ConversationId::Direct { low: UserId(low), high: UserId(high) });
    prop_oneof![
        Just(ConversationId::Everyone),
        direct,
        (1..=u64::MAX).prop_map(|group| ConversationId::Group(GroupId(group))),
    ]
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Member), Just(Role::Admin), Just(Role::Owner)]
}

prop_compose! {
    pub fn user_row()(
        id in user(), name in username(), password_hash in text(), created in time(), request in message_id(),
        standing in accounts::standing()
    ) -> User {
        User { id, name: name.as_str().to_owned(), password_hash, created, request, standing }
    }
}

prop_compose! {
    pub fn session()(device in device(), token in token_hash(), created in time(), used in time()) -> Session {
        Session { device, token, created, used }
    }
}

prop_compose! {
    pub fn inbox_entry()(conversation in conversation(), present: bool, version in seq(), unanswered: bool) -> InboxEntry {
        InboxEntry { conversation, present, version, unanswered }
    }
}

prop_compose! {
    pub fn conversation_row()(
        name in text(), open: bool, head in seq(), time in time(), members: u32, owners: u32, chain: u64, created in time(),
        low_wrote: bool, high_wrote: bool, large in seq(), of_groups in moderation()
    ) -> Conversation {
        Conversation {
            name, open, head, time, members, owners, chain, created, low_wrote, high_wrote, large, ..of_groups
        }
    }
}

prop_compose! {
    fn moderation()(
        slow_seconds: u32, muted_until in time(), mutes: u32, bans: u32, policy in number(), shows_history: bool,
        disbanded: bool, links: u32, asks: bool, join_requests: u32, pins: u32, of_time in retention()
    ) -> Conversation {
        let row = Conversation { slow_seconds, muted_until, mutes, bans, policy, ..of_time };
        Conversation { shows_history, disbanded, links, asks, join_requests, pins, ..row }
    }
}

prop_compose! {
    fn retention()(retention_seconds: u32, vanished_from in seq(), vanished_to in seq()) -> Conversation {
        Conversation { retention_seconds, vanished_from, vanished_to, ..Conversation::default() }
    }
}

prop_compose! {
    pub fn member()(role in role(), since in seq(), spoke in time()) -> Member {
        Member { role, since, spoke }
    }
}

prop_compose! {
    pub fn cursor()(delivered in seq(), read in seq()) -> Cursor {
        Cursor { delivered, read }
    }
}

prop_compose! {
    fn outbox_key()(slot in slot(), conversation in conversation(), version in seq(), user in user()) -> OutboxKey {
        OutboxKey { slot, conversation, version, user }
    }
}

prop_compose! {
    pub fn outbox_row()(key in outbox_key(), present: bool, by in option::of(user())) -> OutboxRow {
        OutboxRow { key, present, by }
    }
}

/// An event that only a later version understands.
fn later_kind() -> impl Strategy<Value = EventKind> {
    let kinds = 900..=*KINDS.end();
    let of_a_kind = (kinds, vec(any::<u8>(), 0..40))
        .prop_map(|(kind, content)| EventKind::Unknown { kind, content: content.into() });
    let without = Just(EventKind::Unknown { kind: 0, content: Default::default() });
    // A known kind whose content does not decode: a role of a later version.
    let role = (4u8..128).prop_map(|role| EventKind::Unknown { kind: 10, content: vec![8, 5, 16, role].into() });
    prop_oneof![5 => of_a_kind, 1 => without, 1 => role]
}

pub fn settings() -> impl Strategy<Value = Settings> {
    let permission = (1..10u32, 1..4u32).prop_map(|(act, role)| Permission { act, role });
    let texts = (option::of(text()), option::of(text()), option::of(text()));
    let numbers = (0..3u32, 0..3u32, option::of(number()), option::of(number()), option::of(number()));
    let numbers = (numbers, option::of(any::<bool>()));
    (texts, numbers, vec(permission, 0..4)).prop_map(|((name, notice, avatar), (numbers, no_contact), permissions)| {
        let (join, history, slow_seconds, muted_until, retention_seconds) = numbers;
        let texts = Settings { name, notice, avatar, ..Settings::default() };
        let times = Settings { slow_seconds, muted_until, retention_seconds, ..texts };
        Settings { join, history, permissions, no_contact, ..times }
    })
}

pub fn event() -> impl Strategy<Value = Event> {
    let kind = prop_oneof![
        3 => body().prop_map(EventKind::Message),
        1 => text().prop_map(|name| EventKind::Created { name }),
        1 => text().prop_map(|name| EventKind::Renamed { name }),
        1 => users().prop_map(|users| EventKind::Added { users }),
        1 => user().prop_map(|user| EventKind::Removed { user }),
        1 => (user(), role()).prop_map(|(user, role)| EventKind::RoleChanged { user, role }),
        3 => messages::kind(),
        1 => settings().prop_map(|settings| EventKind::SettingsChanged(Box::new(settings))),
        1 => (user(), time()).prop_map(|(user, until)| EventKind::Muted { user, until }),
        1 => (user(), any::<bool>()).prop_map(|(user, lifted)| EventKind::Banned { user, lifted }),
        1 => user().prop_map(|to| EventKind::Transferred { to }),
        1 => Just(EventKind::Disbanded),
        1 => (token_hash(), any::<u32>(), time())
            .prop_map(|(hash, uses, expires)| EventKind::LinkMade { hash, uses, expires }),
        1 => number().prop_map(|link| EventKind::LinkRevoked { link }),
        1 => Just(EventKind::JoinAsked),
        1 => (seq(), any::<bool>()).prop_map(|(to, removed)| EventKind::Pinned { to, removed }),
        1 => user().prop_map(|user| EventKind::JoinClosed { user }),
        5 => prop_oneof![later_kind(), people::call()],
    ];
    (seq(), time(), user(), message_id(), kind, seal()).prop_map(
        |(seq, time, sender, client_message_id, kind, seal)| {
            let event = Event { seq, time, sender, client_message_id, kind, seal: None };
            match seal {
                None => event,
                Some(Some(flags)) => {
                    let event = event.sealed();
                    Event { seal: event.seal.map(|seal| Seal { flags: Flags(flags), ..seal }), ..event }
                }
                Some(None) => event.sealed().erased().expect("it is sealed"),
            }
        },
    )
}

/// None, one with flags that only a later version knows, or one whose content was erased.
fn seal() -> impl Strategy<Value = Option<Option<u64>>> {
    option::of(option::weighted(0.8, number()))
}

pub fn send() -> impl Strategy<Value = Append> {
    append(conversation(), option::of(message_id()), body().prop_map(Intent::Message))
}

fn append(
    conversation: impl Strategy<Value = ConversationId>,
    after: impl Strategy<Value = Option<ClientMessageId>>,
    intent: impl Strategy<Value = Intent>,
) -> impl Strategy<Value = Append> {
    (conversation, user(), message_id(), after, intent).prop_map(
        |(conversation, actor, client_message_id, after, intent)| Append {
            conversation,
            actor,
            client_message_id,
            after,
            intent,
        },
    )
}

prop_compose! {
    fn register()(name in username(), password_hash in text(), request in message_id()) -> Command {
        Command::Register(Register { name, password_hash, request })
    }
}

prop_compose! {
    fn open_session()(user in user(), device in device(), token in token_hash(), revision in number(), from in text()) -> Command {
        Command::OpenSession(OpenSession { user, device, token, revision, from })
    }
}

prop_compose! {
    fn close_session()(user in user(), device in device(), token in option::of(token_hash())) -> Command {
        Command::CloseSession(CloseSession { user, device, token })
    }
}

prop_compose! {
    fn update_inbox()(
        user in user(), conversation in conversation(), present: bool, version in seq(), by in option::of(user()),
        unasked: bool
    ) -> Command {
        Command::UpdateInbox(UpdateInbox { user, conversation, present, version, by, unasked })
    }
}

prop_compose! {
    fn accept_invitation()(
        user in user(), conversation in conversation(), version in seq(), decline: bool
    ) -> Command {
        Command::AcceptInvitation(AcceptInvitation { user, conversation, version, decline })
    }
}

/// `member` draws the users that are named in it.
pub fn create_group(member: impl Strategy<Value = UserId>) -> impl Strategy<Value = CreateGroup> {
    (user(), message_id(), text(), any::<bool>(), vec(member, 0..6))
        .prop_map(|(creator, request, name, open, members)| CreateGroup { creator, request, name, open, members })
}

/// Intents that change a group; `member` draws the users that are named in them.
fn group_change(member: impl Strategy<Value = UserId> + Clone + 'static) -> impl Strategy<Value = Intent> {
    prop_oneof![
        text().prop_map(|name| Intent::Rename { name }),
        vec(member.clone(), 0..6).prop_map(|users| Intent::Add { users }),
        member.clone().prop_map(|user| Intent::Remove { user }),
        Just(Intent::Leave),
        Just(Intent::Join),
        (member, role()).prop_map(|(user, role)| Intent::SetRole { user, role }),
    ]
}

/// As clients of 0.1 may ask for it.
pub fn change_group() -> impl Strategy<Value = Append> {
    append(
        (1..=u64::MAX).prop_map(|group| ConversationId::Group(GroupId(group))),
        Just(None),
        group_change(real_user()),
    )
}

/// Every intent anywhere, in a form of 0.1 or not.
fn any_append() -> impl Strategy<Value = Append> {
    let moderate = prop_oneof![
        settings().prop_map(|settings| Intent::Set(Box::new(settings))),
        (user(), time()).prop_map(|(user, until)| Intent::Mute { user, until }),
        (user(), any::<bool>()).prop_map(|(user, lift)| Intent::Ban { user, lift }),
        user().prop_map(|to| Intent::Transfer { to }),
        Just(Intent::Disband),
        (token_hash(), any::<u32>(), time()).prop_map(|(hash, uses, expires)| Intent::MakeLink { hash, uses, expires }),
        number().prop_map(|link| Intent::RevokeLink { link }),
        text().prop_map(|text| Intent::AskToJoin { text }),
        (user(), any::<bool>()).prop_map(|(user, accept)| Intent::AnswerRequest { user, accept }),
        Just(Intent::Withdraw),
        (seq(), any::<bool>()).prop_map(|(to, remove)| Intent::Pin { to, remove }),
        token_hash().prop_map(|hash| Intent::JoinByLink { hash }),
    ];
    let intent = prop_oneof![6 => group_change(user()), 2 => messages::intent(), 3 => moderate];
    append(conversation(), option::of(message_id()), intent)
}

fn advance_cursors() -> impl Strategy<Value = Command> {
    let moves = (user(), seq(), seq()).prop_map(|(user, delivered, read)| CursorMove { user, delivered, read });
    (conversation(), vec(moves, 0..6))
        .prop_map(|(conversation, moves)| Command::AdvanceCursors(AdvanceCursors { conversation, moves }))
}

fn import() -> impl Strategy<Value = Command> {
    let group = (message_id(), any::<bool>()).prop_map(|(key, open)| Destination::Group { key, open });
    let into = prop_oneof![conversation().prop_map(Destination::Known), group];
    let moves = (user(), seq(), seq()).prop_map(|(user, delivered, read)| CursorMove { user, delivered, read });
    (into, message_id(), accounts::author(), text(), vec(event(), 0..4), vec(moves, 0..4)).prop_map(
        |(into, request, by, source, events, cursors)| {
            Command::from(Import { into, request, by, source, events, cursors })
        },
    )
}

prop_compose! {
    fn settle_outbox()(slot in slot(), rows in vec(outbox_key(), 0..4)) -> Command {
        Command::SettleOutbox(SettleOutbox { slot, rows })
    }
}

pub fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        due::command(),
        register(),
        open_session(),
        close_session(),
        update_inbox(),
        accept_invitation(),
        send().prop_map(Command::Append),
        create_group(number().prop_map(UserId)).prop_map(Command::CreateGroup),
        change_group().prop_map(Command::Append),
        any_append().prop_map(Command::Append),
        advance_cursors(),
        settle_outbox(),
        import(),
        people::command(),
        personal::command(),
        accounts::command(),
        files::command(),
    ]
}

prop_compose! {
    pub fn batch()(now in time(), level in 1..4u32, commands in vec(command(), 0..5)) -> StampedBatch {
        StampedBatch { now, level: Level(level), commands }
    }
}

prop_compose! {
    pub fn session_token()(user in real_user(), device in device(), secret: [u8; 32]) -> SessionToken {
        SessionToken { user, device, secret }
    }
}
