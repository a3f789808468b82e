//! The client port: native clients speak frames of `client.proto` over TLS, or over plain text
//! where that is allowed. HTTP, and WebSocket with it, comes in by the same port.
//!
//! The accept loop gives each connection its place, and [`door`] finds out what it speaks. Frames
//! go on to the shared [`Sessions`], HTTP to the [`Web`] of the node.

mod accept;
pub mod door;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::JoinHandle;
use troupe_actors::connection::Carrier;
use troupe_actors::service::Service;
use troupe_edge_session::Sessions;
use troupe_runtime::net::BoxFuture;
use troupe_runtime::{Listener as Socket, Platform, Stream};

use crate::door::Door;

#[derive(Clone)]
pub struct Config {
    /// Where clients connect; port 0 lets the system choose.
    pub listen: String,
    pub door: Arc<Door>,
    /// Serves HTTP. `None`: the port has frames only.
    pub web: Option<Arc<dyn Web>>,
}

/// Serves HTTP on connections of the client port.
pub trait Web: Send + Sync {
    /// Until the connection has ended. Its caller may drop the future, which ends the connection.
    /// `carrier`: for requests that keep the connection.
    fn serve(&self, stream: Box<dyn Stream>, peer: SocketAddr, carrier: Carrier) -> BoxFuture<'static, ()>;
}

#[derive(Debug, thiserror::Error)]
#[error("cannot listen for clients on {listen}: {error}; is another node running? choose another port")]
pub struct StartError {
    listen: String,
    error: std::io::Error,
}

/// The TCP edge of a node.
pub struct TcpEdge {
    address: SocketAddr,
    sessions: Sessions,
    accepting: JoinHandle<()>,
}

impl TcpEdge {
    pub async fn start(platform: &Platform, service: Service, config: Config) -> Result<TcpEdge, StartError> {
        let Config { listen, door, web } = config;
        let refused = |error| StartError { listen: listen.clone(), error };
        let socket: Arc<dyn Socket> = platform.net.bind(&listen).await.map_err(refused)?.into();
        let address = socket.local_addr().map_err(refused)?;
        let sessions = Sessions::start(service);
        let accepting = tokio::spawn(accept::run(sessions.clone(), socket, door, web));
        Ok(TcpEdge { address, sessions, accepting })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections, each with a last frame.
    pub async fn stop(&self) {
        self.accepting.abort();
        self.sessions.stop().await;
    }
}
