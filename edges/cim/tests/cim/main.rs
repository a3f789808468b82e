//! The CIM edge on whole nodes in this process, over real sockets.

mod accounts;
mod bad_input;
mod channel;
mod golden;
mod harness;
mod silent_shard;
mod three_nodes;
mod weak_points;
