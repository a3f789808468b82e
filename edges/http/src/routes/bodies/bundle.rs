//! The messages of a bundle.

use serde::Serialize;
use troupe_core::content::{Bundle, Bundled};
use utoipa::ToSchema;

use super::MessageBody;
use crate::ids::Id;

/// A message of a bundle, as its forwarder saw it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct BundledMessage {
    seq: u64,
    sender: Id,
    time_ms: u64,
    #[schema(no_recursion)]
    body: MessageBody,
}

impl From<Bundled> for BundledMessage {
    fn from(message: Bundled) -> BundledMessage {
        let body = MessageBody::from(&message.body());
        BundledMessage { seq: message.seq, sender: Id(message.sender), time_ms: message.time_ms, body }
    }
}

pub fn shown(bundle: Bundle) -> MessageBody {
    let Bundle { from, messages } = bundle;
    let messages = messages.into_iter().map(BundledMessage::from).collect();
    MessageBody { from: Some(from), messages: Some(messages), ..MessageBody::default() }
}
