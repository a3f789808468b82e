//! Connections that carry frames of client.proto, whatever their transport: the part that the edges
//! share.
//!
//! ```text
//! keeper              keeps the connections of an edge, and sends clients to other nodes
//! └─ connection       x connection: frames to operations, answers and pushes to frames
//!    └─ socket        its task: bytes in and out
//! ```
//!
//! It is a thin face of the node's [`Service`]: it has the phases of a connection. An edge accepts
//! sockets and chooses the [`form`] of frames. The service has the meaning of requests, their costs
//! and their permissions.

mod connection;
pub mod form;
mod keeper;
pub mod outbox;

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use ractor::{Actor, ActorRef};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use troupe_actors::address::Address;
use troupe_actors::connection::Connection;
use troupe_actors::service::Service;
use troupe_runtime::Stream;

use crate::form::{Form, Framing};
use crate::keeper::{Keeper, KeeperMsg};
use crate::outbox::Outbox;

/// The time for the keeper to queue the last frame of every connection.
const LAST_FRAMES: Duration = Duration::from_secs(1);

/// All connections of one edge. Cheap to clone.
#[derive(Clone)]
pub struct Sessions(Arc<Inner>);

struct Inner {
    service: Service,
    keeper: watch::Sender<Option<ActorRef<KeeperMsg>>>,
    stopping: watch::Sender<bool>,
    keeping: JoinHandle<()>,
}

/// A connection that has its place, and has said nothing yet.
pub struct Guest {
    pub outbox: Arc<Outbox>,
    connection: Connection,
    begun: Instant,
}

/// The stream of a guest, from its first frame on.
pub struct Opened {
    pub stream: Box<dyn Stream>,
    pub framing: Box<dyn Framing>,
    /// Bytes that were read already.
    pub received: BytesMut,
}

impl Sessions {
    pub fn start(service: Service) -> Sessions {
        let keeper = watch::Sender::new(None);
        let stopping = watch::Sender::new(false);
        let keeping = tokio::spawn(keep(service.clone(), keeper.clone(), stopping.subscribe()));
        Sessions(Arc::new(Inner { service, keeper, stopping, keeping }))
    }

    /// Gives a newcomer its place. `None`: there is none.
    pub fn admit(&self, address: Address, form: &'static dyn Form) -> Option<Guest> {
        let outbox = Arc::new(Outbox::new(self.0.service.output().clone(), form));
        let connection = Connection::open(&self.0.service, address, outbox.clone())?;
        Some(Guest { outbox, connection, begun: Instant::now() })
    }

    /// Serves the guest from now on. Without a keeper, which restarts for longer than a moment or
    /// has stopped, the connection is closed.
    pub async fn adopt(&self, guest: Guest, opened: Opened) {
        let mut keepers = self.0.keeper.subscribe();
        let found = tokio::time::timeout(LAST_FRAMES, keepers.wait_for(Option::is_some)).await;
        let keeper = found.ok().and_then(Result::ok).and_then(|keeper| keeper.clone());
        if let Some(keeper) = keeper {
            let _ = keeper.send_message(KeeperMsg::Accepted(guest, opened));
        }
    }

    pub fn service(&self) -> &Service {
        &self.0.service
    }

    /// Ends all connections, each with a last frame.
    pub async fn stop(&self) {
        self.0.stopping.send_replace(true);
        let keeper = self.0.keeper.send_replace(None);
        if let Some(keeper) = keeper
            && let Err(error) = keeper.stop_and_wait(None, Some(LAST_FRAMES)).await
        {
            tracing::warn!(%error, "connections end without a last frame");
        }
        self.0.keeping.abort();
    }
}

impl Guest {
    /// The time to log in counts from here.
    pub fn begun(&self) -> Instant {
        self.begun
    }

    pub fn address(&self) -> Address {
        self.connection.address()
    }

    /// It carries a session of its own kind: it gives way to no other any more.
    pub fn stays(&self) {
        self.connection.stays();
    }
}

/// Starts the keeper again when it fails.
async fn keep(service: Service, current: watch::Sender<Option<ActorRef<KeeperMsg>>>, stopping: watch::Receiver<bool>) {
    while !*stopping.borrow() {
        match Keeper::spawn(None, Keeper, service.clone()).await {
            Ok((keeper, ended)) => {
                current.send_replace(Some(keeper));
                let _ = ended.await;
                if !*stopping.borrow() {
                    tracing::error!("the keeper of connections failed and is restarted");
                }
            }
            Err(error) => {
                tracing::error!(%error, "the keeper of connections cannot be started");
                tokio::time::sleep(LAST_FRAMES).await;
            }
        }
    }
}
