//! What this node does for its users: typed operations with a verified caller, the same for every
//! way in.
//!
//! An edge turns its own frames into the operations of [`ops`], and their answers into frames. It
//! verifies a caller once, by an [`Entry`]; the [`Caller`] that comes of it is the only way to
//! perform what a user may ask. The operations themselves are in [`ops`], a file each.

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use troupe_core::{Command, ConversationId, Slot, UserId, limits};
use troupe_proto::client;

use crate::address::Address;
use crate::budgets::Budgets;
use crate::connection::Output;
use crate::directory::Directory;
use crate::failed_logins::FailedLogins;
use crate::message::{Answer, Outcome, Refusal, Request, Session, wire};
use crate::ops::{Answered, AtLeader, Entry, Operation, send};
use crate::passwords::Passwords;
use crate::places::Places;
use crate::router::PATIENCE;
use crate::world::World;

/// Shared, cheap to clone.
#[derive(Clone)]
pub struct Service(Arc<Shared>);

/// What all operations of a node share.
pub struct Shared {
    pub world: World,
    pub passwords: Passwords,
    pub directory: Directory,
    pub places: Places,
    pub budgets: Arc<Budgets>,
    pub output: Arc<Output>,
    /// The node is about to stop: sessions are opened and resumed elsewhere.
    pub draining: watch::Receiver<bool>,
    pub failed_logins: FailedLogins,
    /// Direct messages to users that this node does not know yet.
    pub unchecked: Mutex<BTreeMap<(UserId, ConversationId), Vec<send::Unchecked>>>,
}

impl Deref for Service {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// A user whose session was verified, on one connection. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Caller(Arc<Verified>);

#[derive(Debug)]
pub struct Verified {
    pub session: Session,
    /// For budgets, and for the audit log.
    pub address: Address,
}

impl Caller {
    /// Only for an [`Entry`] that has verified the session.
    pub(crate) fn verified(session: Session, address: Address) -> Caller {
        Caller(Arc::new(Verified { session, address }))
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

    /// Performs what a user asks. Whatever has an order among requests (messages above all) takes
    /// its place before this returns; what is awaited is the answer.
    pub fn perform<O: Operation>(
        &self,
        caller: &Caller,
        operation: O,
    ) -> impl Future<Output = Answered<O>> + Send + use<O> {
        operation.perform(self.clone(), caller.clone())
    }

    /// Lets somebody at this address in, or registers them.
    pub fn enter<E: Entry>(
        &self,
        address: Address,
        entry: E,
    ) -> impl Future<Output = Result<E::Entered, Refusal>> + Send + use<E> {
        entry.enter(self.clone(), address)
    }

    /// What an edge greets a client with.
    pub fn welcome(&self) -> wire::Welcome {
        let routing = self.world.router.routing();
        let nodes = routing.nodes.values().filter(|node| !routing.leaves(node.id));
        wire::Welcome {
            version: client::PROTOCOL_VERSION,
            cluster_id: bytes::Bytes::copy_from_slice(&routing.cluster_id),
            node_id: self.world.me().0,
            server: concat!("troupe ", env!("CARGO_PKG_VERSION")).to_owned(),
            nodes: nodes.filter_map(|node| node.for_clients().map(str::to_owned)).collect(),
            max_message_bytes: limits::MESSAGE_BYTES as u32,
            send_window: limits::SEND_WINDOW as u32,
            ping_seconds: (limits::IDLE_SECONDS / 3) as u32,
            history: routing.history,
            continues: routing.continues.iter().map(|id| bytes::Bytes::copy_from_slice(id)).collect(),
        }
    }

    /// Asks the leader of a slot. The first attempt is on its way when this returns.
    pub(crate) fn ask(&self, slot: Slot, request: Request) -> impl Future<Output = Outcome> + Send + use<> {
        self.world.router.ask(slot, request, PATIENCE)
    }

    pub(crate) fn commit(&self, command: Command) -> impl Future<Output = Outcome> + Send + use<> {
        self.ask(command.slot(), Request::Commit(command))
    }

    /// Commits what is answered with nothing but that it is done.
    pub(crate) async fn commit_done(&self, command: Command) -> Result<wire::Done, Refusal> {
        done(self.commit(command).await?)
    }

    /// Passes an operation on as it is to the leader of the slot, which performs it. The first
    /// attempt is on its way when this returns.
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
        let answer = self.world.router.ask(slot, request, patience);
        async move { answer.await?.into_message().and_then(O::answer_of).ok_or(Refusal::Unavailable) }
    }
}

/// An answer of the wrong kind comes from a node of another version: what it did is unknown.
pub(crate) fn done(answer: Answer) -> Result<wire::Done, Refusal> {
    if matches!(answer, Answer::Done) { Ok(wire::Done {}) } else { Err(Refusal::Unavailable) }
}
