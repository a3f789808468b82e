//! The sink of a TCP connection: pushes become frames of client.proto in its outbox.

use std::sync::Arc;

use bytes::Bytes;
use ractor::ActorRef;
use troupe_actors::message::wire;
use troupe_actors::sink::{Delivery, EdgeKind, Full, Pushed, Sink};
use troupe_proto::client::{EndReason, event_frame, push_frame};

use super::EdgeMsg;
use crate::outbox::Outbox;

pub(super) struct TcpSink {
    pub outbox: Arc<Outbox>,
    pub edge: ActorRef<EdgeMsg>,
}

impl Sink for TcpSink {
    fn deliver(&self, delivery: &Delivery) -> Result<(), Full> {
        if self.outbox.push(delivery.framed(EdgeKind::Binary, frame).clone()) { Ok(()) } else { Err(Full) }
    }

    fn end(&self, reason: EndReason) {
        // By way of the edge, which answers a logout first. An edge that has stopped has ended the
        // connection.
        let _ = self.edge.send_message(EdgeMsg::End { reason });
    }
}

fn frame(pushed: &Pushed) -> Bytes {
    use wire::server_frame::Message;
    let message = match pushed {
        Pushed::Event { conversation, event, .. } => return event_frame(conversation.to_string(), event.clone()),
        Pushed::Cursor(cursor) => Message::Cursor(cursor.into()),
        Pushed::Joined { conversation, head } => Message::Conversation(wire::ConversationPush {
            conversation: conversation.to_string(),
            present: true,
            head: head.0,
        }),
        Pushed::Left { conversation } => Message::Conversation(wire::ConversationPush {
            conversation: conversation.to_string(),
            present: false,
            head: 0,
        }),
        Pushed::Invitation { conversation, by } => {
            Message::Invitation(wire::InvitationPush { conversation: conversation.to_string(), invited_by: by.0 })
        }
    };
    push_frame(message)
}
