//! The disk state of one replica: the log of its group, written with a shared fsync, and the state
//! that its applied entries produce.

pub mod applier;
pub mod flusher;
pub mod hops;
pub mod length;
pub mod log_store;
pub mod restore_part;
pub mod search_index;
pub mod state_machine;
