//! Frames of CIM's TCP protocol: the length as a varint, and one message of protocol buffers.
//!
//! Server and client use one message with the same field numbers under two names. A frame is
//! decoded when all of it has come, and the cap is checked before.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes, BytesMut};
use prost::Message;
use troupe_core::UserId;

/// Bytes of one frame from a client, without its length. A client sends logins and pings only.
pub const CAP: usize = 8 * 1024;
/// Bytes of a length below 2^35; a longer varint is no length.
const LENGTH_BYTES: usize = 5;

#[derive(Clone, PartialEq, prost::Message)]
pub struct Frame {
    #[prost(string, tag = "1")]
    pub text: String,
    /// The user: the sender of a request, the receiver of a push.
    #[prost(int64, tag = "2")]
    pub user: i64,
    #[prost(enumeration = "Command", tag = "3")]
    pub command: i32,
    #[prost(btree_map = "string, string", tag = "4")]
    pub properties: BTreeMap<String, String>,
    #[prost(string, repeated, tag = "5")]
    pub batch: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Command {
    LoginRequest = 0,
    Message = 1,
    Ping = 2,
    Offline = 3,
}

/// The sender and the receiver of a push, as properties of its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Between {
    pub sender: UserId,
    pub sender_name: String,
    pub receiver: UserId,
}

impl Frame {
    /// A message that has just come.
    pub fn message(between: &Between, text: String) -> Frame {
        Frame { text, ..Frame::push(between, Command::Message) }
    }

    /// Messages of one sender that came while the receiver was away.
    pub fn offline(between: &Between, batch: Vec<String>) -> Frame {
        Frame { batch, ..Frame::push(between, Command::Offline) }
    }

    /// The answer to a ping.
    pub fn pong() -> Frame {
        Frame { text: "pong".to_owned(), command: Command::Ping as i32, ..Frame::default() }
    }

    fn push(between: &Between, command: Command) -> Frame {
        let properties = [
            ("receiveUserId", between.receiver.to_string()),
            ("sendUserId", between.sender.to_string()),
            ("sendUserName", between.sender_name.clone()),
        ];
        Frame {
            // A user's id is below 2^53.
            user: between.receiver.0.try_into().unwrap_or(i64::MAX),
            command: command as i32,
            properties: properties.map(|(key, value)| (key.to_owned(), value)).into(),
            ..Frame::default()
        }
    }

    pub fn encode_framed(&self) -> Bytes {
        self.encode_length_delimited_to_vec().into()
    }
}

/// No frame can be read after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadFrame;

/// Takes the next frame from the buffer. `None`: it has not come completely.
pub fn decode(buffer: &mut BytesMut) -> Result<Option<Frame>, BadFrame> {
    let Some((length, prefix)) = length(buffer)? else { return Ok(None) };
    if buffer.len() < prefix + length {
        return Ok(None);
    }
    buffer.advance(prefix);
    let payload = buffer.split_to(length);
    Frame::decode(payload).map(Some).map_err(|_| BadFrame)
}

/// The length of a frame, and the bytes that it takes itself.
fn length(buffer: &[u8]) -> Result<Option<(usize, usize)>, BadFrame> {
    let mut length = 0usize;
    for (place, byte) in buffer.iter().take(LENGTH_BYTES).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * place);
        if length > CAP {
            return Err(BadFrame);
        }
        if byte & 0x80 == 0 {
            return Ok(Some((length, place + 1)));
        }
    }
    if buffer.len() >= LENGTH_BYTES { Err(BadFrame) } else { Ok(None) }
}

#[cfg(test)]
mod tests;
