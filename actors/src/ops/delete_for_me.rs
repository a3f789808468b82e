//! `delete_for_me`: the caller sees these messages no more; answers with its state behind that.

use troupe_core::command::DeleteForMe;
use troupe_core::{Command, Seq, machine};
use troupe_proto::client;

use super::cost::{CHANGE, Cost};
use super::{Answered, Operation};
use crate::message::wire;
use crate::service::{Caller, Service};

/// Messages that cost a unit, as their rows are read.
const SEQS_PER_UNIT: u64 = 10;

impl Operation for wire::DeleteForMe {
    fn cost(&self) -> Cost {
        Cost::Units(CHANGE + self.seqs.len() as u64 / SEQS_PER_UNIT)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("delete_for_me.conversation", &self.conversation)?;
        let seqs = self.seqs.into_iter().map(Seq).collect();
        let command = Command::DeleteForMe(DeleteForMe { conversation, user: caller.user(), seqs });
        machine::check(&command)?;
        service.commit_done(command).await?;
        let show = wire::ShowPersonal { conversation: conversation.to_string() };
        service.ask_leader(conversation.slot(), caller.user(), show).await
    }
}
