//! How a data directory becomes a node of a cluster, once, and comes back as the same node ever
//! after.
//!
//! An empty node with a list of peers asks all of them who they are. Does one belong to a cluster,
//! it asks to be admitted there and gets a node id that nobody had before. Are all of them present,
//! empty, and of one mind about the list, then the one with the smallest address *founds*: it
//! writes down the **birth** (the cluster's id, who is node 1, 2, 3 ...), has every other one
//! promise it, writes down that all have, and only then takes part in any agreement; the others
//! follow when they see that. So whoever is wiped before that point has promised nothing that
//! counts, and whoever is wiped after it finds a cluster at its peers and joins as a new node.
//! Alone, an empty node waits: it never founds a second cluster.
//!
//! Read [`gather`] for what a node without a place does, [`desk`] for what it writes down and
//! answers to others, [`message`] for the words on the wire. What follows, a meta group among the
//! founders or the admission of a newcomer, is the business of the meta group: it implements
//! [`Directory`].

mod admission;
mod ask;
mod desk;
mod gather;
pub mod keeper;
pub(crate) mod ledger;
mod message;
mod rotation;
mod secrets;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::info;
use troupe_core::level::Range;
use troupe_core::{Level, NodeId};
use troupe_runtime::NodeCtx;
use troupe_runtime::net::{BoxFuture, is_loopback};
use troupe_store::engine::Engine;

use crate::address::{Reach, misfit};
use crate::cluster::{ClusterConfig, StartError};
use crate::level::{InForce, LevelHere};
use crate::meta::Registration;
use crate::port::{Port, Protocol};
use crate::waiting::Waiting;
use desk::Desk;
use gather::Gatherer;
use ledger::Book;
use message::{Answer, Membership, Presence, Question, Standing};
use rotation::Rotation;
pub use rotation::ask_to_rotate;
use secrets::Secrets;

/// For whoever is at an address to say which node it is.
const LOOK_TIME: Duration = Duration::from_secs(2);

/// One of the first nodes of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founder {
    pub id: NodeId,
    /// Of the cluster port.
    pub address: String,
    pub client_address: String,
    pub http_address: String,
}

/// This node has a place in a cluster.
pub struct Established {
    pub cluster_id: [u8; 16],
    pub me: NodeId,
    /// The founders, or the nodes at this one's admission, without this one.
    pub known: Vec<NodeId>,
    /// On a founder, at every start and the same on all of them: the first members of the meta
    /// group, for a group that may not have been initialized yet. `None` on a node that was
    /// admitted: the meta group comes to it.
    pub founders: Option<Vec<Founder>>,
    /// The feature level that all founders support.
    pub birth_level: Level,
    /// Knows the addresses of those; later ones come from the meta group.
    pub port: Port,
    /// Which starts of which nodes were seen, this one included.
    pub book: Arc<ledger::Book>,
    /// Addresses of the `join` list without our own.
    pub seeds: Vec<String>,
    /// Of this node's cluster port, with the real port.
    pub address: String,
}

impl std::fmt::Debug for Established {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "node {} of cluster {}", self.me, hex(self.cluster_id))
    }
}

/// A node without an id asks for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRequest {
    /// Drawn once by the empty data directory: whoever asks again with the same one is the same
    /// node and may be given the id it was given before. A wiped node has another.
    pub request: [u8; 16],
    pub address: String,
    pub client_address: String,
    pub http_address: String,
    /// Feature levels that it supports.
    pub levels: Range,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JoinRefusal {
    /// Ask there (a cluster address), or anybody else.
    NotLeader { hint: Option<String> },
    /// Not now: ask again.
    Unavailable,
    /// The node that this request made was removed before it came: ask as another one.
    Removed,
    /// Never: the text says what the operator must change.
    Refused(String),
}

/// Who admits newcomers: the meta group, as this node sees it.
pub trait Directory: Send + Sync + 'static {
    fn cluster_id(&self) -> [u8; 16];
    /// Hands out a node id that was never handed out before, except to the same request. The caller
    /// bounds the time.
    fn admit(&self, who: JoinRequest) -> BoxFuture<'_, Result<NodeId, JoinRefusal>>;
    /// Cluster addresses of all nodes.
    fn addresses(&self) -> Vec<(NodeId, String)>;
}

/// What a node says of itself before it has an id.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Addresses {
    cluster: String,
    client: String,
    http: String,
}

/// Agreed once by all who are in it. Ordered by address; ids are 1..=n in that order.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Birth {
    cluster_id: [u8; 16],
    founders: Vec<Founder>,
    /// The feature level that all of them support.
    level: Level,
}

impl Birth {
    /// `nodes` are ordered by address.
    fn new(cluster_id: [u8; 16], level: Level, nodes: Vec<Addresses>) -> Birth {
        let founders = (1..).zip(nodes).map(|(id, node)| Founder {
            id: NodeId(id),
            address: node.cluster,
            client_address: node.client,
            http_address: node.http,
        });
        Birth { cluster_id, founders: founders.collect(), level }
    }

    fn founder(&self, address: &str) -> Option<&Founder> {
        self.founders.iter().find(|founder| founder.address == address)
    }

    fn addresses(&self) -> impl Iterator<Item = &str> {
        self.founders.iter().map(|founder| founder.address.as_str())
    }

    fn is_of(&self, list: &[String]) -> bool {
        self.addresses().eq(list.iter().map(String::as_str))
    }
}

/// Who this data directory is; one row on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    cluster_id: [u8; 16],
    me: NodeId,
    birth: Option<Birth>,
    /// False between the promise of a birth and the moment when all have promised.
    confirmed: bool,
    /// The others at the time of admission.
    nodes: BTreeMap<NodeId, String>,
}

/// An identity as [`crate::recover`] needs it.
pub(crate) struct Written {
    pub cluster_id: [u8; 16],
    pub me: NodeId,
    /// As it is written down.
    pub row: Vec<u8>,
}

/// Who a stopped node is, by its row. `anew`: as the only node of a cluster with that id.
pub(crate) fn identity_in(row: Option<Vec<u8>>, anew: Option<[u8; 16]>) -> Result<Written, StartError> {
    let refused = |text: &str| StartError::Refused(text.to_owned());
    let row = row.ok_or_else(|| refused("this data directory belongs to no cluster: there is nothing to recover"))?;
    let mut identity = Identity::decode(&row)
        .ok_or_else(|| refused("this data directory's identity is damaged or was written by a later version"))?;
    if !identity.confirmed {
        return Err(refused("this node's cluster was never born: there is nothing to recover"));
    }
    if let Some(cluster_id) = anew {
        identity = Identity { cluster_id, me: identity.me, birth: None, confirmed: true, nodes: BTreeMap::new() };
    }
    Ok(Written { cluster_id: identity.cluster_id, me: identity.me, row: identity.encode() })
}

/// Finds this node's place in a cluster, or gives it one. Listens from the beginning and goes on
/// answering newcomers afterwards. Waits as long as it takes; returns an error only when waiting
/// cannot help.
pub async fn establish(
    ctx: &NodeCtx,
    engine: Arc<dyn Engine>,
    config: &ClusterConfig,
    level: &LevelHere,
    waiting: &Waiting,
) -> Result<Established, StartError> {
    let Secrets { security, keeper } = secrets::secrets(ctx, &engine, config).await?;
    let port = Port::open(ctx, &config.listen, security).await?;
    let rotation = keeper.map(|keeper| Rotation::new(keeper, Arc::clone(&ctx.rng)));
    let found = find_place(ctx, engine, config, level, &port, rotation, waiting).await;
    if found.is_err() {
        port.shutdown().await;
    }
    found
}

async fn find_place(
    ctx: &NodeCtx,
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
            "{} means all addresses of this machine and leads other nodes nowhere: give --cluster-advertise host:port, as in the join list",
            config.advertise
        )));
    }
    let me = Addresses {
        cluster: with_real_port(&config.advertise, port),
        client: config.client_address.clone(),
        http: config.http_address.clone(),
    };
    let list = founding_list(&me.cluster, &config.join);
    // The other way round, a join list may name this machine's neighbour by loopback.
    if let Some(why) = misfit(&me.cluster, list.iter().map(String::as_str)).filter(|_| is_loopback(&me.cluster)) {
        return Err(StartError::Refused(why));
    }
    let seeds: Vec<String> = list.iter().filter(|address| **address != me.cluster).cloned().collect();
    let book = Arc::new(Book::open(ctx, engine.clone()).await?);
    let address = me.cluster.clone();
    let levels = Levels { range: config.supports.range, wanted: wanted(config), here: level.clone() };
    let desk = Arc::new(Desk::open(ctx, engine, Arc::clone(&book), me, list, rotation, levels)?);
    tokio::spawn(desk::serve(Arc::clone(&desk), port.clone(), port.inbound(Protocol::Formation)));

    let gatherer = Gatherer { ctx, port, desk: &desk, seeds: &seeds, waiting };
    let (identity, ()) = tokio::try_join!(gatherer.settle(), gatherer.check_own_address())?;
    let addresses: BTreeMap<NodeId, String> = match &identity.birth {
        Some(birth) => birth.founders.iter().map(|founder| (founder.id, founder.address.clone())).collect(),
        None => identity.nodes.clone(),
    };
    let known = addresses.keys().copied().filter(|node| *node != identity.me).collect();
    port.set_addresses(addresses);
    port.become_member(identity.cluster_id, identity.me)?;
    info!(node = %identity.me, cluster = %hex(identity.cluster_id), "this node has its place in the cluster");
    Ok(Established {
        cluster_id: identity.cluster_id,
        me: identity.me,
        known,
        birth_level: identity.birth.as_ref().map_or(Level::OLDEST, |birth| birth.level),
        founders: identity.birth.map(|birth| birth.founders),
        port: port.clone(),
        book,
        seeds,
        address,
    })
}

/// Which node answers at an address, if it belongs to a cluster.
pub(crate) async fn who_is_at(port: &Port, address: &str) -> Option<Membership> {
    match ask::ask(port, address, &Question::Hello, LOOK_TIME).await {
        Ok(Answer::Standing(Presence { standing: Standing::Member(membership), .. })) => Some(membership),
        _ => None,
    }
}

/// What this node knows of feature levels.
struct Levels {
    /// That it supports.
    range: Range,
    /// That a cluster must have from its birth, for what this node was started with.
    wanted: Level,
    here: LevelHere,
}

impl Levels {
    /// Why this node takes no part in a birth at that level.
    fn objection(&self, birth: Level) -> Option<String> {
        if birth < self.wanted {
            Some(format!(
                "one of the founders has an earlier version, so that the cluster would begin at feature level {birth}, which lets \
                 everybody register: start all founders with this version, or with cluster.registration = open"
            ))
        } else {
            InForce::at(birth).refusal(self.range)
        }
    }
}

/// The other settings may begin as 0.1 has them; who may register may not.
fn wanted(config: &ClusterConfig) -> Level {
    if config.settings.registration == Registration::Open { Level::OLDEST } else { Level::SECOND }
}

/// Sorted, without repetitions, this node included: the same text on every node that was started
/// with the same list.
fn founding_list(me: &str, join: &[String]) -> Vec<String> {
    let mut list: Vec<String> = join.iter().map(|address| address.trim().to_owned()).collect();
    list.retain(|address| !address.is_empty());
    if !list.is_empty() && !list.iter().any(|address| address == me) {
        // In good order where a node joins a cluster that is there.
        info!(%me, ?list, "this node's own address is not in its join list; it counts as if it were");
    }
    list.push(me.to_owned());
    list.sort();
    list.dedup();
    list
}

/// An advertised port 0 means the one that the system chose.
fn with_real_port(advertise: &str, port: &Port) -> String {
    match advertise.strip_suffix(":0") {
        Some(host) => format!("{host}:{}", port.local_addr().port()),
        None => advertise.to_owned(),
    }
}

fn hex(id: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(id))
}

#[cfg(test)]
pub(crate) mod tests;
