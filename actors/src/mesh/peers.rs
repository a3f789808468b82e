//! The links to all peers: dialling, accepting, and the link that an envelope takes.
//!
//! Of two nodes the one with the lower id dials, so there is one connection per pair without an
//! election. One task per peer keeps a link to it while it is a member of the cluster. [`Carrier`]
//! is the transport of a link.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;
use troupe_core::NodeId;
use troupe_runtime::net::BoxFuture;
use troupe_runtime::{Backoff, Beat, Platform, Stream};

use super::frame::{Frame, Malformed};
use super::link::Link;
use super::links::{Inbound, Links};
use super::{Envelope, Gauge, Inbox, MeshError};

/// Between two dials of a node that does not answer; drawn between half of it and all of it.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
/// Streams of one peer that wait to replace its link. More are closed.
const STREAMS_WAITING: usize = 2;

/// The links of a node and the inbox of their envelopes.
pub struct PeerLinks {
    pub me: NodeId,
    pub gauge: Arc<Gauge>,
    inbox: Inbox,
    platform: Platform,
    /// The newest link to each peer, up or not. Locked for a lookup only, because handlers use it.
    links: Mutex<BTreeMap<NodeId, Arc<Link>>>,
}

/// Carries the frames of a link over a stream.
pub trait Carrier: Send + Sync + 'static {
    /// Carries frames both ways until the link or the stream ends. Dropping the future ends the
    /// stream.
    fn carry(&self, link: Arc<Link>, stream: Box<dyn Stream>) -> BoxFuture<'_, ()>;

    /// Called after all links have ended.
    fn close(&self) -> BoxFuture<'_, ()>;
}

impl PeerLinks {
    pub fn new(me: NodeId, platform: Platform, inbox: Inbox, gauge: Arc<Gauge>) -> Arc<PeerLinks> {
        Arc::new(PeerLinks { me, gauge, inbox, platform, links: Mutex::default() })
    }

    pub fn send(&self, to: NodeId, lane_key: u32, envelope: Envelope) -> Result<(), MeshError> {
        let link = self.link(to).filter(|link| link.is_up()).ok_or(MeshError::Down)?;
        let ahead = link.lane(lane_key).push(envelope)?;
        self.platform.metrics.lane_envelopes.count(ahead);
        Ok(())
    }

    pub fn beat(&self) -> &Beat {
        &self.platform.beat
    }

    pub fn peers(&self) -> Vec<NodeId> {
        self.links.lock().iter().filter(|(_, link)| link.is_up()).map(|(peer, _)| *peer).collect()
    }

    pub fn link(&self, peer: NodeId) -> Option<Arc<Link>> {
        self.links.lock().get(&peer).cloned()
    }

    pub fn receive(&self, link: &Link, frame: Frame) -> Result<(), Malformed> {
        link.receive(frame, &self.inbox)
    }

    fn open(&self, peer: NodeId) -> Arc<Link> {
        let link = Arc::new(Link::new(self.me, peer, self.platform.rng.u64()));
        self.links.lock().insert(peer, link.clone());
        link
    }

    fn close(&self, link: &Arc<Link>) {
        {
            let mut links = self.links.lock();
            if links.get(&link.peer).is_some_and(|newest| Arc::ptr_eq(newest, link)) {
                links.remove(&link.peer);
            }
        }
        link.close(&self.inbox);
    }
}

/// The tasks of a mesh. They end when this is dropped, and have ended after [`Running::stop`].
pub struct Running {
    stop: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

impl Running {
    pub fn start(peer_links: Arc<PeerLinks>, links: Arc<dyn Links>, carrier: Arc<dyn Carrier>) -> Running {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut tasks = PeerTasks {
                peer_links,
                links,
                carrier: carrier.clone(),
                tasks: JoinSet::new(),
                peers: BTreeMap::new(),
            };
            tokio::select! {
                biased;
                _ = stopped => {}
                () = tasks.follow() => {}
            }
            tasks.end().await;
            carrier.close().await;
        });
        Running { stop: Mutex::new(Some((stop, task))) }
    }

    pub async fn stop(&self) {
        let running = self.stop.lock().take();
        if let Some((stop, task)) = running {
            drop(stop);
            if let Err(panicked) = task.await {
                tracing::error!(error = %panicked, "the mesh failed");
            }
        }
    }
}

struct PeerTasks {
    peer_links: Arc<PeerLinks>,
    links: Arc<dyn Links>,
    carrier: Arc<dyn Carrier>,
    tasks: JoinSet<()>,
    peers: BTreeMap<NodeId, PeerHandle>,
}

/// One peer's task. Dropping it ends the task.
struct PeerHandle {
    streams: mpsc::Sender<Box<dyn Stream>>,
    _stop: oneshot::Sender<()>,
}

impl PeerTasks {
    /// Keeps one task per peer while the cluster reports its members.
    async fn follow(&mut self) {
        let mut known = self.links.peers();
        let mut incoming = self.links.incoming();
        loop {
            let now = known.borrow_and_update().clone();
            self.attend(&now);
            loop {
                tokio::select! {
                    biased;
                    changed = known.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return,
                    },
                    inbound = incoming.recv() => match inbound {
                        Some(inbound) => self.admit(inbound),
                        None => return,
                    },
                    Some(ended) = self.tasks.join_next() => if let Err(panicked) = ended {
                        tracing::error!(error = %panicked, "the task of a mesh peer failed");
                    },
                }
            }
        }
    }

    fn attend(&mut self, nodes: &BTreeSet<NodeId>) {
        self.peers.retain(|peer, _| nodes.contains(peer));
        for &peer in nodes {
            if peer == self.peer_links.me || self.peers.contains_key(&peer) {
                continue;
            }
            let (streams, incoming) = mpsc::channel(STREAMS_WAITING);
            let (stop, stopped) = oneshot::channel();
            let (links, carrier) = (self.links.clone(), self.carrier.clone());
            let task = PeerTask { peer_links: self.peer_links.clone(), links, carrier, peer, link: None };
            self.tasks.spawn(task.run(incoming, stopped));
            self.peers.insert(peer, PeerHandle { streams, _stop: stop });
        }
    }

    /// Closes a stream from an unknown node, or from one that this node dials. The peer retries.
    fn admit(&self, inbound: Inbound) {
        let peer = self.peers.get(&inbound.from).filter(|_| inbound.from < self.peer_links.me);
        let taken = peer.is_some_and(|peer| peer.streams.try_send(inbound.stream).is_ok());
        if !taken {
            tracing::debug!(from = %inbound.from, "closed a mesh stream");
        }
    }

    async fn end(&mut self) {
        self.peers.clear();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Keeps the link to one peer.
struct PeerTask {
    peer_links: Arc<PeerLinks>,
    links: Arc<dyn Links>,
    carrier: Arc<dyn Carrier>,
    peer: NodeId,
    /// The link that is open.
    link: Option<Arc<Link>>,
}

impl PeerTask {
    async fn run(mut self, streams: mpsc::Receiver<Box<dyn Stream>>, stopped: oneshot::Receiver<()>) {
        tokio::select! {
            biased;
            _ = stopped => {}
            () = self.attend(streams) => {}
        }
        self.close();
    }

    async fn attend(&mut self, streams: mpsc::Receiver<Box<dyn Stream>>) {
        if self.peer_links.me < self.peer { self.dial().await } else { self.accept(streams).await }
    }

    async fn dial(&mut self) {
        let mut backoff = BACKOFF;
        loop {
            match self.links.dial(self.peer).await {
                Ok(stream) => {
                    let link = self.open();
                    self.carrier.carry(link.clone(), stream).await;
                    self.close();
                    if link.was_up() {
                        backoff.reset();
                    }
                }
                Err(error) => tracing::debug!(peer = %self.peer, %error, "cannot dial"),
            }
            sleep(backoff.pause(&self.peer_links.platform.rng)).await;
        }
    }

    /// Keeps the newest stream: the peer dials again only after it has closed the older one.
    async fn accept(&mut self, mut streams: mpsc::Receiver<Box<dyn Stream>>) {
        let mut next = streams.recv().await;
        while let Some(stream) = next {
            let link = self.open();
            let newer = tokio::select! {
                biased;
                newer = streams.recv() => newer,
                () = self.carrier.carry(link, stream) => None,
            };
            self.close();
            next = match newer {
                Some(newer) => Some(newer),
                None => streams.recv().await,
            };
        }
    }

    fn open(&mut self) -> Arc<Link> {
        let link = self.peer_links.open(self.peer);
        self.link = Some(link.clone());
        link
    }

    fn close(&mut self) {
        if let Some(link) = self.link.take() {
            self.peer_links.close(&link);
        }
    }
}
