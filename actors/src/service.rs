//! The service of a node: typed operations with a verified caller, the same for every edge.
//!
//! An edge turns its frames into the operations of [`crate::ops`], and their answers into frames.
//! It verifies a caller once, by an [`Entry`]. Only that [`Caller`] can perform an [`Operation`].

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use troupe_core::machine::bot::NOT_FOR_BOTS;
use troupe_core::planted::{Bug, Planted};
use troupe_core::record::Bot;
use troupe_core::{Command, ConversationId, Intent, NodeId, Rejection, Seq, Slot, Timestamp, UserId, limits};
use troupe_proto::client;
use troupe_runtime::metrics::Metrics;

use crate::address::Address;
use crate::budgets::{Budgets, Payer};
use crate::context::NodeContext;
use crate::directory::Directory;
use crate::failed_logins::FailedLogins;
use crate::message::{Answer, Outcome, Refusal, Request, Session, wire};
use crate::ops::check_file_link::{self, FileLink};
use crate::ops::post_hook::{self, HookPost, Posted};
use crate::ops::subscribe_push::{self, Subscription};
use crate::ops::verify::{self, Known};
use crate::ops::{Answered, AtLeader, Entry, Operation, repeat, scopes, send};
use crate::output::Output;
use crate::passwords::Passwords;
use crate::pictures::Pictures;
use crate::places::Places;
use crate::router::PATIENCE;

/// Shared, cheap to clone.
#[derive(Clone)]
pub struct Service(Arc<Shared>);

/// The state of all operations of a node.
pub struct Shared {
    pub(crate) context: NodeContext,
    pub(crate) passwords: Passwords,
    pub(crate) pictures: Pictures,
    pub(crate) directory: Directory,
    pub(crate) places: Places,
    pub(crate) budgets: Arc<Budgets>,
    pub(crate) output: Arc<Output>,
    pub(crate) clients: watch::Receiver<Clients>,
    /// Counts how often fan-out was lost, and with it the sinks of all connections.
    pub(crate) fanout_lost: watch::Receiver<u64>,
    pub(crate) failed_logins: FailedLogins,
    /// Direct messages that wait for the lookup of their peer.
    pub(crate) unchecked: Mutex<BTreeMap<(UserId, ConversationId), Vec<send::Unchecked>>>,
}

impl Deref for Service {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Where the clients of this node belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clients {
    Here,
    /// This node is being emptied, or has no majority: its clients are sent to these nodes, and
    /// served until they go.
    Elsewhere {
        nodes: Vec<String>,
    },
    /// This node is about to stop: the same, and sessions are opened and resumed elsewhere only.
    Draining {
        nodes: Vec<String>,
    },
}

impl Clients {
    /// The nodes to send clients to.
    pub fn elsewhere(&self) -> Option<&[String]> {
        match self {
            Clients::Here => None,
            Clients::Elsewhere { nodes } | Clients::Draining { nodes } => Some(nodes),
        }
    }
}

/// A node of the cluster, as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: NodeId,
    /// Where native clients connect.
    pub client: String,
    pub http: String,
    pub reachable: bool,
    /// It is being emptied, or has left: clients are better served by the others.
    pub leaves: bool,
}

/// A user whose session was verified, on one connection. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Caller(Arc<Verified>);

#[derive(Debug)]
pub struct Verified {
    pub session: Session,
    /// For budgets, and for the audit log.
    pub address: Address,
    /// The caller is a bot, with the scopes of its token as they were then.
    pub bot: Option<Bot>,
}

impl Caller {
    /// Only for an [`Entry`] that has verified the session.
    pub(crate) fn verified(session: Session, address: Address) -> Caller {
        Caller::of(session, address, None)
    }

    /// As [`Caller::verified`], for a session that may be a bot's token.
    pub(crate) fn of(session: Session, address: Address, bot: Option<Bot>) -> Caller {
        Caller(Arc::new(Verified { session, address, bot }))
    }

    pub fn user(&self) -> UserId {
        self.session.user
    }
}

impl Deref for Caller {
    type Target = Verified;

    fn deref(&self) -> &Verified {
        &self.0
    }
}

impl Service {
    pub fn new(shared: Shared) -> Service {
        Service(Arc::new(shared))
    }

    /// Performs a request of a user. Messages are queued in the order of these calls; the future is
    /// the answer.
    pub fn perform<O: Operation>(
        &self,
        caller: &Caller,
        operation: O,
    ) -> impl Future<Output = Answered<O>> + Send + use<O> {
        let refused = self.scoped::<O>(caller).err();
        let performed = refused.is_none().then(|| operation.perform(self.clone(), caller.clone()));
        async move {
            match (performed, refused) {
                (Some(performed), _) => performed.await,
                (None, refused) => Err(refused.unwrap_or(Refusal::Unavailable)),
            }
        }
    }

    /// A bot does what its token is for, at a rate of its own.
    // Invariant: private.
    fn scoped<O: Operation>(&self, caller: &Caller) -> Result<(), Refusal> {
        let Some(bot) = &caller.bot else { return Ok(()) };
        if !scopes::permits(bot, O::NAME) && !self.planted().is(Bug::BotScopeIgnored) {
            return Err(Rejection::from(NOT_FOR_BOTS).into());
        }
        self.budgets.bot(caller.user())
    }

    /// Verifies a caller, or makes a user, for a connection from this address.
    pub fn enter<E: Entry>(
        &self,
        address: Address,
        entry: E,
    ) -> impl Future<Output = Result<E::Entered, Refusal>> + Send + use<E> {
        entry.enter(self.clone(), address)
    }

    /// Verifies the caller of one request by its session token, for an edge whose requests belong
    /// to no connection.
    pub async fn verify(&self, address: Address, token: &[u8]) -> Result<Known, Refusal> {
        verify::verify(self, address, token).await
    }

    /// The maker of a signed link to a file, for reading that file.
    pub async fn follow(&self, address: Address, link: FileLink, signature: &[u8]) -> Result<Known, Refusal> {
        check_file_link::follow(self, address, link, signature).await
    }

    /// Posts by an incoming hook, which needs no caller.
    pub async fn post_hook(&self, post: HookPost) -> Result<Posted, Refusal> {
        post_hook::post(self, post).await
    }

    /// The public key that browsers subscribe to pushes with.
    pub async fn push_key(&self) -> Result<String, Refusal> {
        subscribe_push::public_key(self).await
    }

    /// Pushes for the caller go to this browser until its session ends.
    pub async fn subscribe(&self, caller: &Caller, new: Subscription) -> Result<(), Refusal> {
        subscribe_push::subscribe(self, caller, new).await
    }

    pub async fn unsubscribe(&self, caller: &Caller, endpoint: String) -> Result<(), Refusal> {
        subscribe_push::unsubscribe(self, caller, endpoint).await
    }

    /// A login by a request: the session that it has opened has no connection, and is not online.
    pub fn has_no_connection(&self, caller: &Caller) {
        self.context.router.tell(caller.user().slot(), Request::Detach(caller.session.clone()));
    }

    /// Whether the event at this place, which the caller's client message id has found, is that of
    /// this intent.
    pub async fn asks_the_same(
        &self,
        caller: &Caller,
        conversation: ConversationId,
        seq: Seq,
        intent: &Intent,
    ) -> Result<bool, Refusal> {
        repeat::asks_the_same(self, caller, conversation, seq, intent).await
    }

    /// Whether this request, which has found the group, is the one that made it.
    pub async fn makes_the_same(
        &self,
        caller: &Caller,
        group: &str,
        asked: &wire::CreateGroup,
    ) -> Result<bool, Refusal> {
        repeat::makes_the_same(self, caller, group, asked).await
    }

    /// By the clock of this node.
    pub fn now(&self) -> Timestamp {
        self.context.platform.clock.now()
    }

    /// 16 random bytes.
    pub fn fresh_id(&self) -> [u8; 16] {
        self.context.platform.rng.bytes()
    }

    /// All nodes of the cluster.
    pub fn nodes(&self) -> Vec<Member> {
        let routing = self.context.router.routing();
        let member = |node: &troupe_raft::api::NodeInfo| Member {
            id: node.id,
            client: node.client_address.clone(),
            http: node.http_address.clone(),
            reachable: node.reachable || node.id == routing.me,
            leaves: routing.leaves(node.id),
        };
        routing.nodes.values().map(member).collect()
    }

    /// The deliberate bug of this process, for edges.
    pub fn planted(&self) -> Planted {
        self.context.platform.planted
    }

    pub fn metrics(&self) -> &Metrics {
        &self.context.platform.metrics
    }

    /// Pays for requests that reach a user's login on several connections, as with HTTP.
    pub fn payer(&self, address: Address) -> Payer {
        Payer::new(self.budgets.clone(), address)
    }

    /// Connections that one address may have, and requests that it may have in flight by HTTP.
    pub fn connections_of(&self, address: Address) -> usize {
        self.budgets.limits().connections_of(address)
    }

    /// Bytes that wait for clients, of all edges together.
    pub fn output(&self) -> &Arc<Output> {
        &self.output
    }

    /// Follows where clients belong.
    pub fn clients(&self) -> watch::Receiver<Clients> {
        self.clients.clone()
    }

    /// Whether sessions are opened and resumed at other nodes only.
    pub fn is_draining(&self) -> bool {
        matches!(*self.clients.borrow(), Clients::Draining { .. })
    }

    /// Changes when the sinks of all connections are lost: an edge ends its connections then, and
    /// their clients resume.
    pub fn fanout_lost(&self) -> watch::Receiver<u64> {
        self.fanout_lost.clone()
    }

    /// The greeting of a new client.
    pub fn welcome(&self) -> wire::Welcome {
        let routing = self.context.router.routing();
        let nodes = routing.nodes.values().filter(|node| !routing.leaves(node.id));
        wire::Welcome {
            version: client::PROTOCOL_VERSION,
            cluster_id: bytes::Bytes::copy_from_slice(&routing.cluster_id),
            node_id: self.context.me().0,
            server: concat!("troupe ", env!("CARGO_PKG_VERSION")).to_owned(),
            nodes: nodes.filter_map(|node| node.for_clients().map(str::to_owned)).collect(),
            max_message_bytes: limits::MESSAGE_BYTES as u32,
            send_window: limits::SEND_WINDOW as u32,
            ping_seconds: (limits::IDLE_SECONDS / 3) as u32,
            history: routing.history,
            continues: routing.continues.iter().map(|id| bytes::Bytes::copy_from_slice(id)).collect(),
        }
    }

    /// Asks the leader of a slot. The first attempt is queued before this returns.
    pub(crate) fn ask(&self, slot: Slot, request: Request) -> impl Future<Output = Outcome> + Send + use<> {
        self.context.router.ask(slot, request, PATIENCE)
    }

    pub(crate) fn commit(&self, command: Command) -> impl Future<Output = Outcome> + Send + use<> {
        self.ask(command.slot(), Request::Commit(command))
    }

    /// Commits a command whose answer has no content.
    pub(crate) async fn commit_done(&self, command: Command) -> Result<wire::Done, Refusal> {
        done(self.commit(command).await?)
    }

    /// Has the leader of the slot perform the operation. The first attempt is queued before this
    /// returns.
    pub(crate) fn ask_leader<O: AtLeader>(
        &self,
        slot: Slot,
        caller: UserId,
        operation: O,
    ) -> impl Future<Output = Answered<O>> + Send + use<O> {
        self.ask_leader_within(PATIENCE, slot, caller, operation)
    }

    pub(crate) fn ask_leader_within<O: AtLeader>(
        &self,
        patience: Duration,
        slot: Slot,
        caller: UserId,
        operation: O,
    ) -> impl Future<Output = Answered<O>> + Send + use<O> {
        let request = Request::Operation { caller, request: operation.into_request() };
        let answer = self.context.router.ask(slot, request, patience);
        async move { answer.await?.into_message().and_then(O::answer_of).ok_or(Refusal::Unavailable) }
    }
}

/// An answer of another kind comes from a node of another version, and the outcome is unknown.
pub(crate) fn done(answer: Answer) -> Result<wire::Done, Refusal> {
    if matches!(answer, Answer::Done) { Ok(wire::Done {}) } else { Err(Refusal::Unavailable) }
}
