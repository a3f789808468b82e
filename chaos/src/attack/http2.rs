//! A client of HTTP/2 that reads nothing, written out so that it can break the rules.

use anyhow::Result;
use tokio::io::AsyncWriteExt;
use troupe_runtime::Stream;

const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const RESET: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
/// The setting for the bytes that the peer may send on a new stream.
const INITIAL_WINDOW_SIZE: u16 = 0x4;
const CANCEL: u32 = 0x8;

pub struct Http2 {
    stream: Box<dyn Stream>,
    host: String,
    next: u32,
}

impl Http2 {
    /// `window`: bytes of an answer that may come before they are taken.
    pub async fn open(mut stream: Box<dyn Stream>, host: &str, window: u32) -> Result<Http2> {
        let mut setting = INITIAL_WINDOW_SIZE.to_be_bytes().to_vec();
        setting.extend_from_slice(&window.to_be_bytes());
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(frame(SETTINGS, 0, 0, &setting));
        stream.write_all(&bytes).await?;
        Ok(Http2 { stream, host: host.to_owned(), next: 1 })
    }

    /// Begins a request. Without `ends`, a body should follow.
    pub async fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], ends: bool) -> Result<u32> {
        let id = self.next;
        self.next += 2;
        let mut block = Vec::new();
        for (name, value) in [(":method", method), (":scheme", "http"), (":path", path), (":authority", &self.host)] {
            field(name, value, &mut block);
        }
        for (name, value) in headers {
            field(name, value, &mut block);
        }
        let flags = END_HEADERS | if ends { END_STREAM } else { 0 };
        self.stream.write_all(&frame(HEADERS, flags, id, &block)).await?;
        Ok(id)
    }

    pub async fn data(&mut self, id: u32, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(&frame(DATA, 0, id, bytes)).await?)
    }

    pub async fn reset(&mut self, id: u32) -> Result<()> {
        Ok(self.stream.write_all(&frame(RESET, 0, id, &CANCEL.to_be_bytes())).await?)
    }
}

fn frame(kind: u8, flags: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A literal of HPACK that enters no table, RFC 7541 section 6.2.2.
fn field(name: &str, value: &str, block: &mut Vec<u8>) {
    block.push(0);
    for text in [name, value] {
        match text.len() {
            short @ 0..=126 => block.push(short as u8),
            long => {
                block.push(127);
                let mut rest = long - 127;
                while rest >= 128 {
                    block.push((rest % 128) as u8 | 128);
                    rest /= 128;
                }
                block.push(rest as u8);
            }
        }
        block.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_the_form_of_hpack() {
        let mut block = Vec::new();
        field("a", &"x".repeat(126), &mut block);
        assert_eq!(block[..4], [0, 1, b'a', 126]);
        let mut block = Vec::new();
        // The example of RFC 7541, section 5.1, with a prefix of 7 bits.
        field("a", &"x".repeat(1_337), &mut block);
        assert_eq!(block[..6], [0, 1, b'a', 127, 0xba, 0x09]);
        assert_eq!(frame(HEADERS, 5, 3, b"xy"), [0, 0, 2, 1, 5, 0, 0, 0, 3, b'x', b'y']);
    }
}
