//! Storage: the key space as a table, and the engines under it.
//!
//! [`engine`] is the only storage interface; [`memory`] models power loss for tests and simulation,
//! `rocks` is for real nodes. [`key`] lists every key family. [`rows`] is the applied state of
//! `troupe-core` over an engine. `docs/keyspace.md` is the same table for people.

pub mod engine;
pub mod key;
pub mod memory;
mod replace;
#[cfg(feature = "rocks")]
pub mod rocks;
pub mod rows;

pub use engine::{Batch, Durability, Engine, EngineError, Family, Reader, Replace};
pub use memory::Memory;
#[cfg(feature = "rocks")]
pub use rocks::Rocks;
pub use rows::{Transaction, View};
