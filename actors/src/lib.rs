//! Who does what, when: the only place where decisions become deeds.
//!
//! ```text
//! root                                       starts the rest, restarts what fails
//! ├─ mesh                                    envelopes between nodes (module `mesh`)
//! ├─ fanout                                  this node's connections: who follows what, in which order
//! ├─ shard        x leaderships held here    admits, bounds, realises effects
//! │   ├─ user          x awake               sessions and the login policy
//! │   └─ conversation  x awake               order, acks, fan-out to nodes
//! └─ listener
//!     └─ edge      x connection              TLS (module `door`), frames to requests, answers to frames
//! ```
//!
//! All of them run on ractor, are local and unnamed, and keep their children in ordered maps of
//! their own. A request goes edge, [`router`], [`shard`], entity, and the
//! [`Cluster`](troupe_raft::Cluster) below; a committed event comes back from the [`conversation`]
//! to the [`fanout`] of each interested node, and from there as the same bytes to every connection.
//!
//! What is decided without waiting is in plain structs with tests beside them: [`admission`],
//! [`budgets`], [`places`], [`presence`], [`proposals`], the router's attempts, the resequencer of fan-out.
//! Rules about users, members and messages are not here: they are `troupe-core`'s.
//!
//! Start at [`node`], the face of this crate; [`message`] is what actors say to each other across
//! nodes.

pub mod address;
pub mod admission;
pub mod birth;
pub mod budgets;
pub mod connection;
pub mod conversation;
pub mod door;
pub mod edge;
pub mod failed_logins;
pub mod fanout;
pub mod listener;
pub mod mesh;
pub mod message;
pub mod node;
pub mod passwords;
pub mod places;
pub mod presence;
pub mod proposals;
pub mod reply;
pub mod root;
pub mod router;
pub mod shard;
pub mod stats;
pub mod turns;
pub mod user;
pub mod world;
