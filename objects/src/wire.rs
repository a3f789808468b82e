//! One HTTP request over a connection of its own, with TLS that the authorities of a file verify.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response, Uri, header};
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// For a connection and its handshake.
const CONNECT: Duration = Duration::from_secs(15);

pub struct Wire {
    /// `None`: no authorities, so no `https`.
    tls: Option<TlsConnector>,
}

/// An answer whose body may still come.
pub struct Answer {
    pub response: Response<Incoming>,
    /// The connection, which ends with the answer.
    _driver: JoinSet<hyper::Result<()>>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Wire {
    pub fn new(authorities: &Path) -> Wire {
        Wire { tls: connector(authorities) }
    }

    /// The head of the answer has to come within `limit`. No text of an error has the URL, which is
    /// signed.
    pub async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
        limit: Duration,
    ) -> Result<Answer, String> {
        let uri: Uri = url.parse().map_err(|_| "the URL of the store is not valid".to_owned())?;
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        let stream = timeout(CONNECT, self.connect(&uri)).await;
        let stream = stream.map_err(|_| format!("no connection to {authority} within {CONNECT:?}"))??;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| format!("no HTTP with {authority}: {error}"))?;
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let place = uri.path_and_query().map_or("/", |place| place.as_str());
        let request = Request::builder()
            .method(method)
            .uri(place)
            .header(header::HOST, &authority)
            .header(header::USER_AGENT, concat!("troupe/", env!("CARGO_PKG_VERSION")));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let request = request.body(Full::new(body)).map_err(|error| error.to_string())?;
        let response = timeout(limit, sender.send_request(request)).await;
        let response = response.map_err(|_| format!("{authority} does not answer within {limit:?}"))?;
        let response = response.map_err(|error| format!("{authority} broke off: {error}"))?;
        Ok(Answer { response, _driver: driver })
    }

    #[allow(clippy::disallowed_methods, reason = "a tool that asks a store; never part of a node")]
    async fn connect(&self, uri: &Uri) -> Result<Box<dyn Stream>, String> {
        let is_tls = uri.scheme_str() == Some("https");
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let plain = TcpStream::connect((host.as_str(), port)).await;
        let plain = plain.map_err(|error| format!("nothing answers at {host}:{port}: {error}"))?;
        if !is_tls {
            return Ok(Box::new(plain));
        }
        let tls = self.tls.as_ref().ok_or("no certificate authorities for https: name a file of them")?;
        let name = ServerName::try_from(host.clone()).map_err(|_| format!("{host} is no name of a certificate"))?;
        let encrypted = tls.connect(name, plain).await;
        Ok(Box::new(encrypted.map_err(|error| format!("no TLS with {host}:{port}: {error}"))?))
    }
}

fn connector(authorities: &Path) -> Option<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_file_iter(authorities).ok()?.filter_map(Result::ok));
    if roots.is_empty() {
        return None;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    Some(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}
