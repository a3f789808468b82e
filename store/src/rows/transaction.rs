//! The state for the machine's commands: reads see the earlier writes, and all writes become one
//! batch.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use troupe_core::form::DecodeError;
use troupe_core::record::{self, Member, Table};
use troupe_core::unread::Numbering;
use troupe_core::{ConversationId, Rows, Seq, State, UserId};

use super::overlay::Overlay;
use super::view::{View, damaged};
use crate::engine::{Batch, EngineError, KeyRange, Pair, Reader};

/// The state of event numbers, for the users that have written last. It is kept from one apply to
/// the next, because a search for each message costs more than all its other reads. At the limit
/// all are forgotten, and searched again.
#[derive(Default)]
pub struct Numberings(BTreeMap<(ConversationId, UserId), Numbering>);

const NUMBERINGS_KEPT: usize = 4_096;

/// One apply over the engine. After a failed read it answers as if rows were missing, and produces
/// no batch.
pub struct Transaction {
    rows: View<Overlay>,
    numberings: RefCell<Numberings>,
    /// Rows of members that were read already: every message asks for its sender's.
    members: RefCell<BTreeMap<Vec<u8>, Option<Vec<u8>>>>,
    /// The first failed read.
    failed: OnceCell<EngineError>,
}

impl Transaction {
    pub fn new(reader: Arc<dyn Reader>) -> Transaction {
        Transaction::after(reader, Numberings::default())
    }

    /// `numberings` are those of the transaction before, and nothing else has changed the rows.
    pub fn after(reader: Arc<dyn Reader>, mut numberings: Numberings) -> Transaction {
        if numberings.0.len() > NUMBERINGS_KEPT {
            numberings.0.clear();
        }
        Transaction {
            rows: View { reader: Overlay::new(reader) },
            numberings: RefCell::new(numberings),
            members: RefCell::default(),
            failed: OnceCell::new(),
        }
    }

    /// The error of this transaction. Check it before any reply leaves.
    pub fn error(&self) -> Option<EngineError> {
        self.failed.get().cloned()
    }

    /// The writes, in an order that is the same on every replica.
    pub fn into_batch(self) -> Result<Batch, EngineError> {
        Ok(self.finish()?.0)
    }

    /// The writes, and the cache for the next transaction.
    pub fn finish(self) -> Result<(Batch, Numberings), EngineError> {
        match self.failed.into_inner() {
            Some(error) => Err(error),
            None => Ok((self.rows.reader.into_batch(), self.numberings.into_inner())),
        }
    }

    /// For rows that come as bytes: what was read before may be changed by them.
    pub(super) fn rows(&mut self) -> &mut Overlay {
        self.numberings.get_mut().0.clear();
        self.members.get_mut().clear();
        &mut self.rows.reader
    }

    pub(super) fn view(&self) -> &View<Overlay> {
        &self.rows
    }

    fn forget(&mut self, family: record::Family, key: &[u8]) {
        if is_member(family, key) {
            self.members.get_mut().remove(key);
        }
    }

    fn read<T: Default>(&self, row: Result<T, EngineError>) -> T {
        row.unwrap_or_else(|error| {
            // Only the first counts: later reads are wrong already.
            self.failed.get_or_init(|| error);
            T::default()
        })
    }
}

/// Whether it is the key of a member's row.
fn is_member(family: record::Family, key: &[u8]) -> bool {
    family == Member::FAMILY && key.get(SLOT_BYTES).copied() == Member::TAG
}

/// Before the tag of a key.
const SLOT_BYTES: usize = 2;

impl State for Transaction {
    fn value(&self, family: record::Family, key: &[u8]) -> Option<Vec<u8>> {
        if !is_member(family, key) {
            return self.read(self.rows.reader.get(family.into(), key));
        }
        if let Some(held) = self.members.borrow().get(key) {
            return held.clone();
        }
        let value = self.read(self.rows.reader.get(family.into(), key));
        self.members.borrow_mut().insert(key.to_vec(), value.clone());
        value
    }

    fn scan(&self, family: record::Family, range: KeyRange, reverse: bool, limit: usize) -> Vec<Pair> {
        self.read(self.rows.reader.scan(family.into(), range, reverse, limit))
    }

    fn put_value(&mut self, family: record::Family, key: Vec<u8>, value: Vec<u8>) {
        self.forget(family, &key);
        self.rows.reader.put(family.into(), key, value);
    }

    fn delete_value(&mut self, family: record::Family, key: Vec<u8>) {
        self.forget(family, &key);
        self.rows.reader.delete(family.into(), key);
    }

    fn unreadable(&self, family: record::Family, key: &[u8], why: &DecodeError) {
        self.failed.get_or_init(|| damaged(family.into(), key, why));
    }

    fn numbering(&self, conversation: ConversationId, user: UserId, head: Seq) -> Numbering {
        let kept = self.numberings.borrow().0.get(&(conversation, user)).copied();
        kept.unwrap_or_else(|| self.read(self.rows.numbering(conversation, user, head)))
    }

    fn put_numbering(&mut self, conversation: ConversationId, user: UserId, numbering: Numbering) {
        self.numberings.get_mut().0.insert((conversation, user), numbering);
        if let Some((seq, number)) = numbering.new_row() {
            self.put(&(conversation, user, seq), &number);
        }
    }
}
