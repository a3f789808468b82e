//! Receives snapshots and installs them.

use std::io;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;
use troupe_proto::wire::raft as wire;
use troupe_runtime::{Platform, Stream};
use troupe_store::engine::{Engine, Replace};

use super::block::unpack;
use super::frames::{Part, blocking, invalid, read_in_time, write};
use crate::codec;
use crate::log::state_machine::SnapshotData;
use crate::replication::group::{Group, Groups};
use crate::timing::SNAPSHOT_BEAT;
use crate::transport::port::{Inbound, Port, Protocol};
use crate::types::{GroupId, SnapshotMeta, Vote};

/// Snapshots that this node receives at once. At the limit the sender is told to retry.
const SNAPSHOTS_RECEIVED: usize = 2;

/// Receives snapshots until it is dropped.
pub async fn serve(platform: Platform, engine: Arc<dyn Engine>, port: Port, groups: Groups) {
    let mut inbound = port.inbound(Protocol::Snapshot);
    let room = Arc::new(Semaphore::new(SNAPSHOTS_RECEIVED));
    let mut transfers = JoinSet::new();
    while let Some(Inbound { from, stream, .. }) = inbound.recv().await {
        while transfers.try_join_next().is_some() {}
        let (platform, engine, groups) = (platform.clone(), engine.clone(), groups.clone());
        let turn = room.clone().try_acquire_owned();
        transfers.spawn(async move {
            let mut stream = stream;
            let installed = match turn {
                Ok(_turn) => receive(&platform, engine, &groups, &mut stream).await,
                Err(_) => Err(io::Error::other("this node receives other snapshots, retry")),
            };
            let reply = match installed {
                Ok(vote) => wire::SnapshotReply { vote: Some(codec::vote_out(&vote)), refusal: String::new() },
                Err(error) => {
                    tracing::info!(%from, %error, "a snapshot was not installed");
                    wire::SnapshotReply { vote: None, refusal: error.to_string() }
                }
            };
            if let Err(error) = write(&mut stream, Part::Reply(reply)).await {
                tracing::debug!(%from, %error, "the sender of a snapshot has disconnected");
            }
        });
    }
}

async fn receive(
    platform: &Platform,
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
    let staged = stage(platform, engine, &group, stream).await?;
    let snapshot = openraft::Snapshot { meta, snapshot: SnapshotData::Staged(staged) };
    let installing = group.raft.install_full_snapshot(vote, snapshot);
    let response = while_working(stream, installing).await?.map_err(io::Error::other)?;
    Ok(response.vote)
}

/// Does the work, and periodically reports progress to the sender.
pub(super) async fn while_working<T>(stream: &mut Box<dyn Stream>, work: impl Future<Output = T>) -> io::Result<T> {
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
    platform: &Platform,
    engine: Arc<dyn Engine>,
    group: &Group,
    stream: &mut Box<dyn Stream>,
) -> io::Result<Box<dyn Replace>> {
    let ranges = group.applier.ranges();
    let wanted = ranges.clone();
    let mut staged = blocking(platform, move || engine.begin_replace(wanted)).await?.map_err(io::Error::other)?;
    let mut pairs = 0;
    loop {
        match read_in_time(stream).await? {
            Part::Block(block) => {
                let ranges = ranges.clone();
                let unpacked = blocking(platform, move || unpack(staged, &ranges, block)).await??;
                staged = unpacked.0;
                pairs += unpacked.1;
            }
            Part::End(end) if end.pairs == pairs => return Ok(staged),
            Part::End(_) => return Err(invalid("count of a snapshot")),
            Part::Header(_) | Part::Reply(_) | Part::Working(_) => return Err(invalid("order of a snapshot")),
        }
    }
}
