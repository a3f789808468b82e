//! Random commands against an independent model of a conversation, and the laws that hold for every
//! machine: a replay is equal, a repeat is harmless, a rejection leaves no trace.

mod commands;
mod coverage;
mod imports;
mod messages;
mod personal;
mod reference;
mod roles;
mod silence;
mod vanishing;

use std::collections::{BTreeMap, BTreeSet};

use commands::{USERS, conversations, long_stories};
use proptest::prelude::*;
use reference::Reference;
use roles::Roles;
use troupe_core::error::Refused;
use troupe_core::event::{self, Role};
use troupe_core::feature::{Edits, JoinRequest, Pins};
use troupe_core::record::{Conversation, Cursor, Member};
use troupe_core::state::memory::MemoryState;
use troupe_core::unread::{NOT_A_MESSAGE, Numbered};
use troupe_core::{
    ClientMessageId, Command, ConversationId, Effect, Event, EventKind, Intent, Level, Machine, Meta, Rejection, Reply,
    Rows, Seq, Timestamp, limits, unread,
};

type Story = Vec<(u64, Command)>;

fn meta(now: u64) -> Meta {
    Meta { now: Timestamp(now), level: Level::NEWEST }
}

/// The texts of rejections are for people; the model does not repeat them.
fn without_text(reply: Reply) -> Reply {
    match reply {
        Reply::Rejected(Rejection::BadRequest(_)) => Reply::Rejected(Rejection::BadRequest("")),
        Reply::Rejected(Rejection::Of(refused)) => Reply::Rejected(Rejection::Of(Refused { text: "", ..refused })),
        reply => reply,
    }
}

/// The model's answer; `None` for commands outside of the model.
fn expected(models: &mut [Reference], now: u64, command: &Command) -> Option<Reply> {
    let conversation = match command {
        Command::Append(c) => c.conversation,
        Command::AdvanceCursors(c) => c.conversation,
        Command::ChangePersonal(c) => c.conversation,
        Command::DeleteForMe(c) => c.conversation,
        Command::RunDue(c) => {
            let of_slot = models.iter_mut().filter(|model| model.id.slot() == c.slot);
            return Some(Reply::DueDone { done: of_slot.map(|model| model.run_due(now, c.until.0)).sum() });
        }
        _ => return None,
    };
    let model = models.iter_mut().find(|model| model.id == conversation)?;
    match command {
        Command::Append(c) => Some(model.append(now, c)),
        Command::AdvanceCursors(c) => Some(model.advance(c)),
        Command::ChangePersonal(c) => Some(model.change_personal(c)),
        Command::DeleteForMe(c) => Some(model.delete_for_me(c)),
        _ => None,
    }
}

/// The model creates a group when the machine reports one.
fn begin_group(models: &mut [Reference], now: u64, command: &Command, reply: &Reply, state: &MemoryState) {
    let (Command::CreateGroup(c), Reply::GroupCreated { group }) = (command, reply) else { return };
    let found = models.iter_mut().find(|model| model.id == ConversationId::Group(*group) && model.log.is_empty());
    let Some(model) = found else { return };
    model.open = c.open;
    model.push(now, c.creator, c.request, EventKind::Created { name: c.name.clone() });
    let others: BTreeSet<_> = c.members.iter().copied().filter(|user| *user != c.creator).collect();
    if !others.is_empty() {
        // How the second id is derived is the machine's own affair; that it is a new one is checked
        // below.
        let second = state.get::<Event>(&(model.id, Seq(2))).map(|event| event.client_message_id);
        let users = others.into_iter().collect();
        model.push(now, c.creator, second.unwrap_or_default(), EventKind::Added { users });
    }
}

/// Every fact about a conversation agrees with the model.
fn agrees(state: &MemoryState, model: &Reference) {
    let log = state.events(model.id);
    let said: Vec<Event> = log.iter().map(|event| Event { seal: None, ..event.clone() }).collect();
    assert_eq!(said, model.log);
    assert!(log.iter().all(|event| event.seal.is_some() && (event.is_whole() || event.is_erased())));
    let row = state.get::<Conversation>(&model.id);
    assert_eq!(row.is_some(), !log.is_empty());
    let members = state.page::<Member>(&model.id, None, usize::MAX);
    let roles: BTreeMap<_, _> = members.iter().map(|((_, user), member)| (*user, member.role)).collect();
    assert_eq!(roles, model.members);
    assert!(members.is_empty() || members.iter().any(|(_, member)| member.role == Role::Owner), "it has no owner");
    for user in USERS {
        let cursor = state.get::<Cursor>(&(model.id, user)).unwrap_or_default();
        assert_eq!(cursor, model.cursors.get(&user).copied().unwrap_or_default());
        personal::own_states_agree(state, model, user);
        if let Some(expected) = model.unread(user) {
            let since = state.get::<Member>(&(model.id, user)).map_or(Seq(1), |member| member.since);
            let numbered = |of, seq| Ok::<u64, ()>(state.numbered_up_to(model.id, of, seq));
            assert_eq!(unread::unread(user, Seq(log.len() as u64), cursor.read, since, numbered), Ok(expected));
        }
    }
    messages::reactions_agree(state, model);
    let edits = state.page::<Edits>(&model.id, None, usize::MAX).into_iter();
    assert_eq!(edits.map(|((_, seq), edits)| (seq, edits.seqs)).collect::<BTreeMap<_, _>>(), model.edits);
    let pins = state.get::<Pins>(&model.id).unwrap_or_default().pins;
    assert_eq!(pins.iter().map(|pin| Seq(pin.seq)).collect::<Vec<_>>(), model.pins);
    let asked = state.page::<JoinRequest>(&model.id, None, usize::MAX).into_iter();
    assert_eq!(asked.map(|((_, user), _)| user).collect::<BTreeSet<_>>(), model.asked);
    messages::polls_agree(state, model);
    personal::readers_agree(state, model);
    let Some(row) = row else { return };
    assert_eq!(row.join_requests as usize, model.asked.len());
    assert_eq!(row.head, Seq(log.len() as u64));
    assert_eq!(u64::from(row.retention_seconds) * 1_000, model.retention_ms);
    assert_eq!(row.members as usize, members.len());
    let owners = members.iter().filter(|(_, member)| member.role == Role::Owner).count();
    assert_eq!(row.owners as usize, owners);
    assert_eq!(event::verify(Seq(0), 0, &log), Ok(row.chain));
    let erased: Vec<Event> = log.iter().map(|event| event.clone().erased().unwrap_or_else(|| event.clone())).collect();
    assert_eq!(event::verify(Seq(0), 0, &erased), Ok(row.chain), "without what can be erased");
    assert!(log.iter().zip(1..).all(|(event, seq)| event.seq == Seq(seq)), "a gap");
    assert!(log.is_sorted_by_key(|event| event.time), "time went back");
    let ids: BTreeSet<_> = log.iter().map(|event| (event.sender, event.client_message_id)).collect();
    assert_eq!(ids.len(), log.len(), "an id has two places");
}

fn run(machine: Machine, story: &Story) -> (MemoryState, Vec<(Reply, Vec<Effect>)>) {
    let mut state = MemoryState::default();
    let answers = story.iter().map(|(now, command)| machine.apply(&mut state, meta(*now), command)).collect();
    (state, answers)
}

fn follow(machine: Machine, story: &Story) {
    let mut state = MemoryState::default();
    let mut models: Vec<Reference> = conversations().into_iter().map(Reference::new).collect();
    let mut roles = Roles::default();
    for (now, command) in story {
        let (reply, effects) = machine.apply(&mut state, meta(*now), command);
        roles.follow(command, &reply);
        if let Some(expected) = expected(&mut models, *now, command) {
            assert_eq!(without_text(reply.clone()), expected, "{command:?}");
        }
        begin_group(&mut models, *now, command, &reply, &state);
        let delivered = effects.iter().filter(|effect| matches!(effect, Effect::Deliver { .. })).count();
        match reply {
            // The ban of a member stands behind its removal.
            Reply::Placed { duplicate: false, .. } if bans(command) => assert!((1..=2).contains(&delivered)),
            Reply::Placed { duplicate, .. } => assert_eq!(delivered, usize::from(!duplicate)),
            Reply::Rejected(_) => assert!(effects.is_empty()),
            _ => {}
        }
    }
    models.iter().for_each(|model| agrees(&state, model));
    roles.agree(&state);
    // Only existing outbox rows were settled, and the model knows every open one.
    for row in state.outbox() {
        let model = models.iter().find(|model| model.id == row.key.conversation);
        assert!(model.is_some_and(|model| model.owed.contains(&(row.key.version, row.key.user, row.present))));
    }
}

fn bans(command: &Command) -> bool {
    matches!(command, Command::Append(append) if matches!(append.intent, Intent::Ban { lift: false, .. }))
}

/// Without notifications that may repeat.
fn deeds(effects: Vec<Effect>) -> Vec<Effect> {
    effects
        .into_iter()
        .filter(|effect| {
            !matches!(
                effect,
                Effect::InboxChanged { .. }
                    | Effect::Invited { .. }
                    | Effect::InvitationExpired { .. }
                    | Effect::PersonalChanged { .. }
            )
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_machine_does_what_the_model_does(story in long_stories()) {
        follow(Machine::default(), &story);
    }

    /// The same commands on an empty state give the same rows, replies and effects.
    #[test]
    fn a_replay_is_equal(story in long_stories()) {
        prop_assert_eq!(run(Machine::default(), &story), run(Machine::default(), &story));
    }

    /// The first level allows and refuses the same, and writes nothing that version 0.1 does not
    /// write.
    #[test]
    fn the_first_level_decides_alike_and_writes_less(story in long_stories()) {
        let (mut first, mut newest) = (MemoryState::default(), MemoryState::default());
        for (now, command) in story.iter().filter(|(_, command)| command.level() == Level::FIRST) {
            let at = |level| Meta { level, ..meta(*now) };
            let (reply, _) = Machine::default().apply(&mut first, at(Level::FIRST), command);
            let (expected, _) = Machine::default().apply(&mut newest, at(Level::NEWEST), command);
            prop_assert_eq!(reply, expected, "{:?}", command);
        }
        for conversation in first.conversations() {
            let row = first.get::<Conversation>(&conversation).unwrap_or_default();
            prop_assert_eq!((row.owners, row.low_wrote, row.high_wrote), (0, false, false));
            prop_assert!(first.events(conversation).iter().all(|event| event.seal.is_none()));
            let senders = first.events(conversation).into_iter().map(|event| event.sender).chain([NOT_A_MESSAGE]);
            for user in senders {
                prop_assert_eq!(first.last_numbered(conversation, user, Seq(u64::MAX)), Numbered::default());
            }
        }
        prop_assert!(first.outbox().iter().all(|row| row.by.is_none()));
    }

    /// Repeating any command at once changes nothing; and a rejection changes nothing the first
    /// time either.
    #[test]
    fn a_repeat_is_harmless(story in long_stories()) {
        let machine = Machine::default();
        let mut state = MemoryState::default();
        for (now, command) in &story {
            let before = state.clone();
            let (reply, _) = machine.apply(&mut state, meta(*now), command);
            if let Reply::Rejected(_) = reply {
                prop_assert_eq!(&state, &before, "a rejection left a trace: {:?}", command);
            }
            // The time of the repeat decides about a mute.
            if matches!(&reply, Reply::Rejected(why) if ["muted", "group_muted"].contains(&why.code())) {
                continue;
            }
            let once = state.clone();
            let (_, effects) = machine.apply(&mut state, meta(now + 7), command);
            prop_assert_eq!(&state, &once, "a repeat left a trace: {:?}", command);
            prop_assert_eq!(deeds(effects), Vec::new(), "a repeat wants something done: {:?}", command);
        }
    }

    /// A repeat may come at any later time, after any other commands. Logins are an exception by
    /// design: the latest wins. Work that is due is done whenever a leader asks. Two other
    /// exceptions never come from a leader, but a random story has them: a cursor beyond the head,
    /// and the settling of a row before it exists.
    #[test]
    fn a_late_repeat_is_harmless(story in long_stories()) {
        let machine = Machine::default();
        let (mut state, answers) = run(machine, &story);
        let end = state.clone();
        let changes = story.iter().filter(|(_, command)| matches!(command, Command::ChangeAccount(_))).count();
        let own = story.iter().filter(|(_, command)| matches!(command, Command::ChangePersonal(_))).count();
        for ((_, command), (reply, _)) in story.iter().zip(&answers) {
            let login = matches!(command, Command::OpenSession(_) | Command::CloseSession(_));
            let of_the_future = matches!(command, Command::AdvanceCursors(_) | Command::SettleOutbox(_));
            // Decided by the time of the repeat, and recognised only among the last few.
            let of_its_time = match command {
                Command::TouchSession(_) | Command::RunDue(_) => true,
                Command::ChangeAccount(_) => changes > limits::CHANGES_REMEMBERED,
                Command::ChangePersonal(_) => own > limits::CHANGES_REMEMBERED,
                _ => false,
            };
            if login || of_the_future || of_its_time || matches!(reply, Reply::Rejected(_)) {
                continue;
            }
            let (again, effects) = machine.apply(&mut state, meta(1_000_000), command);
            prop_assert_eq!(&state, &end, "a late repeat left a trace: {:?}", command);
            prop_assert_eq!(deeds(effects), Vec::new());
            let placed = |reply: &Reply| match *reply {
                Reply::Placed { seq, time, .. } => Some((seq, time)),
                _ => None,
            };
            prop_assert_eq!(placed(&again), placed(reply), "another answer: {:?}", command);
        }
    }
}

/// The model detects bugs: among some thousand stories one reveals each planted bug of the machine.
/// The stories are the same in every run.
#[cfg(feature = "planted-bugs")]
#[test]
fn planted_bugs_are_noticed() {
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    use troupe_core::planted::Bug;
    let of_groups = [Bug::MuteIgnored, Bug::SlowModeIgnored, Bug::BannedReturns];
    let of_time = [Bug::VanishingKept, Bug::StaleChangeWins];
    for bug in [Bug::DedupWithoutSender, Bug::IgnoreAfter, Bug::ReactionTwice, Bug::EditByAnother, Bug::VoteTwice]
        .into_iter()
        .chain(of_groups)
        .chain(of_time)
    {
        let machine = Machine { planted: bug.into() };
        let config = Config { cases: 60_000, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let caught = TestRunner::new_with_rng(config, rng).run(&long_stories(), |story| {
            let mut models: Vec<Reference> = conversations().into_iter().map(Reference::new).collect();
            let mut state = MemoryState::default();
            for (now, command) in &story {
                let (reply, _) = machine.apply(&mut state, meta(*now), command);
                let expected = expected(&mut models, *now, command);
                begin_group(&mut models, *now, command, &reply, &state);
                prop_assert!(expected.is_none_or(|expected| expected == without_text(reply)));
            }
            Ok(())
        });
        assert!(caught.is_err(), "{} went unnoticed", bug.name());
    }
}

/// The derived id of the second event is stable, and it is not the request's.
#[test]
fn a_group_with_members_takes_two_ids() {
    let story = commands::team();
    let (state, answers) = run(Machine::default(), &vec![(1, story)]);
    let Some((Reply::GroupCreated { group }, _)) = answers.first() else { panic!("no group: {answers:?}") };
    let ids: Vec<_> = state.events(ConversationId::Group(*group)).iter().map(|e| e.client_message_id).collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
    assert_ne!(ids[1], ClientMessageId::default());
}
