//! The way to a receiver: one request over a connection of its own, to an address that was checked.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use axum::http::{Request, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use troupe_core::limits;
use troupe_runtime::net::{Net, Stream};

/// Cheap to clone.
#[derive(Clone)]
pub struct Way {
    net: Arc<dyn Net>,
    /// Whether it leads to loopback, private and link-local addresses.
    private: bool,
    /// `None`: this machine has no authorities, so no `https` is reached.
    tls: Option<TlsConnector>,
}

/// The answer of a receiver.
#[derive(Debug)]
pub struct Said {
    pub status: u16,
    /// `None`: it is too long, or it broke off.
    pub body: Option<Bytes>,
}

/// Of a URL: whether it is `https`, its host and its port.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    pub tls: bool,
    host: String,
    port: u16,
    uri: Uri,
}

impl Target {
    /// Its path and query.
    pub fn place(&self) -> &str {
        self.uri.path_and_query().map_or("/", |place| place.as_str())
    }

    pub fn authority(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }

    /// Whether the host may be one that any machine reaches; a lookup of its name decides.
    pub fn is_public(&self) -> bool {
        let is_local = self.host == "localhost" || self.host.ends_with(".localhost");
        // Another way to write an address, such as 0x7f.1 or 127.1, is a name whose lookup says so.
        let address = self.host.parse::<IpAddr>().ok();
        !is_local && address.is_none_or(is_public)
    }

    pub fn of(url: &str) -> Option<Target> {
        if url.len() > limits::HOOK_URL_BYTES || url.contains(['#', '@', '\\']) {
            return None;
        }
        let uri: Uri = url.parse().ok()?;
        let tls = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let is_named = !host.is_empty() && port != 0;
        is_named.then_some(Target { tls, host, port, uri })
    }
}

/// Whether the address is one of the internet, which any machine reaches.
// Invariant: private. No hook reaches what only the node reaches.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    let is_of_protocols = a == 192 && b == 0 && c == 0;
    let is_benchmark = a == 198 && (18..20).contains(&b);
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || is_shared
        || is_of_protocols
        || is_benchmark)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Global unicast alone, without the parts that carry an IPv4 address: NAT64, Teredo and 6to4.
    let is_global = (a & 0xe000) == 0x2000;
    is_global && !(a == 0x2001 && (b < 0x200 || b == 0xdb8)) && a != 0x2002
}

impl Way {
    /// `authorities`: a file of certificates in PEM.
    pub fn new(net: Arc<dyn Net>, private: bool, authorities: &Path) -> Way {
        Way { net, private, tls: connector(authorities) }
    }

    /// Posts `body` with these headers, and reads an answer of at most so many bytes.
    pub async fn post(
        &self,
        url: &str,
        headers: impl IntoIterator<Item = (&'static str, String)>,
        body: Vec<u8>,
        most: usize,
    ) -> Result<Said, String> {
        let target = Target::of(url).ok_or("the URL is not valid")?;
        let address = resolve(&target, self.private).await?;
        let plain = self.net.connect(&address.to_string()).await.map_err(|error| format!("no connection: {error}"))?;
        let stream: Box<dyn Stream> = if target.tls {
            let tls = self.tls.as_ref().ok_or("this node has no certificate authorities for https")?;
            let name = ServerName::try_from(target.host.clone()).map_err(|_| "the host is no name of a certificate")?;
            Box::new(tls.connect(name, plain).await.map_err(|error| format!("no TLS: {error}"))?)
        } else {
            plain
        };
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| format!("no HTTP: {error}"))?;
        // It ends with this attempt, also when its time is over.
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let request = Request::post(target.place())
            .header(header::HOST, target.authority())
            .header(header::USER_AGENT, concat!("troupe/", env!("CARGO_PKG_VERSION")));
        let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let request = request.body(Full::new(Bytes::from(body))).map_err(|error| error.to_string())?;
        match sender.send_request(request).await {
            Ok(response) => {
                let status = response.status().as_u16();
                // A receiver may write before it has done its work, so its answer is read to the
                // end.
                let body = Limited::new(response.into_body(), most).collect().await;
                Ok(Said { status, body: body.ok().map(|body| body.to_bytes()) })
            }
            Err(error) => Err(format!("no answer: {error}")),
        }
    }
}

fn connector(authorities: &Path) -> Option<TlsConnector> {
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(authorities).ok()?.filter_map(Result::ok);
    roots.add_parsable_certificates(found);
    if roots.is_empty() {
        return None;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    Some(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}

/// The address to connect to. All addresses of a name must be public, so that no lookup chooses.
async fn resolve(target: &Target, private: bool) -> Result<SocketAddr, String> {
    let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
    let found: Vec<SocketAddr> = found.map_err(|error: io::Error| format!("no address: {error}"))?.collect();
    if !private && !found.iter().all(|address| is_public(address.ip())) {
        return Err("the host has an address that is not public".to_owned());
    }
    found.into_iter().next().ok_or_else(|| "the host has no address".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_node_and_its_network_are_not_public() {
        for inside in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001::1",
            "ff02::1",
        ] {
            assert!(!is_public(inside.parse().expect("an address")), "{inside}");
        }
        for outside in ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "::ffff:1.1.1.1"] {
            assert!(is_public(outside.parse().expect("an address")), "{outside}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_no_receiver() {
        // 127.1 is a way to write an address, which the lookup resolves.
        for name in ["localhost", "127.1"] {
            let target = Target { tls: false, host: name.into(), port: 80, uri: "http://a/".parse().expect("a URI") };
            assert!(resolve(&target, false).await.is_err(), "{name}");
        }
    }
}
