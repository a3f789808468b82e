//! The door of the client port: TLS 1.3, or plain text where that is allowed, and what is spoken
//! inside.
//!
//! One port serves all. A TLS connection begins with 0x16, HTTP with a capital letter, and a frame
//! with the high byte of its length, which is zero below the cap. Inside TLS, ALPN may decide
//! before the first byte. Where plain text is not allowed, a plain client gets one answer that says
//! so. The handshake runs within the time to log in, and the connection has its place among those
//! not logged in meanwhile.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use parking_lot::RwLock;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::TlsAcceptor;
use troupe_actors::message::wire;
use troupe_core::limits;
use troupe_proto::client::{Refusal, push_frame};
use troupe_raft::transport::tls::clients::{HTTP, Shown};
use troupe_runtime::Stream;

/// The first byte of a TLS handshake.
pub(crate) const HANDSHAKE: u8 = 0x16;

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

    /// The stream behind the first byte, which was read already.
    pub(crate) async fn enter(&self, first: u8, mut stream: Box<dyn Stream>) -> io::Result<(Box<dyn Stream>, Spoken)> {
        let tls = self.tls.read().clone();
        match tls {
            Some(tls) if first == HANDSHAKE => {
                let stream = TlsAcceptor::from(tls).accept(Begun::new(first, stream)).await?;
                let chosen = stream.get_ref().1.alpn_protocol();
                let is_http = chosen.is_some_and(|chosen| HTTP.contains(&chosen));
                Ok((Box::new(stream), if is_http { Spoken::Http } else { Spoken::Nothing }))
            }
            _ if self.plain => Ok((stream, Spoken::Begins(first))),
            _ => {
                stream.write_all(&tls_required(first)).await?;
                stream.shutdown().await?;
                // Bytes that are unread at the close would make the kernel drop the answer.
                tokio::io::copy(&mut stream.take(limits::FRAME_BYTES as u64), &mut tokio::io::sink()).await?;
                Err(io::Error::new(io::ErrorKind::InvalidData, "plain text on a port that speaks TLS only"))
            }
        }
    }
}

/// The protocol of a connection, as far as it is known.
pub(crate) enum Spoken {
    Http,
    /// The first byte will tell, and this is it.
    Begins(u8),
    Nothing,
}

/// The answer to plain text, in the protocol that begins with this byte.
fn tls_required(first: u8) -> Bytes {
    let failure = wire::Failure::from(Refusal::TlsRequired);
    if !first.is_ascii_uppercase() {
        return push_frame(wire::server_frame::Message::Failure(failure));
    }
    let body = format!(
        "{{\"type\":\"about:blank\",\"title\":\"TLS required\",\"status\":400,\"code\":\"{}\",\"detail\":\"this port \
         speaks TLS 1.3 only: use https:// or wss://\"}}\n",
        failure.code
    );
    let head = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\nconnection: close\r\n";
    Bytes::from(format!("{head}content-length: {}\r\n\r\n{body}", body.len()))
}

/// A stream whose first byte was read already.
pub(crate) struct Begun {
    first: Option<u8>,
    rest: Box<dyn Stream>,
}

impl Begun {
    pub(crate) fn new(first: u8, rest: Box<dyn Stream>) -> Begun {
        Begun { first: Some(first), rest }
    }
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
