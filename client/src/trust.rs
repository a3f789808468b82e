//! Server authentication: TLS 1.3, and a key that is pinned on first use or given in advance.
//!
//! A node presents a certificate of its cluster's authority, or the operator's own. The pin is the
//! SHA-256 of a public key: the authority's in the first case, so that one pin covers every node,
//! and the certificate's in the second. [`Trust`] stores pins by cluster, and the addresses of each
//! cluster. An address or a cluster that presents another key is refused before anything is sent.
//!
//! Plain text is used for loopback addresses and for `tcp://host:port`. `tls://host:port` requires
//! TLS on loopback too.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsConnector;
use troupe_runtime::{Net, Stream};

use crate::error::{Error, Result};

mod known;
#[cfg(test)]
mod tests;

use known::Known;

/// The name in every certificate that a cluster's authority signs for a client port.
const CLIENT_NAME: &str = "client.troupe";
/// Certificates of a cluster expire with their key, not by date: a device with a wrong clock must
/// still connect.
const ANY_TIME: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
const TLS: &str = "tls://";
const PLAIN: &str = "tcp://";

/// SHA-256 of a public key in its X.509 form, as `openssl pkey -pubin -outform der | sha256sum`
/// prints it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The pin of a chain: the authority's key if the chain is a cluster's own, otherwise the
    /// certificate's key.
    pub fn of_chain(chain: &[CertificateDer<'_>]) -> Result<Fingerprint, rustls::Error> {
        let (leaf, above) = chain.split_first().ok_or(rustls::Error::NoCertificatesPresented)?;
        let parsed = ParsedCertificate::try_from(leaf)?;
        let name = ServerName::try_from(CLIENT_NAME).map_err(|_| CertificateError::NotValidForName)?;
        let (Some(authority), Ok(())) = (above.last(), verify_server_name(&parsed, &name)) else {
            return Fingerprint::of_key(leaf);
        };
        // The name proves nothing: the authority must have signed the certificate.
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &roots, &[], ANY_TIME, algorithms)?;
        Fingerprint::of_key(authority)
    }

    /// The pin of one certificate's key.
    pub fn of_key(certificate: &CertificateDer<'_>) -> Result<Fingerprint, rustls::Error> {
        let key = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
        Ok(Fingerprint(Sha256::digest(key).into()))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = String;

    /// Hex digits, optionally separated by colons.
    fn from_str(text: &str) -> Result<Fingerprint, String> {
        let wrong = || "a fingerprint is 64 hex digits, as a node logs it and `troupe token ca` prints it".to_owned();
        let digits: Vec<u8> = text.trim().bytes().filter(|byte| *byte != b':').collect();
        if digits.len() != 64 {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: u8| char::from(at).to_digit(16).ok_or_else(wrong);
            *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
        }
        Ok(Fingerprint(bytes))
    }
}

/// A dialed address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// `host:port`.
    pub dial: &'a str,
    pub tls: bool,
}

impl<'a> Target<'a> {
    pub fn of(address: &'a str, net: &dyn Net) -> Target<'a> {
        match (address.strip_prefix(TLS), address.strip_prefix(PLAIN)) {
            (Some(dial), _) => Target { dial, tls: true },
            (_, Some(dial)) => Target { dial, tls: false },
            _ => Target { dial: address, tls: !net.is_private(address) },
        }
    }
}

/// Addresses that a node reports to its clients, filtered: a TLS connection leads to TLS only.
pub fn followed(from: &str, told: &[String], net: &dyn Net) -> Vec<String> {
    if !Target::of(from, net).tls {
        return told.to_vec();
    }
    let secure = |address: &String| match Target::of(address, net).tls {
        true => Some(address.clone()),
        false if address.starts_with(PLAIN) => None,
        false => Some(format!("{TLS}{address}")),
    };
    told.iter().filter_map(secure).collect()
}

/// A cluster whose key was pinned on first use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstUse {
    pub address: String,
    pub cluster: String,
    pub fingerprint: Fingerprint,
}

type Tell = Arc<dyn Fn(&FirstUse) + Send + Sync>;

/// Cheap to clone. Clones share what they learn.
#[derive(Clone)]
pub struct Trust {
    known: Arc<Mutex<Known>>,
    /// Given by the user: no other key is accepted.
    required: Option<Fingerprint>,
    /// Certificates are verified by these authorities and the host name. Nothing is pinned.
    roots: Option<Arc<RootCertStore>>,
    tell: Option<Tell>,
}

impl Default for Trust {
    fn default() -> Trust {
        Trust::first_use()
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("required", &self.required).field("roots", &self.roots.is_some()).finish()
    }
}

impl Trust {
    /// Trusts the first key of a cluster, for the lifetime of this value.
    pub fn first_use() -> Trust {
        Trust { known: Arc::default(), required: None, roots: None, tell: None }
    }

    /// Trusts the first key of a cluster and stores it in this file.
    pub fn kept_in(file: impl AsRef<Path>) -> io::Result<Trust> {
        let known = Known::read(file.as_ref())?;
        Ok(Trust { known: Arc::new(Mutex::new(known)), ..Trust::first_use() })
    }

    /// Accepts only this key, and stores it in place of another one.
    pub fn require(mut self, fingerprint: Fingerprint) -> Trust {
        self.required = Some(fingerprint);
        self
    }

    /// Verifies certificates by the authorities in this PEM file and by the host name, as browsers
    /// do.
    pub fn authorities(file: &Path) -> io::Result<Trust> {
        let wrong = |error: &dyn fmt::Display| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", file.display()))
        };
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_file_iter(file).map_err(|error| wrong(&error))?;
        let certificates: Result<Vec<_>, _> = certificates.collect();
        roots.add_parsable_certificates(certificates.map_err(|error| wrong(&error))?);
        if roots.is_empty() {
            return Err(wrong(&"holds no certificate in PEM form"));
        }
        Ok(Trust { roots: Some(Arc::new(roots)), ..Trust::first_use() })
    }

    /// Called with every key that is pinned on first use, to inform the user.
    pub fn telling(mut self, tell: impl Fn(&FirstUse) + Send + Sync + 'static) -> Trust {
        self.tell = Some(Arc::new(tell));
        self
    }

    /// TLS over a connected stream. Returns the presented key if keys are pinned.
    pub(crate) async fn secure(
        &self,
        stream: Box<dyn Stream>,
        dial: &str,
    ) -> Result<(Box<dyn Stream>, Option<Fingerprint>)> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let pinned = self.required.or_else(|| self.known.lock().of_address(dial));
        let check = Arc::new(Check { pinned, seen: OnceLock::new(), provider: provider.clone() });
        let verifier: Arc<dyn ServerCertVerifier> = match &self.roots {
            Some(roots) => WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone())
                .build()
                .map_err(|error| Error::Untrusted(error.to_string()))?,
            None => check.clone(),
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| Error::Untrusted(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        let host = dial.rsplit_once(':').map_or(dial, |(host, _)| host).trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Error::Untrusted(format!("{host} is no name of a host that TLS can ask for")))?;
        match TlsConnector::from(Arc::new(config)).connect(name, stream).await {
            Ok(stream) => Ok((Box::new(stream), check.seen.get().copied())),
            Err(error) => Err(self.not_secure(dial, pinned, check.seen.get().copied(), error)),
        }
    }

    fn not_secure(
        &self,
        dial: &str,
        pinned: Option<Fingerprint>,
        seen: Option<Fingerprint>,
        error: io::Error,
    ) -> Error {
        if let (Some(pinned), Some(seen)) = (pinned, seen)
            && pinned != seen
        {
            return self.changed(dial, pinned, seen);
        }
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidMessage(_)) => Error::Untrusted(format!(
                "{dial} does not speak TLS; if plain text is meant there, and the network between is yours, use {PLAIN}{dial}"
            )),
            Some(rustls::Error::InvalidCertificate(why)) => {
                Error::Untrusted(format!("the certificate of {dial} is refused: {why:?}"))
            }
            _ => Error::Unavailable(format!("TLS with {dial}: {error}")),
        }
    }

    fn changed(&self, address: &str, pinned: Fingerprint, seen: Fingerprint) -> Error {
        let way_out = match (self.required, self.known.lock().file()) {
            (Some(_), _) => "compare it with `troupe token ca` on a node of the cluster".to_owned(),
            (None, Some(file)) => format!(
                "if its operator has changed it, start with --fingerprint {seen} once, or remove its line from {}",
                file.display()
            ),
            (None, None) => "if its operator has changed it, restart this client".to_owned(),
        };
        Error::Untrusted(format!(
            "{address} shows another key than the one that is known: {seen} instead of {pinned}. Someone may be \
             listening in between. Nothing was sent to it; {way_out}"
        ))
    }

    /// The server at `dial` has presented this key and named its cluster. No secret has been sent
    /// yet.
    pub(crate) fn confirm(&self, dial: &str, cluster: &[u8], seen: Fingerprint) -> Result<()> {
        let cluster: String = cluster.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut known = self.known.lock();
        let before = known.of_cluster(&cluster);
        if let Some(pinned) = before
            && pinned != seen
            && self.required.is_none()
        {
            drop(known);
            return Err(self.changed(dial, pinned, seen));
        }
        if let Err(error) = known.keep(&cluster, seen, dial) {
            // This connection is valid. Only the next start does not know the pin.
            tracing::warn!(%error, "cannot store the key of this cluster");
        }
        drop(known);
        if before.is_none()
            && self.required.is_none()
            && let Some(tell) = &self.tell
        {
            tell(&FirstUse { address: dial.to_owned(), cluster, fingerprint: seen });
        }
        Ok(())
    }

    /// Addresses that a node of this cluster reported. A server there must present the cluster's
    /// key.
    pub(crate) fn learn(&self, cluster: &[u8], addresses: &[String]) {
        let cluster: String = cluster.iter().map(|byte| format!("{byte:02x}")).collect();
        self.known
            .lock()
            .learn(&cluster, addresses.iter().filter_map(|address| address.strip_prefix(TLS).or(Some(address))));
    }
}

/// Verifies the certificate of one connection, and remembers the presented key.
#[derive(Debug)]
struct Check {
    pinned: Option<Fingerprint>,
    seen: OnceLock<Fingerprint>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Check {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain: Vec<_> = std::iter::once(end_entity).chain(intermediates).cloned().collect();
        let shown = Fingerprint::of_chain(&chain)?;
        let seen = *self.seen.get_or_init(|| shown);
        match self.pinned {
            Some(pinned) if pinned != seen => Err(CertificateError::ApplicationVerificationFailure.into()),
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("only TLS 1.3 is spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
