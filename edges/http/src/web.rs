//! The web client: files that `scripts/build-web` makes of `web/`, within this program.
//!
//! They have stable names, so a browser asks each time whether it has the present one (`ETag`). An
//! answer to that is small, and a node of another version serves another page at once.

use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};
use troupe_actors::service::Member;
use troupe_runtime::net;

use crate::api::Api;

/// A file in the forms of `Accept-Encoding`.
struct File {
    path: &'static str,
    kind: &'static str,
    plain: &'static [u8],
    gzip: &'static [u8],
    brotli: &'static [u8],
}

macro_rules! file {
    ($path:literal, $name:literal, $kind:literal) => {
        File {
            path: $path,
            kind: $kind,
            plain: include_bytes!(concat!("../../../web/dist/", $name)),
            gzip: include_bytes!(concat!("../../../web/dist/", $name, ".gz")),
            brotli: include_bytes!(concat!("../../../web/dist/", $name, ".br")),
        }
    };
}

static FILES: [File; 7] = [
    file!("/", "index.html", "text/html; charset=utf-8"),
    file!("/console", "index.html", "text/html; charset=utf-8"),
    file!("/app.js", "app.js", "text/javascript; charset=utf-8"),
    file!("/more.js", "more.js", "text/javascript; charset=utf-8"),
    file!("/console.js", "console.js", "text/javascript; charset=utf-8"),
    file!("/app.css", "app.css", "text/css; charset=utf-8"),
    file!("/sw.js", "sw.js", "text/javascript; charset=utf-8"),
];
/// One for each of [`FILES`]. The forms of a file differ in their suffix.
static TAGS: LazyLock<[String; FILES.len()]> = LazyLock::new(|| {
    FILES.each_ref().map(|file| Sha256::digest(file.plain).iter().take(12).map(|byte| format!("{byte:02x}")).collect())
});
/// Everything comes from this node, no script and no style is inline, and no text becomes HTML. The
/// one policy of Trusted Types names the service worker.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    media-src 'self' blob:; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; worker-src 'self'; require-trusted-types-for 'script'; trusted-types troupe; \
    connect-src 'self'";

pub fn routes() -> Router<Api> {
    let route = |router: Router<Api>, (at, file): (usize, &'static File)| {
        let serve = move |State(api): State<Api>, headers: HeaderMap| async move { answer(&api, at, file, &headers) };
        router.route(file.path, get(serve))
    };
    FILES.iter().enumerate().fold(Router::new(), route)
}

fn answer(api: &Api, at: usize, file: &'static File, asked: &HeaderMap) -> Response {
    let accepted = |name| asked.get_all(header::ACCEPT_ENCODING).iter().any(|value| accepts(value, name));
    let (bytes, encoding) = match () {
        () if accepted("br") => (file.brotli, "br"),
        () if accepted("gzip") => (file.gzip, "gzip"),
        () => (file.plain, ""),
    };
    let tag = match encoding {
        "" => format!("\"{}\"", TAGS[at]),
        encoding => format!("\"{}-{encoding}\"", TAGS[at]),
    };
    let known = asked.get_all(header::IF_NONE_MATCH).iter().any(|value| names(value, &tag));
    let mut response = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Body::from(bytes).into_response(),
    };
    let headers = response.headers_mut();
    let mut put = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    put(header::CONTENT_TYPE, file.kind);
    put(header::ETAG, &tag);
    put(header::CACHE_CONTROL, "no-cache");
    put(header::VARY, "Accept-Encoding");
    put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(header::REFERRER_POLICY, "no-referrer");
    if !encoding.is_empty() {
        put(header::CONTENT_ENCODING, encoding);
    }
    if ["/", "/console"].contains(&file.path) {
        put(header::CONTENT_SECURITY_POLICY, &policy(&api.service.nodes(), api.control.as_deref()));
    }
    response
}

/// Whether a list of encodings has this one, and not with the weight 0.
pub fn accepts(value: &HeaderValue, encoding: &str) -> bool {
    value.to_str().unwrap_or_default().split(',').any(|entry| {
        let (name, weight) = entry.split_once(';').unwrap_or((entry, ""));
        let refused = weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()) == Some(0.0);
        name.trim().eq_ignore_ascii_case(encoding) && !refused
    })
}

/// Whether `If-None-Match` names this tag. Proxies may have made it a weak one.
pub fn names(value: &HeaderValue, tag: &str) -> bool {
    let listed = value.to_str().unwrap_or_default().split(',').map(|one| one.trim().trim_start_matches("W/"));
    listed.into_iter().any(|one| one == tag || one == "*")
}

/// The page connects to this node, to the others of the cluster by WebSocket, and in a demo to its
/// control.
fn policy(nodes: &[Member], control: Option<&str>) -> String {
    let mut policy = POLICY.to_owned();
    let nodes = nodes.iter().flat_map(|node| [&node.client, &node.http]).filter_map(|address| source(address));
    for source in nodes.chain(control.map(|address| format!("http://{address}"))) {
        policy.push(' ');
        policy.push_str(&source);
    }
    policy
}

/// An address of a node as a source of CSP, with the rule of clients for plain text and TLS. A
/// policy cannot name IPv6 addresses: browsers skip such a source.
fn source(address: &str) -> Option<String> {
    let (scheme, place) = address.split_once("://").unwrap_or(("", address));
    let secure = match scheme {
        "" => !net::is_loopback(place),
        "tcp" | "ws" | "http" => false,
        _ => true,
    };
    let readable = |c: char| c.is_ascii_alphanumeric() || ".-:".contains(c);
    let usable = !place.is_empty() && !place.starts_with(':') && place.chars().all(readable);
    usable.then(|| format!("{}://{place}", if secure { "wss" } else { "ws" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_chosen_by_name_and_weight() {
        for (header, encoding, accepted) in [
            ("gzip, deflate, br", "br", true),
            ("GZIP;q=0.5", "gzip", true),
            ("br;q=0, gzip", "br", false),
            ("br; q=0.0", "br", false),
            ("broken", "br", false),
            ("", "gzip", false),
        ] {
            assert_eq!(accepts(&HeaderValue::from_static(header), encoding), accepted, "{header}");
        }
    }

    #[test]
    fn a_tag_is_found_among_others_and_weak_ones() {
        for (header, found) in [("\"a\"", true), ("\"b\", W/\"a\"", true), ("*", true), ("\"aa\"", false), ("", false)]
        {
            assert_eq!(names(&HeaderValue::from_static(header), "\"a\""), found, "{header}");
        }
    }

    #[test]
    fn addresses_of_nodes_become_sources_and_nothing_else() {
        for (address, expected) in [
            ("127.0.0.1:7700", Some("ws://127.0.0.1:7700")),
            ("chat.example:7700", Some("wss://chat.example:7700")),
            ("tls://10.0.0.1:7700", Some("wss://10.0.0.1:7700")),
            ("tcp://10.0.0.1:7700", Some("ws://10.0.0.1:7700")),
            ("", None),
            ("[::1]:7700", None),
            ("evil.example; script-src *", None),
            ("a.example 'unsafe-eval'", None),
        ] {
            assert_eq!(source(address).as_deref(), expected, "{address}");
        }
    }

    #[test]
    fn the_forms_of_a_file_are_there_and_smaller() {
        for file in &FILES {
            assert!(file.brotli.len() < file.gzip.len() && file.gzip.len() < file.plain.len(), "{}", file.path);
        }
        let is_first = |file: &&File| !["/console", "/console.js", "/more.js", "/sw.js"].contains(&file.path);
        let first: usize = FILES.iter().filter(is_first).map(|file| file.brotli.len()).sum();
        assert!(first <= 120 * 1024, "the first load has {first} bytes");
    }
}
