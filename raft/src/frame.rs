//! Frames on a Raft connection: a length, a fixed header, the payload. The header is what routes, so that a
//! frame for a replica that is not here is refused without being decoded.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use troupe_core::limits::NODE_FRAME_BYTES;

use crate::types::GroupId;

/// kind u8, request u64, group u32, target u64.
const HEADER: usize = 1 + 8 + 4 + 8;
/// The largest payload.
pub const PAYLOAD_BYTES: usize = NODE_FRAME_BYTES - HEADER - 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A sign of life, answered by an empty reply.
    Ping = 0,
    Append = 1,
    Vote = 2,
    PreVote = 3,
    Transfer = 4,
    /// A command for the meta group's leader.
    Meta = 5,
    Reply = 6,
    /// The answer to what nobody here can answer: no such replica, or it has stopped.
    Refused = 7,
}

impl Kind {
    const ALL: [Kind; 8] =
        [Kind::Ping, Kind::Append, Kind::Vote, Kind::PreVote, Kind::Transfer, Kind::Meta, Kind::Reply, Kind::Refused];
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: Kind,
    /// Chosen by who asks; the reply repeats it.
    pub request: u64,
    pub group: GroupId,
    /// The replica that is meant. Never reused, so a frame for a former owner of an address is not mistaken.
    pub target: u64,
    pub payload: Bytes,
}

impl Frame {
    pub fn put(&self, out: &mut BytesMut) {
        out.reserve(4 + HEADER + self.payload.len());
        out.put_u32((HEADER + self.payload.len()) as u32);
        out.put_u8(self.kind as u8);
        out.put_u64(self.request);
        out.put_u32(self.group.0);
        out.put_u64(self.target);
        out.put_slice(&self.payload);
    }

    /// The first whole frame, taken out of `buffer`; `None` if there is none yet.
    fn take(buffer: &mut BytesMut) -> io::Result<Option<Frame>> {
        let Some(length) = buffer.first_chunk::<4>().map(|length| u32::from_be_bytes(*length) as usize) else {
            return Ok(None);
        };
        if !(HEADER..=NODE_FRAME_BYTES).contains(&length) {
            return Err(invalid("length of a frame"));
        }
        if buffer.len() < 4 + length {
            return Ok(None);
        }
        buffer.advance(4);
        let mut frame = buffer.split_to(length).freeze();
        let number = frame.get_u8();
        let kind = Kind::ALL.into_iter().find(|kind| *kind as u8 == number).ok_or(invalid("kind of a frame"))?;
        let (request, group, target) = (frame.get_u64(), GroupId(frame.get_u32()), frame.get_u64());
        Ok(Some(Frame { kind, request, group, target, payload: frame }))
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads frames; a dropped `next` loses nothing.
pub struct FrameReader<R> {
    reader: R,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub fn new(reader: R) -> FrameReader<R> {
        FrameReader { reader, buffer: BytesMut::new() }
    }

    /// `None` when the other side has closed.
    pub async fn next(&mut self) -> io::Result<Option<Frame>> {
        const CHUNK: usize = 64 * 1024;
        loop {
            if let Some(frame) = Frame::take(&mut self.buffer)? {
                return Ok(Some(frame));
            }
            self.buffer.reserve(CHUNK);
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(payload: &'static [u8]) -> Frame {
        Frame { kind: Kind::Append, request: 7, group: GroupId(3), target: 9, payload: Bytes::from_static(payload) }
    }

    #[tokio::test]
    async fn frames_survive_any_cut() {
        let mut bytes = BytesMut::new();
        frame(b"first").put(&mut bytes);
        frame(b"").put(&mut bytes);
        for cut in 0..bytes.len() {
            let (left, right) = bytes.split_at(cut);
            let mut reader = FrameReader::new(AsyncReadExt::chain(left, right));
            assert_eq!(reader.next().await.unwrap(), Some(frame(b"first")));
            assert_eq!(reader.next().await.unwrap(), Some(frame(b"")));
            assert_eq!(reader.next().await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn a_length_above_the_cap_is_refused_before_it_is_read() {
        let bytes = ((NODE_FRAME_BYTES + 1) as u32).to_be_bytes();
        assert!(FrameReader::new(&bytes[..]).next().await.is_err());
    }

    #[tokio::test]
    async fn an_unknown_kind_is_refused() {
        let mut bytes = BytesMut::new();
        frame(b"x").put(&mut bytes);
        bytes[4] = 99;
        assert!(FrameReader::new(&bytes[..]).next().await.is_err());
    }
}
