//! What is kept: the key space as a table, and the engines under it.
//!
//! [`engine`] is the only storage interface; [`memory`] models power loss for tests and simulation, `rocks` is
//! the real one. [`key`] lists every key family. [`rows`] is the applied state of `troupe-core` over an engine.

pub mod engine;
