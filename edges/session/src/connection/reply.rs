//! The answer to one request of a client, in bytes and in the statistics.

use std::sync::Arc;

use troupe_actors::message::{Refusal, ServerMessage};
use troupe_actors::service::Service;

use crate::outbox::Outbox;

/// The answer to one request of a client.
pub(super) struct Reply {
    pub service: Service,
    pub outbox: Arc<Outbox>,
    pub request_id: u64,
}

impl Reply {
    pub fn send(self, message: ServerMessage) {
        if !self.outbox.say(self.request_id, message) {
            self.service.metrics().slow_consumers.up();
        }
    }

    pub fn fail(self, refusal: &Refusal) {
        let metrics = self.service.metrics();
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
