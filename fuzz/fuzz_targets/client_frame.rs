//! A server's input from a client, as its edge reads it: frames, requests, conversions.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use prost::Message;
use tokio_util::codec::Decoder;
use troupe_core::command::Intent;
use troupe_core::{UserId, Username};
use troupe_proto::client;
use troupe_proto::frame::FrameCodec;
use troupe_proto::wire::client::ClientFrame;
use troupe_proto::wire::client::client_frame::Request;

fuzz_target!(|data: &[u8]| {
    let mut source = BytesMut::from(data);
    while let Ok(Some(payload)) = FrameCodec::server().decode(&mut source) {
        request(&payload);
    }
    // Without a length too, so that the fuzzer need not guess one to come this far.
    request(data);
});

fn request(payload: &[u8]) {
    let Ok(frame) = ClientFrame::decode(payload) else { return };
    let user = UserId(1);
    match frame.request {
        Some(Request::Send(send)) => drop(client::send(user, send)),
        Some(Request::CreateGroup(create)) => drop(client::create_group(user, create)),
        Some(Request::ChangeGroup(change)) => {
            if let Ok(append) = client::change_group(user, change) {
                let again = client::change(&append.intent).map(Intent::try_from);
                assert_eq!(again, Some(Ok(append.intent)), "one change, one intent");
            }
        }
        Some(Request::Resume(resume)) => drop(client::SessionToken::decode(&resume.token)),
        Some(Request::Login(login)) => {
            drop((Username::check(&login.name), client::device("device", &login.device)));
        }
        Some(Request::Fetch(fetch)) => {
            if let Ok(conversation) = client::conversation("conversation", &fetch.conversation) {
                assert_eq!(conversation.to_string(), fetch.conversation, "one conversation, one form");
            }
        }
        _ => {}
    }
}
