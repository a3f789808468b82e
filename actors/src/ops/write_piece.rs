//! `write_piece`: appends a piece to an open stream. Its answer follows the commit: the piece is on
//! a majority.

use troupe_core::{Command, machine};
use troupe_proto::client;

use super::cost::{BYTES_PER_UNIT, Cost};
use super::{Answered, Operation};
use crate::message::{Answer, Refusal, wire};
use crate::service::{Caller, Service};

impl Operation for wire::WritePiece {
    /// That of a message, which also goes to all members.
    fn cost(&self) -> Cost {
        Cost::Units(1 + self.text.len() as u64 / BYTES_PER_UNIT)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let bytes = self.text.len();
        let command = Command::from(client::write_piece(caller.user(), self)?);
        machine::check(&command)?;
        service.budgets.piece(caller.user(), bytes)?;
        match service.commit(command).await? {
            Answer::Done => Ok(wire::Done {}),
            _ => Err(Refusal::Unavailable),
        }
    }
}
