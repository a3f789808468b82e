//! The CIM edge: clients of CIM use a node as their route and their server.
//!
//! ```text
//! http       CIM's HTTP API: accounts, logins, messages (route, send), who is online
//! channel    x TCP connection of a client: one login, pings up, messages down
//! └─ feed    what was missed, then what is pushed (inbox), in the order of the log
//! ```
//!
//! CIM has no passwords and no TLS, so the edge is off by default. It serves this machine, and the
//! networks that the operator names. Its users have accounts without a password
//! ([`troupe_actors::ops::passwordless`]); no other account is reachable through it. `docs/cim.md`
//! is the page for users of CIM.

mod allow;
mod answer;
mod body;
mod channel;
mod feed;
pub mod frame;
mod http;
mod inbox;
mod logins;
mod names;
mod route;
mod send;
mod writer;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use troupe_actors::address::Address;
use troupe_actors::connection::Connection;
use troupe_actors::service::Service;
use troupe_runtime::log_limiter::LogLimiter;
use troupe_runtime::net::{host, is_loopback};
use troupe_runtime::{Listener as Socket, Platform, Stream};

use crate::allow::Allow;
use crate::channel::Silent;
use crate::logins::Logins;
use crate::names::Names;

/// Between two lines about connections that were not taken.
const LOG_EVERY: Duration = Duration::from_secs(10);
/// After a failed accept (no file descriptors left, for instance).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The time for connections to end at a stop.
const LAST_FRAMES: Duration = Duration::from_secs(1);

/// Checked: only this machine and named networks come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    http: String,
    listen: String,
    allow: Allow,
    host: String,
}

impl Config {
    /// `http` and `listen` are `host:port`; `allow` has networks, separated by commas. `advertise`
    /// is the host that clients dial after a login; empty: the host of `listen`.
    pub fn new(http: &str, listen: &str, allow: &str, advertise: &str) -> Result<Config, String> {
        let allow = Allow::parse(allow).map_err(|why| format!("compat.cim.allow: {why}"))?;
        for (key, address) in [("compat.cim.http", http), ("compat.cim.listen", listen)] {
            if allow.is_local() && !is_loopback(address) {
                return Err(format!(
                    "{key} = \"{address}\": CIM has no passwords, so anyone who reaches this port can be any CIM user: \
                     listen on loopback, or name the networks of its clients in compat.cim.allow"
                ));
            }
        }
        let told = if advertise.is_empty() { host(listen) } else { advertise };
        if told.is_empty() || told.parse().is_ok_and(|address: std::net::IpAddr| address.is_unspecified()) {
            return Err(format!(
                "compat.cim.listen = \"{listen}\": set compat.cim.advertise to the host that CIM clients dial"
            ));
        }
        Ok(Config { http: http.to_owned(), listen: listen.to_owned(), allow, host: told.to_owned() })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot listen for CIM clients on {listen}: {error}; is CIM itself running? choose another port")]
pub struct StartError {
    listen: String,
    error: std::io::Error,
}

/// The state of all connections.
struct Edge {
    service: Service,
    platform: Platform,
    allow: Allow,
    told: Told,
    logins: Logins,
    names: Names,
    stopping: watch::Sender<bool>,
    log: Mutex<LogLimiter>,
}

/// Where clients go after a login.
struct Told {
    host: String,
    channel: u16,
    http: u16,
}

impl Edge {
    fn told(&self) -> &Told {
        &self.told
    }

    /// Waits until the edge stops.
    async fn stops(&self) {
        // The sender is beside the receiver, so that it cannot be gone.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    fn refused(&self, what: &'static str, peer: SocketAddr) {
        self.service.metrics().cim_refused.up();
        if let Some(others) = self.log.lock().due() {
            tracing::warn!(peer = %peer.ip(), others, "a CIM client is refused: {what}");
        }
    }
}

/// The CIM edge of a node.
pub struct CimEdge {
    edge: Arc<Edge>,
    http: SocketAddr,
    channel: SocketAddr,
    listening: Mutex<JoinSet<()>>,
}

impl CimEdge {
    pub async fn start(platform: &Platform, service: Service, config: Config) -> Result<CimEdge, StartError> {
        let Config { http, listen, allow, host } = config;
        let (http_socket, http) = bind(platform, http).await?;
        let (channel_socket, channel) = bind(platform, listen).await?;
        let edge = Arc::new(Edge {
            service,
            platform: platform.clone(),
            allow,
            told: Told { host, channel: channel.port(), http: http.port() },
            logins: Logins::default(),
            names: Names::default(),
            stopping: watch::Sender::new(false),
            log: Mutex::new(LogLimiter::new(LOG_EVERY)),
        });
        let mut listening = JoinSet::new();
        listening.spawn(accept(edge.clone(), http_socket, Port::Http));
        listening.spawn(accept(edge.clone(), channel_socket, Port::Channel));
        Ok(CimEdge { edge, http, channel, listening: Mutex::new(listening) })
    }

    /// Where clients make requests: the `route` of CIM.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Where clients get messages: the `server` of CIM.
    pub fn channel(&self) -> SocketAddr {
        self.channel
    }

    /// Ends all connections. Unwritten messages stay for the next login.
    pub async fn stop(&self) {
        self.edge.stopping.send_replace(true);
        let mut listening = std::mem::take(&mut *self.listening.lock());
        let ended = async { while listening.join_next().await.is_some() {} };
        if timeout(LAST_FRAMES, ended).await.is_err() {
            tracing::warn!("connections of CIM clients were cut off");
        }
    }
}

async fn bind(platform: &Platform, listen: String) -> Result<(Arc<dyn Socket>, SocketAddr), StartError> {
    let bound = async {
        let socket: Arc<dyn Socket> = platform.net.bind(&listen).await?.into();
        let address = socket.local_addr()?;
        Ok((socket, address))
    };
    bound.await.map_err(|error| StartError { listen: listen.clone(), error })
}

#[derive(Clone, Copy)]
enum Port {
    Http,
    Channel,
}

/// Serves the connections of one port until the edge stops.
async fn accept(edge: Arc<Edge>, socket: Arc<dyn Socket>, port: Port) {
    // Its tasks end by themselves when the edge stops.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = edge.stops() => break,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) => {
                if let Some((connection, silent)) = enter(&edge, peer) {
                    connections.spawn(serve(edge.clone(), port, stream, peer, connection, silent));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection of a CIM client was not accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    while connections.join_next().await.is_some() {}
}

/// A peer of an allowed network gets a place, if there is one.
fn enter(edge: &Edge, peer: SocketAddr) -> Option<(Connection, Arc<Silent>)> {
    if !edge.allow.admits(peer.ip()) {
        edge.refused("its network is not in compat.cim.allow", peer);
        return None;
    }
    let silent = Arc::new(Silent::default());
    let connection = Connection::open(&edge.service, Address::of(peer), silent.clone());
    if connection.is_none() {
        edge.refused("no place for a connection: see limits.connections", peer);
    }
    connection.map(|connection| (connection, silent))
}

async fn serve(
    edge: Arc<Edge>,
    port: Port,
    stream: Box<dyn Stream>,
    peer: SocketAddr,
    connection: Connection,
    silent: Arc<Silent>,
) {
    match port {
        Port::Http => http::serve(edge, stream, connection, silent).await,
        Port::Channel => channel::serve(edge, stream, peer, connection, silent).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_that_strangers_reach_is_refused_with_the_remedy() {
        let new = |http, listen, allow, advertise| Config::new(http, listen, allow, advertise);
        assert!(new("127.0.0.1:8083", "localhost:11211", "", "").is_ok());
        for (http, listen) in [("0.0.0.0:8083", "127.0.0.1:1"), ("127.0.0.1:1", "10.0.0.1:11211"), ("[::]:1", "[::]:2")]
        {
            let why = new(http, listen, "", "").expect_err("refused");
            assert!(why.contains("compat.cim.allow") && why.contains("no passwords"), "{why}");
        }
        let why = new("0.0.0.0:8083", "0.0.0.0:11211", "10.0.0.0/8", "").expect_err("refused");
        assert!(why.contains("compat.cim.advertise"), "{why}");
        let open = new("0.0.0.0:8083", "0.0.0.0:11211", "10.0.0.0/8", "10.0.0.7").expect("a configuration");
        assert_eq!(open.host, "10.0.0.7");
        assert!(
            new("0.0.0.0:1", "0.0.0.0:2", "0.0.0.0/0", "10.0.0.7").expect_err("refused").contains("whole internet")
        );
    }
}
