//! `schedule`: keeps a message until its time, once per client message id.

use bytes::Bytes;
use troupe_core::{Command, ConversationId, Intent, Rejection, machine};
use troupe_proto::client;

use super::cost::{BYTES_PER_UNIT, CHANGE, Cost};
use super::create_group::exist;
use super::meeting::may_write;
use super::{Answered, Operation};
use crate::message::{Answer, Refusal, ServerMessage, wire};
use crate::service::{Caller, Service};

impl Operation for wire::Schedule {
    /// It is written twice, and later sent without a request.
    fn cost(&self) -> Cost {
        let bytes = self.body.as_ref().map_or(0, |body| body.content.len() as u64);
        Cost::Units(CHANGE + 2 * bytes / BYTES_PER_UNIT)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let user = caller.user();
        let schedule = client::schedule(user, self)?;
        let (conversation, id) = (schedule.conversation, schedule.client_message_id);
        service.budgets.message(user, Intent::Message(schedule.body.clone()).cost())?;
        let command = Command::from(schedule);
        machine::check(&command)?;
        if let ConversationId::Direct { .. } = conversation {
            let peer = conversation.peer_of(user).ok_or(Rejection::NotMember)?;
            exist(&service, user, &[peer]).await?;
            may_write(&service, user, conversation).await.map_err(Refusal::of_lookup)?;
        }
        let scheduled = match service.commit(command).await? {
            // It has been sent already.
            Answer::Placed { seq, time, .. } => {
                wire::Scheduled { seq: seq.0, time_ms: time.0, duplicate: true, ..Default::default() }
            }
            answer => match answer.into_message() {
                Some(ServerMessage::Scheduled(scheduled)) => scheduled,
                _ => return Err(Refusal::Unavailable),
            },
        };
        let client_message_id = Bytes::copy_from_slice(&id.0);
        Ok(wire::Scheduled { conversation: conversation.to_string(), client_message_id, ..scheduled })
    }
}
