//! The cluster port: one listener per node for everything that nodes say to each other.
//!
//! A connection begins with TLS (both sides show a certificate of the cluster's CA, see [`tls`](crate::tls)) unless the node runs
//! `--insecure`, then a [`preamble`](crate::preamble) that names the protocol, the cluster, and who speaks to whom. Only then is the
//! stream handed to whoever serves that protocol: Raft and snapshots inside this crate, [`Protocol::Mesh`] to who has called
//! [`Port::mesh_streams`], [`Protocol::Formation`] to [`formation`](crate::formation). The dialing half is in [`dial`].
//!
//! The port knows no Raft and decides nothing about membership: it is told who the node is and where the others are.

pub mod dial;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use rustls_pki_types::CertificateDer;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};
use troupe_core::NodeId;
use troupe_runtime::{Listener, Net, NodeCtx, Stream};

use crate::cluster::StartError;
use crate::formation::Directory;
pub use crate::preamble::Protocol;
use crate::preamble::{Answer, Preamble, Verdict};
use crate::tls::{Authority, NodeTls, belongs_to};
use crate::token::{Fingerprint, OperatorKey, Token};

/// From the first byte to the end of the preamble, at either end.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
/// Handshakes running at once. Above it a new connection is closed at once; its dialer tries again.
pub const HANDSHAKES: usize = 64;
/// Streams of one protocol that wait to be taken. Above it the dialer is told to try again.
const WAITING: usize = 64;
const ACCEPT_BACKOFF_MIN: Duration = Duration::from_millis(10);
const ACCEPT_BACKOFF_MAX: Duration = Duration::from_secs(1);

/// An authenticated stream from another node of this cluster.
pub struct Inbound {
    /// Zero for [`Protocol::Formation`]: the other may not have an id yet.
    pub from: NodeId,
    pub stream: Box<dyn Stream>,
}

/// How nodes trust each other.
#[derive(Clone, Debug)]
pub enum Security {
    Token(Token),
    /// No TLS. Nodes still compare their tokens' fingerprints, which protects from mistakes, not from malice.
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
    authority: Option<Authority>,
    fingerprint: Option<Fingerprint>,
    operator: Option<OperatorKey>,
    identity: RwLock<Identity>,
    addresses: RwLock<BTreeMap<NodeId, String>>,
    takers: Mutex<BTreeMap<Protocol, mpsc::Sender<Inbound>>>,
    directory: RwLock<Option<Arc<dyn Directory>>>,
    /// Nodes that are out of this cluster for ever.
    removed: RwLock<BTreeSet<NodeId>>,
    /// Whether another node has said so of this one.
    expelled: watch::Sender<bool>,
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
        let (authority, token) = match security {
            Security::Token(token) => (Some(token.authority()), Some(token)),
            Security::Insecure(token) => (None, token),
        };
        let (fingerprint, operator) = (token.as_ref().map(Token::fingerprint), token.as_ref().map(Token::operator_key));
        let listener = ctx.net.bind(listen).await.map_err(|error| cannot_listen(listen, error))?;
        let local = listener.local_addr()?;
        let shared = Arc::new(Shared {
            net: Arc::clone(&ctx.net),
            identity: RwLock::new(identity(authority.as_ref(), None)?),
            authority,
            fingerprint,
            operator,
            addresses: RwLock::default(),
            takers: Mutex::default(),
            directory: RwLock::default(),
            removed: RwLock::default(),
            expelled: watch::Sender::new(false),
        });
        let listening = tokio::spawn(listen_on(listener, Arc::clone(&shared)));
        Ok(Port { shared, listening: Arc::new(Mutex::new(Some(listening))), local })
    }

    /// From now on this node speaks as `me`, under a new certificate. Streams that are open stay open.
    pub fn become_member(&self, cluster: [u8; 16], me: NodeId) -> Result<(), StartError> {
        let member = identity(self.shared.authority.as_ref(), Some((cluster, me)))?;
        *self.shared.identity.write() = member;
        Ok(())
    }

    /// Streams of one protocol that other nodes open. Whoever calls it last gets them; before the first call dialers
    /// are told to try again.
    pub fn inbound(&self, protocol: Protocol) -> mpsc::Receiver<Inbound> {
        let (taker, streams) = mpsc::channel(WAITING);
        self.shared.takers.lock().insert(protocol, taker);
        streams
    }

    /// Streams that other nodes open for the mesh; to be taken once.
    pub fn mesh_streams(&self) -> mpsc::Receiver<Inbound> {
        self.inbound(Protocol::Mesh)
    }

    /// Where the nodes of this cluster listen. Replaces what was known.
    pub fn set_addresses(&self, addresses: BTreeMap<NodeId, String>) {
        *self.shared.addresses.write() = addresses;
    }

    /// Nodes that are out of this cluster: they are told so, and nothing of theirs is served.
    pub fn set_removed(&self, nodes: BTreeSet<NodeId>) {
        *self.shared.removed.write() = nodes;
    }

    pub fn is_removed(&self, node: NodeId) -> bool {
        self.shared.removed.read().contains(&node)
    }

    /// Resolves when another node has told this one that it is out of the cluster.
    pub async fn expelled(&self) {
        let mut expelled = self.shared.expelled.subscribe();
        if expelled.wait_for(|expelled| *expelled).await.is_err() {
            // The port outlives its watchers; without it nobody is told anything any more.
            std::future::pending::<()>().await;
        }
    }

    pub(crate) fn address(&self, of: NodeId) -> io::Result<String> {
        let address = self.shared.addresses.read().get(&of).cloned();
        address.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no address of node {of} is known")))
    }

    /// Who admits newcomers. Before this call they are told to try again.
    pub fn serve_formation(&self, directory: Arc<dyn Directory>) {
        *self.shared.directory.write() = Some(directory);
    }

    pub(crate) fn directory(&self) -> Option<Arc<dyn Directory>> {
        self.shared.directory.read().clone()
    }

    /// What an operator must show; `None` in a cluster without a token.
    pub fn operator_key(&self) -> Option<&OperatorKey> {
        self.shared.operator.as_ref()
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Stops listening and ends what serves newcomers; when it returns, the address is free. Streams that were handed out live on.
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

fn identity(authority: Option<&Authority>, member: Option<([u8; 16], NodeId)>) -> Result<Identity, StartError> {
    let tls = authority
        .map(|authority| authority.mint(member))
        .transpose()
        .map_err(|error| StartError::Refused(error.to_string()))?;
    Ok(Identity { member, tls })
}

/// Accepts for ever; each connection shakes hands in a task of its own, so that a stuck one holds up nobody.
async fn listen_on(listener: Box<dyn Listener>, shared: Arc<Shared>) {
    let room = Arc::new(Semaphore::new(HANDSHAKES));
    // Dropped with this task, which ends the handshakes with it.
    let mut handshakes = JoinSet::new();
    let mut backoff = ACCEPT_BACKOFF_MIN;
    loop {
        let accepted = listener.accept().await;
        while handshakes.try_join_next().is_some() {}
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: it passes, and must not become a busy loop meanwhile.
                warn!(%error, "the cluster port cannot accept a connection, trying again");
                sleep(backoff).await;
                backoff = (backoff * 2).min(ACCEPT_BACKOFF_MAX);
                continue;
            }
        };
        backoff = ACCEPT_BACKOFF_MIN;
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            debug!(%peer, "closed: too many handshakes at once on the cluster port");
            continue;
        };
        let shared = Arc::clone(&shared);
        handshakes.spawn(async move {
            match timeout(HANDSHAKE_TIME, welcome(&shared, stream)).await {
                Ok(Ok(())) => {}
                Ok(Err(TurnedAway::Verdict(Verdict::NotReady))) => debug!(%peer, "asked before this node is ready"),
                Ok(Err(reason)) => warn!(%peer, %reason, "turned away at the cluster port"),
                Err(_) => debug!(%peer, "closed: no handshake in time on the cluster port"),
            }
            drop(place);
        });
    }
}

#[derive(Debug, thiserror::Error)]
enum TurnedAway {
    #[error("no TLS with this cluster's token: {0}")]
    Tls(io::Error),
    #[error("it does not speak this protocol")]
    Garbled,
    #[error("{0:?}")]
    Verdict(Verdict),
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
}

/// One connection from its first byte to the hands of whoever serves it.
async fn welcome(shared: &Shared, stream: Box<dyn Stream>) -> Result<(), TurnedAway> {
    let identity = shared.identity.read().clone();
    let (mut stream, shown) = accept_tls(&identity, stream).await?;
    let (cluster, node) = identity.member.unwrap_or_default();
    let Ok(preamble) = Preamble::receive(&mut stream).await else {
        // The answer helps a dialer of another version; one that is no dialer at all does not matter.
        Answer { verdict: Verdict::Unsupported, cluster, node }.send(&mut stream).await?;
        return Err(TurnedAway::Garbled);
    };
    let judged = match judge(shared.fingerprint, &identity, shown.as_ref(), &preamble) {
        Verdict::Welcome if shared.removed.read().contains(&preamble.from) => Verdict::Removed,
        judged => judged,
    };
    let taker = shared.takers.lock().get(&preamble.protocol).cloned();
    // The place is reserved before the answer, so that who was welcomed is served.
    let place = match judged {
        Verdict::Welcome => match taker.as_ref().map(mpsc::Sender::try_reserve) {
            Some(Ok(place)) => Ok(place),
            Some(Err(mpsc::error::TrySendError::Full(()))) => Err(Verdict::Busy),
            Some(Err(mpsc::error::TrySendError::Closed(()))) | None => Err(Verdict::NotReady),
        },
        refused => Err(refused),
    };
    let verdict = place.as_ref().err().copied().unwrap_or(Verdict::Welcome);
    Answer { verdict, cluster, node }.send(&mut stream).await?;
    match place {
        Ok(place) => {
            place.send(Inbound { from: preamble.from, stream });
            Ok(())
        }
        Err(verdict) => Err(TurnedAway::Verdict(verdict)),
    }
}

/// The stream to go on with, and the certificate its other end has shown.
async fn accept_tls(
    identity: &Identity,
    stream: Box<dyn Stream>,
) -> Result<(Box<dyn Stream>, Option<CertificateDer<'static>>), TurnedAway> {
    let Some(tls) = &identity.tls else { return Ok((stream, None)) };
    let stream = TlsAcceptor::from(Arc::clone(&tls.server)).accept(stream).await.map_err(TurnedAway::Tls)?;
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).cloned();
    Ok((Box::new(stream), shown.map(CertificateDer::into_owned)))
}

fn judge(
    fingerprint: Option<Fingerprint>,
    identity: &Identity,
    shown: Option<&CertificateDer<'_>>,
    preamble: &Preamble,
) -> Verdict {
    if preamble.fingerprint != fingerprint {
        return Verdict::BadToken;
    }
    // Formation is for holders of the token, whoever they are: TLS has seen to that.
    if preamble.protocol == Protocol::Formation {
        return Verdict::Welcome;
    }
    let Some((cluster, me)) = identity.member else { return Verdict::NotReady };
    if preamble.cluster != cluster {
        return Verdict::WrongCluster;
    }
    if preamble.to != me {
        return Verdict::WrongNode;
    }
    let named = match (&identity.tls, shown) {
        (None, _) => preamble.from != NodeId(0),
        (Some(_), Some(shown)) => belongs_to(shown, cluster, preamble.from),
        (Some(_), None) => false,
    };
    if named { Verdict::Welcome } else { Verdict::WrongName }
}

#[cfg(test)]
mod tests;
