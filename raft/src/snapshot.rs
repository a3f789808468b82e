//! A shard's state on its way to a replica that the log can no longer help: streamed from a view of
//! the engine, in compressed and checksummed blocks, over a connection of its own, and installed by
//! one atomic replace.

mod block;

use std::io;
use std::ops::Bound;
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use openraft::alias;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use troupe_core::NodeId;
use troupe_core::limits::NODE_FRAME_BYTES;
use troupe_core::plant::Plant;
use troupe_proto::wire::raft::snapshot_frame::Frame as Part;
use troupe_proto::wire::raft::{self as wire, SnapshotFrame};
use troupe_runtime::{Lane, NodeCtx, Stream, executor};
use troupe_store::engine::{Engine, Reader, Replace};
use troupe_store::rows::Row;

use crate::applier::Rows;
use crate::backup;
use crate::codec;
use crate::group::{Group, Groups};
use crate::network::Network;
use crate::pace::Pace;
use crate::port::{Inbound, Port, Protocol};
use crate::state_machine::{SnapshotData, applied_row};
use crate::timing::{SNAPSHOT_BEAT, SNAPSHOT_INSTALL, SNAPSHOT_STALL};
use crate::types::{GroupId, SnapshotMeta, Types, Vote};

pub(crate) use block::{BLOCK_BYTES, open_block, seal_block};
use block::{pack, unpack};

/// Snapshots that this node takes in at once. Above it the sender is told to try again.
const SNAPSHOTS_RECEIVED: usize = 2;

#[derive(Clone, Copy, Debug)]
pub struct Destination {
    pub node: NodeId,
    pub group: GroupId,
    pub target: u64,
}

/// Sends a snapshot and waits until it is installed; gives the vote of the receiver.
pub async fn send(
    network: &Network,
    to: Destination,
    vote: Vote,
    snapshot: alias::SnapshotOf<Types, SnapshotData>,
) -> io::Result<Vote> {
    let SnapshotData::View { reader, ranges } = snapshot.snapshot else {
        return Err(io::Error::other("a snapshot that is being installed cannot be sent"));
    };
    let mut stream = network.port.dial(to.node, Protocol::Snapshot).await?;
    let stream = &mut stream;
    let state = codec::applied_out(snapshot.meta.last_log_id.as_ref(), &snapshot.meta.last_membership);
    let header = wire::SnapshotHeader {
        group: to.group.0,
        target: to.target,
        vote: Some(codec::vote_out(&vote)),
        state: Some(state),
    };
    write(stream, Part::Header(header)).await?;
    send_rows(&network.ctx, &network.paces.towards(to.node), reader, ranges, stream).await?;
    match timeout(SNAPSHOT_INSTALL, reply(stream)).await?? {
        Part::Reply(wire::SnapshotReply { vote: Some(vote), .. }) => Ok(codec::vote_in(vote)),
        Part::Reply(reply) => Err(io::Error::other(reply.refusal)),
        _ => Err(invalid("no reply to a snapshot")),
    }
}

/// What comes after the receiver's signs of life.
async fn reply(stream: &mut Box<dyn Stream>) -> io::Result<Part> {
    loop {
        match read_in_time(stream).await? {
            Part::Working(_) => {}
            other => return Ok(other),
        }
    }
}

/// The blocks of all ranges, and the end.
async fn send_rows(
    ctx: &NodeCtx,
    pace: &Pace,
    reader: Arc<dyn Reader>,
    ranges: Vec<Rows>,
    stream: &mut Box<dyn Stream>,
) -> io::Result<()> {
    let mut pairs = 0;
    for (family, from, end) in ranges {
        let mut next = Some(Bound::Included(from));
        while let Some(begin) = next {
            let turn = pace.turn().await;
            let (reader, end) = (reader.clone(), end.clone());
            let mut block = blocking(ctx, move || pack(&*reader, family, begin, end)).await??;
            if ctx.planted(Plant::SnapshotWithoutDedup) {
                block.forget_dedup(family)?;
            }
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

/// A shard's rows to whoever takes a backup: the same frames, without a vote and without an answer.
pub async fn save(
    ctx: &NodeCtx,
    reader: Arc<dyn Reader>,
    group: &Group,
    stream: &mut Box<dyn Stream>,
) -> io::Result<()> {
    let (applied, membership) = applied_row(&*reader, group.id).map_err(io::Error::other)?;
    let state = codec::applied_out(applied.as_ref(), &membership);
    let header = wire::SnapshotHeader { group: group.id.0, target: group.replica, vote: None, state: Some(state) };
    write(stream, Part::Header(header)).await?;
    send_rows(ctx, &Pace::new(), reader, group.applier.ranges(), stream).await
}

/// How the other end of [`save`] begins.
pub enum Beginning {
    /// Rows follow; they are of this applied index.
    Rows(u64),
    /// None follow.
    Answer(backup::Answer),
}

/// The first frame that comes for the snapshot that was asked for.
pub async fn begin_load(stream: &mut Box<dyn Stream>) -> io::Result<Beginning> {
    let bytes = timeout(SNAPSHOT_STALL, read_bytes(stream)).await??;
    if let Some(answer) = backup::answer_in_place_of_snapshot(&bytes) {
        return Ok(Beginning::Answer(answer));
    }
    let Part::Header(header) = part_in(bytes)? else { return Err(invalid("no header of a snapshot")) };
    let (applied, _) = codec::applied_in(header.state.unwrap_or_default()).map_err(io::Error::other)?;
    Ok(Beginning::Rows(applied.map_or(0, |id| id.index)))
}

/// The other end of [`save`], behind its beginning: the rows in order, and how many they were.
/// Blocks are small enough to be unpacked where they come in.
pub async fn load(stream: &mut Box<dyn Stream>, mut take: impl FnMut(Vec<Row>) -> io::Result<()>) -> io::Result<u64> {
    let mut count = 0;
    loop {
        match read_in_time(stream).await? {
            Part::Block(block) => {
                let pairs = open_block(&block)?;
                let family = backup::family(pairs.family).ok_or_else(|| invalid("family of a snapshot's block"))?;
                let row = |pair: wire::SnapshotPair| Row { family, key: pair.key.into(), value: pair.value.into() };
                count += pairs.pairs.len() as u64;
                take(pairs.pairs.into_iter().map(row).collect())?;
            }
            Part::End(end) if end.pairs == count => return Ok(count),
            Part::End(_) => return Err(invalid("count of a snapshot")),
            Part::Header(_) | Part::Reply(_) | Part::Working(_) => return Err(invalid("order of a snapshot")),
        }
    }
}

/// Takes in snapshots until it is dropped.
pub async fn serve(ctx: NodeCtx, engine: Arc<dyn Engine>, port: Port, groups: Groups) {
    let mut inbound = port.inbound(Protocol::Snapshot);
    let room = Arc::new(Semaphore::new(SNAPSHOTS_RECEIVED));
    let mut transfers = JoinSet::new();
    while let Some(Inbound { from, stream, .. }) = inbound.recv().await {
        while transfers.try_join_next().is_some() {}
        let (ctx, engine, groups) = (ctx.clone(), engine.clone(), groups.clone());
        let turn = room.clone().try_acquire_owned();
        transfers.spawn(async move {
            let mut stream = stream;
            let installed = match turn {
                Ok(_turn) => receive(&ctx, engine, &groups, &mut stream).await,
                Err(_) => Err(io::Error::other("this node takes in other snapshots, try again")),
            };
            let reply = match installed {
                Ok(vote) => wire::SnapshotReply { vote: Some(codec::vote_out(&vote)), refusal: String::new() },
                Err(error) => {
                    tracing::info!(%from, %error, "a snapshot was not installed");
                    wire::SnapshotReply { vote: None, refusal: error.to_string() }
                }
            };
            if let Err(error) = write(&mut stream, Part::Reply(reply)).await {
                tracing::debug!(%from, %error, "the sender of a snapshot has gone");
            }
        });
    }
}

async fn receive(
    ctx: &NodeCtx,
    engine: Arc<dyn Engine>,
    groups: &Groups,
    stream: &mut Box<dyn Stream>,
) -> io::Result<Vote> {
    let Part::Header(header) = read_in_time(stream).await? else { return Err(invalid("no header of a snapshot")) };
    let group = groups
        .get(GroupId(header.group))
        .filter(|group| group.replica == header.target)
        .ok_or_else(|| io::Error::other("no such replica here"))?;
    let vote = codec::vote_in(header.vote.ok_or_else(|| invalid("vote of a snapshot"))?);
    let (last_log_id, last_membership) =
        codec::applied_in(header.state.unwrap_or_default()).map_err(io::Error::other)?;
    let meta = SnapshotMeta { last_log_id, last_membership };
    let staged = stage(ctx, engine, &group, stream).await?;
    let snapshot = openraft::Snapshot { meta, snapshot: SnapshotData::Staged(staged) };
    let installing = group.raft.install_full_snapshot(vote, snapshot);
    let response = while_working(stream, installing).await?.map_err(io::Error::other)?;
    Ok(response.vote)
}

/// Does the work, and tells the sender now and then that it goes on.
async fn while_working<T>(stream: &mut Box<dyn Stream>, work: impl Future<Output = T>) -> io::Result<T> {
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return Ok(done),
            () = sleep(SNAPSHOT_BEAT) => write(stream, Part::Working(wire::SnapshotWorking {})).await?,
        }
    }
}

async fn stage(
    ctx: &NodeCtx,
    engine: Arc<dyn Engine>,
    group: &Group,
    stream: &mut Box<dyn Stream>,
) -> io::Result<Box<dyn Replace>> {
    let ranges = group.applier.ranges();
    let wanted = ranges.clone();
    let mut staged = blocking(ctx, move || engine.begin_replace(wanted)).await?.map_err(io::Error::other)?;
    let mut pairs = 0;
    loop {
        match read_in_time(stream).await? {
            Part::Block(block) => {
                let ranges = ranges.clone();
                let unpacked = blocking(ctx, move || unpack(staged, &ranges, block)).await??;
                staged = unpacked.0;
                pairs += unpacked.1;
            }
            Part::End(end) if end.pairs == pairs => return Ok(staged),
            Part::End(_) => return Err(invalid("count of a snapshot")),
            Part::Header(_) | Part::Reply(_) | Part::Working(_) => return Err(invalid("order of a snapshot")),
        }
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

async fn blocking<T: Send + 'static>(ctx: &NodeCtx, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let done = executor::run(&*ctx.executor, Lane::Bulk, work).await;
    done.ok_or_else(|| io::Error::other("the lane for bulk work is full"))
}

async fn write(stream: &mut Box<dyn Stream>, part: Part) -> io::Result<()> {
    let frame = SnapshotFrame { frame: Some(part) };
    let mut bytes = BytesMut::with_capacity(4 + frame.encoded_len());
    bytes.put_u32(frame.encoded_len() as u32);
    frame.encode(&mut bytes).map_err(io::Error::other)?;
    if bytes.remaining() > NODE_FRAME_BYTES {
        return Err(invalid("size of a snapshot's frame"));
    }
    timeout(SNAPSHOT_STALL, async {
        stream.write_all(&bytes).await?;
        stream.flush().await
    })
    .await?
}

async fn read_in_time(stream: &mut Box<dyn Stream>) -> io::Result<Part> {
    timeout(SNAPSHOT_STALL, read(stream)).await?
}

async fn read(stream: &mut Box<dyn Stream>) -> io::Result<Part> {
    part_in(read_bytes(stream).await?)
}

fn part_in(bytes: Bytes) -> io::Result<Part> {
    SnapshotFrame::decode(bytes)?.frame.ok_or_else(|| invalid("frame of a snapshot"))
}

async fn read_bytes(stream: &mut Box<dyn Stream>) -> io::Result<Bytes> {
    let length = stream.read_u32().await? as usize;
    if length > NODE_FRAME_BYTES {
        return Err(invalid("size of a snapshot's frame"));
    }
    let mut bytes = BytesMut::zeroed(length);
    stream.read_exact(&mut bytes).await?;
    Ok(bytes.freeze())
}

#[cfg(test)]
mod tests;
