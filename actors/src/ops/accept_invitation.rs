//! `accept_invitation`: takes a conversation onto the user's list, or declines it.

use troupe_core::command::AcceptInvitation;
use troupe_core::{Command, Seq};
use troupe_proto::client;

use super::cost::{CHANGE, Cost};
use super::{Answered, Operation};
use crate::message::wire;
use crate::service::{Caller, Service};

impl Operation for wire::AcceptInvitation {
    fn cost(&self) -> Cost {
        Cost::Units(CHANGE)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("accept_invitation.conversation", &self.conversation)?;
        let accept =
            AcceptInvitation { user: caller.user(), conversation, version: Seq(self.seq), decline: self.decline };
        service.commit_done(Command::AcceptInvitation(accept)).await
    }
}
