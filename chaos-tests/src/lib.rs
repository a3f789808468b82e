//! Proof: a real cluster of processes, clients that write down what they see, faults, and one checker per promise.
//!
//! [`run`] plays a [`scenario`] with a [`workload`] and a [`nemesis`]; the [`history`] is the evidence, [`checkers`] judge it,
//! [`report`] says the verdict. Nothing depends on this crate.

pub mod checkers;
pub mod history;
pub mod nemesis;
pub mod observer;
pub mod recorder;
pub mod replicas;
pub mod report;
pub mod run;
pub mod scenario;
pub mod workload;
