//! Pushes to a connection, and the trait by which a connection takes them.
//!
//! Fan-out is independent of edges. It gives each connection's [`Sink`] the same [`Delivery`]: a
//! typed push, and the forms that edges have made of it. The first connection of an edge kind makes
//! the form of that kind, and all others of the kind share its bytes.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use troupe_core::{ConversationId, Seq, Signal, UserId};
use troupe_proto::client::EndReason;

use crate::message::{CursorPush, ServerMessage, Shown};

/// Unique on its node while the process lives.
pub type ConnectionId = u64;

/// The receiving end of one connection.
pub trait Sink: Send + Sync {
    /// Queues a push without waiting. On an error the connection is about to end with
    /// [`EndReason::SlowConsumer`], and its client resumes by its cursors.
    fn deliver(&self, delivery: &Delivery) -> Result<(), Full>;

    /// Queues a signal if little waits. On an error it is dropped, and the connection goes on.
    fn offer(&self, signal: &Delivery) -> Result<(), Full>;

    /// Ends the connection after the pushes that are queued already.
    fn end(&self, reason: EndReason);
}

/// Takes no push, and ends with its session: of a bot whose token is not for reading.
// Invariant: private.
pub struct NoPushes(pub Arc<dyn Sink>);

impl Sink for NoPushes {
    fn deliver(&self, _: &Delivery) -> Result<(), Full> {
        Ok(())
    }

    fn offer(&self, _: &Delivery) -> Result<(), Full> {
        Ok(())
    }

    fn end(&self, reason: EndReason) {
        self.0.end(reason);
    }
}

/// Too many bytes wait for this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// A push to a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Pushed {
    /// The next event of a conversation, in its encoded form: kinds of later versions pass through.
    Event {
        conversation: ConversationId,
        seq: Seq,
        event: Bytes,
    },
    /// A member has received or read more.
    Cursor(CursorPush),
    /// The user is in this conversation, and events behind `head` are pushed from now on.
    Joined {
        conversation: ConversationId,
        head: Seq,
    },
    /// The user is no longer in this conversation.
    Left {
        conversation: ConversationId,
    },
    /// The user has a new invitation.
    Invitation {
        conversation: ConversationId,
        by: UserId,
    },
    /// A message of the protocol for all devices of the user.
    Own(Box<ServerMessage>),
    Signal(Signal),
    /// A watched user has come, has gone, or shows something else now.
    Presence {
        user: UserId,
        shown: Shown,
    },
}

/// Ways in which edges frame a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeKind {
    /// Frames of client.proto with their length.
    Binary,
    /// Frames of client.proto, each a binary message of a WebSocket.
    WebSocket,
    /// Frames of client.proto in JSON, each a text message of a WebSocket.
    WebSocketJson,
    /// The JSON of an event stream over HTTP.
    EventStream,
}

impl EdgeKind {
    const COUNT: usize = 4;
}

/// One push to many connections.
#[derive(Debug)]
pub struct Delivery {
    pushed: Pushed,
    /// By edge kind.
    framed: [OnceLock<Bytes>; EdgeKind::COUNT],
}

impl Delivery {
    pub fn new(pushed: Pushed) -> Delivery {
        Delivery { pushed, framed: Default::default() }
    }

    pub fn pushed(&self) -> &Pushed {
        &self.pushed
    }

    /// The form of this push at one kind of edge. `frame` makes it for the first connection.
    pub fn framed(&self, kind: EdgeKind, frame: impl FnOnce(&Pushed) -> Bytes) -> &Bytes {
        self.framed[kind as usize].get_or_init(|| frame(&self.pushed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_of_one_edge_kind_share_one_frame() {
        let delivery = Delivery::new(Pushed::Left { conversation: ConversationId::Everyone });
        let first = delivery.framed(EdgeKind::Binary, |_| Bytes::from(vec![1, 2, 3])).clone();
        let second = delivery.framed(EdgeKind::Binary, |_| unreachable!("it is framed already"));
        assert_eq!(first.as_ptr(), second.as_ptr());
    }
}
