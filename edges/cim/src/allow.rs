//! The peers that may use this edge: this machine, and the networks that the operator names.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// This machine, and these networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow(Vec<Network>);

impl Allow {
    /// Networks as text, separated by commas. Empty: this machine only.
    pub fn parse(text: &str) -> Result<Allow, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(str::parse).collect::<Result<_, _>>().map(Allow)
    }

    /// Whether no other machine may come in.
    pub fn is_local(&self) -> bool {
        self.0.is_empty()
    }

    pub fn admits(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        peer.is_loopback() || self.0.iter().any(|network| network.holds(peer))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    fn holds(self, peer: IpAddr) -> bool {
        match (self.address, peer) {
            (IpAddr::V4(own), IpAddr::V4(peer)) => {
                same(u128::from(own.to_bits()), u128::from(peer.to_bits()), 32 - self.prefix)
            }
            (IpAddr::V6(own), IpAddr::V6(peer)) => same(own.to_bits(), peer.to_bits(), 128 - self.prefix),
            _ => false,
        }
    }
}

/// Whether two addresses are equal without their last bits. All bits of an address are possible.
fn same(one: u128, other: u128, host_bits: u8) -> bool {
    (one ^ other).checked_shr(u32::from(host_bits)).unwrap_or(0) == 0
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let wants = || format!("\"{text}\" is no network: write an address, or a network such as 10.1.0.0/16");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().map_err(|_| wants())?.to_canonical();
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(most), |prefix| prefix.parse().map_err(|_| wants()))?;
        match prefix {
            0 => Err(format!("\"{text}\" is the whole internet, and CIM has no passwords: name the clients' networks")),
            prefix if prefix > most => Err(wants()),
            prefix => Ok(Network { address, prefix }),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(allow: &str, peer: &str) -> bool {
        Allow::parse(allow).expect("networks").admits(peer.parse().expect("an address"))
    }

    #[test]
    fn only_loopback_and_named_networks_are_admitted() {
        for (allow, peer, expected) in [
            ("", "127.0.0.1", true),
            ("", "::1", true),
            ("", "::ffff:127.0.0.1", true),
            ("", "10.1.2.3", false),
            ("10.1.0.0/16", "10.1.255.255", true),
            ("10.1.0.0/16", "::ffff:10.1.2.3", true),
            ("10.1.0.0/16", "10.2.0.0", false),
            ("10.1.0.0/16, 192.168.7.9", "192.168.7.9", true),
            ("10.1.0.0/16, 192.168.7.9", "192.168.7.8", false),
            ("10.1.2.0/25", "10.1.2.128", false),
            ("fd00:1::/32", "fd00:1:ffff::1", true),
            ("fd00:1::/32", "fd00:2::1", false),
            ("fd00:1::/32", "10.0.0.1", false),
        ] {
            assert_eq!(admits(allow, peer), expected, "{allow} {peer}");
        }
    }

    #[test]
    fn a_network_that_means_nothing_or_everything_is_refused() {
        for text in ["10.1", "10.1.0.0/33", "fd00::/129", "10.1.0.0/x", "example.org", "10.0.0.1/-1"] {
            assert!(Allow::parse(text).expect_err(text).contains("is no network"), "{text}");
        }
        for text in ["0.0.0.0/0", "::/0", "10.1.0.0/16,0.0.0.0/0"] {
            assert!(Allow::parse(text).expect_err(text).contains("whole internet"), "{text}");
        }
    }
}
