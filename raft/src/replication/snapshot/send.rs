//! Sends the rows of a group.

use std::io;
use std::ops::Bound;
use std::sync::Arc;

use openraft::alias;
use tokio::time::timeout;
use troupe_core::NodeId;
use troupe_proto::wire::raft as wire;
use troupe_runtime::{Platform, Stream};
use troupe_store::engine::Reader;

use super::block::pack;
use super::frames::{Part, blocking, invalid, read_in_time, write};
use crate::codec;
use crate::log::applier::Rows;
use crate::log::state_machine::SnapshotData;
use crate::replication::catchup_throttle::CatchupThrottle;
use crate::timing::SNAPSHOT_INSTALL;
use crate::transport::port::{Port, Protocol};
use crate::types::{GroupId, Types, Vote};

#[derive(Clone, Copy, Debug)]
pub struct Destination {
    pub node: NodeId,
    pub group: GroupId,
    pub target: u64,
}

/// Sends a snapshot and waits until it is installed. Returns the vote of the receiver.
pub async fn send(
    platform: &Platform,
    port: &Port,
    throttle: &CatchupThrottle,
    to: Destination,
    vote: Vote,
    snapshot: alias::SnapshotOf<Types, SnapshotData>,
) -> io::Result<Vote> {
    let SnapshotData::View { reader, ranges } = snapshot.snapshot else {
        return Err(io::Error::other("a snapshot that is being installed cannot be sent"));
    };
    let mut stream = port.dial(to.node, Protocol::Snapshot).await?;
    let stream = &mut stream;
    let state = codec::applied_out(snapshot.meta.last_log_id.as_ref(), &snapshot.meta.last_membership);
    let header = wire::SnapshotHeader {
        group: to.group.0,
        target: to.target,
        vote: Some(codec::vote_out(&vote)),
        state: Some(state),
        now_ms: 0,
    };
    write(stream, Part::Header(header)).await?;
    send_rows(platform, throttle, reader, ranges, stream).await?;
    match timeout(SNAPSHOT_INSTALL, reply(stream)).await?? {
        Part::Reply(wire::SnapshotReply { vote: Some(vote), .. }) => Ok(codec::vote_in(vote)),
        Part::Reply(reply) => Err(io::Error::other(reply.refusal)),
        _ => Err(invalid("no reply to a snapshot")),
    }
}

/// The reply after the receiver's progress reports.
pub(super) async fn reply(stream: &mut Box<dyn Stream>) -> io::Result<Part> {
    loop {
        match read_in_time(stream).await? {
            Part::Working(_) => {}
            other => return Ok(other),
        }
    }
}

/// The blocks of all ranges, and the end.
pub async fn send_rows(
    platform: &Platform,
    throttle: &CatchupThrottle,
    reader: Arc<dyn Reader>,
    ranges: Vec<Rows>,
    stream: &mut Box<dyn Stream>,
) -> io::Result<()> {
    let mut pairs = 0;
    for (family, from, end) in ranges {
        let mut next = Some(Bound::Included(from));
        while let Some(begin) = next {
            let turn = throttle.turn().await;
            let (reader, end) = (reader.clone(), end.clone());
            let block = blocking(platform, move || pack(&*reader, family, begin, end)).await??;
            #[cfg(feature = "planted-bugs")]
            let block = if platform.planted(troupe_core::planted::Bug::SnapshotWithoutDedup) {
                block.without_dedup(family)?
            } else {
                block
            };
            next = block.next;
            if let Some(packed) = block.packed {
                pairs += block.pairs;
                write(stream, Part::Block(packed)).await?;
            }
            turn.done();
        }
    }
    write(stream, Part::End(wire::SnapshotEnd { pairs })).await
}
