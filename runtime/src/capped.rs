//! Listeners with a limited number of connections. Each connection takes a file descriptor, and
//! storage needs some too.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::net::{BoxFuture, Listener, Net, Stream};

/// The interval of log lines about closed connections.
const SAID_AGAIN: Duration = Duration::from_secs(60);

/// A net whose listeners share a number of connection slots. At the limit a new connection is
/// closed at once. Outgoing connections are not counted.
pub struct Capped {
    net: Arc<dyn Net>,
    what: &'static str,
    places: usize,
    room: Arc<Semaphore>,
}

impl Capped {
    /// `what` names the connections in the log.
    pub fn new(net: Arc<dyn Net>, what: &'static str, places: usize) -> Capped {
        let places = places.min(Semaphore::MAX_PERMITS);
        Capped { net, what, places, room: Arc::new(Semaphore::new(places)) }
    }
}

impl Net for Capped {
    fn bind<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let (what, places, room) = (self.what, self.places, Arc::clone(&self.room));
            let listener = self.net.bind(address).await?;
            Ok(Box::new(Door { listener, what, places, room, said: Default::default() }) as Box<dyn Listener>)
        })
    }

    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        self.net.connect(address)
    }
}

struct Door {
    listener: Box<dyn Listener>,
    what: &'static str,
    places: usize,
    room: Arc<Semaphore>,
    /// The time of the last log line about closed connections, and their number since.
    said: parking_lot::Mutex<(Option<Instant>, u64)>,
}

impl Door {
    fn turned_away(&self) {
        let (at, count) = &mut *self.said.lock();
        *count += 1;
        if at.is_none_or(|at| at.elapsed() >= SAID_AGAIN) {
            tracing::warn!(
                what = self.what,
                places = self.places,
                closed = *count,
                "closed at once: too many connections"
            );
            (*at, *count) = (Some(Instant::now()), 0);
        }
    }
}

impl Listener for Door {
    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Stream>, SocketAddr)>> {
        Box::pin(async move {
            loop {
                let (stream, peer) = self.listener.accept().await?;
                match Arc::clone(&self.room).try_acquire_owned() {
                    Ok(place) => return Ok((Box::new(Placed { stream, _place: place }) as Box<dyn Stream>, peer)),
                    Err(_) => self.turned_away(),
                }
            }
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection and its slot.
struct Placed {
    stream: Box<dyn Stream>,
    _place: OwnedSemaphorePermit,
}

impl AsyncRead for Placed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Placed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::net::TcpNet;

    #[tokio::test]
    async fn a_place_is_taken_as_long_as_the_connection_lives() {
        let net = Capped::new(Arc::new(TcpNet), "test", 1);
        let listener = net.bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut first = net.connect(&address).await.unwrap();
        let (served, _) = listener.accept().await.unwrap();
        let mut second = net.connect(&address).await.unwrap();
        let accepting = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"hello").await.unwrap();
        });
        assert_eq!(second.read(&mut [0]).await.unwrap_or(0), 0, "closed");
        drop(served);
        assert_eq!(first.read(&mut [0]).await.unwrap_or(0), 0, "it has ended");
        let mut third = net.connect(&address).await.unwrap();
        let mut word = [0; 5];
        third.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"hello");
        accepting.await.unwrap();
    }
}
