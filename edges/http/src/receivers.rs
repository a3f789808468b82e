//! The way from a node to the receivers of outgoing hooks: one POST per event.
//!
//! A hook is a URL that any admin of any group chooses, so it must not reach what only the node
//! reaches. Its address is checked when the hook is made, if it is one, and at each connection
//! behind the lookup of its name: the connection goes to the address that was checked. Redirects
//! are answers like any other. Time and the size of the answer are bounded.

mod places;

use std::fmt::Write;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Request, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use troupe_actors::hooks::{Delivery, Heard, Patience, Receivers, signature};
use troupe_actors::message::wire;
use troupe_core::limits;
use troupe_runtime::net::{BoxFuture, Net, Stream};

use self::places::Places;
use crate::routes::event::Event;

/// For the lookup, the connection and the answer together.
const WITHIN: Duration = Duration::from_secs(10);
/// Of an answer that is read. Above it the rest is dropped: the status is enough.
const ANSWER_BYTES: usize = 16 * 1024;

/// The operator's settings.
#[derive(Clone, Debug, Default)]
pub struct ReceiversConfig {
    /// Whether hooks may reach loopback, private and link-local addresses: for tests, and for
    /// receivers inside of the operator's network.
    pub private: bool,
    pub patience: Patience,
}

/// Receivers over HTTP/1.1, with TLS for `https`.
pub struct HttpReceivers {
    net: Arc<dyn Net>,
    config: ReceiversConfig,
    /// `None`: this machine has no authorities, so no `https` is reached.
    tls: Option<TlsConnector>,
    places: Arc<Places>,
}

impl std::fmt::Debug for HttpReceivers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpReceivers").field("config", &self.config).finish_non_exhaustive()
    }
}

impl HttpReceivers {
    /// `authorities`: a file of certificates in PEM.
    pub fn new(net: Arc<dyn Net>, config: ReceiversConfig, authorities: &Path) -> Arc<HttpReceivers> {
        let tls = connector(authorities);
        Arc::new(HttpReceivers { net, config, tls, places: Places::new() })
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

/// Of a URL: whether it is `https`, its host and its port.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    tls: bool,
    host: String,
    port: u16,
    uri: Uri,
}

impl Target {
    fn of(url: &str) -> Option<Target> {
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

impl Receivers for HttpReceivers {
    fn permits(&self, url: &str) -> bool {
        let Some(target) = Target::of(url) else { return false };
        let is_local = target.host == "localhost" || target.host.ends_with(".localhost");
        // Another way to write an address, such as 0x7f.1 or 127.1, is a name whose lookup says so.
        let address = target.host.parse::<IpAddr>().ok();
        self.config.private || (!is_local && address.is_none_or(is_public))
    }

    fn deliver(&self, delivery: Delivery) -> BoxFuture<'static, Heard> {
        let (net, private, tls) = (self.net.clone(), self.config.private, self.tls.clone());
        let places = self.places.clone();
        Box::pin(async move {
            let Some(_place) = places.take(delivery.by).await else {
                return Heard::Not { status: 0, why: "too many deliveries wait at this node".to_owned() };
            };
            match timeout(WITHIN, attempt(net, private, tls, delivery)).await {
                Ok(Ok(status)) if (200..300).contains(&status) => Heard::Taken,
                Ok(Ok(status)) => Heard::Not { status: status.into(), why: "the answer is no success".to_owned() },
                Ok(Err(why)) => Heard::Not { status: 0, why },
                Err(_) => Heard::Not { status: 0, why: "no answer within 10 seconds".to_owned() },
            }
        })
    }

    fn patience(&self) -> Patience {
        self.config.patience
    }
}

async fn attempt(
    net: Arc<dyn Net>,
    private: bool,
    tls: Option<TlsConnector>,
    delivery: Delivery,
) -> Result<u16, String> {
    let target = Target::of(&delivery.url).ok_or("the URL is not valid")?;
    let address = resolve(&target, private).await?;
    let plain = net.connect(&address.to_string()).await.map_err(|error| format!("no connection: {error}"))?;
    let stream: Box<dyn Stream> = if target.tls {
        let tls = tls.ok_or("this node has no certificate authorities for https")?;
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
    let sent = sender.send_request(request(&target, delivery)?).await;
    match sent {
        Ok(response) => {
            let status = response.status().as_u16();
            // A receiver may write before it has done its work, so its answer is read to the end.
            let _ = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
            Ok(status)
        }
        Err(error) => Err(format!("no answer: {error}")),
    }
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

/// The body of a delivery.
#[derive(Serialize)]
struct Posted<'a> {
    hook: &'a str,
    conversation: String,
    event: Event,
}

fn request(target: &Target, delivery: Delivery) -> Result<Request<Full<Bytes>>, String> {
    let hook = delivery.hook_name();
    let event = Event::from(wire::Event::from(&delivery.event));
    let conversation = delivery.conversation.to_string();
    let posted = Posted { hook: &hook, conversation, event };
    let body = serde_json::to_vec(&posted).map_err(|error| error.to_string())?;
    let time = delivery.now.0 / 1_000;
    let signed = signature(&delivery.key, time, &body).iter().fold(String::from("v1="), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    });
    let place = target.uri.path_and_query().map_or("/", |place| place.as_str());
    let authority = target.uri.authority().map_or("", |authority| authority.as_str());
    Request::post(place)
        .header(header::HOST, authority)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("troupe/", env!("CARGO_PKG_VERSION")))
        .header("troupe-hook", hook)
        .header("troupe-seq", delivery.event.seq.0)
        .header("troupe-attempt", delivery.attempt)
        .header("troupe-timestamp", time)
        .header("troupe-signature", signed)
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use troupe_runtime::net::TcpNet;

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
    async fn a_hook_has_a_public_url_also_behind_the_lookup_of_its_name() {
        let (net, nothing) = (Arc::new(TcpNet), Path::new("/dev/null"));
        let guarded = HttpReceivers::new(net.clone(), ReceiversConfig::default(), nothing);
        for wrong in [
            "",
            "a.example",
            "ftp://a.example/",
            "http://",
            "http://localhost/",
            "http://a.localhost:80/",
            "http://127.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:7f00:1]:80/",
            "https://10.0.0.1/x",
            "http://user@a.example/",
            "http://a.example/#x",
            "http://169.254.169.254/latest/meta-data",
        ] {
            assert!(!guarded.permits(wrong), "{wrong}");
        }
        for right in ["https://a.example/hook?x=1", "http://a.example:8080/", "https://93.184.215.14/"] {
            assert!(guarded.permits(right), "{right}");
        }
        // 127.1 is a way to write an address, which the lookup resolves.
        for name in ["localhost", "127.1"] {
            let target = Target { tls: false, host: name.into(), port: 80, uri: "http://a/".parse().expect("a URI") };
            assert!(resolve(&target, false).await.is_err(), "{name}");
        }
        let private = HttpReceivers::new(net, ReceiversConfig { private: true, ..Default::default() }, nothing);
        assert!(private.permits("http://127.0.0.1:9/"));
    }
}
