//! Histories in the format of Jepsen's checkers, for verification with independent tools.
//!
//! `list-append.edn` is for Elle's list-append: a send is a transaction that appends a number to
//! its conversation, and at the end every replica and device reads each whole conversation.
//! `kafka.edn` is for the log checker of `jepsen.tests.kafka`: sends with their acknowledged
//! offsets, and polls with the events that each device received. Numbers stand for messages, as
//! listed in `messages.edn`. Each line is one operation, as in Jepsen's `history.edn`; times are
//! nanoseconds.
//!
//! A Jepsen process performs one operation at a time. A device therefore maps to as many processes
//! as it had concurrent sends. A send without an answer is `:info`, and its process is not used
//! again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use crate::history::{Conversation, DeviceNumber, History, MessageId, Record};

/// Maximum deliveries per poll of one device.
const POLL: usize = 64;
/// Processes per device, more than the concurrent sends of any workload.
const LANES: u64 = 100_000;

/// Writes all files into a folder.
pub fn write(history: &History, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let numbers = Numbers::of(history);
    for (name, text) in [
        ("list-append.edn", list_append(history, &numbers)),
        ("kafka.edn", kafka(history, &numbers)),
        ("messages.edn", numbers.table()),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// A number for each message of each conversation, in order of first appearance.
struct Numbers(BTreeMap<(Conversation, MessageId), u64>);

impl Numbers {
    fn of(history: &History) -> Numbers {
        let mut numbers = Numbers(BTreeMap::new());
        for record in &history.records {
            if let Record::Invoke { conversation, id, .. } | Record::Deliver { conversation, id, .. } = record {
                numbers.learn(conversation, id);
            }
        }
        for (conversation, log) in history.finals.values().flatten() {
            for entry in &log.entries {
                numbers.learn(conversation, &entry.id);
            }
        }
        numbers
    }

    fn learn(&mut self, conversation: &str, id: &str) {
        let next = self.0.len() as u64 + 1;
        self.0.entry((conversation.to_owned(), id.to_owned())).or_insert(next);
    }

    fn get(&self, conversation: &str, id: &str) -> u64 {
        self.0.get(&(conversation.to_owned(), id.to_owned())).copied().unwrap_or(0)
    }

    fn table(&self) -> String {
        let mut rows: Vec<_> = self.0.iter().collect();
        rows.sort_by_key(|(_, number)| **number);
        let mut text = String::new();
        for ((conversation, id), number) in rows {
            let _ = writeln!(text, "{{:number {number}, :conversation {conversation:?}, :message {id:?}}}");
        }
        text
    }
}

/// Operations as lines, with their index.
#[derive(Default)]
struct Lines {
    text: String,
    index: u64,
}

impl Lines {
    fn op(&mut self, kind: &str, process: u64, f: &str, value: &str, micros: u64) {
        let (index, nanos) = (self.index, micros * 1000);
        self.index += 1;
        let _ = writeln!(
            self.text,
            "{{:index {index}, :type :{kind}, :process {process}, :f :{f}, :value {value}, :time {nanos}}}"
        );
    }
}

/// The process of a send: the lowest free one of its device.
#[derive(Default)]
struct Processes {
    busy: BTreeMap<DeviceNumber, BTreeSet<u64>>,
    of: BTreeMap<(Conversation, MessageId), u64>,
}

impl Processes {
    fn begin(&mut self, device: DeviceNumber, conversation: &str, id: &str) -> u64 {
        let busy = self.busy.entry(device).or_default();
        let lane = (0..).find(|lane| !busy.contains(lane)).unwrap_or_default();
        busy.insert(lane);
        let process = u64::from(device) * LANES + lane;
        self.of.insert((conversation.to_owned(), id.to_owned()), process);
        process
    }

    fn end(&mut self, device: DeviceNumber, conversation: &str, id: &str) -> Option<u64> {
        let process = self.of.remove(&(conversation.to_owned(), id.to_owned()))?;
        if let Some(busy) = self.busy.get_mut(&device) {
            busy.remove(&(process % LANES));
        }
        Some(process)
    }
}

fn list_append(history: &History, numbers: &Numbers) -> String {
    let mut lines = Lines::default();
    let mut processes = Processes::default();
    let mut end = 0;
    let append =
        |conversation: &str, id: &str| format!("[[:append {conversation:?} {}]]", numbers.get(conversation, id));
    for record in &history.records {
        match record {
            Record::Invoke { at, device, conversation, id, .. } => {
                let process = processes.begin(*device, conversation, id);
                lines.op("invoke", process, "txn", &append(conversation, id), *at);
                end = *at;
            }
            Record::Ack { at, device, conversation, id, .. } => {
                if let Some(process) = processes.end(*device, conversation, id) {
                    lines.op("ok", process, "txn", &append(conversation, id), *at);
                }
                end = *at;
            }
            Record::Reject { at, device, conversation, id, .. } => {
                if let Some(process) = processes.end(*device, conversation, id) {
                    lines.op("fail", process, "txn", &append(conversation, id), *at);
                }
                end = *at;
            }
            _ => {}
        }
    }
    for ((conversation, id), process) in std::mem::take(&mut processes.of) {
        lines.op("info", process, "txn", &append(&conversation, &id), end);
    }
    // Member changes are entries too, but no process appended them. They are omitted from reads.
    let mut reader = LANES * LANES;
    let mut read = |lines: &mut Lines, conversation: &str, messages: &[u64]| {
        let list: Vec<String> = messages.iter().map(u64::to_string).collect();
        lines.op("invoke", reader, "txn", &format!("[[:r {conversation:?} nil]]"), end + 1);
        lines.op("ok", reader, "txn", &format!("[[:r {conversation:?} [{}]]]", list.join(" ")), end + 2);
        reader += 1;
    };
    for logs in history.finals.values() {
        for (conversation, log) in logs {
            let messages: Vec<u64> =
                log.entries.iter().filter(|e| e.message).map(|e| numbers.get(conversation, &e.id)).collect();
            read(&mut lines, conversation, &messages);
        }
    }
    let mut handed: BTreeMap<(DeviceNumber, &str), Vec<u64>> = BTreeMap::new();
    for record in &history.records {
        if let Record::Deliver { device, conversation, id, message: true, .. } = record {
            handed.entry((*device, conversation)).or_default().push(numbers.get(conversation, id));
        }
    }
    for ((_, conversation), messages) in &handed {
        read(&mut lines, conversation, messages);
    }
    lines.text
}

fn kafka(history: &History, numbers: &Numbers) -> String {
    let mut lines = Lines::default();
    let mut processes = Processes::default();
    let mut polls: BTreeMap<DeviceNumber, Poll> = BTreeMap::new();
    let mut end = 0;
    for record in &history.records {
        match record {
            Record::Invoke { at, device, conversation, id, .. } => {
                let process = processes.begin(*device, conversation, id);
                let value = format!("[[:send {conversation:?} {}]]", numbers.get(conversation, id));
                lines.op("invoke", process, "send", &value, *at);
                end = *at;
            }
            Record::Ack { at, device, conversation, id, seq } => {
                if let Some(process) = processes.end(*device, conversation, id) {
                    let value = format!("[[:send {conversation:?} [{seq} {}]]]", numbers.get(conversation, id));
                    lines.op("ok", process, "send", &value, *at);
                }
                end = *at;
            }
            Record::Reject { at, device, conversation, id, .. } => {
                if let Some(process) = processes.end(*device, conversation, id) {
                    let value = format!("[[:send {conversation:?} {}]]", numbers.get(conversation, id));
                    lines.op("fail", process, "send", &value, *at);
                }
                end = *at;
            }
            Record::Deliver { at, device, conversation, seq, id, message: true, .. } => {
                let poll = polls.entry(*device).or_default();
                poll.taken.entry(conversation.clone()).or_default().push((*seq, numbers.get(conversation, id)));
                poll.count += 1;
                end = *at;
                if poll.count >= POLL
                    && let Some(poll) = polls.remove(device)
                {
                    poll.write(&mut lines, *device, *at);
                }
            }
            _ => {}
        }
    }
    for (device, poll) in polls {
        poll.write(&mut lines, device, end);
    }
    for ((conversation, id), process) in processes.of {
        let value = format!("[[:send {conversation:?} {}]]", numbers.get(&conversation, &id));
        lines.op("info", process, "send", &value, end);
    }
    lines.text
}

/// Deliveries to one device since its last poll.
#[derive(Default)]
struct Poll {
    taken: BTreeMap<Conversation, Vec<(u64, u64)>>,
    count: usize,
}

impl Poll {
    fn write(self, lines: &mut Lines, device: DeviceNumber, at: u64) {
        let process = LANES * LANES + u64::from(device);
        let taken: Vec<String> = self
            .taken
            .iter()
            .map(|(conversation, messages)| {
                let pairs: Vec<String> = messages.iter().map(|(seq, number)| format!("[{seq} {number}]")).collect();
                format!("{conversation:?} [{}]", pairs.join(" "))
            })
            .collect();
        // Begin and end are simultaneous: an earlier begin would belong before lines that are
        // already written.
        lines.op("invoke", process, "poll", "[[:poll]]", at);
        lines.op("ok", process, "poll", &format!("[[:poll {{{}}}]]", taken.join(", ")), at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Entry, FinalLog};

    fn history() -> History {
        let place = || "g1".to_owned();
        let invoke = |at, id: &str| Record::Invoke { at, device: 2, user: 7, conversation: place(), id: id.to_owned() };
        let entry = |seq, id: &str, message| Entry {
            seq,
            time_ms: 0,
            sender: 7,
            id: id.to_owned(),
            message,
            ..Entry::default()
        };
        let log = FinalLog {
            head: 2,
            chain: "c".into(),
            entries: vec![entry(1, "7/m", false), entry(2, "7/a", true)],
            ..FinalLog::default()
        };
        History {
            records: vec![
                invoke(10, "7/a"),
                invoke(11, "7/b"),
                Record::Ack { at: 20, device: 2, conversation: place(), id: "7/a".into(), seq: 2 },
                invoke(30, "7/c"),
                Record::Reject { at: 40, device: 2, conversation: place(), id: "7/c".into(), code: "x".into() },
                Record::Deliver {
                    at: 50,
                    device: 2,
                    conversation: place(),
                    seq: 2,
                    sender: 7,
                    id: "7/a".into(),
                    message: true,
                },
            ],
            finals: [(1, [("g1".to_owned(), log)].into())].into(),
            ..History::default()
        }
    }

    #[test]
    fn appends_have_their_outcomes_and_everybody_reads_at_the_end() {
        let history = history();
        let text = list_append(&history, &Numbers::of(&history));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "{:index 0, :type :invoke, :process 200000, :f :txn, :value [[:append \"g1\" 1]], :time 10000}"
        );
        assert!(lines[1].contains(":process 200001"), "a second send under way is another process");
        assert!(lines[2].contains(":type :ok, :process 200000"));
        assert!(lines[3].contains(":process 200000"), "a process that is free is used again");
        assert!(lines[4].contains(":type :fail, :process 200000"));
        assert!(lines[5].contains(":type :info, :process 200001"), "never answered: {}", lines[5]);
        assert!(lines[7].contains("[[:r \"g1\" [1]]]"), "the replica, without the member change: {}", lines[7]);
        assert!(lines[9].contains("[[:r \"g1\" [1]]]"), "the device: {}", lines[9]);
        assert_eq!(lines.len(), 10);
    }

    #[test]
    fn sends_have_offsets_and_deliveries_are_polls() {
        let history = history();
        let text = kafka(&history, &Numbers::of(&history));
        assert!(text.contains(":type :ok, :process 200000, :f :send, :value [[:send \"g1\" [2 1]]]"), "{text}");
        assert!(
            text.contains(":type :ok, :process 10000000002, :f :poll, :value [[:poll {\"g1\" [[2 1]]}]]"),
            "{text}"
        );
        assert!(text.contains(":type :info, :process 200001, :f :send, :value [[:send \"g1\" 2]]"), "{text}");
    }
}
