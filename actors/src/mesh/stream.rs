//! The reading half of a stream, buffered, that tells its link of every sign of life.
//!
//! Bytes count, not frames: on a slow line a large frame may be under way for longer than silence
//! is allowed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, BufReader, ReadBuf};

use super::link::Link;

/// One system call brings many small frames.
const BUFFER_BYTES: usize = 64 * 1024;

pub struct Heard<R> {
    inner: BufReader<Touching<R>>,
}

impl<R: AsyncRead + Unpin> Heard<R> {
    pub fn new(inner: R, link: Arc<Link>) -> Heard<R> {
        Heard { inner: BufReader::with_capacity(BUFFER_BYTES, Touching { inner, link }) }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Heard<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

/// Below the buffer, where bytes come from the other node.
struct Touching<R> {
    inner: R,
    link: Arc<Link>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Touching<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.link.touch();
        }
        Poll::Ready(Ok(()))
    }
}
