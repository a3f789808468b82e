//! TLS between nodes: one authority derived from the join token, and one certificate for each start
//! of a node.
//!
//! Every holder of the token derives the same [`Authority`], down to the last byte of its
//! certificate, and issues itself a certificate with a fresh key. Both ends of a connection show
//! one. A certificate carries the name `node.troupe` (a holder of the token) and, once the node has
//! an id, `n<node id>.<cluster id>.troupe`. The dialer of a node requires that name. The dialed
//! node checks that the dialer's certificate carries the name of the node in the dialer's preamble.
//!
//! [`clients`] has the certificates for clients.
//!
//! TLS 1.3 only, without session tickets: links live for days, and a resumed session would skip the
//! certificates. The bytes after the handshake are in [`preamble`](crate::transport::preamble).

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ED25519, SerialNumber, date_time_ymd,
};
use rustls::client::{Resumption, verify_server_name};
use rustls::crypto::aws_lc_rs;
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use sha2::{Digest, Sha256};
use troupe_core::NodeId;

use crate::transport::fingerprint::Fingerprint;

pub mod clients;

/// Separates this use of the seed from later ones.
const KEY_DOMAIN: &[u8] = b"troupe cluster CA key v1";
const SUBJECT: &str = "Troupe cluster CA";
/// The name that every holder of the token may show, with or without an id.
const ANY_NODE: &str = "node.troupe";

/// The cluster's certificate authority, which every holder of the token has.
pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("no certificate could be issued for this node: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("TLS between nodes cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    #[error("TLS between nodes cannot be set up: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

impl Authority {
    /// The same seed gives the same key. Ed25519 signatures are deterministic, so it gives the same
    /// certificate bytes too.
    pub fn derive(seed: &[u8; 32]) -> Authority {
        let secret: [u8; 32] = Sha256::new().chain_update(KEY_DOMAIN).chain_update(seed).finalize().into();
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8(&secret), &PKCS_ED25519)
            .expect("any 32 bytes are an Ed25519 key");
        let params = authority_params();
        let certificate = params.self_signed(&key).expect("fixed parameters make a certificate").der().clone();
        Authority { certificate, issuer: Issuer::new(params, key) }
    }

    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    pub fn fingerprint(&self) -> Fingerprint {
        let digest = Sha256::digest(self.issuer.key().public_key_raw());
        let mut first = [0u8; 8];
        first.copy_from_slice(&digest[..8]);
        Fingerprint(first)
    }

    /// A certificate with a fresh key for this start of the node. Without an identity it is for a
    /// node that has no id yet.
    pub fn mint(&self, identity: Option<([u8; 16], NodeId)>) -> Result<NodeTls, TlsError> {
        self.mint_beside(None, identity)
    }

    /// The same, and also accepts certificates of another authority.
    pub fn mint_beside(
        &self,
        other: Option<&Authority>,
        identity: Option<([u8; 16], NodeId)>,
    ) -> Result<NodeTls, TlsError> {
        let own_name = match identity {
            Some((cluster, node)) => member_name(cluster, node),
            None => "new.troupe".to_owned(),
        };
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let mut params = CertificateParams::new(vec![own_name.clone(), ANY_NODE.to_owned()])?;
        params.distinguished_name = subject(&own_name);
        fix_validity(&mut params);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer)?.der().clone();
        let authorities = std::iter::once(self).chain(other).map(|authority| &authority.certificate);
        NodeTls::new(authorities, certificate, PrivatePkcs8KeyDer::from(key.serialize_der()))
    }
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(SUBJECT);
    params.serial_number = Some(SerialNumber::from(1u64));
    fix_validity(&mut params);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn subject(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

/// Wide on purpose: node certificates live as long as their process, and a node with a wrong clock
/// must still be accepted. A new token ends the trust.
fn fix_validity(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(2999, 12, 31);
}

/// RFC 8410: an Ed25519 private key is its 32 bytes behind a constant prefix.
fn pkcs8(secret: &[u8; 32]) -> PrivatePkcs8KeyDer<'static> {
    const FRAME: [u8; 16] =
        [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    PrivatePkcs8KeyDer::from([&FRAME[..], &secret[..]].concat())
}

/// `n<node id>.<cluster id>.troupe`.
pub fn member_name(cluster: [u8; 16], node: NodeId) -> String {
    format!("n{node}.{:032x}.troupe", u128::from_be_bytes(cluster))
}

/// Both directions of one node's TLS. Cheap to clone.
#[derive(Clone)]
pub struct NodeTls {
    pub client: Arc<ClientConfig>,
    pub server: Arc<ServerConfig>,
}

impl NodeTls {
    fn new<'a>(
        authorities: impl Iterator<Item = &'a CertificateDer<'static>>,
        certificate: CertificateDer<'static>,
        key: PrivatePkcs8KeyDer<'static>,
    ) -> Result<NodeTls, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority.clone())?;
        }
        let roots = Arc::new(roots);
        let versions = &[&rustls::version::TLS13];

        let mut client = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions)?
            .with_root_certificates(roots.clone())
            .with_client_auth_cert(vec![certificate.clone()], key.clone_key().into())?;
        client.resumption = Resumption::disabled();

        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone()).build()?;
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate], key.into())?;
        server.send_tls13_tickets = 0;

        Ok(NodeTls { client: Arc::new(client), server: Arc::new(server) })
    }
}

/// The name that a dialer requires: of one node, or of any holder of the token.
pub fn expected_name(node: Option<([u8; 16], NodeId)>) -> ServerName<'static> {
    let name = node.map_or_else(|| ANY_NODE.to_owned(), |(cluster, node)| member_name(cluster, node));
    ServerName::try_from(name).expect("letters, digits and dots make a DNS name")
}

/// Whether the certificate that a peer showed, and TLS verified, belongs to that node.
pub fn belongs_to(certificate: &CertificateDer<'_>, cluster: [u8; 16], node: NodeId) -> bool {
    ParsedCertificate::try_from(certificate)
        .and_then(|parsed| verify_server_name(&parsed, &expected_name(Some((cluster, node)))))
        .is_ok()
}

/// Whether it belongs to one of these nodes.
pub fn belongs_to_one(certificate: &CertificateDer<'_>, cluster: [u8; 16], nodes: &[NodeId]) -> bool {
    let is = |parsed: &ParsedCertificate<'_>, node: NodeId| {
        verify_server_name(parsed, &expected_name(Some((cluster, node)))).is_ok()
    };
    ParsedCertificate::try_from(certificate).is_ok_and(|parsed| nodes.iter().any(|node| is(&parsed, *node)))
}

#[cfg(test)]
mod tests;
