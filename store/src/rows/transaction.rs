//! The state for the machine's commands: reads see the earlier writes, and all writes become one
//! batch.

mod account;

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use troupe_core::record::{Conversation, Cursor, InboxEntry, Invitation, Member, OutboxKey, OutboxRow, Session, User};
use troupe_core::unread::Numbering;
use troupe_core::{ClientMessageId, ConversationId, DeviceId, Event, GroupId, Seq, Slot, State, UserId};
use troupe_proto::record::Record;

use super::overlay::Overlay;
use super::view::View;
use crate::engine::{Batch, EngineError, Family, Reader};
use crate::key::{self, ConversationsKey, EventKey, UsersKey};

/// Where the numbers of events stand, of the users that have written last. Kept from one apply to
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

    /// For rows that come as bytes: what was searched before may be changed by them.
    pub(super) fn rows(&mut self) -> &mut Overlay {
        self.numberings.get_mut().0.clear();
        &mut self.rows.reader
    }

    pub(super) fn view(&self) -> &View<Overlay> {
        &self.rows
    }

    fn read<T: Default>(&self, row: Result<T, EngineError>) -> T {
        row.unwrap_or_else(|error| {
            // Only the first counts: later reads are wrong already.
            self.failed.get_or_init(|| error);
            T::default()
        })
    }

    fn put(&mut self, family: Family, key: Vec<u8>, value: Vec<u8>) {
        self.rows.reader.put(family, key, value);
    }

    fn put_number(&mut self, family: Family, key: Vec<u8>, number: u64) {
        self.put(family, key, number.to_be_bytes().to_vec());
    }
}

impl State for Transaction {
    fn user(&self, user: UserId) -> Option<User> {
        self.read(self.rows.user(user))
    }

    fn put_user(&mut self, user: &User) {
        self.put(Family::Users, UsersKey::User(user.id).encode(), user.encode());
    }

    fn user_of_name(&self, folded: &str) -> Option<UserId> {
        self.read(self.rows.user_of_name(folded))
    }

    fn put_name(&mut self, folded: &str, user: UserId) {
        self.put_number(Family::Users, key::users::name(Slot::of(folded.as_bytes()), folded), user.0);
    }

    fn session(&self, user: UserId, device: &DeviceId) -> Option<Session> {
        self.read(self.rows.session(user, device))
    }

    fn sessions(&self, user: UserId) -> Vec<Session> {
        self.read(self.rows.sessions(user))
    }

    fn put_session(&mut self, user: UserId, session: &Session) {
        self.put(Family::Users, key::users::session(user, &session.device), session.encode());
    }

    fn delete_session(&mut self, user: UserId, device: &DeviceId) {
        self.rows.reader.delete(Family::Users, key::users::session(user, device));
    }

    fn inbox_entry(&self, user: UserId, conversation: ConversationId) -> Option<InboxEntry> {
        self.read(self.rows.inbox_entry(user, conversation))
    }

    fn put_inbox_entry(&mut self, user: UserId, entry: &InboxEntry) {
        self.put(Family::Users, UsersKey::Inbox(user, entry.conversation).encode(), entry.encode());
    }

    fn invitation(&self, user: UserId, conversation: ConversationId) -> Option<Invitation> {
        self.read(self.rows.invitation(user, conversation))
    }

    fn invitations(&self, user: UserId) -> Vec<Invitation> {
        self.read(self.rows.invitations(user))
    }

    fn put_invitation(&mut self, user: UserId, invitation: &Invitation) {
        let key = UsersKey::Invitation(user, invitation.conversation).encode();
        self.put(Family::Users, key, invitation.encode());
    }

    fn delete_invitation(&mut self, user: UserId, conversation: ConversationId) {
        self.rows.reader.delete(Family::Users, UsersKey::Invitation(user, conversation).encode());
    }

    fn knows(&self, user: UserId, other: UserId) -> bool {
        self.read(self.rows.knows(user, other))
    }

    fn put_known(&mut self, user: UserId, other: UserId) {
        self.put(Family::Users, UsersKey::Known(user, other).encode(), Vec::new());
    }

    fn conversation(&self, conversation: ConversationId) -> Option<Conversation> {
        self.read(self.rows.conversation(conversation))
    }

    fn put_conversation(&mut self, conversation: ConversationId, row: &Conversation) {
        self.put(Family::Conversations, ConversationsKey::Conversation(conversation).encode(), row.encode());
    }

    fn member(&self, conversation: ConversationId, user: UserId) -> Option<Member> {
        self.read(self.rows.member(conversation, user))
    }

    fn put_member(&mut self, conversation: ConversationId, user: UserId, member: &Member) {
        self.put(Family::Conversations, ConversationsKey::Member(conversation, user).encode(), member.encode());
    }

    fn delete_member(&mut self, conversation: ConversationId, user: UserId) {
        self.rows.reader.delete(Family::Conversations, ConversationsKey::Member(conversation, user).encode());
    }

    fn members(&self, conversation: ConversationId, from: Option<UserId>, limit: usize) -> Vec<(UserId, Member)> {
        self.read(self.rows.members(conversation, from, limit))
    }

    fn cursor(&self, conversation: ConversationId, user: UserId) -> Cursor {
        self.read(self.rows.cursor(conversation, user))
    }

    fn put_cursor(&mut self, conversation: ConversationId, user: UserId, cursor: Cursor) {
        self.put(Family::Conversations, ConversationsKey::Cursor(conversation, user).encode(), cursor.encode());
    }

    fn event(&self, conversation: ConversationId, seq: Seq) -> Option<Event> {
        self.read(self.rows.event(conversation, seq))
    }

    fn put_event(&mut self, conversation: ConversationId, event: &Event) {
        self.put(Family::Events, EventKey { conversation, seq: event.seq }.encode(), event.encode());
    }

    fn placed(&self, conversation: ConversationId, sender: UserId, id: ClientMessageId) -> Option<Seq> {
        self.read(self.rows.placed(conversation, sender, id))
    }

    fn put_placed(&mut self, conversation: ConversationId, sender: UserId, id: ClientMessageId, seq: Seq) {
        self.put_number(Family::Conversations, ConversationsKey::Placed(conversation, sender, id).encode(), seq.0);
    }

    fn numbering(&self, conversation: ConversationId, user: UserId) -> Numbering {
        let mut numberings = self.numberings.borrow_mut();
        let search = || self.read(self.rows.numbering(conversation, user));
        *numberings.0.entry((conversation, user)).or_insert_with(search)
    }

    fn put_numbering(&mut self, conversation: ConversationId, user: UserId, numbering: Numbering) {
        self.numberings.get_mut().0.insert((conversation, user), numbering);
        if numbering.since == 0 {
            let key = ConversationsKey::Numbered(conversation, user, numbering.last.seq).encode();
            self.put_number(Family::Conversations, key, numbering.last.number);
        }
    }

    fn group_of_request(&self, slot: Slot, creator: UserId, request: ClientMessageId) -> Option<GroupId> {
        self.read(self.rows.group_of_request(slot, creator, request))
    }

    fn put_group_of_request(&mut self, slot: Slot, creator: UserId, request: ClientMessageId, group: GroupId) {
        self.put_number(Family::Conversations, ConversationsKey::Request(slot, creator, request).encode(), group.0);
    }

    fn put_outbox(&mut self, row: &OutboxRow) {
        self.put(Family::Conversations, ConversationsKey::Outbox(row.key.clone()).encode(), row.encode());
    }

    fn delete_outbox(&mut self, key: &OutboxKey) {
        self.rows.reader.delete(Family::Conversations, ConversationsKey::Outbox(key.clone()).encode());
    }

    fn counter(&self, slot: Slot) -> u64 {
        self.read(self.rows.counter(slot))
    }

    fn put_counter(&mut self, slot: Slot, counter: u64) {
        self.put_number(Family::Users, UsersKey::Counter(slot).encode(), counter);
    }
}
