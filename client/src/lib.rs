//! Everything on the client's side of the wire: the SDK, the terminal client, message commands for
//! scripts, the load generator.
//!
//! Start with [`Client`]: it keeps a session over any node, sends each message exactly once, and
//! hands out every event once and in order. Below it are the pure machines [`outbox`] and
//! [`inbox`], which decide, the [`store`] of the device, and [`connection`], one socket without any
//! memory. Above it are [`chat`], [`msg`] and [`load`]. What is said on the wire is
//! `troupe-proto`'s; this crate depends on no server crate.

pub mod admin;
pub mod builder;
pub mod chat;
pub mod client;
pub mod connection;
mod driver;
pub mod error;
pub mod inbox;
pub mod load;
mod marks;
pub mod msg;
pub mod outbox;
mod requests;
pub mod store;
pub mod trust;

pub use builder::{Builder, StartAt};
pub use client::{Acked, Client, Events, Handler, Incoming, SendHandle, State};
pub use connection::Connection;
pub use error::{Error, Result};
pub use requests::{
    ConversationInfo, ConversationList, GroupMember, HistoryPage, InvitationInfo, SessionInfo, UserInfo,
};
pub use store::{FileStore, MemoryStore, Store};
pub use trust::{Fingerprint, Trust};
