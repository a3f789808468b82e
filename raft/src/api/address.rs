//! Which nodes can use an address. The text of the address decides; no resolver is asked.
//!
//! `0.0.0.0` is an address to listen on, not one to dial. A loopback address leads every machine to
//! itself. A name other than `localhost` counts as the address of another machine.

use std::net::IpAddr;

use troupe_runtime::net::{host, is_loopback};

/// The origin from which an address leads to its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// No origin: it means all addresses of a machine.
    Unspecified,
    /// The node's own machine only.
    Loopback,
    Elsewhere,
}

impl Reach {
    /// Takes `host:port`, or a host alone.
    pub fn of(address: &str) -> Reach {
        let host = host(address);
        if host.is_empty() {
            return Reach::Unspecified;
        }
        if is_loopback(address) {
            return Reach::Loopback;
        }
        match host.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
            Ok(ip) if ip.is_unspecified() => Reach::Unspecified,
            _ => Reach::Elsewhere,
        }
    }
}

/// Reports that nodes at these cluster addresses cannot all reach each other, because only some of
/// them are on loopback. The text is for the operator.
pub fn misfit<'a>(mine: &str, others: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let other = others.into_iter().find(|other| !other.is_empty() && is_loopback(mine) != is_loopback(other))?;
    let (near, far) = if is_loopback(mine) { (mine, other) } else { (other, mine) };
    Some(format!(
        "the cluster address {near} is on loopback and leads the node at {far}, on another host, to itself: \
         start the node at {near} with --cluster-listen and --cluster-advertise of an address that the others reach"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_judged_by_its_text() {
        for near in ["127.0.0.1:7800", "127.9.9.9:1", "localhost:7800", "[::1]:7800", "::1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(Reach::of(near), Reach::Loopback, "{near}");
        }
        for nowhere in ["0.0.0.0:7800", "[::]:7800", "::", ":7800", "", "[::ffff:0.0.0.0]:1"] {
            assert_eq!(Reach::of(nowhere), Reach::Unspecified, "{nowhere}");
        }
        for far in ["10.0.0.1:7800", "localhost.example.org:7800", "a:7800", "[2001:db8::1]:7800"] {
            assert_eq!(Reach::of(far), Reach::Elsewhere, "{far}");
        }
    }

    #[test]
    fn loopback_and_elsewhere_do_not_fit_together() {
        assert_eq!(misfit("127.0.0.1:1", ["127.0.0.2:1", "", "localhost:3"]), None);
        assert_eq!(misfit("10.0.0.1:1", ["a:1"]), None);
        let text = misfit("127.0.0.1:1", ["127.0.0.2:1", "10.0.0.1:1"]).expect("they do not fit");
        assert!(text.contains("127.0.0.1:1 is on loopback") && text.contains("10.0.0.1:1"), "{text}");
        let text = misfit("10.0.0.1:1", ["127.0.0.2:1"]).expect("they do not fit");
        assert!(text.contains("127.0.0.2:1 is on loopback"), "{text}");
    }
}
