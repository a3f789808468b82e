//! The certificate that a node shows to clients: the operator's own, or one from the cluster's
//! authority.
//!
//! Clients hold no certificate; they log in. A certificate from the cluster's authority carries
//! [`CLIENT_NAME`], and the authority is sent with it. So a client pins the authority's key once
//! and then verifies every node of the cluster. Certificates for the cluster port do not carry that
//! name, and those for the client port do not carry the names of nodes.

use std::path::Path;
use std::sync::Arc;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PKCS_ED25519};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{Authority, TlsError, fix_validity, subject};

/// The name in every certificate that a cluster's authority signs for a client port.
pub const CLIENT_NAME: &str = "client.troupe";

/// Protocols that ALPN may choose at the client port.
pub const HTTP: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The TLS configuration of the client port.
pub type Shown = Arc<ServerConfig>;

/// The certificates for clients: the node's first, then those that sign it.
pub struct ClientIdentity {
    pub chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl ClientIdentity {
    /// Reads an operator's own certificate from two PEM files. The error names the file to change.
    pub fn read(certificate: &Path, key: &Path) -> Result<ClientIdentity, String> {
        let wrong = |file: &Path, why: &dyn std::fmt::Display| format!("{}: {why}", file.display());
        let chain: Result<Vec<_>, _> =
            CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let chain = chain.map_err(|error| wrong(certificate, &error))?;
        if chain.is_empty() {
            return Err(wrong(certificate, &"holds no certificate in PEM form"));
        }
        let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
        let identity = ClientIdentity { chain, key: key_der };
        identity.server().map_err(|error| format!("{} with {}: {error}", certificate.display(), key.display()))?;
        Ok(identity)
    }

    /// TLS 1.3 without tickets: on every connection the client proves itself by its login, and the
    /// server by its certificate. ALPN is for HTTP; a native client names no protocol.
    pub fn server(&self) -> Result<Shown, TlsError> {
        let mut server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), self.key.clone_key())?;
        server.send_tls13_tickets = 0;
        server.alpn_protocols = HTTP.map(Vec::from).into();
        Ok(Arc::new(server))
    }
}

impl Authority {
    /// A certificate for a client port. `hosts` are the names and addresses that clients dial, for
    /// those that verify them.
    pub fn mint_for_clients(&self, hosts: &[String]) -> Result<ClientIdentity, TlsError> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let names = std::iter::once(CLIENT_NAME.to_owned()).chain(hosts.iter().cloned());
        let mut params = CertificateParams::new(names.collect::<Vec<_>>())?;
        params.distinguished_name = subject(CLIENT_NAME);
        fix_validity(&mut params);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.issuer)?.der().clone();
        Ok(ClientIdentity {
            chain: vec![certificate, self.certificate.clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        })
    }

    /// The authority's certificate in PEM form, for clients that use it as their root.
    pub fn pem(&self) -> String {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(&self.certificate);
        let mut out = String::from("-----BEGIN CERTIFICATE-----\n");
        let mut rest = text.as_str();
        while !rest.is_empty() {
            // Base64 is ASCII, so every position is a character boundary.
            let (line, more) = rest.split_at(rest.len().min(64));
            out.push_str(line);
            out.push('\n');
            rest = more;
        }
        out.push_str("-----END CERTIFICATE-----\n");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::tls::{belongs_to, member_name};
    use troupe_core::NodeId;

    fn write(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("written");
        path
    }

    #[test]
    fn a_certificate_for_clients_is_none_for_nodes() {
        let authority = Authority::derive(&[7; 32]);
        let identity = authority.mint_for_clients(&["chat.example".into(), "10.0.0.7".into()]).expect("minted");
        assert_eq!(identity.chain.last(), Some(authority.certificate()));
        assert!(!belongs_to(&identity.chain[0], [1; 16], NodeId(1)), "{}", member_name([1; 16], NodeId(1)));
        identity.server().expect("a server");
    }

    #[test]
    fn own_files_are_judged_with_the_file_that_is_wrong() {
        let folder = tempfile::tempdir().expect("a folder");
        let pair = rcgen::generate_simple_self_signed(vec!["chat.example".into()]).expect("a certificate");
        let certificate = write(folder.path(), "cert.pem", &pair.cert.pem());
        let key = write(folder.path(), "key.pem", &pair.signing_key.serialize_pem());
        ClientIdentity::read(&certificate, &key).expect("a pair");
        let other = rcgen::generate_simple_self_signed(vec!["other.example".into()]).expect("a certificate");
        let foreign = write(folder.path(), "other.pem", &other.signing_key.serialize_pem());
        let garbage = write(folder.path(), "garbage.pem", "no PEM");
        let missing = folder.path().join("missing.pem");
        for (certificate, key, named) in [
            (&certificate, &foreign, "other.pem"),
            (&garbage, &key, "garbage.pem"),
            (&certificate, &garbage, "garbage.pem"),
            (&missing, &key, "missing.pem"),
        ] {
            let error = ClientIdentity::read(certificate, key).err().expect("refused");
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn the_authority_can_be_given_to_other_software() {
        let authority = Authority::derive(&[9; 32]);
        let read = CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("PEM");
        assert_eq!(&read, authority.certificate());
    }
}
