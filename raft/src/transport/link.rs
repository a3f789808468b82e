//! One connection from this node to each other node, shared by all groups: calls out, replies back.
//!
//! A link redials until it is dropped, pings a few times a second and drops a connection that has
//! gone silent. So it also tells whether a node is reachable. A call made while the link is down
//! fails at once, because its caller has its own retry policy. Waiting calls are gathered into one
//! write.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use parking_lot::RwLock;
use tokio::io::{AsyncWriteExt, split};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Duration, Instant, sleep, timeout};
use troupe_core::{Epoch, NodeId, ShardId};
use troupe_runtime::net::BoxFuture;
use troupe_runtime::{Platform, Stream};

use crate::level::Support;
use crate::timing::{LINK_SILENCE, PING_EVERY, REDIAL_MAX_MS, REDIAL_MIN_MS, REDIAL_SOON_MS};
use crate::transport::clocks::Clocks;
use crate::transport::frame::{Frame, FrameReader, Kind, PAYLOAD_BYTES};
use crate::transport::leads::Lead;
use crate::transport::port::dial::nobody_listens;
use crate::transport::port::{Port, Protocol};
use crate::transport::vitals::{Pings, Vitals};
use crate::types::GroupId;

/// Calls that wait to be written to one node. At the limit a call fails at once, as if the node
/// were unreachable.
const QUEUE: usize = 4_096;
/// Bytes gathered into one write.
const WRITE_BYTES: usize = 1024 * 1024;
/// A peer that does not accept so many bytes within [`LINK_SILENCE`] counts as silent.
const SLICE_BYTES: usize = 64 * 1024;

/// The request number of pings.
const PING: u64 = 0;

/// The reason why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The call was not sent.
    #[error("the node is unreachable")]
    Unreachable,
    /// The call may have arrived.
    #[error("the connection was lost, or the answer is late")]
    Lost,
    /// The other node has no such replica.
    #[error("the node has no such replica")]
    Refused,
    /// The call was not sent, and this peer never accepts it.
    #[error("larger than the node accepts")]
    TooLarge,
}

/// The exchange that precedes all calls on a link.
pub trait Introduction: Send + Sync + 'static {
    /// Both nodes have durably recorded the other's current start.
    fn exchange(&self, with: NodeId) -> BoxFuture<'_, io::Result<()>>;
}

struct Call {
    kind: Kind,
    group: GroupId,
    target: u64,
    payload: Bytes,
    answer: oneshot::Sender<Result<Bytes, CallError>>,
}

struct Link {
    queue: mpsc::Sender<Call>,
    up: watch::Receiver<Option<Vitals>>,
}

/// All links of this node. Shared, cheap to clone; they end with [`Links::shutdown`].
#[derive(Clone)]
pub struct Links(Arc<Shared>);

struct Shared {
    platform: Platform,
    port: Port,
    introduction: Arc<dyn Introduction>,
    me: NodeId,
    clocks: Clocks,
    links: RwLock<BTreeMap<NodeId, Link>>,
    ended: watch::Sender<BTreeSet<NodeId>>,
    tasks: parking_lot::Mutex<JoinSet<()>>,
}

impl Links {
    pub fn new(platform: Platform, port: Port, introduction: Arc<dyn Introduction>, me: NodeId) -> Links {
        let ended = watch::Sender::default();
        let (clocks, links, tasks) = (Clocks::default(), RwLock::default(), Default::default());
        Links(Arc::new(Shared { platform, port, introduction, me, clocks, links, ended, tasks }))
    }

    /// Starts to dial new nodes.
    pub fn connect(&self, nodes: impl IntoIterator<Item = NodeId>) {
        let mut links = self.0.links.write();
        for node in nodes {
            if node == self.0.me || links.contains_key(&node) {
                continue;
            }
            let (queue, calls) = mpsc::channel(QUEUE);
            let (up, is_up) = watch::channel(None);
            let Shared { platform, port, introduction, clocks, ended, .. } = &*self.0;
            let context = LinkContext {
                platform: platform.clone(),
                port: port.clone(),
                introduction: Arc::clone(introduction),
                clocks: clocks.clone(),
                node,
                ended: ended.clone(),
            };
            self.0.tasks.lock().spawn(run(context, calls, up));
            links.insert(node, Link { queue, up: is_up });
        }
    }

    /// Starts to dial new nodes, and closes the links to nodes that are no longer members.
    pub fn keep(&self, nodes: BTreeSet<NodeId>) {
        // A link ends when its call queue is dropped.
        self.0.links.write().retain(|node, _| nodes.contains(node));
        self.0.clocks.keep(&nodes);
        self.connect(nodes);
    }

    pub fn reachable(&self, node: NodeId) -> bool {
        node == self.0.me || self.0.links.read().get(&node).is_some_and(|link| link.up.borrow().is_some())
    }

    /// Nodes whose process has ended, as far as this node can tell: their addresses refuse
    /// connections.
    pub fn ended(&self) -> watch::Receiver<BTreeSet<NodeId>> {
        self.0.ended.subscribe()
    }

    /// The epoch in which another node says that it leads a shard.
    pub fn leads(&self, node: NodeId, shard: ShardId) -> Option<Epoch> {
        let links = self.0.links.read();
        let up = links.get(&node)?.up.borrow();
        up.as_ref()?.leads.get(&shard).copied()
    }

    /// The leadership of a group that another node announces.
    pub fn lead(&self, node: NodeId, group: GroupId) -> Option<Lead> {
        let links = self.0.links.read();
        let up = links.get(&node)?.up.borrow();
        up.as_ref()?.groups.get(&group).copied()
    }

    /// Reachable peers that announce that their disk is almost full.
    pub fn storage_low(&self) -> BTreeSet<NodeId> {
        let is_low = |link: &Link| link.up.borrow().as_ref().is_some_and(|vitals| vitals.storage_low);
        self.0.links.read().iter().filter(|(_, link)| is_low(link)).map(|(node, _)| *node).collect()
    }

    /// The feature levels that reachable peers announce.
    pub fn supports(&self) -> BTreeMap<NodeId, Support> {
        let said = |link: &Link| link.up.borrow().as_ref().and_then(|vitals| vitals.support.clone());
        self.0.links.read().iter().filter_map(|(node, link)| Some((*node, said(link)?))).collect()
    }

    /// The clocks of the peers.
    pub fn clocks(&self) -> &Clocks {
        &self.0.clocks
    }

    /// Queues a call at once, so that calls keep their order, and returns its answer.
    pub fn call(
        &self,
        node: NodeId,
        kind: Kind,
        group: GroupId,
        target: u64,
        payload: Bytes,
        within: Duration,
    ) -> impl Future<Output = Result<Bytes, CallError>> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        let queued = self.queue(node, Call { kind, group, target, payload, answer });
        async move {
            queued?;
            match timeout(within, answered).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) | Err(_) => Err(CallError::Lost),
            }
        }
    }

    fn queue(&self, node: NodeId, call: Call) -> Result<(), CallError> {
        let links = self.0.links.read();
        let link = links.get(&node).ok_or(CallError::Unreachable)?;
        let takes = link.up.borrow().as_ref().map(|vitals| vitals.call_bytes).ok_or(CallError::Unreachable)?;
        if call.payload.len() > PAYLOAD_BYTES {
            // The peer has not yet announced its limit; the caller retries soon.
            let most = takes.ok_or(CallError::Unreachable)?;
            if call.payload.len() > most {
                return Err(CallError::TooLarge);
            }
        }
        link.queue.try_send(call).map_err(|_| CallError::Unreachable)
    }

    pub async fn shutdown(&self) {
        self.0.links.write().clear();
        let mut tasks = std::mem::take(&mut *self.0.tasks.lock());
        tasks.shutdown().await;
    }
}

/// The context of the link to one node.
struct LinkContext {
    platform: Platform,
    port: Port,
    introduction: Arc<dyn Introduction>,
    clocks: Clocks,
    node: NodeId,
    ended: watch::Sender<BTreeSet<NodeId>>,
}

impl LinkContext {
    fn tell(&self, has_ended: bool) {
        self.ended.send_if_modified(|ended| if has_ended { ended.insert(self.node) } else { ended.remove(&self.node) });
    }
}

async fn run(context: LinkContext, mut calls: mpsc::Receiver<Call>, up: watch::Sender<Option<Vitals>>) {
    let node = context.node;
    let mut was_up = true;
    // A lost connection usually means an ended process. The first redials follow fast, because
    // failover waits for that evidence.
    let mut soon = REDIAL_SOON_MS.iter();
    loop {
        let dialed = dial(&context.port, &*context.introduction, node).await;
        context.tell(dialed.as_ref().is_err_and(nobody_listens));
        match dialed {
            Ok(stream) => {
                tracing::debug!(%node, "connected");
                let since = Instant::now();
                up.send_replace(Some(Vitals::default()));
                let pings = Pings::new(node, context.clocks.clone());
                let ended = session(stream, &context.platform, pings, &mut calls, &up).await;
                up.send_replace(None);
                was_up = true;
                if since.elapsed() > LINK_SILENCE {
                    soon = REDIAL_SOON_MS.iter();
                }
                match ended {
                    Ok(()) => return,
                    Err(error) => tracing::info!(%node, %error, "lost the connection"),
                }
            }
            Err(error) if was_up => {
                was_up = false;
                tracing::info!(%node, %error, "unreachable, retrying");
            }
            Err(error) => tracing::debug!(%node, %error, "still unreachable"),
        }
        if calls.is_closed() {
            return context.tell(false);
        }
        // Calls queued before the link went down fail now instead of waiting for the next
        // connection.
        while let Ok(call) = calls.try_recv() {
            let _ = call.answer.send(Err(CallError::Unreachable));
        }
        let wait = soon.next().copied().unwrap_or_else(|| context.platform.rng.range(REDIAL_MIN_MS, REDIAL_MAX_MS));
        sleep(Duration::from_millis(wait)).await;
    }
}

/// No Raft call is sent before each side knows the other's current start.
async fn dial(port: &Port, introduction: &dyn Introduction, node: NodeId) -> io::Result<Box<dyn Stream>> {
    introduction.exchange(node).await?;
    port.dial(node, Protocol::Raft).await
}

/// Runs one connection. `Ok`: the link is closed on purpose.
async fn session(
    stream: Box<dyn Stream>,
    platform: &Platform,
    mut pings: Pings,
    calls: &mut mpsc::Receiver<Call>,
    up: &watch::Sender<Option<Vitals>>,
) -> io::Result<()> {
    let (reader, mut writer) = split(stream);
    let mut reader = FrameReader::new(reader);
    // Dropped with the session, which answers every pending call with `Lost`.
    let mut pending: BTreeMap<u64, oneshot::Sender<Result<Bytes, CallError>>> = BTreeMap::new();
    let mut last_request = PING;
    let mut heard = Instant::now();
    // The first ping goes at once, because its answer says what the peer accepts.
    let (mut ping, mut first) = (platform.beat.interval(PING_EVERY), true);
    let mut out = BytesMut::new();
    loop {
        tokio::select! {
            frame = reader.next() => {
                let frame = frame?.ok_or(io::ErrorKind::UnexpectedEof)?;
                heard = Instant::now();
                if frame.request == PING {
                    up.send_replace(Some(pings.answered(frame.target, frame.payload)));
                } else if let Some(answer) = pending.remove(&frame.request) {
                    let reply = if frame.kind == Kind::Reply { Ok(frame.payload) } else { Err(CallError::Refused) };
                    let _ = answer.send(reply);
                }
            }
            call = calls.recv() => {
                let Some(first) = call else { return Ok(()) };
                // Calls of other groups that are about to be made share the write.
                yield_now().await;
                let mut next = Some(first);
                while let Some(call) = next {
                    last_request += 1;
                    platform.metrics.node_calls.up();
                    let Call { kind, group, target, payload, answer } = call;
                    Frame { kind, request: last_request, group, target, payload }.put(&mut out);
                    pending.insert(last_request, answer);
                    next = if out.len() < WRITE_BYTES { calls.try_recv().ok() } else { None };
                }
                heard += write(&mut writer, &mut out).await?;
            }
            () = async { if !std::mem::take(&mut first) { ping.tick().await; } } => {
                if heard.elapsed() > LINK_SILENCE {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                // Calls whose callers timed out are forgotten.
                pending.retain(|_, answer| !answer.is_closed());
                let payload = pings.ask();
                Frame { kind: Kind::Ping, request: PING, group: GroupId::META, target: 0, payload }.put(&mut out);
                heard += write(&mut writer, &mut out).await?;
            }
        }
    }
}

/// Writes all bytes. A peer that accepts nothing for [`LINK_SILENCE`] is as silent as one that
/// sends nothing. Returns the duration, during which the peer was not heard: an entry of 5 MB takes
/// seconds on a slow network.
async fn write(writer: &mut (impl AsyncWriteExt + Unpin), out: &mut BytesMut) -> io::Result<Duration> {
    let (bytes, begin) = (out.split().freeze(), Instant::now());
    for slice in bytes.chunks(SLICE_BYTES) {
        timeout(LINK_SILENCE, writer.write_all(slice)).await??;
    }
    timeout(LINK_SILENCE, writer.flush()).await??;
    Ok(begin.elapsed())
}
