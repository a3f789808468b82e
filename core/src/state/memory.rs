//! State in an ordered map: what tests, models and simulations apply to. Not durable, and not meant
//! to be fast.

use std::collections::BTreeMap;

use super::{Rows, State};
use crate::event::Event;
use crate::form::DecodeError;
use crate::id::{ConversationId, Seq, UserId};
use crate::record::{
    AuditRow, Conversation, Family, InboxEntry, Invite, KeyRange, Large, Number, OutboxRow, Table, User,
};
use crate::unread::{Numbered, looked_at, numbered_for};

/// Equal when they hold the same rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryState(BTreeMap<(Family, Vec<u8>), Vec<u8>>);

impl MemoryState {
    /// All rows of a table, in order of their keys.
    pub fn all<T: Table>(&self) -> Vec<(T::Key, T)> {
        let family = self.0.range((T::FAMILY, Vec::new())..).take_while(|((family, _), _)| *family == T::FAMILY);
        family.filter_map(|((_, key), value)| Some((T::key_in(key)?, T::from_value(value).ok()?))).collect()
    }

    /// The whole log of a conversation, in order.
    pub fn events(&self, conversation: ConversationId) -> Vec<Event> {
        self.page::<Event>(&conversation, None, usize::MAX).into_iter().map(|(_, event)| event).collect()
    }

    pub fn conversations(&self) -> Vec<ConversationId> {
        let mut all: Vec<_> = self.all::<Conversation>().into_iter().map(|(id, _)| id).collect();
        all.sort();
        all
    }

    /// The outbox rows of all slots, in the order of keys.
    pub fn outbox(&self) -> Vec<OutboxRow> {
        self.all().into_iter().map(|(_, row)| row).collect()
    }

    /// A user's conversation list, left ones included.
    pub fn inbox(&self, user: UserId) -> Vec<InboxEntry> {
        self.page::<InboxEntry>(&user, None, usize::MAX).into_iter().map(|(_, entry)| entry).collect()
    }

    /// How many events up to `seq` are numbered for `user`.
    pub fn numbered_up_to(&self, conversation: ConversationId, user: UserId, seq: Seq) -> u64 {
        let last = self.last_numbered(conversation, user, seq);
        let behind = (conversation, last.seq);
        let large = self.page::<Large>(&conversation, Some(&behind), 1).pop().map(|((_, seq), _)| seq);
        let events = self.page::<Event>(&conversation, Some(&behind), looked_at(last, seq, large));
        last.number + events.iter().filter(|(_, event)| numbered_for(event) == user).count() as u64
    }

    /// The last row of a user's numbers up to `seq`.
    pub fn last_numbered(&self, conversation: ConversationId, user: UserId, seq: Seq) -> Numbered {
        let mut rows = self.page::<Number>(&(conversation, user), None, usize::MAX).into_iter();
        let last = rows.rfind(|((_, _, at), _)| *at <= seq);
        last.map(|((_, _, seq), Number(number))| Numbered { seq, number }).unwrap_or_default()
    }

    pub fn users(&self) -> Vec<User> {
        let mut all: Vec<User> = self.all().into_iter().map(|(_, user)| user).collect();
        all.sort_by_key(|user| user.id);
        all
    }

    /// The audit log of all slots, in the order of its keys.
    pub fn audit(&self) -> Vec<AuditRow> {
        self.all().into_iter().map(|(_, row)| row).collect()
    }

    pub fn invites(&self) -> Vec<Invite> {
        self.all().into_iter().map(|(_, row)| row).collect()
    }
}

impl State for MemoryState {
    fn value(&self, family: Family, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(&(family, key.to_vec())).cloned()
    }

    fn scan(&self, family: Family, (from, to): KeyRange, reverse: bool, limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let rows = self.0.range((from.map(|key| (family, key)), to.map(|key| (family, key))));
        let rows = rows.filter(|((of, _), _)| *of == family).map(|((_, key), value)| (key.clone(), value.clone()));
        if reverse { rows.rev().take(limit).collect() } else { rows.take(limit).collect() }
    }

    fn put_value(&mut self, family: Family, key: Vec<u8>, value: Vec<u8>) {
        self.0.insert((family, key), value);
    }

    fn delete_value(&mut self, family: Family, key: Vec<u8>) {
        self.0.remove(&(family, key));
    }

    /// Only this program writes here.
    fn unreadable(&self, family: Family, key: &[u8], why: &DecodeError) {
        panic!("row {key:02x?} of {family:?} cannot be read: {why}");
    }
}
