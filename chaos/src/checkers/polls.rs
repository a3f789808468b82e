//! Polls: each vote changes something, so that a user has one vote per poll. None stands behind the
//! end of its poll. The counts of every replica, of every page and of each end follow from the log.

use std::collections::{BTreeMap, BTreeSet};

use super::{Kind, Promise, Violation};
use crate::history::{FinalLog, History, PollStep, PollVotes, Record};

/// A poll as the log has it up to a place.
#[derive(Clone, Default)]
struct Poll {
    /// Unknown of a poll that was recalled.
    asked: Option<(u32, bool, bool)>,
    votes: BTreeMap<u64, Vec<u32>>,
    closed: bool,
}

type Polls = BTreeMap<u64, Poll>;

impl Poll {
    /// Whether events say the options.
    fn is_open(&self) -> bool {
        self.asked.is_some_and(|(_, _, anonymous)| !anonymous)
    }

    fn counts(&self) -> Vec<u32> {
        let end = self.votes.values().flatten().max().map_or(0, |last| last + 1);
        let count = |option| self.votes.values().filter(|options| options.contains(&option)).count() as u32;
        (0..end).map(count).collect()
    }
}

pub fn check(history: &History) -> Vec<Violation> {
    let reference = history.reference();
    let mut violations = Vec::new();
    for (conversation, log) in &reference {
        let (_, found) = polls(log, u64::MAX);
        violations.extend(found.into_iter().map(|(kind, text)| wrong(kind, format!("{conversation}: {text}"))));
    }
    for (node, logs) in &history.finals {
        for (conversation, log) in logs {
            let (Some(kept), Some(reference)) = (&log.polls, reference.get(conversation)) else { continue };
            for text in compare(reference, log.head, (1, log.head), kept, None) {
                let text = format!("{conversation}: node {node}: {text}");
                violations.push(wrong(Kind::Diverged, text));
            }
        }
    }
    for record in &history.records {
        match record {
            Record::Voted { device, conversation, id, seq, step, .. } => {
                let entries = reference.get(conversation).map_or(&[][..], |log| &log.entries);
                let entry = entries.iter().find(|entry| entry.seq == *seq);
                let is_it = |held: &PollStep| matches(held, step);
                if !entry.is_some_and(|entry| entry.id == *id && entry.poll.as_ref().is_some_and(is_it)) {
                    let text = format!(
                        "{conversation}: {id} was acknowledged to device {device} at seq {seq} as {step:?}, which holds {entry:?}"
                    );
                    violations.push(wrong(Kind::Lost, text));
                }
            }
            Record::Polled { device, conversation, user, head, first, last, polls, .. } => {
                let Some(log) = reference.get(conversation) else { continue };
                for text in compare(log, *head, (*first, *last), polls, Some(*user)) {
                    let text = format!("{conversation}: a page of device {device} at head {head}: {text}");
                    violations.push(wrong(Kind::Diverged, text));
                }
            }
            _ => {}
        }
    }
    violations
}

/// Whether an event is that of an acknowledged step. Anonymous ones do not say the options, and the
/// client does not know the counts of an end.
fn matches(held: &PollStep, step: &PollStep) -> bool {
    match (held, step) {
        (PollStep::Closed { to: held, .. }, PollStep::Closed { to, .. }) => held == to,
        (PollStep::Voted { to: held, options: chosen, removed: taken }, PollStep::Voted { to, options, removed }) => {
            held == to && taken == removed && (chosen.is_empty() || chosen == options)
        }
        _ => held == step,
    }
}

/// The polls up to `head`, and what no rule allows.
fn polls(log: &FinalLog, head: u64) -> (Polls, Vec<(Kind, String)>) {
    let mut found = Vec::new();
    let mut polls = Polls::new();
    let gone = recalled(log);
    for entry in log.entries.iter().take_while(|entry| entry.seq <= head) {
        let Some(step) = &entry.poll else { continue };
        let what = format!("{step:?} of user {} at seq {}", entry.sender, entry.seq);
        let to = match step {
            PollStep::Asked { options, multiple, anonymous } => {
                let asked = Some((*options, *multiple, *anonymous));
                polls.insert(entry.seq, Poll { asked, ..Poll::default() });
                continue;
            }
            PollStep::Voted { to, .. } | PollStep::Closed { to, .. } => *to,
        };
        if !polls.contains_key(&to) && !gone.contains(&to) {
            found.push((Kind::Phantom, format!("{what} is of no poll")));
            continue;
        }
        let poll = polls.entry(to).or_default();
        if poll.closed {
            found.push((Kind::Phantom, format!("{what} is behind the end of its poll")));
        }
        match step {
            PollStep::Asked { .. } => {}
            PollStep::Closed { voters, counts, .. } => {
                let is_told = !poll.is_open() || trimmed(counts) == poll.counts();
                if *voters as usize != poll.votes.len() || !is_told {
                    let text = format!("{what} has other counts than its votes, {:?}", poll.votes);
                    found.push((Kind::Diverged, text));
                }
                poll.closed = true;
            }
            PollStep::Voted { removed: true, .. } => {
                if poll.votes.remove(&entry.sender).is_none() {
                    found.push((Kind::Phantom, format!("{what} takes back a vote that is not there")));
                }
            }
            PollStep::Voted { options, .. } => {
                let has_them = |(all, multiple, anonymous): (u32, bool, bool)| match anonymous {
                    true => options.is_empty(),
                    false => {
                        let is_some = !options.is_empty() && (multiple || options.len() == 1);
                        is_some && options.iter().all(|option| *option < all)
                    }
                };
                if !poll.asked.is_none_or(has_them) {
                    found.push((Kind::Phantom, format!("{what} is for options that the poll does not give")));
                }
                let is_open = poll.is_open();
                if poll.votes.insert(entry.sender, options.clone()).as_ref() == Some(options) && is_open {
                    found.push((Kind::Duplicated, format!("{what} is the vote that the user has")));
                }
            }
        }
    }
    (polls, found)
}

fn recalled(log: &FinalLog) -> BTreeSet<u64> {
    let of = |entry: &crate::history::Entry| match entry.change {
        Some(crate::history::Change::Recalled { to }) => Some(to),
        _ => None,
    };
    log.entries.iter().filter_map(of).collect()
}

/// The differences of what is shown from the log. Polls that were recalled are not compared.
fn compare(
    log: &FinalLog,
    head: u64,
    (first, last): (u64, u64),
    shown: &[PollVotes],
    asker: Option<u64>,
) -> Vec<String> {
    let (expected, _) = polls(log, head);
    let gone = recalled(log);
    let shown: BTreeMap<u64, &PollVotes> = shown.iter().map(|votes| (votes.seq, votes)).collect();
    let of_page = |seq: &u64| (first..=last).contains(seq) && !gone.contains(seq);
    let all: BTreeSet<u64> = expected.keys().chain(shown.keys()).copied().filter(of_page).collect();
    let mut wrong = Vec::new();
    for seq in all {
        let (poll, votes) = (expected.get(&seq).cloned().unwrap_or_default(), shown.get(&seq));
        let held = votes.map_or(PollVotes::default(), |votes| (*votes).clone());
        let counted = !poll.is_open() || trimmed(&held.counts) == poll.counts();
        let own = asker.and_then(|asker| poll.votes.get(&asker)).cloned().unwrap_or_default();
        let is_own = asker.is_none() || !poll.is_open() || held.mine == own;
        if held.voters as usize != poll.votes.len() || !counted || !is_own || held.closed != poll.closed {
            wrong.push(format!("seq {seq} is shown with {votes:?}, but its votes are {:?}", poll.votes));
        }
    }
    wrong
}

fn trimmed(counts: &[u32]) -> Vec<u32> {
    let end = counts.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
    counts[..end].to_vec()
}

fn wrong(kind: Kind, text: String) -> Violation {
    Violation { promise: Promise::Polls, kind, text }
}
