//! The port's view of an accepted stream: whether its peer has sent anything, and whether the peer
//! is still accepted.

use std::collections::BTreeSet;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use parking_lot::RwLock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use troupe_core::NodeId;
use troupe_runtime::Stream;

/// Notes the first byte that arrives.
pub struct FirstByteObserver {
    pub stream: Box<dyn Stream>,
    pub spoke: Arc<AtomicBool>,
}

impl AsyncRead for FirstByteObserver {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, into);
        if into.filled().len() > before {
            self.spoke.store(true, Ordering::Relaxed);
        }
        polled
    }
}

/// Decides which peers may continue to use an open stream.
#[derive(Default)]
pub struct AcceptedPeers {
    /// Counts changes of the fields below.
    changes: AtomicU64,
    /// Nodes that were removed from this cluster.
    removed: RwLock<BTreeSet<NodeId>>,
    /// Counts the tokens that were dropped. Older streams may rest on one of them.
    era: AtomicU64,
}

impl AcceptedPeers {
    pub fn set_removed(&self, nodes: BTreeSet<NodeId>) {
        *self.removed.write() = nodes;
        self.changes.fetch_add(1, Ordering::Release);
    }

    pub fn is_removed(&self, node: NodeId) -> bool {
        self.removed.read().contains(&node)
    }

    pub fn removed(&self) -> Vec<NodeId> {
        self.removed.read().iter().copied().collect()
    }

    pub fn era(&self) -> u64 {
        self.era.load(Ordering::Acquire)
    }

    /// Ends every open stream.
    pub fn next_era(&self) {
        self.era.fetch_add(1, Ordering::AcqRel);
        self.changes.fetch_add(1, Ordering::Release);
    }
}

/// Fails when its peer is no longer accepted: a node that was removed, or one that may hold only a
/// dropped token. Its bytes are not read any more, in any protocol.
pub struct CheckedStream {
    stream: Box<dyn Stream>,
    peer: NodeId,
    era: u64,
    accepted_peers: Arc<AcceptedPeers>,
    /// The last change of the accepted_peers that was checked.
    seen: u64,
}

impl CheckedStream {
    /// `era` was read before the handshake.
    pub fn new(stream: Box<dyn Stream>, peer: NodeId, era: u64, accepted_peers: Arc<AcceptedPeers>) -> CheckedStream {
        // Checked with the first byte.
        let seen = u64::MAX;
        CheckedStream { stream, peer, era, accepted_peers, seen }
    }

    fn check(&mut self) -> io::Result<()> {
        let now = self.accepted_peers.changes.load(Ordering::Acquire);
        if now != self.seen {
            if self.accepted_peers.is_removed(self.peer) || self.accepted_peers.era() != self.era {
                let why = "the peer is no longer part of this cluster, or must show its certificate again";
                return Err(io::Error::new(io::ErrorKind::ConnectionAborted, why));
            }
            self.seen = now;
        }
        Ok(())
    }
}

impl AsyncRead for CheckedStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, into);
        // Checked after the read, which may have waited since before the change.
        if let Err(error) = self.check() {
            into.set_filled(before);
            return Poll::Ready(Err(error));
        }
        polled
    }
}

impl FirstByteObserver {
    fn check(&mut self) -> io::Result<()> {
        Ok(())
    }
}

macro_rules! writes_through {
    ($name:ident) => {
        impl AsyncWrite for $name {
            fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
                self.check()?;
                Pin::new(&mut self.stream).poll_write(context, from)
            }

            fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.stream).poll_flush(context)
            }

            fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.stream).poll_shutdown(context)
            }

            fn poll_write_vectored(
                mut self: Pin<&mut Self>,
                context: &mut Context<'_>,
                from: &[io::IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.check()?;
                Pin::new(&mut self.stream).poll_write_vectored(context, from)
            }

            fn is_write_vectored(&self) -> bool {
                self.stream.is_write_vectored()
            }
        }
    };
}

writes_through!(FirstByteObserver);
writes_through!(CheckedStream);
