//! The rows of a shard on their way to a client that takes a backup: the frames of a snapshot,
//! without a vote and without a reply.

use std::io;
use std::sync::Arc;

use troupe_proto::wire::raft as wire;
use troupe_runtime::{Platform, Stream};
use troupe_store::engine::Reader;
use troupe_store::rows::Row;

use super::message::{Answer, answer_in_place_of_snapshot};
use crate::codec;
use crate::log::restore_part::family;
use crate::log::state_machine::applied_row;
use crate::replication::catchup_throttle::CatchupThrottle;
use crate::replication::group::Group;
use crate::replication::snapshot::block::open_block;
use crate::replication::snapshot::frames::{Part, invalid, part_in, read_bytes, read_in_time, write};
use crate::replication::snapshot::send::send_rows;

/// Sends all rows. `now_ms` is the leader's clock after the view of them was taken.
pub async fn save(
    platform: &Platform,
    reader: Arc<dyn Reader>,
    group: &Group,
    now_ms: u64,
    stream: &mut Box<dyn Stream>,
) -> io::Result<()> {
    let (applied, membership) = applied_row(&*reader, group.id).map_err(io::Error::other)?;
    let state = codec::applied_out(applied.as_ref(), &membership);
    let header =
        wire::SnapshotHeader { group: group.id.0, target: group.replica, vote: None, state: Some(state), now_ms };
    write(stream, Part::Header(header)).await?;
    send_rows(platform, &CatchupThrottle::new(), reader, group.applier.ranges(), stream).await
}

/// The first frame from [`save`].
pub enum Beginning {
    /// Rows of this applied index follow. The time is 0 from a node of an earlier version.
    Rows { applied: u64, now_ms: u64 },
    /// No rows follow.
    Answer(Answer),
}

/// Reads the first frame after a request for rows.
pub async fn begin_load(stream: &mut Box<dyn Stream>) -> io::Result<Beginning> {
    let bytes = read_bytes(stream).await?;
    if let Some(answer) = answer_in_place_of_snapshot(&bytes) {
        return Ok(Beginning::Answer(answer));
    }
    let Part::Header(header) = part_in(bytes)? else { return Err(invalid("no header of a snapshot")) };
    let now_ms = header.now_ms;
    let (applied, _) = codec::applied_in(header.state.unwrap_or_default()).map_err(io::Error::other)?;
    Ok(Beginning::Rows { applied: applied.map_or(0, |id| id.index), now_ms })
}

/// Reads the rows in order, after the first frame, and returns their number. Blocks are small
/// enough to be unpacked here.
pub async fn load(stream: &mut Box<dyn Stream>, mut take: impl FnMut(Vec<Row>) -> io::Result<()>) -> io::Result<u64> {
    let mut count = 0;
    loop {
        match read_in_time(stream).await? {
            Part::Block(block) => {
                let pairs: wire::SnapshotPairs = open_block(&block)?;
                let family = family(pairs.family).ok_or_else(|| invalid("family of a snapshot's block"))?;
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
