//! Rows of one replica after the drain.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::*;

/// The relation of a user to another one on one replica after the drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalContact {
    pub user: u64,
    pub other: u64,
    pub version: u64,
    pub wants: bool,
    /// By the other one.
    pub wanted: bool,
    /// The user blocks the other one.
    pub blocked: bool,
    /// Other shards have not committed all of it.
    pub owed: bool,
}

/// Whether a user takes messages of another one, on one replica after the drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalGate {
    pub user: u64,
    pub other: u64,
    pub version: u64,
    pub closed: bool,
}

/// One conversation on one replica after the drain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalLog {
    pub head: u64,
    pub chain: String,
    pub entries: Vec<Entry>,
    /// The counts that the replica keeps; absent if it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Vec<Count>>,
    /// The bodies that the replica has; absent if it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<Contents>,
    /// The seqs of the edits that the replica keeps, by message; absent if it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edits: Option<BTreeMap<u64, Vec<u64>>>,
    /// The seqs of the pinned messages that the replica keeps; absent if it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pins: Option<Vec<u64>>,
    /// The votes that the replica counts; absent if it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub polls: Option<Vec<PollVotes>>,
}

/// A row of a scheduled message that is in no log, on one replica after the drain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub id: MessageId,
    /// The code of its refusal; empty: it waits or was cancelled.
    pub refused: String,
}

/// A hook on a disk at the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalHook {
    pub delivered: u64,
    /// Events that were given up.
    pub dead: Vec<u64>,
}
