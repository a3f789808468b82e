//! The mesh's input from another node: frames, envelopes and their payloads.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use prost::Message;
use troupe_actors::message::encoding::{decode_outcome, decode_push, decode_request};
use troupe_proto::wire::mesh::Frame;

fuzz_target!(|data: &[u8]| {
    if let Ok(frame) = Frame::decode(data) {
        for envelope in frame.envelopes {
            payload(envelope.body);
        }
    }
    payload(Bytes::copy_from_slice(data));
});

fn payload(body: Bytes) {
    drop(decode_request(body.clone()));
    drop(decode_outcome(body.clone()));
    drop(decode_push(body));
}
