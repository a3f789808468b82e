//! The replicas of this node: proposing and sending entries, catching up, log retention, and fast
//! failover.

pub mod catchup_throttle;
mod commit_hold;
pub mod company;
pub mod config;
pub mod fast_failover;
pub mod group;
pub mod health;
pub mod log_retention;
pub mod network;
pub mod proposer;
pub mod read;
pub mod runtime;
pub mod snapshot;
pub mod transfers;
