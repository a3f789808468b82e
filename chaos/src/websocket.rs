//! A client of `/v1/ws` on a bare stream, so that it can send what no library would.

use anyhow::{Result, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use troupe_runtime::Stream;
use troupe_runtime::net::Net;

pub const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xa;
/// The last frame of a message.
pub const FIN: u8 = 0x80;

/// A larger message is none.
const MESSAGE_BYTES: usize = 64 * 1024 * 1024;

pub struct WebSocket {
    pub reads: Reads,
    pub writes: Writes,
}

pub struct Reads {
    stream: ReadHalf<Box<dyn Stream>>,
    received: BytesMut,
}

pub struct Writes(WriteHalf<Box<dyn Stream>>);

impl WebSocket {
    pub async fn open(net: &dyn Net, address: &str) -> Result<WebSocket> {
        WebSocket::over(net.connect(address).await?, address).await
    }

    pub async fn over(mut stream: Box<dyn Stream>, host: &str) -> Result<WebSocket> {
        stream.write_all(handshake(host).as_bytes()).await?;
        let mut received = BytesMut::new();
        let end = loop {
            if let Some(end) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
            ensure!(stream.read_buf(&mut received).await? > 0, "closed before the answer to the upgrade");
        };
        let head = received.split_to(end);
        let is_open = head.starts_with(b"HTTP/1.1 101 ");
        ensure!(is_open, "no WebSocket: {}", String::from_utf8_lossy(&head).lines().next().unwrap_or_default());
        let (reads, writes) = tokio::io::split(stream);
        Ok(WebSocket { reads: Reads { stream: reads, received }, writes: Writes(writes) })
    }
}

impl Writes {
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.0.write_all(bytes).await?)
    }

    /// A whole message, or a control frame.
    pub async fn send(&mut self, op: u8, payload: &[u8]) -> Result<()> {
        self.write(&frame(FIN | op, payload)).await
    }
}

impl Reads {
    /// The next frame: its opcode and payload. A server does not fragment. An error is the end.
    pub async fn frame(&mut self) -> Result<(u8, Bytes)> {
        loop {
            if let Some((head, length)) = head(&self.received)
                && self.received.len() >= head + length
            {
                let op = self.received[0] & 0x0f;
                self.received.advance(head);
                return Ok((op, self.received.split_to(length).freeze()));
            }
            ensure!(self.received.len() < MESSAGE_BYTES, "an endless message");
            if self.stream.read_buf(&mut self.received).await? == 0 {
                bail!("the WebSocket was closed");
            }
        }
    }
}

pub fn handshake(host: &str) -> String {
    format!(
        "GET /v1/ws HTTP/1.1\r\nhost: {host}\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Bytes of the head of a server's frame, and of its payload.
fn head(bytes: &[u8]) -> Option<(usize, usize)> {
    let &[_, second, ref rest @ ..] = bytes else { return None };
    Some(match second & 0x7f {
        126 => (4, u16::from_be_bytes(*rest.first_chunk()?).into()),
        127 => (10, u64::from_be_bytes(*rest.first_chunk()?) as usize),
        short => (2, short.into()),
    })
}

/// A frame as a client sends it. The mask protects proxies, and may be the same each time here.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_of_each_length_are_read_as_they_are_written() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let sent = frame(FIN | BINARY, &payload);
            let masked = sent.len() - length - 4;
            // As a server writes it: without the mask.
            let mut bytes = sent[..masked].to_vec();
            bytes[1] &= 0x7f;
            bytes.extend_from_slice(&payload);
            assert_eq!(head(&bytes), Some((masked, length)));
            assert_eq!(head(&bytes[..1]), None);
        }
    }
}
