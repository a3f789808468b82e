//! What is kept: the key space as a table, and the engines under it.
//!
//! [`engine`] is the only storage interface; [`memory`] models power loss for tests and simulation,
//! `rocks` is the real one. [`key`] lists every key family. [`rows`] is the applied state of
//! `troupe-core` over an engine. The same table for people is `docs/keyspace.md`.

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
