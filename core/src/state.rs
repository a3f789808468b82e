//! The applied state as the machine sees it: rows of typed tables, read and written one by one.
//!
//! [`State`] is rows as bytes, and [`Rows`] the tables over it. The real state is a transaction
//! over the store; [`memory::MemoryState`] is an ordered map, for tests and models. A read sees the
//! writes before it in the same transaction. A failing read is the store's affair: the transaction
//! remembers the error and answers as if the row were missing; the caller of `apply` then discards
//! the whole batch and stops the node.

pub mod memory;

use crate::event::Event;
use crate::form::DecodeError;
use crate::id::{ConversationId, Seq, UserId};
use crate::record::{Family, Key, KeyRange, Large, Number, Table, within};
use crate::unread::{Numbered, Numbering, looked_at, numbered_for};

/// Rows as bytes.
pub trait State {
    fn value(&self, family: Family, key: &[u8]) -> Option<Vec<u8>>;
    /// At most `limit` rows, in order of key or from the last key on.
    fn scan(&self, family: Family, range: KeyRange, reverse: bool, limit: usize) -> Vec<(Vec<u8>, Vec<u8>)>;
    fn put_value(&mut self, family: Family, key: Vec<u8>, value: Vec<u8>);
    fn delete_value(&mut self, family: Family, key: Vec<u8>);
    /// Notes that a row is not what this program wrote.
    fn unreadable(&self, family: Family, key: &[u8], why: &DecodeError);

    /// Where the numbers of a user's events stand at the head of a log.
    fn numbering(&self, conversation: ConversationId, user: UserId, head: Seq) -> Numbering {
        let last = self.last::<Number>(&(conversation, user), 1).pop();
        let last = last.map(|((_, _, seq), Number(number))| Numbered { seq, number }).unwrap_or_default();
        let behind = (conversation, last.seq);
        let large = self.page::<Large>(&conversation, Some(&behind), 1).pop().map(|((_, seq), _)| seq);
        let events = self.page::<Event>(&conversation, Some(&behind), looked_at(last, head, large));
        let since = events.iter().filter(|(_, event)| numbered_for(event) == user).count() as u64;
        Numbering { last, since }
    }

    /// Keeps where they stand now, and writes the last row if it is a new one.
    fn put_numbering(&mut self, conversation: ConversationId, user: UserId, numbering: Numbering) {
        if let Some((seq, number)) = numbering.new_row() {
            self.put(&(conversation, user, seq), &number);
        }
    }
}

/// Rows of tables.
pub trait Rows: State {
    fn get<T: Table>(&self, key: &T::Key) -> Option<T> {
        let key = T::key(key);
        self.row(&key, &self.value(T::FAMILY, &key)?)
    }

    fn put<T: Table>(&mut self, key: &T::Key, row: &T) {
        self.put_value(T::FAMILY, T::key(key), row.to_value());
    }

    fn delete<T: Table>(&mut self, key: &T::Key) {
        self.delete_value(T::FAMILY, T::key(key));
    }

    /// The first rows whose keys begin with `start`, behind the key `after`, at most `limit`.
    fn page<T: Table>(&self, start: &impl Key, after: Option<&T::Key>, limit: usize) -> Vec<(T::Key, T)> {
        let range = within(&T::prefix(start), after.map(T::key));
        self.scan(T::FAMILY, range, false, limit).iter().filter_map(|(key, value)| self.keyed(key, value)).collect()
    }

    /// The last rows whose keys begin with `start`, the last first, at most `limit`.
    fn last<T: Table>(&self, start: &impl Key, limit: usize) -> Vec<(T::Key, T)> {
        let range = within(&T::prefix(start), None);
        self.scan(T::FAMILY, range, true, limit).iter().filter_map(|(key, value)| self.keyed(key, value)).collect()
    }

    fn keyed<T: Table>(&self, key: &[u8], value: &[u8]) -> Option<(T::Key, T)> {
        let foreign = DecodeError::Invalid { field: "key", why: "it is of no row of this table" };
        let found = T::key_in(key).or_else(|| {
            self.unreadable(T::FAMILY, key, &foreign);
            None
        });
        Some((found?, self.row(key, value)?))
    }

    fn row<T: Table>(&self, key: &[u8], value: &[u8]) -> Option<T> {
        T::from_value(value).map_err(|error| self.unreadable(T::FAMILY, key, &error)).ok()
    }
}

impl<S: State + ?Sized> Rows for S {}
