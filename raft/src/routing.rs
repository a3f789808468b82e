//! Who is where, as this node knows it now: placement from the meta group, leaders from the local
//! replicas and, for shards without one, from what peers say of themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use openraft::ServerState;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use troupe_core::{Epoch, NodeId, ShardId};

use crate::cluster::{NodeInfo, Routing, ShardMove, ShardPlace};
use crate::group::{Group, Groups};
use crate::link::Links;
use crate::meta::state::Place;
use crate::meta::{Member, MetaState};
use crate::readiness::Confirmations;
use crate::timing::ROUTING_EVERY;
use crate::types::{GroupId, Metrics};

/// Led and writable: a majority has acked this leader in its term.
pub fn led_epoch(metrics: &Metrics) -> Option<Epoch> {
    let writable = metrics.state == ServerState::Leader && metrics.last_quorum_acked.is_some();
    writable.then_some(Epoch(metrics.current_term))
}

/// Of all shards, what this node leads.
pub fn led(groups: &Groups) -> BTreeMap<ShardId, Epoch> {
    let led = |group: Group| Some((group.id.shard()?, led_epoch(&group.metrics())?));
    groups.all().into_iter().filter_map(led).collect()
}

/// What is kept up to date here.
pub struct Tables {
    pub routing: watch::Sender<Arc<Routing>>,
    pub led: watch::Sender<Arc<BTreeMap<ShardId, Epoch>>>,
    pub confirmations: Confirmations,
}

/// Keeps the tables up to date until it is dropped.
pub async fn run(me: NodeId, groups: Groups, links: Links, mut meta: watch::Receiver<Arc<MetaState>>, tables: Tables) {
    let mut tick = interval(ROUTING_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
    let place = |(shard, place): (&ShardId, &Place)| {
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

/// The leader that this node believes in, and its term.
fn leader(shard: ShardId, place: &Place, groups: &Groups, links: &Links) -> Option<(Option<NodeId>, Epoch)> {
    if let Some(group) = groups.get(GroupId::of(shard)) {
        let metrics = group.metrics();
        let leader = metrics
            .current_leader
            .and_then(|leader| place.everyone().find(|(_, replica)| replica.0 == leader).map(|(node, _)| node));
        // A replica that has just come has heard of no leader yet; its peers say who it is.
        if leader.is_some() || metrics.state != ServerState::Learner {
            return Some((leader, Epoch(metrics.current_term)));
        }
    }
    let claims = place.everyone().filter_map(|(node, _)| Some((node, links.leads(node, shard)?)));
    match claims.max_by_key(|(_, epoch)| *epoch) {
        Some((node, epoch)) => Some((Some(node), epoch)),
        // Nobody claims it: whoever can be reached knows better.
        None => {
            let hint = place.everyone().map(|(node, _)| node).find(|node| links.reachable(*node));
            Some((hint, Epoch(0)))
        }
    }
}
