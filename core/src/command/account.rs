//! Changes of an account by an administrator or the user, invitations to register, and the audit
//! log. Each command touches the rows of one slot.

use crate::id::{ClientMessageId, DeviceId, Slot, Timestamp, TokenHash, UserId};
use crate::name::{NameKey, Username};
use crate::record::{AccountRole, Author, InviteId};

/// Creates an account for another user. A repeat with the same `request` returns the same user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateAccount {
    pub name: Username,
    pub password_hash: String,
    pub request: ClientMessageId,
    pub by: Author,
    pub admin: bool,
    /// The password serves for one login, which sets another one.
    pub one_time: bool,
    /// Created by the cluster when it was founded.
    pub born_with_cluster: bool,
    /// When it was created, where that was in another system.
    pub created: Option<Timestamp>,
}

/// One change of one account. A repeat with the same `request` changes nothing and is answered
/// alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeAccount {
    pub user: UserId,
    pub request: ClientMessageId,
    pub by: Author,
    pub change: AccountChange,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountChange {
    /// By the user, whose old password the caller has verified against `revision`. Ends the
    /// sessions of the other devices.
    ChangePassword {
        password_hash: String,
        revision: u64,
        /// The caller's session, if there is one.
        keep: Option<(DeviceId, TokenHash)>,
    },
    /// By an administrator: the new password is a one-time password. Ends all sessions.
    ResetPassword {
        password_hash: String,
        revision: u64,
    },
    /// Ends all sessions; no login and no resume until the account is enabled.
    Disable,
    Enable,
    /// Ends all sessions and erases the password. The name stays reserved, and messages remain.
    Delete,
    SetAdmin {
        admin: bool,
    },
    SetRole {
        role: AccountRole,
    },
    /// Logs out one device, or all of them.
    EndSessions {
        device: Option<DeviceId>,
    },
}

/// Records the use of a session, or ends it if it was idle for longer than `idle_ms` (zero: never).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TouchSession {
    pub user: UserId,
    pub device: DeviceId,
    pub token: TokenHash,
    pub idle_ms: u64,
    /// The session has a connection, so it is in use even if its row is old: the idle time may have
    /// become shorter.
    pub live: bool,
}

/// In the slot of the invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeInvite {
    pub id: InviteId,
    pub change: InviteChange,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InviteChange {
    Create {
        hash: TokenHash,
        request: ClientMessageId,
        by: Author,
        /// Number of accounts that it may register.
        uses: u32,
        expires: Timestamp,
        note: String,
    },
    Revoke {
        by: Author,
    },
    /// Takes one use for this registration, also under repetition.
    Reserve {
        hash: TokenHash,
        request: ClientMessageId,
        name: NameKey,
    },
    /// The registration was refused for good: releases the use.
    Release {
        request: ClientMessageId,
    },
    /// The registration succeeded: spends the use.
    Settle {
        request: ClientMessageId,
        user: UserId,
    },
}

/// An act that changes nothing in a shard (an order about nodes, a setting of the cluster), for the
/// audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordAct {
    pub slot: Slot,
    pub request: ClientMessageId,
    pub by: Author,
    pub action: String,
    pub target: String,
    pub detail: String,
}
