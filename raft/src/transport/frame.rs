//! Frames on a Raft connection: a length, a fixed header, the payload. The header routes the frame,
//! so a frame for an unknown replica is refused without being decoded.
//!
//! A payload above [`PAYLOAD_BYTES`] is sent in consecutive pieces, of which the last is the frame
//! itself. Only an entry of an earlier version needs pieces ([`OLD_ENTRY_BYTES`]). Versions before
//! that end a connection at a piece, so pieces go only to peers that announce that they accept them
//! ([`crate::transport::vitals`]).

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use troupe_core::limits::{NODE_FRAME_BYTES, OLD_ENTRY_BYTES};
use troupe_proto::frame::{FrameDecoder, put_length};

use crate::codec::{APPEND_ENVELOPE, ENTRY_ENVELOPE};
use crate::types::GroupId;

/// kind u8, request u64, group u32, target u64.
const HEADER: usize = 1 + 8 + 4 + 8;
/// The largest payload of one frame.
pub const PAYLOAD_BYTES: usize = NODE_FRAME_BYTES - HEADER - 4;
/// The largest payload in pieces: the largest entry of any version, alone in its request.
pub const CALL_BYTES: usize = OLD_ENTRY_BYTES + ENTRY_ENVELOPE + APPEND_ENVELOPE;
const PIECE_BYTES: usize = 1024 * 1024;
const _: () = assert!(PIECE_BYTES <= PAYLOAD_BYTES);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A ping.
    Ping = 0,
    Append = 1,
    Vote = 2,
    PreVote = 3,
    Transfer = 4,
    /// A command for the meta group's leader.
    Meta = 5,
    Reply = 6,
    /// A refusal: no such replica here, or it has stopped.
    Refused = 7,
    /// A part of the payload of the next frame that is not a piece.
    Piece = 8,
}

impl Kind {
    const ALL: [Kind; 9] = [
        Kind::Ping,
        Kind::Append,
        Kind::Vote,
        Kind::PreVote,
        Kind::Transfer,
        Kind::Meta,
        Kind::Reply,
        Kind::Refused,
        Kind::Piece,
    ];
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: Kind,
    /// Chosen by the caller; the reply repeats it.
    pub request: u64,
    pub group: GroupId,
    /// The replica that is addressed. Replica ids are never reused, so a frame for a former replica
    /// is never misdelivered.
    pub target: u64,
    pub payload: Bytes,
}

impl Frame {
    pub fn put(&self, out: &mut BytesMut) {
        let mut payload = self.payload.clone();
        if payload.len() > PAYLOAD_BYTES {
            while payload.len() > PIECE_BYTES {
                self.put_part(Kind::Piece, &payload.split_to(PIECE_BYTES), out);
            }
        }
        self.put_part(self.kind, &payload, out);
    }

    fn put_part(&self, kind: Kind, payload: &[u8], out: &mut BytesMut) {
        out.reserve(4 + HEADER + payload.len());
        put_length(HEADER + payload.len(), out);
        out.put_u8(kind as u8);
        out.put_u64(self.request);
        out.put_u32(self.group.0);
        out.put_u64(self.target);
        out.put_slice(payload);
    }

    /// Takes the first whole frame out of `buffer`; `None` if there is none yet.
    fn take(buffer: &mut BytesMut) -> io::Result<Option<Frame>> {
        let Some(mut frame) = FrameDecoder { cap: NODE_FRAME_BYTES }.decode(buffer)? else { return Ok(None) };
        if frame.len() < HEADER {
            return Err(invalid("length of a frame"));
        }
        let number = frame.get_u8();
        let kind = Kind::ALL.into_iter().find(|kind| *kind as u8 == number).ok_or(invalid("kind of a frame"))?;
        let (request, group, target) = (frame.get_u64(), GroupId(frame.get_u32()), frame.get_u64());
        Ok(Some(Frame { kind, request, group, target, payload: frame }))
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads frames; cancelling `next` loses nothing.
pub struct FrameReader<R> {
    reader: R,
    buffer: BytesMut,
    /// The payload received in pieces, and the request to which they belong.
    pieces: BytesMut,
    request: u64,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub fn new(reader: R) -> FrameReader<R> {
        FrameReader { reader, buffer: BytesMut::new(), pieces: BytesMut::new(), request: 0 }
    }

    /// `None` when the other side has closed.
    pub async fn next(&mut self) -> io::Result<Option<Frame>> {
        const CHUNK: usize = 64 * 1024;
        loop {
            while let Some(part) = Frame::take(&mut self.buffer)? {
                if let Some(frame) = self.whole(part)? {
                    return Ok(Some(frame));
                }
            }
            self.buffer.reserve(CHUNK);
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Returns the frame with its preceding pieces; `None` for a piece.
    fn whole(&mut self, part: Frame) -> io::Result<Option<Frame>> {
        if self.pieces.is_empty() && part.kind != Kind::Piece {
            return Ok(Some(part));
        }
        if !self.pieces.is_empty() && part.request != self.request {
            return Err(invalid("order of the pieces of a frame"));
        }
        if self.pieces.len() + part.payload.len() > CALL_BYTES {
            return Err(invalid("length of a frame in pieces"));
        }
        self.request = part.request;
        self.pieces.extend_from_slice(&part.payload);
        if part.kind == Kind::Piece {
            return Ok(None);
        }
        Ok(Some(Frame { payload: std::mem::take(&mut self.pieces).freeze(), ..part }))
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
    async fn the_largest_entry_of_an_earlier_version_goes_in_pieces() {
        let payload = Bytes::from((0..CALL_BYTES).map(|at| at as u8).collect::<Vec<u8>>());
        let large = Frame { payload, ..frame(b"") };
        let mut bytes = BytesMut::new();
        frame(b"before").put(&mut bytes);
        large.put(&mut bytes);
        frame(b"after").put(&mut bytes);
        let mut reader = FrameReader::new(&bytes[..]);
        for expected in [frame(b"before"), large, frame(b"after")] {
            assert!(reader.next().await.unwrap() == Some(expected));
        }
    }

    #[tokio::test]
    async fn pieces_of_more_than_one_frame_or_without_an_end_are_refused() {
        let piece = |request, payload: &[u8]| {
            let mut bytes = BytesMut::new();
            Frame { request, ..frame(b"") }.put_part(Kind::Piece, payload, &mut bytes);
            bytes
        };
        let mixed = [piece(1, b"one"), piece(2, b"other")].concat();
        assert!(FrameReader::new(&mixed[..]).next().await.is_err());
        let endless = piece(1, &[7; PIECE_BYTES]).repeat(CALL_BYTES / PIECE_BYTES + 1);
        assert!(FrameReader::new(&endless[..]).next().await.is_err());
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
