//! The mesh over plain streams: one connection per pair of nodes that carries every lane.
//!
//! It has no statics and sends in a fixed order, so that many nodes fit into one process and a
//! simulation is reproducible. Its frames are those of the other mesh, each after a length of four
//! bytes.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use troupe_core::{NodeId, limits};
use troupe_proto::frame::{read_frame, write_frame};
use troupe_runtime::net::BoxFuture;
use troupe_runtime::{Platform, Stream};

use super::frame;
use super::link::Link;
use super::links::Links;
use super::peers::{Carrier, PeerLinks, Running};
use super::stream::MonitoredReader;
use super::{Envelope, Gauge, Inbox, Mesh, MeshError};

pub struct DirectMesh {
    peer_links: Arc<PeerLinks>,
    running: Running,
}

impl DirectMesh {
    /// Starts to dial and accept. The inbox gets the events.
    pub fn start(platform: &Platform, links: Arc<dyn Links>, inbox: Inbox, gauge: Arc<Gauge>) -> DirectMesh {
        let peer_links = PeerLinks::new(links.me(), platform.clone(), inbox, gauge);
        let running = Running::start(peer_links.clone(), links, Arc::new(Direct { peer_links: peer_links.clone() }));
        DirectMesh { peer_links, running }
    }

    /// Closes all links. The inbox is not called after it.
    pub async fn stop(&self) {
        self.running.stop().await;
    }
}

impl Mesh for DirectMesh {
    fn send(&self, to: NodeId, lane_key: u32, envelope: Envelope) -> Result<(), MeshError> {
        self.peer_links.send(to, lane_key, envelope)
    }

    fn peers(&self) -> Vec<NodeId> {
        self.peer_links.peers()
    }
}

struct Direct {
    peer_links: Arc<PeerLinks>,
}

impl Carrier for Direct {
    fn carry(&self, link: Arc<Link>, stream: Box<dyn Stream>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let (reads, writes) = tokio::io::split(stream);
            let reads = MonitoredReader::new(reads, link.clone());
            let ended = tokio::select! {
                biased;
                ended = link.keep(self.peer_links.beat()) => io::Error::other(ended),
                Err(error) = self.read(&link, reads) => error,
                Err(error) = self.write(&link, writes) => error,
            };
            tracing::info!(peer = %link.peer, reason = %ended, "mesh link ended");
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

impl Direct {
    async fn read(&self, link: &Link, mut stream: impl AsyncRead + Unpin) -> io::Result<Infallible> {
        loop {
            let bytes = read_frame(&mut stream, limits::NODE_FRAME_BYTES).await?;
            frame::decode(bytes).and_then(|frame| self.peer_links.receive(link, frame)).map_err(io::Error::other)?;
        }
    }

    async fn write(&self, link: &Link, mut stream: impl AsyncWrite + Unpin) -> io::Result<Infallible> {
        let gauge = &*self.peer_links.gauge;
        let mut first = 0;
        loop {
            // The lanes take turns, so that neither starves.
            let second = 1 - first;
            let frame = tokio::select! {
                biased;
                frame = link.next_control() => frame,
                frame = link.next_of_lane(first, gauge) => frame,
                frame = link.next_of_lane(second, gauge) => frame,
            };
            first = second;
            write_frame(&mut stream, &frame, limits::NODE_FRAME_BYTES).await?;
        }
    }
}
