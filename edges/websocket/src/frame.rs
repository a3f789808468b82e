//! Frames of RFC 6455, section 5, at the server's end: the client masks, the server does not.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The longest head: 2 bytes, a length of 8, a mask of 4.
pub const HEAD_BYTES: usize = 14;
/// Bytes of a control frame, section 5.5.
const CONTROL_BYTES: u64 = 125;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Op {
    fn of(number: u8) -> Option<Op> {
        Some(match number {
            0x0 => Op::Continuation,
            0x1 => Op::Text,
            0x2 => Op::Binary,
            0x8 => Op::Close,
            0x9 => Op::Ping,
            0xa => Op::Pong,
            _ => return None,
        })
    }

    fn number(self) -> u8 {
        match self {
            Op::Continuation => 0x0,
            Op::Text => 0x1,
            Op::Binary => 0x2,
            Op::Close => 0x8,
            Op::Ping => 0x9,
            Op::Pong => 0xa,
        }
    }

    pub fn is_control(self) -> bool {
        self.number() & 0x8 != 0
    }
}

/// Close codes, section 7.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Normal = 1000,
    GoingAway = 1001,
    Protocol = 1002,
    Unsupported = 1003,
    Invalid = 1007,
    Policy = 1008,
    TooLarge = 1009,
}

/// A client violates the protocol: the code and the reason of the last frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation(pub Code, pub &'static str);

/// The head of a frame from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub fin: bool,
    pub op: Op,
    pub length: usize,
    mask: [u8; 4],
    /// Bytes of the head itself.
    bytes: usize,
}

impl Head {
    /// `None` while it is incomplete. `room`: the bytes that a data frame may have, by its opcode.
    pub fn parse(bytes: &[u8], room: impl FnOnce(Op) -> usize) -> Result<Option<Head>, Violation> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        if first & RESERVED != 0 {
            return Err(Violation(Code::Protocol, "a reserved bit is set, and no extension was agreed on"));
        }
        let op = Op::of(first & 0x0f).ok_or(Violation(Code::Protocol, "a reserved opcode"))?;
        if second & MASKED == 0 {
            return Err(Violation(Code::Protocol, "a frame of a client must be masked"));
        }
        let fin = first & FIN != 0;
        let (length, of_length) = match second & !MASKED {
            126 => match rest.first_chunk() {
                Some(chunk) => (u64::from(u16::from_be_bytes(*chunk)), 2),
                None => return Ok(None),
            },
            127 => match rest.first_chunk() {
                Some(chunk) => (u64::from_be_bytes(*chunk), 8),
                None => return Ok(None),
            },
            short => (u64::from(short), 0),
        };
        let least = match of_length {
            2 => 126,
            8 => 1 << 16,
            _ => 0,
        };
        if length < least || length >> 63 != 0 {
            return Err(Violation(Code::Protocol, "a length in more bytes than it needs"));
        }
        if op.is_control() && (length > CONTROL_BYTES || !fin) {
            return Err(Violation(Code::Protocol, "a control frame has at most 125 bytes and is not fragmented"));
        }
        if !op.is_control() && length > room(op) as u64 {
            return Err(Violation(Code::TooLarge, "the message is above the limit of this protocol"));
        }
        let Some(mask) = rest.get(of_length..).and_then(|rest| rest.first_chunk()) else { return Ok(None) };
        // At most the room, which is a usize.
        Ok(Some(Head { fin, op, length: length as usize, mask: *mask, bytes: 2 + of_length + 4 }))
    }

    /// Takes the frame out of the received bytes. `None` while its payload is incomplete.
    pub fn take(&self, received: &mut BytesMut) -> Option<BytesMut> {
        if received.len() < self.bytes + self.length {
            return None;
        }
        received.advance(self.bytes);
        let mut payload = received.split_to(self.length);
        payload.iter_mut().zip(self.mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        Some(payload)
    }
}

/// Appends the head of a whole frame of a server.
pub fn put_head(op: Op, length: usize, out: &mut BytesMut) {
    out.put_u8(FIN | op.number());
    match length {
        0..=125 => out.put_u8(length as u8),
        126..=0xffff => {
            out.put_u8(126);
            out.put_u16(length as u16);
        }
        _ => {
            out.put_u8(127);
            out.put_u64(length as u64);
        }
    }
}

pub fn frame(op: Op, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(10 + payload.len());
    put_head(op, payload.len(), &mut out);
    out.extend_from_slice(payload);
    out.freeze()
}

/// A close frame. The reason is cut to the size of a control frame.
pub fn close(code: Code, reason: &str) -> Bytes {
    let most = CONTROL_BYTES as usize - 2;
    let end = (0..=reason.len().min(most)).rev().find(|end| reason.is_char_boundary(*end)).unwrap_or(0);
    let mut payload = BytesMut::with_capacity(2 + end);
    payload.put_u16(code as u16);
    payload.extend_from_slice(&reason.as_bytes()[..end]);
    frame(Op::Close, &payload)
}

/// The answer to the close frame of a client, section 5.5.1: its own code comes back.
pub fn answer_to_close(payload: &[u8]) -> Result<Bytes, Violation> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return match payload {
            [] => Ok(close(Code::Normal, "")),
            _ => Err(Violation(Code::Protocol, "a close code has two bytes")),
        };
    };
    // 1004 to 1006 and 1015 never travel, section 7.4.1; others below 3000 are not registered.
    if !matches!(u16::from_be_bytes(*code), 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation(Code::Protocol, "a close code that no endpoint may send"));
    }
    if std::str::from_utf8(reason).is_err() {
        return Err(Violation(Code::Invalid, "the reason of a close is not UTF-8"));
    }
    Ok(frame(Op::Close, code))
}
