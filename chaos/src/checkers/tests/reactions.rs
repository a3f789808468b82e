//! A good history with reactions passes, and each way to break one is reported.

use crate::checkers::{Kind, Promise, check};
use crate::history::{Count, Entry, FinalLog, History, Reaction, Record};

const CONVERSATION: &str = "g1";
const ANN: u64 = 1;
const BOB: u64 = 2;

fn message(seq: u64) -> Entry {
    Entry { seq, time_ms: seq, sender: ANN, id: format!("{ANN}/{seq}"), message: true, ..Entry::default() }
}

fn reacts(seq: u64, sender: u64, to: u64, emoji: &str, removed: bool) -> Entry {
    let reaction = Some(Reaction { to, emoji: emoji.to_owned(), removed });
    Entry { seq, time_ms: seq, sender, id: format!("{sender}/{seq}"), reaction, ..Entry::default() }
}

fn count(seq: u64, emoji: &str, users: u64, mine: bool) -> Count {
    Count { seq, emoji: emoji.to_owned(), users, mine }
}

fn page(head: u64, first: u64, last: u64, counts: Vec<Count>) -> Record {
    let conversation = CONVERSATION.to_owned();
    Record::Counted { at: 9, device: 0, conversation, user: BOB, head, first, last, counts }
}

fn good() -> History {
    let entries = vec![
        message(1),
        message(2),
        reacts(3, BOB, 1, "+", false),
        reacts(4, ANN, 1, "+", false),
        reacts(5, BOB, 1, "+", true),
        reacts(6, BOB, 2, "!", false),
        reacts(7, BOB, 1, "+", false),
    ];
    let mut history = History::default();
    let invoke = |seq: u64| {
        let (conversation, id) = (CONVERSATION.to_owned(), format!("{ANN}/{seq}"));
        Record::Invoke { at: seq, device: 1, user: ANN, conversation, id }
    };
    history.records.extend([invoke(1), invoke(2)]);
    history.records.push(Record::Reacted {
        at: 8,
        device: 0,
        conversation: CONVERSATION.to_owned(),
        id: format!("{BOB}/6"),
        seq: 6,
        reaction: Reaction { to: 2, emoji: "!".to_owned(), removed: false },
    });
    history.records.push(page(4, 1, 2, vec![count(1, "+", 2, true)]));
    history.records.push(page(5, 1, 2, vec![count(1, "+", 1, false)]));
    history.records.push(page(7, 2, 7, vec![count(2, "!", 1, true)]));
    let counts = Some(vec![count(2, "!", 1, false), count(1, "+", 2, false)]);
    let log = FinalLog { head: 7, chain: "aa".to_owned(), entries, counts, ..FinalLog::default() };
    for node in 1..=2 {
        history.finals.insert(node, [(CONVERSATION.to_owned(), log.clone())].into());
    }
    history
}

fn on_each_log(history: &mut History, change: impl Fn(&mut FinalLog)) {
    history.finals.values_mut().flat_map(|logs| logs.values_mut()).for_each(change);
}

fn in_last_page(history: &mut History, change: impl Fn(&mut Vec<Count>)) {
    if let Some(Record::Counted { counts, .. }) = history.records.last_mut() {
        change(counts);
    }
}

#[test]
fn good_reactions_pass() {
    assert_eq!(check(&good()), []);
}

#[test]
fn each_broken_reaction_is_reported() {
    type Spoiler = (&'static str, Kind, fn(&mut History));
    let spoilers: [Spoiler; 11] = [
        ("given twice", Kind::Duplicated, |history| {
            on_each_log(history, |log| log.entries[3] = reacts(4, BOB, 1, "+", false));
        }),
        ("taken back without one", Kind::Phantom, |history| {
            on_each_log(history, |log| log.entries[2] = reacts(3, BOB, 1, "+", true));
        }),
        ("to no message", Kind::Phantom, |history| {
            on_each_log(history, |log| log.entries[2] = reacts(3, BOB, 4, "+", false));
        }),
        ("to a later message", Kind::Phantom, |history| {
            on_each_log(history, |log| log.entries.swap(0, 2));
        }),
        ("a replica counts one more", Kind::Diverged, |history| {
            on_each_log(history, |log| log.counts.iter_mut().flatten().for_each(|count| count.users += 1));
        }),
        ("a replica has lost its counts", Kind::Diverged, |history| {
            on_each_log(history, |log| log.counts = Some(Vec::new()));
        }),
        ("an acknowledged one is missing", Kind::Lost, |history| {
            on_each_log(history, |log| log.entries[5] = message(6));
        }),
        ("an acknowledged one is another", Kind::Lost, |history| {
            on_each_log(history, |log| log.entries[5] = reacts(6, BOB, 2, "?", false));
        }),
        ("a page counts one less", Kind::Diverged, |history| in_last_page(history, Vec::clear)),
        ("a page is of another user", Kind::Diverged, |history| {
            in_last_page(history, |counts| counts.iter_mut().for_each(|count| count.mine = false));
        }),
        ("a page is of the future", Kind::Phantom, |history| history.records.push(page(8, 1, 2, Vec::new()))),
    ];
    for (name, kind, spoil) in spoilers {
        let mut history = good();
        spoil(&mut history);
        let found = check(&history);
        let is_it = |found: &crate::checkers::Violation| found.promise == Promise::Reactions && found.kind == kind;
        assert!(found.iter().any(is_it), "{name}: {found:?}");
    }
}
