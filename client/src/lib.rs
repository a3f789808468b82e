//! The client side of the protocol: the SDK, the terminal client, message commands for scripts, and
//! the load generator.
//!
//! Start with [`Client`]: it keeps a session over any node, sends each message exactly once, and
//! delivers every event once and in order. Below it are the pure state machines [`outbox`] and
//! [`inbox`], the [`store`] of the device, and [`connection`], a single socket without memory.
//! Above it are [`chat`], [`msg`] and [`load`]. The wire format is in `troupe-proto`; this crate
//! depends on no server crate.

pub mod admin;
pub mod builder;
pub mod chat;
pub mod client;
pub mod connection;
mod driver;
pub mod error;
pub mod inbox;
pub mod load;
pub mod msg;
pub mod outbox;
mod read_positions;
mod requests;
pub mod store;
pub mod trust;

pub use builder::{Builder, StartAt};
pub use client::{Acked, Client, Events, Handler, Incoming, SendHandle, State};
pub use connection::Connection;
pub use error::{Error, Result};
pub use requests::*;
pub use store::{FileStore, MemoryStore, Store};
pub use trust::{Fingerprint, Trust};
