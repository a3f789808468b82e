//! Follows the meta state on one node: keeps addresses, opens the replicas placed here, initializes
//! new groups, and destroys replicas that are no longer placed here.
//!
//! Invariant: replica ids are never reused. Before a replica is opened for the first time, its id
//! is written down and synced. The meta state that placed it is older on the same disk. So a
//! replica that this node holds and its meta state does not name has ended. It is deleted in one
//! batch before a successor may be opened.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use troupe_core::planted::Bug;
use troupe_core::{Machine, NodeId, ReplicaId, ShardId, ShardMap};
use troupe_proto::wire::raft as wire;
use troupe_runtime::net::BoxFuture;
use troupe_store::engine::{Batch, Durability, Engine, EngineError, Family, Op};
use troupe_store::key::raft::group_range;
use troupe_store::key::{RaftMetaKey, What};
use troupe_store::rows::search::BlockSize;

use crate::api::{Addresses, Founder, JoinRefusal, JoinRequest, MemberRegistry};
use crate::codec;
use crate::control::meta;
use crate::control::meta::plan::META_VOTERS;
use crate::control::meta::state::{Placement, removed_text};
use crate::control::meta::{Meta, MetaApplier, MetaCommand, MetaError, MetaState};
use crate::log::applier::{Applier, ShardApplier};
use crate::log::search_index::{self, SearchIndex};
use crate::replication::group::{Group, GroupContext, Groups};
use crate::replication::log_retention;
use crate::replication::proposer::{Proposer, Stamps};
use crate::timing::BEGIN_FALLBACK;
use crate::transport::link::Links;
use crate::transport::port::Port;
use crate::types::GroupId;

/// The proposers of the shards that have a replica here.
pub type Proposers = Arc<RwLock<BTreeMap<ShardId, Proposer>>>;

/// Opens the meta group's replica and, on a founder, initializes the group.
pub async fn open_meta(
    context: &GroupContext,
    groups: &Groups,
    me: NodeId,
    founders: Option<&[Founder]>,
    tasks: &mut JoinSet<()>,
) -> Result<watch::Receiver<Arc<MetaState>>, EngineError> {
    let (applier, state) = MetaApplier::new(context.supports, context.level.clone());
    let group = groups.open(context, GroupId::META, me.0, applier).await?;
    tasks.spawn(log_retention::run(context.clone(), group.clone()));
    if let Some(founders) = founders {
        let voters: BTreeMap<u64, NodeId> =
            founders.iter().map(|founder| (founder.id.0, founder.id)).take(META_VOTERS).collect();
        begin(group, voters, tasks);
    }
    Ok(state)
}

/// The first member initializes a group at once, so that it leads it. The others do so only after a
/// while. All use the same members, so it is harmless if several do.
fn begin(group: Group, members: BTreeMap<u64, NodeId>, tasks: &mut JoinSet<()>) {
    if !members.contains_key(&group.replica) {
        return;
    }
    let first = members.keys().next() == Some(&group.replica);
    tasks.spawn(async move {
        if !first {
            sleep(BEGIN_FALLBACK).await;
        }
        if matches!(group.raft.is_initialized().await, Ok(false)) {
            group.begin(&members).await;
        }
    });
}

fn held_key(shard: ShardId) -> Vec<u8> {
    RaftMetaKey { group: GroupId::of(shard).0, what: What::Replica }.encode()
}

fn held_row(me: NodeId, replica: ReplicaId) -> Vec<u8> {
    codec::seal(&wire::MetaReplica { node: me.0, replica: replica.0 })
}

/// The replica of each shard on this disk. Blocking; for a start, when nothing else waits.
///
/// Versions before moves wrote no such rows. Their placement never changed, so they held the
/// replicas of the last meta state that they applied here.
pub fn held(engine: &Arc<dyn Engine>, me: NodeId) -> Result<BTreeMap<ShardId, ReplicaId>, EngineError> {
    let state = meta::load(engine)?;
    let mut held = BTreeMap::new();
    let mut adopted = Batch::default();
    for (shard, place) in &state.placement {
        if let Some(row) = engine.get(Family::RaftMeta, &held_key(*shard))? {
            let row = codec::open::<wire::MetaReplica>(&row, "replica id");
            let row = row.map_err(|error| EngineError::Fatal(format!("replica of shard {shard}: {error}")))?;
            held.insert(*shard, ReplicaId(row.replica));
            continue;
        }
        let Some(replica) = place.replica(me).filter(|_| place.version == 0) else { continue };
        let (from, to) = group_range(GroupId::of(*shard).0);
        let range = (std::ops::Bound::Included(from), std::ops::Bound::Excluded(to));
        if !engine.scan(Family::RaftMeta, range, false, 1)?.is_empty() {
            adopted.put(Family::RaftMeta, held_key(*shard), held_row(me, replica));
            held.insert(*shard, replica);
        }
    }
    if !adopted.is_empty() {
        engine.write(adopted, Durability::Synced)?;
    }
    Ok(held)
}

/// Follows the meta state until it is dropped.
pub struct Host {
    pub context: GroupContext,
    pub groups: Groups,
    pub links: Links,
    pub port: Port,
    pub me: NodeId,
    /// On disk, open or not.
    pub held: BTreeMap<ShardId, ReplicaId>,
    pub proposers: Proposers,
    /// The open replicas.
    pub opened: watch::Sender<BTreeMap<ShardId, ReplicaId>>,
}

impl Host {
    pub async fn run(mut self, mut meta: watch::Receiver<Arc<MetaState>>) {
        let mut tasks = JoinSet::new();
        loop {
            let state = meta.borrow_and_update().clone();
            while tasks.try_join_next().is_some() {}
            if let Err(error) = self.follow(&state, &mut tasks).await {
                return self.context.fatal.set(error);
            }
            if meta.changed().await.is_err() {
                return;
            }
        }
    }

    async fn follow(&mut self, state: &MetaState, tasks: &mut JoinSet<()>) -> Result<(), EngineError> {
        let Some(map) = state.shards else { return Ok(()) };
        if state.removed.contains_key(&self.me) {
            self.context.fatal.set(removed_text(self.me));
            return Ok(());
        }
        let addresses = state.nodes.iter().map(|(id, node)| (*id, node.addresses.cluster.clone())).collect();
        self.port.set_addresses(addresses);
        self.port.set_removed(state.removed.keys().copied().collect());
        self.links.keep(state.nodes.keys().copied().collect());

        let over = |(shard, replica): &(&ShardId, &ReplicaId)| {
            state.replica(**shard, self.me) != Some(**replica) && state.has_handed_out(**replica)
        };
        let over: Vec<(ShardId, ReplicaId)> =
            self.held.iter().filter(over).map(|(shard, replica)| (*shard, *replica)).collect();
        for (shard, replica) in over {
            if self.context.platform.planted(Bug::GoneReplicaKept) {
                self.groups.retire(&self.context.platform, GroupId::of(shard)).await;
                continue;
            }
            self.destroy(map, shard, replica).await?;
        }
        let placed = state.placement.iter();
        let here: Vec<(ShardId, &Placement, ReplicaId)> =
            placed.filter_map(|(shard, place)| Some((*shard, place, place.replica(self.me)?))).collect();
        self.write_down(&here).await?;
        for (shard, place, replica) in here {
            // A successor waits until the replica here is known to have ended.
            if self.held.get(&shard) == Some(&replica) && self.groups.get(GroupId::of(shard)).is_none() {
                self.open(map, shard, place, replica, tasks).await?;
            }
        }
        // Also when nothing was opened: a start that waits for a replica sees that it is no longer
        // placed here.
        self.opened.send_modify(|_| ());
        Ok(())
    }

    /// Written before any of them is opened, so that an empty log is never taken for a lost one.
    async fn write_down(&mut self, here: &[(ShardId, &Placement, ReplicaId)]) -> Result<(), EngineError> {
        let new: Vec<(ShardId, ReplicaId)> = here
            .iter()
            .filter(|(shard, _, _)| !self.held.contains_key(shard))
            .map(|(shard, _, replica)| (*shard, *replica))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        let row = |(shard, replica): &(ShardId, ReplicaId)| {
            Op::Put(Family::RaftMeta, held_key(*shard), held_row(self.me, *replica))
        };
        let written = self.context.flusher.write(new.iter().map(row).collect()).await;
        written.map_err(|error| EngineError::Fatal(error.to_string()))?;
        self.held.extend(new);
        Ok(())
    }

    async fn open(
        &mut self,
        map: ShardMap,
        shard: ShardId,
        place: &Placement,
        replica: ReplicaId,
        tasks: &mut JoinSet<()>,
    ) -> Result<(), EngineError> {
        let applier = Arc::new(self.applier(map, shard));
        let search = applier.search.clone();
        let group = self.groups.open(&self.context, GroupId::of(shard), replica.0, applier).await?;
        let GroupContext { platform, engine, .. } = &self.context;
        tasks.spawn(log_retention::run(self.context.clone(), group.clone()));
        if let Some(search) = search {
            tasks.spawn(search_index::run(self.context.clone(), group.clone(), search, map));
        }
        let stamps = Stamps { clocks: self.links.clocks().clone(), level: self.context.level.clone() };
        let company = self.context.company.clone();
        let proposer = Proposer::start(platform.clone(), engine.clone(), group.clone(), stamps, company, tasks);
        self.proposers.write().insert(shard, proposer);
        // Only at the shard's original placement: the members of a moved shard come from its log.
        if place.version == 0 {
            begin(group, place.replicas.iter().map(|(node, replica)| (replica.0, *node)).collect(), tasks);
        }
        self.opened.send_modify(|open| {
            open.insert(shard, replica);
        });
        Ok(())
    }

    /// Deletes everything of a replica that the meta group has moved away, in one batch: log,
    /// votes, state, and last its id.
    async fn destroy(&mut self, map: ShardMap, shard: ShardId, replica: ReplicaId) -> Result<(), EngineError> {
        let id = GroupId::of(shard);
        self.proposers.write().remove(&shard);
        self.groups.retire(&self.context.platform, id).await;
        let (from, to) = group_range(id.0);
        let mut ops = vec![
            Op::DeleteRange(Family::RaftLog, from.clone(), to.clone()),
            Op::DeleteRange(Family::RaftMeta, from, to),
        ];
        let applier = self.applier(map, shard);
        let state = applier.ranges().into_iter().chain(applier.derived());
        ops.extend(state.map(|(family, from, to)| Op::DeleteRange(family, from, to)));
        // Through the flusher, behind the replica's queued writes.
        let written = self.context.flusher.write(ops).await;
        written.map_err(|error| EngineError::Fatal(error.to_string()))?;
        self.held.remove(&shard);
        self.opened.send_modify(|open| {
            open.remove(&shard);
        });
        tracing::info!(%shard, %replica, "deleted a replica that has moved to another node");
        Ok(())
    }

    fn applier(&self, map: ShardMap, shard: ShardId) -> ShardApplier {
        let GroupContext { platform, supports, limits, .. } = &self.context;
        ShardApplier {
            shard,
            map,
            machine: Machine { planted: platform.planted },
            supports: *supports,
            numberings: Default::default(),
            search: BlockSize::new(limits.search_block).map(SearchIndex::new).map(Arc::new),
        }
    }
}

/// Admits newcomers through the meta group, on whichever node its leader is.
pub struct MetaRegistry {
    pub cluster_id: [u8; 16],
    pub meta: Meta,
    pub state: watch::Receiver<Arc<MetaState>>,
}

impl MemberRegistry for MetaRegistry {
    fn cluster_id(&self) -> [u8; 16] {
        self.cluster_id
    }

    fn admit(&self, who: JoinRequest) -> BoxFuture<'_, Result<NodeId, JoinRefusal>> {
        Box::pin(async move {
            let addresses = Addresses { cluster: who.address, client: who.client_address, http: who.http_address };
            let JoinRequest { request, levels, .. } = who;
            self.meta.propose(&MetaCommand::AddNode { request, addresses, levels }).await.map_err(|error| match error {
                MetaError::Unavailable | MetaError::UpgradePending { .. } => JoinRefusal::Unavailable,
                MetaError::Refused(_) if self.state.borrow().was_removed(&request) => JoinRefusal::Removed,
                MetaError::Refused(why) => JoinRefusal::Refused(why),
            })
        })
    }

    fn addresses(&self) -> Vec<(NodeId, String)> {
        let state = self.state.borrow();
        state.nodes.iter().map(|(id, node)| (*id, node.addresses.cluster.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use troupe_store::memory::Memory;

    use super::*;
    use crate::api::LoginPolicy;

    /// Two shards on nodes 1, 2 and 3, as node 1 has applied the meta state.
    fn disk(version: u64) -> Arc<dyn Engine> {
        let mut state = MetaState::default();
        let found = MetaCommand::Found {
            cluster_id: [7; 16],
            shards: 2,
            replication: 3,
            login_policy: LoginPolicy::Replace,
            settings: crate::api::Settings::default(),
            in_force: crate::level::InForce::at(troupe_core::Level::NEWEST),
            nodes: (1..=3).map(|n| (NodeId(n), Addresses::default())).collect(),
        };
        state.apply(found).unwrap();
        for place in state.placement.values_mut() {
            place.version = version;
        }
        let mut batch = Batch::default();
        let key = RaftMetaKey { group: GroupId::META.0, what: What::State }.encode();
        batch.put(Family::RaftMeta, key, codec::seal(&wire::MetaState::from(&state)));
        // Shard 0 has voted here; shard 1 was never opened.
        let vote = RaftMetaKey { group: GroupId::of(ShardId(0)).0, what: What::Vote }.encode();
        batch.put(Family::RaftMeta, vote, codec::seal(&wire::Vote { term: 3, voted_for: 1, committed: true }));
        let engine: Arc<dyn Engine> = Arc::new(Memory::new());
        engine.write(batch, Durability::Synced).unwrap();
        engine
    }

    #[test]
    fn what_an_earlier_version_held_is_adopted_under_its_birth_id() {
        let engine = disk(0);
        let born = held(&engine, NodeId(1)).unwrap();
        assert_eq!(born, BTreeMap::from([(ShardId(0), ReplicaId(1))]), "what was never opened is not held");
        assert_eq!(held(&engine, NodeId(1)).unwrap(), born);
        let row = engine.get(Family::RaftMeta, &held_key(ShardId(0))).unwrap();
        assert_eq!(row, Some(held_row(NodeId(1), ReplicaId(1))), "written down");
    }

    #[test]
    fn nothing_is_adopted_of_a_shard_that_has_moved() {
        assert_eq!(held(&disk(1), NodeId(1)).unwrap(), BTreeMap::new());
        assert_eq!(held(&disk(0), NodeId(4)).unwrap(), BTreeMap::new());
    }
}
