//! Turmoil's network as one machine sees it, with a meter on every byte and a way to reset all
//! connections.
//!
//! The meter is part of the trace: two runs that diverge show it here first.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use troupe_runtime::net::{BoxFuture, Listener, Net, SimNet, Stream};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Traffic of a machine. Outlives the process.
#[derive(Default)]
pub struct Meter {
    bytes: AtomicU64,
    digest: AtomicU64,
    /// Connections of an earlier generation are reset.
    generation: AtomicU64,
}

impl Meter {
    pub fn reset_connections(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes in and out, and a digest of all of them in order.
    pub fn reading(&self) -> (u64, u64) {
        (self.bytes.load(Ordering::Relaxed), self.digest.load(Ordering::Relaxed))
    }

    fn passed(&self, bytes: &[u8]) {
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let digest = self.digest.load(Ordering::Relaxed);
        self.digest.store(xxh3_64_with_seed(bytes, digest), Ordering::Relaxed);
    }
}

pub struct Wire(pub Arc<Meter>);

impl Wire {
    fn metered(meter: &Arc<Meter>, stream: Box<dyn Stream>) -> Box<dyn Stream> {
        let generation = meter.generation.load(Ordering::Relaxed);
        Box::new(Metered { stream, meter: meter.clone(), generation })
    }
}

impl Net for Wire {
    fn bind<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        Box::pin(async move {
            let listener = SimNet.bind(address).await?;
            Ok(Box::new(Socket { listener, meter: self.0.clone() }) as Box<dyn Listener>)
        })
    }

    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move { Ok(Wire::metered(&self.0, SimNet.connect(address).await?)) })
    }

    fn is_private(&self, address: &str) -> bool {
        SimNet.is_private(address)
    }
}

struct Socket {
    listener: Box<dyn Listener>,
    meter: Arc<Meter>,
}

impl Listener for Socket {
    fn accept(&self) -> BoxFuture<'_, io::Result<(Box<dyn Stream>, SocketAddr)>> {
        Box::pin(async move {
            let (stream, peer) = self.listener.accept().await?;
            Ok((Wire::metered(&self.meter, stream), peer))
        })
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

struct Metered {
    stream: Box<dyn Stream>,
    meter: Arc<Meter>,
    generation: u64,
}

impl Metered {
    /// Detected at the next use, as with a real reset.
    fn alive(&self) -> io::Result<()> {
        match self.meter.generation.load(Ordering::Relaxed) == self.generation {
            true => Ok(()),
            false => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
        }
    }
}

impl AsyncRead for Metered {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.alive()?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Poll::Ready(Ok(())) = read {
            self.meter.passed(&buffer.filled()[before..]);
        }
        read
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.alive()?;
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = written {
            self.meter.passed(&bytes[..count]);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.alive()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
