//! Nodes: their addresses, their intended states, and the admission of new ones.

use troupe_core::NodeId;
use troupe_core::level::Range;
use troupe_runtime::net::BoxFuture;

/// The addresses for other nodes, for clients and for browsers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    pub cluster: String,
    pub client: String,
    pub http: String,
}

/// The intended state of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NodeState {
    #[default]
    Active,
    /// Its replicas move away. It stays a member and may become active again.
    Draining,
    /// Its replicas move away, to the replacement if possible. Then the node is out forever.
    Leaving { replacement: Option<NodeId> },
    /// Unreachable for too long: treated as leaving until it is heard of again.
    Lost,
}

/// One of the first nodes of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founder {
    pub id: NodeId,
    /// Of the cluster port.
    pub address: String,
    pub client_address: String,
    pub http_address: String,
}

/// The request of a node that has no id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRequest {
    /// Drawn once by an empty data directory. The same request is the same node and gets the same
    /// id again. A wiped node draws another.
    pub request: [u8; 16],
    pub address: String,
    pub client_address: String,
    pub http_address: String,
    /// Feature levels that it supports.
    pub levels: Range,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JoinRefusal {
    /// Ask there (a cluster address), or any other node.
    NotLeader { hint: Option<String> },
    /// Not now: ask again.
    Unavailable,
    /// The node that this request created was removed before it started. Ask with a new request.
    Removed,
    /// Permanent: the text says what the operator must change.
    Refused(String),
}

/// The meta group, as this node sees it: it admits new nodes.
pub trait MemberRegistry: Send + Sync + 'static {
    fn cluster_id(&self) -> [u8; 16];
    /// Allocates a node id that was never allocated before, except to the same request. The caller
    /// bounds the time.
    fn admit(&self, who: JoinRequest) -> BoxFuture<'_, Result<NodeId, JoinRefusal>>;
    /// Cluster addresses of all nodes.
    fn addresses(&self) -> Vec<(NodeId, String)>;
}
