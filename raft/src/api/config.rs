//! The configuration with which a node starts.

use std::path::PathBuf;
use std::time::Duration;

use super::settings::Settings;
use super::storage_mark::LowMark;
use crate::level::Support;

/// The settings of `troupe start`.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// The address on which the cluster port listens, and the one that other nodes dial.
    pub listen: String,
    pub advertise: String,
    /// Cluster addresses of all founding nodes, including this one; empty for a cluster of one.
    pub join: Vec<String>,
    /// The cluster's join token. `None` only with `insecure`, or for a cluster of one, which
    /// generates its own.
    pub token: Option<String>,
    /// No TLS between nodes; refused off loopback.
    pub insecure: bool,
    /// The addresses that clients and browsers dial at this node, spread through the meta group.
    pub client_address: String,
    pub http_address: String,
    /// The number of shards of a new cluster. An existing cluster keeps its own.
    pub shards: u32,
    /// Replicas of each shard, capped by the number of nodes.
    pub replication: usize,
    /// The directory for small files (certificate, token); `None` in simulation.
    pub data_dir: Option<PathBuf>,
    /// For a new cluster: the effect of a second login of a user.
    pub login_policy: LoginPolicy,
    /// For a new cluster; an existing cluster has its own.
    pub settings: Settings,
    /// A node that is unreachable for this long is replaced, if other nodes have room.
    pub replace_after: Duration,
    /// Free bytes of this node's disk below which growing commands are refused.
    pub storage_low_mark: LowMark,
    /// The feature levels of this program. Tests pretend an older one.
    pub supports: Support,
    /// The feature level rises automatically when all members have supported a higher one for this
    /// long. Zero: only an operator raises it.
    pub auto_finalize: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginPolicy {
    /// A new session of a device replaces that device's old one.
    #[default]
    Replace,
    /// A user who is online on any device is refused, as CIM does.
    Refuse,
}
