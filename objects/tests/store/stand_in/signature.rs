//! Signatures of version 4 in a URL, as the service checks them. It shares no code with the crate
//! that signs.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use sha2::{Digest, Sha256};

/// The parts of a request that a signature covers.
pub struct Signed<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    /// By their names in lower case.
    pub headers: BTreeMap<String, String>,
}

/// The credentials that a store knows.
pub const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The value of `%xx` and `+` in a query.
pub fn decoded(text: &str) -> String {
    let (mut out, bytes) = (Vec::new(), text.as_bytes());
    let mut at = 0;
    while at < bytes.len() {
        let code = text.get(at + 1..at + 3).and_then(|code| u8::from_str_radix(code, 16).ok());
        match (bytes[at], code) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (other, _) => out.push(other),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

pub fn parameters(query: &str) -> BTreeMap<String, String> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    };
    query.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

/// Whether the request is that of the holder of [`SECRET`].
pub fn is_right(request: &Signed<'_>) -> bool {
    let given = parameters(request.query);
    let value = |name: &str| given.get(name).cloned().unwrap_or_default();
    let credential = value("X-Amz-Credential");
    let Some((key, scope)) = credential.split_once('/') else { return false };
    let mut pairs: Vec<&str> = request.query.split('&').filter(|pair| !pair.starts_with("X-Amz-Signature=")).collect();
    pairs.sort_unstable();
    let names = value("X-Amz-SignedHeaders");
    let header = |name: &str| format!("{name}:{}\n", request.headers.get(name).map_or("", |value| value.trim()));
    let headers: String = names.split(';').map(header).collect();
    let canonical =
        format!("{}\n{}\n{}\n{headers}\n{names}\nUNSIGNED-PAYLOAD", request.method, request.path, pairs.join("&"));
    let hash = hex(&Sha256::digest(canonical.as_bytes()));
    let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{hash}", value("X-Amz-Date"));
    let secret = format!("AWS4{SECRET}").into_bytes();
    let derived = scope.split('/').fold(secret, |key, part| sign(&key, part));
    key == KEY && names.split(';').any(|name| name == "host") && hex(&sign(&derived, &text)) == value("X-Amz-Signature")
}

/// The example of the service's documentation, "Authenticating Requests: Using Query Parameters".
#[test]
fn the_published_example_is_right_and_any_change_is_not() {
    const QUERY: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1\
        %2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
        &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    let of = |method, path, query, host: &str| {
        let headers = BTreeMap::from([("host".to_owned(), host.to_owned())]);
        is_right(&Signed { method, path, query, headers })
    };
    const HOST: &str = "examplebucket.s3.amazonaws.com";
    assert!(of("GET", "/test.txt", QUERY, HOST));
    assert!(!of("PUT", "/test.txt", QUERY, HOST));
    assert!(!of("GET", "/text.txt", QUERY, HOST));
    assert!(!of("GET", "/test.txt", QUERY, "other.s3.amazonaws.com"));
    assert!(!of("GET", "/test.txt", &QUERY.replace("86400", "86401"), HOST));
}
