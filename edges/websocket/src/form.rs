//! Frames of client.proto as messages of a WebSocket.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use prost::Message as _;
use troupe_actors::message::wire;
use troupe_actors::sink::EdgeKind;
use troupe_core::effect::Ending;
use troupe_core::limits;
use troupe_edge_session::form::{Form, Heartbeat};
use troupe_proto::client::{EndReason, event_frame};
use troupe_proto::frame::PREFIX_BYTES;

use crate::frame::{self, Code, Op};
use crate::json;

/// A client closes its end within a round trip.
const LINGER: Duration = Duration::from_secs(2);

pub struct Binary;
/// One binary message for each frame.
pub static BINARY: Binary = Binary;

pub struct Text;
/// One text message for each frame.
pub static TEXT: Text = Text;

impl Form for Binary {
    fn kind(&self) -> EdgeKind {
        EdgeKind::WebSocket
    }

    fn frame(&self, frame: &wire::ServerFrame) -> Bytes {
        let length = frame.encoded_len();
        let mut out = BytesMut::with_capacity(frame::HEAD_BYTES + length);
        frame::put_head(Op::Binary, length, &mut out);
        frame.encode_raw(&mut out);
        out.freeze()
    }

    fn event(&self, conversation: String, event: Bytes) -> Bytes {
        frame::frame(Op::Binary, &event_frame(conversation, event)[PREFIX_BYTES..])
    }

    fn goodbye(&self, reason: Option<&EndReason>) -> Bytes {
        goodbye(reason)
    }

    fn heartbeat(&self) -> Heartbeat {
        HEARTBEAT
    }

    fn ping(&self) -> Bytes {
        frame::frame(Op::Ping, &[])
    }

    fn linger(&self) -> Duration {
        LINGER
    }
}

impl Form for Text {
    fn kind(&self) -> EdgeKind {
        EdgeKind::WebSocketJson
    }

    fn frame(&self, frame: &wire::ServerFrame) -> Bytes {
        frame::frame(Op::Text, json::answer(frame.encode_to_vec().into()).as_bytes())
    }

    fn event(&self, conversation: String, event: Bytes) -> Bytes {
        let encoded = event_frame(conversation, event).slice(PREFIX_BYTES..);
        frame::frame(Op::Text, json::answer(encoded).as_bytes())
    }

    fn goodbye(&self, reason: Option<&EndReason>) -> Bytes {
        goodbye(reason)
    }

    fn heartbeat(&self) -> Heartbeat {
        HEARTBEAT
    }

    fn ping(&self) -> Bytes {
        frame::frame(Op::Ping, &[])
    }

    fn linger(&self) -> Duration {
        LINGER
    }
}

/// Proxies close a connection that is silent for a minute, and a browser answers by itself.
const HEARTBEAT: Heartbeat = Heartbeat::Every(Duration::from_secs(limits::WEBSOCKET_PING_SECONDS));

/// The frame `kicked` goes before it and says the same in words.
fn goodbye(reason: Option<&EndReason>) -> Bytes {
    let Some(reason) = reason else { return frame::close(Code::Normal, "") };
    let code = match reason {
        EndReason::ShuttingDown => Code::GoingAway,
        EndReason::Session(Ending::LoggedOut) | EndReason::Moved => Code::Normal,
        _ => Code::Policy,
    };
    frame::close(code, reason.code())
}
