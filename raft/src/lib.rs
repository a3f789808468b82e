//! What is agreed: many Raft groups on one engine, and the meta group that says which node holds which shard.
//!
//! [`Cluster`] is the face the actors see: propose commands to a shard, read its applied state behind a barrier, follow
//! the routing table. Behind it: `log_store` and `flusher` (one fsync for whatever all groups have waiting),
//! `state_machine` (the core's machine over rows), `transport` (Raft's own connections), `snapshot`, `meta` and `formation`.

pub mod cluster;
pub mod port;

pub use cluster::{Cluster, ClusterConfig, Outcome, ProposeError, ReadError, Routing, StartError};
