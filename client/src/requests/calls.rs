//! Calls: each step is an event of the direct conversation. The seq of the first names the call.

use bytes::Bytes;
use troupe_core::feature::CallAnswer;
use troupe_core::{ClientMessageId, ConversationId, Seq, Timestamp};
use troupe_proto::wire::client as wire;
use wire::call::Step;

use crate::client::{Acked, Client};
use crate::connection::{Message, Request, unexpected};
use crate::error::Result;

impl Client {
    /// Calls the other user of a direct conversation. The devices of that user ring for a minute.
    pub async fn start_call(&self, conversation: ConversationId, video: bool) -> Result<Acked> {
        self.start_call_as(ClientMessageId(self.shared.context.rng.bytes()), conversation, video).await
    }

    pub async fn start_call_as(
        &self,
        request: ClientMessageId,
        conversation: ConversationId,
        video: bool,
    ) -> Result<Acked> {
        self.step(request, conversation, Step::Start(wire::StartCall { video })).await
    }

    /// Takes a call, or refuses it. Only one device takes it: all others get `already_answered`.
    pub async fn answer_call(&self, conversation: ConversationId, call: Seq, answer: CallAnswer) -> Result<Acked> {
        self.answer_call_as(ClientMessageId(self.shared.context.rng.bytes()), conversation, call, answer).await
    }

    pub async fn answer_call_as(
        &self,
        request: ClientMessageId,
        conversation: ConversationId,
        call: Seq,
        answer: CallAnswer,
    ) -> Result<Acked> {
        let answer = wire::AnswerCall { call: call.0, answer: answer.number().into() };
        self.step(request, conversation, Step::Answer(answer)).await
    }

    /// Hangs up, or takes a call back that rings.
    pub async fn end_call(&self, conversation: ConversationId, call: Seq) -> Result<Acked> {
        self.end_call_as(ClientMessageId(self.shared.context.rng.bytes()), conversation, call).await
    }

    pub async fn end_call_as(
        &self,
        request: ClientMessageId,
        conversation: ConversationId,
        call: Seq,
    ) -> Result<Acked> {
        self.step(request, conversation, Step::End(call.0)).await
    }

    async fn step(&self, id: ClientMessageId, conversation: ConversationId, step: Step) -> Result<Acked> {
        let request = Bytes::copy_from_slice(&id.0);
        let call = wire::Call { request, conversation: conversation.to_string(), step: Some(step) };
        match self.call(Request::Call(call)).await? {
            Message::SendAck(ack) => Ok(Acked { id, seq: Seq(ack.seq), time: Timestamp(ack.time_ms) }),
            other => Err(unexpected(&other)),
        }
    }
}
