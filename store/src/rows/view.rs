//! Reading typed rows. Pages take a `limit` and the last row of the previous page, and return rows
//! in key order.

mod account;
mod names;

use std::ops::{Bound, Range};
use std::sync::Arc;

use troupe_core::record::{
    Conversation, Cursor, GroupOfRequest, GroupsOf, Home, InboxEntry, Invitation, KeptHead, Key, Large, Member, NameOf,
    Number, OutboxKey, OutboxRow, Placed, Session, Table, User, within,
};
use troupe_core::unread::{Numbered, Numbering, looked_at, numbered_for};
use troupe_core::{ClientMessageId, ConversationId, DeviceId, Event, GroupId, Seq, Slot, UserId};

use crate::engine::{EngineError, Family, KeyRange, Reader};

/// Events per scan: bytes also bound a page, and rows after the cut should not be read.
const EVENTS_PER_SCAN: usize = 64;

/// Applied state, read-only. Over an engine it sees each write at once, over a snapshot one moment.
pub struct View<R = Arc<dyn Reader>> {
    pub(super) reader: R,
}

impl View {
    pub fn new(reader: Arc<dyn Reader>) -> View {
        View { reader }
    }
}

/// Rows of any table.
impl<R: Reader> View<R> {
    pub fn get<T: Table>(&self, key: &T::Key) -> Result<Option<T>, EngineError> {
        let key = T::key(key);
        let value = self.reader.get(T::FAMILY.into(), &key)?;
        value.map(|value| row_of(&key, &value)).transpose()
    }

    /// The first rows whose keys begin with `start`, behind the key `after`, at most `limit`.
    pub fn page<T: Table>(
        &self,
        start: &impl Key,
        after: Option<&T::Key>,
        limit: usize,
    ) -> Result<Vec<(T::Key, T)>, EngineError> {
        let range = within(&T::prefix(start), after.map(T::key));
        let pairs = self.reader.scan(T::FAMILY.into(), range, false, limit)?;
        pairs.iter().map(|(key, value)| keyed(key, value)).collect()
    }

    /// The last rows whose keys begin with `start`, before the key `before`, the last one first.
    pub fn page_before<T: Table>(
        &self,
        start: &impl Key,
        before: Option<&T::Key>,
        limit: usize,
    ) -> Result<Vec<(T::Key, T)>, EngineError> {
        let (first, end) = within(&T::prefix(start), None);
        let end = before.map_or(end, |before| Bound::Excluded(T::key(before)));
        let pairs = self.reader.scan(T::FAMILY.into(), (first, end), true, limit)?;
        pairs.iter().map(|(key, value)| keyed(key, value)).collect()
    }

    /// Rows of one table, slot after slot, behind the key `after`.
    pub fn over_slots<T: Table>(
        &self,
        slots: Range<u16>,
        after: Option<&T::Key>,
        limit: usize,
    ) -> Result<Vec<(T::Key, T)>, EngineError> {
        let first = after.map_or(slots.start, |key| slots.start.max(key.slot().0));
        let mut rows = Vec::new();
        for slot in (first..slots.end).map(Slot) {
            rows.extend(self.page(&slot, after.filter(|key| key.slot() == slot), limit - rows.len())?);
            if rows.len() == limit {
                break;
            }
        }
        Ok(rows)
    }
}

/// Rows one by one.
impl<R: Reader> View<R> {
    pub fn user(&self, user: UserId) -> Result<Option<User>, EngineError> {
        self.get(&user)
    }

    /// The user of a case-folded name.
    pub fn user_of_name(&self, folded: &str) -> Result<Option<UserId>, EngineError> {
        Ok(self.get(&NameOf::of(folded))?.map(|NameOf(user)| user))
    }

    pub fn session(&self, user: UserId, device: &DeviceId) -> Result<Option<Session>, EngineError> {
        self.get(&(user, device.clone()))
    }

    pub fn inbox_entry(&self, user: UserId, conversation: ConversationId) -> Result<Option<InboxEntry>, EngineError> {
        self.get(&(user, conversation))
    }

    pub fn invitation(&self, user: UserId, conversation: ConversationId) -> Result<Option<Invitation>, EngineError> {
        self.get(&(user, conversation))
    }

    pub fn conversation(&self, conversation: ConversationId) -> Result<Option<Conversation>, EngineError> {
        self.get(&conversation)
    }

    /// The head of a restored or recovered conversation at that time. Later events belong to the
    /// new history.
    pub fn kept(&self, conversation: ConversationId) -> Result<Option<Seq>, EngineError> {
        Ok(self.get(&conversation)?.map(|KeptHead(seq)| seq))
    }

    pub fn member(&self, conversation: ConversationId, user: UserId) -> Result<Option<Member>, EngineError> {
        self.get(&(conversation, user))
    }

    /// Zeros if there is no row.
    pub fn cursor(&self, conversation: ConversationId, user: UserId) -> Result<Cursor, EngineError> {
        Ok(self.get(&(conversation, user))?.unwrap_or_default())
    }

    pub fn event(&self, conversation: ConversationId, seq: Seq) -> Result<Option<Event>, EngineError> {
        self.get(&(conversation, seq))
    }

    /// The place a client message id has taken.
    pub fn placed(
        &self,
        conversation: ConversationId,
        sender: UserId,
        id: ClientMessageId,
    ) -> Result<Option<Seq>, EngineError> {
        Ok(self.get(&(conversation, sender, id))?.map(|Placed(seq)| seq))
    }

    pub fn group_of_request(
        &self,
        slot: Slot,
        creator: UserId,
        request: ClientMessageId,
    ) -> Result<Option<GroupId>, EngineError> {
        Ok(self.get(&(slot, creator, request))?.map(|GroupOfRequest(group)| group))
    }
}

/// Numbers of events: [`troupe_core::unread`].
impl<R: Reader> View<R> {
    /// How many events up to `seq` are numbered for `user`.
    pub fn numbered_up_to(&self, conversation: ConversationId, user: UserId, seq: Seq) -> Result<u64, EngineError> {
        let Numbering { last, since } = self.numbering(conversation, user, seq)?;
        Ok(last.number + since)
    }

    /// Where a user's numbers stand at `seq`.
    pub fn numbering(&self, conversation: ConversationId, user: UserId, seq: Seq) -> Result<Numbering, EngineError> {
        let (start, _) = within(&Number::prefix(&(conversation, user)), None);
        let range = (start, Bound::Included(Number::key(&(conversation, user, seq))));
        let row = self.reader.scan(Number::FAMILY.into(), range, true, 1)?;
        let row = row.first().map(|(key, value)| keyed::<Number>(key, value)).transpose()?;
        let last = row.map(|((_, _, seq), Number(number))| Numbered { seq, number }).unwrap_or_default();
        if last.seq == seq {
            return Ok(Numbering { last, since: 0 });
        }
        let behind = (conversation, last.seq);
        let large = self.page::<Large>(&conversation, Some(&behind), 1)?.pop().map(|((_, seq), _)| seq);
        let events = match looked_at(last, seq, large) {
            0 => Vec::new(),
            count => self.page::<Event>(&conversation, Some(&behind), count)?,
        };
        let since = events.iter().filter(|(_, event)| numbered_for(event) == user).count() as u64;
        Ok(Numbering { last, since })
    }
}

/// Rows in pages.
impl<R: Reader> View<R> {
    /// All sessions of a user, ordered by device; the machine bounds their number.
    pub fn sessions(&self, user: UserId) -> Result<Vec<Session>, EngineError> {
        Ok(rows(self.page(&user, None, usize::MAX)?))
    }

    /// All invitations of a user, ordered by conversation; the machine bounds their number.
    pub fn invitations(&self, user: UserId) -> Result<Vec<Invitation>, EngineError> {
        Ok(rows(self.page(&user, None, usize::MAX)?))
    }

    /// A user's conversation list, in order of conversation id, including absent entries.
    pub fn inbox(
        &self,
        user: UserId,
        from: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<InboxEntry>, EngineError> {
        Ok(rows(self.page(&user, from.map(|conversation| (user, conversation)).as_ref(), limit)?))
    }

    /// Members in order of user id, after `from`.
    pub fn members(
        &self,
        conversation: ConversationId,
        from: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<(UserId, Member)>, EngineError> {
        let members = self.page(&conversation, from.map(|user| (conversation, user)).as_ref(), limit)?;
        Ok(members.into_iter().map(|((_, user), member)| (user, member)).collect())
    }

    /// Events after `from`, ascending: at most `limit`, and no more than `max_bytes` of rows except
    /// that one event always fits.
    pub fn events(
        &self,
        conversation: ConversationId,
        from: Seq,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<Event>, EngineError> {
        let range = within(&Event::prefix(&conversation), Some(Event::key(&(conversation, from))));
        self.page_of_events(range, false, limit, max_bytes)
    }

    /// The last events before `before` (or of all), ascending, bounded as [`View::events`] is.
    pub fn events_before(
        &self,
        conversation: ConversationId,
        before: Option<Seq>,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<Event>, EngineError> {
        let (start, end) = within(&Event::prefix(&conversation), None);
        let end = match before {
            Some(seq) => Bound::Excluded(Event::key(&(conversation, seq))),
            None => end,
        };
        let mut events = self.page_of_events((start, end), true, limit, max_bytes)?;
        events.reverse();
        Ok(events)
    }

    fn page_of_events(
        &self,
        mut range: KeyRange,
        reverse: bool,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<Event>, EngineError> {
        let (mut events, mut bytes) = (Vec::new(), 0);
        while events.len() < limit {
            let want = (limit - events.len()).min(EVENTS_PER_SCAN);
            let pairs = self.reader.scan(Family::Events, range.clone(), reverse, want)?;
            let (got, end) = (pairs.len(), pairs.last().map(|(key, _)| Bound::Excluded(key.clone())));
            for (key, value) in pairs {
                bytes += value.len();
                if bytes > max_bytes && !events.is_empty() {
                    return Ok(events);
                }
                events.push(row_of(&key, &value)?);
            }
            match end {
                Some(end) if got == want => *(if reverse { &mut range.1 } else { &mut range.0 }) = end,
                _ => break,
            }
        }
        Ok(events)
    }

    /// Outbox rows of the conversations of `slots`, in order of key.
    pub fn outbox(
        &self,
        slots: Range<u16>,
        from: Option<OutboxKey>,
        limit: usize,
    ) -> Result<Vec<OutboxRow>, EngineError> {
        Ok(rows(self.over_slots(slots, from.as_ref(), limit)?))
    }

    /// Conversations of `slots` with outbox rows, after `from`, in order of slot and id.
    pub fn outbox_sources(
        &self,
        slots: Range<u16>,
        from: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationId>, EngineError> {
        self.first_parts::<OutboxRow, ConversationId>(slots, from, limit, |key| key.conversation)
    }

    /// The first parts of the keys of a table, after `from`, in order of slot and part. It costs
    /// one seek per part, for any number of rows.
    pub fn first_parts<T: Table, P: Home + Copy>(
        &self,
        slots: Range<u16>,
        from: Option<P>,
        limit: usize,
        part: fn(&T::Key) -> P,
    ) -> Result<Vec<P>, EngineError> {
        let mut parts = Vec::new();
        let mut last = from;
        for slot in (from.map_or(slots.start, |from| slots.start.max(Home::slot(&from).0))..slots.end).map(Slot) {
            let (first, end) = within(&T::prefix(&slot), None);
            while parts.len() < limit {
                let seen = last.filter(|last| Home::slot(last) == slot);
                let behind = seen.map(|seen| within(&T::prefix(&seen), None).1);
                let start = match behind {
                    Some(Bound::Excluded(next)) => Bound::Included(next),
                    Some(_) => break,
                    None => first.clone(),
                };
                let pairs = self.reader.scan(T::FAMILY.into(), (start, end.clone()), false, 1)?;
                let Some((key, _)) = pairs.first() else { break };
                let Some(found) = T::key_in(key) else {
                    return Err(damaged(T::FAMILY.into(), key, "not a key of its table"));
                };
                let found = part(&found);
                // A row of a part of another slot would be met forever.
                if Home::slot(&found) != slot {
                    return Err(damaged(T::FAMILY.into(), key, "a row in a foreign slot"));
                }
                last = Some(found);
                parts.push(found);
            }
        }
        Ok(parts)
    }

    /// Outbox rows of one conversation, after `from`, in order of version and user.
    pub fn outbox_of(
        &self,
        conversation: ConversationId,
        from: Option<&OutboxKey>,
        limit: usize,
    ) -> Result<Vec<OutboxRow>, EngineError> {
        Ok(rows(self.page(&conversation, from, limit)?))
    }

    /// The conversations of `slots`, in order of slot and id.
    pub fn conversations(
        &self,
        slots: Range<u16>,
        from: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<(ConversationId, Conversation)>, EngineError> {
        self.over_slots(slots, from.as_ref(), limit)
    }

    /// The groups of `slots` behind `after`, in order of slot and id. Other conversations are
    /// passed by.
    pub fn groups(
        &self,
        slots: Range<u16>,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<(ConversationId, Conversation)>, EngineError> {
        let first = after.map_or(slots.start, |after| slots.start.max(ConversationId::slot(after).0));
        let mut rows = Vec::new();
        for slot in (first..slots.end).map(Slot) {
            let after = after.filter(|after| ConversationId::slot(*after) == slot);
            rows.extend(self.page(&GroupsOf(slot), after.as_ref(), limit - rows.len())?);
            if rows.len() == limit {
                break;
            }
        }
        Ok(rows)
    }
}

fn rows<K, T>(page: Vec<(K, T)>) -> Vec<T> {
    page.into_iter().map(|(_, row)| row).collect()
}

fn keyed<T: Table>(key: &[u8], value: &[u8]) -> Result<(T::Key, T), EngineError> {
    let found = T::key_in(key).ok_or_else(|| damaged(T::FAMILY.into(), key, "not a key of its table"))?;
    Ok((found, row_of(key, value)?))
}

fn row_of<T: Table>(key: &[u8], value: &[u8]) -> Result<T, EngineError> {
    T::from_value(value).map_err(|error| damaged(T::FAMILY.into(), key, error))
}

pub(super) fn damaged(family: Family, key: &[u8], why: impl std::fmt::Display) -> EngineError {
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    EngineError::Fatal(format!("row {key} of {} cannot be read: {why}", family.name()))
}
