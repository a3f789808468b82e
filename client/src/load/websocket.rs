//! Frames of client.proto as messages of a WebSocket, for the load generator: a stream of frames
//! with their length on this side, binary messages on the other.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use troupe_proto::frame::PREFIX_BYTES;
use troupe_runtime::net::{BoxFuture, Net};
use troupe_runtime::{Listener, Stream};

/// Bytes of the answer to the handshake.
const ANSWER_BYTES: usize = 8 * 1024;
/// Bytes that wait for the socket. Above it a write waits too.
const WAITING_BYTES: usize = 256 * 1024;
const READ_BYTES: usize = 1024;

const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;

struct WebSocket {
    stream: Box<dyn Stream>,
    /// From the socket, not whole yet.
    received: BytesMut,
    /// For the reader.
    frames: BytesMut,
    /// From the writer, not whole yet.
    begun: BytesMut,
    /// For the socket.
    waiting: BytesMut,
    ended: bool,
}

/// A network whose connections are WebSockets, for the SDK.
pub struct WebSocketNet(pub Arc<dyn Net>);

impl Net for WebSocketNet {
    fn bind<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Listener>>> {
        self.0.bind(address)
    }

    fn connect<'a>(&'a self, address: &'a str) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move { open(self.0.connect(address).await?, address).await })
    }

    fn is_private(&self, address: &str) -> bool {
        self.0.is_private(address)
    }
}

/// Opens a WebSocket at `/v1/ws` over an established stream. The caller bounds the time.
pub async fn open(mut stream: Box<dyn Stream>, host: &str) -> io::Result<Box<dyn Stream>> {
    let request = format!(
        "GET /v1/ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dHJvdXBlLWxvYWQtZ2VuZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut received = BytesMut::new();
    let end = loop {
        if let Some(at) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at + 4;
        }
        if received.len() > ANSWER_BYTES || stream.read_buf(&mut received).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no answer to the opening of a WebSocket"));
        }
    };
    let head = received.split_to(end);
    if !head.starts_with(b"HTTP/1.1 101 ") {
        let first = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("no WebSocket: {first}")));
    }
    // The buffer of the handshake would stay in memory.
    let received = BytesMut::from(&received[..]);
    let (frames, begun, waiting) = Default::default();
    Ok(Box::new(WebSocket { stream, received, frames, begun, waiting, ended: false }))
}

impl WebSocket {
    /// Takes one whole frame of the server. False while it is incomplete.
    fn take(&mut self) -> bool {
        let &[first, second, ref rest @ ..] = &self.received[..] else { return false };
        let (head, length) = match second {
            126 => match rest.first_chunk() {
                Some(length) => (4, u16::from_be_bytes(*length).into()),
                None => return false,
            },
            127 => match rest.first_chunk() {
                Some(length) => (10, u64::from_be_bytes(*length) as usize),
                None => return false,
            },
            short => (2, short.into()),
        };
        if self.received.len() < head + length {
            return false;
        }
        self.received.advance(head);
        let payload = self.received.split_to(length);
        match first {
            BINARY => {
                self.frames.put_u32(length as u32);
                self.frames.extend_from_slice(&payload);
            }
            CLOSE => self.ended = true,
            // A ping: the client's own traffic shows that it lives.
            _ => {}
        }
        true
    }

    /// Makes messages of whole frames.
    fn put(&mut self) {
        while let Some(prefix) = self.begun.first_chunk::<PREFIX_BYTES>() {
            let length = u32::from_be_bytes(*prefix) as usize;
            if self.begun.len() < PREFIX_BYTES + length {
                return;
            }
            self.begun.advance(PREFIX_BYTES);
            self.waiting.put_u8(BINARY);
            match length {
                0..=125 => self.waiting.put_u8(0x80 | length as u8),
                126..=0xffff => {
                    self.waiting.put_u8(0x80 | 126);
                    self.waiting.put_u16(length as u16);
                }
                _ => {
                    self.waiting.put_u8(0x80 | 127);
                    self.waiting.put_u64(length as u64);
                }
            }
            // A mask of zeros changes nothing. It protects proxies from pages, and this is none.
            self.waiting.put_u32(0);
            let payload = self.begun.split_to(length);
            self.waiting.extend_from_slice(&payload);
        }
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>, down_to: usize) -> Poll<io::Result<()>> {
        while self.waiting.len() > down_to {
            let wrote = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.waiting))?;
            if wrote == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting.advance(wrote);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for WebSocket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.frames.is_empty() {
                let many = this.frames.len().min(out.remaining());
                out.put_slice(&this.frames.split_to(many));
                if this.frames.is_empty() {
                    this.frames = BytesMut::new();
                }
                return Poll::Ready(Ok(()));
            }
            if this.ended {
                return Poll::Ready(Ok(()));
            }
            if this.take() {
                continue;
            }
            if this.received.is_empty() {
                this.received = BytesMut::new();
            }
            let mut some = [0; READ_BYTES];
            let mut read = ReadBuf::new(&mut some);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut read))?;
            this.ended = read.filled().is_empty();
            this.received.extend_from_slice(read.filled());
        }
    }
}

impl AsyncWrite for WebSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.poll_drain(cx, WAITING_BYTES))?;
        this.begun.extend_from_slice(bytes);
        this.put();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.poll_drain(cx, 0))?;
        this.waiting = BytesMut::new();
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx, 0))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
