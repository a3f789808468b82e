//! A stream as a session of ractor's node server: a label identifies it in the server's events, and
//! the mesh ends it.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use ractor::ActorRef;
use ractor_cluster::node::NodeServerSessionInformation;
use ractor_cluster::{BoxRead, BoxWrite, ClusterBidiStream, NodeEventSubscription, NodeServerMessage};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;
use troupe_core::NodeId;
use troupe_runtime::Stream;

use crate::mesh::link::Link;
use crate::mesh::stream::MonitoredReader;

/// How long a new session waits for the end of the previous one.
const END_WITHIN: Duration = Duration::from_secs(2);

/// The open sessions of this mesh, by label.
pub struct Sessions {
    open: Mutex<BTreeMap<String, Session>>,
    ended: Notify,
}

struct Session {
    peer: NodeId,
    /// Takes ractor's number of the session when both ends have exposed their actors.
    ready: Option<oneshot::Sender<u64>>,
}

impl Sessions {
    pub fn follow(server: &ActorRef<NodeServerMessage>) -> Arc<Sessions> {
        let sessions = Arc::new(Sessions { open: Mutex::default(), ended: Notify::new() });
        let subscription = Box::new(Events(sessions.clone()));
        // If the server has ended, every later cast to it fails.
        let _ = server.cast(NodeServerMessage::SubscribeToEvents { id: "mesh".into(), subscription });
        sessions
    }

    /// Registers a session with the peer. It waits for the end of the previous one, because ractor
    /// keeps a random one of two sessions with the same peer.
    pub async fn open(&self, peer: NodeId, number: u64) -> (String, oneshot::Receiver<u64>) {
        if timeout(END_WITHIN, self.none_with(peer)).await.is_err() {
            self.open.lock().retain(|_, session| session.peer != peer);
        }
        let label = format!("{peer}#{number:016x}");
        let (ready, becomes_ready) = oneshot::channel();
        self.open.lock().insert(label.clone(), Session { peer, ready: Some(ready) });
        (label, becomes_ready)
    }

    async fn none_with(&self, peer: NodeId) {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if !self.open.lock().values().any(|session| session.peer == peer) {
                return;
            }
            ended.await;
        }
    }

    /// Ends a session from ractor's own listener: only the cluster port authenticates.
    fn refuse_unknown(&self, session: &NodeServerSessionInformation) {
        if !self.open.lock().contains_key(&session.peer_addr) {
            session.actor.stop(Some("not ours".into()));
        }
    }
}

struct Events(Arc<Sessions>);

impl NodeEventSubscription for Events {
    fn node_session_opened(&self, session: NodeServerSessionInformation) {
        self.0.refuse_unknown(&session);
    }

    fn node_session_authenticated(&self, session: NodeServerSessionInformation) {
        self.0.refuse_unknown(&session);
    }

    fn node_session_ready(&self, session: NodeServerSessionInformation) {
        let ready = self.0.open.lock().get_mut(&session.peer_addr).and_then(|session| session.ready.take());
        if let Some(ready) = ready {
            // Without a receiver the link has ended, and the session with it.
            let _ = ready.send(session.node_id);
        }
    }

    fn node_session_disconnected(&self, session: NodeServerSessionInformation) {
        self.0.open.lock().remove(&session.peer_addr);
        self.0.ended.notify_waiters();
    }
}

/// A stream in the form that ractor takes.
pub struct Socket {
    reads: BoxRead,
    writes: BoxWrite,
    label: String,
}

/// The mesh's handle of a socket. Its drop closes the stream, and ractor ends the session.
pub struct SocketGuard {
    _cut: oneshot::Sender<()>,
    gone: oneshot::Receiver<()>,
}

impl Socket {
    pub fn new(stream: Box<dyn Stream>, link: Arc<Link>, label: String) -> (Socket, SocketGuard) {
        let (reads, writes) = tokio::io::split(stream);
        let (cut, is_cut) = oneshot::channel();
        let (going, gone) = oneshot::channel();
        let reads = Severable { inner: MonitoredReader::new(reads, link), is_cut: Some(is_cut), _going: going };
        (Socket { reads: Box::new(reads), writes: Box::new(writes), label }, SocketGuard { _cut: cut, gone })
    }
}

impl SocketGuard {
    /// Waits until ractor drops the stream.
    pub async fn ended(mut self) {
        // The sender is only dropped.
        let _ = (&mut self.gone).await;
    }
}

impl ClusterBidiStream for Socket {
    fn split(self: Box<Self>) -> (BoxRead, BoxWrite) {
        (self.reads, self.writes)
    }

    fn peer_label(&self) -> Option<String> {
        Some(self.label.clone())
    }
}

struct Severable<R> {
    inner: R,
    /// `None` after the close.
    is_cut: Option<oneshot::Receiver<()>>,
    _going: oneshot::Sender<()>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Severable<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let cut = this.is_cut.as_mut().is_none_or(|is_cut| Pin::new(is_cut).poll(cx).is_ready());
        if cut {
            this.is_cut = None;
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut this.inner).poll_read(cx, buf)
    }
}

#[cfg(test)]
mod tests;
