//! Frames that answer no request.

use bytes::{Bytes, BytesMut};
use prost::Message;

use crate::frame;
use crate::wire::client::{ServerFrame, server_frame};

/// The frame of a push, with its length.
pub fn push_frame(message: server_frame::Message) -> Bytes {
    framed(&ServerFrame { request_id: 0, message: Some(message) })
}

/// The frame of an event push, with its length, around the bytes of an event that is encoded
/// already: they are copied once, and a kind of event that this version does not know stays whole.
pub fn event_frame(conversation: String, event: Bytes) -> Bytes {
    framed(&EventFrame { push: Some(EncodedEventPush { conversation, event }) })
}

/// The bytes of the event in a frame made by [`event_frame`]. `None`: it is another frame.
pub fn event_of_frame(frame: &Bytes) -> Option<Bytes> {
    let push = EventFrame::decode(payload(frame)?).ok()?.push?;
    (!push.event.is_empty()).then_some(push.event)
}

/// The message in the frame of a push.
pub fn push_of_frame(frame: &Bytes) -> Option<server_frame::Message> {
    ServerFrame::decode(payload(frame)?).ok()?.message
}

fn payload(frame: &Bytes) -> Option<Bytes> {
    (frame.len() > frame::PREFIX_BYTES).then(|| frame.slice(frame::PREFIX_BYTES..))
}

fn framed(message: &impl Message) -> Bytes {
    let mut bytes = BytesMut::new();
    frame::encode_frame(message, &mut bytes);
    bytes.freeze()
}

/// `ServerFrame` with an event.
#[derive(Clone, PartialEq, prost::Message)]
struct EventFrame {
    #[prost(message, optional, tag = "20")]
    push: Option<EncodedEventPush>,
}

/// `EventPush` with the event in its encoded form.
#[derive(Clone, PartialEq, prost::Message)]
struct EncodedEventPush {
    #[prost(string, tag = "1")]
    conversation: String,
    #[prost(bytes = "bytes", tag = "2")]
    event: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::client as wire;

    fn event(kind: u32) -> wire::Event {
        wire::Event { seq: 7, kind, content: Bytes::from_static(b"content"), ..wire::Event::default() }
    }

    #[test]
    fn an_encoded_event_gives_the_same_frame_as_its_message() {
        for kind in [5, 77] {
            let conversation = "g1".to_owned();
            let push = wire::EventPush { conversation: conversation.clone(), event: Some(event(kind)) };
            let frame = event_frame(conversation, event(kind).encode_to_vec().into());
            assert_eq!(frame, push_frame(server_frame::Message::Event(push)));
        }
    }

    #[test]
    fn the_bytes_of_an_event_come_out_of_its_frame_unchanged() {
        // A field of the envelope that no version knows yet, in an unusual place.
        let mut bytes = vec![0xa0, 0x3f, 0x01];
        event(77).encode(&mut bytes).expect("a Vec takes everything");
        let bytes = Bytes::from(bytes);
        assert_eq!(event_of_frame(&event_frame("g1".into(), bytes.clone())), Some(bytes));
    }

    #[test]
    fn other_frames_and_damaged_ones_have_no_event() {
        let ping = push_frame(server_frame::Message::Ping(wire::Ping { nonce: 1 }));
        let whole = event_frame("g1".into(), event(5).encode_to_vec().into());
        for frame in [ping, Bytes::new(), whole.slice(..3), whole.slice(..whole.len() - 1)] {
            assert_eq!(event_of_frame(&frame), None);
        }
        assert_eq!(push_of_frame(&whole.slice(..whole.len() - 1)), None);
    }
}
