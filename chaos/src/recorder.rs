//! Where everybody writes down what they see, on one clock.

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::history::Record;

pub struct Recorder {
    start: Instant,
    records: Mutex<Vec<Record>>,
    /// Print faults as they happen.
    pub verbose: bool,
}

impl Recorder {
    pub fn new(verbose: bool) -> Recorder {
        Recorder { start: Instant::now(), records: Mutex::new(Vec::new()), verbose }
    }

    /// Microseconds since the run began.
    pub fn now(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }

    /// Stamps and appends under one lock, so that the order of records is the order of their times.
    pub fn record(&self, make: impl FnOnce(u64) -> Record) {
        let mut records = self.records.lock();
        let at = self.now();
        records.push(make(at));
    }

    pub fn fault(&self, text: &str) {
        if self.verbose {
            eprintln!("  {:>7.2} s  {text}", self.now() as f64 / 1e6);
        }
        self.record(|at| Record::Fault { at, text: text.to_owned() });
    }

    pub fn take(&self) -> Vec<Record> {
        std::mem::take(&mut *self.records.lock())
    }
}
