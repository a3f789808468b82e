//! Steps of calls, and changes to the rules of groups.

use serde::{Deserialize, Serialize};

/// A step of a call in a direct conversation. Its first step names it by its seq.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CallStep {
    Started,
    Answered { call: u64 },
    Ended { call: u64, caller: u64, outcome: String, lasted_ms: u64 },
}

/// The change of an event to the rules of a group: its members, and their right to speak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Rule {
    Created,
    Added {
        users: Vec<u64>,
    },
    Removed {
        user: u64,
    },
    /// Whether the user is an admin or an owner from here on.
    Role {
        user: u64,
        admin: bool,
    },
    /// Until zero: lifted.
    Muted {
        user: u64,
        until: u64,
    },
    Banned {
        user: u64,
        lifted: bool,
    },
    Set {
        slow_ms: Option<u64>,
        muted_until: Option<u64>,
        /// Whether users come in by approval from here on; `None`: as before.
        #[serde(default)]
        approval: Option<bool>,
    },
    /// An invite link was made.
    Linked,
    /// The sender asks to join.
    Asked,
    /// The request of this user is refused or withdrawn.
    Closed {
        user: u64,
    },
    Disbanded,
}
