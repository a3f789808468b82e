//! Proof by breaking: a cluster of real processes, clients that write down what they see, faults,
//! and one checker per promise.
//!
//! [`local`] starts the processes (the demo and the benches use it too). [`run`] plays a
//! [`scenario`] with a [`workload`] and a [`nemesis`]; the [`history`] is the evidence,
//! [`checkers`] judge it, [`report`] says the verdict; [`teeth`] plants bugs to see that it does.
//! The crate knows a node only from outside: its command line, its ports, its signals and its
//! files. Nothing of the server is linked here.

pub mod attack;
pub mod checkers;
pub mod cli;
pub mod control;
pub mod damage;
pub mod disk;
pub mod early;
pub mod export;
pub mod fault;
pub mod fetch;
pub mod foreign;
pub mod history;
pub mod html;
pub mod live;
pub mod local;
pub mod nemesis;
pub mod observer;
pub mod peers;
pub mod proxy;
pub mod recorder;
pub mod replicas;
pub mod report;
pub mod run;
pub mod scenario;
pub mod shim;
pub mod teeth;
pub mod workload;
