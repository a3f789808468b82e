//! A connection as the rest of the node sees it: a bounded queue of frames to write, and a way to
//! end it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

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

/// Bytes that wait for all connections of a node.
#[derive(Debug)]
pub struct Output {
    waiting: AtomicUsize,
    limit: AtomicUsize,
}

impl Output {
    pub fn new(limit: usize) -> Output {
        Output { waiting: AtomicUsize::new(0), limit: AtomicUsize::new(limit) }
    }

    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// What one connection may have waiting now: a share of what is left, so that those that read
    /// nothing have less the more of them there are. One that waits for nothing may always have one
    /// frame, as far as there is room at all.
    fn allows(&self, held: usize, frame: usize) -> bool {
        let left = self.limit.load(Ordering::Relaxed).saturating_sub(self.waiting());
        let share = (left / limits::OUTPUT_SHARE).min(limits::CONNECTION_OUT_BYTES);
        held + frame <= share || (held == 0 && frame <= left)
    }
}

impl Default for Output {
    fn default() -> Output {
        Output::new(usize::MAX)
    }
}

/// What waits to be written to one client. Many push, one task writes.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: Mutex<Queue>,
    wake: Notify,
    logged_in: AtomicBool,
    output: Arc<Output>,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    /// Of the frames, and of those that are being written.
    bytes: usize,
    writing: usize,
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
            "too_many_sessions" => {
                "you have logged in on too many devices, and this session was the oldest: log in again"
            }
            "moved" => "this session goes on over a newer connection",
            "revoked" => "this session was ended from another device or by an administrator: log in again",
            "password_changed" => "the password was changed: log in with the new one",
            "password_reset" => "an administrator has reset the password: log in with the one-time password",
            "account_disabled" => "this account was disabled: ask an administrator",
            "account_deleted" => "this account was deleted",
            "session_expired" => "this session was not used for too long: log in again",
            "logged_out" => "you have logged out",
            "slow_consumer" => "this connection did not read fast enough: connect again and resume",
            "no_login" => "no login came in time: connect again to log in",
            "shutting_down" => "this node stops: connect to another one and resume",
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
    pub fn new(output: Arc<Output>) -> Outbox {
        Outbox { queue: Mutex::default(), wake: Notify::new(), logged_in: AtomicBool::new(false), output }
    }

    fn add(&self, queue: &mut Queue, frame: Bytes) {
        queue.bytes += frame.len();
        self.output.waiting.fetch_add(frame.len(), Ordering::Relaxed);
        queue.frames.push_back(frame);
    }

    fn release(&self, queue: &mut Queue, bytes: usize) {
        queue.bytes -= bytes;
        self.output.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Queues a frame. False if this was too much for the connection: it is about to end then, and
    /// resumes by its cursor.
    pub fn push(&self, frame: Bytes) -> bool {
        let mut queue = self.queue.lock();
        if queue.closing {
            return true;
        }
        if !self.output.allows(queue.bytes, frame.len()) {
            let dropped = queue.bytes - queue.writing;
            queue.frames.clear();
            self.release(&mut queue, dropped);
            self.add(&mut queue, Farewell::new("slow_consumer").frame());
            queue.closing = true;
            drop(queue);
            self.wake.notify_one();
            return false;
        }
        self.add(&mut queue, frame);
        drop(queue);
        self.wake.notify_one();
        true
    }

    /// Nothing is taken any more after `last`.
    pub fn finish(&self, last: Option<Bytes>) {
        let mut queue = self.queue.lock();
        if !queue.closing {
            if let Some(last) = last {
                self.add(&mut queue, last);
            }
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
        // What was taken before is written by now.
        let written = std::mem::take(&mut queue.writing);
        self.release(&mut queue, written);
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
        queue.writing = bytes.len();
        Some(ToWrite::Bytes(bytes))
    }

    pub fn set_logged_in(&self) {
        self.logged_in.store(true, Ordering::Release);
    }

    pub fn is_logged_in(&self) -> bool {
        self.logged_in.load(Ordering::Acquire)
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let bytes = self.queue.get_mut().bytes;
        self.output.waiting.fetch_sub(bytes, Ordering::Relaxed);
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

    #[tokio::test]
    async fn those_that_do_not_read_share_what_all_may_have_waiting() {
        const MIB: usize = 1024 * 1024;
        let output = Arc::new(Output::new(16 * MIB));
        let open = || Outbox::new(output.clone());
        let frame = Bytes::from(vec![0; 64 * 1024]);
        let deaf: Vec<_> = (0..160).map(|_| open()).collect();
        for _ in 0..64 {
            deaf.iter().for_each(|outbox| {
                outbox.push(frame.clone());
            });
        }
        assert!(output.waiting() <= 16 * MIB, "{}", output.waiting());
        // One that reads still gets a frame at a time, however large.
        let reader = open();
        let page = Bytes::from(vec![0; 256 * 1024]);
        for _ in 0..10 {
            assert!(reader.push(page.clone()));
            assert!(matches!(reader.next().await, ToWrite::Bytes(bytes) if bytes.len() == page.len()));
            assert!(tokio::time::timeout(std::time::Duration::ZERO, reader.next()).await.is_err());
        }
        drop((deaf, reader));
        assert_eq!(output.waiting(), 0);
    }
}
