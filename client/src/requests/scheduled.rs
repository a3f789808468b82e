//! Messages that wait for their time.

use bytes::Bytes;
use troupe_core::{Body, ClientMessageId, ConversationId, Seq, Timestamp};
use troupe_proto::wire::client as wire;

use crate::client::{Acked, Client};
use crate::connection::{Message, Request, unexpected};
use crate::error::{Error, Result};

/// The acknowledgement of a scheduled message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduledAck {
    /// Cancels it, and is the id of the message.
    pub id: ClientMessageId,
    pub at: Timestamp,
    /// Its place, if it has been sent already.
    pub sent: Option<Acked>,
}

/// One of this user's messages that wait in a conversation, or were refused at their time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledMessage {
    pub id: ClientMessageId,
    pub at: Timestamp,
    pub body: Body,
    /// The code of the refusal.
    pub refused: Option<String>,
}

impl Client {
    /// Keeps a message until its time, at most a year ahead. The cluster sends it then, without
    /// this client.
    pub async fn schedule(&self, conversation: ConversationId, body: Body, at: Timestamp) -> Result<ScheduledAck> {
        self.schedule_as(ClientMessageId(self.shared.context.rng.bytes()), conversation, body, at).await
    }

    /// Repeats with the same id are answered alike.
    pub async fn schedule_as(
        &self,
        id: ClientMessageId,
        conversation: ConversationId,
        body: Body,
        at: Timestamp,
    ) -> Result<ScheduledAck> {
        let schedule = wire::Schedule {
            conversation: conversation.to_string(),
            client_message_id: Bytes::copy_from_slice(&id.0),
            body: Some((&body).into()),
            deliver_at_ms: at.0,
        };
        match self.call(Request::Schedule(schedule)).await? {
            Message::Scheduled(wire::Scheduled { seq, time_ms, .. }) => {
                let sent = (seq != 0).then_some(Acked { id, seq: Seq(seq), time: Timestamp(time_ms) });
                Ok(ScheduledAck { id, at, sent })
            }
            other => Err(unexpected(&other)),
        }
    }

    /// All of this user's messages that wait in a conversation, and those refused in the last week,
    /// in order of their ids.
    pub async fn scheduled(&self, conversation: ConversationId) -> Result<Vec<ScheduledMessage>> {
        let mut messages: Vec<ScheduledMessage> = Vec::new();
        loop {
            let last = messages.last().map(|message| message.id);
            let after = last.map_or_else(Bytes::new, |id| Bytes::copy_from_slice(&id.0));
            let list = wire::ListScheduled { conversation: conversation.to_string(), after, limit: 0 };
            let page = match self.call(Request::ListScheduled(list)).await? {
                Message::ScheduledList(page) => page,
                other => return Err(unexpected(&other)),
            };
            for message in page.messages {
                messages.push(message_of(message)?);
            }
            if !page.more || messages.last().map(|message| message.id) <= last {
                return Ok(messages);
            }
        }
    }

    /// Takes a message back before its time, or a refused one off the list.
    pub async fn cancel_scheduled(&self, conversation: ConversationId, id: ClientMessageId) -> Result<()> {
        let client_message_id = Bytes::copy_from_slice(&id.0);
        let cancel = wire::CancelScheduled { conversation: conversation.to_string(), client_message_id };
        self.done(Request::CancelScheduled(cancel)).await
    }
}

fn message_of(message: wire::ScheduledMessage) -> Result<ScheduledMessage> {
    let wrong = |_| Error::Protocol("a scheduled message without an id".into());
    let id = message.client_message_id.as_ref().try_into().map(ClientMessageId).map_err(wrong)?;
    let body = message.body.ok_or_else(|| Error::Protocol("a scheduled message without a body".into()))?;
    let refused = Some(message.refused).filter(|code| !code.is_empty());
    Ok(ScheduledMessage { id, at: Timestamp(message.deliver_at_ms), body: body.into(), refused })
}
