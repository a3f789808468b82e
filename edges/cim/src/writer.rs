//! The writing half of a channel, for the feed and for pongs.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, WriteHalf};
use tokio::sync::Mutex;
use tokio::time::timeout;
use troupe_core::limits;
use troupe_runtime::Stream;

use crate::frame::Frame;

/// A peer that takes nothing for this time is gone.
const STALLED: Duration = Duration::from_secs(limits::WRITE_STALL_SECONDS);
/// The time for the end of a connection.
const LAST_WRITE: Duration = Duration::from_secs(1);

/// The client takes no bytes any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

#[derive(Clone)]
pub struct Writer(Arc<Mutex<WriteHalf<Box<dyn Stream>>>>);

impl Writer {
    pub fn new(half: WriteHalf<Box<dyn Stream>>) -> Writer {
        Writer(Arc::new(Mutex::new(half)))
    }

    /// Returns when the socket has taken the whole frame. After an error, or when this future is
    /// dropped, the connection has to end, because half a frame may be written.
    pub async fn write(&self, frame: &Frame) -> Result<(), Gone> {
        let bytes = frame.encode_framed();
        let mut rest = &bytes[..];
        let mut half = self.0.lock().await;
        while !rest.is_empty() {
            match timeout(STALLED, half.write(rest)).await {
                Ok(Ok(wrote)) if wrote > 0 => rest = &rest[wrote..],
                _ => return Err(Gone),
            }
        }
        match timeout(STALLED, half.flush()).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Gone),
        }
    }

    pub async fn shut_down(&self) {
        let closing = async { self.0.lock().await.shutdown().await };
        let _ = timeout(LAST_WRITE, closing).await;
    }
}
