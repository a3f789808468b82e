//! Facts about a machine, a node and its peers, as far as they could be found out.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use troupe_raft::api::LowMark;

#[derive(Default)]
pub struct Facts {
    /// Why a start would refuse the configuration.
    pub wrong: Option<String>,
    pub warnings: Vec<String>,
    /// The soft and the hard limit of open files.
    pub descriptors: Option<(u64, u64)>,
    /// `limits.connections`.
    pub connections: usize,
    pub mark: LowMark,
    pub folder: Option<Folder>,
    /// Files that hold secrets, and that any user can read.
    pub open_secrets: Vec<PathBuf>,
    pub disk: Option<Disk>,
    /// Seconds until the end of the operator's own certificate for clients; negative when it is
    /// over, and the file.
    pub certificate: Option<(PathBuf, Validity)>,
    pub ports: Vec<Port>,
    pub peers: Vec<Peer>,
    /// The node of this configuration, if it runs.
    pub own: Option<Own>,
    /// Nodes that were asked over HTTP.
    pub nodes: Vec<Node>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    NotYet,
    /// Seconds until its end; negative: it is over.
    EndsIn(i64),
    Unreadable,
}

pub struct Folder {
    pub path: PathBuf,
    pub exists: bool,
    /// Whether this user can write it, or, if it does not exist, make it.
    pub writable: bool,
    /// The user that owns it, and the one that looks.
    pub owner: u32,
    pub user: u32,
    pub mode: u32,
    pub set_aside: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    Disk,
    Memory,
    Network,
}

pub struct Disk {
    pub free: u64,
    pub total: u64,
    pub medium: Medium,
    /// The median of some synced writes; `None`: nothing could be written.
    pub sync: Option<Duration>,
}

/// The answer of the system to a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    Free,
    InUse,
    Forbidden,
    Elsewhere(String),
    Other(String),
}

pub struct Port {
    /// The key of the configuration.
    pub key: &'static str,
    pub address: String,
    pub bound: Bound,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// Its certificate is of the same authority, or both run without TLS.
    Yes,
    NoName(String),
    Down,
    Silent(String),
    NotReady,
    OtherToken,
    OtherTls,
    OtherProgram,
    Refuses(String),
}

pub struct Peer {
    pub address: String,
    pub reached: Reached,
}

pub struct Own {
    pub address: String,
    pub ready: bool,
    pub reasons: Vec<String>,
    /// The answers of `/v1/cluster` and `/v1/upgrade`; null without one.
    pub cluster: Value,
    pub upgrade: Value,
}

/// A node of the cluster, over HTTP from here.
pub struct Node {
    pub id: u64,
    pub address: String,
    pub answers: bool,
    /// Its clock minus that of this machine; it is exact to a second.
    pub clock_ms: Option<i64>,
    /// As it told the cluster.
    pub version: Option<String>,
}
