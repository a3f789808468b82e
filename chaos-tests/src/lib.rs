//! Proof: a real cluster of processes, clients that write down what they see, faults, and one checker per promise.
//!
//! [`history`] is the evidence, [`checkers`] judge it. Nothing depends on this crate.

pub mod checkers;
pub mod history;
