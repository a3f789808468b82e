//! Decoders are total: any bytes, and good bytes with a few of them changed, give a value or an
//! error.
//!
//! The fuzz targets in `fuzz/` ask the same for longer.

use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use troupe_core::{Command, Event};
use troupe_proto::StampedBatch;
use troupe_proto::client::{self, SessionToken};
use troupe_proto::wire::client::{ClientFrame, ServerFrame, client_frame::Request};
use troupe_proto::wire::{mesh, raft};

use crate::{Kept, values};

/// Whatever decodes encodes to something that decodes to the same.
fn settled<T: Kept + PartialEq + std::fmt::Debug>(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(value) = T::decode(bytes) {
        prop_assert_eq!(T::decode(&value.encode()), Ok(value));
    }
    Ok(())
}

fn ask(bytes: &[u8]) -> Result<(), TestCaseError> {
    settled::<Command>(bytes)?;
    settled::<StampedBatch>(bytes)?;
    settled::<Event>(bytes)?;
    if let Ok(token) = SessionToken::decode(bytes) {
        prop_assert_eq!(token.encode(), bytes);
    }
    let user = troupe_core::UserId(1);
    match ClientFrame::decode(bytes).ok().and_then(|frame| frame.request) {
        Some(Request::Send(send)) => drop(client::send(user, send)),
        Some(Request::CreateGroup(create)) => drop(client::create_group(user, create)),
        Some(Request::ChangeGroup(change)) => drop(client::change_group(user, change)),
        _ => {}
    }
    drop(ServerFrame::decode(bytes));
    drop(mesh::Frame::decode(bytes));
    drop(raft::AppendRequest::decode(bytes));
    drop(raft::SnapshotFrame::decode(bytes));
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..300)) {
        ask(&bytes)?;
        ask(&[&[1], &bytes[..]].concat())?;
    }

    #[test]
    fn good_bytes_gone_bad(
        command in values::batch(),
        event in values::event(),
        token in values::session_token(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        for mut bytes in [command.encode(), event.encode(), token.encode()] {
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            ask(&bytes)?;
            ask(&bytes[..cut.index(bytes.len())])?;
        }
    }
}
