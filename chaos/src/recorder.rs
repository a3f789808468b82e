//! Where everybody writes down what they see, on one clock; and, for whoever watches, what can be
//! said of it so far.

use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::Instant;

use crate::early::Early;
use crate::history::Record;

/// From a fault's beginning to its healing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    pub text: String,
    /// Microseconds on the recorder's clock.
    pub from: u64,
    pub to: u64,
}

pub struct Recorder {
    start: Instant,
    inner: Mutex<Inner>,
    /// Print faults as they happen.
    pub verbose: bool,
}

#[derive(Default)]
struct Inner {
    records: Vec<Record>,
    windows: Vec<Window>,
    /// Windows that have begun and not ended, as indexes.
    open: Vec<usize>,
    early: Early,
}

/// What a live view shows.
#[derive(Clone, Debug, Default)]
pub struct Glance {
    pub at: u64,
    pub invoked: u64,
    pub acked: u64,
    pub rejected: u64,
    pub delivered: u64,
    /// When the last ack came.
    pub last_ack: u64,
    pub longest_gap: u64,
    pub faults: usize,
    /// Faults that are not healed yet.
    pub open: Vec<String>,
    /// The last lines about faults, and when they were said.
    pub recent: Vec<(u64, String)>,
    /// The first thing that cannot be right, whatever comes.
    pub broken: Option<String>,
}

impl Recorder {
    pub fn new(verbose: bool) -> Recorder {
        Recorder { start: Instant::now(), inner: Mutex::default(), verbose }
    }

    /// Microseconds since the run began.
    pub fn now(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }

    /// Stamps and appends under one lock, so that the order of records is the order of their times.
    pub fn record(&self, make: impl FnOnce(u64) -> Record) {
        let mut inner = self.inner.lock();
        let record = make(self.now());
        inner.early.see(&record);
        inner.records.push(record);
    }

    /// Something about a fault: what was done to whom.
    pub fn fault(&self, text: &str) {
        if self.verbose {
            eprintln!("  {:>7.2} s  {text}", self.now() as f64 / 1e6);
        }
        self.record(|at| Record::Fault { at, text: text.to_owned() });
    }

    /// A fault begins. What happens until [`Recorder::end`] is reported as happening during it.
    pub fn begin(&self, text: &str) -> usize {
        let mut inner = self.inner.lock();
        let (at, index) = (self.now(), inner.windows.len());
        inner.windows.push(Window { text: text.to_owned(), from: at, to: at });
        inner.open.push(index);
        index
    }

    /// It is healed.
    pub fn end(&self, window: usize) {
        let mut inner = self.inner.lock();
        inner.windows[window].to = self.now();
        inner.open.retain(|open| *open != window);
    }

    pub fn glance(&self) -> Glance {
        let inner = self.inner.lock();
        let seen = &inner.early;
        let at = self.now();
        Glance {
            at,
            invoked: seen.invoked,
            acked: seen.acked,
            rejected: seen.rejected,
            delivered: seen.delivered,
            last_ack: seen.last_ack,
            longest_gap: seen.longest_gap,
            faults: inner.windows.len(),
            open: inner.open.iter().map(|index| inner.windows[*index].text.clone()).collect(),
            recent: seen.recent.iter().cloned().collect(),
            broken: seen.broken.clone(),
        }
    }

    /// The gaps of a live view are counted from now.
    pub fn start_gaps(&self) {
        let mut inner = self.inner.lock();
        inner.early.last_ack = self.now();
        inner.early.longest_gap = 0;
    }

    pub fn take(&self) -> Vec<Record> {
        std::mem::take(&mut self.inner.lock().records)
    }

    pub fn windows(&self) -> Vec<Window> {
        self.inner.lock().windows.clone()
    }
}
