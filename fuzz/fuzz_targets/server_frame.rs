//! A client's input from a server.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use prost::Message;
use tokio_util::codec::Decoder;
use troupe_core::Event;
use troupe_proto::frame::FrameCodec;
use troupe_proto::wire::client::ServerFrame;
use troupe_proto::wire::client::server_frame::Message as Answer;

fuzz_target!(|data: &[u8]| {
    let mut source = BytesMut::from(data);
    while let Ok(Some(payload)) = FrameCodec::client().decode(&mut source) {
        answer(&payload);
    }
    answer(data);
});

fn answer(payload: &[u8]) {
    let Ok(frame) = ServerFrame::decode(payload) else { return };
    match frame.message {
        Some(Answer::Event(push)) => drop(push.event.map(Event::try_from)),
        Some(Answer::Page(page)) => page.events.into_iter().for_each(|event| drop(Event::try_from(event))),
        Some(Answer::Failure(failure)) => drop(failure.is_definite()),
        _ => {}
    }
}
