//! One connection from this node to each other node, shared by all groups: calls out, replies back.
//!
//! A link dials as long as it lives, sends a sign of life a few times a second and drops a
//! connection that has gone silent, so that it is also what knows whether a node can be reached.
//! Calls made while it is down fail at once: who calls has its own idea of when to retry. What
//! waits is written in one write.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use parking_lot::RwLock;
use tokio::io::{AsyncWriteExt, split};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval, sleep, timeout};
use troupe_core::{Epoch, NodeId, ShardId};
use troupe_runtime::{NodeCtx, Stream};

use crate::clocks::Clocks;
use crate::formation::ledger::Ledger;
use crate::frame::{Frame, FrameReader, Kind, PAYLOAD_BYTES};
use crate::leads::Lead;
use crate::level::Support;
use crate::port::dial::nobody_listens;
use crate::port::{Port, Protocol};
use crate::timing::{LINK_SILENCE, PING_EVERY, REDIAL_MAX_MS, REDIAL_MIN_MS, REDIAL_SOON_MS};
use crate::types::GroupId;
use crate::vitals::{Pings, Vitals};

/// Calls waiting to be written to one node. Above it a call fails at once, as if the node were
/// unreachable.
const QUEUE: usize = 4_096;
/// Bytes gathered into one write.
const WRITE_BYTES: usize = 1024 * 1024;
/// Bytes that a peer takes within [`LINK_SILENCE`], or it counts as silent.
const SLICE_BYTES: usize = 64 * 1024;

/// The request number of signs of life.
const PING: u64 = 0;

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It was not sent.
    #[error("the node is unreachable")]
    Unreachable,
    /// It may have arrived.
    #[error("the connection was lost, or the answer is late")]
    Lost,
    /// The other side has no such replica.
    #[error("the node has no such replica")]
    Refused,
    /// It was not sent, and never will be to this peer as it is.
    #[error("larger than what the node takes")]
    TooLarge,
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
    ctx: NodeCtx,
    port: Port,
    ledger: Ledger,
    me: NodeId,
    clocks: Clocks,
    links: RwLock<BTreeMap<NodeId, Link>>,
    gone: watch::Sender<BTreeSet<NodeId>>,
    tasks: parking_lot::Mutex<JoinSet<()>>,
}

impl Links {
    pub fn new(ctx: NodeCtx, port: Port, ledger: Ledger, me: NodeId) -> Links {
        let gone = watch::Sender::default();
        let (clocks, links, tasks) = (Clocks::default(), RwLock::default(), Default::default());
        Links(Arc::new(Shared { ctx, port, ledger, me, clocks, links, gone, tasks }))
    }

    /// Begins to dial nodes that are new.
    pub fn connect(&self, nodes: impl IntoIterator<Item = NodeId>) {
        let mut links = self.0.links.write();
        for node in nodes {
            if node == self.0.me || links.contains_key(&node) {
                continue;
            }
            let (queue, calls) = mpsc::channel(QUEUE);
            let (up, is_up) = watch::channel(None);
            let Shared { ctx, port, ledger, clocks, gone, .. } = &*self.0;
            let way = Way {
                ctx: ctx.clone(),
                port: port.clone(),
                ledger: ledger.clone(),
                clocks: clocks.clone(),
                node,
                gone: gone.clone(),
            };
            self.0.tasks.lock().spawn(run(way, calls, up));
            links.insert(node, Link { queue, up: is_up });
        }
    }

    /// Begins to dial nodes that are new, and hangs up on those that are no longer there.
    pub fn keep(&self, nodes: BTreeSet<NodeId>) {
        // Whoever has no way to be called any more ends its connection.
        self.0.links.write().retain(|node, _| nodes.contains(node));
        self.0.clocks.keep(&nodes);
        self.connect(nodes);
    }

    pub fn reachable(&self, node: NodeId) -> bool {
        node == self.0.me || self.0.links.read().get(&node).is_some_and(|link| link.up.borrow().is_some())
    }

    /// Nodes whose process has ended, as far as one can tell from here: nobody listens at their
    /// address.
    pub fn gone(&self) -> watch::Receiver<BTreeSet<NodeId>> {
        self.0.gone.subscribe()
    }

    /// Whether another node says that it leads a shard, and since when.
    pub fn leads(&self, node: NodeId, shard: ShardId) -> Option<Epoch> {
        let links = self.0.links.read();
        let up = links.get(&node)?.up.borrow();
        up.as_ref()?.leads.get(&shard).copied()
    }

    /// Whether another node says that it leads a group, with when a majority acknowledged that and
    /// how far the group is.
    pub fn lead(&self, node: NodeId, group: GroupId) -> Option<Lead> {
        let links = self.0.links.read();
        let up = links.get(&node)?.up.borrow();
        up.as_ref()?.groups.get(&group).copied()
    }

    /// Peers that can be reached and say that their disk is almost full.
    pub fn storage_low(&self) -> BTreeSet<NodeId> {
        let is_low = |link: &Link| link.up.borrow().as_ref().is_some_and(|vitals| vitals.storage_low);
        self.0.links.read().iter().filter(|(_, link)| is_low(link)).map(|(node, _)| *node).collect()
    }

    /// What the peers that can be reached say of their versions.
    pub fn supports(&self) -> BTreeMap<NodeId, Support> {
        let said = |link: &Link| link.up.borrow().as_ref().and_then(|vitals| vitals.support.clone());
        self.0.links.read().iter().filter_map(|(node, link)| Some((*node, said(link)?))).collect()
    }

    /// The clocks of the peers.
    pub fn clocks(&self) -> &Clocks {
        &self.0.clocks
    }

    /// Queues a call at once, in the order of these calls, and gives its answer.
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
            // Before it has said what it takes, it is asked again in a moment.
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

/// The way to one node.
struct Way {
    ctx: NodeCtx,
    port: Port,
    ledger: Ledger,
    clocks: Clocks,
    node: NodeId,
    gone: watch::Sender<BTreeSet<NodeId>>,
}

impl Way {
    fn tell(&self, is_gone: bool) {
        self.gone.send_if_modified(|gone| if is_gone { gone.insert(self.node) } else { gone.remove(&self.node) });
    }
}

async fn run(way: Way, mut calls: mpsc::Receiver<Call>, up: watch::Sender<Option<Vitals>>) {
    let node = way.node;
    let mut was_up = true;
    // A lost connection is most often a process that has ended: it is looked at again soon, because
    // others wait to know.
    let mut soon = REDIAL_SOON_MS.iter();
    loop {
        let dialed = dial(&way.port, &way.ledger, node).await;
        way.tell(dialed.as_ref().is_err_and(nobody_listens));
        match dialed {
            Ok(stream) => {
                tracing::debug!(%node, "connected");
                let since = Instant::now();
                up.send_replace(Some(Vitals::default()));
                let ended = session(stream, Pings::new(node, way.clocks.clone()), &mut calls, &up).await;
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
                tracing::info!(%node, %error, "unreachable, trying again");
            }
            Err(error) => tracing::debug!(%node, %error, "still unreachable"),
        }
        if calls.is_closed() {
            return way.tell(false);
        }
        // What was queued before the link went down must not wait for its next life.
        while let Ok(call) = calls.try_recv() {
            let _ = call.answer.send(Err(CallError::Unreachable));
        }
        let wait = soon.next().copied().unwrap_or_else(|| way.ctx.rng.range(REDIAL_MIN_MS, REDIAL_MAX_MS));
        sleep(Duration::from_millis(wait)).await;
    }
}

/// No Raft call before each side knows which start of the other it deals with.
async fn dial(port: &Port, ledger: &Ledger, node: NodeId) -> io::Result<Box<dyn Stream>> {
    ledger.exchange(node).await?;
    port.dial(node, Protocol::Raft).await
}

/// One connection's life. `Ok`: nobody will call any more.
async fn session(
    stream: Box<dyn Stream>,
    mut pings: Pings,
    calls: &mut mpsc::Receiver<Call>,
    up: &watch::Sender<Option<Vitals>>,
) -> io::Result<()> {
    let (reader, mut writer) = split(stream);
    let mut reader = FrameReader::new(reader);
    // Dropped with the session, which answers every call in it with `Lost`.
    let mut pending: BTreeMap<u64, oneshot::Sender<Result<Bytes, CallError>>> = BTreeMap::new();
    let mut last_request = PING;
    let mut heard = Instant::now();
    let mut ping = interval(PING_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
                let mut next = Some(first);
                while let Some(call) = next {
                    last_request += 1;
                    let Call { kind, group, target, payload, answer } = call;
                    Frame { kind, request: last_request, group, target, payload }.put(&mut out);
                    pending.insert(last_request, answer);
                    next = if out.len() < WRITE_BYTES { calls.try_recv().ok() } else { None };
                }
                heard += write(&mut writer, &mut out).await?;
            }
            _ = ping.tick() => {
                if heard.elapsed() > LINK_SILENCE {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                // Who waits no longer is not worth remembering.
                pending.retain(|_, answer| !answer.is_closed());
                let payload = pings.ask();
                Frame { kind: Kind::Ping, request: PING, group: GroupId::META, target: 0, payload }.put(&mut out);
                heard += write(&mut writer, &mut out).await?;
            }
        }
    }
}

/// A peer that takes nothing for this long is as silent as one that says nothing. Gives the time
/// that it took, in which the peer was not listened to: an entry of 5 MB takes seconds on a slow
/// network.
async fn write(writer: &mut (impl AsyncWriteExt + Unpin), out: &mut BytesMut) -> io::Result<Duration> {
    let (bytes, begin) = (out.split().freeze(), Instant::now());
    for slice in bytes.chunks(SLICE_BYTES) {
        timeout(LINK_SILENCE, writer.write_all(slice)).await??;
    }
    timeout(LINK_SILENCE, writer.flush()).await??;
    Ok(begin.elapsed())
}
