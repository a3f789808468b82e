//! Stamps: the clock in the middle decides, so that one machine's clock, however far off, moves no
//! conversation's time by more than the bound.
//!
//! Which clocks a leader knew when it stamped is not seen from here. So a stamp is held against the
//! furthest that any clock but the odd one has ever been off. An odd clock that is behind may count
//! where only it and one other are known, since of two the earlier one does: it does no harm, and
//! widens the bound downwards.

use std::collections::BTreeMap;
use std::time::Duration;

use troupe_chaos::history::Record;
use troupe_core::ConversationId;
use troupe_raft::transport::clocks::BOUND_MS;
use troupe_runtime::clock::SimClock;

use crate::evidence::Seen;
use crate::ledger::Ledger;
use crate::machines::Machines;
use crate::plan::Plan;

/// A clock that is asked over the network is measured this exactly.
const ERROR_MS: i64 = 1_000;

/// How far off clocks have been, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Range {
    behind: i64,
    ahead: i64,
}

impl Range {
    pub fn of(machines: &Machines, plan: &Plan) -> Range {
        let all = (0..machines.len()).map(|node| (node, machines.skews(node)));
        all.fold(Range::default(), |range, (node, (behind, ahead))| Range {
            behind: range.behind.min(behind),
            ahead: if plan.society.odd_clock.is_some_and(|(odd, _)| odd == node) {
                range.ahead
            } else {
                range.ahead.max(ahead)
            },
        })
    }

    /// A stamp that was seen at a moment of the simulation was not made later, ...
    fn latest(self, seen: Duration) -> i64 {
        SimClock::BIRTH_MS + seen.as_millis() as i64 + self.ahead + BOUND_MS as i64 + ERROR_MS
    }

    /// ... and that of what was said at a moment not earlier.
    fn earliest(self, said: Duration) -> i64 {
        SimClock::BIRTH_MS + said.as_millis() as i64 + self.behind - BOUND_MS as i64 - ERROR_MS
    }
}

pub fn check(seen: &Seen, ledger: &Ledger, clocks: Range) -> Vec<String> {
    let mut said: BTreeMap<&str, Duration> = BTreeMap::new();
    for record in &seen.records {
        if let Record::Invoke { at, id, .. } = record {
            said.entry(id).or_insert(Duration::from_micros(*at));
        }
    }
    let mut wrong = Vec::new();
    for conversation in ledger.conversations() {
        for (event, first_seen) in ledger.stamps(conversation) {
            let time = event.time.0 as i64;
            let late = time - clocks.latest(first_seen);
            if late > 0 {
                wrong.push(told(conversation, event.seq.0, late, "ahead of all clocks but the odd one", clocks));
            }
            let id = format!("{}/{}", event.sender, event.client_message_id);
            let early = said.get(id.as_str()).map_or(0, |said| clocks.earliest(*said) - time);
            if early > 0 {
                wrong.push(told(conversation, event.seq.0, early, "behind all clocks", clocks));
            }
        }
    }
    wrong
}

fn told(conversation: ConversationId, seq: u64, by_ms: i64, how: &str, clocks: Range) -> String {
    format!("a stamp: seq {seq} of {conversation} is {by_ms} ms more than the bound {how}: {clocks:?}")
}
