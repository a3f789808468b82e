//! A good history with polls passes, and each way to break one is reported.

use crate::checkers::{Kind, Promise, check};
use crate::history::{Entry, FinalLog, History, PollStep, PollVotes, Record};

const CONVERSATION: &str = "g1";
const ANN: u64 = 1;
const BOB: u64 = 2;

fn entry(seq: u64, sender: u64, poll: PollStep) -> Entry {
    let message = matches!(poll, PollStep::Asked { .. });
    Entry { seq, time_ms: seq, sender, id: format!("{sender}/{seq}"), message, poll: Some(poll), ..Entry::default() }
}

fn asked(multiple: bool, anonymous: bool) -> PollStep {
    PollStep::Asked { options: 3, multiple, anonymous }
}

fn voted(to: u64, options: &[u32]) -> PollStep {
    PollStep::Voted { to, options: options.to_vec(), removed: false }
}

fn taken(to: u64) -> PollStep {
    PollStep::Voted { to, options: Vec::new(), removed: true }
}

fn votes(seq: u64, counts: &[u32], voters: u32, mine: &[u32], closed: bool) -> PollVotes {
    PollVotes { seq, counts: counts.to_vec(), voters, mine: mine.to_vec(), closed }
}

fn page(head: u64, polls: Vec<PollVotes>) -> Record {
    let conversation = CONVERSATION.to_owned();
    Record::Polled { at: 90 + head, device: 0, conversation, user: BOB, head, first: 1, last: 2, polls }
}

/// Ann and Bob vote in an open poll, which is closed, and in an anonymous one.
fn good() -> History {
    let entries = vec![
        entry(1, ANN, asked(false, false)),
        entry(2, ANN, asked(true, true)),
        entry(3, ANN, voted(1, &[0])),
        entry(4, BOB, voted(1, &[0])),
        entry(5, BOB, voted(1, &[2])),
        entry(6, BOB, voted(2, &[])),
        entry(7, ANN, taken(1)),
        entry(8, ANN, PollStep::Closed { to: 1, voters: 1, counts: vec![0, 0, 1] }),
    ];
    let mut history = History::default();
    for seq in [1, 2] {
        let (conversation, id) = (CONVERSATION.to_owned(), format!("{ANN}/{seq}"));
        history.records.push(Record::Invoke { at: seq, device: 1, user: ANN, conversation, id });
    }
    history.records.push(Record::Voted {
        at: 80,
        device: 0,
        conversation: CONVERSATION.to_owned(),
        id: format!("{BOB}/5"),
        seq: 5,
        step: voted(1, &[2]),
    });
    history.records.push(page(4, vec![votes(1, &[2, 0, 0], 2, &[0], false)]));
    history.records.push(page(8, vec![votes(1, &[0, 0, 1], 1, &[2], true), votes(2, &[], 1, &[1], false)]));
    let polls = Some(vec![votes(1, &[0, 0, 1], 1, &[], true), votes(2, &[0, 1], 1, &[], false)]);
    let log = FinalLog { head: 8, chain: "aa".to_owned(), entries, polls, ..FinalLog::default() };
    for node in 1..=2 {
        history.finals.insert(node, [(CONVERSATION.to_owned(), log.clone())].into());
    }
    history
}

fn on_each_log(history: &mut History, change: impl Fn(&mut FinalLog)) {
    history.finals.values_mut().flat_map(|logs| logs.values_mut()).for_each(change);
}

fn in_last_page(history: &mut History, change: impl Fn(&mut Vec<PollVotes>)) {
    if let Some(Record::Polled { polls, .. }) = history.records.last_mut() {
        change(polls);
    }
}

#[test]
fn good_polls_pass() {
    assert_eq!(check(&good()), []);
}

#[test]
fn each_broken_poll_is_reported() {
    type Spoiler = (&'static str, Kind, fn(&mut History));
    let spoilers: [Spoiler; 13] = [
        ("the same vote twice", Kind::Duplicated, |history| {
            on_each_log(history, |log| log.entries[4] = entry(5, BOB, voted(1, &[0])));
        }),
        ("taken back without one", Kind::Phantom, |history| {
            on_each_log(history, |log| log.entries[2] = entry(3, ANN, taken(1)));
        }),
        ("in no poll", Kind::Phantom, |history| {
            on_each_log(history, |log| log.entries[2] = entry(3, ANN, voted(9, &[0])));
        }),
        ("for no option", Kind::Phantom, |history| {
            on_each_log(history, |log| log.entries[2] = entry(3, ANN, voted(1, &[3])));
        }),
        ("for two options of one", Kind::Phantom, |history| {
            on_each_log(history, |log| log.entries[2] = entry(3, ANN, voted(1, &[0, 1])));
        }),
        ("an anonymous vote that says its option", Kind::Phantom, |history| {
            on_each_log(history, |log| log.entries[5] = entry(6, BOB, voted(2, &[1])));
        }),
        ("behind the end", Kind::Phantom, |history| {
            on_each_log(history, |log| log.entries.push(entry(9, ANN, voted(1, &[0]))));
        }),
        ("an end with other counts", Kind::Diverged, |history| {
            let end = PollStep::Closed { to: 1, voters: 1, counts: vec![1] };
            on_each_log(history, |log| log.entries[7] = entry(8, ANN, end.clone()));
        }),
        ("a replica counts one more", Kind::Diverged, |history| {
            on_each_log(history, |log| log.polls.iter_mut().flatten().for_each(|votes| votes.voters += 1));
        }),
        ("a replica has lost its counts", Kind::Diverged, |history| {
            on_each_log(history, |log| log.polls = Some(Vec::new()));
        }),
        ("a page counts another option", Kind::Diverged, |history| {
            in_last_page(history, |polls| polls[0].counts = vec![1]);
        }),
        ("a page has the vote of another user", Kind::Diverged, |history| {
            in_last_page(history, |polls| polls[0].mine.clear());
        }),
        ("an acknowledged vote is missing", Kind::Lost, |history| {
            on_each_log(history, |log| log.entries[4].poll = None);
        }),
    ];
    for (name, kind, spoil) in spoilers {
        let mut history = good();
        spoil(&mut history);
        let found = check(&history);
        let is_it = |found: &crate::checkers::Violation| found.promise == Promise::Polls && found.kind == kind;
        assert!(found.iter().any(is_it), "{name}: {found:?}");
    }
}
