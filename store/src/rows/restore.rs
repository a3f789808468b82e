//! Rows of a backup on their way into a new cluster: parts, in order, into shards that were empty.
//!
//! Parts go through a shard's log like any command, so that all replicas take them alike and a crash in the middle is nothing
//! special. A mark in the shard's first slot says which backup and how far: a repeated part changes nothing, and a
//! second backup, or one into a shard that lives already, is refused.

use std::ops::Bound;

use troupe_core::Slot;

use super::Transaction;
use crate::engine::{EngineError, Family, Reader};
use crate::key::UsersKey;

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
    pub rows: Vec<Row>,
}

/// Nothing was written; the text is for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// How far a shard has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    backup: [u8; 16],
    next: u64,
    done: bool,
}

impl Mark {
    const BYTES: usize = 16 + 8 + 1;

    fn encode(self) -> Vec<u8> {
        [self.backup.as_slice(), &self.next.to_be_bytes(), &[u8::from(self.done)]].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Mark> {
        let bytes: &[u8; Mark::BYTES] = bytes.try_into().ok()?;
        let (backup, rest) = bytes.split_first_chunk::<16>()?;
        let (next, rest) = rest.split_first_chunk::<8>()?;
        Some(Mark { backup: *backup, next: u64::from_be_bytes(*next), done: rest == [1] })
    }
}

impl Transaction {
    /// Takes one part into the shard of these slots (the second is exclusive).
    pub fn restore(&mut self, slots: (u16, u16), part: &Part) -> Result<Result<(), Refusal>, EngineError> {
        let key = UsersKey::Restored(Slot(slots.0)).encode();
        let (from, to) = super::slot_range(slots.0, slots.1);
        let rows = self.rows();
        let refused = |text: &str| Ok(Err(Refusal(text.to_owned())));
        let mark = rows.get(Family::Users, &key)?;
        let unreadable = || EngineError::Fatal("the mark of a restore cannot be read".to_owned());
        let mark = mark.map(|row| Mark::decode(&row).ok_or_else(unreadable)).transpose()?;
        match mark {
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
            rows.put(row.family, row.key.clone(), row.value.clone());
        }
        let next = Mark { backup: part.backup, next: part.number + 1, done: part.last };
        rows.put(Family::Users, key, next.encode());
        Ok(Ok(()))
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
        Part { backup: [backup; 16], number, last, rows: slots.iter().map(row).collect() }
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
