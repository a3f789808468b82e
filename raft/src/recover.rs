//! `troupe recover`: a stopped node continues alone, because the majority of its cluster is lost.
//!
//! Data that the lost nodes acknowledged and this copy lacks is gone. So nothing here happens
//! automatically: an operator reads the [`survey`] and decides. [`recover`] then rewrites the data
//! directory in one batch. It creates another cluster, whose id refuses nodes of the old one. It
//! starts another history, so that devices learn that data is gone. The log of each shard with a
//! copy here gets two more entries under a higher term: the membership of this one replica, and the
//! note of all heads ([`restore_part::recovered_entry`]). Entries that were not known to be
//! committed are kept and commit when the node starts. All entries of the meta group, which is
//! small, are applied here, and its log is empty afterwards. Nodes that join get its state as a
//! snapshot, because the entries before it describe another cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use troupe_core::{NodeId, ReplicaId, ShardId};
use troupe_proto::wire::raft as wire;
use troupe_store::engine::{Batch, Durability, Engine, EngineError, Family, Op};
use troupe_store::key::raft::group_range;
use troupe_store::key::{self, RaftLogKey, RaftMetaKey, What, node};

use crate::api::StartError;
use crate::control::host;
use crate::control::meta::{self, MetaState};
use crate::log::restore_part;
use crate::log::state_machine::applied_row;
use crate::types::{Entry, GroupId, LogId, Membership, Payload, Proposal, RaftNode, StoredMembership, Vote};
use crate::{codec, formation};

/// Entries read at once.
const PAGE: usize = 256;

/// The extent of a copy, in Raft indexes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The end of the log; all of it is kept.
    pub last: u64,
    /// A majority had the entries up to this one, as far as this node knows.
    pub committed: u64,
    pub applied: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    pub shard: ShardId,
    /// `None`: this node has no copy of the shard.
    pub here: Option<Reach>,
    /// Nodes that had other copies.
    pub elsewhere: Vec<NodeId>,
}

/// The facts for the operator's decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    pub cluster_id: [u8; 16],
    pub me: NodeId,
    /// The nodes that will be removed, with their cluster addresses.
    pub others: BTreeMap<NodeId, String>,
    pub copies: Vec<Copy>,
}

/// One group on this disk.
struct Held {
    group: GroupId,
    vote: Option<Vote>,
    committed: Option<LogId>,
    applied: Option<LogId>,
    /// The end of the log, or of the state if that is ahead.
    end: Option<LogId>,
    /// The log ends before the state does; its entries were replaced and are obsolete.
    log_is_behind: bool,
}

impl Held {
    fn read(engine: &Arc<dyn Engine>, group: GroupId) -> Result<Held, EngineError> {
        let unreadable = |error: codec::Undecodable| EngineError::Fatal(format!("log of {group}: {error}"));
        let row = |what| engine.get(Family::RaftMeta, &meta_key(group, what));
        let id = |what, name| -> Result<Option<LogId>, EngineError> {
            let id = row(what)?.map(|row| codec::open::<wire::LogId>(&row, name)).transpose().map_err(unreadable)?;
            Ok(id.map(codec::log_id_in))
        };
        let vote = row(What::Vote)?.map(|row| codec::open::<wire::Vote>(&row, "vote")).transpose();
        let (from, to) = group_range(group.0);
        let newest = engine.scan(Family::RaftLog, (Bound::Included(from), Bound::Excluded(to)), true, 1)?;
        let newest = newest.first().map(|(_, row)| entry_in(group, row)).transpose()?.map(|entry| entry.log_id);
        let (applied, _) = applied_row(&**engine, group)?;
        let log = newest.max(id(What::Purged, "purged")?);
        Ok(Held {
            group,
            vote: vote.map_err(unreadable)?.map(codec::vote_in),
            committed: id(What::Committed, "committed")?,
            applied,
            end: log.max(applied),
            log_is_behind: log < applied,
        })
    }

    fn reach(&self) -> Reach {
        let index = |id: Option<LogId>| id.map_or(0, |id| id.index);
        let applied = index(self.applied);
        Reach { last: index(self.end), committed: index(self.committed).max(applied), applied }
    }

    /// A term in which no node has led or voted.
    fn next_term(&self) -> u64 {
        let voted = self.vote.map_or(0, |vote| vote.leader_id.term);
        let logged = self.end.map_or(0, |end| end.leader_id.term);
        voted.max(logged) + 1
    }

    fn next_index(&self) -> u64 {
        self.end.map_or(0, |end| end.index + 1)
    }
}

/// Reports the data on this disk, and the data that may be lost with the other nodes. Changes
/// nothing.
pub fn survey(engine: &Arc<dyn Engine>) -> Result<Survey, StartError> {
    let (cluster_id, me) = identity(engine)?;
    let state = state_at_end(engine)?;
    let held = host::held(engine, me)?;
    let mut copies = Vec::new();
    for (shard, place) in &state.placement {
        let here = match copy_here(&state, *shard, me, &held) {
            Some(_) => Some(Held::read(engine, GroupId::of(*shard))?.reach()),
            None => None,
        };
        let elsewhere: BTreeSet<NodeId> = place.replicas.iter().map(|(node, _)| *node).collect();
        let elsewhere = elsewhere.into_iter().filter(|node| *node != me).collect();
        copies.push(Copy { shard: *shard, here, elsewhere });
    }
    let others = state.nodes.iter().filter(|(node, _)| **node != me);
    let others = others.map(|(node, member)| (*node, member.addresses.cluster.clone())).collect();
    Ok(Survey { cluster_id, me, others, copies })
}

/// Makes the node the only one of a new cluster, atomically: all of it is one synced batch.
pub fn recover(engine: &Arc<dyn Engine>, cluster_id: [u8; 16], history: u64) -> Result<(), StartError> {
    let (_, me) = identity(engine)?;
    let state = state_at_end(engine)?;
    let held = host::held(engine, me)?;
    let here = state.placement.keys().filter_map(|shard| Some((*shard, copy_here(&state, *shard, me, &held)?)));
    let copies: BTreeMap<ShardId, ReplicaId> = here.collect();
    let then = state.recovered(cluster_id, history.max(1), me, &copies).map_err(StartError::Refused)?;

    let mut batch = Batch::default();
    for shard in state.placement.keys() {
        match copies.get(shard) {
            Some(replica) => alone(engine, &mut batch, *shard, *replica, me)?,
            None => empty(&mut batch, &state, *shard),
        }
    }
    put_meta(engine, &mut batch, &then, me)?;
    let identity = formation::identity_in(engine.get(Family::Node, node::IDENTITY)?, Some(cluster_id))?;
    batch.put(Family::Node, node::IDENTITY, identity.row);
    engine.write(batch, Durability::Synced)?;
    Ok(())
}

fn identity(engine: &Arc<dyn Engine>) -> Result<([u8; 16], NodeId), StartError> {
    let identity = formation::identity_in(engine.get(Family::Node, node::IDENTITY)?, None)?;
    Ok((identity.cluster_id, identity.me))
}

/// The replica that this node has of a shard: a voter, or one that was about to vote.
fn copy_here(state: &MetaState, shard: ShardId, me: NodeId, held: &BTreeMap<ShardId, ReplicaId>) -> Option<ReplicaId> {
    let place = state.placement.get(&shard)?;
    let voted = place.replicas.iter().find(|(node, _)| *node == me);
    let promoted = place.moving.as_ref().filter(|moving| moving.promoted).and_then(|moving| moving.add.as_ref());
    let replica = voted.or(promoted.filter(|(node, _)| *node == me)).map(|(_, replica)| *replica)?;
    (held.get(&shard) == Some(&replica)).then_some(replica)
}

/// Continues the log of a copy with its replica as the only member.
fn alone(
    engine: &Arc<dyn Engine>,
    batch: &mut Batch,
    shard: ShardId,
    replica: ReplicaId,
    me: NodeId,
) -> Result<(), StartError> {
    let group = GroupId::of(shard);
    let held = Held::read(engine, group)?;
    let (term, index) = (held.next_term(), held.next_index());
    if let Some(applied) = held.applied.filter(|_| held.log_is_behind) {
        let (from, to) = group_range(group.0);
        batch.ops.push(Op::DeleteRange(Family::RaftLog, from, to));
        batch.put(Family::RaftMeta, meta_key(group, What::Purged), codec::seal(&codec::log_id_out(&applied)));
    }
    let note =
        Proposal::new(restore_part::recovered_entry(shard)).map_err(|error| StartError::Refused(error.to_string()))?;
    let payloads = [Payload::Membership(only(replica.0, me)?), Payload::Normal(note)];
    for (index, payload) in (index..).zip(payloads) {
        let entry = Entry { log_id: LogId::new_term_index(term, index), payload };
        let key = RaftLogKey { group: group.0, index }.encode();
        batch.put(Family::RaftLog, key, codec::seal(&codec::entry_out(&entry)));
    }
    batch.put(Family::RaftMeta, meta_key(group, What::Vote), vote(term, replica.0));
    Ok(())
}

/// A shard without a copy begins empty; old rows must not count as its beginning.
fn empty(batch: &mut Batch, state: &MetaState, shard: ShardId) {
    let (from, to) = group_range(GroupId::of(shard).0);
    batch.ops.push(Op::DeleteRange(Family::RaftLog, from.clone(), to.clone()));
    batch.ops.push(Op::DeleteRange(Family::RaftMeta, from, to));
    let Some(map) = state.shards else { return };
    let (first, end) = map.slots(shard);
    let (from, to) = key::slot_range(first, end);
    for family in Family::OF_SLOTS {
        batch.ops.push(Op::DeleteRange(family, from.clone(), to.clone()));
    }
}

/// Writes the meta group's final state, with an empty log behind it.
fn put_meta(engine: &Arc<dyn Engine>, batch: &mut Batch, then: &MetaState, me: NodeId) -> Result<(), StartError> {
    let held = Held::read(engine, GroupId::META)?;
    let (term, index) = (held.next_term(), held.next_index());
    let end = LogId::new_term_index(term, index);
    let membership = StoredMembership::new(Some(end), only(me.0, me)?);
    let (from, to) = group_range(GroupId::META.0);
    batch.ops.push(Op::DeleteRange(Family::RaftLog, from, to));
    let (key, row) = meta::row(then);
    batch.put(Family::RaftMeta, key, row);
    let id = codec::seal(&codec::log_id_out(&end));
    batch.put(Family::RaftMeta, meta_key(held.group, What::Purged), id.clone());
    batch.put(Family::RaftMeta, meta_key(held.group, What::Committed), id);
    let applied = codec::seal(&codec::applied_out(Some(&end), &membership));
    batch.put(Family::RaftMeta, meta_key(held.group, What::Applied), applied);
    batch.put(Family::RaftMeta, meta_key(held.group, What::Vote), vote(term, me.0));
    Ok(())
}

/// The meta group's state after all entries of its log.
fn state_at_end(engine: &Arc<dyn Engine>) -> Result<MetaState, StartError> {
    let mut state = meta::load(engine)?;
    let held = Held::read(engine, GroupId::META)?;
    let mut next = held.applied.map_or(0, |applied| applied.index + 1);
    let (_, to) = group_range(GroupId::META.0);
    // A log that is behind the state has nothing to apply.
    let limit = if held.log_is_behind { 0 } else { PAGE };
    loop {
        let from = RaftLogKey { group: GroupId::META.0, index: next }.encode();
        let page = engine.scan(Family::RaftLog, (Bound::Included(from), Bound::Excluded(to.clone())), false, limit)?;
        if page.is_empty() {
            break;
        }
        let mut proposals: Vec<Bytes> = Vec::new();
        for (_, row) in &page {
            let entry = entry_in(GroupId::META, row)?;
            next = entry.log_id.index + 1;
            if let Payload::Normal(proposal) = entry.payload {
                proposals.push(proposal.bytes().clone());
            }
        }
        meta::replay(&mut state, &proposals)?;
    }
    if !state.is_born() {
        return Err(StartError::Refused(
            "this node has never been a member of a cluster: there is nothing to recover".into(),
        ));
    }
    Ok(state)
}

fn only(replica: u64, me: NodeId) -> Result<Membership, StartError> {
    let members = BTreeMap::from([(replica, RaftNode(me))]);
    Membership::new(vec![BTreeSet::from([replica])], members).map_err(|error| StartError::Refused(error.to_string()))
}

fn vote(term: u64, replica: u64) -> Vec<u8> {
    codec::seal(&codec::vote_out(&Vote::new_committed(term, replica)))
}

fn meta_key(group: GroupId, what: What) -> Vec<u8> {
    RaftMetaKey { group: group.0, what }.encode()
}

fn entry_in(group: GroupId, row: &[u8]) -> Result<Entry, EngineError> {
    let entry = codec::open::<wire::Entry>(row, "entry").and_then(codec::entry_in);
    entry.map_err(|error| EngineError::Fatal(format!("log of {group}: {error}")))
}
