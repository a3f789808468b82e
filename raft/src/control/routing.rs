//! Maintains the routing table: placement from the meta group, leaders from the local replicas and,
//! for shards without one, from the announcements of peers.

use std::collections::BTreeMap;
use std::sync::Arc;

use openraft::ServerState;
use tokio::sync::watch;
use tokio::time::Instant;
use troupe_core::{Epoch, NodeId, ShardId};
use troupe_proto::wire::raft as wire;
use troupe_runtime::Beat;

use crate::api::{NodeInfo, Routing, ShardMove, ShardPlace};
use crate::control::meta::state::Placement;
use crate::control::meta::{Member, MetaState};
use crate::control::readiness::Confirmations;
use crate::replication::group::{Group, Groups};
use crate::timing::ROUTING_EVERY;
use crate::transport::leads::{self, Lead};
use crate::transport::link::Links;
use crate::types::{GroupId, led_epoch};

/// The shards that this node leads.
pub fn led(groups: &Groups) -> BTreeMap<ShardId, Epoch> {
    let led = |group: Group| Some((group.id.shard()?, led_epoch(&group.metrics())?));
    groups.all().into_iter().filter_map(led).collect()
}

/// The leaderships of this node in all groups, for its pongs.
pub fn leaderships(groups: &Groups) -> Vec<wire::Leadership> {
    let now = Instant::now();
    let leads = groups.all().into_iter().filter_map(|group| Some((group.id, Lead::of(&group.metrics(), now)?)));
    leads.map(|(group, lead)| leads::out(group, &lead, now)).collect()
}

/// The tables that this task maintains.
pub struct Tables {
    pub routing: watch::Sender<Arc<Routing>>,
    pub led: watch::Sender<Arc<BTreeMap<ShardId, Epoch>>>,
    pub confirmations: Confirmations,
}

/// Keeps the tables up to date until it is dropped.
pub async fn run(
    me: NodeId,
    beat: Beat,
    groups: Groups,
    links: Links,
    mut meta: watch::Receiver<Arc<MetaState>>,
    tables: Tables,
) {
    let mut tick = beat.interval(ROUTING_EVERY);
    let mut news = groups.news();
    loop {
        let state = meta.borrow_and_update().clone();
        show(&tables.routing, table(me, &state, &groups, &links));
        show(&tables.led, led(&groups));
        tables.confirmations.note(me, &state, &groups, &links);
        tokio::select! {
            changed = meta.changed() => if changed.is_err() { return },
            changed = news.changed() => if changed.is_err() { return },
            _ = tick.tick() => {}
        }
    }
}

fn show<T: PartialEq>(watch: &watch::Sender<Arc<T>>, now: T) {
    watch.send_if_modified(|shown| {
        let news = **shown != now;
        if news {
            *shown = Arc::new(now);
        }
        news
    });
}

pub fn table(me: NodeId, state: &MetaState, groups: &Groups, links: &Links) -> Routing {
    let node = |(id, member): (&NodeId, &Member)| {
        let addresses = &member.addresses;
        let info = NodeInfo {
            id: *id,
            cluster_address: addresses.cluster.clone(),
            client_address: addresses.client.clone(),
            http_address: addresses.http.clone(),
            reachable: links.reachable(*id),
            state: member.state,
        };
        (*id, info)
    };
    let place = |(shard, place): (&ShardId, &Placement)| {
        let nodes: Vec<NodeId> = place.replicas.iter().map(|(node, _)| *node).collect();
        let (leader, epoch) = leader(*shard, place, groups, links).unwrap_or((None, Epoch(0)));
        let moving = place.moving.as_ref().map(|moving| ShardMove {
            add: moving.add.map(|(node, _)| node),
            remove: moving.remove.map(|(node, _)| node),
            promoted: moving.promoted,
        });
        (*shard, ShardPlace { nodes, leader, epoch, version: place.version, moving })
    };
    Routing {
        cluster_id: state.cluster_id,
        me,
        shards: state.shards,
        login_policy: state.login_policy,
        history: state.history,
        continues: state.continues.clone(),
        settings: state.settings.clone(),
        level: state.in_force.level,
        nodes: state.nodes.iter().map(node).collect(),
        placement: state.placement.iter().map(place).collect(),
    }
}

/// The presumed leader and its term.
fn leader(shard: ShardId, place: &Placement, groups: &Groups, links: &Links) -> Option<(Option<NodeId>, Epoch)> {
    if let Some(group) = groups.get(GroupId::of(shard)) {
        let metrics = group.metrics();
        let leader = metrics
            .current_leader
            .and_then(|leader| place.everyone().find(|(_, replica)| replica.0 == leader).map(|(node, _)| node));
        // A new replica has heard of no leader yet; its peers name one.
        if leader.is_some() || metrics.state != ServerState::Learner {
            return Some((leader, Epoch(metrics.current_term)));
        }
    }
    let claims = place.everyone().filter_map(|(node, _)| Some((node, links.leads(node, shard)?)));
    match claims.max_by_key(|(_, epoch)| *epoch) {
        Some((node, epoch)) => Some((Some(node), epoch)),
        // No node claims the shard; a reachable one may know more.
        None => {
            let hint = place.everyone().map(|(node, _)| node).find(|node| links.reachable(*node));
            Some((hint, Epoch(0)))
        }
    }
}
