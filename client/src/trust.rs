//! Which server is believed to be the cluster: TLS 1.3, and a key that is pinned on first use or
//! given before.
//!
//! A node shows a certificate from its cluster's authority, or the operator's own. What is pinned
//! is the SHA-256 of a public key: the authority's in the first case, so that one pin serves every
//! node of the cluster, and the certificate's own in the second. [`Trust`] keeps pins by cluster
//! and knows which addresses belong to which cluster. An address, or a cluster, that shows another
//! key than before is refused before anything is said to it.
//!
//! Plain text is spoken to loopback addresses, and to `tcp://host:port`. `tls://host:port` asks for
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
/// A cluster's certificates end with their key, not with a date: a device with a wrong clock must
/// still get in.
const ANY_TIME: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
const TLS: &str = "tls://";
const PLAIN: &str = "tcp://";

/// SHA-256 of a public key in its X.509 form, as `openssl pkey -pubin -outform der | sha256sum`
/// prints it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// What is pinned of a chain: the authority's key where the chain is a cluster's own, and the
    /// certificate's key elsewhere.
    pub fn of_chain(chain: &[CertificateDer<'_>]) -> Result<Fingerprint, rustls::Error> {
        let (leaf, above) = chain.split_first().ok_or(rustls::Error::NoCertificatesPresented)?;
        let parsed = ParsedCertificate::try_from(leaf)?;
        let name = ServerName::try_from(CLIENT_NAME).map_err(|_| CertificateError::NotValidForName)?;
        let (Some(authority), Ok(())) = (above.last(), verify_server_name(&parsed, &name)) else {
            return Fingerprint::of_key(leaf);
        };
        // The name alone says nothing: the authority must have signed it.
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &roots, &[], ANY_TIME, algorithms)?;
        Fingerprint::of_key(authority)
    }

    /// That of one certificate's key.
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

    /// Hex digits, with or without colons between them.
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

/// An address as it is dialed.
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

/// Addresses that a node tells its clients, as far as they are followed: a connection with TLS
/// leads to TLS only.
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

/// A cluster whose key was taken on first use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstUse {
    pub address: String,
    pub cluster: String,
    pub fingerprint: Fingerprint,
}

type Tell = Arc<dyn Fn(&FirstUse) + Send + Sync>;

/// Cheap to clone; clones share what they learn.
#[derive(Clone)]
pub struct Trust {
    known: Arc<Mutex<Known>>,
    /// Given by a person: nothing else is believed.
    required: Option<Fingerprint>,
    /// Certificates are judged by these authorities and the host's name, and nothing is pinned.
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
    /// The first key of a cluster is believed, as long as this value lives.
    pub fn first_use() -> Trust {
        Trust { known: Arc::default(), required: None, roots: None, tell: None }
    }

    /// The first key of a cluster is believed and kept in this file.
    pub fn kept_in(file: impl AsRef<Path>) -> io::Result<Trust> {
        let known = Known::read(file.as_ref())?;
        Ok(Trust { known: Arc::new(Mutex::new(known)), ..Trust::first_use() })
    }

    /// Only this key is believed, and kept in the place of another one.
    pub fn require(mut self, fingerprint: Fingerprint) -> Trust {
        self.required = Some(fingerprint);
        self
    }

    /// Certificates are judged by the authorities in this PEM file and by the name of the host, as
    /// browsers do.
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

    /// Called with every key that is taken on first use, so that a person can be told.
    pub fn telling(mut self, tell: impl Fn(&FirstUse) + Send + Sync + 'static) -> Trust {
        self.tell = Some(Arc::new(tell));
        self
    }

    /// TLS over a connected stream. Returns the key that was shown, where keys are pinned.
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
            (None, None) => "if its operator has changed it, start anew".to_owned(),
        };
        Error::Untrusted(format!(
            "{address} shows another key than the one that is known: {seen} instead of {pinned}. Somebody may be \
             listening in between. Nothing was said to it; {way_out}"
        ))
    }

    /// The server at `dial` has shown this key and says which cluster it belongs to. Nothing secret
    /// was said so far.
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
            // This connection is as good; only the next start does not know it.
            tracing::warn!(%error, "the key of this cluster is not kept");
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

    /// Addresses that a node of this cluster has told: whoever answers there must show the
    /// cluster's key.
    pub(crate) fn learn(&self, cluster: &[u8], addresses: &[String]) {
        let cluster: String = cluster.iter().map(|byte| format!("{byte:02x}")).collect();
        self.known
            .lock()
            .learn(&cluster, addresses.iter().filter_map(|address| address.strip_prefix(TLS).or(Some(address))));
    }
}

/// Judges one connection's certificate, and remembers what it was shown.
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
