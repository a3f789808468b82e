//! Actions that follow from applied state. Closed, idempotent data: only the leader's shard actor
//! executes an effect. An effect may be repeated or lost without harm, because devices recover from
//! heads and cursors.

use crate::event::Event;
use crate::id::{ClientMessageId, ConversationId, DeviceId, Seq, Slot, Timestamp, TokenHash, UserId};
use crate::record::{Contact, Personal, Profile};
use crate::signal::Signal;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A new event of a conversation: push it to the subscribed nodes.
    Deliver { conversation: ConversationId, event: Event },
    /// The user's conversation list changed: notify the user's connections.
    InboxChanged { user: UserId, conversation: ConversationId, present: bool, version: Seq },
    /// A stranger has added the user to a group: notify the user's connections.
    Invited { user: UserId, conversation: ConversationId, by: UserId },
    /// An unanswered invitation expired: let the user leave the group.
    InvitationExpired { user: UserId, conversation: ConversationId, version: Seq },
    /// The user's profile changed: notify the user's connections.
    ProfileChanged { user: UserId, profile: Box<Profile> },
    /// The user has changed the users who see its presence: notify those that watch it.
    PresenceShown { user: UserId },
    /// The user's relation to another one changed: notify the user's connections.
    ContactChanged { user: UserId, other: UserId, contact: Box<Contact>, blocked: bool },
    /// The user's own state of a conversation changed: notify the user's connections.
    PersonalChanged { conversation: ConversationId, user: UserId, row: Box<Personal>, head: Seq, read: Seq },
    /// The user has saved a message, or saves it no more: notify the user's connections.
    FavouriteChanged { user: UserId, conversation: ConversationId, seq: Seq, removed: bool, version: u64 },
    /// A session ended: close its connection with this reason.
    SessionEnded { user: UserId, device: DeviceId, token: TokenHash, why: Ending },
    /// A member's cursors moved: notify the conversation's subscribed nodes. `read_moved`: not only
    /// `delivered`.
    CursorMoved { conversation: ConversationId, user: UserId, delivered: Seq, read: Seq, read_moved: bool },
    /// There are outbox rows in this slot to relay.
    OutboxFilled { slot: Slot },
    /// The hooks of a conversation changed: let the leader look at them.
    HooksChanged { conversation: ConversationId },
    /// The time of a scheduled message has come: let the leader ask the hook of its group.
    AskHook { conversation: ConversationId, sender: UserId, id: ClientMessageId },
    /// A stream has grown: pass the piece on to the devices that are connected now.
    Grown { signal: Signal },
    /// There is work to do at this time: let the leader look then.
    DuePlanned { at: Timestamp },
}

/// The reason for the end of a session, for its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The same device logged in again.
    Replaced,
    /// A login of another device exceeded the limit, and this session was the oldest.
    TooManySessions,
    LoggedOut,
    /// The user ended it from another device, or an administrator did.
    Revoked,
    PasswordChanged,
    PasswordReset,
    Disabled,
    Deleted,
    /// Unused for too long.
    Expired,
}

impl Ending {
    pub const ALL: [Ending; 9] = [
        Ending::Replaced,
        Ending::TooManySessions,
        Ending::LoggedOut,
        Ending::Revoked,
        Ending::PasswordChanged,
        Ending::PasswordReset,
        Ending::Disabled,
        Ending::Deleted,
        Ending::Expired,
    ];

    /// Stable, for programs: the code of `kicked`.
    pub fn code(self) -> &'static str {
        match self {
            Ending::Replaced => "replaced",
            Ending::TooManySessions => "too_many_sessions",
            Ending::LoggedOut => "logged_out",
            Ending::Revoked => "revoked",
            Ending::PasswordChanged => "password_changed",
            Ending::PasswordReset => "password_reset",
            Ending::Disabled => "account_disabled",
            Ending::Deleted => "account_deleted",
            Ending::Expired => "session_expired",
        }
    }
}
