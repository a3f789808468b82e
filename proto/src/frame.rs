//! Frames: a 4-byte big-endian length, then that many bytes of one message.
//!
//! The length alone decides whether a frame is accepted, before any allocation. [`crate::wire`] has
//! the messages and [`crate::client`] their meaning.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::codec::{Decoder, Encoder};
use troupe_core::limits;

pub const PREFIX_BYTES: usize = 4;
/// Memory for a frame before any of it has been received.
const FIRST_BYTES: usize = 64 * 1024;

/// The end of a stream of frames: its next bytes have no meaning after any of these.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("a frame of {length} bytes is announced where at most {cap} are allowed")]
    TooLarge { length: usize, cap: usize },
    #[error("a frame of no bytes is announced")]
    Empty,
    /// Required by `tokio_util`; also the end of a stream in the middle of a frame.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl From<FrameError> for std::io::Error {
    fn from(error: FrameError) -> std::io::Error {
        match error {
            FrameError::Io(error) => error,
            malformed => std::io::Error::new(std::io::ErrorKind::InvalidData, malformed),
        }
    }
}

/// Cuts received bytes into payloads of at most `cap` bytes.
#[derive(Clone, Copy, Debug)]
pub struct FrameDecoder {
    pub cap: usize,
}

impl FrameDecoder {
    /// The next payload, `None` while it is incomplete. The buffer grows only with received bytes.
    pub fn decode(&self, source: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        let Some(prefix) = source.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let length = u32::from_be_bytes(*prefix) as usize;
        check(length, self.cap)?;
        if source.len() - PREFIX_BYTES < length {
            return Ok(None);
        }
        source.advance(PREFIX_BYTES);
        Ok(Some(source.split_to(length).freeze()))
    }
}

/// Appends `message` as one frame. The caller bounds its size, as every paged answer does;
/// [`FrameCodec`] checks it.
pub fn encode_frame(message: &impl Message, target: &mut BytesMut) {
    // Protobuf ends at 2 GiB, so the length fits.
    let length = message.encoded_len();
    target.reserve(PREFIX_BYTES + length);
    put_length(length, target);
    message.encode_raw(target);
}

/// Appends the prefix of a frame of so many bytes.
pub fn put_length(length: usize, target: &mut impl BufMut) {
    target.put_u32(length as u32);
}

/// Writes `message` as one frame of at most `cap` bytes, and flushes. The caller bounds the time.
pub async fn write_frame(
    stream: &mut (impl AsyncWrite + Unpin + ?Sized),
    message: &impl Message,
    cap: usize,
) -> Result<(), FrameError> {
    check(message.encoded_len(), cap)?;
    let mut bytes = BytesMut::new();
    encode_frame(message, &mut bytes);
    stream.write_all(&bytes).await?;
    stream.flush().await?;
    Ok(())
}

/// Reads the payload of one frame of at most `cap` bytes. Memory grows with what is received, not
/// with what is announced. The caller bounds the time.
pub async fn read_frame(stream: &mut (impl AsyncRead + Unpin + ?Sized), cap: usize) -> Result<Bytes, FrameError> {
    let length = stream.read_u32().await? as usize;
    check(length, cap)?;
    let mut bytes = BytesMut::with_capacity(length.min(FIRST_BYTES));
    let mut payload = stream.take(length as u64);
    while payload.read_buf(&mut bytes).await? > 0 {}
    if bytes.len() < length {
        return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
    }
    Ok(bytes.freeze())
}

/// Both directions of one connection, each with its cap, for `tokio_util`'s `Framed`.
#[derive(Clone, Copy, Debug)]
pub struct FrameCodec {
    pub receive: FrameDecoder,
    pub send_cap: usize,
}

impl FrameCodec {
    /// The server's end of a client connection.
    pub fn server() -> FrameCodec {
        FrameCodec { receive: FrameDecoder { cap: limits::FRAME_BYTES }, send_cap: limits::SERVER_FRAME_BYTES }
    }

    /// The client's end of a client connection.
    pub fn client() -> FrameCodec {
        FrameCodec { receive: FrameDecoder { cap: limits::SERVER_FRAME_BYTES }, send_cap: limits::FRAME_BYTES }
    }

    /// Either end of a connection between nodes.
    pub fn node() -> FrameCodec {
        FrameCodec { receive: FrameDecoder { cap: limits::NODE_FRAME_BYTES }, send_cap: limits::NODE_FRAME_BYTES }
    }
}

impl Decoder for FrameCodec {
    type Item = Bytes;
    type Error = FrameError;

    fn decode(&mut self, source: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        self.receive.decode(source)
    }
}

impl<M: Message> Encoder<&M> for FrameCodec {
    type Error = FrameError;

    /// On an error nothing has been written.
    fn encode(&mut self, message: &M, target: &mut BytesMut) -> Result<(), FrameError> {
        check(message.encoded_len(), self.send_cap)?;
        encode_frame(message, target);
        Ok(())
    }
}

/// An encoded payload: one event for many connections.
impl Encoder<Bytes> for FrameCodec {
    type Error = FrameError;

    fn encode(&mut self, payload: Bytes, target: &mut BytesMut) -> Result<(), FrameError> {
        check(payload.len(), self.send_cap)?;
        target.reserve(PREFIX_BYTES + payload.len());
        put_length(payload.len(), target);
        target.put(payload);
        Ok(())
    }
}

fn check(length: usize, cap: usize) -> Result<(), FrameError> {
    match length {
        0 => Err(FrameError::Empty),
        length if length > cap => Err(FrameError::TooLarge { length, cap }),
        _ => Ok(()),
    }
}
