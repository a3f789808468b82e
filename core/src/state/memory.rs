//! State in ordered maps, for tests, models and simulations. Not durable, and not optimised.

mod account;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included, Unbounded};

use super::State;
use crate::event::Event;
use crate::id::{ClientMessageId, ConversationId, DeviceId, GroupId, Seq, Slot, UserId};
use crate::record::{AuditKey, AuditRow, Invite, InviteId, Reservation};
use crate::record::{Conversation, Cursor, InboxEntry, Invitation, Member, OutboxKey, OutboxRow, Session, User};
use crate::unread::{self, Numbered, Numbering};

/// Equal when they hold the same rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryState {
    users: BTreeMap<UserId, User>,
    names: BTreeMap<String, UserId>,
    /// A user without sessions has no inner map.
    sessions: BTreeMap<UserId, BTreeMap<DeviceId, Session>>,
    inbox: BTreeMap<(UserId, ConversationId), InboxEntry>,
    invitations: BTreeMap<(UserId, ConversationId), Invitation>,
    known: BTreeSet<(UserId, UserId)>,
    conversations: BTreeMap<ConversationId, Conversation>,
    members: BTreeMap<(ConversationId, UserId), Member>,
    cursors: BTreeMap<(ConversationId, UserId), Cursor>,
    events: BTreeMap<(ConversationId, Seq), Event>,
    placed: BTreeMap<(ConversationId, UserId, ClientMessageId), Seq>,
    numbered: BTreeMap<(ConversationId, UserId, Seq), u64>,
    requests: BTreeMap<(Slot, UserId, ClientMessageId), GroupId>,
    outbox: BTreeMap<OutboxKey, OutboxRow>,
    counters: BTreeMap<Slot, u64>,
    audit: BTreeMap<AuditKey, AuditRow>,
    invites: BTreeMap<InviteId, Invite>,
    reservations: BTreeMap<(InviteId, ClientMessageId), Reservation>,
}

impl MemoryState {
    /// The whole log of a conversation, in order.
    pub fn events(&self, conversation: ConversationId) -> Vec<Event> {
        let all = (conversation, Seq::ZERO)..=(conversation, Seq(u64::MAX));
        self.events.range(all).map(|(_, event)| event.clone()).collect()
    }

    pub fn conversations(&self) -> Vec<ConversationId> {
        self.conversations.keys().copied().collect()
    }

    /// The outbox rows of all slots, in the order of keys.
    pub fn outbox(&self) -> Vec<OutboxRow> {
        self.outbox.values().cloned().collect()
    }

    /// A user's conversation list, left ones included.
    pub fn inbox(&self, user: UserId) -> Vec<InboxEntry> {
        let all = (user, ConversationId::Everyone)..=(user, ConversationId::Group(GroupId(u64::MAX)));
        self.inbox.range(all).map(|(_, entry)| entry.clone()).collect()
    }

    /// How many events up to `seq` are numbered for `user`.
    pub fn numbered_up_to(&self, conversation: ConversationId, user: UserId, seq: Seq) -> u64 {
        let count = |from: Seq, to: Seq| {
            let events = self.events.range((Excluded((conversation, from)), Included((conversation, to))));
            Ok(events.filter(|(_, event)| unread::numbered_for(event) == user).count() as u64)
        };
        let number: Result<u64, std::convert::Infallible> =
            unread::up_to(self.last_numbered(conversation, user, seq), seq, count);
        number.unwrap_or_else(|never| match never {})
    }

    /// The last row of a user's numbers up to `seq`.
    pub fn last_numbered(&self, conversation: ConversationId, user: UserId, seq: Seq) -> Numbered {
        let upto = (conversation, user, Seq::ZERO)..=(conversation, user, seq);
        let last = self.numbered.range(upto).next_back();
        last.map(|((_, _, seq), number)| Numbered { seq: *seq, number: *number }).unwrap_or_default()
    }

    pub fn users(&self) -> Vec<User> {
        self.users.values().cloned().collect()
    }
}

impl State for MemoryState {
    fn user(&self, user: UserId) -> Option<User> {
        self.users.get(&user).cloned()
    }

    fn put_user(&mut self, user: &User) {
        self.users.insert(user.id, user.clone());
    }

    fn user_of_name(&self, folded: &str) -> Option<UserId> {
        self.names.get(folded).copied()
    }

    fn put_name(&mut self, folded: &str, user: UserId) {
        self.names.insert(folded.to_owned(), user);
    }

    fn session(&self, user: UserId, device: &DeviceId) -> Option<Session> {
        self.sessions.get(&user)?.get(device).cloned()
    }

    fn sessions(&self, user: UserId) -> Vec<Session> {
        self.sessions.get(&user).map(|sessions| sessions.values().cloned().collect()).unwrap_or_default()
    }

    fn put_session(&mut self, user: UserId, session: &Session) {
        self.sessions.entry(user).or_default().insert(session.device.clone(), session.clone());
    }

    fn delete_session(&mut self, user: UserId, device: &DeviceId) {
        if let Some(sessions) = self.sessions.get_mut(&user) {
            sessions.remove(device);
            if sessions.is_empty() {
                self.sessions.remove(&user);
            }
        }
    }

    fn inbox_entry(&self, user: UserId, conversation: ConversationId) -> Option<InboxEntry> {
        self.inbox.get(&(user, conversation)).cloned()
    }

    fn put_inbox_entry(&mut self, user: UserId, entry: &InboxEntry) {
        self.inbox.insert((user, entry.conversation), entry.clone());
    }

    fn invitation(&self, user: UserId, conversation: ConversationId) -> Option<Invitation> {
        self.invitations.get(&(user, conversation)).cloned()
    }

    fn invitations(&self, user: UserId) -> Vec<Invitation> {
        let all = (user, ConversationId::Everyone)..=(user, ConversationId::Group(GroupId(u64::MAX)));
        self.invitations.range(all).map(|(_, invitation)| invitation.clone()).collect()
    }

    fn put_invitation(&mut self, user: UserId, invitation: &Invitation) {
        self.invitations.insert((user, invitation.conversation), invitation.clone());
    }

    fn delete_invitation(&mut self, user: UserId, conversation: ConversationId) {
        self.invitations.remove(&(user, conversation));
    }

    fn knows(&self, user: UserId, other: UserId) -> bool {
        self.known.contains(&(user, other))
    }

    fn put_known(&mut self, user: UserId, other: UserId) {
        self.known.insert((user, other));
    }

    fn conversation(&self, conversation: ConversationId) -> Option<Conversation> {
        self.conversations.get(&conversation).cloned()
    }

    fn put_conversation(&mut self, conversation: ConversationId, row: &Conversation) {
        self.conversations.insert(conversation, row.clone());
    }

    fn member(&self, conversation: ConversationId, user: UserId) -> Option<Member> {
        self.members.get(&(conversation, user)).cloned()
    }

    fn put_member(&mut self, conversation: ConversationId, user: UserId, member: &Member) {
        self.members.insert((conversation, user), member.clone());
    }

    fn delete_member(&mut self, conversation: ConversationId, user: UserId) {
        self.members.remove(&(conversation, user));
    }

    fn members(&self, conversation: ConversationId, from: Option<UserId>, limit: usize) -> Vec<(UserId, Member)> {
        let first = from.map_or(Included((conversation, UserId(0))), |from| Excluded((conversation, from)));
        let rows = self.members.range((first, Unbounded)).take_while(|((of, _), _)| *of == conversation);
        rows.take(limit).map(|((_, user), member)| (*user, member.clone())).collect()
    }

    fn cursor(&self, conversation: ConversationId, user: UserId) -> Cursor {
        self.cursors.get(&(conversation, user)).copied().unwrap_or_default()
    }

    fn put_cursor(&mut self, conversation: ConversationId, user: UserId, cursor: Cursor) {
        self.cursors.insert((conversation, user), cursor);
    }

    fn event(&self, conversation: ConversationId, seq: Seq) -> Option<Event> {
        self.events.get(&(conversation, seq)).cloned()
    }

    fn put_event(&mut self, conversation: ConversationId, event: &Event) {
        self.events.insert((conversation, event.seq), event.clone());
    }

    fn placed(&self, conversation: ConversationId, sender: UserId, id: ClientMessageId) -> Option<Seq> {
        self.placed.get(&(conversation, sender, id)).copied()
    }

    fn put_placed(&mut self, conversation: ConversationId, sender: UserId, id: ClientMessageId, seq: Seq) {
        self.placed.insert((conversation, sender, id), seq);
    }

    fn numbering(&self, conversation: ConversationId, user: UserId) -> Numbering {
        let last = self.last_numbered(conversation, user, Seq(u64::MAX));
        Numbering { last, since: self.numbered_up_to(conversation, user, Seq(u64::MAX)) - last.number }
    }

    fn put_numbering(&mut self, conversation: ConversationId, user: UserId, numbering: Numbering) {
        if numbering.since == 0 {
            self.numbered.insert((conversation, user, numbering.last.seq), numbering.last.number);
        }
    }

    fn group_of_request(&self, slot: Slot, creator: UserId, request: ClientMessageId) -> Option<GroupId> {
        self.requests.get(&(slot, creator, request)).copied()
    }

    fn put_group_of_request(&mut self, slot: Slot, creator: UserId, request: ClientMessageId, group: GroupId) {
        self.requests.insert((slot, creator, request), group);
    }

    fn put_outbox(&mut self, row: &OutboxRow) {
        self.outbox.insert(row.key.clone(), row.clone());
    }

    fn delete_outbox(&mut self, key: &OutboxKey) {
        self.outbox.remove(key);
    }

    fn counter(&self, slot: Slot) -> u64 {
        self.counters.get(&slot).copied().unwrap_or(0)
    }

    fn put_counter(&mut self, slot: Slot, counter: u64) {
        self.counters.insert(slot, counter);
    }
}
