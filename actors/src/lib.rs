//! The actors of a node: they order requests, commit them, and deliver the committed events.
//!
//! ```text
//! root                                   starts the rest, restarts what fails
//! ├─ mesh                                envelopes between nodes (module `mesh`)
//! ├─ fanout                              connections of this node: subscriptions, order of events
//! └─ shard        x leaderships here     admits, bounds, executes effects
//!     ├─ user          x active          sessions and the login policy
//!     └─ conversation  x active          order, acks, fan-out to nodes
//! ```
//!
//! The listener and the connections of an edge are actors too, in a crate below `edges/`. All of
//! them run on ractor, are local and unnamed, and keep their children in ordered maps of
//! their own. A request goes edge, [`router`], [`shard`], entity, and the
//! [`Cluster`](troupe_raft::Cluster) below. A committed event goes from the [`conversation`] to the
//! [`fanout`] of each subscribed node, and from there to the [`sink`] of every connection.
//!
//! Decisions without waiting are in plain structs with tests beside them: [`admission`],
//! [`budgets`], [`places`], [`presence`], [`watchers`], [`proposals`], the router's attempts, the
//! resequencer of fan-out. The rules about users, members and messages are in `troupe-core`.
//!
//! Start at [`node`], the interface of this crate. [`message`] has the messages between the actors
//! of different nodes.

pub mod address;
pub mod admission;
pub mod birth;
pub mod budgets;
pub mod connection;
pub mod context;
pub mod conversation;
pub mod directory;
pub mod failed_logins;
pub mod fanout;
pub mod hooks;
pub mod mesh;
pub mod message;
pub mod node;
pub mod ops;
pub mod output;
pub mod passwords;
mod pictures;
pub mod places;
pub mod presence;
pub mod proposals;
pub mod protocol;
pub mod push;
pub mod reply;
pub mod root;
pub mod router;
pub mod service;
pub mod shard;
pub mod sink;
pub mod turns;
pub mod user;
pub mod visible;
pub mod watchers;
