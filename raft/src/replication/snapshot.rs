//! Snapshots: the state of a shard, sent to a replica for which the log no longer reaches back far
//! enough. The sender streams a view of the engine in compressed and checksummed blocks over a
//! separate connection. The receiver installs it by one atomic replace.

pub mod block;
pub mod frames;
pub mod receive;
pub mod send;

#[cfg(test)]
mod tests;
