//! All corruptions of a good history that the checkers detect.

mod messages;
mod views;

use std::sync::LazyLock;

use crate::checkers::Promise;
use crate::history::{FinalLog, History, Record};

/// Name, broken promise, and the corruption.
pub type Spoiler = (&'static str, Promise, fn(&mut History, u64));

/// Corruptions of a good history at position `at` (1-based seq, below the count), and the expected
/// finding.
pub static SPOILERS: LazyLock<Vec<Spoiler>> = LazyLock::new(|| [messages::SPOILERS, views::SPOILERS].concat());

fn logs(history: &mut History) -> impl Iterator<Item = &mut FinalLog> {
    history.finals.values_mut().flat_map(|logs| logs.values_mut())
}

/// Index of the delivery of `at` to device 0.
fn delivery(history: &History, at: u64) -> usize {
    let found = history.records.iter().position(|r| matches!(r, Record::Deliver { device: 0, seq, .. } if *seq == at));
    found.expect("every seq was delivered to device 0")
}
