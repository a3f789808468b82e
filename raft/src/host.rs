//! What a node does because the meta group says so: keeps the addresses, opens the replicas that are placed here, lets new groups begin.
//! And what the meta group's leader does for all: founds the cluster, and takes newcomers in as learners.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};
use troupe_core::{Machine, NodeId, ShardId};
use troupe_runtime::net::BoxFuture;
use troupe_store::engine::EngineError;

use crate::applier::ShardApplier;
use crate::cluster::ClusterConfig;
use crate::formation::{Directory, Founder, JoinRefusal, JoinRequest};
use crate::group::{Ground, Group, Groups};
use crate::link::Links;
use crate::meta::{Addresses, Meta, MetaApplier, MetaCommand, MetaError, MetaState};
use crate::port::Port;
use crate::routing::led_epoch;
use crate::timing::{BEGIN_FALLBACK, STEWARD_EVERY};
use crate::types::{GroupId, Home};

/// Voters of the meta group: five survive two losses, and more would only slow it down.
const META_VOTERS: usize = 5;

/// Opens the meta group's replica and, on a founder, lets the group begin.
pub async fn open_meta(
    ground: &Ground,
    groups: &Groups,
    me: NodeId,
    founders: Option<&[Founder]>,
    tasks: &mut JoinSet<()>,
) -> Result<watch::Receiver<Arc<MetaState>>, EngineError> {
    let (applier, state) = MetaApplier::new();
    let group = groups.open(ground, GroupId::META, me.0, applier).await?;
    if let Some(founders) = founders {
        let voters: BTreeMap<u64, NodeId> =
            founders.iter().map(|founder| (founder.id.0, founder.id)).take(META_VOTERS).collect();
        begin(group, voters, tasks);
    }
    Ok(state)
}

/// The first member lets a group begin at once, so that it leads it; the others only if that has not happened.
/// All would begin it alike, which makes it harmless that several do.
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

/// Follows the meta state until it is dropped.
pub struct Host {
    pub ground: Ground,
    pub groups: Groups,
    pub links: Links,
    pub port: Port,
    pub me: NodeId,
    pub opened: watch::Sender<Vec<Group>>,
}

impl Host {
    pub async fn run(self, mut meta: watch::Receiver<Arc<MetaState>>) {
        let mut tasks = JoinSet::new();
        loop {
            let state = meta.borrow_and_update().clone();
            if let Err(error) = self.follow(&state, &mut tasks).await {
                return self.ground.fatal.set(error);
            }
            if meta.changed().await.is_err() {
                return;
            }
        }
    }

    async fn follow(&self, state: &MetaState, tasks: &mut JoinSet<()>) -> Result<(), EngineError> {
        let Some(map) = state.shards else { return Ok(()) };
        self.port.set_addresses(state.nodes.iter().map(|(id, node)| (*id, node.cluster.clone())).collect());
        self.links.connect(state.nodes.keys().copied());
        let mut opened = Vec::new();
        for (shard, replicas) in &state.placement {
            let Some(replica) = state.replica(*shard, self.me) else { continue };
            let id = GroupId::of(*shard);
            let group = match self.groups.get(id) {
                Some(group) => group,
                None => {
                    let machine = Machine { plant: self.ground.ctx.plant };
                    let applier = Arc::new(ShardApplier { shard: *shard, map, machine });
                    let group = self.groups.open(&self.ground, id, replica.0, applier).await?;
                    begin(group.clone(), replicas.iter().map(|(node, replica)| (replica.0, *node)).collect(), tasks);
                    group
                }
            };
            opened.push(group);
        }
        self.opened.send_replace(opened);
        Ok(())
    }
}

/// Does what the meta group needs somebody to do.
pub struct Steward {
    pub groups: Groups,
    pub meta: Meta,
    pub me: NodeId,
    pub addresses: Addresses,
    pub cluster_id: [u8; 16],
    pub founders: Option<Vec<Founder>>,
    pub config: ClusterConfig,
}

impl Steward {
    pub async fn run(self, mut state: watch::Receiver<Arc<MetaState>>) {
        let mut news = self.groups.news();
        let mut tick = interval(STEWARD_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let now = state.borrow_and_update().clone();
            self.serve(&now).await;
            tokio::select! {
                changed = state.changed() => if changed.is_err() { return },
                changed = news.changed() => if changed.is_err() { return },
                _ = tick.tick() => {}
            }
        }
    }

    async fn serve(&self, state: &MetaState) {
        let Some(group) = self.groups.get(GroupId::META) else { return };
        if state.nodes.get(&self.me).is_some_and(|known| *known != self.addresses) {
            self.propose(MetaCommand::UpdateNode(self.me, self.addresses.clone())).await;
        }
        let metrics = group.metrics();
        if led_epoch(&metrics).is_none() {
            return;
        }
        if !state.is_born() {
            return self.found().await;
        }
        let known = metrics.membership_config;
        for node in state.nodes.keys().filter(|node| known.get_node(&node.0).is_none()) {
            match group.raft.add_learner(node.0, Home(*node), false).await {
                Ok(_) => tracing::info!(%node, "takes part in the meta group from now on"),
                Err(error) => tracing::debug!(%node, %error, "cannot join the meta group yet"),
            }
        }
    }

    async fn found(&self) {
        let Some(founders) = &self.founders else { return };
        let nodes = founders.iter().map(|founder| {
            let addresses = Addresses {
                cluster: founder.address.clone(),
                client: founder.client_address.clone(),
                http: founder.http_address.clone(),
            };
            (founder.id, addresses)
        });
        self.propose(MetaCommand::Found {
            cluster_id: self.cluster_id,
            shards: self.config.shards,
            replication: u32::try_from(self.config.replication).unwrap_or(u32::MAX),
            login_policy: self.config.login_policy,
            nodes: nodes.collect(),
        })
        .await;
    }

    async fn propose(&self, command: MetaCommand) {
        if let Err(error) = self.meta.propose(&command).await {
            tracing::debug!(%error, "the meta group did not take a command, trying again");
        }
    }
}

/// Admits newcomers, wherever the meta group's leader is.
pub struct Register {
    pub cluster_id: [u8; 16],
    pub meta: Meta,
    pub state: watch::Receiver<Arc<MetaState>>,
}

impl Directory for Register {
    fn cluster_id(&self) -> [u8; 16] {
        self.cluster_id
    }

    fn admit(&self, who: JoinRequest) -> BoxFuture<'_, Result<NodeId, JoinRefusal>> {
        Box::pin(async move {
            let addresses = Addresses { cluster: who.address, client: who.client_address, http: who.http_address };
            let command = MetaCommand::AddNode { request: who.request, addresses };
            self.meta.propose(&command).await.map_err(|error| match error {
                MetaError::Unavailable => JoinRefusal::Unavailable,
                MetaError::Refused(why) => JoinRefusal::Refused(why),
            })
        })
    }

    fn addresses(&self) -> Vec<(NodeId, String)> {
        let state = self.state.borrow();
        state.nodes.iter().map(|(id, node)| (*id, node.cluster.clone())).collect()
    }
}

/// Shards of these groups, for who keeps something per shard.
pub fn shards(groups: &[Group]) -> impl Iterator<Item = (ShardId, &Group)> {
    groups.iter().filter_map(|group| Some((group.id.shard()?, group)))
}
