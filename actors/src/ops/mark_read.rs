//! `mark_read`: the user has read a conversation up to a seq. The answer comes with the commit.

use std::future::Future;

use troupe_core::{Seq, UserId};
use troupe_proto::client;

use super::cost::Cost;
use super::{Answered, AtLeader, Leader, Operation, Plan};
use crate::message::{Refusal, wire};
use crate::protocol::Cursor;
use crate::service::{Caller, Service};

impl Operation for wire::MarkRead {
    fn cost(&self) -> Cost {
        Cost::Units(1)
    }

    fn perform(self, service: Service, caller: Caller) -> impl Future<Output = Answered<Self>> + Send {
        let conversation = client::conversation("mark_read.conversation", &self.conversation);
        let asked = conversation.map(|read| service.ask_leader(read.slot(), caller.user(), self));
        async move { asked?.await }
    }
}

impl AtLeader for wire::MarkRead {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::Done>, Refusal> {
        let conversation = client::conversation("mark_read.conversation", &self.conversation)?;
        Ok(Plan::Move(Cursor { conversation, user, seq: Seq(self.seq), read: true }))
    }
}
