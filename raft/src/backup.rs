//! Backups of a running cluster, and restores into a new one: the requests that a node answers to a
//! holder of the token.
//!
//! A shard is saved from a view of its leader's engine, taken behind a read barrier. It contains
//! everything that was acknowledged before the request, at one applied index, and is sent in the
//! blocks of a snapshot. A restore arrives in parts that go through the shard's log
//! ([`troupe_store::rows::Part`] has the rules), so it is as durable and as equal on all replicas
//! as any other write. A digest of rows, summed over all shards, tells whether two clusters hold
//! the same.
//!
//! An archive continues a backup: [`entries`] of the shards' logs, kept in a [`segment`] each. A
//! [`replay`] of them over the rows of the backup gives the rows of a point in time.
//!
//! [`client`] is the requesting side, and [`mod@file`] is one shard in a file. The directory and
//! its manifest belong to the node (`troupe backup`).

pub mod client;
pub mod entries;
pub mod file;
mod framed;
mod message;
pub mod replay;
mod rows;
pub mod segment;

use std::io;
use std::sync::Arc;

use openraft::error::{ClientWriteError, RaftError};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Duration, timeout};
use troupe_core::{Level, NodeId, ShardId};
use troupe_runtime::{Lane, Platform, Stream, executor};
use troupe_store::engine::{Engine, Reader};
use troupe_store::rows::digest_range;

use crate::api::ReadError;
use crate::control::meta::{Meta, MetaCommand, MetaError, MetaState};
use crate::control::{readiness, space};
use crate::replication::group::{Group, Groups};
use crate::replication::read::{Barrier, read_index};
use crate::timing::{BARRIER_TIMEOUT, PROPOSE_TURN};
use crate::transport::link::Links;
use crate::transport::port::{Inbound, Port, Protocol};
use crate::transport::vitals::LocalVitals;
use crate::types::{Applied, GroupId, Proposal};
use message::{Answer, Question};
pub use message::{Plan, ShardRange};

/// Requests answered at once: a backup competes with messages of users for the disk. At the limit
/// the client waits.
const REQUESTS: usize = 2;
/// Connections of clients; a restore keeps one per shard. At the limit a new one is closed, and its
/// client retries.
const CONNECTIONS: usize = 512;
/// The time to send an answer.
const MESSAGE_TIME: Duration = Duration::from_secs(10);
/// The time between two requests: a restore returns to a shard when it has read that far.
const IDLE_TIME: Duration = Duration::from_secs(60);

/// The history of a cluster after a restore. Each cluster into which a backup is restored gets
/// another, and repeating the restore there gives the same. Never 0.
pub fn history(backup: &[u8; 16], cluster: &[u8; 16]) -> u64 {
    let hash = Sha256::new().chain_update(backup).chain_update(cluster).finalize();
    hash.first_chunk::<8>().map_or(1, |bytes| u64::from_be_bytes(*bytes).max(1))
}

/// The state from which requests are answered. Cheap to clone.
#[derive(Clone)]
pub struct Archive {
    pub me: NodeId,
    pub platform: Platform,
    pub engine: Arc<dyn Engine>,
    pub groups: Groups,
    pub links: Links,
    pub orders: Meta,
    pub meta: watch::Receiver<Arc<MetaState>>,
    pub local_vitals: LocalVitals,
}

/// Answers until it is dropped.
pub async fn serve(archive: Archive, port: Port) {
    let mut inbound = port.inbound(Protocol::Backup);
    let room = Arc::new(Semaphore::new(REQUESTS));
    let mut connections = JoinSet::new();
    while let Some(Inbound { stream, .. }) = inbound.recv().await {
        while connections.try_join_next().is_some() {}
        if connections.len() >= CONNECTIONS {
            tracing::debug!("closed: too many concurrent backup connections");
            continue;
        }
        let (archive, room) = (archive.clone(), room.clone());
        connections.spawn(async move {
            if let Err(error) = archive.handle_connection(stream, &room).await {
                tracing::info!(%error, "a backup request failed");
            }
        });
    }
}

impl Archive {
    async fn handle_connection(&self, mut stream: Box<dyn Stream>, room: &Semaphore) -> io::Result<()> {
        // One connection carries the parts of a restore one after another.
        loop {
            let question = match timeout(IDLE_TIME, message::receive_question(&mut stream)).await? {
                Ok(question) => question,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
            };
            // Held for one request only: an idle connection must not block others.
            let turn = room.acquire().await.map_err(io::Error::other)?;
            let answer = match question {
                Question::Describe => Answer::Plan(self.plan()),
                Question::Digest(shard) => self.digest(shard).await.unwrap_or_else(|answer| answer),
                Question::Restore { shard, entry } => self.restore(shard, entry).await.unwrap_or_else(|answer| answer),
                Question::Adopt { history, origin } => self.adopt(history, origin).await,
                Question::Entries { shard, from } => self.entries(shard, from).await.unwrap_or_else(|answer| answer),
                Question::Save(shard) => match self.moment(shard).await {
                    Ok((group, view)) => {
                        return rows::save(&self.platform, view, &group, self.stamp().0, &mut stream).await;
                    }
                    Err(answer) => answer,
                },
            };
            drop(turn);
            timeout(MESSAGE_TIME, message::send_answer(&mut stream, &answer)).await??;
        }
    }

    fn plan(&self) -> Plan {
        let state = self.meta.borrow();
        let places = state.shards.iter().flat_map(|map| map.shards().map(|shard| (shard, map.slots(shard))));
        let places = places.map(|(shard, slots)| ShardRange { shard, slots, leader: self.leader(&state, shard) });
        let nodes = state.nodes.values().map(|node| node.addresses.cluster.clone()).collect();
        Plan { cluster_id: state.cluster_id, places: places.collect(), nodes }
    }

    /// The leader's cluster address, if a majority has confirmed it recently and this node reaches
    /// it. A guess would only mislead the client.
    fn leader(&self, state: &MetaState, shard: ShardId) -> Option<String> {
        let nodes = state.placement.get(&shard)?.everyone().map(|(node, _)| node);
        let (node, _) = readiness::leader(self.me, GroupId::of(shard), nodes, &self.groups, &self.links)?;
        state.nodes.get(&node).map(|node| node.addresses.cluster.clone())
    }

    /// The replica here, if it leads. Everything acknowledged before is then applied.
    async fn lead(&self, shard: ShardId) -> Result<Group, Answer> {
        let elsewhere = || Answer::NotLeader(self.leader(&self.meta.borrow(), shard));
        let group = self.groups.get(GroupId::of(shard)).ok_or_else(elsewhere)?;
        match timeout(BARRIER_TIMEOUT, read_index(&group)).await {
            Ok(Ok(())) => Ok(group),
            Ok(Err(ReadError::NotLeader { .. })) => Err(elsewhere()),
            Ok(Err(ReadError::Unavailable)) | Err(_) => {
                Err(Answer::Unavailable("no majority of the shard's replicas answers".to_owned()))
            }
        }
    }

    fn slots(&self, shard: ShardId) -> Result<(u16, u16), Answer> {
        let map = self.meta.borrow().shards;
        let map = map.filter(|map| shard.0 < map.count);
        map.map(|map| map.slots(shard)).ok_or_else(|| Answer::Refused(format!("there is no shard {shard}")))
    }

    async fn adopt(&self, history: u64, origin: [u8; 16]) -> Answer {
        match self.orders.propose(&MetaCommand::Adopt { history, origin }).await {
            Ok(_) => Answer::Taken,
            Err(MetaError::Refused(why)) => Answer::Refused(why),
            Err(error @ MetaError::UpgradePending { .. }) => Answer::Refused(error.to_string()),
            Err(MetaError::Unavailable) => Answer::Unavailable("the meta group does not answer".to_owned()),
        }
    }

    /// A view of the replica that leads here.
    async fn moment(&self, shard: ShardId) -> Result<(Group, Arc<dyn Reader>), Answer> {
        let group = self.lead(shard).await?;
        let view = self.engine.snapshot();
        match Barrier::new(&self.groups, &group).stands() {
            true => Ok((group, view)),
            false => Err(Answer::NotLeader(self.leader(&self.meta.borrow(), shard))),
        }
    }

    async fn digest(&self, shard: ShardId) -> Result<Answer, Answer> {
        let slots = self.slots(shard)?;
        let (_, view) = self.moment(shard).await?;
        let digest = executor::run(&*self.platform.executor, Lane::Bulk, move || digest_range(&*view, slots)).await;
        match digest {
            Some(Ok(digest)) => Ok(Answer::Digest(digest)),
            Some(Err(error)) => Err(Answer::Refused(error.to_string())),
            None => Err(Answer::Unavailable("the lane for bulk work is full".to_owned())),
        }
    }

    /// A restore grows a shard most. It is refused like sends, before a disk is full.
    fn storage_low(&self, shard: ShardId) -> Option<String> {
        let low = space::low_nodes(self.me, &self.local_vitals, &self.links);
        let state = self.meta.borrow();
        let nodes: Vec<NodeId> = state.placement.get(&shard)?.everyone().map(|(node, _)| node).collect();
        space::refuses(self.me, &low, &nodes).then(|| {
            let low: Vec<String> = low.iter().map(|node| format!("node {node}")).collect();
            format!(
                "storage_low: the disk of {} is almost full: free space, then restore again; it continues where it stopped",
                low.join(", ")
            )
        })
    }

    async fn restore(&self, shard: ShardId, entry: bytes::Bytes) -> Result<Answer, Answer> {
        let group = self.lead(shard).await?;
        let unknown = || Answer::Unavailable("the part may or may not have been taken: send it again".to_owned());
        if let Some(why) = self.storage_low(shard) {
            return Err(Answer::Refused(why));
        }
        let (needs, in_force) = (Level::SECOND, self.meta.borrow().in_force.level);
        if in_force < needs {
            // An earlier version would write other rows for it.
            return Err(Answer::Refused(MetaError::UpgradePending { needs, in_force }.to_string()));
        }
        let proposal = Proposal::new(entry).map_err(|error| Answer::Refused(error.to_string()))?;
        let written = timeout(PROPOSE_TURN, group.raft.client_write(proposal)).await.map_err(|_| unknown())?;
        match written {
            Ok(written) => match written.data {
                Applied::Restored(Ok(())) => Ok(Answer::Taken),
                Applied::Restored(Err(refusal)) => Err(Answer::Refused(refusal.0)),
                Applied::Nothing | Applied::Outcomes(_) | Applied::Meta(_) => Err(unknown()),
            },
            Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_))) => {
                Err(Answer::NotLeader(self.leader(&self.meta.borrow(), shard)))
            }
            Err(_) => Err(unknown()),
        }
    }
}
