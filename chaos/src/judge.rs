//! Judges a history that another program recorded, for instance the workload of an SDK in another
//! language.
//!
//! The file has one JSON object per line, in the order of the observations: a [`Record`] of
//! [`crate::history`], or one of these lines:
//!
//! - `window`: a fault with its text, and its begin and end in microseconds,
//! - `final`: a conversation as one node serves it at the end,
//! - `end`: the position of a device in a conversation at the end.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::checkers;
use crate::history::{Conversation, DeviceNumber, FinalLog, History, Record};
use crate::recorder::Window;
use crate::report::{Report, Run};
use crate::scenario::Scenario;

/// A larger file is refused: the checkers hold all of it in memory.
const FILE_BYTES: u64 = 256 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Closing(Closing),
    Record(Record),
}

#[derive(Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
enum Closing {
    Window { text: String, from: u64, to: u64 },
    Final { node: u64, conversation: Conversation, log: FinalLog },
    End { device: DeviceNumber, conversation: Conversation, seq: u64 },
}

/// Reads the file and checks every promise.
pub fn judge(file: &Path, scenario: Scenario) -> Result<Report> {
    let size = std::fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?.len();
    ensure!(size <= FILE_BYTES, "{} has {size} bytes: at most {FILE_BYTES} can be checked", file.display());
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    report(&text, scenario).with_context(|| file.display().to_string())
}

fn report(text: &str, scenario: Scenario) -> Result<Report> {
    let mut history = History::default();
    let mut windows = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let line: Line = serde_json::from_str(line)
            .with_context(|| format!("line {} is neither an observation nor a closing line", number + 1))?;
        match line {
            Line::Record(record) => history.records.push(record),
            Line::Closing(Closing::Window { text, from, to }) => {
                ensure!(from <= to, "line {}: the window ends before it begins", number + 1);
                windows.push(Window { text, from, to });
            }
            Line::Closing(Closing::Final { node, conversation, log }) => {
                history.finals.entry(node).or_default().insert(conversation, log);
            }
            Line::Closing(Closing::End { device, conversation, seq }) => {
                history.cursors.entry(device).or_default().insert(conversation, seq);
            }
        }
    }
    ensure!(!history.finals.is_empty(), "no line says what the nodes hold at the end (`final`)");
    let violations = checkers::check(&history);
    let times = || history.records.iter().filter_map(sent_or_acked);
    let span = (times().min().unwrap_or_default(), times().max().unwrap_or_default());
    Ok(Report::new(Run {
        scenario,
        seed: 0,
        seconds: (span.1 - span.0) / 1_000_000,
        faults: windows.len() as u64,
        history: &history,
        violations: &violations,
        windows: &windows,
        span,
        reasons: Vec::new(),
        edges: BTreeMap::new(),
    }))
}

/// The time of a send or of its ack: both delimit the workload.
fn sent_or_acked(record: &Record) -> Option<u64> {
    match record {
        Record::Invoke { at, .. } | Record::Ack { at, .. } => Some(*at),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    /// Two nodes, one device, and enough messages, of which `lost` are in no log.
    fn recorded(lost: u64) -> String {
        let most = 1_200;
        let mut lines = vec![r#"{"what":"window","text":"kill leader","from":100,"to":900000}"#.to_owned()];
        let mut entries = Vec::new();
        for seq in 1..=most {
            let (sent, acked, id) = (seq * 1_000, seq * 1_000 + 500, format!("7/{seq}"));
            lines.push(format!(
                r#"{{"what":"invoke","at":{sent},"device":0,"user":7,"conversation":"g1","id":"{id}"}}"#
            ));
            lines.push(format!(
                r#"{{"what":"ack","at":{acked},"device":0,"conversation":"g1","id":"{id}","seq":{seq}}}"#
            ));
            if seq <= most - lost {
                entries.push(format!(r#"{{"seq":{seq},"time_ms":1,"sender":7,"id":"{id}","message":true}}"#));
            }
        }
        let log = format!(r#"{{"head":{},"chain":"","entries":[{}]}}"#, most - lost, entries.join(","));
        for node in 1..=2 {
            lines.push(format!(r#"{{"what":"final","node":{node},"conversation":"g1","log":{log}}}"#));
        }
        lines.join("\n")
    }

    #[test]
    fn a_recorded_history_is_judged_like_any_other() {
        let held = report(&recorded(0), Scenario::KillLeader).expect("readable");
        assert_eq!((held.verdict, held.acked, held.faults), (Verdict::Held, 1_200, 1), "{}", held.table());
        let broken = report(&recorded(2), Scenario::KillLeader).expect("readable");
        assert_eq!((broken.verdict, broken.lost), (Verdict::Broken, 2), "{}", broken.table());
    }

    #[test]
    fn a_device_that_ends_behind_the_head_has_a_gap() {
        let text = recorded(0) + "\n" + r#"{"what":"end","device":3,"conversation":"g1","seq":7}"#;
        let judged = report(&text, Scenario::KillLeader).expect("readable");
        assert_eq!((judged.verdict, judged.gaps), (Verdict::Broken, 1), "{}", judged.table());
    }

    #[test]
    fn other_files_are_refused_with_their_line() {
        for (text, part) in [
            ("{\"what\":\"ack\"}", "line 1"),
            ("\nno JSON", "line 2"),
            ("{\"what\":\"window\",\"text\":\"\",\"from\":2,\"to\":1}", "before it begins"),
            ("", "no line says"),
        ] {
            let error = format!("{:#}", report(text, Scenario::Calm).expect_err("it is refused"));
            assert!(error.contains(part), "{error}");
        }
    }
}
