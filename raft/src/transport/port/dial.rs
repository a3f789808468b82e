//! The dialing half of the cluster port, and its errors.

use std::io;
use std::sync::Arc;

use rustls_pki_types::ServerName;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use troupe_core::NodeId;
use troupe_runtime::Stream;

use super::shared::{HANDSHAKE_TIME, Identity};
use super::stream::CheckedStream;
use super::{Port, Protocol};
use crate::transport::preamble::{Answer, Garbled, Preamble, Verdict};
use crate::transport::tls::expected_name;

/// The reason why a dial failed: the address, and the answer of its node or of the network.
#[derive(Debug, thiserror::Error)]
#[error("{address} {why}")]
pub struct DialError {
    pub address: String,
    pub why: Why,
}

#[derive(Debug, thiserror::Error)]
pub enum Why {
    #[error("cannot be reached: {0}")]
    Unreachable(io::Error),
    #[error("did not answer in time")]
    Timeout,
    #[error("does not accept our token: give all nodes of the cluster the same one")]
    BadToken,
    #[error("does not speak TLS: it runs with --insecure and this node does not, or it is not a Troupe node")]
    WithoutTls,
    #[error("expects TLS: this node runs with --insecure and that one does not")]
    ExpectsTls,
    #[error("belongs to another cluster ({0:032x})")]
    WrongCluster(u128),
    #[error("is not the addressed node")]
    WrongNode,
    #[error("does not accept our certificate for this node's id")]
    WrongName,
    #[error("is not a Troupe node, or has another version")]
    Unsupported,
    #[error("is not ready: it starts or stops")]
    NotReady,
    #[error("is busy")]
    Busy,
    #[error("says that this node was removed from the cluster")]
    Removed,
    #[error("closed the connection: {0}")]
    Closed(io::Error),
}

impl From<DialError> for io::Error {
    fn from(error: DialError) -> io::Error {
        let kind = match &error.why {
            Why::Unreachable(source) | Why::Closed(source) => source.kind(),
            Why::Timeout => io::ErrorKind::TimedOut,
            Why::NotReady | Why::Busy => io::ErrorKind::ConnectionRefused,
            Why::WithoutTls | Why::ExpectsTls | Why::Unsupported => io::ErrorKind::InvalidData,
            Why::BadToken | Why::WrongCluster(_) | Why::WrongNode | Why::WrongName | Why::Removed => {
                io::ErrorKind::PermissionDenied
            }
        };
        io::Error::new(kind, error)
    }
}

/// Whether a dial failed because no process listens at the address. The refusal proves that neither
/// the node nor the network is merely slow.
pub fn nobody_listens(error: &io::Error) -> bool {
    let dial = error.get_ref().and_then(|inner| inner.downcast_ref::<DialError>());
    let unreachable = dial.and_then(|dial| if let Why::Unreachable(source) = &dial.why { Some(source) } else { None });
    unreachable.is_some_and(|source| source.kind() == io::ErrorKind::ConnectionRefused)
}

impl Port {
    /// Opens an authenticated stream to a node of this cluster, past the preamble. Bounded in time.
    /// The error's inner value is a [`DialError`] if the other node or the network caused it.
    pub async fn dial(&self, to: NodeId, protocol: Protocol) -> io::Result<Box<dyn Stream>> {
        let address = self.address(to)?;
        let era = self.shared.accepted_peers.era();
        let identity = self.shared.identity.read().clone();
        let (cluster, me) = identity
            .member
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "this node does not belong to a cluster yet"))?;
        let fingerprint = self.shared.keys.read().current();
        let preamble = Preamble { protocol, cluster, from: me, to, fingerprint };
        let stream = self.open_stream(&address, &identity, expected_name(Some((cluster, to))), preamble).await?;
        Ok(Box::new(CheckedStream::new(stream, to, era, Arc::clone(&self.shared.accepted_peers))))
    }

    /// Opens a formation stream to the holder of the token that listens at an address.
    pub async fn dial_formation(&self, address: &str) -> Result<Box<dyn Stream>, DialError> {
        self.dial_as_holder(address, Protocol::Formation).await
    }

    /// Opens a stream to the holder of the token that listens at an address, as a holder of the
    /// token.
    pub(crate) async fn dial_as_holder(&self, address: &str, protocol: Protocol) -> Result<Box<dyn Stream>, DialError> {
        let identity = self.shared.identity.read().clone();
        let preamble = Preamble {
            protocol,
            cluster: [0; 16],
            from: NodeId(0),
            to: NodeId(0),
            fingerprint: self.shared.keys.read().current(),
        };
        self.open_stream(address, &identity, expected_name(None), preamble).await
    }

    async fn open_stream(
        &self,
        address: &str,
        identity: &Identity,
        name: ServerName<'static>,
        preamble: Preamble,
    ) -> Result<Box<dyn Stream>, DialError> {
        let attempt = async {
            let stream = self.shared.net.connect(address).await.map_err(Why::Unreachable)?;
            let mut stream = match &identity.tls {
                Some(tls) => {
                    let tls = TlsConnector::from(Arc::clone(&tls.client));
                    Box::new(tls.connect(name, stream).await.map_err(broken)?) as Box<dyn Stream>
                }
                None => stream,
            };
            preamble.send(&mut stream).await.map_err(broken)?;
            let answer = Answer::receive(&mut stream).await.map_err(|garbled| match garbled {
                Garbled::Io(error) => broken(error),
                Garbled::Tls => Why::ExpectsTls,
                Garbled::Foreign => Why::Unsupported,
            })?;
            match answer.verdict {
                Verdict::Welcome => Ok(stream),
                Verdict::WrongCluster => Err(Why::WrongCluster(u128::from_be_bytes(answer.cluster))),
                Verdict::WrongNode => Err(Why::WrongNode),
                Verdict::WrongName => Err(Why::WrongName),
                Verdict::Unsupported => Err(Why::Unsupported),
                Verdict::BadToken => Err(Why::BadToken),
                Verdict::NotReady => Err(Why::NotReady),
                Verdict::Busy => Err(Why::Busy),
                Verdict::Removed => {
                    self.shared.expelled.send_replace(true);
                    Err(Why::Removed)
                }
            }
        };
        let outcome = timeout(HANDSHAKE_TIME, attempt).await.unwrap_or(Err(Why::Timeout));
        outcome.map_err(|why| DialError { address: address.to_owned(), why })
    }
}

/// Interprets a failure after the connect. A client learns during the handshake that the server's
/// certificate is foreign, but only from a later alert that its own is.
fn broken(error: io::Error) -> Why {
    use rustls::{CertificateError, Error};
    let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return Why::Closed(error);
    };
    match tls {
        // rustls checks the name after the signature, so this peer holds our token.
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => Why::WrongNode,
        Error::InvalidCertificate(_) | Error::NoCertificatesPresented | Error::AlertReceived(_) => Why::BadToken,
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => Why::WithoutTls,
        _ => Why::Closed(error),
    }
}
