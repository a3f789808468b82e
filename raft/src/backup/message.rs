//! The messages of backups: capped, and checked before other code sees them.

use std::io;

use bytes::Bytes;
use prost::Message;
use troupe_core::ShardId;
use troupe_core::limits::NODE_FRAME_BYTES;
use troupe_proto::frame::{read_frame, write_frame};
use troupe_proto::wire::raft as wire;
use troupe_proto::wire::raft::backup_reply::Reply as WireReply;
use troupe_proto::wire::raft::backup_request::Request as WireRequest;
use troupe_runtime::Stream;
use troupe_store::rows::Digest;

use super::entries::{Entries, Logged};
use crate::log::restore_part::{entry, part_from_wire};

#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    Describe,
    Save(ShardId),
    Digest(ShardId),
    /// `entry` is the entry for the log.
    Restore {
        shard: ShardId,
        entry: Bytes,
    },
    /// Everything is restored: the cluster continues with the content of the cluster `origin`, as
    /// this history.
    Adopt {
        history: u64,
        origin: [u8; 16],
    },
    /// Committed entries from this index on.
    Entries {
        shard: ShardId,
        from: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Plan(Plan),
    Digest(Digest),
    Entries(Entries),
    /// The part is in the shard.
    Taken,
    /// Ask there (a cluster address), or any other node.
    NotLeader(Option<String>),
    /// Retry.
    Unavailable(String),
    /// Permanent; the text is for the operator.
    Refused(String),
}

/// The leaders of the ranges of slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub cluster_id: [u8; 16],
    pub places: Vec<ShardRange>,
    /// Cluster addresses of all nodes; empty if the node's version does not announce them.
    pub nodes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardRange {
    pub shard: ShardId,
    /// The second is exclusive.
    pub slots: (u16, u16),
    /// Cluster address.
    pub leader: Option<String>,
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

async fn send(stream: &mut dyn Stream, message: &impl Message) -> io::Result<()> {
    Ok(write_frame(stream, message, NODE_FRAME_BYTES).await?)
}

async fn receive<M: Message + Default>(stream: &mut dyn Stream) -> io::Result<M> {
    M::decode(read_frame(stream, NODE_FRAME_BYTES).await?).map_err(|_| invalid("not a message of a backup"))
}

pub async fn send_question(stream: &mut dyn Stream, question: WireRequest) -> io::Result<()> {
    send(stream, &wire::BackupRequest { request: Some(question) }).await
}

pub async fn receive_question(stream: &mut dyn Stream) -> io::Result<Question> {
    let question: wire::BackupRequest = receive(stream).await?;
    Ok(match question.request.ok_or_else(|| invalid("no question"))? {
        WireRequest::Describe(_) => Question::Describe,
        WireRequest::Save(save) => Question::Save(ShardId(save.shard)),
        WireRequest::Digest(digest) => Question::Digest(ShardId(digest.shard)),
        WireRequest::Restore(part) => {
            // Checked here: once it is in the log, every replica must be able to read it.
            part_from_wire(part.clone()).filter(|_| !part.recovered).ok_or_else(|| invalid("part of a restore"))?;
            Question::Restore { shard: ShardId(part.shard), entry: entry(&part) }
        }
        WireRequest::Adopt(adopt) => {
            let origin = adopt.origin.as_ref().try_into().map_err(|_| invalid("id of a cluster"))?;
            Question::Adopt { history: adopt.history, origin }
        }
        WireRequest::Log(log) => Question::Entries { shard: ShardId(log.shard), from: log.from },
    })
}

pub async fn send_answer(stream: &mut dyn Stream, answer: &Answer) -> io::Result<()> {
    let reply = match answer {
        Answer::Plan(plan) => {
            let place = |place: &ShardRange| wire::BackupPlace {
                shard: place.shard.0,
                first_slot: place.slots.0.into(),
                end_slot: place.slots.1.into(),
                leader: place.leader.clone().unwrap_or_default(),
            };
            let places = plan.places.iter().map(place).collect();
            WireReply::Plan(wire::BackupPlan {
                cluster_id: plan.cluster_id.to_vec().into(),
                places,
                nodes: plan.nodes.clone(),
            })
        }
        Answer::Digest(digest) => {
            WireReply::Rows(wire::BackupRows { rows: digest.rows, digest: digest.sum.to_be_bytes().to_vec().into() })
        }
        Answer::Entries(Entries { entries, end, now_ms }) => {
            let entries = entries.iter().cloned().map(Into::into).collect();
            WireReply::Entries(wire::BackupEntries { entries, end: *end, now_ms: *now_ms })
        }
        Answer::Taken => WireReply::Taken(wire::BackupTaken {}),
        Answer::NotLeader(leader) => WireReply::NotLeader(leader.clone().unwrap_or_default()),
        Answer::Unavailable(why) => WireReply::Unavailable(why.clone()),
        Answer::Refused(why) => WireReply::Refused(why.clone()),
    };
    send(stream, &wire::BackupReply { reply: Some(reply) }).await
}

pub async fn receive_answer(stream: &mut dyn Stream) -> io::Result<Answer> {
    let reply: wire::BackupReply = receive(stream).await?;
    answer_in(reply).ok_or_else(|| invalid("answer of a backup"))
}

/// An answer instead of the requested snapshot.
pub(crate) fn answer_in_place_of_snapshot(frame: &[u8]) -> Option<Answer> {
    let answer = answer_in(wire::BackupReply::decode(frame).ok()?)?;
    matches!(answer, Answer::NotLeader(_) | Answer::Unavailable(_) | Answer::Refused(_)).then_some(answer)
}

fn answer_in(reply: wire::BackupReply) -> Option<Answer> {
    Some(match reply.reply? {
        WireReply::Plan(plan) => {
            let place = |place: wire::BackupPlace| {
                let slots = (u16::try_from(place.first_slot).ok()?, u16::try_from(place.end_slot).ok()?);
                let leader = Some(place.leader).filter(|leader| !leader.is_empty());
                Some(ShardRange { shard: ShardId(place.shard), slots, leader })
            };
            let places = plan.places.into_iter().map(place).collect::<Option<_>>()?;
            Answer::Plan(Plan { cluster_id: plan.cluster_id.as_ref().try_into().ok()?, places, nodes: plan.nodes })
        }
        WireReply::Rows(rows) => {
            let sum = u128::from_be_bytes(rows.digest.as_ref().try_into().ok()?);
            Answer::Digest(Digest { rows: rows.rows, sum })
        }
        WireReply::Entries(wire::BackupEntries { entries, end, now_ms }) => {
            let entries: Vec<Logged> = entries.into_iter().map(Logged::from).collect();
            let is_gapless = entries.windows(2).all(|pair| pair[0].index.checked_add(1) == Some(pair[1].index));
            is_gapless.then_some(Answer::Entries(Entries { entries, end, now_ms }))?
        }
        WireReply::Taken(_) => Answer::Taken,
        WireReply::NotLeader(leader) => Answer::NotLeader(Some(leader).filter(|leader| !leader.is_empty())),
        WireReply::Unavailable(why) => Answer::Unavailable(why),
        WireReply::Refused(why) => Answer::Refused(why),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_beginning_of_a_snapshot_and_an_answer_are_told_apart() {
        use wire::snapshot_frame::Frame;
        let header = wire::SnapshotHeader { group: 4, target: 9, ..Default::default() };
        for header in [header, wire::SnapshotHeader::default()] {
            let frame = wire::SnapshotFrame { frame: Some(Frame::Header(header)) }.encode_to_vec();
            assert_eq!(answer_in_place_of_snapshot(&frame), None);
        }
        for reply in [
            WireReply::NotLeader("a:7800".into()),
            WireReply::Unavailable("x".into()),
            WireReply::Refused(String::new()),
        ] {
            let frame = wire::BackupReply { reply: Some(reply) }.encode_to_vec();
            assert!(answer_in_place_of_snapshot(&frame).is_some());
        }
    }

    #[test]
    fn answers_survive_the_wire() {
        let place = ShardRange { shard: ShardId(1), slots: (3, 9), leader: Some("a:1".into()) };
        let places = vec![place.clone(), ShardRange { leader: None, ..place }];
        let plan = Plan { cluster_id: [5; 16], places, nodes: vec!["a:1".into(), "b:2".into()] };
        let logged = |index| Logged { index, term: 2, proposal: Bytes::from_static(b"p") };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for answer in [
            Answer::Plan(plan),
            Answer::Digest(Digest { rows: 7, sum: u128::MAX - 1 }),
            Answer::Entries(Entries { entries: vec![logged(6), logged(7)], end: 9, now_ms: 3 }),
            Answer::Taken,
            Answer::NotLeader(None),
            Answer::NotLeader(Some("b:2".into())),
            Answer::Unavailable("later".into()),
            Answer::Refused("never".into()),
        ] {
            let (mut near, mut far) = tokio::io::duplex(4096);
            let back = runtime.block_on(async {
                send_answer(&mut far, &answer).await.unwrap();
                receive_answer(&mut near).await.unwrap()
            });
            assert_eq!(back, answer);
        }
    }

    proptest! {
        #[test]
        fn decoding_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = answer_in_place_of_snapshot(&bytes);
            let _ = wire::BackupReply::decode(bytes.as_slice()).ok().and_then(answer_in);
        }
    }
}
