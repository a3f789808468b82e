//! Finds the leader of a shard, asks it, and retries until the deadline.
//!
//! The router is no actor: it is a table of requests to other nodes and of the shards led here.
//! Every request is idempotent, so a retry is safe. The router keeps apart requests that were
//! refused and requests that may have been done.

mod attempts;
mod here;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use ractor::ActorRef;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use troupe_core::planted::{Bug, Planted};
use troupe_core::{Level, NodeId, ShardId, Slot, limits};
use troupe_proto::client;
use troupe_raft::Routing;
use troupe_runtime::trace::{At, Stage, Subject};
use troupe_runtime::{Platform, Rng};

use crate::mesh::{Envelope, Gauge, Kind, Mesh, MeshError};
use crate::message::{Outcome, Push, Refusal, Request, encoding};
use crate::protocol::{FanoutMsg, ShardMsg};
use crate::reply::{Replies, ReplyTo};
use crate::router::attempts::{Attempts, Next};

/// The time for a client's request, retries included.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// The time for one attempt at another node: longer than a failover, shorter than the patience.
const ATTEMPT: Duration = Duration::from_secs(3);

pub struct Router {
    me: NodeId,
    routing: watch::Receiver<Arc<Routing>>,
    platform: Platform,
    mesh: OnceLock<Arc<dyn Mesh>>,
    gauge: Arc<Gauge>,
    shards: Mutex<BTreeMap<ShardId, ActorRef<ShardMsg>>>,
    fanout: Mutex<Option<ActorRef<FanoutMsg>>>,
    pending: Mutex<BTreeMap<u64, Pending>>,
    /// Begins at a random number: a late answer may be for a request of an earlier process of this
    /// node.
    // Invariant: an answer belongs to one request of one process. An answer to another request
    // would acknowledge a message that is not committed.
    next_correlation: AtomicU64,
    rng: Arc<Rng>,
    planted: Planted,
}

/// A request that waits for another node's reply.
struct Pending {
    node: NodeId,
    waiter: oneshot::Sender<Outcome>,
}

impl Router {
    pub fn new(me: NodeId, routing: watch::Receiver<Arc<Routing>>, gauge: Arc<Gauge>, platform: &Platform) -> Router {
        Router {
            me,
            routing,
            platform: platform.clone(),
            mesh: OnceLock::new(),
            gauge,
            shards: Mutex::default(),
            fanout: Mutex::default(),
            pending: Mutex::default(),
            next_correlation: AtomicU64::new(platform.rng.u64()),
            rng: platform.rng.clone(),
            planted: platform.planted,
        }
    }

    /// The mesh needs an inbox, and the inbox needs the router. So the mesh joins later, once.
    pub fn join(&self, mesh: Arc<dyn Mesh>) {
        assert!(self.mesh.set(mesh).is_ok(), "a router joins one mesh");
    }

    pub fn routing(&self) -> Arc<Routing> {
        self.routing.borrow().clone()
    }

    pub fn shard_of(&self, slot: Slot) -> Option<ShardId> {
        let routing = self.routing.borrow();
        let shard = routing.shard(slot)?;
        if self.planted.is(Bug::WrongShard) && self.me == NodeId(2) && slot.0.is_multiple_of(4) {
            return Some(ShardId((shard.0 + 1) % routing.placement.len().max(1) as u32));
        }
        Some(shard)
    }

    /// Asks the leader of the slot's shard. The first attempt is queued before this returns, so
    /// that requests arrive in the order of the calls. The future is the answer. It is boxed here,
    /// because each async block around an unboxed one holds it twice.
    pub fn ask(
        self: &Arc<Self>,
        slot: Slot,
        request: Request,
        patience: Duration,
    ) -> Pin<Box<impl Future<Output = Outcome> + Send + use<>>> {
        let deadline = Instant::now() + patience;
        let pending = self.is_pending(&request);
        let first = self
            .shard_of(slot)
            .filter(|_| !pending)
            .map(|shard| (shard, self.attempt(shard, None, &request, deadline)));
        let router = self.clone();
        Box::pin(async move {
            if pending {
                return Err(client::Refusal::UpgradePending.into());
            }
            router.see_through(slot, request, deadline, first).await
        })
    }

    /// Whether a request is above the feature level that this node knows. The leader checks a
    /// command too, unless its version knows no levels.
    fn is_pending(&self, request: &Request) -> bool {
        let level = self.level();
        match request {
            Request::Commit(command) => command.level() > level,
            Request::Operation { request, .. } => !encoding::is_known_at(level, request),
            Request::Signal(_) | Request::Watch { .. } | Request::Watches { .. } => level < Level::SECOND,
            _ => false,
        }
    }

    fn level(&self) -> Level {
        self.routing.borrow().level
    }

    async fn see_through(
        self: Arc<Self>,
        slot: Slot,
        request: Request,
        deadline: Instant,
        mut current: Option<(ShardId, Result<Attempt, Refusal>)>,
    ) -> Outcome {
        let mut routing = self.routing.clone();
        let mut attempts = Attempts::default();
        loop {
            routing.borrow_and_update();
            let outcome = match current.take() {
                Some((shard, Ok(attempt))) => self.finish(shard, attempt, deadline, &mut routing).await,
                Some((_, Err(refusal))) => Err(refusal),
                // Without a shard map there is no leader to ask.
                None => Err(Refusal::NotOwner { hint: None }),
            };
            let hint = match attempts.after(outcome) {
                // A signal that may be on its way is not sent again.
                Next::Retry { .. } if attempts.is_in_doubt() && matches!(request, Request::Signal(_)) => {
                    return Err(attempts.exhausted());
                }
                Next::Return(outcome) => return outcome,
                Next::Retry { hint } => hint,
            };
            let pause = attempts.pause(&self.rng);
            if Instant::now() + pause >= deadline {
                return Err(attempts.exhausted());
            }
            self.platform.metrics.retries.up();
            if hint.is_none() || attempts.hints_used_up() {
                tokio::select! {
                    () = news(&mut routing) => {}
                    () = tokio::time::sleep(pause) => {}
                }
            }
            current = self.shard_of(slot).map(|shard| (shard, self.attempt(shard, hint, &request, deadline)));
        }
    }

    /// Queues one attempt. An error here is definite.
    fn attempt(
        self: &Arc<Self>,
        shard: ShardId,
        hint: Option<NodeId>,
        request: &Request,
        deadline: Instant,
    ) -> Result<Attempt, Refusal> {
        let known = self.routing.borrow().leader(shard).map(|(node, _)| node);
        let node = hint.or(known).ok_or(Refusal::NotOwner { hint: None })?;
        self.hop(request, Stage::Router, shard, node);
        if node == self.me {
            let (reply, answer) = ReplyTo::here();
            self.to_shard_here(shard, request.clone(), reply)?;
            return Ok(Attempt { node, correlation: None, answer });
        }
        let left = deadline.saturating_duration_since(Instant::now()).min(ATTEMPT);
        let (waiter, answer) = oneshot::channel();
        let correlation = self.next_correlation.fetch_add(1, Ordering::Relaxed);
        {
            let mut pending = self.pending.lock();
            if pending.len() >= limits::NODE_PENDING {
                return Err(Refusal::OVERLOADED);
            }
            pending.insert(correlation, Pending { node, waiter });
        }
        let envelope = Envelope {
            kind: Kind::Request,
            correlation,
            shard: Some(shard),
            deadline_ms: left.as_millis() as u32,
            body: encoding::encode_request(request, self.level()),
        };
        self.send(node, shard.0, envelope).map_err(|error| {
            self.pending.lock().remove(&correlation);
            match error {
                MeshError::Down => Refusal::NotOwner { hint: None },
                MeshError::Full => Refusal::OVERLOADED,
                MeshError::TooLarge => Refusal::rejected("too_large", "too large for one request: split it"),
            }
        })?;
        Ok(Attempt { node, correlation: Some(correlation), answer })
    }

    async fn finish(
        &self,
        shard: ShardId,
        attempt: Attempt,
        deadline: Instant,
        routing: &mut watch::Receiver<Arc<Routing>>,
    ) -> Outcome {
        let until = deadline.min(Instant::now() + ATTEMPT);
        let outcome = tokio::select! {
            biased;
            answer = tokio::time::timeout_at(until, attempt.answer) => answer.unwrap_or(Ok(Err(Refusal::Unavailable))),
            () = another_leads(routing, shard, attempt.node) => Ok(Err(Refusal::Unavailable)),
        };
        if let Some(correlation) = attempt.correlation {
            self.pending.lock().remove(&correlation);
        }
        // Late, overtaken by an election, or dropped with its actor: the outcome is unknown.
        outcome.unwrap_or(Err(Refusal::Unavailable))
    }

    /// Sends a request without an answer. It is lost if there is no leader now.
    pub fn tell(self: &Arc<Self>, slot: Slot, request: Request) {
        let Some(shard) = self.shard_of(slot) else { return };
        let Some((node, _)) = self.routing.borrow().leader(shard) else { return };
        if node == self.me {
            // A refused one is lost, which the contract allows.
            let _ = self.to_shard_here(shard, request, ReplyTo::none());
            return;
        }
        let body = encoding::encode_request(&request, self.level());
        let envelope = Envelope { kind: Kind::Push, correlation: 0, shard: Some(shard), deadline_ms: 0, body };
        if self.send(node, shard.0, envelope).is_err() {
            self.platform.metrics.lost_pushes.up();
        }
    }

    /// Sends a push to a node. `lane` keeps the order of one conversation.
    pub fn push(&self, node: NodeId, lane: ShardId, push: &Push) {
        self.push_all([node], lane, push);
    }

    /// As [`Router::push`], encoded once for all these nodes.
    pub fn push_all(&self, nodes: impl IntoIterator<Item = NodeId>, lane: ShardId, push: &Push) {
        let mut encoded: Option<Bytes> = None;
        for node in nodes {
            if node == self.me {
                self.to_fanout_here(push.clone());
                continue;
            }
            let body = encoded.get_or_insert_with(|| encoding::encode_push(push, self.routing.borrow().level)).clone();
            let envelope = Envelope { kind: Kind::Push, correlation: 0, shard: None, deadline_ms: 0, body };
            if self.send(node, lane.0, envelope).is_err() {
                self.platform.metrics.lost_pushes.up();
            }
        }
    }

    /// Takes an envelope from another node. Must not block.
    pub fn received(self: &Arc<Self>, from: NodeId, envelope: Envelope) {
        match (envelope.kind, envelope.shard) {
            (Kind::Request, Some(shard)) => {
                let reply = ReplyTo::node(self.clone(), from, envelope.correlation, self.gauge.enter());
                match encoding::decode_request(envelope.body) {
                    Ok(request) => {
                        self.hop(&request, Stage::Lane, shard, from);
                        match self.shard_here(shard) {
                            Some(actor) => drop(actor.send_message(ShardMsg::Request { request, reply })),
                            None => reply.refuse(self.not_owner(shard)),
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%from, %error, "a request of another version was refused");
                        reply.refuse(Refusal::rejected("bad_request", "this node does not know the request"));
                    }
                }
            }
            (Kind::Push, Some(shard)) => {
                if let Ok(request) = encoding::decode_request(envelope.body) {
                    // A refused one is lost, which the contract allows.
                    let _ = self.to_shard_here(shard, request, ReplyTo::none());
                }
            }
            (Kind::Push, None) => {
                if let Ok(push) = encoding::decode_push(envelope.body) {
                    self.to_fanout_here(push);
                }
            }
            (Kind::Reply, _) => {
                let pending = self.pending.lock().remove(&envelope.correlation);
                if let Some(pending) = pending.filter(|pending| pending.node == from) {
                    let outcome = encoding::decode_outcome(envelope.body).unwrap_or(Err(Refusal::Unavailable));
                    let _ = pending.waiter.send(outcome);
                }
            }
            (Kind::Request, None) => {
                let refusal = Err(Refusal::rejected("bad_request", "a request names its shard"));
                self.reply(from, envelope.correlation, &refusal);
            }
        }
    }

    /// Requests to this node that are not answered may or may not have been done.
    pub fn node_down(&self, node: NodeId) {
        let mut pending = self.pending.lock();
        let lost: Vec<u64> = pending.iter().filter(|(_, p)| p.node == node).map(|(id, _)| *id).collect();
        for id in lost {
            if let Some(lost) = pending.remove(&id) {
                let _ = lost.waiter.send(Err(Refusal::Unavailable));
            }
        }
    }

    /// Records where a message is. Other requests leave no trace.
    fn hop(&self, request: &Request, stage: Stage, shard: ShardId, other: NodeId) {
        if let Request::Commit(command) = request
            && let Some(message) = Subject::of(command)
        {
            self.platform.hop(message, stage, At::shard(shard).detail(other.0));
        }
    }

    pub fn in_flight(&self) -> usize {
        self.pending.lock().len()
    }

    fn send(&self, node: NodeId, lane: u32, envelope: Envelope) -> Result<(), MeshError> {
        self.mesh.get().map_or(Err(MeshError::Down), |mesh| mesh.send(node, lane, envelope))
    }

    fn not_owner(&self, shard: ShardId) -> Refusal {
        let hint = self.routing.borrow().leader(shard).map(|(node, _)| node).filter(|node| *node != self.me);
        Refusal::NotOwner { hint }
    }
}

impl Replies for Router {
    fn reply(&self, node: NodeId, correlation: u64, outcome: &Outcome) {
        let envelope = |outcome| Envelope {
            kind: Kind::Reply,
            correlation,
            shard: None,
            deadline_ms: 0,
            body: encoding::encode_outcome(outcome, self.level()),
        };
        let lane = correlation as u32;
        if let Err(MeshError::TooLarge) = self.send(node, lane, envelope(outcome)) {
            let refusal = Err(Refusal::rejected("too_large", "the answer is too large: ask for less at once"));
            let _ = self.send(node, lane, envelope(&refusal));
        }
    }
}

/// Ends when the routing has changed. It never ends on a node that stops.
async fn news(routing: &mut watch::Receiver<Arc<Routing>>) {
    if routing.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Ends when another node than the asked one leads the shard: a frozen leader does not answer, its
/// successor does.
async fn another_leads(routing: &mut watch::Receiver<Arc<Routing>>, shard: ShardId, asked: NodeId) {
    let elsewhere = |routing: &Arc<Routing>| routing.leader(shard).is_some_and(|(leader, _)| leader != asked);
    if routing.wait_for(elsewhere).await.is_err() {
        // The routing does not change any more: the deadline decides.
        std::future::pending::<()>().await;
    }
}

/// One attempt in flight.
struct Attempt {
    node: NodeId,
    correlation: Option<u64>,
    answer: oneshot::Receiver<Outcome>,
}
