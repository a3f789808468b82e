//! The rules of Troupe: the pure machine of users and conversations.
//!
//! [`Machine::apply`](machine::Machine::apply) takes the applied state, caller, time and command,
//! and returns a reply and effects. The same commands in the same order give the same state,
//! replies and effects on every replica and in every simulation. There is no IO here, no clock, no
//! randomness and no `await`: time, ids and secrets are arguments.
//!
//! Start with [`id`] for the terms, [`command`] for the requests, [`state`] for the rows, and
//! [`machine`] for the rules. `troupe-proto` has the wire formats, `troupe-store` the disk.

pub mod budget;
pub mod command;
pub mod content;
pub mod effect;
pub mod error;
pub mod event;
pub mod fair;
pub mod feature;
pub mod file;
pub mod form;
pub mod id;
pub mod level;
pub mod limits;
pub mod machine;
pub mod media;
pub mod name;
pub mod planted;
pub mod readers;
pub mod record;
pub mod reply;
pub mod search;
pub mod signal;
pub mod state;
pub mod text;
pub mod unread;

pub use command::Command;
pub use effect::Effect;
pub use error::Rejection;
pub use event::{Body, Event, EventKind};
pub use feature::{Append, Intent};
pub use file::FileHash;
pub use id::*;
pub use level::Level;
pub use machine::{Machine, Meta};
pub use name::{NameKey, Username, fold, same_name};
pub use reply::Reply;
pub use signal::Signal;
pub use state::{Rows, State};
