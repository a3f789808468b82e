//! Sockets. TLS and framing are generic above this.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use troupe_core::limits;

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static> Stream for T {}

pub trait Listener: Send + Sync + 'static {
    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Stream>, SocketAddr)>>;
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

pub trait Net: Send + Sync + 'static {
    /// `address` is `host:port`; port 0 lets the system choose.
    fn bind<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>>;
    /// The caller bounds the time.
    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>>;

    /// Whether only this machine can read the traffic to this address, so that clients need no TLS
    /// there.
    fn is_private(&self, address: &str) -> bool {
        is_loopback(address)
    }
}

/// The host of `host:port`, or of a host alone, without brackets.
pub fn host(address: &str) -> &str {
    let bare = address.parse::<IpAddr>().is_ok();
    let host = if bare { address } else { address.rsplit_once(':').map_or(address, |(host, _)| host) };
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Whether `host:port`, or a host alone, can only be reached from this machine. A name other than
/// `localhost` counts as another machine.
pub fn is_loopback(address: &str) -> bool {
    let host = host(address);
    let named = host == "localhost" || host.ends_with(".localhost");
    named || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// An accepted connection ends when its peer acknowledges nothing for this time. Otherwise the
/// kernel sends again for a quarter of an hour, and a peer that has vanished without a word keeps
/// its place until then. A silent connection has to be written to now and then.
const UNACKNOWLEDGED: Duration = Duration::from_secs(limits::UNACKNOWLEDGED_SECONDS);

/// A connection from the kernel, as servers want it.
#[allow(clippy::disallowed_methods, reason = "this is the seam")]
pub async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    Ok((stream, peer))
}

/// The kernel's TCP, without Nagle's delay.
pub struct TcpNet;

#[allow(clippy::disallowed_methods, reason = "this is the seam")]
impl Net for TcpNet {
    fn bind<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let listener = TcpListener::bind(address).await?;
            Ok(Box::new(Kernel(listener)) as Box<dyn Listener>)
        })
    }

    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

/// The kernel's TCP, with outgoing connections from one of this machine's addresses. A firewall
/// between the nodes, or a proxy that breaks their network on purpose, distinguishes them by it.
pub struct TcpNetFrom(pub IpAddr);

#[allow(clippy::disallowed_methods, reason = "this is the seam")]
impl Net for TcpNetFrom {
    fn bind<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        TcpNet.bind(address)
    }

    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "no address of the same family");
            for to in tokio::net::lookup_host(address).await? {
                if to.is_ipv4() != self.0.is_ipv4() {
                    continue;
                }
                let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
                socket.bind(SocketAddr::new(self.0, 0))?;
                match socket.connect(to).await {
                    Ok(stream) => {
                        stream.set_nodelay(true)?;
                        return Ok(Box::new(stream) as Box<dyn Stream>);
                    }
                    Err(error) => last = error,
                }
            }
            Err(last)
        })
    }
}

struct Kernel(TcpListener);

impl Listener for Kernel {
    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Stream>, SocketAddr)>> {
        Box::pin(async move {
            let (stream, peer) = accept(&self.0).await?;
            Ok((Box::new(stream) as Box<dyn Stream>, peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Turmoil's TCP, for code inside a simulated host.
#[cfg(feature = "simulation")]
pub struct SimNet;

#[cfg(feature = "simulation")]
impl Net for SimNet {
    fn bind<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let listener = turmoil::net::TcpListener::bind(address).await?;
            Ok(Box::new(Simulated(listener)) as Box<dyn Listener>)
        })
    }

    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let stream = turmoil::net::TcpStream::connect(address).await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    /// A simulated network has no eavesdroppers.
    fn is_private(&self, _address: &str) -> bool {
        true
    }
}

#[cfg(feature = "simulation")]
struct Simulated(turmoil::net::TcpListener);

#[cfg(feature = "simulation")]
impl Listener for Simulated {
    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Stream>, SocketAddr)>> {
        Box::pin(async move {
            let (stream, peer) = self.0.accept().await?;
            Ok((Box::new(stream) as Box<dyn Stream>, peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_loopback() {
        for near in ["127.0.0.1:7800", "127.9.9.9:1", "localhost:7800", "[::1]:7800", "::1", "[::ffff:127.0.0.1]:1"] {
            assert!(is_loopback(near), "{near}");
        }
        for far in ["0.0.0.0:7800", "[::]:7800", "10.0.0.1:7800", "localhost.example.org:7800", ":7800", ""] {
            assert!(!is_loopback(far), "{far}");
        }
    }

    /// From now on no segment reaches the socket: its host answers neither with data nor with a
    /// reset, as one without power.
    fn vanish(stream: &TcpStream) {
        const RETURN: u16 = 0x06;
        let nothing = [socket2::SockFilter::new(RETURN, 0, 0, 0)];
        SockRef::from(stream).attach_filter(&nothing).expect("a filter needs no rights");
    }

    #[tokio::test]
    #[allow(clippy::disallowed_methods, reason = "the kernel is tested")]
    async fn a_peer_that_vanishes_is_let_go() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let to = listener.local_addr().expect("its address");
        let (dialed, accepted) = tokio::join!(TcpStream::connect(to), accept(&listener));
        let (mut dialed, (mut accepted, _)) = (dialed.expect("connected"), accepted.expect("accepted"));
        let bound = SockRef::from(&accepted).tcp_user_timeout().expect("it is a TCP socket");
        assert_eq!(bound, Some(UNACKNOWLEDGED));
        // The same in a time that a test has.
        SockRef::from(&accepted).set_tcp_user_timeout(Some(Duration::from_secs(1))).expect("a shorter one");
        accepted.write_all(b"here").await.expect("sent");
        dialed.read_exact(&mut [0; 4]).await.expect("received");
        vanish(&dialed);
        accepted.write_all(b":\n\n").await.expect("the kernel takes it");
        let ended = timeout(Duration::from_secs(20), accepted.read(&mut [0])).await;
        assert_eq!(ended.expect("it ends").expect_err("without a word").kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_connection_leaves_from_the_address_that_was_chosen() {
        let listener = TcpNet.bind("127.0.0.1:0").await.expect("a port");
        let to = listener.local_addr().expect("its address").to_string();
        let from: IpAddr = "127.0.1.9".parse().expect("an address");
        let net = TcpNetFrom(from);
        let (dialed, accepted) = tokio::join!(net.connect(&to), listener.accept());
        dialed.expect("connected");
        assert_eq!(accepted.expect("accepted").1.ip(), from);
    }
}
