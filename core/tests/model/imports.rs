//! The log of any story, imported into an empty state, gives the same conversation. Each difference
//! from a log that is there is refused.

use proptest::collection::vec;
use proptest::prelude::*;
use troupe_core::command::{CursorMove, Destination, Import};
use troupe_core::feature::{Edits, OwnReactions, Reactions, Tally};
use troupe_core::record::{AuditRow, Author, Conversation, Cursor, Large, Member, Number, Placed, Table};
use troupe_core::state::memory::MemoryState;
use troupe_core::{
    Body, ClientMessageId, Command, ConversationId, Event, EventKind, Machine, Reply, Rows, Seq, Timestamp, UserId,
};

use crate::commands::{conversations, long_stories};
use crate::{meta, run};

const LATER: u64 = 4_000;

fn import(of: &MemoryState, conversation: ConversationId, events: &[Event], cursors: Vec<CursorMove>) -> Command {
    let open = of.get::<Conversation>(&conversation).is_some_and(|row| row.open);
    let into = match conversation {
        ConversationId::Group(_) => Destination::Group { key: ClientMessageId([9; 16]), open },
        known => Destination::Known(known),
    };
    let (request, by, source) = (ClientMessageId([8; 16]), Author::default(), "a test".to_owned());
    Command::from(Import { into, request, by, source, events: events.to_vec(), cursors })
}

fn cursors(of: &MemoryState, conversation: ConversationId) -> Vec<CursorMove> {
    let rows = of.page::<Cursor>(&conversation, None, usize::MAX).into_iter();
    rows.map(|((_, user), Cursor { delivered, read })| CursorMove { user, delivered, read }).collect()
}

/// The rows of a table, without the id of the conversation.
fn rows<T: Table, K: PartialEq + std::fmt::Debug>(
    of: &MemoryState,
    conversation: ConversationId,
    key: impl Fn(T::Key) -> K,
) -> Vec<(K, Vec<u8>)> {
    of.page::<T>(&conversation, None, usize::MAX).into_iter().map(|(at, row)| (key(at), row.to_value())).collect()
}

/// The part of a row that follows from the log. The run of vanished messages is a hint: it joins
/// what is erased at the time of the import. In a disbanded group a message vanishes without an
/// event, so its pin and its votes stay in another cluster.
fn in_log(row: Conversation) -> Conversation {
    let pins = if row.disbanded { 0 } else { row.pins };
    Conversation { vanished_from: Seq::ZERO, vanished_to: Seq::ZERO, pins, ..row }
}

fn is_equal(from: &MemoryState, a: ConversationId, to: &MemoryState, b: ConversationId) {
    assert_eq!(from.get::<Conversation>(&a).map(in_log), to.get::<Conversation>(&b).map(in_log));
    assert_eq!(from.events(a), to.events(b));
    assert_eq!(rows::<Member, _>(from, a, |key| key.1), rows::<Member, _>(to, b, |key| key.1));
    assert_eq!(rows::<Placed, _>(from, a, |key| (key.1, key.2)), rows::<Placed, _>(to, b, |key| (key.1, key.2)));
    assert_eq!(rows::<Number, _>(from, a, |key| (key.1, key.2)), rows::<Number, _>(to, b, |key| (key.1, key.2)));
    assert_eq!(rows::<Large, _>(from, a, |key| key.1), rows::<Large, _>(to, b, |key| key.1));
    assert_eq!(rows::<Reactions, _>(from, a, |key| key.1), rows::<Reactions, _>(to, b, |key| key.1));
    assert_eq!(rows::<Edits, _>(from, a, |key| key.1), rows::<Edits, _>(to, b, |key| key.1));
    // The log of an anonymous poll has its counts when it is closed.
    let polls = |of: &MemoryState, id| {
        let rows = of.page::<Tally>(&id, None, usize::MAX).into_iter();
        rows.map(|((_, seq), tally)| (seq, tally.voters, tally.closed)).collect::<Vec<_>>()
    };
    if !from.get::<Conversation>(&a).is_some_and(|row| row.disbanded) {
        assert_eq!(polls(from, a), polls(to, b));
    }
    let own = |of, id| rows::<OwnReactions, _>(of, id, |key| (key.1, key.2));
    assert_eq!(own(from, a), own(to, b));
    let takes_part = |user: UserId| !a.is_group() || from.get::<Member>(&(a, user)).is_some();
    let mut kept = rows::<Cursor, _>(from, a, |key| key.1);
    kept.retain(|(user, _)| takes_part(*user));
    assert_eq!(kept, rows::<Cursor, _>(to, b, |key| key.1));
}

/// Imports a log in parts of these sizes.
fn in_parts(
    from: &MemoryState,
    conversation: ConversationId,
    to: &mut MemoryState,
    sizes: &[usize],
    placed_before: u64,
) -> Option<ConversationId> {
    let log = from.events(conversation);
    let (mut rest, mut found) = (log.as_slice(), None);
    for size in sizes.iter().cycle() {
        let (part, others) = rest.split_at(rest.len().min(*size));
        let cursors = if others.is_empty() { cursors(from, conversation) } else { Vec::new() };
        let (reply, _) = Machine::default().apply(to, meta(LATER), &import(from, conversation, part, cursors));
        let last = part.last().map_or(Seq::ZERO, |event| event.seq);
        let new = part.iter().filter(|event| event.seq.0 > placed_before).count() as u64;
        match reply {
            Reply::Imported { conversation, head, placed } => {
                assert_eq!((head, placed), (last.max(Seq(placed_before)), new));
                found = Some(conversation);
            }
            other => panic!("{other:?}: {part:?}"),
        }
        rest = others;
        if rest.is_empty() {
            break;
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_imported_conversation_is_equal(story in long_stories(), sizes in vec(1..9usize, 1..5), again in vec(1..9usize, 1..5)) {
        let (from, _) = run(Machine::default(), &story);
        for conversation in conversations() {
            if from.events(conversation).is_empty() {
                continue;
            }
            let mut to = MemoryState::default();
            let Some(found) = in_parts(&from, conversation, &mut to, &sizes, 0) else { panic!("nothing was imported") };
            is_equal(&from, conversation, &to, found);
            prop_assert_eq!(to.page::<AuditRow>(&found.slot(), None, usize::MAX).len(), 1, "one row for the run");
            if found.is_group() {
                prop_assert!(to.outbox().iter().all(|row| row.by.is_none()), "an import invites no member again");
            }
            let once = to.clone();
            let head = from.events(conversation).len() as u64;
            in_parts(&from, conversation, &mut to, &again, head);
            prop_assert_eq!(to, once, "a repeat left a trace");
        }
    }

    #[test]
    fn an_import_that_was_cut_off_is_completed(story in long_stories(), cut in 1..12usize) {
        let (from, _) = run(Machine::default(), &story);
        for conversation in conversations() {
            let log = from.events(conversation);
            let cut = cut.min(log.len());
            if log.is_empty() {
                continue;
            }
            let mut to = MemoryState::default();
            let first = import(&from, conversation, &log[..cut], Vec::new());
            Machine::default().apply(&mut to, meta(LATER), &first);
            let Some(found) = in_parts(&from, conversation, &mut to, &[log.len()], cut as u64) else { panic!("nothing") };
            is_equal(&from, conversation, &to, found);
        }
    }

    #[test]
    fn a_difference_is_refused(story in long_stories(), at in any::<prop::sample::Index>(), what in 0..4) {
        differs(Machine::default(), &story, at, what)?;
    }
}

fn differs(machine: Machine, story: &crate::Story, at: prop::sample::Index, what: i32) -> Result<(), TestCaseError> {
    let (from, _) = run(Machine::default(), story);
    for conversation in conversations() {
        let log = from.events(conversation);
        if log.is_empty() {
            continue;
        }
        let mut to = MemoryState::default();
        machine.apply(&mut to, meta(LATER), &import(&from, conversation, &log, Vec::new()));
        let before = to.clone();
        let mut other = log.clone();
        let event = at.get(&log).clone();
        let changed = match what {
            0 => Event { time: Timestamp(event.time.0 + 1), ..event },
            1 => Event { sender: UserId(77), ..event },
            2 => Event { client_message_id: ClientMessageId([77; 16]), ..event },
            _ => Event { kind: EventKind::Message(Body::text("another")), ..event },
        };
        let place = (changed.seq.0 - 1) as usize;
        other[place] = changed;
        let (reply, effects) = machine.apply(&mut to, meta(LATER), &import(&from, conversation, &other, Vec::new()));
        let is_refused = matches!(&reply, Reply::Rejected(why) if why.code() == "import_differs");
        prop_assert!(is_refused, "{:?}", reply);
        prop_assert!(effects.is_empty() && to == before, "a refusal left a trace");
    }
    Ok(())
}

/// The law above has teeth.
#[cfg(feature = "planted-bugs")]
#[test]
fn an_import_without_comparison_is_noticed() {
    use proptest::test_runner::{Config, TestRunner};
    let machine = Machine { planted: troupe_core::planted::Bug::ImportUncompared.into() };
    let config = Config { cases: 200, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    let caught = TestRunner::new(config)
        .run(&(long_stories(), any::<prop::sample::Index>(), 0..4), |(story, at, what)| {
            differs(machine, &story, at, what)
        });
    assert!(caught.is_err(), "it went unnoticed");
}
