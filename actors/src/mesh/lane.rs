//! One end of one lane of a link: the queue of envelopes, and the credits to send them.
//!
//! A batch takes the queued envelopes when the lane may send. There is no timer: a single envelope
//! goes as soon as the other ready tasks have run, and load forms batches. Credits count units of
//! [`UNIT_BYTES`]. A frame may be sent while a credit is left, and may overdraw it, so that a large
//! frame never waits forever; the bytes in flight stay below twice the window.
//!
//! The lane ends with its link and its queue is lost, because the mesh delivers at most once.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::yield_now;
use troupe_core::limits;

use super::frame::{self, BODY_BYTES};
use super::{Envelope, Gauge, MeshError};

/// Envelopes in one frame.
const BATCH_ENVELOPES: usize = 256;
/// Bytes in one frame, unless a single envelope is larger.
const BATCH_BYTES: usize = UNIT_BYTES;
/// Bytes per credit; a smaller frame costs one credit.
const UNIT_BYTES: usize = 128 * 1024;
/// Credits of a new lane: enough for one frame of the largest size.
const WINDOW: i64 = (limits::NODE_FRAME_BYTES / UNIT_BYTES) as i64;
/// From this many on, credits are returned without waiting for an envelope in that direction.
const RETURN_AT: u32 = (WINDOW / 4) as u32;

pub struct Lane {
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    closed: bool,
    waiting: VecDeque<Envelope>,
    waiting_bytes: usize,
    /// Credits that this end may still spend.
    credits: i64,
    /// Credits that the other end has spent and gets back.
    to_return: u32,
}

/// The content of one frame.
pub struct Batch {
    pub envelopes: Vec<Envelope>,
    pub credits: u32,
}

/// Credits for a frame with this many bytes of envelopes. Both ends compute the same.
fn cost(bytes: usize) -> u32 {
    bytes.div_ceil(UNIT_BYTES).max(1) as u32
}

impl Lane {
    #[allow(clippy::new_without_default, reason = "a lane without a link is no default of anything")]
    pub fn new() -> Lane {
        let state = State { closed: false, waiting: VecDeque::new(), waiting_bytes: 0, credits: WINDOW, to_return: 0 };
        Lane { state: Mutex::new(state), changed: Notify::new() }
    }

    /// Queues one envelope behind the others, and returns how many those are.
    pub fn push(&self, envelope: Envelope) -> Result<usize, MeshError> {
        if envelope.body.len() > BODY_BYTES {
            return Err(MeshError::TooLarge);
        }
        let size = frame::size(&envelope);
        let mut state = self.state.lock();
        if state.closed {
            return Err(MeshError::Down);
        }
        let full = state.waiting.len() >= limits::LANE_ENVELOPES
            || (!state.waiting.is_empty() && state.waiting_bytes + size > limits::LANE_BYTES);
        if full {
            return Err(MeshError::Full);
        }
        state.waiting_bytes += size;
        state.waiting.push_back(envelope);
        // The sender drains the queue while it may send, so only the first envelope can find it
        // waiting.
        if state.waiting.len() == 1 {
            self.changed.notify_one();
        }
        Ok(state.waiting.len() - 1)
    }

    /// The other end has returned credits.
    pub fn grant(&self, credits: u32) {
        let mut state = self.state.lock();
        // A peer that returns more than it got must not widen the window.
        state.credits = (state.credits + i64::from(credits)).min(WINDOW);
        self.changed.notify_one();
    }

    /// The handler of a received frame has returned: its credits go back to the peer.
    pub fn spent(&self, envelope_bytes: usize) {
        let mut state = self.state.lock();
        state.to_return = state.to_return.saturating_add(cost(envelope_bytes));
        if state.to_return >= RETURN_AT {
            self.changed.notify_one();
        }
    }

    /// Drops the queue and refuses further envelopes.
    pub fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.waiting = VecDeque::new();
        state.waiting_bytes = 0;
    }

    /// Waits for the next batch, without loss if the future is dropped. For one caller at a time.
    pub async fn next(&self, gauge: &Gauge) -> Batch {
        loop {
            let (batch, withheld) = {
                let mut state = self.state.lock();
                let room = gauge.has_room();
                (state.take(room), !room && state.to_return > 0)
            };
            if let Some(batch) = batch {
                return batch;
            }
            tokio::select! {
                biased;
                () = self.changed.notified() => {}
                () = gauge.room(), if withheld => {}
            }
            // Envelopes that are about to be pushed share the frame.
            yield_now().await;
        }
    }
}

impl State {
    fn take(&mut self, room: bool) -> Option<Batch> {
        let sends = !self.waiting.is_empty() && self.credits > 0;
        let returns = room && self.to_return >= RETURN_AT;
        if !sends && !returns {
            return None;
        }
        let envelopes = if sends { self.take_envelopes() } else { Vec::new() };
        let credits = if room { std::mem::take(&mut self.to_return) } else { 0 };
        Some(Batch { envelopes, credits })
    }

    fn take_envelopes(&mut self) -> Vec<Envelope> {
        let mut taken = Vec::with_capacity(self.waiting.len().min(BATCH_ENVELOPES));
        let mut bytes = 0;
        while let Some(next) = self.waiting.front() {
            let size = frame::size(next);
            if taken.len() == BATCH_ENVELOPES || (!taken.is_empty() && bytes + size > BATCH_BYTES) {
                break;
            }
            bytes += size;
            taken.extend(self.waiting.pop_front());
        }
        self.waiting_bytes -= bytes;
        self.credits -= i64::from(cost(bytes));
        taken
    }
}

#[cfg(test)]
mod tests;
