//! Roles of accounts, last logins, and the list of groups, as administrators and auditors see them.

use serde::{Deserialize, Serialize};

use super::{Conversation, Outcome};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    User,
    Auditor,
    Admin,
}

/// The definite answer to an operation of administrators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Done,
    /// `read_only_role`
    ReadOnly,
    /// `not_admin`
    NotAdmin,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Oversight {
    /// An administrator asks for a role of this user, or learns that the user has it.
    Role { user: u64, role: Role, outcome: Outcome },
    /// The answer to an operation that this user has asked for, which reads or changes something.
    Answered { user: u64, changes: bool, verdict: Verdict },
    /// A user tries to log in from this address, or learns that it has logged in.
    LogIn { user: u64, from: String, outcome: Outcome },
    /// The last login of a user, as it was shown. `opened_ms`: the time of the session of its
    /// newest acknowledged login, and no other login was on its way.
    LastLogin { user: u64, at_ms: u64, from: String, opened_ms: u64 },
    /// The creation of a group was acknowledged.
    GroupMade { group: Conversation },
    /// Its owner asks for the end of a group, or learns of it.
    GroupEnded { group: Conversation, outcome: Outcome },
    /// All pages of the list of groups, one behind the other.
    Groups { groups: Vec<ListedGroup> },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedGroup {
    pub group: Conversation,
    /// It was disbanded.
    pub ended: bool,
}
