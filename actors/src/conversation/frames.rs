//! What connections get: frames that answer no request.

use bytes::{Bytes, BytesMut};
use troupe_core::{ConversationId, Event, EventKind, Seq};
use troupe_proto::frame;

use crate::message::{News, say};

/// An event as the frame that every connection gets: what it says is passed on as it came,
/// understood or not.
pub fn news(conversation: ConversationId, event: say::Event) -> News {
    let seq = Seq(event.seq);
    let removed = match event.clone().try_into().map(|event: Event| event.kind) {
        Ok(EventKind::Removed { user }) => Some(user),
        _ => None,
    };
    let push = say::EventPush { conversation: conversation.to_string(), event: Some(event) };
    News { conversation, seq, removed, frame: push_frame(say::server_frame::Message::Event(push)) }
}

/// A frame that answers no request.
pub fn push_frame(message: say::server_frame::Message) -> Bytes {
    let mut bytes = BytesMut::new();
    frame::encode_frame(&say::ServerFrame { request_id: 0, message: Some(message) }, &mut bytes);
    bytes.freeze()
}
