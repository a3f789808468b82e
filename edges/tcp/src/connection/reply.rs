//! The answer to one request of a client, in bytes and in the statistics.

use std::sync::Arc;

use bytes::BytesMut;
use troupe_actors::message::{Refusal, ServerMessage, wire};
use troupe_proto::frame;

use crate::Context;
use crate::outbox::Outbox;

/// The answer to one request of a client.
pub(super) struct Reply {
    pub context: Arc<Context>,
    pub outbox: Arc<Outbox>,
    pub request_id: u64,
}

impl Reply {
    pub fn send(self, message: ServerMessage) {
        let mut bytes = BytesMut::new();
        let frame = wire::ServerFrame { request_id: self.request_id, message: Some(message) };
        frame::encode_frame(&frame, &mut bytes);
        if !self.outbox.push(bytes.freeze()) {
            self.context.service.metrics().slow_consumers.up();
        }
    }

    pub fn fail(self, refusal: &Refusal) {
        let metrics = self.context.service.metrics();
        match refusal {
            Refusal::Rejected { .. } => metrics.rejected.up(),
            Refusal::Overloaded { .. } | Refusal::StorageLow | Refusal::NotOwner { .. } => metrics.overloaded.up(),
            Refusal::Limited { .. } => metrics.rate_limited.up(),
            Refusal::Unavailable => metrics.unavailable.up(),
        }
        let failure = refusal.failure();
        self.send(ServerMessage::Failure(failure));
    }
}
