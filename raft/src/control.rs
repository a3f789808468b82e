//! The meta group and the tasks that follow it: placement, moves, leader balance, routing,
//! readiness and health.

pub mod balance;
pub mod finder;
pub mod host;
pub mod meta;
pub mod meta_controller;
pub mod monitor;
pub mod mover;
pub mod readiness;
pub mod routing;
pub mod serve;
pub mod space;
pub mod upgrade;
