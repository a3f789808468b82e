//! Pages: their order, their bounds, their sequence, and unreadable rows.

use std::sync::Arc;

use troupe_core::event::Role;
use troupe_core::record::{Conversation, Counter, InboxEntry, Member, NameOf, OutboxKey, OutboxRow, Session, User};
use troupe_core::{Body, ConversationId, Event, EventKind, GroupId, Rows, Seq, Slot, Timestamp, UserId};
use troupe_store::engine::{KeyRange, Pair};
use troupe_store::rows::slot_range;
use troupe_store::{Batch, Durability, Engine, EngineError, Family, Memory, Reader, Transaction, View};

use super::{Store, id, user};

const GROUP: ConversationId = ConversationId::Group(GroupId(7));
const NEXT_GROUP: ConversationId = ConversationId::Group(GroupId(7 + 1024));

fn event(seq: u64, bytes: usize) -> Event {
    let body = Body { kind: 1_009, content: vec![7; bytes].into(), context: None };
    let (seq, time) = (Seq(seq), Timestamp(seq));
    Event { seq, time, sender: user(1), client_message_id: id(1), kind: EventKind::Message(body), seal: None }
}

fn put_event(state: &mut Transaction, conversation: ConversationId, seq: u64, bytes: usize) {
    state.put(&(conversation, Seq(seq)), &event(seq, bytes));
}

/// A store that `fill` has written to.
fn filled(fill: impl FnOnce(&mut Transaction)) -> View {
    let mut store = Store::new();
    fill(&mut store.open);
    store.commit();
    View::new(store.reader())
}

fn seqs(events: Result<Vec<Event>, EngineError>) -> Vec<u64> {
    events.unwrap().into_iter().map(|event| event.seq.0).collect()
}

#[test]
fn events_come_in_pages_in_both_directions() {
    let view = filled(|state| {
        (1..=200).for_each(|seq| put_event(state, GROUP, seq, 10));
        // Neighbours in the same slot, before and after.
        put_event(state, ConversationId::Group(GroupId(7 + 2048)), 1, 10);
        put_event(state, NEXT_GROUP, 1, 10);
    });
    let range = |from: u64, to: u64| (from..=to).collect::<Vec<_>>();
    assert_eq!(seqs(view.events(GROUP, Seq::ZERO, 1_000, usize::MAX)), range(1, 200));
    assert_eq!(seqs(view.events(GROUP, Seq(5), 3, usize::MAX)), [6, 7, 8]);
    assert_eq!(seqs(view.events(GROUP, Seq(50), 130, usize::MAX)), range(51, 180));
    assert_eq!(seqs(view.events(GROUP, Seq(198), 10, usize::MAX)), [199, 200]);
    assert_eq!(seqs(view.events(GROUP, Seq(200), 10, usize::MAX)), [0; 0]);
    assert_eq!(seqs(view.events(GROUP, Seq(u64::MAX), 10, usize::MAX)), [0; 0]);
    assert_eq!(seqs(view.events(GROUP, Seq::ZERO, 0, usize::MAX)), [0; 0]);
    assert_eq!(seqs(view.events_before(GROUP, None, 3, usize::MAX)), [198, 199, 200]);
    assert_eq!(seqs(view.events_before(GROUP, Some(Seq(180)), 130, usize::MAX)), range(50, 179));
    assert_eq!(seqs(view.events_before(GROUP, Some(Seq(3)), 10, usize::MAX)), [1, 2]);
    assert_eq!(seqs(view.events_before(GROUP, Some(Seq(1)), 10, usize::MAX)), [0; 0]);
    assert_eq!(seqs(view.events_before(GROUP, Some(Seq::ZERO), 10, usize::MAX)), [0; 0]);
}

#[test]
fn a_page_of_events_is_cut_by_bytes_but_never_empty() {
    let view = filled(|state| (1..=100).for_each(|seq| put_event(state, GROUP, seq, 1_000)));
    let page = seqs(view.events(GROUP, Seq::ZERO, 100, 10_500));
    assert_eq!(page, (1..=10).collect::<Vec<_>>());
    let page = seqs(view.events_before(GROUP, None, 100, 10_500));
    assert_eq!(page, (91..=100).collect::<Vec<_>>());
    assert_eq!(seqs(view.events(GROUP, Seq(4), 100, 10)), [5]);
    assert_eq!(seqs(view.events_before(GROUP, Some(Seq(4)), 100, 0)), [3]);
}

#[test]
fn names_are_merged_over_slots_in_order() {
    let mut names: Vec<String> = (0..60).map(|number| format!("ann{number:02}")).collect();
    names.extend(["ann", "an", "anm", "ano", "bob", "ébène"].map(String::from));
    names.sort();
    let view = filled(|state| {
        for (number, name) in names.iter().enumerate() {
            state.put(&NameOf::of(name), &NameOf(UserId(number as u64 + 1)));
        }
    });
    let found = |prefix: &str, from: &str, limit| -> Vec<String> {
        let rows = view.names_with_prefix(0..1024, prefix, from, limit).unwrap();
        for (name, user) in &rows {
            assert_eq!(names[user.0 as usize - 1], *name);
        }
        rows.into_iter().map(|(name, _)| name).collect()
    };
    let ann: Vec<String> = names.iter().filter(|name| name.starts_with("ann")).cloned().collect();
    assert_eq!(ann.len(), 61);
    assert_eq!(found("", "", 1_000), names);
    assert_eq!(found("ann", "", 1_000), ann);
    assert_eq!(found("é", "", 5), ["ébène"]);
    assert_eq!(found("ann", "b", 5), [""; 0]);
    assert_eq!(found("nobody", "", 5), [""; 0]);
    let (mut pages, mut last) = (Vec::new(), String::new());
    loop {
        let page = found("ann", &last, 7);
        let Some(end) = page.last() else { break };
        last = end.clone();
        pages.extend(page);
    }
    assert_eq!(pages, ann);

    let ours = |name: &String| Slot::of(name.as_bytes()).0 < 512;
    let expected: Vec<String> = ann.iter().filter(|name| ours(name)).cloned().collect();
    let rows = view.names_with_prefix(0..512, "ann", "", 1_000).unwrap();
    assert_eq!(rows.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), expected);
}

#[test]
fn lists_continue_after_what_was_seen() {
    let conversations: Vec<ConversationId> =
        (1..=9).map(|number| ConversationId::Group(GroupId(number * 300))).collect();
    let row = Conversation { head: Seq(1), time: Timestamp(1), created: Timestamp(1), ..Conversation::default() };
    let keys: Vec<OutboxKey> = conversations
        .iter()
        .flat_map(|conversation| {
            (1..=2).map(|version| OutboxKey {
                slot: conversation.slot(),
                conversation: *conversation,
                version: Seq(version),
                user: user(1),
            })
        })
        .collect();
    let view = filled(|state| {
        for conversation in &conversations {
            state.put(conversation, &row);
            let entry = InboxEntry { conversation: *conversation, present: true, version: Seq(1), unanswered: false };
            state.put(&(user(1), entry.conversation), &entry);
            state.put(&(user(2), entry.conversation), &entry);
        }
        keys.iter().for_each(|key| state.put(key, &OutboxRow { key: key.clone(), present: true, by: None }));
        (1..=9).for_each(|number| state.put(&(GROUP, user(number)), &Member::new(Role::Member, Seq(1))));
        state.put(&(NEXT_GROUP, user(1)), &Member::new(Role::Member, Seq(1)));
    });

    /// Reads page after page until one is not full.
    fn all<T: Clone, K>(mut page: impl FnMut(Option<K>, usize) -> Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
        let (mut rows, mut last): (Vec<T>, Option<K>) = (Vec::new(), None);
        loop {
            let next = page(last.take(), 4);
            assert!(next.len() <= 4);
            rows.extend_from_slice(&next);
            match next.last() {
                Some(end) if next.len() == 4 => last = Some(key(end)),
                _ => return rows,
            }
        }
    }
    let mut by_slot = conversations.clone();
    by_slot.sort_by_key(|conversation| (conversation.slot(), *conversation));
    let found = all(|from, limit| view.conversations(0..1024, from, limit).unwrap(), |(id, _)| *id);
    assert_eq!(found.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), by_slot);
    let mut sorted = keys.clone();
    sorted.sort();
    let found = all(|from, limit| view.outbox(0..1024, from, limit).unwrap(), |row| row.key.clone());
    assert_eq!(found.into_iter().map(|row| row.key).collect::<Vec<_>>(), sorted);
    let found = all(|from, limit| view.inbox(user(1), from, limit).unwrap(), |entry| entry.conversation);
    assert_eq!(found.into_iter().map(|entry| entry.conversation).collect::<Vec<_>>(), conversations);
    let found = all(|from, limit| view.members(GROUP, from, limit).unwrap(), |(user, _)| *user);
    assert_eq!(found.into_iter().map(|(user, _)| user).collect::<Vec<_>>(), (1..=9).map(user).collect::<Vec<_>>());

    let half = view.outbox(0..512, None, 1_000).unwrap();
    let expected: Vec<_> = sorted.iter().filter(|key| key.slot.0 < 512).cloned().collect();
    assert_eq!(half.into_iter().map(|row| row.key).collect::<Vec<_>>(), expected);
}

/// Deleting the ranges of some slots takes their rows in all families and no others.
#[test]
fn a_range_of_slots_is_everything_of_those_slots() {
    let mut store = Store::new();
    for number in 0..1024u64 {
        let conversation = ConversationId::Group(GroupId(1024 + number));
        put_event(&mut store.open, conversation, 1, 1);
        store.open.put(&Slot(number as u16), &Counter(1));
        store.open.put(&(conversation, user(1)), &Member::new(Role::Member, Seq(1)));
    }
    store.commit();
    let (from, to) = slot_range(100, 300);
    let mut batch = Batch::default();
    for family in Family::OF_SLOTS {
        batch.delete_range(family, from.clone(), to.clone());
    }
    store.engine.write(batch, Durability::Buffered).unwrap();
    let view = View::new(store.reader());
    for number in 0..1024u64 {
        let conversation = ConversationId::Group(GroupId(1024 + number));
        let kept = !(100..300).contains(&number);
        assert_eq!(view.event(conversation, Seq(1)).unwrap().is_some(), kept);
        assert_eq!(view.get::<Counter>(&Slot(number as u16)).unwrap().is_some(), kept);
        assert_eq!(view.member(conversation, user(1)).unwrap().is_some(), kept);
    }
}

struct Failing;

impl Reader for Failing {
    fn get(&self, _: Family, _: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Err(EngineError::Fatal("read: input/output error".to_owned()))
    }

    fn scan(&self, _: Family, _: KeyRange, _: bool, _: usize) -> Result<Vec<Pair>, EngineError> {
        Err(EngineError::Fatal("scan: input/output error".to_owned()))
    }
}

#[test]
fn a_failed_read_spoils_the_transaction() {
    let mut transaction = Transaction::new(Arc::new(Failing));
    transaction.put(&Slot(1), &Counter(5));
    assert_eq!(transaction.get(&Slot(1)), Some(Counter(5)), "what it wrote itself it need not read");
    assert!(transaction.error().is_none());
    assert_eq!(transaction.get::<User>(&user(1)), None);
    assert_eq!(transaction.page::<Session>(&user(1), None, 9), []);
    let first = |error| matches!(error, EngineError::Fatal(why) if why.starts_with("read"));
    assert!(transaction.error().is_some_and(first));
    assert!(transaction.into_batch().is_err_and(first));
}

#[test]
fn a_damaged_row_is_fatal() {
    let engine = Memory::new();
    let mut transaction = Transaction::new(Arc::new(engine.clone()));
    put_event(&mut transaction, GROUP, 1, 5);
    transaction.put(&GROUP.slot(), &Counter(1));
    let mut batch = transaction.into_batch().unwrap();
    for op in &mut batch.ops {
        if let troupe_store::engine::Op::Put(_, _, value) = op {
            value.pop();
        }
    }
    engine.write(batch, Durability::Buffered).unwrap();
    let view = View::new(Arc::new(engine));
    let damaged = |error: EngineError| matches!(error, EngineError::Fatal(why) if why.contains("cannot be read"));
    assert!(view.event(GROUP, Seq(1)).is_err_and(damaged));
    assert!(view.events(GROUP, Seq::ZERO, 10, 1_000).is_err_and(damaged));
    assert!(view.get::<Counter>(&GROUP.slot()).is_err_and(damaged));
}
