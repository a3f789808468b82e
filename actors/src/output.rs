//! The bytes that wait for all clients of a node.

use std::sync::atomic::{AtomicUsize, Ordering};

use troupe_core::limits;
use troupe_runtime::Meters;

/// Bytes that wait in all outboxes of a node.
#[derive(Debug)]
pub struct Output {
    waiting: AtomicUsize,
    limit: AtomicUsize,
    meters: Meters,
}

impl Output {
    pub fn new(limit: usize, meters: Meters) -> Output {
        Output { waiting: AtomicUsize::new(0), limit: AtomicUsize::new(limit), meters }
    }

    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    pub fn add(&self, bytes: usize) {
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn release(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Records the bytes that wait for one connection.
    pub fn record(&self, bytes: usize) {
        self.meters.connection_queue_bytes.count(bytes);
    }

    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Whether a connection may queue this signal. Signals fill a fraction of its room at most.
    pub fn allows_signal(&self, held: usize, frame: usize) -> bool {
        held + frame <= self.share() / limits::SIGNALS_SHARE
    }

    /// Whether a connection may queue this frame. The limit is a share of the free bytes, so that
    /// it shrinks when many connections do not read. An empty outbox takes any frame that fits into
    /// the free bytes.
    pub fn allows(&self, held: usize, frame: usize) -> bool {
        held + frame <= self.share() || (held == 0 && frame <= self.left())
    }

    fn left(&self) -> usize {
        self.limit.load(Ordering::Relaxed).saturating_sub(self.waiting())
    }

    fn share(&self) -> usize {
        (self.left() / limits::OUTPUT_SHARE).min(limits::CONNECTION_OUT_BYTES)
    }
}

impl Default for Output {
    fn default() -> Output {
        Output::new(usize::MAX, Meters::default())
    }
}
