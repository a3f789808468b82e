//! Messages out of frames, and requests out of messages.
//!
//! The head of a frame decides whether it is accepted, before any memory is taken for it. The parts
//! of a fragmented message are gathered up to the same limit.

use bytes::BytesMut;
use prost::Message as _;
use troupe_actors::message::wire;
use troupe_actors::service::Service;
use troupe_edge_session::form::{Broken, Framing, Heard, Stage};

use crate::form::{BINARY, TEXT};
use crate::frame::{self, Code, HEAD_BYTES, Head, Op, Violation};
use crate::json::{self, Unreadable};

/// Frames of one message. More of them are a flood of empty ones.
const FRAGMENTS: u32 = 1_024;

/// Base64 makes four bytes of three, and names take some.
fn text_cap(stage: Stage) -> usize {
    stage.cap() / 2 * 3
}

/// The reader of an open WebSocket, in the statistics of its node.
pub struct Counted {
    messages: Messages,
    service: Service,
}

impl Counted {
    pub fn new(service: Service) -> Counted {
        service.metrics().websockets.up();
        Counted { messages: Messages::default(), service }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.service.metrics().websockets.down();
    }
}

impl Framing for Counted {
    fn next(&mut self, received: &mut BytesMut, stage: Stage) -> Result<Option<Heard>, Broken> {
        self.messages.next(received, stage)
    }

    fn room(&self, stage: Stage) -> usize {
        self.messages.room(stage)
    }
}

/// Reads the messages of one connection.
#[derive(Default)]
struct Messages {
    /// The fragmented message under way.
    begun: Option<Begun>,
    /// The kind of the first message, which is that of all.
    spoken: Option<Op>,
    /// The head of a frame whose payload is incomplete.
    head: Option<Head>,
    /// A message that waits until its form is known.
    held: Option<BytesMut>,
}

struct Begun {
    op: Op,
    fragments: u32,
    payload: BytesMut,
}

impl Framing for Messages {
    fn next(&mut self, received: &mut BytesMut, stage: Stage) -> Result<Option<Heard>, Broken> {
        loop {
            if let Some(message) = self.held.take() {
                return self.request(message).map(Some);
            }
            let Some((fin, op, payload)) = self.frame(received, stage).map_err(closing)? else { return Ok(None) };
            match op {
                Op::Ping => return Ok(Some(Heard::Beat(Some(frame::frame(Op::Pong, &payload))))),
                Op::Pong => return Ok(Some(Heard::Beat(None))),
                Op::Close => {
                    return frame::answer_to_close(&payload).map(Heard::Closed).map(Some).map_err(closing);
                }
                Op::Text | Op::Binary | Op::Continuation => {}
            }
            let Some((op, message)) = self.gathered(fin, op, payload).map_err(closing)? else { continue };
            self.held = Some(message);
            match self.spoken {
                Some(spoken) if spoken != op => {
                    return Err(closing(Violation(Code::Unsupported, "binary and text messages on one connection")));
                }
                Some(_) => {}
                None => {
                    self.spoken = Some(op);
                    return Ok(Some(Heard::Speaks(if op == Op::Text { &TEXT } else { &BINARY })));
                }
            }
        }
    }

    fn room(&self, stage: Stage) -> usize {
        text_cap(stage) + HEAD_BYTES
    }
}

impl Messages {
    /// The next whole frame.
    fn frame(&mut self, received: &mut BytesMut, stage: Stage) -> Result<Option<(bool, Op, BytesMut)>, Violation> {
        let begun = self.begun.as_ref().map(|begun| (begun.op, begun.payload.len()));
        let room = |op: Op| {
            let (op, held) = begun.unwrap_or((op, 0));
            let cap = if op == Op::Text { text_cap(stage) } else { stage.cap() };
            cap.saturating_sub(held)
        };
        let head = match self.head {
            Some(head) => head,
            None => match Head::parse(received, room)? {
                Some(head) => head,
                None => return Ok(None),
            },
        };
        self.head = Some(head);
        let Some(payload) = head.take(received) else { return Ok(None) };
        self.head = None;
        Ok(Some((head.fin, head.op, payload)))
    }

    /// The message that this frame completes.
    fn gathered(&mut self, fin: bool, op: Op, payload: BytesMut) -> Result<Option<(Op, BytesMut)>, Violation> {
        let mut begun = match (self.begun.take(), op) {
            (Some(begun), Op::Continuation) => begun,
            (Some(_), _) => return Err(Violation(Code::Protocol, "a new message within a fragmented one")),
            (None, Op::Continuation) => return Err(Violation(Code::Protocol, "a continuation of no message")),
            (None, _) if fin => return Ok(Some((op, payload))),
            // A part of the buffer would keep all of it in memory.
            (None, _) => Begun { op, fragments: 0, payload: BytesMut::new() },
        };
        begun.payload.extend_from_slice(&payload);
        begun.fragments += 1;
        if fin {
            return Ok(Some((begun.op, begun.payload)));
        }
        if begun.fragments >= FRAGMENTS {
            return Err(Violation(Code::Policy, "a message in too many fragments"));
        }
        self.begun = Some(begun);
        Ok(None)
    }

    fn request(&self, message: BytesMut) -> Result<Heard, Broken> {
        let unreadable = |tells| Broken { tells, goodbye: frame::close(Code::Invalid, "bad_frame") };
        if self.spoken == Some(Op::Text) {
            let text = std::str::from_utf8(&message)
                .map_err(|_| closing(Violation(Code::Invalid, "a text message is not UTF-8")))?;
            return match json::request(text) {
                Ok(frame) => Ok(Heard::Frame(frame)),
                Err(Unreadable::Refused { request_id, text }) => {
                    Ok(Heard::Refused { request_id, text, bytes: message.len() })
                }
                Err(Unreadable::NoJson) => Err(unreadable(true)),
            };
        }
        if message.is_empty() {
            return Err(unreadable(true));
        }
        wire::ClientFrame::decode(message.freeze()).map(Heard::Frame).map_err(|_| unreadable(true))
    }
}

fn closing(violation: Violation) -> Broken {
    Broken { tells: false, goodbye: frame::close(violation.0, violation.1) }
}

#[cfg(test)]
mod tests;
