//! The mesh over plain streams: one connection per pair of nodes that carries every lane.
//!
//! Has no statics and sends in a fixed order, so that many nodes fit into one process and a
//! simulation repeats itself. Its frames are those of the other mesh, each after its length in four
//! bytes.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use troupe_core::{NodeId, limits};
use troupe_runtime::net::BoxFuture;
use troupe_runtime::{NodeCtx, Stream};

use super::frame::{self, Frame};
use super::link::Link;
use super::links::Links;
use super::peers::{Carrier, Hub, Running};
use super::stream::Heard;
use super::{Envelope, Gauge, Inbox, Mesh, MeshError};

pub struct DirectMesh {
    hub: Arc<Hub>,
    running: Running,
}

impl DirectMesh {
    /// Dials and accepts at once; the inbox hears of it.
    pub fn start(ctx: &NodeCtx, links: Arc<dyn Links>, inbox: Inbox, gauge: Arc<Gauge>) -> DirectMesh {
        let hub = Hub::new(links.me(), ctx.rng.clone(), inbox, gauge);
        let running = Running::start(hub.clone(), links, Arc::new(Direct { hub: hub.clone() }));
        DirectMesh { hub, running }
    }

    /// Hangs up. After it the inbox is not called any more.
    pub async fn stop(&self) {
        self.running.stop().await;
    }
}

impl Mesh for DirectMesh {
    fn send(&self, to: NodeId, lane_key: u32, envelope: Envelope) -> Result<(), MeshError> {
        self.hub.send(to, lane_key, envelope)
    }

    fn peers(&self) -> Vec<NodeId> {
        self.hub.peers()
    }
}

struct Direct {
    hub: Arc<Hub>,
}

impl Carrier for Direct {
    fn carry(&self, link: Arc<Link>, stream: Box<dyn Stream>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let (reads, writes) = tokio::io::split(stream);
            let reads = Heard::new(reads, link.clone());
            let ended = tokio::select! {
                biased;
                ended = link.keep() => io::Error::other(ended),
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
            let bytes = read_frame(&mut stream).await?;
            frame::decode(bytes).and_then(|frame| self.hub.receive(link, frame)).map_err(io::Error::other)?;
        }
    }

    async fn write(&self, link: &Link, mut stream: impl AsyncWrite + Unpin) -> io::Result<Infallible> {
        let gauge = &*self.hub.gauge;
        let mut first = 0;
        loop {
            // The lanes take turns; neither starves behind the other.
            let second = 1 - first;
            let frame = tokio::select! {
                biased;
                frame = link.next_control() => frame,
                frame = link.next_of_lane(first, gauge) => frame,
                frame = link.next_of_lane(second, gauge) => frame,
            };
            first = second;
            stream.write_all(&encode_frame(&frame)).await?;
            stream.flush().await?;
        }
    }
}

fn encode_frame(frame: &Frame) -> BytesMut {
    let length = frame.encoded_len();
    let mut bytes = BytesMut::with_capacity(4 + length);
    // A lane makes no frame above NODE_FRAME_BYTES.
    bytes.put_u32(length as u32);
    frame.encode(&mut bytes).expect("a BytesMut takes everything");
    bytes
}

async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Bytes> {
    let length = stream.read_u32().await? as usize;
    if length > limits::NODE_FRAME_BYTES {
        return Err(io::Error::other(frame::Malformed("frame too large")));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes.into())
}
