//! The ends of the scale, which no trace reaches: full groups, full logs, exhausted ids, and rows
//! that no machine has written. Nothing panics there, and a rejection leaves no trace.

use std::collections::BTreeSet;

use troupe_core::command::{Append, CreateGroup, Intent, RecordAct, Register, SettleOutbox, UpdateInbox};
use troupe_core::event::{self, Role};
use troupe_core::limits;
use troupe_core::record::{Author, Conversation, Counter, Member, NameOf, OutboxKey, Placed};
use troupe_core::state::memory::MemoryState;
use troupe_core::{
    Body, ClientMessageId, Command, ConversationId, Event, EventKind, GroupId, Level, Machine, Meta, Rejection, Reply,
    Rows, Seq, Slot, Timestamp, UserId, Username,
};

const OWNER: UserId = UserId(1);
const GROUP: GroupId = GroupId(1024);
const TEAM: ConversationId = ConversationId::Group(GROUP);

fn apply(state: &mut MemoryState, command: Command) -> Reply {
    let before = state.clone();
    let (reply, effects) =
        Machine::default().apply(state, Meta { now: Timestamp(1_000), level: Level::NEWEST }, &command);
    if let Reply::Rejected(_) = reply {
        assert_eq!(*state, before, "a rejection left a trace: {command:?}");
        assert_eq!(effects, Vec::new());
    }
    reply
}

fn id(n: u8) -> ClientMessageId {
    ClientMessageId([n; 16])
}

fn text(conversation: ConversationId, sender: UserId, n: u8) -> Command {
    append(conversation, sender, n, Intent::Message(Body::text("x")))
}

fn change(actor: UserId, n: u8, change: Intent) -> Command {
    append(TEAM, actor, n, change)
}

fn append(conversation: ConversationId, actor: UserId, n: u8, intent: Intent) -> Command {
    Command::Append(Append { conversation, actor, client_message_id: id(n), after: None, intent })
}

fn row(head: Seq, members: u32) -> Conversation {
    let (name, time) = ("Team".to_owned(), Timestamp(1));
    Conversation { name, open: true, head, time, members, owners: 1, created: time, ..Conversation::default() }
}

/// A group of users 1, 2, 3 ... as if it had a history; the first is its owner.
fn group_of(members: usize) -> MemoryState {
    let mut state = MemoryState::default();
    state.put(&TEAM, &row(Seq(7), members as u32));
    for user in 1..=members as u64 {
        let role = if UserId(user) == OWNER { Role::Owner } else { Role::Member };
        state.put(&(TEAM, UserId(user)), &Member::new(role, Seq(1)));
    }
    state
}

/// A page of members goes with the event, and one with each settling of rows.
#[test]
fn a_disbanded_group_empties_itself() {
    let members = 2 * limits::DISMISSED_AT_ONCE + 3;
    let mut state = group_of(members);
    assert!(matches!(apply(&mut state, change(OWNER, 1, Intent::Disband)), Reply::Placed { .. }));
    let ended = |state: &mut MemoryState, n| match apply(state, text(TEAM, UserId(members as u64), n)) {
        Reply::Rejected(why) => why.code(),
        other => panic!("{other:?}"),
    };
    assert_eq!(ended(&mut state, 2), "group_disbanded", "it is still a member, for a moment");
    let mut told = BTreeSet::new();
    for page in 0..3 {
        let rows: Vec<OutboxKey> = state.outbox().into_iter().map(|row| row.key).collect();
        assert!((1..=limits::DISMISSED_AT_ONCE).contains(&rows.len()), "page {page} has {} rows", rows.len());
        told.extend(rows.iter().map(|key| key.user));
        assert_eq!(apply(&mut state, Command::SettleOutbox(SettleOutbox { slot: TEAM.slot(), rows })), Reply::Done);
    }
    assert_eq!((told.len(), state.outbox().len()), (members, 0));
    assert_eq!(state.get::<Conversation>(&TEAM).map(|row| row.members), Some(0));
    assert_eq!(ended(&mut state, 2), "not_member");
}

fn is_bad_request(reply: &Reply) -> bool {
    matches!(reply, Reply::Rejected(Rejection::BadRequest(_)))
}

#[test]
fn a_full_group_takes_nobody() {
    let mut state = group_of(limits::GROUP_MEMBERS - 1);
    let stranger = |n: u64| UserId(1_000_000 + n);
    let add = |n, users| change(OWNER, n, Intent::Add { users });
    assert_eq!(apply(&mut state, add(1, vec![stranger(1), stranger(2)])), Reply::Rejected(Rejection::GroupFull));
    let placed = apply(&mut state, add(2, vec![stranger(1), OWNER, stranger(1)]));
    assert_eq!(placed, Reply::Placed { seq: Seq(8), time: Timestamp(1_000), duplicate: false });
    assert_eq!(apply(&mut state, add(3, vec![stranger(2)])), Reply::Rejected(Rejection::GroupFull));
    assert_eq!(apply(&mut state, change(stranger(2), 1, Intent::Join)), Reply::Rejected(Rejection::GroupFull));
}

#[test]
fn one_request_names_two_hundred_users() {
    let users = |count: usize| (2..2 + count as u64).map(UserId).collect::<Vec<_>>();
    let most = limits::MEMBERS_PER_REQUEST;
    let create = |n, members| {
        let name = "Team".to_owned();
        Command::CreateGroup(CreateGroup { creator: OWNER, request: id(n), name, open: false, members })
    };
    let mut state = group_of(1);
    let add = |n, users| change(OWNER, n, Intent::Add { users });
    assert_eq!(apply(&mut state, add(1, users(most + 1))), Reply::Rejected(Rejection::TooMany));
    assert_eq!(apply(&mut state, create(1, users(most + 1))), Reply::Rejected(Rejection::TooMany));
    assert!(matches!(apply(&mut state, add(2, users(most))), Reply::Placed { .. }));
    // The creator and repetitions do not count.
    let mut named = users(most);
    named.extend([OWNER, UserId(2), UserId(2)]);
    assert!(matches!(apply(&mut state, create(2, named)), Reply::GroupCreated { .. }));
}

/// The number of owners comes from the row, for any number of members: a second owner that the row
/// does not count is not found.
#[test]
fn the_last_owner_is_known_without_a_look_at_the_members() {
    let mut state = group_of(2);
    state.put(&(TEAM, UserId(2)), &Member::new(Role::Owner, Seq(1)));
    assert_eq!(apply(&mut state, change(OWNER, 1, Intent::Leave)), Reply::Rejected(Rejection::LastOwner));
    let down = Intent::SetRole { user: OWNER, role: Role::Admin };
    assert_eq!(apply(&mut state, change(OWNER, 2, down)), Reply::Rejected(Rejection::LastOwner));
}

/// A row of 74c331d has no count: the first change that needs it reads the members, also if it is
/// refused.
#[test]
fn the_owners_of_an_old_row_are_counted_once() {
    let mut state = group_of(1_000);
    state.put(&TEAM, &Conversation { owners: 0, ..row(Seq(7), 1_000) });
    let (second, last) = (UserId(999), UserId(1_000));
    let leave = change(OWNER, 1, Intent::Leave);
    let refused = Machine::default().apply(&mut state, Meta { now: Timestamp(1_000), level: Level::NEWEST }, &leave);
    assert_eq!(refused, (Reply::Rejected(Rejection::LastOwner), Vec::new()));
    let owners = |state: &MemoryState| state.get::<Conversation>(&TEAM).map(|row| row.owners);
    assert_eq!(owners(&state), Some(1));
    // From here on the count is the truth: this owner is not in it.
    state.put(&(TEAM, second), &Member::new(Role::Owner, Seq(1)));
    assert_eq!(apply(&mut state, leave.clone()), Reply::Rejected(Rejection::LastOwner));
    let promote = |n| change(OWNER, n, Intent::SetRole { user: last, role: Role::Owner });
    assert!(matches!(apply(&mut state, promote(2)), Reply::Placed { .. }));
    // The second promotion is of an owner and counts nothing.
    assert!(matches!(apply(&mut state, promote(3)), Reply::Placed { .. }));
    assert_eq!(owners(&state), Some(2));
    assert!(matches!(apply(&mut state, leave), Reply::Placed { .. }));
    assert_eq!(apply(&mut state, change(last, 1, Intent::Leave)), Reply::Rejected(Rejection::LastOwner));
}

/// The other owner counts even if a thousand members stand before them.
#[test]
fn another_owner_is_found_far_behind() {
    let mut state = group_of(1_000);
    assert_eq!(apply(&mut state, change(OWNER, 1, Intent::Leave)), Reply::Rejected(Rejection::LastOwner));
    let last = UserId(1_000);
    let promoted = apply(&mut state, change(OWNER, 2, Intent::SetRole { user: last, role: Role::Owner }));
    assert!(matches!(promoted, Reply::Placed { .. }));
    assert!(matches!(apply(&mut state, change(OWNER, 3, Intent::Leave)), Reply::Placed { .. }));
    assert_eq!(apply(&mut state, change(last, 1, Intent::Leave)), Reply::Rejected(Rejection::LastOwner));
}

#[test]
fn a_full_log_takes_nothing() {
    let mut state = group_of(2);
    state.put(&TEAM, &row(Seq(u64::MAX), 2));
    assert!(is_bad_request(&apply(&mut state, text(TEAM, OWNER, 1))));
    assert!(is_bad_request(&apply(&mut state, change(OWNER, 2, Intent::Add { users: vec![UserId(9)] }))));
    assert!(is_bad_request(&apply(&mut state, change(UserId(2), 3, Intent::Leave))));
}

#[test]
fn ids_end_below_two_to_the_53() {
    let Some(name) = Username::new("anna") else { panic!("a good name") };
    let create = CreateGroup { creator: OWNER, request: id(1), name: "Team".into(), open: false, members: vec![] };
    let register = Register { name: name.clone(), password_hash: String::new(), request: id(1) };
    for (counter, fits) in [((1 << 43) - 2, true), ((1 << 43) - 1, false), (u64::MAX - 1, false), (u64::MAX, false)] {
        let mut state = MemoryState::default();
        state.put(&name.slot(), &Counter(counter));
        state.put(&create.slot(), &Counter(counter));
        match apply(&mut state, Command::Register(register.clone())) {
            Reply::Registered { user } => assert!(fits && user.0 < 1 << 53 && user.slot() == name.slot()),
            reply => assert!(!fits && is_bad_request(&reply), "{reply:?}"),
        }
        match apply(&mut state, Command::CreateGroup(create.clone())) {
            Reply::GroupCreated { group } => assert!(fits && group.0 < 1 << 53 && group.slot() == create.slot()),
            reply => assert!(!fits && is_bad_request(&reply), "{reply:?}"),
        }
    }
}

/// Users and groups of one slot share its counter, so that an id is never both.
#[test]
fn ids_of_a_slot_are_counted_together() {
    let Some(name) = Username::new("anna") else { panic!("a good name") };
    let mut state = MemoryState::default();
    let register = Register { name: name.clone(), password_hash: String::new(), request: id(1) };
    let Reply::Registered { user } = apply(&mut state, Command::Register(register)) else { panic!("a free name") };
    assert_eq!(user.0, 1024 + u64::from(name.slot().0));
    let requests = (0..=u16::MAX).map(|n| ClientMessageId(u128::from(n).to_be_bytes()));
    let mut creates = requests.map(|request| CreateGroup {
        creator: OWNER,
        request,
        name: "Team".to_owned(),
        open: false,
        members: Vec::new(),
    });
    let Some(create) = creates.find(|create| create.slot() == name.slot()) else { panic!("one in 1024") };
    let Reply::GroupCreated { group } = apply(&mut state, Command::CreateGroup(create)) else { panic!("a good group") };
    assert_eq!(group.0, 2 * 1024 + u64::from(name.slot().0));
}

#[test]
fn nobody_does_nothing() {
    let no_user = UserId(0);
    let no_such_user = Reply::Rejected(Rejection::NoSuchUser);
    let mut state = group_of(1);
    assert_eq!(apply(&mut state, text(ConversationId::Everyone, no_user, 1)), no_such_user);
    assert_eq!(apply(&mut state, change(no_user, 1, Intent::Join)), no_such_user);
    assert_eq!(apply(&mut state, change(OWNER, 1, Intent::Add { users: vec![no_user] })), no_such_user);
    let create = CreateGroup { creator: no_user, request: id(1), name: "Team".into(), open: false, members: vec![] };
    assert_eq!(apply(&mut state, Command::CreateGroup(create)), no_such_user);
}

/// The type allows them; the log must not have two names for one conversation.
#[test]
fn misspelt_direct_conversations_are_refused() {
    let mut state = MemoryState::default();
    for (low, high) in [(2, 1), (1, 1), (0, 1)] {
        let conversation = ConversationId::Direct { low: UserId(low), high: UserId(high) };
        assert!(is_bad_request(&apply(&mut state, text(conversation, UserId(1), 1))));
    }
}

#[test]
fn rows_of_another_slot_are_not_settled() {
    let mut state = MemoryState::default();
    let direct = ConversationId::Direct { low: UserId(1), high: UserId(2) };
    apply(&mut state, text(direct, UserId(1), 1));
    let rows: Vec<OutboxKey> = state.outbox().into_iter().map(|row| row.key).collect();
    assert_eq!(rows.len(), 2);
    let elsewhere = Slot((direct.slot().0 + 1) % 1024);
    apply(&mut state, Command::SettleOutbox(SettleOutbox { slot: elsewhere, rows: rows.clone() }));
    assert_eq!(state.outbox().len(), 2);
    apply(&mut state, Command::SettleOutbox(SettleOutbox { slot: direct.slot(), rows }));
    assert_eq!(state.outbox(), Vec::new());
}

/// A failing store answers as if rows were missing; the machine must complete.
#[test]
fn missing_rows_do_not_panic() {
    let mut state = MemoryState::default();
    state.put(&(TEAM, OWNER, id(1)), &Placed(Seq(5)));
    let placed = Reply::Placed { seq: Seq(5), time: Timestamp(0), duplicate: true };
    assert_eq!(apply(&mut state, text(TEAM, OWNER, 1)), placed);

    let Some(name) = Username::new("anna") else { panic!("a good name") };
    state.put(&NameOf::of(name.key().as_str()), &NameOf(UserId(77)));
    let register = Register { name, password_hash: String::new(), request: id(1) };
    assert_eq!(apply(&mut state, Command::Register(register)), Reply::Rejected(Rejection::NameTaken));

    // A member of a group that counts none.
    state.put(&TEAM, &row(Seq(1), 0));
    state.put(&(TEAM, OWNER), &Member::new(Role::Owner, Seq(1)));
    assert!(matches!(apply(&mut state, change(OWNER, 2, Intent::Leave)), Reply::Placed { .. }));

    let last = UpdateInbox {
        user: OWNER,
        conversation: TEAM,
        present: true,
        version: Seq(u64::MAX),
        by: None,
        unasked: false,
    };
    assert_eq!(apply(&mut state, Command::UpdateInbox(last)), Reply::Done);
}

/// An upgrade in the middle of a log: earlier events keep their form, and one chain covers both.
#[test]
fn a_log_goes_on_in_the_new_form_when_the_level_rises() {
    let mut state = group_of(2);
    state.put(&TEAM, &row(Seq(0), 2));
    for (n, level) in [(1, Level::FIRST), (2, Level::FIRST), (3, Level::SECOND), (4, Level::SECOND)] {
        let meta = Meta { now: Timestamp(1_000), level };
        let (reply, _) = Machine::default().apply(&mut state, meta, &text(TEAM, OWNER, n));
        assert!(matches!(reply, Reply::Placed { .. }));
    }
    let mut log = state.events(TEAM);
    let sealed: Vec<bool> = log.iter().map(|event| event.seal.is_some()).collect();
    assert_eq!(sealed, [false, false, true, true]);
    let chain = state.get::<Conversation>(&TEAM).expect("a row").chain;
    assert_eq!(event::verify(Seq(0), 0, &log), Ok(chain));
    log[2] = log[2].clone().erased().expect("sealed events can be erased");
    assert!(log[2].kind.content().is_empty());
    assert_eq!(event::verify(Seq(0), 0, &log), Ok(chain));
}

/// The chain is compared between replicas of different builds: its bytes never change.
#[test]
fn the_chain_never_changes() {
    let kinds = [
        (EventKind::Message(Body::text("hello")), 0x9b37_e051_b0ee_180d),
        (EventKind::Created { name: "Team".to_owned() }, 0xd64b_f45e_5ee1_1717),
        (EventKind::Renamed { name: "Team".to_owned() }, 0xd9cf_5e99_c2d6_84ae),
        (EventKind::Added { users: vec![UserId(1), UserId(2)] }, 0x6444_b87b_be9a_36d2),
        (EventKind::Removed { user: UserId(1) }, 0x1d11_a8f8_e397_4ef7),
        (EventKind::RoleChanged { user: UserId(1), role: Role::Admin }, 0x0a82_fef6_87b5_2566),
    ];
    let chains = kinds.map(|(kind, golden)| {
        let event =
            Event { seq: Seq(3), time: Timestamp(5), sender: UserId(7), client_message_id: id(9), kind, seal: None };
        (event.chain(11), golden)
    });
    let (chains, golden): (Vec<u64>, Vec<u64>) = chains.into_iter().unzip();
    assert_eq!(chains, golden);
}

/// An attempt without an answer may be committed behind other acts.
#[test]
fn an_act_that_is_committed_again_behind_others_is_recorded_once() {
    let mut state = MemoryState::default();
    let mut act = |slot: u16, n: u8| {
        let (by, action, target) = (Author::default(), "node.drain".to_owned(), format!("node {n}"));
        let act = RecordAct { slot: Slot(slot), request: id(n), by, action, target, detail: String::new() };
        assert_eq!(apply(&mut state, act.into()), Reply::Done);
        state.audit().iter().filter(|row| row.key.slot == Slot(slot) && row.request == id(n)).count()
    };
    assert_eq!(act(7, 0), 1);
    for other in 1..limits::AUDIT_ROWS_COMPARED as u8 {
        assert_eq!((act(7, other), act(7, 0)), (1, 1), "behind {other} others");
    }
    assert_eq!(act(8, 0), 1, "another slot knows nothing of it");
    assert_eq!(act(7, 0), 1);
    // The comparison reaches back a bounded number of rows.
    assert_eq!(act(7, 200), 1);
    assert_eq!(act(7, 0), 2);
}
