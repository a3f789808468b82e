//! WebSocket over raw sockets, to nodes in this process.

#[path = "../../../tcp/tests/node/harness/mod.rs"]
#[allow(dead_code, reason = "the tests of the TCP edge use all of it")]
mod harness;
mod opening;
mod peers;
mod protocol;
mod rfc6455;
mod server;
mod socket;
mod streams;
