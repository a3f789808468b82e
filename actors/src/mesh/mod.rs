//! Node-to-node actor traffic: envelopes in ordered lanes between the nodes of the cluster.
//!
//! The mesh is at most once: an envelope handed to [`Mesh::send`] arrives once or never, and in
//! order with the others of its peer and lane. Nothing durable rests on it. It is not Raft's
//! transport, which has connections of its own, and it knows nothing of what bodies say.
//!
//! [`ClusterMesh`](cluster::ClusterMesh) carries the lanes over ractor_cluster and is what a node
//! runs. [`DirectMesh`](direct::DirectMesh) carries the same frames over plain streams, without the
//! statics of ractor, so that many nodes fit into one process: for simulation and tests. What both
//! share is in `lane` (batches, bounds, credits), `link` (one connection: hello, heartbeat, up and
//! down) and `peers` (who is dialled, which link an envelope takes); [`links`] says where streams
//! come from.

pub mod cluster;
pub mod direct;
mod frame;
mod lane;
mod link;
pub mod links;
mod peers;
mod stream;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::Notify;
use troupe_core::{NodeId, ShardId};

pub trait Mesh: Send + Sync + 'static {
    /// Queues an envelope behind those with the same `to` and `lane_key`; never waits.
    fn send(&self, to: NodeId, lane_key: u32, envelope: Envelope) -> Result<(), MeshError>;

    /// Who is up now, in order of id; never this node itself.
    fn peers(&self) -> Vec<NodeId>;
}

/// A message with address, id and deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    pub kind: Kind,
    /// Chosen by the requester; a reply repeats it. Zero for pushes.
    pub correlation: u64,
    /// `None`: the node itself.
    pub shard: Option<ShardId>,
    /// Milliseconds that the requester still waits; zero is no deadline.
    pub deadline_ms: u32,
    pub body: Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Request,
    Reply,
    /// Wants no answer.
    Push,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeshEvent {
    Up(NodeId),
    /// What was sent and not answered may or may not have arrived.
    Down(NodeId),
    Received {
        from: NodeId,
        envelope: Envelope,
    },
}

/// The envelope was not sent and never will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeshError {
    /// Try again after [`MeshEvent::Up`], or ask another node.
    #[error("the node cannot be reached now")]
    Down,
    /// Try again later, or refuse upwards.
    #[error("too much waits for the node already")]
    Full,
    /// Never try again: no frame can hold it.
    #[error("the envelope is larger than a frame between nodes")]
    TooLarge,
}

/// Where events go: called in order per peer and lane, and it must neither block nor panic. Up
/// comes before, Down after everything received from that peer in between.
pub type Inbox = Arc<dyn Fn(MeshEvent) + Send + Sync>;

/// How much received work is not finished. Over the limit the mesh returns no credits, so that
/// senders find their lanes full.
///
/// Count only work that ends without an envelope from another node, or two full nodes could wait
/// for each other.
pub struct Gauge {
    limit: usize,
    in_flight: AtomicUsize,
    room: Notify,
}

impl Gauge {
    pub fn new(limit: usize) -> Arc<Gauge> {
        Arc::new(Gauge { limit, in_flight: AtomicUsize::new(0), room: Notify::new() })
    }

    /// Counts one piece of work until the permit is dropped. Never refuses: refusing is the
    /// handler's decision.
    pub fn enter(self: &Arc<Self>) -> Permit {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        Permit(self.clone())
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    pub fn has_room(&self) -> bool {
        self.in_flight() < self.limit
    }

    /// Waits until there is room.
    pub async fn room(&self) {
        loop {
            let freed = self.room.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.has_room() {
                return;
            }
            freed.await;
        }
    }
}

/// One piece of work in flight.
pub struct Permit(Arc<Gauge>);

impl Drop for Permit {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::AcqRel) == self.0.limit {
            self.0.room.notify_waiters();
        }
    }
}
