//! The source of the mesh's streams and peers: the cluster port in a node, an implementation of
//! their own in tests.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use troupe_core::NodeId;
use troupe_raft::Cluster;
pub use troupe_raft::transport::port::Inbound;
use troupe_raft::transport::port::Protocol;
use troupe_runtime::Stream;
use troupe_runtime::net::BoxFuture;

/// The nodes of the cluster, with or without this one.
pub type PeerSet = Arc<BTreeSet<NodeId>>;

pub trait Links: Send + Sync + 'static {
    fn me(&self) -> NodeId;

    /// Opens an authenticated stream to a node, within a bounded time.
    fn dial(&self, to: NodeId) -> BoxFuture<'_, io::Result<Box<dyn Stream>>>;

    /// Authenticated streams that other nodes open. Only the first call gets them.
    fn incoming(&self) -> mpsc::Receiver<Inbound>;

    /// The members of the cluster. The mesh closes its link to a node that leaves the set.
    fn peers(&self) -> watch::Receiver<PeerSet>;

    /// The same at all nodes of the cluster; not a secret.
    fn cluster_id(&self) -> [u8; 16];
}

/// The links of a node: streams of the cluster port, peers of the meta group.
pub struct ClusterLinks {
    cluster: Cluster,
    peers: watch::Receiver<PeerSet>,
}

impl ClusterLinks {
    pub fn new(cluster: Cluster) -> ClusterLinks {
        let mut routing = cluster.routing();
        let nodes = |routing: &watch::Receiver<Arc<troupe_raft::Routing>>| -> BTreeSet<NodeId> {
            routing.borrow().nodes.keys().copied().collect()
        };
        let (known, peers) = watch::channel(Arc::new(nodes(&routing)));
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    changed = routing.changed() => if changed.is_err() { return },
                    () = known.closed() => return,
                }
                let now = nodes(&routing);
                known.send_if_modified(|held| {
                    let changed = **held != now;
                    if changed {
                        *held = Arc::new(now);
                    }
                    changed
                });
            }
        });
        ClusterLinks { cluster, peers }
    }
}

impl Links for ClusterLinks {
    fn me(&self) -> NodeId {
        self.cluster.me()
    }

    fn dial(&self, to: NodeId) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move { self.cluster.port().dial(to, Protocol::Mesh).await })
    }

    fn incoming(&self) -> mpsc::Receiver<Inbound> {
        self.cluster.port().mesh_streams()
    }

    fn peers(&self) -> watch::Receiver<PeerSet> {
        self.peers.clone()
    }

    fn cluster_id(&self) -> [u8; 16] {
        self.cluster.routing().borrow().cluster_id
    }
}
