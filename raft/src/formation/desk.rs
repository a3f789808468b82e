//! What this node has written down about its place in a cluster, and what it tells others who ask.
//!
//! All decisions of formation that matter are one row, changed here under one lock and synced
//! before anybody hears of it: the promise of a birth, its confirmation, an admission. The order is
//! fixed: empty, promised, member; or empty, member.

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
use troupe_runtime::{NodeCtx, Rng, Stream};
use troupe_store::engine::{Batch, Durability, Engine, EngineError, Family};
use troupe_store::key::node;

use super::ledger::{Announcement, Book, PutBack};
use super::message::{self, Admission, Answer, Membership, Presence, Question, Standing};
use super::rotation::{self, After, Rotation};
use super::{Addresses, Birth, Identity, JoinRequest, Levels, admission, hex};
use crate::cluster::StartError;
use crate::port::{Inbound, Port};

/// Conversations with other nodes at once. Above it a new one is closed; who asked asks again.
const TALKS: usize = 64;
/// For a question to arrive, and for an answer to leave.
const TALK_TIME: Duration = Duration::from_secs(5);

/// Why a node without a place founds no cluster and promises no birth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// It has asked a cluster, which may have admitted it.
    Joining,
    /// It had a place and lost its data.
    Returning,
}

impl Bound {
    pub fn text(self) -> &'static str {
        match self {
            Bound::Joining => {
                "this node has asked a cluster to admit it and waits for one of its members; to found another cluster with it, empty its data directory"
            }
            Bound::Returning => {
                "this node has lost its data and waits for one that still belongs to its cluster; it founds no new one"
            }
        }
    }
}

pub struct Desk {
    executor: Arc<dyn Executor>,
    engine: Arc<dyn Engine>,
    rng: Arc<Rng>,
    book: Arc<Book>,
    me: Addresses,
    /// `None` without TLS.
    rotation: Option<Rotation>,
    /// The founding list this node was started with.
    list: Vec<String>,
    levels: Levels,
    state: Mutex<State>,
    /// Somebody else's question has changed the state.
    changed: Notify,
}

struct State {
    identity: Option<Identity>,
    /// Set as long as there is no identity, if there is a cluster that this node waits for.
    bound: Option<Bound>,
    /// To be admitted, as soon as it was made.
    request: Option<[u8; 16]>,
    /// The node must stop.
    failed: Option<EngineError>,
}

impl Desk {
    pub fn open(
        ctx: &NodeCtx,
        engine: Arc<dyn Engine>,
        book: Arc<Book>,
        me: Addresses,
        list: Vec<String>,
        rotation: Option<Rotation>,
        levels: Levels,
    ) -> Result<Desk, StartError> {
        let identity = match engine.get(Family::Node, node::IDENTITY)? {
            Some(row) => Some(Identity::decode(&row).ok_or_else(|| {
                StartError::Refused(
                    "this data directory's identity is damaged or was written by a later version: start that version, or begin with an empty directory".into(),
                )
            })?),
            None => None,
        };
        if let Some(Identity { confirmed: false, birth: Some(birth), .. }) = &identity
            && !birth.is_of(&list)
        {
            return Err(StartError::Refused(format!(
                "this data directory has begun the birth of a cluster of {}, but this node is started for {}: start it for the former, or, as nothing is stored yet, empty the data directories of all of them",
                birth.addresses().collect::<Vec<_>>().join(", "),
                list.join(", "),
            )));
        }
        let request = engine.get(Family::Node, node::JOIN)?.and_then(|row| <[u8; 16]>::try_from(row).ok());
        let bound = if engine.get(Family::Node, node::REJOIN)?.is_some() {
            Some(Bound::Returning)
        } else {
            request.map(|_| Bound::Joining)
        };
        Ok(Desk {
            executor: Arc::clone(&ctx.executor),
            rng: Arc::clone(&ctx.rng),
            engine,
            book,
            me,
            list,
            rotation,
            levels,
            state: Mutex::new(State { identity, bound, request, failed: None }),
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

    /// As written down.
    pub async fn identity(&self) -> Result<Option<Identity>, StartError> {
        let state = self.state.lock().await;
        match &state.failed {
            Some(error) => Err(error.clone().into()),
            None => Ok(state.identity.clone()),
        }
    }

    /// Whether a node without a place waits for a certain cluster, and why.
    pub async fn bound(&self) -> Option<Bound> {
        self.state.lock().await.bound
    }

    /// Resolves when somebody else's question has changed the state.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Promises a birth, durably, unless another one was promised or the node has a place. The
    /// inner error says why not.
    pub async fn promise(&self, birth: &Birth) -> Result<Result<(), String>, StartError> {
        let mut state = self.state.lock().await;
        if let Some(identity) = &state.identity {
            let same = identity.birth.as_ref() == Some(birth);
            return Ok(same.then_some(()).ok_or_else(|| {
                format!("it has a place in cluster {} and promises no other", hex(identity.cluster_id))
            }));
        }
        if let Some(bound) = state.bound {
            return Ok(Err(bound.text().to_owned()));
        }
        let Some(founder) = birth.founder(&self.me.cluster).filter(|_| birth.is_of(&self.list)) else {
            return Ok(Err(lists_differ(&self.me.cluster, &self.list, birth.addresses())));
        };
        if let Some(why) = self.levels.objection(birth.level) {
            return Ok(Err(why));
        }
        let identity = Identity {
            cluster_id: birth.cluster_id,
            me: founder.id,
            birth: Some(birth.clone()),
            confirmed: false,
            nodes: BTreeMap::new(),
        };
        info!(cluster = %hex(birth.cluster_id), "promised the birth of a cluster");
        self.keep_identity(&mut state, identity).await.map(Ok)
    }

    /// All founders have promised: from here on this node takes part.
    pub async fn confirm(&self) -> Result<(), StartError> {
        let mut state = self.state.lock().await;
        let Some(identity) = state.identity.clone() else { return Ok(()) };
        self.keep_identity(&mut state, Identity { confirmed: true, ..identity }).await
    }

    /// The request to be admitted to a cluster, the same at every call for ever; `None` if a birth
    /// was promised meanwhile.
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
        state.bound = state.bound.or(Some(Bound::Joining));
        let Addresses { cluster: address, client: client_address, http: http_address } = self.me.clone();
        let levels = self.levels.range;
        Ok(Some(JoinRequest { request, address, client_address, http_address, levels }))
    }

    /// The node that the request made is no more, and this one has never been it: the next request
    /// is another.
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
        self.keep_identity(&mut state, Identity { cluster_id, me, birth: None, confirmed: true, nodes }).await
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

    /// Writes down which start another node is in, unless that one has been put back.
    async fn note(&self, port: &Port, told: Announcement) -> Result<Answer, StartError> {
        let belongs = |identity: &Identity| identity.cluster_id == told.cluster_id && identity.me == told.to;
        let meant = |identity: &Identity| identity.confirmed && belongs(identity);
        if !self.state.lock().await.identity.as_ref().is_some_and(meant) {
            return Ok(Answer::Unavailable("it is another node than the one meant".to_owned()));
        }
        if let Some(why) = self.levels.here.get().refusal(told.levels) {
            return Ok(Answer::Refused(why));
        }
        if let Some(seen) = told.seen.filter(|seen| !self.book.may_follow(self.book.start(), seen)) {
            return Ok(Answer::Unavailable(self.book.put_back(told.from, seen.number)));
        }
        Ok(match self.book.note(told.from, &told.start).await? {
            Ok(()) => {
                port.whereabouts().heard(told.from, &told.address);
                Answer::Noted(self.book.start().clone(), self.levels.range)
            }
            Err(PutBack { seen }) => Answer::Outdated { number: seen },
        })
    }

    async fn presence(&self, port: &Port) -> Presence {
        let state = self.state.lock().await;
        let standing = match &state.identity {
            None if state.bound.is_some() => Standing::Bound(state.request),
            None => Standing::Empty(self.list.clone()),
            Some(Identity { confirmed: false, birth: Some(birth), .. }) => Standing::Promised(birth.clone()),
            Some(Identity { cluster_id, me, .. }) => {
                let nodes = port.whereabouts().all();
                let in_force = self.levels.here.get();
                Standing::Member(Membership { cluster_id: *cluster_id, node: Some(*me), nodes, in_force })
            }
        };
        Presence { addresses: self.me.clone(), standing, levels: self.levels.range }
    }

    /// For a member that has proved its number, or, as node 0, for whoever holds the token.
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
            Question::Hello => Answer::Standing(self.presence(port).await),
            Question::Promise(birth) => match self.promise(&birth).await {
                Ok(Ok(())) => {
                    self.changed.notify_one();
                    Answer::Promised
                }
                Ok(Err(why)) => Answer::Refused(why),
                Err(error) => Answer::Unavailable(error.to_string()),
            },
            Question::Join(join) => match port.directory() {
                Some(directory) => admission::admit(port, directory.as_ref(), join).await,
                None => Answer::Unavailable("it has no place in a cluster yet, or starts or stops".into()),
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
pub async fn serve(desk: Arc<Desk>, port: Port, mut streams: mpsc::Receiver<Inbound>) {
    let mut talks = JoinSet::new();
    while let Some(Inbound { from, peer, stream }) = streams.recv().await {
        while talks.try_join_next().is_some() {}
        if talks.len() >= TALKS {
            debug!("closed: too many questions about formation at once");
            continue;
        }
        let (desk, port) = (Arc::clone(&desk), port.clone());
        talks.spawn(async move {
            if let Err(error) = talk(&desk, &port, (from, peer), stream).await {
                debug!(%error, "a question about formation broke off");
            }
        });
    }
}

async fn talk(
    desk: &Desk,
    port: &Port,
    from: (NodeId, SocketAddr),
    mut stream: Box<dyn Stream>,
) -> std::io::Result<()> {
    let question = timeout(TALK_TIME, message::receive(&mut stream)).await??;
    let question = Question::from_wire(question).ok_or_else(message::invalid)?;
    // Not bounded here: what is being written down must not be torn from its lock in the middle.
    let (answer, after) = desk.answer(port, from, question).await;
    let sent = timeout(TALK_TIME, message::send(&mut stream, &answer.to_wire())).await;
    if let Some(rotation) = &desk.rotation {
        rotation.finish(port, after).await;
    }
    sent?
}

/// The id of the first founder, who founds.
pub const FIRST: NodeId = NodeId(1);
