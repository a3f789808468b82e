//! Turns a data directory into a node of a cluster, once, and restores it as the same node at every
//! later start.
//!
//! An empty node asks all peers of its join list who they are. If any peer belongs to a cluster,
//! the node asks it for admission and gets a new node id. If all peers are reachable, empty, and
//! were started with the same list, the one with the lowest address bootstraps the cluster. It
//! writes down the **bootstrap** (the cluster's id and the ids of its first nodes) and has every
//! other founder promise it. It then writes down that all have promised, and only then takes part
//! in any agreement. The others follow when they see that. So a founder that is wiped before that
//! point has promised nothing that counts. One that is wiped after it finds a cluster at its peers
//! and joins as a new node. An isolated empty node waits: it never creates a second cluster.
//!
//! [`gather`] has the steps of a node without an identity, [`identity_store`] its durable decisions
//! and its answers to others, [`message`] the messages. The meta group takes over from there: it
//! initializes itself on the founders, and admits newcomers as a
//! [`MemberRegistry`](crate::api::MemberRegistry).

mod admission;
mod ask;
mod boot;
pub(crate) mod boot_history;
mod bootstrap;
mod gather;
mod identity;
mod identity_store;
mod message;
mod rotation;
mod secrets;
pub mod token_store;
pub mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::info;
use troupe_core::{Level, NodeId};
use troupe_runtime::Platform;
use troupe_runtime::net::is_loopback;
use troupe_store::engine::Engine;

use crate::api::address::{Reach, misfit};
use crate::api::{Addresses, ClusterConfig, Founder, Registration, StartError};
use crate::formation::waiting::Waiting;
use crate::level::LevelHere;
use crate::transport::port::{Port, Protocol};
use boot_history::BootRegistry;
use bootstrap::{Levels, hex};
use gather::Gatherer;
pub(crate) use identity::identity_in;
use identity_store::IdentityStore;
use message::{Answer, Membership, PeerState, PeerStatus, Question};
use rotation::Rotation;
pub use rotation::ask_to_rotate;
use secrets::Secrets;

/// The time in which the node at an address names itself.
const LOOK_TIME: Duration = Duration::from_secs(2);

/// The result of formation: this node is a member of a cluster.
pub struct Established {
    pub cluster_id: [u8; 16],
    pub me: NodeId,
    /// The founders, or the nodes at this one's admission, without this one.
    pub known: Vec<NodeId>,
    /// Set on a founder, at every start and the same on all founders: the first members of the meta
    /// group, which may not be initialized yet. `None` on an admitted node: the meta group adds it.
    pub founders: Option<Vec<Founder>>,
    /// The feature level that all founders support.
    pub birth_level: Level,
    /// Knows the addresses of those nodes; the meta group sets later ones.
    pub port: Port,
    /// The recorded starts of all nodes, including this one.
    pub boots: Arc<boot_history::BootRegistry>,
    /// Addresses of the `join` list without this node's own.
    pub seeds: Vec<String>,
    /// The address of this node's cluster port, with the real port.
    pub address: String,
}

impl std::fmt::Debug for Established {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "node {} of cluster {}", self.me, hex(self.cluster_id))
    }
}

/// Finds or creates this node's place in a cluster. The node listens from the beginning and
/// continues to answer newcomers afterwards. Waits as long as necessary; returns an error only if
/// waiting cannot help.
pub async fn establish(
    platform: &Platform,
    engine: Arc<dyn Engine>,
    config: &ClusterConfig,
    level: &LevelHere,
    waiting: &Waiting,
) -> Result<Established, StartError> {
    let Secrets { security, token_store } = secrets::secrets(platform, &engine, config).await?;
    let port = Port::open(platform, &config.listen, security).await?;
    let rotation = token_store.map(|token_store| Rotation::new(token_store, Arc::clone(&platform.rng)));
    let found = find_place(platform, engine, config, level, &port, rotation, waiting).await;
    if found.is_err() {
        port.shutdown().await;
    }
    found
}

async fn find_place(
    platform: &Platform,
    engine: Arc<dyn Engine>,
    config: &ClusterConfig,
    level: &LevelHere,
    port: &Port,
    rotation: Option<Rotation>,
    waiting: &Waiting,
) -> Result<Established, StartError> {
    if let Some(rotation) = &rotation {
        rotation.open(port).await?;
    }
    if Reach::of(&config.advertise) == Reach::Unspecified {
        return Err(StartError::Refused(format!(
            "{} means all addresses of this machine, and other nodes cannot dial it: set --cluster-advertise host:port, as in the join list",
            config.advertise
        )));
    }
    let me = Addresses {
        cluster: with_real_port(&config.advertise, port),
        client: config.client_address.clone(),
        http: config.http_address.clone(),
    };
    let list = founding_list(&me.cluster, &config.join);
    // The reverse is allowed: a join list may name a neighbour on the same machine by loopback.
    if let Some(why) = misfit(&me.cluster, list.iter().map(String::as_str)).filter(|_| is_loopback(&me.cluster)) {
        return Err(StartError::Refused(why));
    }
    let seeds: Vec<String> = list.iter().filter(|address| **address != me.cluster).cloned().collect();
    let boots = Arc::new(BootRegistry::open(platform, engine.clone()).await?);
    let address = me.cluster.clone();
    let levels = Levels { range: config.supports.range, wanted: wanted(config), here: level.clone() };
    let identity_store =
        Arc::new(IdentityStore::open(platform, engine, Arc::clone(&boots), me, list, rotation, levels)?);
    tokio::spawn(identity_store::serve(Arc::clone(&identity_store), port.clone(), port.inbound(Protocol::Formation)));

    let gatherer = Gatherer { platform, port, identity_store: &identity_store, seeds: &seeds, waiting };
    let (identity, ()) = tokio::try_join!(gatherer.settle(), gatherer.check_own_address())?;
    let addresses: BTreeMap<NodeId, String> = match &identity.bootstrap {
        Some(bootstrap) => bootstrap.founders.iter().map(|founder| (founder.id, founder.address.clone())).collect(),
        None => identity.nodes.clone(),
    };
    let known = addresses.keys().copied().filter(|node| *node != identity.me).collect();
    port.set_addresses(addresses);
    port.become_member(identity.cluster_id, identity.me)?;
    info!(node = %identity.me, cluster = %hex(identity.cluster_id), "this node is a member of the cluster");
    Ok(Established {
        cluster_id: identity.cluster_id,
        me: identity.me,
        known,
        birth_level: identity.bootstrap.as_ref().map_or(Level::OLDEST, |bootstrap| bootstrap.level),
        founders: identity.bootstrap.map(|bootstrap| bootstrap.founders),
        port: port.clone(),
        boots,
        seeds,
        address,
    })
}

/// The node that answers at an address, if it belongs to a cluster.
pub(crate) async fn who_is_at(port: &Port, address: &str) -> Option<Membership> {
    match ask::ask(port, address, &Question::Hello, LOOK_TIME).await {
        Ok(Answer::Status(PeerStatus { state: PeerState::Member(membership), .. })) => Some(membership),
        _ => None,
    }
}

/// A cluster may begin with the other settings of 0.1, but not with its open registration.
fn wanted(config: &ClusterConfig) -> Level {
    if config.settings.registration == Registration::Open { Level::OLDEST } else { Level::SECOND }
}

/// The join list, sorted and without duplicates, including this node. The same text on every node
/// that was started with the same list.
fn founding_list(me: &str, join: &[String]) -> Vec<String> {
    let mut list: Vec<String> = join.iter().map(|address| address.trim().to_owned()).collect();
    list.retain(|address| !address.is_empty());
    if !list.is_empty() && !list.iter().any(|address| address == me) {
        // Normal if the node joins an existing cluster.
        info!(%me, ?list, "this node's own address is not in its join list; it is added");
    }
    list.push(me.to_owned());
    list.sort();
    list.dedup();
    list
}

/// Replaces an advertised port 0 by the one that the system chose.
fn with_real_port(advertise: &str, port: &Port) -> String {
    match advertise.strip_suffix(":0") {
        Some(host) => format!("{host}:{}", port.local_addr().port()),
        None => advertise.to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
