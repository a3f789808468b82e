//! The TCP edge: native clients speak frames of `client.proto` over TLS, or over plain text where
//! that is allowed.
//!
//! ```text
//! listener            accepts, and sends clients to other nodes
//! └─ connection       x connection: frames to operations, answers and pushes to frames
//!    └─ socket        its task: TLS (module `door`), bytes in and out
//! ```
//!
//! It is a thin face of the node's [`Service`]: it has frames and the phases of a connection. The
//! service has the meaning of requests, their costs and their permissions.

mod connection;
pub mod door;
mod listener;
mod outbox;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use ractor::{Actor, ActorRef};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use troupe_actors::service::Service;
use troupe_runtime::Listener as Socket;
use troupe_runtime::Platform;

use crate::door::Door;
use crate::listener::{Listener, ListenerMsg};

/// The time for the listener to queue the last frame of every connection.
const LAST_FRAMES: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub struct Config {
    /// Where native clients connect; port 0 lets the system choose.
    pub listen: String,
    pub door: Arc<Door>,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot listen for clients on {listen}: {error}; is another node running? choose another port")]
pub struct StartError {
    listen: String,
    error: std::io::Error,
}

/// The state of all connections of the edge.
pub struct Context {
    pub service: Service,
    pub door: Arc<Door>,
}

/// The TCP edge of a node.
pub struct TcpEdge {
    address: SocketAddr,
    listener: Arc<Mutex<Option<ActorRef<ListenerMsg>>>>,
    stopping: watch::Sender<bool>,
    keeper: JoinHandle<()>,
}

impl TcpEdge {
    pub async fn start(platform: &Platform, service: Service, config: Config) -> Result<TcpEdge, StartError> {
        let Config { listen, door } = config;
        let refused = |error| StartError { listen: listen.clone(), error };
        let socket: Arc<dyn Socket> = platform.net.bind(&listen).await.map_err(refused)?.into();
        let address = socket.local_addr().map_err(refused)?;
        let context = Arc::new(Context { service, door });
        let listener = Arc::new(Mutex::new(None));
        let stopping = watch::Sender::new(false);
        let keeper = tokio::spawn(keep(context, socket, listener.clone(), stopping.subscribe()));
        Ok(TcpEdge { address, listener, stopping, keeper })
    }

    /// Where native clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections, each with a last frame.
    pub async fn stop(&self) {
        self.stopping.send_replace(true);
        let listener = self.listener.lock().take();
        if let Some(listener) = listener
            && let Err(error) = listener.stop_and_wait(None, Some(LAST_FRAMES)).await
        {
            tracing::warn!(%error, "connections end without a last frame");
        }
        self.keeper.abort();
    }
}

/// Starts the listener again when it fails.
async fn keep(
    context: Arc<Context>,
    socket: Arc<dyn Socket>,
    current: Arc<Mutex<Option<ActorRef<ListenerMsg>>>>,
    stopping: watch::Receiver<bool>,
) {
    while !*stopping.borrow() {
        match Listener::spawn(None, Listener, (context.clone(), socket.clone())).await {
            Ok((listener, ended)) => {
                *current.lock() = Some(listener);
                let _ = ended.await;
                if !*stopping.borrow() {
                    tracing::error!("the listener failed and is restarted");
                }
            }
            Err(error) => {
                tracing::error!(%error, "the listener cannot be started");
                tokio::time::sleep(LAST_FRAMES).await;
            }
        }
    }
}
