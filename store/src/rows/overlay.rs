//! Uncommitted writes on top of the engine's rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::{Batch, EngineError, Family, KeyRange, Op, Pair, Reader, is_empty};

/// New values by key; `None` where the key was deleted.
type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A reader that sees its own writes.
pub(super) struct Overlay {
    under: Arc<dyn Reader>,
    changes: [Changes; Family::ALL.len()],
}

impl Overlay {
    pub(super) fn new(under: Arc<dyn Reader>) -> Overlay {
        Overlay { under, changes: Default::default() }
    }

    pub(super) fn put(&mut self, family: Family, key: Vec<u8>, value: Vec<u8>) {
        self.changes[family as usize].insert(key, Some(value));
    }

    pub(super) fn delete(&mut self, family: Family, key: Vec<u8>) {
        self.changes[family as usize].insert(key, None);
    }

    /// The changes in order of family and key: the same on every replica.
    pub(super) fn into_batch(self) -> Batch {
        let mut ops = Vec::with_capacity(self.changes.iter().map(BTreeMap::len).sum());
        for (family, changes) in Family::ALL.into_iter().zip(self.changes) {
            ops.extend(changes.into_iter().map(|(key, change)| match change {
                Some(value) => Op::Put(family, key, value),
                None => Op::Delete(family, key),
            }));
        }
        Batch { ops }
    }
}

impl Reader for Overlay {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        match self.changes[family as usize].get(key) {
            Some(change) => Ok(change.clone()),
            None => self.under.get(family, key),
        }
    }

    fn scan(&self, family: Family, range: KeyRange, reverse: bool, limit: usize) -> Result<Vec<Pair>, EngineError> {
        let bounds = (range.0.as_ref().map(Vec::as_slice), range.1.as_ref().map(Vec::as_slice));
        if is_empty(bounds) {
            return Ok(Vec::new());
        }
        let changed: Vec<(Vec<u8>, Option<Vec<u8>>)> = self.changes[family as usize]
            .range::<[u8], _>(bounds)
            .map(|(key, change)| (key.clone(), change.clone()))
            .collect();
        // Each change can hide one pair below, so this many more are enough.
        let below = self.under.scan(family, range, reverse, limit.saturating_add(changed.len()))?;
        if changed.is_empty() {
            return Ok(below);
        }
        let mut merged: BTreeMap<Vec<u8>, Option<Vec<u8>>> =
            below.into_iter().map(|(key, value)| (key, Some(value))).collect();
        merged.extend(changed);
        let present = merged.into_iter().filter_map(|(key, value)| value.map(|value| (key, value)));
        Ok(if reverse { present.rev().take(limit).collect() } else { present.take(limit).collect() })
    }
}
