//! The verdict and its figures.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::checkers::{Kind, Violation};
use crate::history::{History, Record};
use crate::recorder::Window;
use crate::scenario::Scenario;
use crate::workload::edges::Done;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All promises held, and enough happened for a verdict.
    Held,
    /// At least one promise was broken.
    Broken,
    /// No violation was found, but too little happened or the drain did not complete.
    Inconclusive,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub scenario: &'static str,
    pub seed: u64,
    pub seconds: u64,
    pub verdict: Verdict,
    pub acked: u64,
    pub delivered: u64,
    pub lost: u64,
    pub duplicated: u64,
    pub reordered: u64,
    pub gaps: u64,
    /// Messages that were never sent, and replicas that differ.
    pub phantom: u64,
    pub diverged: u64,
    /// Sends that were neither acknowledged nor rejected after the drain.
    pub unknown: u64,
    pub rejected: u64,
    pub faults: u64,
    /// Longest time without an acknowledged send while the workload ran.
    pub max_send_gap_ms: u64,
    /// Progress during each fault.
    pub windows: Vec<During>,
    /// Work of the devices of each edge.
    pub edges: BTreeMap<&'static str, Done>,
    /// Reasons for an inconclusive verdict.
    pub reasons: Vec<String>,
    /// The first violations, in words.
    pub violations: Vec<String>,
}

/// Progress during one fault.
#[derive(Clone, Debug, Serialize)]
pub struct During {
    pub fault: String,
    /// Time since the start of the workload, and the duration until healing.
    pub at_ms: u64,
    pub lasted_ms: u64,
    pub acked: u64,
    /// Longest time without an acknowledged send, within the fault.
    pub max_send_gap_ms: u64,
}

/// Fewer acknowledged sends prove nothing.
const ENOUGH_ACKED: u64 = 1_000;
/// Violations that are printed.
const SPELLED: usize = 20;

pub struct Run<'a> {
    pub scenario: Scenario,
    pub seed: u64,
    pub seconds: u64,
    pub faults: u64,
    pub history: &'a History,
    pub violations: &'a [Violation],
    pub windows: &'a [Window],
    /// Start and end of the workload, in the recorder's microseconds.
    pub span: (u64, u64),
    pub reasons: Vec<String>,
    pub edges: BTreeMap<&'static str, Done>,
}

impl Report {
    pub fn new(run: Run<'_>) -> Report {
        let records = &run.history.records;
        let count = |pick: fn(&Record) -> bool| records.iter().filter(|r| pick(r)).count() as u64;
        let of = |kind: Kind| run.violations.iter().filter(|v| v.kind == kind).count() as u64;
        let invoked = count(|r| matches!(r, Record::Invoke { .. }));
        let acked = count(|r| matches!(r, Record::Ack { .. }));
        let rejected = count(|r| matches!(r, Record::Reject { .. }));
        let mut reasons = run.reasons;
        if acked < ENOUGH_ACKED {
            reasons.push(format!("only {acked} acknowledged sends; {ENOUGH_ACKED} are needed"));
        }
        // Few faults suffice if they last most of the time.
        let broken = run.windows.iter().map(|window| window.to - window.from).sum::<u64>() / 1_000_000;
        if run.scenario != Scenario::Calm && run.faults * 10 < run.seconds && broken * 2 < run.seconds {
            reasons.push(format!("only {} faults in {} s; one per 10 s is needed", run.faults, run.seconds));
        }
        let unknown = invoked - acked.min(invoked) - rejected.min(invoked - acked.min(invoked));
        if unknown > 0 {
            reasons.push(format!("{unknown} sends were never answered although everything was healed"));
        }
        let verdict = match (run.violations.is_empty(), reasons.is_empty()) {
            (false, _) => Verdict::Broken,
            (true, true) => Verdict::Held,
            (true, false) => Verdict::Inconclusive,
        };
        let windows = run.windows.iter().map(|window| during(window, records, run.span.0)).collect();
        Report {
            scenario: run.scenario.name(),
            seed: run.seed,
            seconds: run.seconds,
            verdict,
            acked,
            delivered: count(|r| matches!(r, Record::Deliver { .. })),
            lost: of(Kind::Lost),
            duplicated: of(Kind::Duplicated),
            reordered: of(Kind::Reordered),
            gaps: of(Kind::Gap),
            phantom: of(Kind::Phantom),
            diverged: of(Kind::Diverged),
            unknown,
            rejected,
            faults: run.faults,
            max_send_gap_ms: max_send_gap(records, run.span) / 1000,
            windows,
            edges: run.edges,
            reasons,
            violations: run.violations.iter().take(SPELLED).map(ToString::to_string).collect(),
        }
    }

    /// The report as text.
    pub fn table(&self) -> String {
        let verdict = match self.verdict {
            Verdict::Held => "HELD: every promise held",
            Verdict::Broken => "BROKEN: a promise was broken",
            Verdict::Inconclusive => "INCONCLUSIVE",
        };
        let mut out = format!("{}  seed {}  {} s\n{verdict}\n", self.scenario, self.seed, self.seconds);
        for (name, value) in [
            ("acked", self.acked),
            ("delivered", self.delivered),
            ("lost", self.lost),
            ("duplicated", self.duplicated),
            ("reordered", self.reordered),
            ("gaps", self.gaps),
            ("phantom", self.phantom),
            ("diverged", self.diverged),
            ("unknown", self.unknown),
            ("rejected", self.rejected),
            ("faults", self.faults),
            ("max_send_gap_ms", self.max_send_gap_ms),
        ] {
            out.push_str(&format!("  {name:<16}{value:>10}\n"));
        }
        let none = self.windows.iter().filter(|during| during.acked == 0).count();
        if !self.windows.is_empty() {
            let worst = self.windows.iter().max_by_key(|during| during.max_send_gap_ms);
            let worst = worst.map(|during| format!("{} ms in \"{}\"", during.max_send_gap_ms, during.fault));
            out.push_str(&format!(
                "  during {} faults: {none} without any ack; longest gap {}\n",
                self.windows.len(),
                worst.unwrap_or_default()
            ));
        }
        if self.edges.len() > 1 {
            for (edge, Done { acked, delivered, reacted }) in &self.edges {
                let did = format!("{acked} acked, {delivered} delivered, {reacted} reactions");
                out.push_str(&format!("  by {edge:<16}{did}\n"));
            }
        }
        for reason in &self.reasons {
            out.push_str(&format!("  inconclusive: {reason}\n"));
        }
        for violation in &self.violations {
            out.push_str(&format!("  {violation}\n"));
        }
        out
    }
}

/// In microseconds. The gaps at both ends of the span count as well.
fn max_send_gap(records: &[Record], (begin, end): (u64, u64)) -> u64 {
    let mut last = begin;
    let mut longest = 0;
    for record in records {
        if let Record::Ack { at, .. } = record
            && (begin..=end).contains(at)
        {
            longest = longest.max(at - last);
            last = *at;
        }
    }
    longest.max(end.saturating_sub(last))
}

fn during(window: &Window, records: &[Record], begin: u64) -> During {
    let span = (window.from, window.to);
    let acked =
        records.iter().filter(|r| matches!(r, Record::Ack { at, .. } if (span.0..=span.1).contains(at))).count();
    During {
        fault: window.text.clone(),
        at_ms: window.from.saturating_sub(begin) / 1000,
        lasted_ms: (window.to - window.from) / 1000,
        acked: acked as u64,
        max_send_gap_ms: max_send_gap(records, span) / 1000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_counts_the_ends() {
        let ack = |at| Record::Ack { at, device: 0, conversation: "everyone".into(), id: "1/a".into(), seq: 1 };
        assert_eq!(max_send_gap(&[ack(30), ack(50)], (0, 100)), 50);
        assert_eq!(max_send_gap(&[ack(60), ack(90)], (0, 100)), 60);
        assert_eq!(max_send_gap(&[], (10, 100)), 90);
    }

    /// A run with enough acks, of which the last `unanswered` are missing.
    fn history(unanswered: usize) -> History {
        let mut history = History::default();
        for number in 0..ENOUGH_ACKED + 10 {
            let (conversation, id) = ("everyone".to_owned(), format!("1/{number}"));
            let at = number * 1000;
            let invoke = (conversation.clone(), id.clone());
            history.records.push(Record::Invoke { at, device: 0, user: 1, conversation: invoke.0, id: invoke.1 });
            if number < ENOUGH_ACKED + 10 - unanswered as u64 {
                history.records.push(Record::Ack { at, device: 0, conversation, id, seq: number + 1 });
            }
        }
        history
    }

    fn judged(history: &History, violations: &[Violation], windows: &[Window], reasons: &[&str]) -> Report {
        Report::new(Run {
            scenario: Scenario::KillLeader,
            seed: 1,
            seconds: 10,
            faults: 3,
            history,
            violations,
            windows,
            span: (0, 1_010_000),
            reasons: reasons.iter().map(|reason| reason.to_string()).collect(),
            edges: BTreeMap::new(),
        })
    }

    #[test]
    fn three_verdicts() {
        let promise = crate::checkers::Promise::Durable;
        let violation = Violation { promise, kind: Kind::Lost, text: "lost".into() };
        assert_eq!(judged(&history(0), &[], &[], &[]).verdict, Verdict::Held);
        assert_eq!(judged(&history(1), &[], &[], &[]).verdict, Verdict::Inconclusive);
        assert_eq!(judged(&history(0), &[], &[], &["a device is behind"]).verdict, Verdict::Inconclusive);
        let broken = std::slice::from_ref(&violation);
        assert_eq!(judged(&history(0), broken, &[], &[]).verdict, Verdict::Broken);
        // A violation decides the verdict, whatever else is unknown.
        assert_eq!(judged(&history(1), broken, &[], &["a device is behind"]).verdict, Verdict::Broken);
    }

    #[test]
    fn progress_is_counted_within_each_fault() {
        let window = |from, to| Window { text: "kill".into(), from, to };
        let report = judged(&history(0), &[], &[window(100_500, 110_500), window(2_000_000, 2_500_000)], &[]);
        let during: Vec<_> =
            report.windows.iter().map(|d| (d.at_ms, d.lasted_ms, d.acked, d.max_send_gap_ms)).collect();
        assert_eq!(during, [(100, 10, 10, 1), (2000, 500, 0, 500)]);
    }

    #[test]
    fn too_little_is_not_a_success() {
        let history = History::default();
        let run = Run {
            scenario: Scenario::KillLeader,
            seed: 1,
            seconds: 60,
            faults: 3,
            history: &history,
            violations: &[],
            windows: &[],
            span: (0, 1),
            reasons: Vec::new(),
            edges: BTreeMap::new(),
        };
        let report = Report::new(run);
        assert_eq!(report.verdict, Verdict::Inconclusive);
        assert_eq!(report.reasons.len(), 2);
    }
}
