//! Outgoing hooks: the first deliveries of events are in the order of the log without a gap, and
//! the cursor of a hook passes no event that its receiver has not taken. Repeats are allowed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Kind, Promise, Violation};
use crate::history::{History, HookName, Record};

#[derive(Default)]
struct Seen {
    /// The cursor when it was made.
    since: Option<u64>,
    first: Vec<u64>,
    taken: BTreeSet<u64>,
}

pub fn check(history: &History) -> Vec<Violation> {
    let mut hooks: BTreeMap<&HookName, Seen> = BTreeMap::new();
    for record in &history.records {
        match record {
            Record::HookMade { hook, since, .. } => {
                hooks.entry(hook).or_default().since.get_or_insert(*since);
            }
            Record::HookTaken { hook, seq, .. } => {
                let seen = hooks.entry(hook).or_default();
                if seen.taken.insert(*seq) {
                    seen.first.push(*seq);
                }
            }
            _ => {}
        }
    }
    let mut violations = Vec::new();
    let mut wrong = |kind, text: String| violations.push(Violation { promise: Promise::Hooks, kind, text });
    for (hook, seen) in &hooks {
        for pair in seen.first.windows(2) {
            let [before, next] = pair else { continue };
            if next < before {
                wrong(Kind::Reordered, format!("hook {hook}: event {next} was first delivered behind {before}"));
            } else if *next != before + 1 && !is_dead(history, hook, *before + 1..*next) {
                wrong(Kind::Gap, format!("hook {hook}: event {next} was delivered behind {before}"));
            }
        }
    }
    for (node, rows) in &history.hooks {
        for (hook, row) in rows {
            let Some(seen) = hooks.get(hook) else { continue };
            let Some(start) = seen.first.first().copied().or(seen.since.map(|since| since + 1)) else { continue };
            for seq in start..=row.delivered {
                if !seen.taken.contains(&seq) && !row.dead.contains(&seq) {
                    wrong(
                        Kind::Lost,
                        format!(
                            "hook {hook}: node {node} has the cursor at {}, and event {seq} is not delivered",
                            row.delivered
                        ),
                    );
                }
            }
        }
    }
    violations
}

fn is_dead(history: &History, hook: &HookName, mut events: std::ops::Range<u64>) -> bool {
    let rows: Vec<_> = history.hooks.values().filter_map(|rows| rows.get(hook)).collect();
    events.all(|seq| rows.iter().any(|row| row.dead.contains(&seq)))
}
