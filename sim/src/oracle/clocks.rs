//! Timestamps: the median clock decides, so one wrong clock moves no conversation's time by more
//! than the bound.
//!
//! The clocks that a leader knew at a stamp are not visible here. A stamp is therefore compared
//! with the largest skew of any clock but the odd one. An odd clock that is behind may count if
//! only it and one other are known, since the earlier of two counts. This is harmless, and widens
//! the lower bound.

use std::collections::BTreeMap;
use std::time::Duration;

use troupe_chaos::history::{Oversight, Record};
use troupe_core::ConversationId;
use troupe_raft::transport::clocks::BOUND_MS;
use troupe_runtime::clock::SimClock;

use crate::applied_log::AppliedLog;
use crate::evidence::Seen;
use crate::machines::Machines;
use crate::plan::Plan;

/// Error of a clock measured over the network.
const ERROR_MS: i64 = 1_000;

/// Largest skews of all clocks, in milliseconds.
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

    /// The latest possible stamp of an event seen at this time, ...
    fn latest(self, seen: Duration) -> i64 {
        SimClock::BIRTH_MS + seen.as_millis() as i64 + self.ahead + BOUND_MS as i64 + ERROR_MS
    }

    /// ... and the earliest possible stamp of an event sent at this time.
    fn earliest(self, said: Duration) -> i64 {
        SimClock::BIRTH_MS + said.as_millis() as i64 + self.behind - BOUND_MS as i64 - ERROR_MS
    }
}

pub fn check(seen: &Seen, applied_log: &AppliedLog, clocks: Range) -> Vec<String> {
    let mut said: BTreeMap<&str, Duration> = BTreeMap::new();
    for record in &seen.records {
        // An imported event keeps the time that it had elsewhere.
        if let Record::Invoke { at, id, .. } = record
            && !seen.imports.contains(id)
        {
            said.entry(id).or_insert(Duration::from_micros(*at));
        }
    }
    let mut wrong = Vec::new();
    for record in &seen.records {
        if let Record::Overseen { at, step: Oversight::LastLogin { user, at_ms, .. }, .. } = record {
            let late = *at_ms as i64 - clocks.latest(Duration::from_micros(*at));
            if late > 0 {
                wrong.push(format!(
                    "a last login: that of user {user} is {late} ms more than the bound ahead: {clocks:?}"
                ));
            }
        }
    }
    for conversation in applied_log.conversations() {
        for (event, first_seen) in applied_log.stamps(conversation) {
            let time = event.time.0 as i64;
            let late = time - clocks.latest(first_seen);
            if late > 0 {
                wrong.push(violation(conversation, event.seq.0, late, "ahead of all clocks but the odd one", clocks));
            }
            let id = format!("{}/{}", event.sender, event.client_message_id);
            let early = said.get(id.as_str()).map_or(0, |said| clocks.earliest(*said) - time);
            if early > 0 {
                wrong.push(violation(conversation, event.seq.0, early, "behind all clocks", clocks));
            }
        }
    }
    wrong
}

fn violation(conversation: ConversationId, seq: u64, by_ms: i64, how: &str, clocks: Range) -> String {
    format!("a stamp: seq {seq} of {conversation} is {by_ms} ms more than the bound {how}: {clocks:?}")
}
