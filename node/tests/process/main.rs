//! What real `troupe` processes do: when they are treated badly, by strangers, by clients, by their
//! operator, by their disk; and when their content is taken home and brought back.
//!
//! Each of them gets an error that says what to do; nobody else notices, and nothing acknowledged
//! is lost. The rules themselves are tested where they are kept (`actors/tests/one_node.rs`,
//! `raft/src/formation/tests`, `store/src/rocks/tests.rs`); here the binary is.

mod accounts;
mod backup;
mod bot;
mod damage;
mod descriptors;
mod disk;
mod frames;
mod lab;
mod members;
mod person;
mod private;
mod readiness;
mod readme;
mod reload;
mod requests;
mod secure;
mod server;
mod starts;
#[cfg(feature = "planted-bugs")]
mod upgrade;
mod wire;
