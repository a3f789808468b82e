//! The rules.

use crate::command::Command;
use crate::effect::Effect;
use crate::id::Timestamp;
use crate::plant::Plant;
use crate::reply::Reply;
use crate::state::State;

/// What comes with a command from outside the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The proposing leader's wall clock.
    pub now: Timestamp,
}

/// The machine itself holds no rows: only what changes its rules.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine {
    pub plant: Option<Plant>,
}

impl Machine {
    /// Applies one command. Total: never panics on a well-typed command, whatever the state.
    pub fn apply(&self, _state: &mut dyn State, _meta: Meta, _command: &Command) -> (Reply, Vec<Effect>) {
        todo!("core helper")
    }
}
