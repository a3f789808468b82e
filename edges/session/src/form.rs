//! The forms of frames: what an edge makes of a message of client.proto, and how it reads one.
//!
//! A [`Form`] writes and has no state, so that all connections of a kind share the bytes of a push.
//! A [`Framing`] reads and belongs to one connection.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use prost::Message as _;
use troupe_actors::message::wire;
use troupe_actors::sink::EdgeKind;
use troupe_core::limits;
use troupe_proto::client::{EndReason, event_frame, push_frame};
use troupe_proto::frame::{FrameDecoder, PREFIX_BYTES, encode_frame};

/// Writes frames for clients. One value serves all connections of its kind.
pub trait Form: Sync {
    fn kind(&self) -> EdgeKind;

    fn frame(&self, frame: &wire::ServerFrame) -> Bytes;

    /// The frame of an event that is encoded already.
    fn event(&self, conversation: String, event: Bytes) -> Bytes;

    /// The last bytes of a connection, behind its last frame. Empty: the socket just closes.
    fn goodbye(&self, reason: Option<&EndReason>) -> Bytes {
        let _ = reason;
        Bytes::new()
    }

    fn heartbeat(&self) -> Heartbeat;

    fn ping(&self) -> Bytes;

    /// How long the socket is still read after its last byte was written. The kernel resets a
    /// connection that is closed with unread bytes, and a reset may overtake the last frame.
    fn linger(&self) -> Duration {
        Duration::ZERO
    }
}

/// When the server pings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heartbeat {
    /// Once, when nothing was heard for this time.
    WhenSilent(Duration),
    /// Each time that this has passed.
    Every(Duration),
}

/// Reads the frames of one connection.
pub trait Framing: Send + Sync {
    /// Takes the next whole one out of the received bytes. `None` while it is incomplete.
    fn next(&mut self, received: &mut BytesMut, stage: Stage) -> Result<Option<Heard>, Broken>;

    /// The most bytes that the buffer may hold for an incomplete frame.
    fn room(&self, stage: Stage) -> usize;
}

/// Before the login a connection may send little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Greeting,
    LoggedIn,
}

impl Stage {
    /// Bytes of one frame.
    pub fn cap(self) -> usize {
        match self {
            Stage::Greeting => limits::GREETING_FRAME_BYTES,
            Stage::LoggedIn => limits::FRAME_BYTES,
        }
    }
}

/// One thing that a client said.
pub enum Heard {
    Frame(wire::ClientFrame),
    /// A request of so many bytes that the form refuses, and the connection goes on.
    Refused {
        request_id: u64,
        text: String,
        bytes: usize,
    },
    /// The frames of this connection have this form from now on.
    Speaks(&'static dyn Form),
    /// A heartbeat of the form itself, and its answer.
    Beat(Option<Bytes>),
    /// The client ends the connection; these are the last bytes for it.
    Closed(Bytes),
}

/// Nothing after it can be read.
pub struct Broken {
    /// Whether a failure with the code `bad_frame` goes before the last bytes.
    pub tells: bool,
    pub goodbye: Bytes,
}

/// Frames of client.proto with their length, over a stream.
pub struct Lengths;

/// Frames of client.proto with their length.
pub static STREAM: Lengths = Lengths;

impl Form for Lengths {
    fn kind(&self) -> EdgeKind {
        EdgeKind::Binary
    }

    fn frame(&self, frame: &wire::ServerFrame) -> Bytes {
        let mut bytes = BytesMut::new();
        encode_frame(frame, &mut bytes);
        bytes.freeze()
    }

    fn event(&self, conversation: String, event: Bytes) -> Bytes {
        event_frame(conversation, event)
    }

    fn heartbeat(&self) -> Heartbeat {
        Heartbeat::WhenSilent(Duration::from_secs(limits::IDLE_SECONDS / 2))
    }

    fn ping(&self) -> Bytes {
        push_frame(wire::server_frame::Message::Ping(wire::Ping { nonce: 0 }))
    }
}

impl Framing for Lengths {
    fn next(&mut self, received: &mut BytesMut, stage: Stage) -> Result<Option<Heard>, Broken> {
        let broken = || Broken { tells: true, goodbye: Bytes::new() };
        let decoder = FrameDecoder { cap: stage.cap() };
        match decoder.decode(received) {
            Ok(None) => Ok(None),
            Ok(Some(payload)) => wire::ClientFrame::decode(payload).map(Heard::Frame).map(Some).map_err(|_| broken()),
            Err(_) => Err(broken()),
        }
    }

    fn room(&self, stage: Stage) -> usize {
        stage.cap() + PREFIX_BYTES
    }
}
