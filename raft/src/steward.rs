//! What the meta group's leader does for all: founds the cluster, takes newcomers in, keeps the
//! group's votes where nodes stay, begins and calls off moves, gives up on nodes that are gone for
//! too long, lets emptied nodes go, and raises the feature level.
//!
//! What is right to do is decided elsewhere and purely ([`crate::meta::plan`]); this knows who can
//! be reached, and for how long not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use openraft::ChangeMembers;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use troupe_core::{Level, NodeId};

use crate::cluster::ClusterConfig;
use crate::formation::Founder;
use crate::group::{Group, Groups};
use crate::level::{self, InForce};
use crate::link::Links;
use crate::meta::plan::{self, Sight};
use crate::meta::{Addresses, Meta, MetaCommand, MetaState, NodeState, Settings};
use crate::mover::Seen;
use crate::timing::{MEMBERS_TIMEOUT, MOVE_PATIENCE, STEWARD_EVERY};
use crate::types::{GroupId, Home};

pub struct Steward {
    pub groups: Groups,
    pub links: Links,
    pub meta: Meta,
    pub me: NodeId,
    pub addresses: Addresses,
    pub cluster_id: [u8; 16],
    pub founders: Option<Vec<Founder>>,
    /// That all founders support.
    pub birth_level: Level,
    pub config: ClusterConfig,
    /// Since when nodes cannot be reached, as long as this node leads the meta group.
    pub away: BTreeMap<NodeId, Instant>,
    /// A level that all members support, and since when, as long as this node leads the meta group.
    pub ripe: Option<(Level, Instant)>,
    /// Set when this node has all replicas that it is to have for the first time since it started.
    pub arrived: Arc<AtomicBool>,
}

impl Steward {
    pub async fn run(mut self, mut state: watch::Receiver<Arc<MetaState>>) {
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

    async fn serve(&mut self, state: &MetaState) {
        let Some(group) = self.groups.get(GroupId::META) else { return };
        if state.nodes.get(&self.me).is_some_and(|known| known.addresses != self.addresses) {
            self.propose(MetaCommand::UpdateNode(self.me, self.addresses.clone())).await;
        }
        if !self.arrived.load(Ordering::Relaxed) && state.nodes.contains_key(&self.me) {
            let reachable = self.reachable(state);
            self.arrived.store(plan::incoming(state, &reachable, self.me) == 0, Ordering::Relaxed);
        }
        let Some(seen) = Seen::of(&group.metrics()) else {
            self.away.clear();
            self.ripe = None;
            return;
        };
        if !state.is_born() {
            return self.found().await;
        }
        self.ripen(state).await;
        let sight = self.look(state);
        self.members(&group, &seen, state).await;
        self.mourn(state, &sight).await;
        for command in plan::called_off(state, &sight) {
            self.propose(command).await;
        }
        for planned in plan::next(state, &sight) {
            let plan::Planned { shard, add, remove, .. } = &planned;
            tracing::info!(%shard, ?add, ?remove, "a replica is to move");
            self.propose(planned.command()).await;
        }
        for node in emptied(state, &seen) {
            tracing::info!(%node, "nothing is left on it: it is out of the cluster");
            self.propose(MetaCommand::RemoveNode(node)).await;
        }
    }

    /// Raises the feature level when every member has been heard to support a higher one for long
    /// enough. A member that is silent, or comes back with an earlier version, begins the time
    /// again.
    async fn ripen(&mut self, state: &MetaState) {
        let mut said = self.links.supports();
        said.insert(self.me, self.config.supports.clone());
        let Some(next) = level::outlook(state, &said).ready() else {
            self.ripe = None;
            return;
        };
        let since = match self.ripe {
            Some((level, since)) if level == next => since,
            _ => Instant::now(),
        };
        self.ripe = Some((next, since));
        if !self.config.auto_finalize.is_zero() && since.elapsed() >= self.config.auto_finalize {
            tracing::info!(level = %next, "all members support it: the cluster's feature level rises");
            self.propose(level::raise(state, next)).await;
        }
    }

    fn look(&mut self, state: &MetaState) -> Sight {
        let reachable = self.reachable(state);
        self.away.retain(|node, _| state.nodes.contains_key(node) && !reachable.contains(node));
        for node in state.nodes.keys().filter(|node| !reachable.contains(node)) {
            self.away.entry(*node).or_insert_with(Instant::now);
        }
        Sight { reachable, gone: self.gone_for(MOVE_PATIENCE) }
    }

    fn reachable(&self, state: &MetaState) -> BTreeSet<NodeId> {
        state.nodes.keys().copied().filter(|node| self.links.reachable(*node)).collect()
    }

    fn gone_for(&self, long: Duration) -> BTreeSet<NodeId> {
        self.away.iter().filter(|(_, since)| since.elapsed() >= long).map(|(node, _)| *node).collect()
    }

    /// Every node learns what the meta group agrees on, and those vote that stay.
    async fn members(&self, group: &Group, seen: &Seen, state: &MetaState) {
        if !seen.agreed {
            return;
        }
        if seen.voters.len() > 1 {
            // Left by a leader before: an empty change ends it.
            return change(group, ChangeMembers::AddVoterIds(BTreeSet::new())).await;
        }
        for node in state.nodes.keys().filter(|node| !seen.members.contains(&node.0)) {
            match timeout(MEMBERS_TIMEOUT, group.raft.add_learner(node.0, Home(*node), false)).await {
                Ok(Ok(_)) => tracing::info!(%node, "takes part in the meta group from now on"),
                Ok(Err(error)) => tracing::debug!(%node, %error, "cannot join the meta group yet"),
                Err(_) => tracing::debug!(%node, "cannot join the meta group in time"),
            }
        }
        let nodes = |replicas: &BTreeSet<u64>| replicas.iter().copied().map(NodeId).collect::<BTreeSet<NodeId>>();
        let (voters, close) = (nodes(&seen.voters[0]), nodes(&seen.close));
        let there = close.into_iter().filter(|node| self.links.reachable(*node)).collect();
        if let Some(then) = plan::meta_voters(state, &voters, &there) {
            if !then.contains(&self.me) {
                // Another one sees it through: a leader that is out would leave the group waiting
                // for an election.
                let heir = then.iter().find(|node| voters.contains(node) && there.contains(node));
                if let Some(heir) = heir {
                    drop(group.raft.trigger().transfer_leader(heir.0).await);
                    return;
                }
            }
            tracing::info!(?then, "other nodes vote in the meta group");
            change(group, ChangeMembers::ReplaceAllVoters(then.iter().map(|node| node.0).collect())).await;
            return;
        }
        // Who is out still hears that it is: only then the group forgets it.
        let heard = |node: NodeId| seen.close.contains(&node.0) || !self.links.reachable(node);
        let out = seen.members.iter().filter(|member| !seen.voters[0].contains(member));
        let out: BTreeSet<u64> = out
            .copied()
            .filter(|member| state.removed.contains_key(&NodeId(*member)) && heard(NodeId(*member)))
            .collect();
        if !out.is_empty() {
            change(group, ChangeMembers::RemoveNodes(out)).await;
        }
    }

    /// A node that is gone for too long is given up, if the others have room for what it held; one
    /// that comes back in time keeps its place.
    async fn mourn(&self, state: &MetaState, sight: &Sight) {
        for (node, member) in &state.nodes {
            if member.state == NodeState::Lost && sight.reachable.contains(node) {
                tracing::info!(%node, "it is back and keeps its place");
                self.set(*node, NodeState::Active).await;
            }
        }
        for node in self.gone_for(self.config.replace_after).into_iter().filter(|node| state.is_active(*node)) {
            let mut then = state.clone();
            let lost = MetaCommand::SetNode { node, state: NodeState::Lost, replication: None };
            if then.apply(lost).is_ok() && plan::forecast(&then, sight).1.shards_on(node) == 0 {
                tracing::warn!(%node, "it cannot be reached for too long: others take over what it holds");
                // One at a time: what the others have room for is different after it.
                return self.set(node, NodeState::Lost).await;
            }
        }
    }

    async fn set(&self, node: NodeId, state: NodeState) {
        self.propose(MetaCommand::SetNode { node, state, replication: None }).await;
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
            settings: self.settings_at_birth(),
            in_force: InForce::at(self.birth_level),
            nodes: nodes.collect(),
        })
        .await;
    }

    fn settings_at_birth(&self) -> Settings {
        if self.birth_level >= Level::SECOND {
            return self.config.settings.clone();
        }
        tracing::warn!(
            "a founder has an earlier version: the cluster begins without administrators, and no session ends"
        );
        Settings::default()
    }

    async fn propose(&self, command: MetaCommand) {
        if let Err(error) = self.meta.propose(&command).await {
            tracing::debug!(%error, ?command, "the meta group did not take a command, looking again");
        }
    }
}

/// Nodes that are to leave and on which nothing is left: no replica, no vote.
fn emptied(state: &MetaState, seen: &Seen) -> Vec<NodeId> {
    let leaves = |state| matches!(state, NodeState::Leaving { .. } | NodeState::Lost);
    let nodes = state.nodes.iter().filter(|(_, member)| leaves(member.state)).map(|(node, _)| *node);
    nodes
        .filter(|node| state.shards_on(*node) == 0 && !seen.voters.iter().any(|voters| voters.contains(&node.0)))
        .collect()
}

async fn change(group: &Group, members: ChangeMembers<u64, Home>) {
    match timeout(MEMBERS_TIMEOUT, group.raft.change_membership(members, true)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::debug!(%error, "the members of the meta group did not change, looking again"),
        Err(_) => tracing::debug!("the members of the meta group did not change in time, looking again"),
    }
}
