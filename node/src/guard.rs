//! The check of orders over HTTP: the caller has dialled this node on purpose and shows the
//! operator's key.
//!
//! A page in somebody's browser can make it send requests here. Such a request names the page in
//! `Origin`, or, after DNS was bent, a foreign host in `Host`; both are refused before the key is
//! looked at.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context, Result};
use axum::http::{HeaderMap, StatusCode, header};
use troupe_raft::transport::token::OperatorKey;
use troupe_runtime::Rng;

/// Where a node without a join token keeps the key that it has made for itself.
pub const KEY_FILE: &str = "operator.key";

/// Whether a key that was shown is the operator's.
pub type Judge = Box<dyn Fn(&str) -> bool + Send + Sync>;

pub struct Guard {
    /// Known with the cluster; no order is accepted before that.
    is_key: OnceLock<Judge>,
    /// Host names and addresses, in lower case and without ports.
    hosts: BTreeSet<String>,
    /// It listens on all addresses of its machine, whichever they are.
    everywhere: bool,
}

impl Guard {
    /// `addresses` are those that this node listens on or is known by.
    pub fn new(addresses: &[&str]) -> Guard {
        let hosts: BTreeSet<String> = addresses.iter().map(|address| host_of(address)).collect();
        let everywhere =
            hosts.iter().any(|host| host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_unspecified()));
        Guard { is_key: OnceLock::new(), hosts, everywhere }
    }

    /// Called once, at the end of the boot.
    pub fn judge_by(&self, is_key: Judge) {
        let _ = self.is_key.set(is_key);
    }

    /// For what a page must not be able to read or to order.
    pub fn not_from_a_page(&self, headers: &HeaderMap) -> Result<(), (StatusCode, String)> {
        if headers.contains_key(header::ORIGIN) {
            let text = "this request comes from a web page: orders come from `troupe node` and other programs";
            return Err((StatusCode::FORBIDDEN, text.to_owned()));
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(host_of).unwrap_or_default();
        if self.is_own(&host) {
            return Ok(());
        }
        let text = format!(
            "this node is not called \"{}\": use the address of http.listen, or set http.advertise to this name",
            host.escape_default()
        );
        Err((StatusCode::MISDIRECTED_REQUEST, text))
    }

    pub fn permits(&self, headers: &HeaderMap) -> Result<(), (StatusCode, String)> {
        self.not_from_a_page(headers)?;
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        match shown.and_then(|value| value.strip_prefix("Bearer ")) {
            Some(shown) if self.is_key.get().is_some_and(|is_key| is_key(shown.trim())) => Ok(()),
            Some(_) => Err((
                StatusCode::UNAUTHORIZED,
                "the operator's key is not this cluster's: give the join token of this cluster, or, without one, the \
                 data folder of this node"
                    .to_owned(),
            )),
            None => Err((
                StatusCode::UNAUTHORIZED,
                "orders want the operator's key: `troupe node` makes it from the join token, or, in a cluster without \
                 one, reads it in the data folder of this node (--data-dir)"
                    .to_owned(),
            )),
        }
    }

    fn is_own(&self, host: &str) -> bool {
        let address = host.parse::<std::net::IpAddr>().ok();
        host == "localhost"
            || address.is_some_and(|address| address.is_loopback() || self.everywhere)
            || self.hosts.contains(host)
    }
}

/// Without port and brackets, in lower case.
fn host_of(address: &str) -> String {
    let address = address.trim();
    let host = match address.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => address.rsplit_once(':').map_or(address, |(host, _)| host),
    };
    host.trim_end_matches('.').to_lowercase()
}

/// The key of a node without a join token: read, or made at the first start, for its owner only.
pub fn own_key(data_dir: &Path) -> Result<OperatorKey> {
    let path = data_dir.join(KEY_FILE);
    if let Ok(text) = std::fs::read_to_string(&path) {
        return Ok(OperatorKey::from_text(&text));
    }
    let key = OperatorKey::generate(&Rng::from_os());
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot write the operator's key to {}", path.display()))?;
    file.write_all(key.reveal().as_bytes())?;
    file.sync_all()?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(addresses: &[&str]) -> Guard {
        let guard = Guard::new(addresses);
        guard.judge_by(Box::new(|shown| shown == "the key"));
        guard
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (header::HeaderName::from_static(name), value.parse().expect("a header"))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn only_own_hosts_are_served() {
        let guard = guard(&["10.0.0.5:7780", "Node-1.Example:7780"]);
        for own in ["10.0.0.5:7780", "10.0.0.5", "node-1.example:80", "localhost:1", "127.0.0.1:7780", "[::1]:7780"] {
            let mut shown = headers(&[("host", own), ("authorization", "Bearer the key")]);
            assert_eq!(guard.permits(&shown), Ok(()), "{own}");
            shown.insert(header::ORIGIN, "http://evil.example".parse().expect("a header"));
            assert_eq!(guard.permits(&shown).map_err(|(code, _)| code), Err(StatusCode::FORBIDDEN), "{own}");
        }
        for foreign in ["evil.example", "10.0.0.6:7780", "", "10.0.0.5.evil.example", "localhost.evil.example"] {
            let shown = headers(&[("host", foreign), ("authorization", "Bearer the key")]);
            assert!(guard.permits(&shown).is_err(), "{foreign}");
        }
    }

    #[test]
    fn a_node_that_listens_everywhere_has_every_address_and_no_name() {
        let guard = guard(&["0.0.0.0:7780"]);
        assert_eq!(guard.not_from_a_page(&headers(&[("host", "192.168.7.7:7780")])), Ok(()));
        assert!(guard.not_from_a_page(&headers(&[("host", "evil.example:7780")])).is_err());
    }

    #[test]
    fn the_key_is_always_asked_for() {
        let guard = guard(&["127.0.0.1:7780"]);
        for shown in [&[("host", "127.0.0.1")][..], &[("host", "127.0.0.1"), ("authorization", "Bearer another")]] {
            assert_eq!(guard.permits(&headers(shown)).map_err(|(code, _)| code), Err(StatusCode::UNAUTHORIZED));
        }
    }

    #[test]
    fn a_key_that_was_made_is_found_again_and_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let made = own_key(folder.path()).expect("a key");
        assert!(own_key(folder.path()).expect("the same").is(made.reveal()));
        let mode = std::fs::metadata(folder.path().join(KEY_FILE)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
