//! The opening handshake, RFC 6455 section 4.2, and the web pages that may make it.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha1::{Digest, Sha1};
use troupe_runtime::net;

/// Section 1.3: shows that the server has read the handshake.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Web pages that may connect. A program that is no browser names no page.
#[derive(Clone, Debug, Default)]
pub struct Origins(Arc<Allowed>);

#[derive(Debug, Default)]
struct Allowed {
    any: bool,
    listed: BTreeSet<String>,
    /// Hosts of the node itself, without ports: pages that it serves.
    own: BTreeSet<String>,
}

impl Origins {
    /// `listed`: origins, comma-separated, or `*`. `own`: hosts by which the node is known. The
    /// error names the entry that is wrong.
    pub fn new(listed: &str, own: impl IntoIterator<Item = String>) -> Result<Origins, String> {
        let mut allowed = Allowed { own: own.into_iter().collect(), ..Allowed::default() };
        for origin in listed.split(',').map(str::trim).filter(|origin| !origin.is_empty()) {
            let host = origin.split_once("://").map(|(_, host)| host).unwrap_or_default();
            match origin {
                "*" => allowed.any = true,
                _ if host.is_empty() || host.contains('/') => {
                    return Err(format!("\"{origin}\" is no origin: wants scheme://host, scheme://host:port or *"));
                }
                _ => drop(allowed.listed.insert(origin.to_lowercase())),
            }
        }
        Ok(Origins(Arc::new(allowed)))
    }

    /// A page of another host might be opened by anyone who uses this machine's browser, so it has
    /// to be listed, or to come from a node of the cluster. `host` is that of the request, and
    /// `nodes` are the addresses at which nodes serve pages.
    fn admit(&self, origin: &str, host: &str, nodes: impl FnOnce() -> Vec<String>) -> bool {
        let origin = origin.to_lowercase();
        if self.0.any || self.0.listed.contains(&origin) {
            return true;
        }
        let Some((scheme, page)) = origin.split_once("://") else { return false };
        let usual = if scheme == "https" { "443" } else { "80" };
        // A name that was bent to this node is not its own, whatever page asks.
        self.is_own(host) && (page == host.to_lowercase() || nodes().iter().any(|node| is_at(page, usual, node)))
    }

    fn is_own(&self, host: &str) -> bool {
        let bare = net::host(host).to_lowercase();
        net::is_loopback(host) || self.0.own.contains(&bare)
    }
}

/// Whether a page comes from the address of a node. A page names no port if it is the usual one of
/// its scheme, and this machine has several names.
fn is_at(page: &str, usual: &str, node: &str) -> bool {
    let node = node.split_once("://").map_or(node, |(_, place)| place).to_lowercase();
    let port =
        |place: &str| place.rsplit_once(':').map(|(_, port)| port.to_owned()).filter(|port| !port.ends_with(']'));
    let same_port = port(page).unwrap_or_else(|| usual.to_owned()) == port(&node).unwrap_or_default();
    let near = net::is_loopback(page) && net::is_loopback(&node);
    same_port && (near || net::host(page) == net::host(&node))
}

/// Why a request does not become a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    NoUpgrade(&'static str),
    Version,
    Origin(String),
    NoPlace,
}

/// The value of `Sec-WebSocket-Accept`, if the request is a good handshake. `nodes`: the addresses
/// of the cluster's own pages.
pub fn check(
    method: &Method,
    version: Version,
    headers: &HeaderMap,
    origins: &Origins,
    nodes: impl FnOnce() -> Vec<String>,
) -> Result<String, Refused> {
    if method != Method::GET || version < Version::HTTP_11 || version >= Version::HTTP_2 {
        return Err(Refused::NoUpgrade("a WebSocket begins with GET in HTTP/1.1"));
    }
    if !has_token(headers, header::UPGRADE, "websocket") || !has_token(headers, header::CONNECTION, "upgrade") {
        return Err(Refused::NoUpgrade("this path wants \"Upgrade: websocket\" and \"Connection: Upgrade\""));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Refused::Version);
    }
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    let key = keys.next().filter(|key| STANDARD.decode(key.as_bytes()).is_ok_and(|key| key.len() == 16));
    let (Some(key), None) = (key, keys.next()) else {
        return Err(Refused::NoUpgrade("Sec-WebSocket-Key wants 16 bytes in base64, once"));
    };
    let text = |name| headers.get(name).map(|value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()));
    if let Some(origin) = text(header::ORIGIN)
        && !origins.admit(&origin, &text(header::HOST).unwrap_or_default(), nodes)
    {
        return Err(Refused::Origin(origin.into_owned()));
    }
    Ok(accept(key.as_bytes()))
}

/// Section 4.2.2.
fn accept(key: &[u8]) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

/// Whether a header has this word in its lists.
fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name);
    let mut words = values.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    words.any(|word| word.trim().eq_ignore_ascii_case(token))
}

pub fn switching(accept: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Ok(accept) = HeaderValue::from_str(accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

impl Refused {
    pub fn response(&self) -> Response {
        let (status, code, detail) = match self {
            Refused::NoUpgrade(why) => (StatusCode::BAD_REQUEST, "bad_request", (*why).to_owned()),
            Refused::Version => {
                (StatusCode::UPGRADE_REQUIRED, "bad_version", "this server speaks version 13 of WebSocket".to_owned())
            }
            Refused::Origin(origin) => (
                StatusCode::FORBIDDEN,
                "origin_not_allowed",
                format!("pages of {} may not connect: the operator adds them to http.origins", origin.escape_default()),
            ),
            Refused::NoPlace => (
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                "no place for another connection: try again, or at another node".to_owned(),
            ),
        };
        let title = status.canonical_reason().unwrap_or_default();
        let problem = json!({
            "type": "about:blank", "title": title, "status": status.as_u16(), "code": code, "detail": detail,
        });
        let mut response = Response::new(Body::from(format!("{problem}\n")));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self {
            Refused::Version => drop(headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))),
            Refused::NoPlace => drop(headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"))),
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(extra: &[(&'static str, &str)]) -> HeaderMap {
        let base = [
            ("host", "127.0.0.1:7780"),
            ("upgrade", "WebSocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in base.iter().chain(extra) {
            headers.insert(*name, value.parse().expect("a header"));
        }
        headers
    }

    fn judge(extra: &[(&'static str, &str)], origins: &Origins) -> Result<String, Refused> {
        check(&Method::GET, Version::HTTP_11, &headers(extra), origins, Vec::new)
    }

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        assert_eq!(judge(&[], &Origins::default()).as_deref(), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    }

    #[test]
    fn a_request_that_is_no_handshake_is_refused() {
        for (name, value) in [
            ("upgrade", "h2c"),
            ("connection", "close"),
            ("sec-websocket-key", "c2hvcnQ="),
            ("sec-websocket-key", "no base64!"),
        ] {
            assert!(matches!(judge(&[(name, value)], &Origins::default()), Err(Refused::NoUpgrade(_))), "{value}");
        }
        assert_eq!(judge(&[("sec-websocket-version", "8")], &Origins::default()), Err(Refused::Version));
        let posted = check(&Method::POST, Version::HTTP_11, &headers(&[]), &Origins::default(), Vec::new);
        assert!(matches!(posted, Err(Refused::NoUpgrade(_))));
        let old = check(&Method::GET, Version::HTTP_10, &headers(&[]), &Origins::default(), Vec::new);
        assert!(matches!(old, Err(Refused::NoUpgrade(_))));
    }

    #[test]
    fn pages_of_other_nodes_connect_to_this_one() {
        let origins = Origins::new("", ["node1.example".to_owned()]).expect("good");
        let nodes = || ["127.0.0.1:7781", "tls://node2.example:7700", "node2.example:443", "[::1]:7782"];
        for (origin, host, admitted) in [
            ("http://127.0.0.1:7781", "127.0.0.1:7780", true),
            ("http://localhost:7781", "127.0.0.1:7780", true),
            ("http://localhost:7782", "localhost:7780", true),
            ("http://127.0.0.1:9999", "127.0.0.1:7780", false),
            ("https://node2.example:7700", "node1.example:7700", true),
            ("https://NODE2.example", "node1.example:7700", true),
            ("http://node2.example", "node1.example:7700", false),
            ("https://node3.example:7700", "node1.example:7700", false),
            // A name that was bent to this node, with the page of another one.
            ("https://node2.example:7700", "evil.example:7700", false),
            ("null", "127.0.0.1:7780", false),
        ] {
            let asked = headers(&[("origin", origin), ("host", host)]);
            let known = || nodes().map(str::to_owned).to_vec();
            let judged = check(&Method::GET, Version::HTTP_11, &asked, &origins, known);
            assert_eq!(judged.is_ok(), admitted, "{origin} at {host}: {judged:?}");
        }
    }

    #[test]
    fn only_own_and_listed_pages_connect() {
        let origins = Origins::new("https://chat.example, http://localhost:3000", ["node.example".to_owned()]);
        let origins = origins.expect("good");
        for (origin, host, admitted) in [
            ("https://chat.example", "node.example", true),
            ("HTTPS://CHAT.EXAMPLE", "node.example", true),
            ("http://chat.example", "node.example", false),
            ("https://chat.example:8443", "node.example", false),
            ("http://localhost:3000", "node.example", true),
            ("https://node.example:7700", "node.example:7700", true),
            ("http://127.0.0.1:7780", "127.0.0.1:7780", true),
            ("http://127.0.0.1:9999", "127.0.0.1:7780", false),
            // A name that was bent to this node.
            ("http://evil.example", "evil.example", false),
            ("null", "node.example", false),
            ("", "", false),
        ] {
            let judged = judge(&[("origin", origin), ("host", host)], &origins);
            assert_eq!(judged.is_ok(), admitted, "{origin} at {host}: {judged:?}");
        }
        let any = Origins::new("*", []).expect("good");
        assert!(judge(&[("origin", "https://any.example")], &any).is_ok());
        for wrong in ["chat.example", "https://", "https://chat.example/path"] {
            assert!(Origins::new(wrong, []).expect_err("refused").contains(wrong), "{wrong}");
        }
    }
}
