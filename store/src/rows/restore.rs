//! Rows of a backup on their way into a new cluster: parts, in order, into empty shards.
//!
//! Parts go through a shard's log like any command, so that all replicas apply them alike and a
//! crash in the middle needs no special case. A mark in the shard's first slot records backup and
//! progress. A repeated part changes nothing; a second backup, or a shard in use, is refused.

use std::ops::Bound;

use troupe_core::form::DecodeError;
use troupe_core::record::{self, AuditRow, Conversation, Counter, KeptHead, NameOf, Table, User};
use troupe_core::{ConversationId, Rows, Seq, Slot};

use super::Transaction;
use super::digest::is_mark;
use crate::engine::{EngineError, Family, Reader};

/// Conversations read at once.
const PAGE: usize = 256;

/// A row as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub family: Family,
    pub key: Vec<u8>,
    pub value: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub backup: [u8; 16],
    /// 0, 1, 2 ... within a shard.
    pub number: u64,
    pub last: bool,
    /// Records the heads of the restored conversations, for devices that are ahead of the backup.
    /// False in parts from an earlier version: those are in logs, and their meaning must not
    /// change.
    pub notes_heads: bool,
    pub rows: Vec<Row>,
}

/// Nothing was written; the text is for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// How far a shard has got, in the first of its slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    backup: [u8; 16],
    next: u64,
    done: bool,
}

impl Mark {
    const BYTES: usize = 16 + 8 + 1;

    fn of(bytes: &[u8]) -> Option<Mark> {
        let bytes: &[u8; Mark::BYTES] = bytes.try_into().ok()?;
        let (backup, rest) = bytes.split_first_chunk::<16>()?;
        let (next, rest) = rest.split_first_chunk::<8>()?;
        Some(Mark { backup: *backup, next: u64::from_be_bytes(*next), done: rest == [1] })
    }
}

impl Table for Mark {
    const FAMILY: record::Family = record::Family::Users;
    const TAG: Option<u8> = Some(b'r');
    type Key = Slot;

    fn to_value(&self) -> Vec<u8> {
        [self.backup.as_slice(), &self.next.to_be_bytes(), &[u8::from(self.done)]].concat()
    }

    fn from_value(value: &[u8]) -> Result<Mark, DecodeError> {
        Mark::of(value).ok_or(DecodeError::Invalid { field: "mark", why: "it does not say how far a restore is" })
    }
}

impl Transaction {
    /// Applies one part to the shard of these slots (the second is exclusive).
    pub fn restore(&mut self, slots: (u16, u16), part: &Part) -> Result<Result<(), Refusal>, EngineError> {
        let (first, (from, to)) = (Slot(slots.0), super::slot_range(slots.0, slots.1));
        let refused = |text: &str| Ok(Err(Refusal(text.to_owned())));
        match self.view().get::<Mark>(&first)? {
            Some(mark) if mark.backup != part.backup => {
                return refused("another backup was restored into this cluster: restore into a new one");
            }
            Some(mark) if part.number < mark.next => return Ok(Ok(())),
            Some(mark) if mark.done || part.number > mark.next => {
                return refused("the parts of the backup come out of order: begin the restore again");
            }
            None if part.number > 0 => {
                return refused("the parts of the backup come out of order: begin the restore again");
            }
            None => {
                if !self.forget_first_admin(slots)? {
                    return refused("this cluster holds users already: restore into a new one");
                }
                let rows = self.rows();
                for family in Family::OF_SLOTS {
                    let range = (Bound::Included(from.clone()), Bound::Excluded(to.clone()));
                    if !rows.scan(family, range, false, 1)?.is_empty() {
                        return refused("this cluster holds users or messages already: restore into a new one");
                    }
                }
            }
            Some(_) => {}
        }
        let belongs = |row: &Row| Family::OF_SLOTS.contains(&row.family) && row.key >= from && row.key < to;
        if !part.rows.iter().all(belongs) {
            return refused("the backup holds rows that belong elsewhere: it is damaged");
        }
        for row in &part.rows {
            match part.notes_heads {
                true => self.take_noting(row)?,
                false => self.rows().put(row.family, row.key.clone(), row.value.clone()),
            }
        }
        let next = Mark { backup: part.backup, next: part.number + 1, done: part.last };
        self.put(&first, &next);
        Ok(Ok(()))
    }

    fn take_noting(&mut self, row: &Row) -> Result<(), EngineError> {
        let is_of_conversations = row.family == Family::Conversations;
        if let Some(conversation) = Conversation::key_in(&row.key).filter(|_| is_of_conversations) {
            let held = Conversation::from_value(&row.value).map_err(|_| unreadable("a conversation of the backup"))?;
            self.note_head(conversation, held.head)?;
        } else if let Some(conversation) = KeptHead::key_in(&row.key).filter(|_| is_of_conversations) {
            // The backup is of a cluster that was restored itself: a device may be of the history
            // before that one.
            let KeptHead(kept) = KeptHead::from_value(&row.value).map_err(|_| unreadable("a head of the backup"))?;
            return self.note_head(conversation, kept);
        } else if is_mark(row.family, &row.key) {
            return Ok(());
        }
        self.rows().put(row.family, row.key.clone(), row.value.clone());
        Ok(())
    }

    /// Of several histories the shortest common prefix counts.
    fn note_head(&mut self, conversation: ConversationId, head: Seq) -> Result<(), EngineError> {
        let before = self.view().kept(conversation)?;
        self.put(&conversation, &KeptHead(before.map_or(head, |before| before.min(head))));
        Ok(())
    }

    /// Records the heads of all conversations of these slots (the second is exclusive): the shard
    /// continues from one copy, and later events of other copies are lost.
    pub fn note_heads(&mut self, slots: (u16, u16)) -> Result<(), EngineError> {
        let mut from = None;
        loop {
            let page = self.view().conversations(slots.0..slots.1, from, PAGE)?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            from = Some(*last);
            for (conversation, held) in page {
                self.note_head(conversation, held.head)?;
            }
        }
    }
}

fn unreadable(what: &str) -> EngineError {
    EngineError::Fatal(format!("{what} cannot be read"))
}

impl Transaction {
    /// A new cluster makes its first administrator by itself. A restore removes that account if it
    /// was never used, because the backup has its own. False: there are other users.
    fn forget_first_admin(&mut self, slots: (u16, u16)) -> Result<bool, EngineError> {
        if !self.view().only_born_with_cluster(slots.0..slots.1)? {
            return Ok(false);
        }
        let (from, to) = super::slot_range(slots.0, slots.1);
        let rows = self.rows();
        let range = (Bound::Included(from), Bound::Excluded(to));
        for (key, _) in rows.scan(Family::Users, range, false, usize::MAX)? {
            if Counter::key_in(&key).is_some()
                || NameOf::key_in(&key).is_some()
                || User::key_in(&key).is_some()
                || AuditRow::key_in(&key).is_some()
            {
                rows.delete(Family::Users, key);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::{Durability, Engine};
    use crate::memory::Memory;
    use crate::rows::digest_range;

    const SLOTS: (u16, u16) = (10, 20);

    fn part(backup: u8, number: u64, last: bool, slots: &[u16]) -> Part {
        let row = |slot: &u16| Row { family: Family::Events, key: slot.to_be_bytes().to_vec(), value: vec![7] };
        Part { backup: [backup; 16], number, last, notes_heads: false, rows: slots.iter().map(row).collect() }
    }

    fn take(engine: &Memory, part: &Part) -> Result<(), String> {
        let mut transaction = Transaction::new(Arc::new(engine.clone()));
        let taken = transaction.restore(SLOTS, part).unwrap();
        engine.write(transaction.into_batch().unwrap(), Durability::Synced).unwrap();
        taken.map_err(|refusal| refusal.0)
    }

    #[test]
    fn parts_come_once_and_in_order() {
        let engine = Memory::new();
        assert!(take(&engine, &part(1, 1, false, &[10])).is_err(), "the first is missing");
        take(&engine, &part(1, 0, false, &[10, 11])).unwrap();
        take(&engine, &part(1, 0, false, &[12])).unwrap();
        assert_eq!(digest_range(&engine, SLOTS).unwrap().rows, 2, "a repeat changes nothing");
        assert!(take(&engine, &part(1, 2, false, &[13])).unwrap_err().contains("out of order"));
        assert!(take(&engine, &part(2, 1, false, &[13])).unwrap_err().contains("another backup"));
        take(&engine, &part(1, 1, true, &[19])).unwrap();
        take(&engine, &part(1, 1, true, &[19])).unwrap();
        assert!(take(&engine, &part(1, 2, false, &[13])).is_err(), "it was whole");
        assert_eq!(digest_range(&engine, SLOTS).unwrap().rows, 3);
    }

    #[test]
    fn heads_are_noted_and_the_shortest_history_counts() {
        use crate::rows::View;
        let conversation = ConversationId::Everyone;
        let slots = (conversation.slot().0, conversation.slot().0 + 1);
        let row = |key, value| Row { family: Family::Conversations, key, value };
        let held = |head| {
            let held = Conversation { head: Seq(head), ..Conversation::default() };
            row(Conversation::key(&conversation), held.to_value())
        };
        let rows = vec![held(9)];
        let restored = |notes_heads, rows: &[Row]| {
            let engine = Memory::new();
            let part = Part { backup: [1; 16], number: 0, last: true, notes_heads, rows: rows.to_vec() };
            let mut transaction = Transaction::new(Arc::new(engine.clone()));
            transaction.restore(slots, &part).unwrap().unwrap();
            engine.write(transaction.into_batch().unwrap(), Durability::Synced).unwrap();
            engine
        };
        let kept = |engine: &Memory| View::new(Arc::new(engine.clone())).kept(conversation).unwrap();
        let plain = restored(false, &rows);
        assert_eq!(kept(&plain), None, "an old part means what it meant");
        let first = restored(true, &rows);
        assert_eq!(kept(&first), Some(Seq(9)));
        let digest = |engine: &Memory| digest_range(engine, slots).unwrap();
        assert_eq!(digest(&first), digest(&plain), "what is noted is not content");

        let again = vec![held(12), row(KeptHead::key(&conversation), KeptHead(Seq(9)).to_value())];
        assert_eq!(kept(&restored(true, &again)), Some(Seq(9)));

        let mut transaction = Transaction::new(Arc::new(plain.clone()));
        transaction.note_heads(slots).unwrap();
        plain.write(transaction.into_batch().unwrap(), Durability::Synced).unwrap();
        assert_eq!(kept(&plain), Some(Seq(9)));
    }

    #[test]
    fn a_shard_that_lives_takes_none() {
        let engine = Memory::new();
        let mut batch = crate::engine::Batch::default();
        batch.put(Family::Users, 12u16.to_be_bytes(), [1]);
        engine.write(batch, Durability::Synced).unwrap();
        assert!(take(&engine, &part(1, 0, true, &[10])).unwrap_err().contains("already"));
    }

    #[test]
    fn rows_of_other_shards_and_families_are_refused() {
        let engine = Memory::new();
        assert!(take(&engine, &part(1, 0, true, &[10, 20])).unwrap_err().contains("damaged"));
        let mut foreign = part(1, 0, true, &[10]);
        foreign.rows[0].family = Family::RaftLog;
        assert!(take(&engine, &foreign).unwrap_err().contains("damaged"));
        assert_eq!(digest_range(&engine, SLOTS).unwrap().rows, 0);
    }
}
