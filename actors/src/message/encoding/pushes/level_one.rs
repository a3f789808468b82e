//! Pushes as nodes of 0.1 write and read them: with the frame for clients instead of the values.

use bytes::Bytes;
use troupe_core::{Seq, UserId};
use troupe_proto::client::{event_frame, event_of_frame, push_frame, push_of_frame};
use troupe_proto::wire::client::{self, server_frame};
use troupe_proto::wire::mesh;

use super::{Decoded, Garbled, cursor_envelope, event_envelope};
use crate::message::{CursorPush, EventPush};

pub(super) fn event(push: &EventPush) -> mesh::EventNews {
    let frame = event_frame(push.conversation.to_string(), push.event.clone());
    mesh::EventNews { frame, ..event_envelope(push) }
}

pub(super) fn event_in(frame: &Bytes) -> Decoded<Bytes> {
    event_of_frame(frame).ok_or(Garbled("event"))
}

pub(super) fn cursor(only: Option<UserId>, cursor: &CursorPush) -> mesh::CursorNews {
    let frame = push_frame(server_frame::Message::Cursor(cursor.into()));
    mesh::CursorNews { frame, ..cursor_envelope(only, cursor) }
}

pub(super) fn cursor_in(frame: &Bytes) -> Decoded<(UserId, Seq, Seq)> {
    match push_of_frame(frame) {
        Some(server_frame::Message::Cursor(client::CursorPush { user_id, delivered, read, .. })) => {
            Ok((UserId(user_id), Seq(delivered), Seq(read)))
        }
        _ => Err(Garbled("cursor")),
    }
}
