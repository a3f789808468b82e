//! The door of the client port: TLS 1.3, or plain text where that is allowed.
//!
//! One port serves both. A TLS connection begins with 0x16; a frame begins with the high byte of
//! its length, which is zero below the cap. Where plain text is not allowed, a plain client gets
//! one frame that says so. The handshake runs in the connection's own task and within the time to
//! log in, and the connection has its place among those not logged in meanwhile.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use parking_lot::RwLock;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::TlsAcceptor;
use troupe_actors::message::wire;
use troupe_core::limits;
use troupe_proto::client::{Refusal, push_frame};
use troupe_raft::transport::tls::clients::Shown;
use troupe_runtime::Stream;

/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;

const _: () = assert!(limits::FRAME_BYTES < (HANDSHAKE as usize) << 24, "a frame must not look like TLS");

pub struct Door {
    /// A reload of certificates replaces it; open connections keep theirs.
    tls: RwLock<Option<Shown>>,
    plain: bool,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("tls", &self.tls.read().is_some()).field("plain", &self.plain).finish()
    }
}

impl Door {
    /// `plain`: only this machine can connect, or the operator allows plain text.
    pub fn new(tls: Option<Shown>, plain: bool) -> Door {
        Door { tls: RwLock::new(tls), plain }
    }

    /// For simulation and for tests within a process.
    pub fn plain() -> Door {
        Door::new(None, true)
    }

    pub fn takes_plain(&self) -> bool {
        self.plain
    }

    /// New connections get this certificate.
    pub fn renew(&self, tls: Shown) {
        *self.tls.write() = Some(tls);
    }

    /// The first byte of a connection, if it decides anything.
    pub(crate) async fn knock(&self, stream: &mut Box<dyn Stream>) -> io::Result<Option<u8>> {
        if self.tls.read().is_none() {
            return Ok(None);
        }
        stream.read_u8().await.map(Some)
    }

    /// The stream that carries frames.
    pub(crate) async fn enter(&self, first: Option<u8>, stream: Box<dyn Stream>) -> io::Result<Box<dyn Stream>> {
        let tls = self.tls.read().clone();
        let mut stream: Box<dyn Stream> = match first {
            Some(_) => Box::new(Begun { first, rest: stream }),
            None => stream,
        };
        match tls {
            Some(tls) if first == Some(HANDSHAKE) => Ok(Box::new(TlsAcceptor::from(tls).accept(stream).await?)),
            _ if self.plain => Ok(stream),
            _ => {
                let failure = wire::Failure::from(Refusal::TlsRequired);
                stream.write_all(&push_frame(wire::server_frame::Message::Failure(failure))).await?;
                stream.shutdown().await?;
                // Bytes that are unread at the close would make the kernel drop the failure.
                tokio::io::copy(&mut stream.take(limits::FRAME_BYTES as u64), &mut tokio::io::sink()).await?;
                Err(io::Error::new(io::ErrorKind::InvalidData, "plain text on a port that speaks TLS only"))
            }
        }
    }
}

/// A stream whose first byte was read already.
struct Begun {
    first: Option<u8>,
    rest: Box<dyn Stream>,
}

impl AsyncRead for Begun {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buffer.remaining() > 0
            && let Some(first) = self.first.take()
        {
            buffer.put_slice(&[first]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.rest).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Begun {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.rest).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.rest).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.rest).poll_shutdown(cx)
    }
}
