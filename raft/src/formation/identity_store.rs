//! The durable identity of this node, and its answers to other nodes about it.
//!
//! All important decisions of formation are one row, changed here under one lock and synced before
//! any other node hears of it: the promise of a bootstrap, its confirmation, an admission. The
//! order is fixed: empty, promised, member; or empty, member.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, info};
use troupe_core::NodeId;
use troupe_runtime::executor::{Executor, Lane, run};
use troupe_runtime::{Platform, Rng, Stream};
use troupe_store::engine::{Batch, Durability, Engine, EngineError, Family};
use troupe_store::key::node;

use super::admission;
use super::boot::Announcement;
use super::boot_history::{BootRegistry, PutBack};
use super::bootstrap::{Bootstrap, Levels, hex};
use super::identity::Identity;
use super::message::{self, Admission, Answer, Membership, PeerState, PeerStatus, Question};
use super::rotation::{self, After, Rotation};
use crate::api::{Addresses, JoinRequest, StartError};
use crate::transport::port::{Inbound, Port};

/// Connections from other nodes at once. At the limit a new one is closed, and its node retries.
const CONNECTIONS: usize = 64;
/// The time in which a request arrives or an answer leaves.
const MESSAGE_TIME: Duration = Duration::from_secs(5);

/// The reason why a node without an identity takes part in no bootstrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaiting {
    /// It has asked a cluster, which may have admitted it.
    Joining,
    /// It was a member and lost its data.
    Returning,
}

impl Awaiting {
    pub fn text(self) -> &'static str {
        match self {
            Awaiting::Joining => {
                "this node has asked a cluster for admission and waits for a member of it; to create another cluster with it, empty its data directory"
            }
            Awaiting::Returning => {
                "this node has lost its data and waits for a member of its cluster; it creates no new one"
            }
        }
    }
}

pub struct IdentityStore {
    executor: Arc<dyn Executor>,
    engine: Arc<dyn Engine>,
    rng: Arc<Rng>,
    boots: Arc<BootRegistry>,
    me: Addresses,
    /// `None` without TLS.
    rotation: Option<Rotation>,
    /// The founding list with which this node was started.
    list: Vec<String>,
    levels: Levels,
    state: Mutex<State>,
    /// Notified when a request of another node has changed the state.
    changed: Notify,
}

struct State {
    identity: Option<Identity>,
    /// Set while there is no identity, if the node waits for a certain cluster.
    awaiting: Option<Awaiting>,
    /// The request for admission, once it was drawn.
    request: Option<[u8; 16]>,
    /// The node must stop.
    failed: Option<EngineError>,
}

impl IdentityStore {
    pub fn open(
        platform: &Platform,
        engine: Arc<dyn Engine>,
        boots: Arc<BootRegistry>,
        me: Addresses,
        list: Vec<String>,
        rotation: Option<Rotation>,
        levels: Levels,
    ) -> Result<IdentityStore, StartError> {
        let identity = match engine.get(Family::Node, node::IDENTITY)? {
            Some(row) => Some(Identity::decode(&row).ok_or_else(|| {
                StartError::Refused(
                    "this data directory's identity is damaged or was written by a later version: start that version, or begin with an empty directory".into(),
                )
            })?),
            None => None,
        };
        if let Some(Identity { confirmed: false, bootstrap: Some(bootstrap), .. }) = &identity
            && !bootstrap.is_of(&list)
        {
            return Err(StartError::Refused(format!(
                "this data directory has begun to bootstrap a cluster of {}, but this node is started for {}: start it for the former, or, as nothing is stored yet, empty the data directories of all of them",
                bootstrap.addresses().collect::<Vec<_>>().join(", "),
                list.join(", "),
            )));
        }
        let request = engine.get(Family::Node, node::JOIN)?.and_then(|row| <[u8; 16]>::try_from(row).ok());
        let awaiting = if engine.get(Family::Node, node::REJOIN)?.is_some() {
            Some(Awaiting::Returning)
        } else {
            request.map(|_| Awaiting::Joining)
        };
        Ok(IdentityStore {
            executor: Arc::clone(&platform.executor),
            rng: Arc::clone(&platform.rng),
            engine,
            boots,
            me,
            list,
            rotation,
            levels,
            state: Mutex::new(State { identity, awaiting, request, failed: None }),
            changed: Notify::new(),
        })
    }

    pub fn me(&self) -> &Addresses {
        &self.me
    }

    pub fn levels(&self) -> &Levels {
        &self.levels
    }

    pub fn list(&self) -> &[String] {
        &self.list
    }

    /// The identity on disk.
    pub async fn identity(&self) -> Result<Option<Identity>, StartError> {
        let state = self.state.lock().await;
        match &state.failed {
            Some(error) => Err(error.clone().into()),
            None => Ok(state.identity.clone()),
        }
    }

    /// Whether a node without an identity waits for a certain cluster, and why.
    pub async fn awaiting(&self) -> Option<Awaiting> {
        self.state.lock().await.awaiting
    }

    /// Resolves when a request of another node has changed the state.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Promises a bootstrap durably, unless another one was promised or the node is a member. The
    /// inner error is the reason of a refusal.
    pub async fn promise(&self, bootstrap: &Bootstrap) -> Result<Result<(), String>, StartError> {
        let mut state = self.state.lock().await;
        if let Some(identity) = &state.identity {
            let same = identity.bootstrap.as_ref() == Some(bootstrap);
            return Ok(same.then_some(()).ok_or_else(|| {
                format!("it is a member of cluster {} and promises no other", hex(identity.cluster_id))
            }));
        }
        if let Some(awaiting) = state.awaiting {
            return Ok(Err(awaiting.text().to_owned()));
        }
        let Some(founder) = bootstrap.founder(&self.me.cluster).filter(|_| bootstrap.is_of(&self.list)) else {
            return Ok(Err(lists_differ(&self.me.cluster, &self.list, bootstrap.addresses())));
        };
        if let Some(why) = self.levels.objection(bootstrap.level) {
            return Ok(Err(why));
        }
        let identity = Identity {
            cluster_id: bootstrap.cluster_id,
            me: founder.id,
            bootstrap: Some(bootstrap.clone()),
            confirmed: false,
            nodes: BTreeMap::new(),
        };
        info!(cluster = %hex(bootstrap.cluster_id), "promised the bootstrap of a cluster");
        self.keep_identity(&mut state, identity).await.map(Ok)
    }

    /// All founders have promised: from here on this node takes part.
    pub async fn confirm(&self) -> Result<(), StartError> {
        let mut state = self.state.lock().await;
        let Some(identity) = state.identity.clone() else { return Ok(()) };
        self.keep_identity(&mut state, Identity { confirmed: true, ..identity }).await
    }

    /// The request for admission, the same at every call; `None` if a bootstrap was promised
    /// meanwhile.
    pub async fn begin_join(&self) -> Result<Option<JoinRequest>, StartError> {
        let mut state = self.state.lock().await;
        if state.identity.is_some() {
            return Ok(None);
        }
        let request = match state.request {
            Some(request) => request,
            None => {
                let request = self.rng.bytes();
                self.put(&mut state, node::JOIN, request.to_vec()).await?;
                state.request = Some(request);
                request
            }
        };
        state.awaiting = state.awaiting.or(Some(Awaiting::Joining));
        let Addresses { cluster: address, client: client_address, http: http_address } = self.me.clone();
        let levels = self.levels.range;
        Ok(Some(JoinRequest { request, address, client_address, http_address, levels }))
    }

    /// The node that the request created is removed, and this node has never been it. The next
    /// request is a new one.
    pub async fn forget_join(&self) -> Result<(), StartError> {
        let mut state = self.state.lock().await;
        let mut batch = Batch::default();
        batch.delete(Family::Node, node::JOIN);
        state.request = None;
        self.write(&mut state, batch).await
    }

    pub async fn admitted(&self, admission: Admission) -> Result<(), StartError> {
        let mut state = self.state.lock().await;
        let Admission { cluster_id, me, nodes } = admission;
        self.keep_identity(&mut state, Identity { cluster_id, me, bootstrap: None, confirmed: true, nodes }).await
    }

    async fn keep_identity(&self, state: &mut State, identity: Identity) -> Result<(), StartError> {
        self.put(state, node::IDENTITY, identity.encode()).await?;
        state.identity = Some(identity);
        Ok(())
    }

    async fn put(&self, state: &mut State, key: &[u8], value: Vec<u8>) -> Result<(), StartError> {
        let mut batch = Batch::default();
        batch.put(Family::Node, key, value);
        self.write(state, batch).await
    }

    async fn write(&self, state: &mut State, batch: Batch) -> Result<(), StartError> {
        let engine = Arc::clone(&self.engine);
        let written = run(self.executor.as_ref(), Lane::Flush, move || engine.write(batch, Durability::Synced)).await;
        match written {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => {
                state.failed = Some(error.clone());
                self.changed.notify_one();
                Err(error.into())
            }
            None => Err(StartError::Refused("this node is stopping".into())),
        }
    }

    /// Records the start of another node, unless its disk was replaced by an earlier copy.
    async fn note(&self, port: &Port, told: Announcement) -> Result<Answer, StartError> {
        let belongs = |identity: &Identity| identity.cluster_id == told.cluster_id && identity.me == told.to;
        let meant = |identity: &Identity| identity.confirmed && belongs(identity);
        if !self.state.lock().await.identity.as_ref().is_some_and(meant) {
            return Ok(Answer::Unavailable("it is not the addressed node".to_owned()));
        }
        if let Some(why) = self.levels.here.get().refusal(told.levels) {
            return Ok(Answer::Refused(why));
        }
        if let Some(seen) = told.seen.filter(|seen| !self.boots.may_follow(self.boots.start(), seen)) {
            return Ok(Answer::Unavailable(self.boots.put_back(told.from, seen.number)));
        }
        Ok(match self.boots.note(told.from, &told.start).await? {
            Ok(()) => {
                port.address_book().heard(told.from, &told.address);
                Answer::Noted(self.boots.start().clone(), self.levels.range)
            }
            Err(PutBack { seen }) => Answer::Outdated { number: seen },
        })
    }

    async fn presence(&self, port: &Port) -> PeerStatus {
        let state = self.state.lock().await;
        let standing = match &state.identity {
            None if state.awaiting.is_some() => PeerState::Awaiting(state.request),
            None => PeerState::Empty(self.list.clone()),
            Some(Identity { confirmed: false, bootstrap: Some(bootstrap), .. }) => {
                PeerState::Promised(bootstrap.clone())
            }
            Some(Identity { cluster_id, me, .. }) => {
                let nodes = port.address_book().all();
                let in_force = self.levels.here.get();
                PeerState::Member(Membership { cluster_id: *cluster_id, node: Some(*me), nodes, in_force })
            }
        };
        PeerStatus { addresses: self.me.clone(), state: standing, levels: self.levels.range }
    }

    /// Answers a member that has proved its number, or, as node 0, a holder of the token.
    async fn answer(&self, port: &Port, (from, peer): (NodeId, SocketAddr), question: Question) -> (Answer, After) {
        let answer = match question {
            Question::Rotate => match &self.rotation {
                Some(rotation) => return rotation.answer(port, peer).await,
                None => return rotation::without_tls(),
            },
            Question::Token(step) => match &self.rotation {
                Some(rotation) => return rotation.take(port, from, step).await,
                None => return rotation::without_tls(),
            },
            Question::Hello => Answer::Status(self.presence(port).await),
            Question::Promise(bootstrap) => match self.promise(&bootstrap).await {
                Ok(Ok(())) => {
                    self.changed.notify_one();
                    Answer::Promised
                }
                Ok(Err(why)) => Answer::Refused(why),
                Err(error) => Answer::Unavailable(error.to_string()),
            },
            Question::Join(join) => match port.member_registry() {
                Some(registry) => admission::admit(port, registry.as_ref(), join).await,
                None => Answer::Unavailable("it is not a member of a cluster yet, or starts or stops".into()),
            },
            Question::Announce(told) => match self.note(port, told).await {
                Ok(answer) => answer,
                Err(error) => Answer::Unavailable(error.to_string()),
            },
        };
        (answer, After::Nothing)
    }
}

/// Names both lists, so that the operator sees which one is wrong.
pub fn lists_differ<'a>(here: &str, ours: &[String], theirs: impl Iterator<Item = &'a str>) -> String {
    format!(
        "the join lists differ: {here} was started for {}, the other side for {}; start all nodes with the same list",
        ours.join(", "),
        theirs.collect::<Vec<_>>().join(", "),
    )
}

/// Answers other nodes until the port is shut down.
pub async fn serve(identity_store: Arc<IdentityStore>, port: Port, mut streams: mpsc::Receiver<Inbound>) {
    let mut connections = JoinSet::new();
    while let Some(Inbound { from, peer, stream }) = streams.recv().await {
        while connections.try_join_next().is_some() {}
        if connections.len() >= CONNECTIONS {
            debug!("closed: too many concurrent formation requests");
            continue;
        }
        let (identity_store, port) = (Arc::clone(&identity_store), port.clone());
        connections.spawn(async move {
            if let Err(error) = handle_connection(&identity_store, &port, (from, peer), stream).await {
                debug!(%error, "a formation request failed");
            }
        });
    }
}

async fn handle_connection(
    identity_store: &IdentityStore,
    port: &Port,
    from: (NodeId, SocketAddr),
    mut stream: Box<dyn Stream>,
) -> std::io::Result<()> {
    let question = timeout(MESSAGE_TIME, message::receive(&mut stream)).await??;
    let question = Question::from_wire(question).ok_or_else(message::invalid)?;
    // Not bounded by a timeout: a write must not be cancelled in the middle.
    let (answer, after) = identity_store.answer(port, from, question).await;
    let sent = timeout(MESSAGE_TIME, message::send(&mut stream, &answer.to_wire())).await;
    if let Some(rotation) = &identity_store.rotation {
        rotation.finish(port, after).await;
    }
    sent?
}

/// The id of the first founder, which bootstraps the cluster.
pub const FIRST: NodeId = NodeId(1);
