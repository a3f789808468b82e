//! Whole nodes in this process, over real sockets. One binary: each further one links the whole
//! server: a minute in release.

mod accounts;
mod harness;
mod imports;
mod invitations;
#[cfg(feature = "planted-bugs")]
mod later_kinds;
mod limits;
mod names;
mod one_node;
mod outsiders;
mod protocol;
mod reactions;
mod reading;
mod refused;
mod signals;
mod three_nodes;
mod trace;
mod transfer;
mod watches;
