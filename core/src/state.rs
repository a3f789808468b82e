//! The applied state as the machine sees it: typed rows, read and written one by one.
//!
//! On nodes it is a transaction over the store; [`memory::MemoryState`] is ordered maps, for tests
//! and models. A read sees the earlier writes of its transaction. On a failing read the transaction
//! remembers the error and answers as if the row were missing; the caller of `apply` discards the
//! batch and stops the node.

mod account;
pub mod memory;

use crate::event::Event;
use crate::id::{ClientMessageId, ConversationId, DeviceId, GroupId, Seq, Slot, UserId};
use crate::record::{Conversation, Cursor, InboxEntry, Invitation, Member, OutboxKey, OutboxRow, Session, User};
use crate::unread::Numbering;

pub use account::AccountRows;

pub trait State: AccountRows {
    // Users, in the slot of the user.
    fn user(&self, user: UserId) -> Option<User>;
    fn put_user(&mut self, user: &User);
    /// The user of a case-folded name.
    fn user_of_name(&self, folded: &str) -> Option<UserId>;
    fn put_name(&mut self, folded: &str, user: UserId);
    fn session(&self, user: UserId, device: &DeviceId) -> Option<Session>;
    /// All sessions of a user, ordered by device.
    fn sessions(&self, user: UserId) -> Vec<Session>;
    fn put_session(&mut self, user: UserId, session: &Session);
    fn delete_session(&mut self, user: UserId, device: &DeviceId);
    fn inbox_entry(&self, user: UserId, conversation: ConversationId) -> Option<InboxEntry>;
    fn put_inbox_entry(&mut self, user: UserId, entry: &InboxEntry);

    fn invitation(&self, user: UserId, conversation: ConversationId) -> Option<Invitation>;
    /// All invitations of a user, ordered by conversation; the machine bounds their number.
    fn invitations(&self, user: UserId) -> Vec<Invitation>;
    fn put_invitation(&mut self, user: UserId, invitation: &Invitation);
    fn delete_invitation(&mut self, user: UserId, conversation: ConversationId);
    /// Whether the user has accepted an invitation by this one.
    fn knows(&self, user: UserId, other: UserId) -> bool;
    fn put_known(&mut self, user: UserId, other: UserId);

    // Conversations, in the slot of the conversation.
    fn conversation(&self, conversation: ConversationId) -> Option<Conversation>;
    fn put_conversation(&mut self, conversation: ConversationId, row: &Conversation);
    fn member(&self, conversation: ConversationId, user: UserId) -> Option<Member>;
    fn put_member(&mut self, conversation: ConversationId, user: UserId, member: &Member);
    fn delete_member(&mut self, conversation: ConversationId, user: UserId);
    /// Members in order of user id, after `from` (exclusive), at most `limit`.
    fn members(&self, conversation: ConversationId, from: Option<UserId>, limit: usize) -> Vec<(UserId, Member)>;
    fn cursor(&self, conversation: ConversationId, user: UserId) -> Cursor;
    fn put_cursor(&mut self, conversation: ConversationId, user: UserId, cursor: Cursor);
    fn event(&self, conversation: ConversationId, seq: Seq) -> Option<Event>;
    fn put_event(&mut self, conversation: ConversationId, event: &Event);
    /// The position of a user's event numbers in this conversation; see [`crate::unread`].
    fn numbering(&self, conversation: ConversationId, user: UserId) -> Numbering;
    /// Writes the last row, if it is a new one.
    fn put_numbering(&mut self, conversation: ConversationId, user: UserId, numbering: Numbering);
    /// The place a client message id has taken.
    fn placed(&self, conversation: ConversationId, sender: UserId, id: ClientMessageId) -> Option<Seq>;
    fn put_placed(&mut self, conversation: ConversationId, sender: UserId, id: ClientMessageId, seq: Seq);
    /// The group that a creation request made.
    fn group_of_request(&self, slot: Slot, creator: UserId, request: ClientMessageId) -> Option<GroupId>;
    fn put_group_of_request(&mut self, slot: Slot, creator: UserId, request: ClientMessageId, group: GroupId);
    fn put_outbox(&mut self, row: &OutboxRow);
    fn delete_outbox(&mut self, key: &OutboxKey);

    /// The last counter handed out in this slot, for user and group ids alike; zero at first.
    fn counter(&self, slot: Slot) -> u64;
    fn put_counter(&mut self, slot: Slot, counter: u64);
}
