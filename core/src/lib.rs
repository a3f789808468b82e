//! What is true in Troupe: the pure machine of users and conversations.
//!
//! [`Machine::apply`](machine::Machine::apply) takes the applied state, who asked when, and a
//! command, and gives back a reply and effects. The same commands in the same order give the same
//! state, replies and effects on every replica and in every simulation. There is no IO here, no
//! clock, no randomness and no `await`: time, ids and secrets come in as arguments.
//!
//! Start with [`id`] for the words, [`command`] for what can be asked, [`state`] for what is kept,
//! [`machine`] for the rules, and [`feature`] for what a conversation can take. What is said on the
//! wire lives in `troupe-proto`; what is on disk in `troupe-store`.

pub mod budget;
pub mod command;
pub mod effect;
pub mod error;
pub mod event;
pub mod fair;
pub mod feature;
pub mod id;
pub mod level;
pub mod limits;
pub mod machine;
pub mod name;
pub mod plant;
pub mod record;
pub mod reply;
pub mod state;
pub mod text;
pub mod unread;

pub use command::Command;
pub use effect::Effect;
pub use error::Rejection;
pub use event::{Body, Event, EventKind};
pub use feature::{Append, Intent};
pub use id::*;
pub use level::Level;
pub use machine::{Machine, Meta};
pub use name::{NameKey, Username, fold, same_name};
pub use reply::Reply;
pub use state::State;
