//! The `troupe` binary's parts: configuration, boot and drain, HTTP, and the verbs for people.
//!
//! [`start`] runs one node. The program `troupe-lab` runs several, to try, measure or break them;
//! [`lab`] starts it.

pub mod accounts;
pub mod arguments;
pub mod asker;
pub mod backup;
pub mod catalogue;
pub mod cli;
pub mod config;
pub mod connections;
pub mod contexts;
pub mod debug;
pub mod descriptors;
pub mod disk;
pub mod doctor;
pub mod exit;
pub mod explain;
pub mod groups;
pub mod guard;
pub mod http;
pub mod lab;
pub mod logging;
pub mod metrics;
pub mod operate;
pub mod operator;
pub mod orders;
pub mod pages;
pub mod people;
pub mod recover;
pub mod reference;
pub mod reload;
pub mod replica;
pub mod service;
pub mod start;
pub mod status;
pub mod token;
pub mod top;
pub mod trace;
pub mod transfer;
pub mod upgrade;

const BUILD: &str = if cfg!(feature = "planted-bugs") { "built with planted bugs: for tests only" } else { "release" };

/// The output of `troupe version`.
pub fn version() -> String {
    format!(
        "troupe {} (client protocol {}, {BUILD})",
        env!("CARGO_PKG_VERSION"),
        troupe_proto::client::PROTOCOL_VERSION
    )
}

/// The same for programs.
pub fn version_json() -> serde_json::Value {
    serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "client_protocol": troupe_proto::client::PROTOCOL_VERSION,
        "build": BUILD,
    })
}
