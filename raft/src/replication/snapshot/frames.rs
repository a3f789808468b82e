//! The frames of a snapshot's connection.

use std::io;

use bytes::Bytes;
use prost::Message;
use tokio::time::timeout;
use troupe_core::limits::NODE_FRAME_BYTES;
use troupe_proto::frame::{read_frame, write_frame};
use troupe_proto::wire::raft::SnapshotFrame;
pub use troupe_proto::wire::raft::snapshot_frame::Frame as Part;
use troupe_runtime::{Lane, Platform, Stream, executor};

use crate::timing::SNAPSHOT_STALL;

pub async fn write(stream: &mut Box<dyn Stream>, part: Part) -> io::Result<()> {
    let frame = SnapshotFrame { frame: Some(part) };
    Ok(timeout(SNAPSHOT_STALL, write_frame(stream, &frame, NODE_FRAME_BYTES)).await??)
}

pub async fn read_in_time(stream: &mut Box<dyn Stream>) -> io::Result<Part> {
    part_in(read_bytes(stream).await?)
}

pub fn part_in(bytes: Bytes) -> io::Result<Part> {
    SnapshotFrame::decode(bytes)?.frame.ok_or_else(|| invalid("frame of a snapshot"))
}

/// One frame, undecoded.
pub async fn read_bytes(stream: &mut Box<dyn Stream>) -> io::Result<Bytes> {
    Ok(timeout(SNAPSHOT_STALL, read_frame(stream, NODE_FRAME_BYTES)).await??)
}

pub fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Runs work on the lane for bulk work.
pub async fn blocking<T: Send + 'static>(
    platform: &Platform,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let done = executor::run(&*platform.executor, Lane::Bulk, work).await;
    done.ok_or_else(|| io::Error::other("the lane for bulk work is full"))
}
