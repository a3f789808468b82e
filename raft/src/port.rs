//! The cluster port: one listener per node for everything that nodes say to each other.
//!
//! A connection begins with TLS (both sides show a certificate of the cluster's CA) unless the node runs `--insecure`, then a preamble that
//! names the protocol, the cluster, and who speaks to whom. Raft and snapshots are served inside this crate; streams of [`Protocol::Mesh`]
//! go to whoever has called [`Port::mesh_streams`].

use std::io;

use tokio::sync::mpsc;
use troupe_core::NodeId;
use troupe_runtime::Stream;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    Raft,
    Snapshot,
    Mesh,
    Formation,
}

/// An authenticated stream from another node of this cluster.
pub struct Inbound {
    pub from: NodeId,
    pub stream: Box<dyn Stream>,
}

/// Shared, cheap to clone.
#[derive(Clone)]
pub struct Port {}

impl Port {
    /// Opens a stream to a node of this cluster, authenticated and past the preamble. Bounded in time.
    pub async fn dial(&self, _to: NodeId, _protocol: Protocol) -> io::Result<Box<dyn Stream>> {
        todo!("raft helper")
    }

    /// Streams that other nodes open for the mesh; to be taken once.
    pub fn mesh_streams(&self) -> mpsc::Receiver<Inbound> {
        todo!("raft helper")
    }
}
