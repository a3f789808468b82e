//! Pushes from a leader to the nodes that are subscribed.

use bytes::Bytes;
use prost::Message;
use troupe_core::{ConversationId, Event, EventKind, Seq, Signal, Timestamp, UserId};
use troupe_proto::client::EndReason;

use super::{ServerMessage, Session, wire};

/// From a leader to a node with subscribed connections. A push is a hint: the heads reveal a lost
/// one.
#[derive(Clone, Debug)]
pub enum Push {
    Event(EventPush),
    Cursor {
        /// Only for the devices of this user.
        only: Option<UserId>,
        cursor: CursorPush,
    },
    /// Heads of conversations with new events.
    Heads(Vec<(ConversationId, Seq)>),
    Inbox {
        user: UserId,
        conversation: ConversationId,
        present: bool,
        version: Seq,
    },
    Invitation {
        user: UserId,
        conversation: ConversationId,
        by: UserId,
    },
    /// For the connections of one user, as its clients get it.
    Own {
        user: UserId,
        message: Box<ServerMessage>,
    },
    /// The one push that nothing makes up for.
    Signal(Signal),
    /// The session watches these users: all of them.
    Watch {
        session: Session,
        users: Vec<UserId>,
    },
    Presences(Vec<PresenceNews>),
    SessionEnded {
        session: Session,
        reason: EndReason,
    },
}

/// The presence of a user, as these watchers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceNews {
    pub user: UserId,
    pub shown: Shown,
    pub to: Vec<UserId>,
}

/// The presence of a user, as another one sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    pub online: bool,
    pub last_seen: Timestamp,
}

impl Shown {
    pub fn of(self, user: UserId) -> wire::PresencePush {
        wire::PresencePush { user_id: user.0, online: self.online, last_seen_ms: self.last_seen.0 }
    }
}

/// One event, encoded once for all nodes and connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPush {
    pub conversation: ConversationId,
    pub seq: Seq,
    /// The user that this event removes.
    pub removed: Option<UserId>,
    pub event: Bytes,
    /// The time of the commit by the leader's clock, in microseconds; zero where it is not known.
    pub committed_us: u64,
}

/// A member's position in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CursorPush {
    pub conversation: ConversationId,
    pub user: UserId,
    pub delivered: Seq,
    pub read: Seq,
}

impl EventPush {
    pub fn new(conversation: ConversationId, event: &Event) -> EventPush {
        let removed = match event.kind {
            EventKind::Removed { user } => Some(user),
            _ => None,
        };
        let (seq, event) = (event.seq, event.to_wire().into());
        EventPush { conversation, seq, removed, event, committed_us: 0 }
    }

    /// An event from a page of history. Its content need not be understood.
    pub fn fetched(conversation: ConversationId, event: wire::Event) -> EventPush {
        let (seq, bytes) = (Seq(event.seq), event.encode_to_vec().into());
        EventPush { conversation, seq, removed: removed_by(event), event: bytes, committed_us: 0 }
    }
}

impl From<&CursorPush> for wire::CursorPush {
    fn from(cursor: &CursorPush) -> wire::CursorPush {
        wire::CursorPush {
            conversation: cursor.conversation.to_string(),
            user_id: cursor.user.0,
            delivered: cursor.delivered.0,
            read: cursor.read.0,
        }
    }
}

fn removed_by(event: wire::Event) -> Option<UserId> {
    // Only this kind is decoded, because decoding verifies the hash of the content.
    if event.kind != EventKind::REMOVED {
        return None;
    }
    match Event::try_from(event).ok()?.kind {
        EventKind::Removed { user } => Some(user),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use troupe_core::ClientMessageId;

    use super::*;

    fn event(kind: EventKind) -> Event {
        let client_message_id = ClientMessageId([1; 16]);
        Event { seq: Seq(3), time: Timestamp(9), sender: UserId(1), client_message_id, kind, seal: None }
    }

    #[test]
    fn a_pushed_event_and_a_fetched_one_are_the_same() {
        let unknown = EventKind::Unknown { kind: 77, content: Bytes::from_static(b"later") };
        let kinds = [EventKind::Removed { user: UserId(2) }, EventKind::Renamed { name: "a".into() }, unknown];
        for (kind, removed) in kinds.into_iter().zip([Some(UserId(2)), None, None]) {
            let event = event(kind);
            let pushed = EventPush::new(ConversationId::Everyone, &event);
            assert_eq!(pushed.removed, removed);
            assert_eq!(EventPush::fetched(ConversationId::Everyone, wire::Event::from(&event)), pushed);
        }
    }
}
