//! The duties of the meta group's leader: it creates the cluster, admits newcomers, keeps the
//! group's votes on nodes that stay, begins and cancels moves, replaces lost nodes, removes emptied
//! ones, and raises the feature level.
//!
//! [`crate::control::meta::plan`] makes the decisions and is pure. This module knows which nodes
//! are reachable, and for how long others have not been.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use openraft::ChangeMembers;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use troupe_core::{Level, NodeId};

use crate::api::{Addresses, ClusterConfig, Founder, NodeState, Settings};
use crate::control::meta::plan::{self, ClusterView};
use crate::control::meta::{Meta, MetaCommand, MetaState};
use crate::control::mover::Seen;
use crate::control::upgrade;
use crate::level::InForce;
use crate::replication::group::{Group, Groups};
use crate::timing::{MEMBERS_TIMEOUT, META_CONTROL_EVERY, MOVE_PATIENCE};
use crate::transport::link::Links;
use crate::types::{GroupId, RaftNode};

pub struct MetaController {
    pub groups: Groups,
    pub links: Links,
    pub meta: Meta,
    pub me: NodeId,
    pub addresses: Addresses,
    pub cluster_id: [u8; 16],
    pub founders: Option<Vec<Founder>>,
    /// The feature level that all founders support.
    pub birth_level: Level,
    pub config: ClusterConfig,
    /// The time since which nodes are unreachable, while this node leads the meta group.
    pub away: BTreeMap<NodeId, Instant>,
    /// A level that all members support, and since when, while this node leads the meta group.
    pub ripe: Option<(Level, Instant)>,
    /// Set when this node has all of its replicas for the first time since its start.
    pub arrived: Arc<AtomicBool>,
}

impl MetaController {
    pub async fn run(mut self, mut state: watch::Receiver<Arc<MetaState>>) {
        let mut news = self.groups.news();
        let mut tick = interval(META_CONTROL_EVERY);
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
        let view = self.look(state);
        self.members(&group, &seen, state).await;
        self.replace_lost(state, &view).await;
        for command in plan::called_off(state, &view) {
            self.propose(command).await;
        }
        for planned in plan::next(state, &view) {
            let plan::Planned { shard, add, remove, .. } = &planned;
            tracing::info!(%shard, ?add, ?remove, "moves a replica");
            self.propose(planned.command()).await;
        }
        for node in emptied(state, &seen) {
            tracing::info!(%node, "the node is empty: removed it from the cluster");
            self.propose(MetaCommand::RemoveNode(node)).await;
        }
    }

    /// Raises the feature level when every member has supported a higher one for long enough. A
    /// silent member, or one that returns with an earlier version, restarts the time.
    async fn ripen(&mut self, state: &MetaState) {
        let mut said = self.links.supports();
        said.insert(self.me, self.config.supports.clone());
        let Some(next) = upgrade::outlook(state, &said).ready() else {
            self.ripe = None;
            return;
        };
        let since = match self.ripe {
            Some((level, since)) if level == next => since,
            _ => Instant::now(),
        };
        self.ripe = Some((next, since));
        if !self.config.auto_finalize.is_zero() && since.elapsed() >= self.config.auto_finalize {
            tracing::info!(level = %next, "all members support it: raises the cluster's feature level");
            self.propose(upgrade::raise(state, next)).await;
        }
    }

    fn look(&mut self, state: &MetaState) -> ClusterView {
        let reachable = self.reachable(state);
        self.away.retain(|node, _| state.nodes.contains_key(node) && !reachable.contains(node));
        for node in state.nodes.keys().filter(|node| !reachable.contains(node)) {
            self.away.entry(*node).or_insert_with(Instant::now);
        }
        ClusterView { reachable, lost: self.lost_for(MOVE_PATIENCE) }
    }

    fn reachable(&self, state: &MetaState) -> BTreeSet<NodeId> {
        state.nodes.keys().copied().filter(|node| self.links.reachable(*node)).collect()
    }

    fn lost_for(&self, long: Duration) -> BTreeSet<NodeId> {
        self.away.iter().filter(|(_, since)| since.elapsed() >= long).map(|(node, _)| *node).collect()
    }

    /// Every node replicates the meta group, and nodes that stay vote in it.
    async fn members(&self, group: &Group, seen: &Seen, state: &MetaState) {
        if !seen.agreed {
            return;
        }
        if seen.voters.len() > 1 {
            // A previous leader left a change unfinished; an empty change completes it.
            return change(group, ChangeMembers::AddVoterIds(BTreeSet::new())).await;
        }
        for node in state.nodes.keys().filter(|node| !seen.members.contains(&node.0)) {
            match timeout(MEMBERS_TIMEOUT, group.raft.add_learner(node.0, RaftNode(*node), false)).await {
                Ok(Ok(_)) => tracing::info!(%node, "joins the meta group"),
                Ok(Err(error)) => tracing::debug!(%node, %error, "cannot join the meta group yet"),
                Err(_) => tracing::debug!(%node, "cannot join the meta group in time"),
            }
        }
        let nodes = |replicas: &BTreeSet<u64>| replicas.iter().copied().map(NodeId).collect::<BTreeSet<NodeId>>();
        let (voters, close) = (nodes(&seen.voters[0]), nodes(&seen.close));
        let there = close.into_iter().filter(|node| self.links.reachable(*node)).collect();
        if let Some(then) = plan::meta_voters(state, &voters, &there) {
            if !then.contains(&self.me) {
                // Another node completes it: a leader that leaves would make the group wait for an
                // election.
                let successor = then.iter().find(|node| voters.contains(node) && there.contains(node));
                if let Some(successor) = successor {
                    drop(group.raft.trigger().transfer_leader(successor.0).await);
                    return;
                }
            }
            tracing::info!(?then, "the voters of the meta group change");
            change(group, ChangeMembers::ReplaceAllVoters(then.iter().map(|node| node.0).collect())).await;
            return;
        }
        // A removed node learns of it first; only then the group forgets it.
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

    /// Replaces a node that is unreachable for too long, if the others have space for its replicas.
    /// A node that returns in time keeps its replicas.
    async fn replace_lost(&self, state: &MetaState, view: &ClusterView) {
        for (node, member) in &state.nodes {
            if member.state == NodeState::Lost && view.reachable.contains(node) {
                tracing::info!(%node, "it has returned and keeps its replicas");
                self.set(*node, NodeState::Active).await;
            }
        }
        for node in self.lost_for(self.config.replace_after).into_iter().filter(|node| state.is_active(*node)) {
            let mut then = state.clone();
            let lost = MetaCommand::SetNode { node, state: NodeState::Lost, replication: None };
            if then.apply(lost).is_ok() && plan::forecast(&then, view).1.shards_on(node) == 0 {
                tracing::warn!(%node, "unreachable for too long: other nodes take over its replicas");
                // One at a time, because each replacement changes the free space of the others.
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
            tracing::debug!(%error, ?command, "the meta group did not commit a command, retrying");
        }
    }
}

/// Leaving nodes without a replica and without a vote.
fn emptied(state: &MetaState, seen: &Seen) -> Vec<NodeId> {
    let leaves = |state| matches!(state, NodeState::Leaving { .. } | NodeState::Lost);
    let nodes = state.nodes.iter().filter(|(_, member)| leaves(member.state)).map(|(node, _)| *node);
    nodes
        .filter(|node| state.shards_on(*node) == 0 && !seen.voters.iter().any(|voters| voters.contains(&node.0)))
        .collect()
}

async fn change(group: &Group, members: ChangeMembers<u64, RaftNode>) {
    match timeout(MEMBERS_TIMEOUT, group.raft.change_membership(members, true)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::debug!(%error, "the members of the meta group did not change, retrying"),
        Err(_) => tracing::debug!("the members of the meta group did not change in time, retrying"),
    }
}
