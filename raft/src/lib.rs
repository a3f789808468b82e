//! Agreement: many Raft groups on one storage engine, and the meta group that decides which node
//! holds which shard.
//!
//! [`Cluster`] is the interface for the actors: propose commands to a shard, read its applied state
//! behind a barrier, follow the routing table. The modules form layers; each imports only those
//! above it in this list.
//!
//! | layer | contents |
//! |---|---|
//! | [`api`], [`level`], [`types`], [`codec`], [`timing`], [`fatal`] | the vocabulary, and openraft's types with their encodings |
//! | [`transport`] | the cluster port: TLS, handshake, one link to each node, signs of life |
//! | [`log`] | the durable log of a group, and the state machine that applies it |
//! | [`replication`] | the replicas of this node: proposals, snapshots, log retention, failover |
//! | [`formation`] | how a data directory becomes a node of a cluster |
//! | [`control`] | the meta group: placement, moves, balance, readiness, health |
//! | [`backup`] | save and restore of whole shards |
//! | [`cluster`] | one node's part in the cluster, assembled from the layers above |
//! | [`recover`] | a stopped node that continues alone after its cluster is lost |

pub mod api;
pub mod backup;
pub mod cluster;
pub mod codec;
pub mod control;
pub mod fatal;
pub mod formation;
pub mod level;
pub mod log;
pub mod recover;
pub mod replication;
pub mod timing;
pub mod transport;
pub mod types;

pub use api::{ClusterConfig, Outcome, ProposeError, ReadError, Routing, StartError};
pub use cluster::Cluster;
