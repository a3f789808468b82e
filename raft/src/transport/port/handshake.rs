//! One connection at the cluster port, from its first byte until its protocol's server takes it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use troupe_core::NodeId;
use troupe_runtime::Stream;

use super::Protocol;
use super::shared::{Identity, Inbound, Shared};
use super::stream::CheckedStream;
use crate::transport::preamble::{Answer, Preamble, Verdict};
use crate::transport::tls::{belongs_to, belongs_to_one};

#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    #[error("no TLS with this cluster's token: {0}")]
    Tls(io::Error),
    #[error("it does not speak this protocol")]
    Garbled,
    #[error("{0:?}")]
    Verdict(Verdict),
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
}

impl Rejected {
    /// The kind of a rejection that an operator should look at. `None`: it is normal.
    pub fn warning(&self) -> Option<&'static str> {
        match self {
            // The dialer expected another node and learned from our certificate that it had the
            // wrong one, for instance because that node has just received its id.
            Rejected::Tls(error) if meant_another(error) => None,
            Rejected::Tls(error) | Rejected::Broken(error) if is_disconnect(error) => None,
            Rejected::Tls(_) => Some("tls"),
            Rejected::Broken(_) => Some("broken"),
            Rejected::Garbled => Some("garbled"),
            Rejected::Verdict(Verdict::Welcome | Verdict::NotReady | Verdict::Busy | Verdict::WrongNode) => None,
            Rejected::Verdict(Verdict::BadToken) => Some("token"),
            Rejected::Verdict(Verdict::WrongCluster) => Some("cluster"),
            Rejected::Verdict(Verdict::WrongName) => Some("name"),
            Rejected::Verdict(Verdict::Unsupported) => Some("protocol"),
            Rejected::Verdict(Verdict::Removed) => Some("removed"),
        }
    }
}

fn meant_another(error: &io::Error) -> bool {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(tls, Some(rustls::Error::AlertReceived(rustls::AlertDescription::BadCertificate)))
}

fn is_disconnect(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

/// Returns whether the dialer is a node of this cluster.
pub async fn receive_handshake(shared: &Shared, stream: Box<dyn Stream>, peer: SocketAddr) -> Result<bool, Rejected> {
    // Read first: any later change ends this stream.
    let era = shared.accepted_peers.era();
    let identity = shared.identity.read().clone();
    let (mut stream, shown) = accept_tls(&identity, stream).await?;
    let (cluster, node) = identity.member.unwrap_or_default();
    let Ok(preamble) = Preamble::receive(&mut stream).await else {
        // The answer helps a dialer of another version. Other dialers ignore it.
        Answer { verdict: Verdict::Unsupported, cluster, node }.send(&mut stream).await?;
        return Err(Rejected::Garbled);
    };
    let known = shared.keys.read().opens(preamble.fingerprint);
    let judged = match judge(known, &identity, shown.as_ref(), &preamble) {
        Verdict::Welcome if is_out(shared, cluster, shown.as_ref(), preamble.from) => Verdict::Removed,
        judged => judged,
    };
    let taker = shared.takers.lock().get(&preamble.protocol).cloned();
    // The slot is reserved before the answer, so that an accepted peer is served.
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
            let stream = Box::new(CheckedStream::new(stream, preamble.from, era, Arc::clone(&shared.accepted_peers)));
            place.send(Inbound { from: preamble.from, peer, stream });
            Ok(preamble.from != NodeId(0))
        }
        Err(verdict) => Err(Rejected::Verdict(verdict)),
    }
}

/// Returns the TLS stream and the certificate of the peer.
async fn accept_tls(
    identity: &Identity,
    stream: Box<dyn Stream>,
) -> Result<(Box<dyn Stream>, Option<CertificateDer<'static>>), Rejected> {
    let Some(tls) = &identity.tls else { return Ok((stream, None)) };
    let stream = TlsAcceptor::from(Arc::clone(&tls.server)).accept(stream).await.map_err(Rejected::Tls)?;
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).cloned();
    Ok((Box::new(stream), shown.map(CertificateDer::into_owned)))
}

/// Whether the peer is a removed node, by its preamble or its certificate. A removed node gets no
/// service.
fn is_out(shared: &Shared, cluster: [u8; 16], shown: Option<&CertificateDer<'_>>, from: NodeId) -> bool {
    if from != NodeId(0) {
        return shared.accepted_peers.is_removed(from);
    }
    let removed = shared.accepted_peers.removed();
    shown.is_some_and(|shown| belongs_to_one(shown, cluster, &removed))
}

fn judge(known: bool, identity: &Identity, shown: Option<&CertificateDer<'_>>, preamble: &Preamble) -> Verdict {
    if !known {
        return Verdict::BadToken;
    }
    // Any holder of the token may use these, and TLS has verified the token.
    if matches!(preamble.protocol, Protocol::Formation | Protocol::Backup) && preamble.from == NodeId(0) {
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
