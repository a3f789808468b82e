//! One connection at the cluster port from its first byte to the hands of whoever serves it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use troupe_core::NodeId;
use troupe_runtime::Stream;

use super::stream::Guarded;
use super::{Identity, Inbound, Protocol, Shared};
use crate::preamble::{Answer, Preamble, Verdict};
use crate::tls::{belongs_to, belongs_to_one};

#[derive(Debug, thiserror::Error)]
pub enum TurnedAway {
    #[error("no TLS with this cluster's token: {0}")]
    Tls(io::Error),
    #[error("it does not speak this protocol")]
    Garbled,
    #[error("{0:?}")]
    Verdict(Verdict),
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
}

impl TurnedAway {
    /// What somebody should look at, under one name for all of its kind. `None`: it happens in good
    /// order.
    pub fn warning(&self) -> Option<&'static str> {
        match self {
            // The dialer meant another node and has seen it by our certificate, as when one has got
            // its id a moment ago.
            TurnedAway::Tls(error) if meant_another(error) => None,
            TurnedAway::Tls(error) | TurnedAway::Broken(error) if has_gone(error) => None,
            TurnedAway::Tls(_) => Some("tls"),
            TurnedAway::Broken(_) => Some("broken"),
            TurnedAway::Garbled => Some("garbled"),
            TurnedAway::Verdict(Verdict::Welcome | Verdict::NotReady | Verdict::Busy | Verdict::WrongNode) => None,
            TurnedAway::Verdict(Verdict::BadToken) => Some("token"),
            TurnedAway::Verdict(Verdict::WrongCluster) => Some("cluster"),
            TurnedAway::Verdict(Verdict::WrongName) => Some("name"),
            TurnedAway::Verdict(Verdict::Unsupported) => Some("protocol"),
            TurnedAway::Verdict(Verdict::Removed) => Some("removed"),
        }
    }
}

fn meant_another(error: &io::Error) -> bool {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(tls, Some(rustls::Error::AlertReceived(rustls::AlertDescription::BadCertificate)))
}

fn has_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

/// Whether it is a node of this cluster that has come.
pub async fn welcome(shared: &Shared, stream: Box<dyn Stream>, peer: SocketAddr) -> Result<bool, TurnedAway> {
    // First: whatever changes from here on ends this stream.
    let era = shared.guests.era();
    let identity = shared.identity.read().clone();
    let (mut stream, shown) = accept_tls(&identity, stream).await?;
    let (cluster, node) = identity.member.unwrap_or_default();
    let Ok(preamble) = Preamble::receive(&mut stream).await else {
        // The answer helps a dialer of another version; one that is no dialer at all does not
        // matter.
        Answer { verdict: Verdict::Unsupported, cluster, node }.send(&mut stream).await?;
        return Err(TurnedAway::Garbled);
    };
    let known = shared.keys.read().opens(preamble.fingerprint);
    let judged = match judge(known, &identity, shown.as_ref(), &preamble) {
        Verdict::Welcome if is_out(shared, cluster, shown.as_ref(), preamble.from) => Verdict::Removed,
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
            let stream = Box::new(Guarded::new(stream, preamble.from, era, Arc::clone(&shared.guests)));
            place.send(Inbound { from: preamble.from, peer, stream });
            Ok(preamble.from != NodeId(0))
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

/// Whether this is a node that was removed, by what it says or by its certificate: whatever it asks
/// for, it gets nothing.
fn is_out(shared: &Shared, cluster: [u8; 16], shown: Option<&CertificateDer<'_>>, from: NodeId) -> bool {
    if from != NodeId(0) {
        return shared.guests.is_removed(from);
    }
    let removed = shared.guests.removed();
    shown.is_some_and(|shown| belongs_to_one(shown, cluster, &removed))
}

fn judge(known: bool, identity: &Identity, shown: Option<&CertificateDer<'_>>, preamble: &Preamble) -> Verdict {
    if !known {
        return Verdict::BadToken;
    }
    // For holders of the token, whoever they are: TLS has seen to that.
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
