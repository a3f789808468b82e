//! The buffered reading half of a stream, which reports received bytes to its link.
//!
//! Bytes count, not frames: on a slow network a large frame may take longer than the allowed
//! silence.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, BufReader, ReadBuf};

use super::link::Link;

/// One system call reads many small frames.
const BUFFER_BYTES: usize = 64 * 1024;

pub struct MonitoredReader<R> {
    inner: BufReader<Touching<R>>,
}

impl<R: AsyncRead + Unpin> MonitoredReader<R> {
    pub fn new(inner: R, link: Arc<Link>) -> MonitoredReader<R> {
        MonitoredReader { inner: BufReader::with_capacity(BUFFER_BYTES, Touching { inner, link }) }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for MonitoredReader<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

/// Below the buffer, so that it sees each read of the network.
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
