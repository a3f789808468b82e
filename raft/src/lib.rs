//! What is agreed: many Raft groups on one engine, and the meta group that says which node holds
//! which shard.
//!
//! [`Cluster`] is the face the actors see: propose commands to a shard, read its applied state
//! behind a barrier, follow the routing table. Behind it, from the disk upwards: [`flusher`] (one
//! fsync for whatever all groups have waiting), [`log_store`], [`state_machine`] (what [`applier`]
//! makes of an entry, one batch per step), [`snapshot`]; [`link`] and [`serve`] (Raft's own
//! connections), [`network`], [`pace`]; [`group`] (the replicas of this node), [`trim`] (how long
//! their logs may be), [`meta`] and [`host`] (who is where, and what follows), [`proposer`],
//! [`routing`], [`balance`], [`readiness`] (what a node still lacks), [`gone`] (leaders that have
//! died). What moves when nodes come and go: [`meta::plan`] decides, [`steward`] begins, [`mover`]
//! carries out, [`operate`] takes an operator's orders. A node finds its place in [`formation`] and
//! talks through [`port`]; [`finder`] looks for nodes that have moved, and [`address`] says what an
//! address is good for. What nodes say of themselves to each other is [`vitals`], what is wrong
//! with one [`health`]; [`clocks`] and [`space`] are what they measure. [`backup`] is what others
//! may take home and bring back, [`recover`] how one node goes on when the others are lost.

pub mod address;
pub mod applier;
pub mod backup;
pub mod balance;
pub mod clocks;
pub mod cluster;
pub mod codec;
pub mod fatal;
pub mod finder;
pub mod flusher;
pub mod formation;
pub mod frame;
pub mod gone;
pub mod group;
pub mod health;
pub mod host;
pub mod leads;
pub mod level;
pub mod link;
pub mod log_store;
pub mod meta;
pub mod mover;
pub mod network;
pub mod operate;
pub mod pace;
pub mod port;
pub mod preamble;
pub mod proposer;
pub mod readiness;
pub mod recover;
pub mod routing;
pub mod serve;
pub mod snapshot;
pub mod space;
pub mod state_machine;
pub mod steward;
pub mod timing;
pub mod tls;
pub mod token;
pub mod transfers;
pub mod trim;
pub mod types;
pub mod vitals;
pub mod waiting;

pub use cluster::{Cluster, ClusterConfig, Outcome, ProposeError, ReadError, Routing, StartError};
