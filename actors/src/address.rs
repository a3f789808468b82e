//! The origin of a client connection by its network address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// An IPv4 address, or the /64 network of an IPv6 address, because one host may use all addresses
/// of its /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address(IpAddr);

impl Address {
    /// The address of a stream that did not come through the client port.
    pub const LOCAL: Address = Address(IpAddr::V4(Ipv4Addr::LOCALHOST));

    pub fn of(peer: SocketAddr) -> Address {
        match peer.ip().to_canonical() {
            IpAddr::V6(v6) if v6.is_loopback() => Address::LOCAL,
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Address(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
            }
            v4 => Address(v4),
        }
    }

    pub fn is_loopback(self) -> bool {
        self.0.is_loopback()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(v4) => v4.fmt(f),
            IpAddr::V6(v6) => write!(f, "{v6}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Address {
        Address::of(text.parse().expect("an address"))
    }

    #[test]
    fn one_host_is_one_address_at_every_port_and_interface_id() {
        assert_eq!(of("192.0.2.7:1000"), of("192.0.2.7:2000"));
        assert_ne!(of("192.0.2.7:1000"), of("192.0.2.8:1000"));
        assert_eq!(of("[2001:db8:1:2::1]:9"), of("[2001:db8:1:2:ffff:1:2:3]:10"));
        assert_ne!(of("[2001:db8:1:2::1]:9"), of("[2001:db8:1:3::1]:9"));
        assert_eq!(of("[::ffff:192.0.2.7]:1"), of("192.0.2.7:2"));
        assert_eq!(of("[::1]:1"), Address::LOCAL);
        assert!(of("127.9.9.9:1").is_loopback() && !of("192.0.2.7:1").is_loopback());
        assert_eq!(of("[2001:db8:1:2::1]:9").to_string(), "2001:db8:1:2::/64");
    }
}
