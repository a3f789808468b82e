//! The numbers behind unread counts: the same rows for any division of a log into batches, and the
//! right number at each place.

use std::sync::Arc;

use troupe_core::command::{Append, Intent};
use troupe_core::machine::Meta;
use troupe_core::record::{Number, Table};
use troupe_core::unread::LARGE_BYTES;
use troupe_core::{Body, ClientMessageId, Command, ConversationId, Level, Machine, Seq, Timestamp, UserId};
use troupe_store::engine::{Family, Reader as _};
use troupe_store::rows::{Numberings, View};
use troupe_store::{Durability, Engine, Memory, Transaction};

use super::user;

const EVENTS: u64 = 300;

/// Runs of one user, two in turn, and silences longer than the rows are apart.
fn author(seq: u64) -> UserId {
    match seq {
        1..=60 => user(1),
        61..=120 if seq.is_multiple_of(2) => user(2),
        121..=200 if seq.is_multiple_of(23) => user(2),
        _ => user(1),
    }
}

/// Most are small. Some are large, also in a row.
fn body_bytes(seq: u64) -> usize {
    if matches!(seq % 37, 0 | 1 | 20) { LARGE_BYTES } else { 5 }
}

/// Plays the log in batches of `size`. `kept`: each transaction continues with the cache of the
/// previous one.
fn played(size: usize, kept: bool) -> Memory {
    let engine = Memory::new();
    let mut numberings = Numberings::default();
    let seqs: Vec<u64> = (1..=EVENTS).collect();
    for batch in seqs.chunks(size) {
        let mut state = Transaction::after(Arc::new(engine.clone()), numberings);
        for seq in batch {
            let send = Append {
                conversation: ConversationId::Everyone,
                actor: author(*seq),
                client_message_id: ClientMessageId(u128::from(*seq).to_be_bytes()),
                after: None,
                intent: Intent::Message(Body { kind: 1_009, content: vec![7; body_bytes(*seq)].into(), context: None }),
            };
            let meta = Meta { now: Timestamp(1), level: Level::SECOND };
            Machine::default().apply(&mut state, meta, &Command::Append(send));
        }
        let (writes, after) = state.finish().unwrap();
        numberings = if kept { after } else { Numberings::default() };
        engine.write(writes, Durability::Buffered).unwrap();
    }
    engine
}

#[test]
fn rows_do_not_depend_on_batches_and_numbers_are_exact() {
    let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
    let rows = |engine: &Memory| engine.scan(Family::Conversations, all.clone(), false, usize::MAX).unwrap();
    let first = played(1, true);
    for (size, kept) in [(1, false), (2, true), (7, false), (16, true), (64, false), (300, true)] {
        assert!(rows(&played(size, kept)) == rows(&first), "batches of {size}, kept: {kept}");
    }
    let numbers = rows(&first).iter().filter(|(key, _)| Number::key_in(key).is_some()).count();
    assert!((20..100).contains(&numbers), "{numbers} rows for {EVENTS} events");
    let view = View::new(Arc::new(first));
    for user in [user(1), user(2), user(3)] {
        for seq in 0..=EVENTS {
            let exact = (1..=seq).filter(|seq| author(*seq) == user).count() as u64;
            assert_eq!(
                view.numbered_up_to(ConversationId::Everyone, user, Seq(seq)).unwrap(),
                exact,
                "{user} at {seq}"
            );
        }
    }
}
