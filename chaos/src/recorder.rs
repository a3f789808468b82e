//! Records the observations of all participants on one clock, and serves the live view.

use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::Instant;

use crate::history::Record;
use crate::online_checks::OnlineChecks;

/// The duration of a fault, from injection to healing.
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
    /// Indexes of open windows.
    open: Vec<usize>,
    online_checks: OnlineChecks,
}

/// Contents of the live view.
#[derive(Clone, Debug, Default)]
pub struct Glance {
    pub at: u64,
    pub invoked: u64,
    pub acked: u64,
    pub rejected: u64,
    pub delivered: u64,
    /// Time of the last ack.
    pub last_ack: u64,
    pub longest_gap: u64,
    pub faults: usize,
    /// Faults that are not healed.
    pub open: Vec<String>,
    /// The last fault lines, with their times.
    pub recent: Vec<(u64, String)>,
    /// The first definite violation.
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

    /// Stamps and appends under one lock, so that records are in time order.
    pub fn record(&self, make: impl FnOnce(u64) -> Record) {
        let mut inner = self.inner.lock();
        let record = make(self.now());
        inner.online_checks.see(&record);
        inner.records.push(record);
    }

    /// Records a step of a fault.
    pub fn fault(&self, text: &str) {
        if self.verbose {
            eprintln!("  {:>7.2} s  {text}", self.now() as f64 / 1e6);
        }
        self.record(|at| Record::Fault { at, text: text.to_owned() });
    }

    /// A fault begins. Everything until [`Recorder::end`] counts as during the fault.
    pub fn begin(&self, text: &str) -> usize {
        let mut inner = self.inner.lock();
        let (at, index) = (self.now(), inner.windows.len());
        inner.windows.push(Window { text: text.to_owned(), from: at, to: at });
        inner.open.push(index);
        index
    }

    /// The fault is healed.
    pub fn end(&self, window: usize) {
        let mut inner = self.inner.lock();
        inner.windows[window].to = self.now();
        inner.open.retain(|open| *open != window);
    }

    pub fn glance(&self) -> Glance {
        let inner = self.inner.lock();
        let seen = &inner.online_checks;
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

    /// Restarts the gap measurement of the live view.
    pub fn start_gaps(&self) {
        let mut inner = self.inner.lock();
        inner.online_checks.last_ack = self.now();
        inner.online_checks.longest_gap = 0;
    }

    pub fn take(&self) -> Vec<Record> {
        std::mem::take(&mut self.inner.lock().records)
    }

    pub fn windows(&self) -> Vec<Window> {
        self.inner.lock().windows.clone()
    }
}
