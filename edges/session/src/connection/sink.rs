//! The sink of a connection: pushes become frames of client.proto in its outbox.

use std::sync::Arc;

use bytes::Bytes;
use ractor::ActorRef;
use troupe_actors::message::wire;
use troupe_actors::sink::{Delivery, Full, Pushed, Sink};
use troupe_proto::client::EndReason;

use super::EdgeMsg;
use crate::form::Form;
use crate::outbox::Outbox;

pub(super) struct FrameSink {
    pub outbox: Arc<Outbox>,
    pub edge: ActorRef<EdgeMsg>,
}

impl Sink for FrameSink {
    fn deliver(&self, delivery: &Delivery) -> Result<(), Full> {
        let form = self.outbox.form();
        let frame = delivery.framed(form.kind(), |pushed| frame(form, pushed)).clone();
        if self.outbox.push(frame) { Ok(()) } else { Err(Full) }
    }

    fn offer(&self, signal: &Delivery) -> Result<(), Full> {
        let form = self.outbox.form();
        let frame = signal.framed(form.kind(), |pushed| frame(form, pushed)).clone();
        if self.outbox.offer(frame) { Ok(()) } else { Err(Full) }
    }

    fn end(&self, reason: EndReason) {
        // By way of the edge, which answers a logout first. An edge that has stopped has ended the
        // connection.
        let _ = self.edge.send_message(EdgeMsg::End { reason });
    }
}

fn frame(form: &dyn Form, pushed: &Pushed) -> Bytes {
    use wire::server_frame::Message;
    let message = match pushed {
        Pushed::Event { conversation, event, .. } => return form.event(conversation.to_string(), event.clone()),
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
        Pushed::Own(message) => message.as_ref().clone(),
        Pushed::Presence { user, shown } => Message::Presence(shown.of(*user)),
        Pushed::Signal(signal) => Message::Signal(wire::SignalPush {
            conversation: signal.conversation.to_string(),
            user_id: signal.from.0,
            device: signal.device,
            kind: signal.kind,
            payload: signal.payload.clone(),
            seq: signal.at.0,
        }),
    };
    form.frame(&wire::ServerFrame { request_id: 0, message: Some(message) })
}
