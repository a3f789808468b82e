//! The outbox of a connection: a bounded queue of frames to write, in the form that its client
//! speaks. A full queue ends the connection.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::yield_now;
use troupe_actors::message::{ServerMessage, wire};
use troupe_actors::output::Output;
use troupe_actors::places::GivesWay;
use troupe_proto::client::EndReason;

use crate::form::{Form, STREAM, Stage};

/// Bytes of one write, unless a single frame is larger.
const WRITE_BYTES: usize = 64 * 1024;

/// Capacity of the queue that an idle connection keeps.
const KEPT_FRAMES: usize = 8;

/// Frames that wait for one client. Many tasks push, one writes.
pub struct Outbox {
    queue: Mutex<Queue>,
    wake: Notify,
    logged_in: AtomicBool,
    output: Arc<Output>,
    /// Before the first frame has shown another.
    form: &'static dyn Form,
    spoken: OnceLock<&'static dyn Form>,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    /// Of the queued frames and of those being written.
    bytes: usize,
    writing: usize,
    /// The queue takes no more frames; the connection ends when they are written.
    closing: bool,
}

/// The next step of the writing task.
pub enum ToWrite {
    Bytes(BytesMut),
    /// Everything is written.
    End,
}

impl Outbox {
    pub fn new(output: Arc<Output>, form: &'static dyn Form) -> Outbox {
        Outbox {
            queue: Mutex::default(),
            wake: Notify::new(),
            logged_in: AtomicBool::new(false),
            output,
            form,
            spoken: OnceLock::new(),
        }
    }

    /// The form of the frames that are queued from now on.
    pub fn form(&self) -> &'static dyn Form {
        self.spoken.get().copied().unwrap_or(self.form)
    }

    /// The client has shown its form. A connection has one in its life.
    pub fn speak(&self, form: &'static dyn Form) {
        let _ = self.spoken.set(form);
    }

    /// Queues a message, as [`Outbox::push`] does.
    pub fn say(&self, request_id: u64, message: ServerMessage) -> bool {
        self.push(self.form().frame(&wire::ServerFrame { request_id, message: Some(message) }))
    }

    fn add(&self, queue: &mut Queue, frame: Bytes) {
        if frame.is_empty() {
            return;
        }
        queue.bytes += frame.len();
        self.output.add(frame.len());
        queue.frames.push_back(frame);
    }

    fn release(&self, queue: &mut Queue, bytes: usize) {
        queue.bytes -= bytes;
        self.output.release(bytes);
    }

    /// Queues a frame. False: the connection ends because too many bytes wait, and its client
    /// resumes by its cursors.
    pub fn push(&self, frame: Bytes) -> bool {
        let mut queue = self.queue.lock();
        if queue.closing {
            return true;
        }
        if !self.output.allows(queue.bytes, frame.len()) {
            let dropped = queue.bytes - queue.writing;
            queue.frames.clear();
            self.release(&mut queue, dropped);
            self.add_end(&mut queue, &EndReason::SlowConsumer);
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

    /// Queues the frame of a signal. False: it is dropped, because too much waits already.
    pub fn offer(&self, frame: Bytes) -> bool {
        let mut queue = self.queue.lock();
        if queue.closing || !self.output.allows_signal(queue.bytes, frame.len()) {
            return false;
        }
        self.add(&mut queue, frame);
        drop(queue);
        self.wake.notify_one();
        true
    }

    /// Takes no more frames.
    pub fn finish(&self) {
        self.finish_with(self.form().goodbye(None));
    }

    /// Takes no more frames after these bytes.
    pub fn finish_with(&self, last: Bytes) {
        self.close(|queue| self.add(queue, last));
    }

    /// Tells the client why the connection ends, as the last frame.
    pub fn end(&self, reason: &EndReason) {
        self.close(|queue| self.add_end(queue, reason));
    }

    fn close(&self, last: impl FnOnce(&mut Queue)) {
        let mut queue = self.queue.lock();
        if !queue.closing {
            last(&mut queue);
            queue.closing = true;
        }
        drop(queue);
        self.wake.notify_one();
    }

    fn add_end(&self, queue: &mut Queue, reason: &EndReason) {
        let message = Some(ServerMessage::Kicked(reason.into()));
        self.add(queue, self.form().frame(&wire::ServerFrame { request_id: 0, message }));
        self.add(queue, self.form().goodbye(Some(reason)));
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
            // Frames that are about to be pushed share the write.
            yield_now().await;
        }
    }

    /// Waits until the queue takes no more frames. Only the writing task may wait.
    pub async fn closing(&self) {
        while !self.is_closing() {
            self.wake.notified().await;
        }
    }

    fn take(&self) -> Option<ToWrite> {
        let mut queue = self.queue.lock();
        // The frames taken before are written by now.
        let written = std::mem::take(&mut queue.writing);
        self.release(&mut queue, written);
        if queue.frames.is_empty() {
            // A burst leaves no memory behind in an idle connection.
            if queue.frames.capacity() > KEPT_FRAMES {
                queue.frames.shrink_to(0);
            }
            return queue.closing.then_some(ToWrite::End);
        }
        self.output.record(queue.bytes);
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

    pub fn stage(&self) -> Stage {
        if self.is_logged_in() { Stage::LoggedIn } else { Stage::Greeting }
    }
}

impl GivesWay for Outbox {
    fn give_way(&self) {
        self.end(&EndReason::NoLogin);
    }
}

/// Of a stream, without limits.
impl Default for Outbox {
    fn default() -> Outbox {
        Outbox::new(Arc::default(), &STREAM)
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let bytes = self.queue.get_mut().bytes;
        self.output.release(bytes);
    }
}

#[cfg(test)]
mod tests {
    use troupe_core::limits;
    use troupe_proto::client::push_frame;
    use troupe_runtime::Meters;

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
        outbox.finish_with(Bytes::from_static(b"end"));
        outbox.push(Bytes::from_static(b"late"));
        assert_eq!(drain(&outbox).await, b"onetwoend");
    }

    #[tokio::test]
    async fn a_connection_that_does_not_read_ends() {
        let outbox = Outbox::default();
        let big = Bytes::from(vec![0; limits::CONNECTION_OUT_BYTES / 4]);
        assert!((0..4).all(|_| outbox.push(big.clone())));
        assert!(!outbox.push(big));
        let kicked = push_frame(ServerMessage::Kicked((&EndReason::SlowConsumer).into()));
        assert_eq!(drain(&outbox).await, kicked);
    }

    #[tokio::test]
    async fn signals_leave_room_for_events_and_end_no_connection() {
        let outbox = Outbox::default();
        let signal = Bytes::from(vec![0; limits::SIGNAL_BYTES]);
        let taken = (0..10_000).filter(|_| outbox.offer(signal.clone())).count();
        assert_eq!(taken * signal.len(), limits::CONNECTION_OUT_BYTES / limits::SIGNALS_SHARE);
        let event = Bytes::from(vec![0; limits::CONNECTION_OUT_BYTES / 2]);
        assert!(outbox.push(event) && !outbox.offer(signal) && !outbox.is_closing());
    }

    #[tokio::test]
    async fn connections_that_do_not_read_share_the_bytes_of_the_node() {
        const MIB: usize = 1024 * 1024;
        let output = Arc::new(Output::new(16 * MIB, Meters::default()));
        let open = || Outbox::new(output.clone(), &STREAM);
        let frame = Bytes::from(vec![0; 64 * 1024]);
        let deaf: Vec<_> = (0..160).map(|_| open()).collect();
        for _ in 0..64 {
            deaf.iter().for_each(|outbox| {
                outbox.push(frame.clone());
            });
        }
        assert!(output.waiting() <= 16 * MIB, "{}", output.waiting());
        // A connection that reads still gets one frame at a time, even a large one.
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
