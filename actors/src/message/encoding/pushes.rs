//! The form of pushes between nodes.
//!
//! A push carries values. At feature level 1 a node of 0.1 may receive it, and that version knows
//! only frames for clients: [`level_one`] makes and reads them.

use bytes::Bytes;
use mesh::push::What;
use prost::Message;
use troupe_core::{Level, Seq, UserId};
use troupe_proto::client::EndReason;
use troupe_proto::wire::mesh;

use super::parts::*;
use super::{Decoded, Garbled};
use crate::message::{CursorPush, EventPush, Push, wire};

mod level_one;

/// `level` is the feature level in force.
pub fn encode_push(push: &Push, level: Level) -> Bytes {
    let what = match push {
        Push::Event(push) if level == Level::FIRST => What::Event(level_one::event(push)),
        Push::Event(push) => What::Event(mesh::EventNews { event: push.event.clone(), ..event_envelope(push) }),
        Push::Cursor { only, cursor } if level == Level::FIRST => What::Cursor(level_one::cursor(*only, cursor)),
        Push::Cursor { only, cursor } => What::Cursor(mesh::CursorNews {
            user: cursor.user.0,
            delivered: cursor.delivered.0,
            read: cursor.read.0,
            ..cursor_envelope(*only, cursor)
        }),
        Push::Heads(heads) => What::Heads(mesh::Heads {
            standings: heads
                .iter()
                .map(|(conversation, head)| mesh::Standing {
                    conversation: conversation.to_string(),
                    head: head.0,
                    refused: Vec::new(),
                })
                .collect(),
        }),
        Push::Inbox { user, conversation, present, version } => What::Inbox(mesh::InboxNews {
            user: user.0,
            conversation: conversation.to_string(),
            present: *present,
            version: version.0,
        }),
        Push::Invitation { user, conversation, by } => {
            What::Invitation(mesh::InvitationNews { user: user.0, conversation: conversation.to_string(), by: by.0 })
        }
        Push::Own { user, message } => What::Own(mesh::OwnNews {
            user: user.0,
            frame: Some(wire::ServerFrame { request_id: 0, message: Some(message.as_ref().clone()) }),
        }),
        Push::Signal(signal) => What::Signal(signal_out(signal)),
        Push::Watch { session, users } => What::Watch(session_watch_out(session, users)),
        Push::Presences(news) => What::Presences(presences_out(news)),
        Push::SessionEnded { session, reason } => {
            What::Session(mesh::SessionNews { session: Some(session_out(session)), code: reason.code().to_owned() })
        }
    };
    mesh::Push { what: Some(what) }.encode_to_vec().into()
}

pub fn decode_push(body: Bytes) -> Decoded<Push> {
    let push = mesh::Push::decode(body).map_err(|_| Garbled("push"))?;
    Ok(match push.what.ok_or(Garbled("push"))? {
        What::Event(push) => Push::Event(EventPush {
            conversation: conversation_in(&push.conversation)?,
            seq: Seq(push.seq),
            removed: somebody(push.removed),
            event: if push.event.is_empty() { level_one::event_in(&push.frame)? } else { push.event },
            committed_us: push.committed_us,
        }),
        What::Cursor(push) => {
            let conversation = conversation_in(&push.conversation)?;
            let (user, delivered, read) = match push.user {
                0 => level_one::cursor_in(&push.frame)?,
                user => (UserId(user), Seq(push.delivered), Seq(push.read)),
            };
            let cursor = CursorPush { conversation, user, delivered, read };
            Push::Cursor { only: somebody(push.only), cursor }
        }
        What::Heads(heads) => Push::Heads(
            heads
                .standings
                .into_iter()
                .map(|standing| Ok((conversation_in(&standing.conversation)?, Seq(standing.head))))
                .collect::<Decoded<_>>()?,
        ),
        What::Inbox(push) => Push::Inbox {
            user: UserId(push.user),
            conversation: conversation_in(&push.conversation)?,
            present: push.present,
            version: Seq(push.version),
        },
        What::Invitation(push) => Push::Invitation {
            user: UserId(push.user),
            conversation: conversation_in(&push.conversation)?,
            by: UserId(push.by),
        },
        What::Own(push) => Push::Own {
            user: UserId(push.user),
            message: Box::new(push.frame.and_then(|frame| frame.message).ok_or(Garbled("push to a user"))?),
        },
        What::Signal(signal) => Push::Signal(signal_in(signal)?),
        What::Watch(watch) => {
            let (session, users) = session_watch_in(watch)?;
            Push::Watch { session, users }
        }
        What::Presences(presences) => Push::Presences(presences_in(presences)),
        What::Session(push) => {
            Push::SessionEnded { session: session_in(push.session)?, reason: EndReason::of_code(&push.code) }
        }
    })
}

/// All but the event.
fn event_envelope(push: &EventPush) -> mesh::EventNews {
    mesh::EventNews {
        conversation: push.conversation.to_string(),
        seq: push.seq.0,
        removed: push.removed.map_or(0, |user| user.0),
        committed_us: push.committed_us,
        ..mesh::EventNews::default()
    }
}

/// All but the cursor.
fn cursor_envelope(only: Option<UserId>, cursor: &CursorPush) -> mesh::CursorNews {
    mesh::CursorNews {
        conversation: cursor.conversation.to_string(),
        only: only.map_or(0, |user| user.0),
        ..mesh::CursorNews::default()
    }
}
