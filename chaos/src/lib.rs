//! Chaos testing: a cluster of real processes, clients that record their observations, faults, and
//! one checker per promise.
//!
//! [`local`] starts the processes, also for demo and benches. [`run`] plays a [`scenario`] with a
//! [`workload`] and a [`nemesis`]. The [`history`] is the evidence, [`checkers`] verify it, and
//! [`report`] states the verdict. [`mutants`] bugs bugs to test the harness itself. The crate
//! knows a node only from outside: command line, ports, signals and files. It links no server code.

pub mod attack;
pub mod baselines;
pub mod checkers;
pub mod cli;
pub mod control;
pub mod damage;
pub mod disk;
pub mod export;
pub mod external_cluster;
pub mod fault;
pub mod history;
pub mod html;
pub mod http;
pub mod judge;
pub mod live;
pub mod local;
pub mod mutants;
pub mod nemesis;
pub mod observer;
pub mod online_checks;
pub mod proxy;
pub mod recorder;
pub mod replicas;
pub mod report;
pub mod run;
pub mod scenario;
pub mod shim;
pub mod websocket;
pub mod workload;
