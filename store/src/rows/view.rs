//! Reading typed rows. Pages take a `limit` and the last row of the previous page, and return rows
//! in key order.

mod account;
mod names;

use std::ops::{Bound, Range};
use std::sync::Arc;

use troupe_core::record::{Conversation, Cursor, InboxEntry, Invitation, Member, OutboxKey, OutboxRow, Session, User};
use troupe_core::unread::{self, Numbered, Numbering};
use troupe_core::{ClientMessageId, ConversationId, DeviceId, Event, GroupId, Seq, Slot, UserId};
use troupe_proto::record::Record;

use crate::engine::{EngineError, Family, KeyRange, Pair, Reader};
use crate::key::{self, ConversationsKey, EventKey, UsersKey};

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

/// Rows one by one.
impl<R: Reader> View<R> {
    pub fn user(&self, user: UserId) -> Result<Option<User>, EngineError> {
        self.record(Family::Users, &UsersKey::User(user).encode())
    }

    /// The user of a case-folded name.
    pub fn user_of_name(&self, folded: &str) -> Result<Option<UserId>, EngineError> {
        let key = key::users::name(Slot::of(folded.as_bytes()), folded);
        Ok(self.number(Family::Users, &key)?.map(UserId))
    }

    pub fn session(&self, user: UserId, device: &DeviceId) -> Result<Option<Session>, EngineError> {
        self.record(Family::Users, &key::users::session(user, device))
    }

    pub fn inbox_entry(&self, user: UserId, conversation: ConversationId) -> Result<Option<InboxEntry>, EngineError> {
        self.record(Family::Users, &UsersKey::Inbox(user, conversation).encode())
    }

    pub fn invitation(&self, user: UserId, conversation: ConversationId) -> Result<Option<Invitation>, EngineError> {
        self.record(Family::Users, &UsersKey::Invitation(user, conversation).encode())
    }

    /// Whether the user has accepted an invitation by this one.
    pub fn knows(&self, user: UserId, other: UserId) -> Result<bool, EngineError> {
        Ok(self.reader.get(Family::Users, &UsersKey::Known(user, other).encode())?.is_some())
    }

    pub fn conversation(&self, conversation: ConversationId) -> Result<Option<Conversation>, EngineError> {
        self.record(Family::Conversations, &ConversationsKey::Conversation(conversation).encode())
    }

    /// The head of a restored or recovered conversation at that time. Later events belong to the
    /// new history.
    pub fn kept(&self, conversation: ConversationId) -> Result<Option<Seq>, EngineError> {
        Ok(self.number(Family::Conversations, &ConversationsKey::Kept(conversation).encode())?.map(Seq))
    }

    pub fn member(&self, conversation: ConversationId, user: UserId) -> Result<Option<Member>, EngineError> {
        self.record(Family::Conversations, &ConversationsKey::Member(conversation, user).encode())
    }

    /// Zeros if there is no row.
    pub fn cursor(&self, conversation: ConversationId, user: UserId) -> Result<Cursor, EngineError> {
        let row = self.record(Family::Conversations, &ConversationsKey::Cursor(conversation, user).encode())?;
        Ok(row.unwrap_or_default())
    }

    pub fn event(&self, conversation: ConversationId, seq: Seq) -> Result<Option<Event>, EngineError> {
        self.record(Family::Events, &EventKey { conversation, seq }.encode())
    }

    /// The place a client message id has taken.
    pub fn placed(
        &self,
        conversation: ConversationId,
        sender: UserId,
        id: ClientMessageId,
    ) -> Result<Option<Seq>, EngineError> {
        let key = ConversationsKey::Placed(conversation, sender, id).encode();
        Ok(self.number(Family::Conversations, &key)?.map(Seq))
    }

    /// How many events up to `seq` are numbered for `user`.
    pub fn numbered_up_to(&self, conversation: ConversationId, user: UserId, seq: Seq) -> Result<u64, EngineError> {
        let last = self.last_numbered(conversation, user, seq)?;
        unread::up_to(last, seq, |from, to| {
            let events = self.events(conversation, from, (to.0 - from.0) as usize, usize::MAX)?;
            Ok(events.iter().filter(|event| unread::numbered_for(event) == user).count() as u64)
        })
    }

    /// The position of a user's numbers at the head.
    pub fn numbering(&self, conversation: ConversationId, user: UserId) -> Result<Numbering, EngineError> {
        let last = self.last_numbered(conversation, user, Seq(u64::MAX))?;
        let number = self.numbered_up_to(conversation, user, Seq(u64::MAX))?;
        Ok(Numbering { last, since: number - last.number })
    }

    /// The last row of a user's numbers up to `seq`.
    pub fn last_numbered(&self, conversation: ConversationId, user: UserId, seq: Seq) -> Result<Numbered, EngineError> {
        let (start, _) = after(&key::conversations::numbered_for(conversation, user), None);
        let end = Bound::Included(ConversationsKey::Numbered(conversation, user, seq).encode());
        let pairs = self.reader.scan(Family::Conversations, (start, end), true, 1)?;
        let Some((key, value)) = pairs.first() else { return Ok(Numbered::default()) };
        let Some(ConversationsKey::Numbered(_, _, seq)) = ConversationsKey::decode(key) else {
            return Err(damaged(Family::Conversations, key, "not the key of a number"));
        };
        Ok(Numbered { seq, number: number(Family::Conversations, key, value)? })
    }

    pub fn group_of_request(
        &self,
        slot: Slot,
        creator: UserId,
        request: ClientMessageId,
    ) -> Result<Option<GroupId>, EngineError> {
        let key = ConversationsKey::Request(slot, creator, request).encode();
        Ok(self.number(Family::Conversations, &key)?.map(GroupId))
    }

    pub fn counter(&self, slot: Slot) -> Result<u64, EngineError> {
        Ok(self.number(Family::Users, &UsersKey::Counter(slot).encode())?.unwrap_or(0))
    }

    fn record<T: Record>(&self, family: Family, key: &[u8]) -> Result<Option<T>, EngineError> {
        self.reader.get(family, key)?.map(|value| decode(family, key, &value)).transpose()
    }

    fn number(&self, family: Family, key: &[u8]) -> Result<Option<u64>, EngineError> {
        self.reader.get(family, key)?.map(|value| number(family, key, &value)).transpose()
    }
}

/// Rows in pages.
impl<R: Reader> View<R> {
    /// All sessions of a user, ordered by device; the machine bounds their number.
    pub fn sessions(&self, user: UserId) -> Result<Vec<Session>, EngineError> {
        let range = after(&key::users::sessions_of(user), None);
        let pairs = self.reader.scan(Family::Users, range, false, usize::MAX)?;
        pairs.iter().map(|(key, value)| decode(Family::Users, key, value)).collect()
    }

    /// All invitations of a user, ordered by conversation; the machine bounds their number.
    pub fn invitations(&self, user: UserId) -> Result<Vec<Invitation>, EngineError> {
        let range = after(&key::users::invitations_of(user), None);
        let pairs = self.reader.scan(Family::Users, range, false, usize::MAX)?;
        pairs.iter().map(|(key, value)| decode(Family::Users, key, value)).collect()
    }

    /// A user's conversation list, in order of conversation id, including absent entries.
    pub fn inbox(
        &self,
        user: UserId,
        from: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<InboxEntry>, EngineError> {
        let last = from.map(|conversation| UsersKey::Inbox(user, conversation).encode());
        let pairs = self.reader.scan(Family::Users, after(&key::users::inbox_of(user), last), false, limit)?;
        pairs.iter().map(|(key, value)| decode(Family::Users, key, value)).collect()
    }

    /// Members in order of user id, after `from`.
    pub fn members(
        &self,
        conversation: ConversationId,
        from: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<(UserId, Member)>, EngineError> {
        let last = from.map(|user| ConversationsKey::Member(conversation, user).encode());
        let range = after(&key::conversations::members_of(conversation), last);
        let pairs = self.reader.scan(Family::Conversations, range, false, limit)?;
        let row = |(key, value): &Pair| match ConversationsKey::decode(key) {
            Some(ConversationsKey::Member(_, user)) => Ok((user, decode(Family::Conversations, key, value)?)),
            _ => Err(damaged(Family::Conversations, key, "not the key of a member")),
        };
        pairs.iter().map(row).collect()
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
        let last = EventKey { conversation, seq: from }.encode();
        self.page_of_events(after(&key::events::events_of(conversation), Some(last)), false, limit, max_bytes)
    }

    /// The last events before `before` (or of all), ascending, bounded as [`View::events`] is.
    pub fn events_before(
        &self,
        conversation: ConversationId,
        before: Option<Seq>,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<Event>, EngineError> {
        let (start, end) = after(&key::events::events_of(conversation), None);
        let end = match before {
            Some(seq) => Bound::Excluded(EventKey { conversation, seq }.encode()),
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
                events.push(decode(Family::Events, &key, &value)?);
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
        let last = from.map(|key| (key.slot, ConversationsKey::Outbox(key).encode()));
        let pairs = self.over_slots(slots, last, limit, key::conversations::outbox_of)?;
        pairs.iter().map(|(key, value)| decode(Family::Conversations, key, value)).collect()
    }

    /// Conversations of `slots` with outbox rows, after `from`, in order of slot and id. It costs
    /// one seek per conversation, for any number of rows.
    pub fn outbox_sources(
        &self,
        slots: Range<u16>,
        from: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationId>, EngineError> {
        let mut sources = Vec::new();
        let mut last = from;
        for slot in (from.map_or(slots.start, |from| slots.start.max(from.slot().0))..slots.end).map(Slot) {
            let (first, end) = after(&key::conversations::outbox_of(slot), None);
            while sources.len() < limit {
                let seen = last.filter(|last| last.slot() == slot);
                let behind = seen.map(|seen| after(&key::conversations::outbox_of_conversation(seen), None).1);
                let start = match behind {
                    Some(Bound::Excluded(next)) => Bound::Included(next),
                    Some(_) => break,
                    None => first.clone(),
                };
                let pairs = self.reader.scan(Family::Conversations, (start, end.clone()), false, 1)?;
                let Some((key, _)) = pairs.first() else { break };
                let Some(ConversationsKey::Outbox(OutboxKey { conversation, .. })) = ConversationsKey::decode(key)
                else {
                    return Err(damaged(Family::Conversations, key, "not the key of an outbox row"));
                };
                // A row of a conversation of another slot would be found again forever.
                if conversation.slot() != slot {
                    return Err(damaged(Family::Conversations, key, "an outbox row in a foreign slot"));
                }
                last = Some(conversation);
                sources.push(conversation);
            }
        }
        Ok(sources)
    }

    /// Outbox rows of one conversation, after `from`, in order of version and user.
    pub fn outbox_of(
        &self,
        conversation: ConversationId,
        from: Option<&OutboxKey>,
        limit: usize,
    ) -> Result<Vec<OutboxRow>, EngineError> {
        let last = from.map(|key| ConversationsKey::Outbox(key.clone()).encode());
        let range = after(&key::conversations::outbox_of_conversation(conversation), last);
        let pairs = self.reader.scan(Family::Conversations, range, false, limit)?;
        pairs.iter().map(|(key, value)| decode(Family::Conversations, key, value)).collect()
    }

    /// The conversations of `slots`, in order of slot and id.
    pub fn conversations(
        &self,
        slots: Range<u16>,
        from: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<(ConversationId, Conversation)>, EngineError> {
        let last = from.map(|id| (id.slot(), ConversationsKey::Conversation(id).encode()));
        let pairs = self.over_slots(slots, last, limit, key::conversations::rows_of)?;
        let row = |(key, value): &Pair| match ConversationsKey::decode(key) {
            Some(ConversationsKey::Conversation(id)) => Ok((id, decode(Family::Conversations, key, value)?)),
            _ => Err(damaged(Family::Conversations, key, "not the key of a conversation")),
        };
        pairs.iter().map(row).collect()
    }

    /// One kind of row of family `conversations`, slot after slot.
    fn over_slots(
        &self,
        slots: Range<u16>,
        mut last: Option<(Slot, Vec<u8>)>,
        limit: usize,
        prefix: impl Fn(Slot) -> Vec<u8>,
    ) -> Result<Vec<Pair>, EngineError> {
        let first = last.as_ref().map_or(slots.start, |(slot, _)| slots.start.max(slot.0));
        let mut pairs = Vec::new();
        for slot in (first..slots.end).map(Slot) {
            let last = last.take_if(|(of, _)| *of == slot).map(|(_, key)| key);
            let range = after(&prefix(slot), last);
            pairs.extend(self.reader.scan(Family::Conversations, range, false, limit - pairs.len())?);
            if pairs.len() == limit {
                break;
            }
        }
        Ok(pairs)
    }
}

/// The keys that begin with `prefix`, after `last` if there is one.
fn after(prefix: &[u8], last: Option<Vec<u8>>) -> KeyRange {
    let start = last.map_or_else(|| Bound::Included(prefix.to_vec()), Bound::Excluded);
    (start, key::after_prefix(prefix).map_or(Bound::Unbounded, Bound::Excluded))
}

fn decode<T: Record>(family: Family, key: &[u8], value: &[u8]) -> Result<T, EngineError> {
    T::decode(value).map_err(|error| damaged(family, key, error))
}

fn number(family: Family, key: &[u8], value: &[u8]) -> Result<u64, EngineError> {
    match value.try_into() {
        Ok(bytes) => Ok(u64::from_be_bytes(bytes)),
        Err(_) => Err(damaged(family, key, "not a number of eight bytes")),
    }
}

fn damaged(family: Family, key: &[u8], why: impl std::fmt::Display) -> EngineError {
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    EngineError::Fatal(format!("row {key} of {} cannot be read: {why}", family.name()))
}
