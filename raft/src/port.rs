//! The cluster port: one listener per node for everything that nodes say to each other.
//!
//! A connection begins with TLS (both sides show a certificate of the cluster's CA, see
//! [`tls`](crate::tls)) unless the node runs `--insecure`, then a [`preamble`](crate::preamble)
//! that names the protocol, the cluster, and who speaks to whom. Only then is the stream handed to
//! whoever serves that protocol: Raft and snapshots inside this crate, [`Protocol::Mesh`] to who
//! has called [`Port::mesh_streams`], [`Protocol::Formation`] to [`formation`](crate::formation).
//! The listening half is in [`door`] and [`welcome`], the dialing half in [`dial`].
//!
//! The port knows no Raft and decides nothing about membership: it is told who the node is and
//! where the others are.

pub mod dial;
mod door;
mod keys;
mod places;
mod quiet;
mod stream;
mod welcome;
mod whereabouts;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use troupe_core::NodeId;
use troupe_runtime::{Net, NodeCtx, Stream};

use crate::cluster::StartError;
use crate::formation::Directory;
pub use crate::preamble::Protocol;
use crate::tls::NodeTls;
use crate::tls::clients::ClientIdentity;
use crate::token::{Fingerprint, Token};
use door::listen_on;
use keys::Keys;
use quiet::Quiet;
use stream::Guests;
use whereabouts::Whereabouts;

/// From the first byte to the end of the preamble, at either end.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
/// Streams of one protocol that wait to be taken. Above it the dialer is told to try again.
const WAITING: usize = 64;

/// An authenticated stream from another node of this cluster.
pub struct Inbound {
    /// Proved by its certificate. Zero: somebody who holds the token, for [`Protocol::Formation`]
    /// and [`Protocol::Backup`].
    pub from: NodeId,
    /// Where the connection comes from.
    pub peer: SocketAddr,
    pub stream: Box<dyn Stream>,
}

/// An operator has this node lead a change of the join token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenOrder {
    pub from: SocketAddr,
    /// Of the token that comes.
    pub token: Fingerprint,
}

/// How nodes trust each other.
#[derive(Clone, Debug)]
pub enum Security {
    Token(Token),
    /// No TLS. Nodes still compare their tokens' fingerprints, which protects from mistakes, not
    /// from malice.
    Insecure(Option<Token>),
}

/// Shared, cheap to clone. It listens until [`Port::shutdown`].
#[derive(Clone)]
pub struct Port {
    shared: Arc<Shared>,
    listening: Arc<Mutex<Option<JoinHandle<()>>>>,
    local: SocketAddr,
}

struct Shared {
    net: Arc<dyn Net>,
    keys: RwLock<Keys>,
    identity: RwLock<Identity>,
    whereabouts: Whereabouts,
    guests: Arc<Guests>,
    /// Addresses that nodes of this cluster have dialed from.
    sources: Mutex<BTreeSet<IpAddr>>,
    quiet: Quiet,
    takers: Mutex<BTreeMap<Protocol, mpsc::Sender<Inbound>>>,
    directory: RwLock<Option<Arc<dyn Directory>>>,
    /// Who writes down that the token changes.
    token_orders: Mutex<Option<mpsc::Sender<TokenOrder>>>,
    /// Whether another node has said so of this one.
    expelled: watch::Sender<bool>,
}

impl Shared {
    fn new(ctx: &NodeCtx, security: Security) -> Result<Shared, StartError> {
        let keys = Keys::new(security);
        Ok(Shared {
            net: Arc::clone(&ctx.net),
            identity: RwLock::new(Identity { member: None, tls: keys.mint(None)? }),
            keys: RwLock::new(keys),
            whereabouts: Whereabouts::default(),
            guests: Arc::default(),
            sources: Mutex::default(),
            quiet: Quiet::default(),
            takers: Mutex::default(),
            directory: RwLock::default(),
            token_orders: Mutex::default(),
            expelled: watch::Sender::new(false),
        })
    }
}

/// Who this node is at the moment, and the certificate that says so.
#[derive(Clone)]
struct Identity {
    member: Option<([u8; 16], NodeId)>,
    tls: Option<NodeTls>,
}

impl Port {
    /// Listens. Until [`Port::become_member`] only formation is served.
    pub async fn open(ctx: &NodeCtx, listen: &str, security: Security) -> Result<Port, StartError> {
        let listener = ctx.net.bind(listen).await.map_err(|error| cannot_listen(listen, error))?;
        let local = listener.local_addr()?;
        let shared = Arc::new(Shared::new(ctx, security)?);
        let listening = tokio::spawn(listen_on(listener, Arc::clone(&shared)));
        Ok(Port { shared, listening: Arc::new(Mutex::new(Some(listening))), local })
    }

    /// One that only dials, as a holder of the token: for tools that ask a cluster from outside.
    pub fn dialer(ctx: &NodeCtx, security: Security) -> Result<Port, StartError> {
        let shared = Shared::new(ctx, security)?;
        let local = SocketAddr::from(([0, 0, 0, 0], 0));
        Ok(Port { shared: Arc::new(shared), listening: Arc::new(Mutex::new(None)), local })
    }

    /// From now on this node speaks as `me`, under a new certificate. Streams that are open stay
    /// open.
    pub fn become_member(&self, cluster: [u8; 16], me: NodeId) -> Result<(), StartError> {
        let member = Some((cluster, me));
        let tls = self.shared.keys.read().mint(member)?;
        *self.shared.identity.write() = Identity { member, tls };
        Ok(())
    }

    /// Which node of which cluster this one is, once it is one.
    pub fn member(&self) -> Option<([u8; 16], NodeId)> {
        self.shared.identity.read().member
    }

    /// Other tokens from now on: the first is shown, and a second one is taken beside it. Where
    /// there were two and is one now, every stream that is open ends, because it may rest on the
    /// other one.
    pub fn set_tokens(&self, current: Token, also: Option<Token>) -> Result<(), StartError> {
        let mut keys = self.shared.keys.write();
        let fewer = keys.has_two() && also.is_none();
        let now = keys.with(current, also);
        let mut identity = self.shared.identity.write();
        identity.tls = now.mint(identity.member)?;
        *keys = now;
        if fewer {
            self.shared.guests.next_era();
        }
        Ok(())
    }

    /// Streams of one protocol that other nodes open. Whoever calls it last gets them; before the
    /// first call dialers are told to try again.
    pub fn inbound(&self, protocol: Protocol) -> mpsc::Receiver<Inbound> {
        let (taker, streams) = mpsc::channel(WAITING);
        self.shared.takers.lock().insert(protocol, taker);
        streams
    }

    /// Changes of the join token that this node leads from now on, for the audit log. Whoever calls
    /// it last gets them.
    pub fn token_orders(&self) -> mpsc::Receiver<TokenOrder> {
        let (sender, orders) = mpsc::channel(WAITING);
        *self.shared.token_orders.lock() = Some(sender);
        orders
    }

    /// A change goes on without its row: it may be what shuts somebody out.
    pub(crate) fn note_token_order(&self, order: TokenOrder) {
        let taken = self.shared.token_orders.lock().as_ref().is_some_and(|orders| orders.try_send(order).is_ok());
        if !taken {
            tracing::warn!(target: "audit", token = %order.token, "this change of the token is in this node's log only");
        }
    }

    /// Streams that other nodes open for the mesh; to be taken once.
    pub fn mesh_streams(&self) -> mpsc::Receiver<Inbound> {
        self.inbound(Protocol::Mesh)
    }

    /// Where the nodes of this cluster listen. Replaces what was known.
    pub fn set_addresses(&self, addresses: BTreeMap<NodeId, String>) {
        self.shared.whereabouts.set_table(addresses);
    }

    pub(crate) fn whereabouts(&self) -> &Whereabouts {
        &self.shared.whereabouts
    }

    pub(crate) fn address(&self, of: NodeId) -> io::Result<String> {
        self.shared
            .whereabouts
            .address(of)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no address of node {of} is known")))
    }

    /// Nodes that are out of this cluster: they are told so, and nothing of theirs is served.
    pub fn set_removed(&self, nodes: BTreeSet<NodeId>) {
        self.shared.guests.set_removed(nodes);
    }

    pub fn is_removed(&self, node: NodeId) -> bool {
        self.shared.guests.is_removed(node)
    }

    /// Resolves when another node has told this one that it is out of the cluster.
    pub async fn expelled(&self) {
        let mut expelled = self.shared.expelled.subscribe();
        if expelled.wait_for(|expelled| *expelled).await.is_err() {
            // The port outlives its watchers; without it nobody is told anything any more.
            std::future::pending::<()>().await;
        }
    }

    /// Who admits newcomers. Before this call they are told to try again.
    pub fn serve_formation(&self, directory: Arc<dyn Directory>) {
        *self.shared.directory.write() = Some(directory);
    }

    pub(crate) fn directory(&self) -> Option<Arc<dyn Directory>> {
        self.shared.directory.read().clone()
    }

    /// Whether an operator has to show a key: only in a cluster without a token he has not.
    pub fn has_token(&self) -> bool {
        self.shared.keys.read().current().is_some()
    }

    /// Whether this follows from a token of this cluster.
    pub fn is_operator_key(&self, shown: &str) -> bool {
        self.shared.keys.read().is_operator_key(shown)
    }

    /// A certificate for the client port from the cluster's authority; `None` in a cluster without
    /// TLS.
    pub fn mint_for_clients(&self, hosts: &[String]) -> Result<Option<ClientIdentity>, StartError> {
        self.shared.keys.read().mint_for_clients(hosts)
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Stops listening and ends what serves newcomers; when it returns, the address is free.
    /// Streams that were handed out live on.
    pub async fn shutdown(&self) {
        let listening = self.listening.lock().take();
        if let Some(listening) = listening {
            listening.abort();
            // Cancelled is what it should be; a panic has already been reported.
            let _ = listening.await;
        }
        self.shared.takers.lock().clear();
        *self.shared.directory.write() = None;
    }
}

fn cannot_listen(listen: &str, error: io::Error) -> StartError {
    StartError::Refused(match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "cluster port {listen} is in use: stop the process that has it (another troupe?), or choose another address"
        ),
        io::ErrorKind::AddrNotAvailable => {
            format!("cluster port {listen} cannot be opened: this machine does not have that address ({error})")
        }
        io::ErrorKind::PermissionDenied => {
            format!("cluster port {listen} cannot be opened: not permitted; choose a port above 1023 ({error})")
        }
        _ => format!("cluster port {listen} cannot be opened: {error}; give host and port, as in 127.0.0.1:7800"),
    })
}

#[cfg(test)]
mod tests;
