//! The rows of accounts: standing, invitations to register, and the audit log.

use std::fmt;
use std::str::FromStr;

use crate::id::{ClientMessageId, Slot, Timestamp, TokenHash, UserId};

/// The standing of an account since its registration. The default is that of an unchanged account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub status: Status,
    /// Whether the user administers the cluster.
    pub admin: bool,
    /// The next login must set another password.
    pub one_time: bool,
    /// Counts the passwords: a login that verified an earlier one opens no session.
    pub revision: u64,
    /// The requests that changed the account last, the newest at the end, so that a repeat is
    /// answered alike and changes nothing.
    pub changes: Vec<ClientMessageId>,
    /// When the password was set; zero: at the registration.
    pub password_set: Timestamp,
    /// Created by the cluster when it was founded.
    pub born_with_cluster: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    #[default]
    Active,
    Disabled,
    /// Its name stays reserved, its password is erased.
    Deleted,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Disabled => "disabled",
            Status::Deleted => "deleted",
        }
    }
}

/// The actor of an act, as known then. User 0 is an operator with the cluster's key, or the cluster
/// itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Author {
    pub user: UserId,
    pub name: String,
    /// Origin of the request; empty if unknown.
    pub address: String,
}

/// One act of an administrator or operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    pub key: AuditKey,
    pub by: Author,
    /// A stable code, for instance `user.disable`.
    pub action: String,
    pub target: String,
    pub detail: String,
    /// The request of the act, so that a repeat leaves no second row.
    pub request: ClientMessageId,
}

/// In order of time within its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditKey {
    pub slot: Slot,
    pub time: Timestamp,
    /// Counts the rows of the slot, including dropped ones.
    pub number: u64,
}

impl AuditKey {
    /// The key directly before all rows at or after a moment.
    pub fn before(moment: Timestamp) -> AuditKey {
        AuditKey { slot: Slot(u16::MAX), time: Timestamp(moment.0.saturating_sub(1)), number: u64::MAX }
    }

    /// The order of rows over all slots.
    pub fn place(self) -> (Timestamp, Slot, u64) {
        (self.time, self.slot, self.number)
    }
}

/// The first bytes of the hash of an invitation's code: enough to name it, too little to use it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InviteId(pub u64);

impl InviteId {
    pub fn of(hash: &TokenHash) -> InviteId {
        let [a, b, c, d, e, f, g, h, ..] = hash.0;
        InviteId(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }

    pub fn slot(self) -> Slot {
        Slot::of(&self.0.to_be_bytes())
    }
}

impl fmt::Display for InviteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for InviteId {
    type Err = std::num::ParseIntError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(s, 16).map(InviteId)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    pub id: InviteId,
    /// SHA-256 of the code; the code itself is never stored.
    pub hash: TokenHash,
    pub request: ClientMessageId,
    pub by: Author,
    pub created: Timestamp,
    pub expires: Timestamp,
    pub uses: u32,
    /// Reservations, spent or not.
    pub used: u32,
    pub revoked: bool,
    pub note: String,
}

impl Invite {
    pub fn is_open(&self, now: Timestamp) -> bool {
        !self.revoked && now < self.expires && self.used < self.uses
    }
}

/// One use of an invitation, keyed by the registration that took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    pub invite: InviteId,
    pub request: ClientMessageId,
    /// The name to register.
    pub name: String,
    pub at: Timestamp,
    /// Zero until the registration is done.
    pub user: UserId,
}
