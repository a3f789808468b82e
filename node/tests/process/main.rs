//! Real `troupe` processes under bad treatment by strangers, clients, their operator and their
//! disk, and through backup and restore.
//!
//! Each caller gets an error with a remedy; other clients notice nothing, and nothing acknowledged
//! is lost. The rules are tested beside their code (`raft/src/formation/tests`,
//! `store/src/rocks/tests.rs`); here it is the binary.

mod accounts;
mod api;
mod backup;
mod bot;
mod commands;
mod damage;
mod descriptors;
mod disk;
mod frames;
mod lab;
mod members;
mod metrics;
mod person;
mod private;
mod readiness;
mod readme;
mod reload;
mod requests;
mod rewind;
mod secure;
mod server;
mod shapes;
#[path = "../../../objects/tests/store/stand_in/mod.rs"]
#[allow(dead_code, reason = "its faults are for the tests of its own crate")]
mod stand_in;
mod starts;
mod terminal;
mod transfer;
#[cfg(feature = "planted-bugs")]
mod upgrade;
mod wire;
