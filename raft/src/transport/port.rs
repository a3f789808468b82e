//! The cluster port: one listener per node for all traffic between nodes.
//!
//! A connection begins with TLS, where both sides show a certificate of the cluster's CA
//! ([`tls`](crate::transport::tls)), unless the node runs `--insecure`. Then a
//! [`preamble`](crate::transport::preamble) names the protocol, the cluster, and both nodes. Only
//! then is the stream handed to the server of that protocol: Raft and snapshots in this crate,
//! [`Protocol::Mesh`] to the caller of [`Port::mesh_streams`], [`Protocol::Formation`] to
//! [`formation`](crate::formation). The listening half is in [`accept`] and [`handshake`], the
//! dialing half in [`dial`].
//!
//! The port knows no Raft and decides nothing about membership. Other modules set its identity and
//! the addresses of the other nodes.

mod accept;
mod address_book;
pub mod dial;
mod handshake;
mod handshake_permits;
mod keys;
mod log_limiters;
mod shared;
mod stream;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use troupe_core::NodeId;
use troupe_runtime::Platform;

use crate::api::{MemberRegistry, StartError};
pub use crate::transport::preamble::Protocol;
use crate::transport::tls::clients::ClientIdentity;
use crate::transport::token::Token;
use accept::listen_on;
use address_book::AddressBook;
pub use keys::Security;
pub use shared::{HANDSHAKE_TIME, Inbound, TokenOrder};
use shared::{Identity, Shared};

/// Streams of one protocol that wait to be taken. At the limit the dialer is told to retry.
const WAITING: usize = 64;

/// Shared, cheap to clone. It listens until [`Port::shutdown`].
#[derive(Clone)]
pub struct Port {
    shared: Arc<Shared>,
    listening: Arc<Mutex<Option<JoinHandle<()>>>>,
    local: SocketAddr,
}

impl Port {
    /// Listens. Until [`Port::become_member`] only formation is served.
    pub async fn open(platform: &Platform, listen: &str, security: Security) -> Result<Port, StartError> {
        let listener = platform.net.bind(listen).await.map_err(|error| cannot_listen(listen, error))?;
        let local = listener.local_addr()?;
        let shared = Arc::new(Shared::new(platform, security)?);
        let listening = tokio::spawn(listen_on(listener, Arc::clone(&shared)));
        Ok(Port { shared, listening: Arc::new(Mutex::new(Some(listening))), local })
    }

    /// A port that only dials, as a holder of the token. For tools outside the cluster.
    pub fn dialer(platform: &Platform, security: Security) -> Result<Port, StartError> {
        let shared = Shared::new(platform, security)?;
        let local = SocketAddr::from(([0, 0, 0, 0], 0));
        Ok(Port { shared: Arc::new(shared), listening: Arc::new(Mutex::new(None)), local })
    }

    /// From now on this node speaks as `me`, under a new certificate. Open streams stay open.
    pub fn become_member(&self, cluster: [u8; 16], me: NodeId) -> Result<(), StartError> {
        let member = Some((cluster, me));
        let tls = self.shared.keys.read().mint(member)?;
        *self.shared.identity.write() = Identity { member, tls };
        Ok(())
    }

    /// The cluster and the id of this node, once it is a member.
    pub fn member(&self) -> Option<([u8; 16], NodeId)> {
        self.shared.identity.read().member
    }

    /// Replaces the tokens: the first is shown, the second is accepted as well. Going from two
    /// tokens to one ends every open stream, because it may rest on the dropped one.
    pub fn set_tokens(&self, current: Token, also: Option<Token>) -> Result<(), StartError> {
        let mut keys = self.shared.keys.write();
        let fewer = keys.has_two() && also.is_none();
        let now = keys.with(current, also);
        let mut identity = self.shared.identity.write();
        identity.tls = now.mint(identity.member)?;
        *keys = now;
        if fewer {
            self.shared.accepted_peers.next_era();
        }
        Ok(())
    }

    /// Streams of one protocol that other nodes open. The last caller gets them. Before the first
    /// call dialers are told to retry.
    pub fn inbound(&self, protocol: Protocol) -> mpsc::Receiver<Inbound> {
        let (taker, streams) = mpsc::channel(WAITING);
        self.shared.takers.lock().insert(protocol, taker);
        streams
    }

    /// Changes of the join token that this node leads, for the audit log. The last caller gets
    /// them.
    pub fn token_orders(&self) -> mpsc::Receiver<TokenOrder> {
        let (sender, orders) = mpsc::channel(WAITING);
        *self.shared.token_orders.lock() = Some(sender);
        orders
    }

    /// A change continues without its audit row, because it may be the one that locks an intruder
    /// out.
    pub(crate) fn note_token_order(&self, order: TokenOrder) {
        let taken = self.shared.token_orders.lock().as_ref().is_some_and(|orders| orders.try_send(order).is_ok());
        if !taken {
            tracing::warn!(target: "audit", token = %order.token, "this change of the token is only in this node's log");
        }
    }

    /// Streams that other nodes open for the mesh; to be taken once.
    pub fn mesh_streams(&self) -> mpsc::Receiver<Inbound> {
        self.inbound(Protocol::Mesh)
    }

    /// Replaces the addresses of the cluster's nodes.
    pub fn set_addresses(&self, addresses: BTreeMap<NodeId, String>) {
        self.shared.address_book.set_table(addresses);
    }

    pub(crate) fn address_book(&self) -> &AddressBook {
        &self.shared.address_book
    }

    pub(crate) fn address(&self, of: NodeId) -> io::Result<String> {
        self.shared
            .address_book
            .address(of)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no address of node {of} is known")))
    }

    /// Nodes that were removed from this cluster. They receive that reason, and get no service.
    pub fn set_removed(&self, nodes: BTreeSet<NodeId>) {
        self.shared.accepted_peers.set_removed(nodes);
    }

    pub fn is_removed(&self, node: NodeId) -> bool {
        self.shared.accepted_peers.is_removed(node)
    }

    /// Resolves when another node reports that this one was removed from the cluster.
    pub async fn expelled(&self) {
        let mut expelled = self.shared.expelled.subscribe();
        if expelled.wait_for(|expelled| *expelled).await.is_err() {
            // The port outlives its watchers. Without it no report can arrive.
            std::future::pending::<()>().await;
        }
    }

    /// Sets the registry that admits newcomers. Before this call they are told to retry.
    pub fn serve_formation(&self, registry: Arc<dyn MemberRegistry>) {
        *self.shared.member_registry.write() = Some(registry);
    }

    pub(crate) fn member_registry(&self) -> Option<Arc<dyn MemberRegistry>> {
        self.shared.member_registry.read().clone()
    }

    /// Whether operators must show a key, which they do except in a cluster without a token.
    pub fn has_token(&self) -> bool {
        self.shared.keys.read().current().is_some()
    }

    /// Whether the key is derived from a token of this cluster.
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

    /// Stops listening and ends the service for newcomers. When it returns, the address is free.
    /// Streams that were handed out stay open.
    pub async fn shutdown(&self) {
        let listening = self.listening.lock().take();
        if let Some(listening) = listening {
            listening.abort();
            // The task was cancelled on purpose. A panic has already been reported.
            let _ = listening.await;
        }
        self.shared.takers.lock().clear();
        *self.shared.member_registry.write() = None;
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
