//! A connection as the rest of the node sees it: a bounded queue of frames to write, and a way to end it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::sync::Notify;
use troupe_core::limits;

use crate::conversation::push_frame;
use crate::message::say;

/// Unique on its node while the process lives.
pub type ConnectionId = u64;

/// Bytes written at once; what waits beyond goes with the next write.
const WRITE_BYTES: usize = 64 * 1024;

/// Places for frames that an idle connection may keep.
const KEPT_FRAMES: usize = 8;

/// What waits to be written to one client. Many push, one task writes.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: Mutex<Queue>,
    wake: Notify,
    pub logged_in: AtomicBool,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// Nothing is taken any more; what is here is written, then the connection ends.
    closing: bool,
}

/// What the writing task has to do.
pub enum ToWrite {
    Bytes(BytesMut),
    /// Everything is written.
    End,
}

/// Why a connection ends, told to the client as the last frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farewell {
    pub code: String,
}

impl Farewell {
    pub fn new(code: &str) -> Farewell {
        Farewell { code: code.to_owned() }
    }

    fn text(&self) -> &'static str {
        match self.code.as_str() {
            "replaced" => "this device has logged in again elsewhere",
            "moved" => "this session goes on over a newer connection",
            "revoked" => "this session was ended from another device: log in again",
            "logged_out" => "you have logged out",
            "slow_consumer" => "this connection did not read fast enough: connect again and resume",
            "no_login" => "no login came in time: connect again to log in",
            "idle" => "nothing was heard from this connection: connect again and resume",
            _ => "the connection ends: connect again",
        }
    }

    pub fn frame(&self) -> Bytes {
        let kicked = say::Kicked { code: self.code.clone(), text: self.text().to_owned() };
        push_frame(say::server_frame::Message::Kicked(kicked))
    }
}

impl Outbox {
    /// Queues a frame. False if this was too much for the connection: it is about to end then, and resumes by its cursor.
    pub fn push(&self, frame: Bytes) -> bool {
        let mut queue = self.queue.lock();
        if queue.closing {
            return true;
        }
        if queue.bytes + frame.len() > limits::CONNECTION_OUT_BYTES {
            queue.frames.clear();
            queue.frames.push_back(Farewell::new("slow_consumer").frame());
            queue.closing = true;
            drop(queue);
            self.wake.notify_one();
            return false;
        }
        queue.bytes += frame.len();
        queue.frames.push_back(frame);
        drop(queue);
        self.wake.notify_one();
        true
    }

    /// Nothing is taken any more after `last`.
    pub fn finish(&self, last: Option<Bytes>) {
        let mut queue = self.queue.lock();
        if !queue.closing {
            queue.frames.extend(last);
            queue.closing = true;
        }
        drop(queue);
        self.wake.notify_one();
    }

    pub fn is_closing(&self) -> bool {
        self.queue.lock().closing
    }

    /// Waits until there is something to write. Only one task may wait.
    pub async fn next(&self) -> ToWrite {
        loop {
            if let Some(now) = self.take() {
                return now;
            }
            self.wake.notified().await;
        }
    }

    /// Waits until nothing more is taken. Only the writing task may wait.
    pub async fn closing(&self) {
        while !self.is_closing() {
            self.wake.notified().await;
        }
    }

    fn take(&self) -> Option<ToWrite> {
        let mut queue = self.queue.lock();
        if queue.frames.is_empty() {
            // A burst leaves no memory behind in an idle connection.
            if queue.frames.capacity() > KEPT_FRAMES {
                queue.frames.shrink_to(0);
            }
            return queue.closing.then_some(ToWrite::End);
        }
        let mut bytes = BytesMut::new();
        while let Some(frame) = queue.frames.front() {
            if !bytes.is_empty() && bytes.len() + frame.len() > WRITE_BYTES {
                break;
            }
            bytes.extend_from_slice(frame);
            queue.frames.pop_front();
        }
        queue.bytes = queue.bytes.saturating_sub(bytes.len());
        Some(ToWrite::Bytes(bytes))
    }

    pub fn set_logged_in(&self) {
        self.logged_in.store(true, Ordering::Release);
    }

    pub fn is_logged_in(&self) -> bool {
        self.logged_in.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn drain(outbox: &Outbox) -> Vec<u8> {
        let mut all = Vec::new();
        while let ToWrite::Bytes(bytes) = outbox.next().await {
            all.extend_from_slice(&bytes);
        }
        all
    }

    #[tokio::test]
    async fn frames_are_written_in_order_and_together() {
        let outbox = Outbox::default();
        outbox.push(Bytes::from_static(b"one"));
        outbox.push(Bytes::from_static(b"two"));
        outbox.finish(Some(Bytes::from_static(b"end")));
        outbox.push(Bytes::from_static(b"late"));
        assert_eq!(drain(&outbox).await, b"onetwoend");
    }

    #[tokio::test]
    async fn who_does_not_read_is_let_go() {
        let outbox = Outbox::default();
        let big = Bytes::from(vec![0; limits::CONNECTION_OUT_BYTES / 4]);
        assert!((0..4).all(|_| outbox.push(big.clone())));
        assert!(!outbox.push(big));
        assert_eq!(drain(&outbox).await, Farewell::new("slow_consumer").frame());
    }
}
