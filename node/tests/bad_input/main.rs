//! What a real `troupe` process does when it is treated badly: by strangers, by clients, by its operator, by its disk.
//!
//! Each of them gets an error that says what to do; nobody else notices, and nothing acknowledged is lost. The rules themselves are
//! tested where they are kept (`actors/tests/one_node.rs`, `raft/src/formation/tests`, `store/src/rocks/tests.rs`); here the binary is.

mod disk;
mod frames;
mod person;
mod requests;
mod server;
mod starts;
mod wire;
