//! Node-to-node actor traffic: envelopes in ordered lanes between the nodes of the cluster.
//!
//! The mesh delivers at most once: an envelope passed to [`Mesh::send`] arrives once or never, in
//! order with the others of its peer and lane. Nothing durable depends on it. Raft has its own
//! transport and connections. The mesh does not interpret bodies.
//!
//! A node runs [`ClusterMesh`](cluster::ClusterMesh), which carries the lanes over ractor_cluster.
//! Simulation and tests run [`DirectMesh`](direct::DirectMesh): it carries the same frames over
//! plain streams without the statics of ractor, so that many nodes fit into one process. Both share
//! `lane` (batches, bounds, credits), `link` (one connection: hello, heartbeat, up and down) and
//! `peers` (dialling, the link that an envelope takes). [`links`] is the source of streams.

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
    /// Queues an envelope behind those with the same `to` and `lane_key`, without waiting.
    fn send(&self, to: NodeId, lane_key: u32, envelope: Envelope) -> Result<(), MeshError>;

    /// The other nodes that are up, in order of id.
    fn peers(&self) -> Vec<NodeId>;
}

/// A message with its address, id and deadline.
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
    /// Has no reply.
    Push,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeshEvent {
    Up(NodeId),
    /// Unanswered envelopes may or may not have arrived.
    Down(NodeId),
    Received {
        from: NodeId,
        envelope: Envelope,
    },
}

/// The envelope was not sent and never will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeshError {
    /// Retry after [`MeshEvent::Up`], or ask another node.
    #[error("the node cannot be reached now")]
    Down,
    /// Retry later, or refuse the caller.
    #[error("too many envelopes wait for the node")]
    Full,
    /// Do not retry: no frame can hold it.
    #[error("the envelope is larger than a frame between nodes")]
    TooLarge,
}

/// Takes the events, in order per peer and lane. It must neither block nor panic. Up precedes and
/// Down follows everything received from a peer.
pub type Inbox = Arc<dyn Fn(MeshEvent) + Send + Sync>;

/// Counts received work in progress. Above the limit the mesh returns no credits, so the lanes of
/// senders fill up.
///
/// Count only work that finishes without an envelope from another node. Otherwise two full nodes
/// could wait for each other.
pub struct Gauge {
    limit: usize,
    in_flight: AtomicUsize,
    room: Notify,
}

impl Gauge {
    pub fn new(limit: usize) -> Arc<Gauge> {
        Arc::new(Gauge { limit, in_flight: AtomicUsize::new(0), room: Notify::new() })
    }

    /// Counts one piece of work until the permit is dropped. It never refuses, because the handler
    /// decides that.
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
