//! Random commands in a world so small that its few users, ids and conversations meet all the time.

use proptest::collection::vec;
use proptest::prelude::*;
use troupe_core::command::{
    AcceptInvitation, AccountChange, AdvanceCursors, Append, ChangeAccount, ChangePersonal, CloseSession, CreateGroup,
    CursorMove, DeleteForMe, Intent, OpenSession, PersonalChange, Register, RunDue, SettleOutbox, TouchSession,
    UpdateInbox,
};
use troupe_core::content::Poll;
use troupe_core::event::Role;
use troupe_core::feature::Settings;
use troupe_core::record::{AccountRole, Author, OutboxKey};
use troupe_core::{
    Body, ClientMessageId, Command, ConversationId, DeviceId, GroupId, Seq, Timestamp, TokenHash, UserId, Username,
};

pub const USERS: [UserId; 5] = [UserId(1025), UserId(2050), UserId(3075), UserId(4100), UserId(5125)];

/// Its id is known in advance: the first of its slot.
pub fn team() -> Command {
    Command::CreateGroup(creation(true))
}

fn creation(open: bool) -> CreateGroup {
    let members = vec![USERS[1], USERS[0], USERS[1]];
    CreateGroup { creator: USERS[0], request: id(0), name: "Team".to_owned(), open, members }
}

/// The conversations that the model follows.
pub fn conversations() -> Vec<ConversationId> {
    let direct = ConversationId::Direct { low: USERS[0], high: USERS[1] };
    vec![ConversationId::Everyone, direct, ConversationId::Group(group())]
}

fn group() -> GroupId {
    GroupId(1024 + u64::from(creation(true).slot().0))
}

fn id(n: u8) -> ClientMessageId {
    ClientMessageId([n; 16])
}

fn user() -> impl Strategy<Value = UserId> {
    prop::sample::select(USERS.to_vec())
}

/// Few, and the same for all users, so that duplicates and predecessors are frequent.
fn ids() -> impl Strategy<Value = ClientMessageId> {
    (1..14u8).prop_map(id)
}

fn conversation() -> impl Strategy<Value = ConversationId> {
    prop_oneof![
        1 => Just(conversations()[0]),
        1 => Just(conversations()[1]),
        3 => Just(conversations()[2]),
    ]
}

fn seq() -> impl Strategy<Value = Seq> {
    prop_oneof![12 => (0..16u64).prop_map(Seq), 1 => Just(Seq(u64::MAX))]
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Member), Just(Role::Admin), Just(Role::Owner)]
}

fn change() -> impl Strategy<Value = Intent> {
    prop_oneof![
        1 => "[a-z]{1,4}".prop_map(|name| Intent::Rename { name }),
        3 => vec(user(), 0..4).prop_map(|users| Intent::Add { users }),
        2 => user().prop_map(|user| Intent::Remove { user }),
        2 => Just(Intent::Leave),
        2 => Just(Intent::Join),
        3 => (user(), role()).prop_map(|(user, role)| Intent::SetRole { user, role }),
        3 => (user(), until()).prop_map(|(user, until)| Intent::Mute { user, until: Timestamp(until) }),
        3 => (user(), prop::bool::weighted(0.4)).prop_map(|(user, lift)| Intent::Ban { user, lift }),
        1 => user().prop_map(|to| Intent::Transfer { to }),
        6 => Just(Intent::AskToJoin { text: "x".to_owned() }),
        2 => (user(), any::<bool>()).prop_map(|(user, accept)| Intent::AnswerRequest { user, accept }),
        4 => Just(Intent::Withdraw),
        2 => settings().prop_map(|settings| Intent::Set(Box::new(settings))),
    ]
}

/// Times around those of the commands, and none.
fn until() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(0), 3 => 1_000..1_100u64]
}

fn settings() -> impl Strategy<Value = Settings> {
    let slow =
        prop_oneof![Just(0), Just(1)].prop_map(|slow| Settings { slow_seconds: Some(slow), ..Settings::default() });
    let muted = until().prop_map(|until| Settings { muted_until: Some(until), ..Settings::default() });
    let join = (1..=3u32).prop_map(|join| Settings { join, ..Settings::default() });
    prop_oneof![1 => slow, 1 => muted, 3 => join, 1 => retention()]
}

/// The shortest, or none.
fn retention() -> impl Strategy<Value = Settings> {
    prop_oneof![Just(0), Just(1)]
        .prop_map(|retention| Settings { retention_seconds: Some(retention), ..Settings::default() })
}

fn message() -> impl Strategy<Value = Command> {
    let reply_to =
        prop_oneof![8 => Just(None), 3 => (1..5u64).prop_map(|seq| Some(Seq(seq))), 1 => seq().prop_map(Some)];
    let vanishes = prop::bool::weighted(0.2);
    let body = ("[a-z]{1,3}", reply_to, vanishes).prop_map(|(text, to, vanishes)| {
        let body = match to {
            Some(to) => Body::text(&text).replying_to(to),
            None => Body::text(&text),
        };
        if vanishes { body.expiring_in_ms(1_000) } else { body }
    });
    append(conversation(), 3, body.prop_map(Intent::Message))
}

/// To one of the first events: some are messages.
fn reaction() -> impl Strategy<Value = Command> {
    let emoji = prop_oneof![12 => Just("👍"), 3 => Just("❤\u{fe0f}"), 1 => Just("ok")];
    let to = prop_oneof![12 => (1..5u64).prop_map(Seq), 1 => seq()];
    let intent = (to, emoji, prop::bool::weighted(0.4)).prop_map(|(to, emoji, remove)| Intent::React {
        to,
        emoji: emoji.to_owned(),
        remove,
    });
    append(conversation(), 8, intent)
}

/// Of one of the first events, by any user, with little time.
fn message_change() -> impl Strategy<Value = Command> {
    let to = || prop_oneof![12 => (1..5u64).prop_map(Seq), 1 => seq()];
    let body = prop_oneof![9 => Just(Body::text("x")), 1 => Just(Body { kind: 1_000, ..Body::default() })];
    let intent = prop_oneof![
        3 => (to(), body).prop_map(|(to, body)| Intent::Edit { to, body }),
        1 => (to(), 0..20u64).prop_map(|(to, within_ms)| Intent::Recall { to, within_ms }),
        4 => (to(), prop::bool::weighted(0.4)).prop_map(|(to, remove)| Intent::Pin { to, remove }),
    ];
    append(conversation(), 8, intent)
}

fn poll() -> impl Strategy<Value = Command> {
    let options = ["a", "b", "c"].map(str::to_owned).to_vec();
    let poll = (any::<bool>(), any::<bool>()).prop_map(move |(multiple, anonymous)| {
        let (question, options) = ("?".to_owned(), options.clone());
        Intent::Message(Poll { question, options, multiple, anonymous, ends_ms: 0 }.into())
    });
    append(conversation(), 3, poll)
}

/// In one of the first messages: some are polls.
fn vote() -> impl Strategy<Value = Command> {
    let to = || prop_oneof![12 => (1..5u64).prop_map(Seq), 1 => seq()];
    let options: [&[u32]; 8] = [&[0], &[0], &[1], &[2], &[0, 1], &[1, 0], &[3], &[]];
    let options = prop::sample::select(options.map(<[u32]>::to_vec).to_vec());
    let intent = prop_oneof![
        6 => (to(), options).prop_map(|(to, options)| Intent::Vote { to, options, remove: false }),
        2 => to().prop_map(|to| Intent::Vote { to, options: Vec::new(), remove: true }),
        1 => to().prop_map(|to| Intent::ClosePoll { to }),
    ];
    append(conversation(), 8, intent)
}

/// By few versions, so that many are late.
fn own_state() -> impl Strategy<Value = Command> {
    let change = prop_oneof![
        3 => (0..3u64).prop_map(|pin| PersonalChange { pin: Some(pin), ..PersonalChange::default() }),
        1 => until().prop_map(|until| {
            PersonalChange { muted_until: Some(Timestamp(until)), ..PersonalChange::default() }
        }),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(archived, hidden)| {
            PersonalChange { archived: Some(archived), hidden: Some(hidden), ..PersonalChange::default() }
        }),
        1 => "[a-z]{0,2}".prop_map(|draft| PersonalChange { draft: Some(draft), ..PersonalChange::default() }),
        1 => any::<bool>().prop_map(|marked| {
            PersonalChange { marked_unread: Some(marked), ..PersonalChange::default() }
        }),
        2 => seq().prop_map(|to| PersonalChange { clear_to: Some(to), ..PersonalChange::default() }),
    ];
    let seen = proptest::option::of(0..3u64);
    let changes =
        (conversation(), user(), ids(), seen, change).prop_map(|(conversation, user, request, seen, change)| {
            Command::from(ChangePersonal { conversation, user, request, seen, change })
        });
    let deletions = (conversation(), user(), vec((1..6u64).prop_map(Seq), 1..3))
        .prop_map(|(conversation, user, seqs)| Command::DeleteForMe(DeleteForMe { conversation, user, seqs }));
    prop_oneof![3 => changes, 1 => deletions]
}

/// The time of `due`: behind those of all messages that vanish until then.
const DUE: u64 = 2_100;

fn due() -> impl Strategy<Value = (u64, Command)> {
    conversation().prop_map(|conversation| {
        let (slot, until, most, gone) = (conversation.slot(), Timestamp(DUE), 1_000, Vec::new());
        (DUE, Command::RunDue(RunDue { slot, until, most, gone }))
    })
}

/// Rare, because nothing follows it.
fn end() -> impl Strategy<Value = Command> {
    append(Just(ConversationId::Group(group())), 8, Just(Intent::Disband))
}

fn group_change() -> impl Strategy<Value = Command> {
    let conversation = prop_oneof![12 => Just(ConversationId::Group(group())), 1 => conversation()];
    append(conversation, 8, change())
}

/// One in `follows` names a predecessor.
fn append(
    conversation: impl Strategy<Value = ConversationId>,
    follows: u32,
    intent: impl Strategy<Value = Intent>,
) -> impl Strategy<Value = Command> {
    let after = prop_oneof![follows - 1 => Just(None), 1 => ids().prop_map(Some)];
    (conversation, user(), ids(), after, intent).prop_map(|(conversation, actor, client_message_id, after, intent)| {
        Command::Append(Append { conversation, actor, client_message_id, after, intent })
    })
}

fn cursors() -> impl Strategy<Value = Command> {
    let one = (user(), seq(), seq()).prop_map(|(user, delivered, read)| CursorMove { user, delivered, read });
    (conversation(), vec(one, 0..4))
        .prop_map(|(conversation, moves)| Command::AdvanceCursors(AdvanceCursors { conversation, moves }))
}

fn settling() -> impl Strategy<Value = Command> {
    (conversation(), vec((user(), seq()), 0..6)).prop_map(|(conversation, rows)| {
        let slot = conversation.slot();
        let rows = rows.into_iter().map(|(user, version)| OutboxKey { slot, conversation, version, user });
        Command::SettleOutbox(SettleOutbox { slot, rows: rows.collect() })
    })
}

/// Accounts are outside of the model but obey the laws.
fn account() -> impl Strategy<Value = Command> {
    let name = prop_oneof![Just("anna"), Just("Anna"), Just("bert")].prop_map(Username::new);
    let names = (name, 1..4u8).prop_filter_map("a good name", |(name, request)| {
        Some(Register { name: name?, password_hash: String::new(), request: id(request) })
    });
    // The first user of a name's slot, whom `register` makes.
    let registered = || Username::new("anna").map_or(USERS[0], |name| UserId(1024 + u64::from(name.slot().0)));
    let device = (0..20u8).prop_filter_map("a good device", |n| DeviceId::new(&format!("d{n}")));
    let token = (0..4u8).prop_map(|n| TokenHash([n; 32]));
    let by = |user| Author { user, name: "root".to_owned(), address: String::new() };
    let keep = (device.clone(), token.clone());
    let change = prop_oneof![
        2 => (0..3u64, proptest::option::of(keep)).prop_map(|(revision, keep)| {
            AccountChange::ChangePassword { password_hash: "new".to_owned(), revision, keep }
        }),
        1 => (0..3u64).prop_map(|revision| {
            AccountChange::ResetPassword { password_hash: "once".to_owned(), revision }
        }),
        1 => Just(AccountChange::Disable),
        3 => Just(AccountChange::Enable),
        1 => any::<bool>().prop_map(|admin| AccountChange::SetAdmin { admin }),
        2 => prop::sample::select(AccountRole::ALL.to_vec()).prop_map(|role| AccountChange::SetRole { role }),
        1 => proptest::option::of(device.clone()).prop_map(|device| AccountChange::EndSessions { device }),
    ];
    let changes = (1..200u8, 0..2u8, change).prop_map(move |(request, other, change)| {
        let by = by(if other == 1 { USERS[0] } else { registered() });
        Command::from(ChangeAccount { user: registered(), request: id(request), by, change })
    });
    let touches = (device.clone(), token.clone(), any::<bool>()).prop_map(move |(device, token, live)| {
        Command::TouchSession(TouchSession { user: registered(), device, token, idle_ms: 1_600, live })
    });
    let inbox = (user(), conversation(), any::<bool>(), seq());
    let accept = (user(), conversation(), seq()).prop_map(|(user, conversation, version)| {
        Command::AcceptInvitation(AcceptInvitation { user, conversation, version, decline: false })
    });
    prop_oneof![
        1 => names.prop_map(Command::Register),
        4 => (device.clone(), token.clone(), prop_oneof![4 => Just(0), 1 => 0..3u64]).prop_map(move |(device, token, revision)| {
            Command::OpenSession(OpenSession { user: registered(), device, token, revision, from: String::new() })
        }),
        1 => (device, proptest::option::of(token)).prop_map(move |(device, token)| {
            Command::CloseSession(CloseSession { user: registered(), device, token })
        }),
        2 => changes,
        1 => touches,
        2 => prop_oneof![6 => inbox.prop_map(|(user, conversation, present, version)| {
            // One version says one thing, because it is the seq of one event.
            let present = present && version.0 % 2 == 0;
            let by = Some(USERS[version.0 as usize % USERS.len()]).filter(|by| version.0 % 3 != 0 && *by != user);
            Command::UpdateInbox(UpdateInbox { user, conversation, present, version, by, unasked: false })
        }), 1 => accept],
    ]
}

fn creating() -> impl Strategy<Value = Command> {
    any::<bool>().prop_map(|open| Command::CreateGroup(creation(open)))
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        1 => creating(),
        6 => message(),
        12 => reaction(),
        3 => message_change(),
        3 => poll(),
        9 => vote(),
        12 => group_change(),
        1 => append(conversation(), 8, retention().prop_map(|settings| Intent::Set(Box::new(settings)))),
        4 => own_state(),
        1 => end(),
        2 => cursors(),
        1 => settling(),
        6 => account(),
    ]
}

/// Most begin with the group, because few commands apply without it. Clocks disagree.
pub fn long_stories() -> impl Strategy<Value = Vec<(u64, Command)>> {
    let rest = vec(prop_oneof![40 => (1_000..1_050u64, command()), 1 => due()], 1..60);
    let first = prop_oneof![5 => creating().prop_map(Some), 1 => Just(None)];
    (first, rest).prop_map(|(first, rest)| first.map(|command| (1_000, command)).into_iter().chain(rest).collect())
}
