//! Files that every replica keeps pass, and each way to lose or change one is reported.

use crate::checkers::{Kind, Promise, check};
use crate::history::{History, Record};

const FILE: &str = "aa";
const UNFINISHED: &str = "bb";
const OTHER: &str = "cc";

fn place() -> String {
    "g1".to_owned()
}

fn upload(file: &str, done: bool) -> Record {
    Record::Upload { at: 1, device: 0, conversation: place(), file: file.to_owned(), done }
}

fn download(file: &str, received: Option<&str>) -> Record {
    let (file, received) = (file.to_owned(), received.map(str::to_owned));
    Record::Download { at: 2, device: 1, conversation: place(), file, received }
}

fn good() -> History {
    let mut history = History::default();
    history.records.extend([upload(FILE, false), download(FILE, None), upload(FILE, true), upload(UNFINISHED, false)]);
    history.records.push(download(FILE, Some(FILE)));
    for node in [1, 2] {
        let files = [(FILE.to_owned(), FILE.to_owned())].into();
        history.files.insert(node, [(place(), files)].into());
        history.references.insert(node, [(place(), [FILE.to_owned()].into())].into());
    }
    history
}

#[test]
fn kept_files_pass() {
    assert_eq!(check(&good()), []);
    let mut history = good();
    history.records.push(download(UNFINISHED, None));
    assert_eq!(check(&history), [], "an upload without an answer may be no file");
    history.records.push(download(UNFINISHED, Some(UNFINISHED)));
    assert_eq!(check(&history), [], "or one");
    history.files.clear();
    history.references.clear();
    assert_eq!(check(&history), [], "before the end no replica is asked");
}

#[test]
fn each_broken_one_is_reported() {
    type Spoiler = (&'static str, Kind, fn(&mut History));
    let spoilers: [Spoiler; 7] = [
        ("other bytes", Kind::Diverged, |history| history.records.push(download(FILE, Some(OTHER)))),
        ("no answer", Kind::Lost, |history| history.records.push(download(FILE, None))),
        ("a file of no one", Kind::Phantom, |history| history.records.push(download(OTHER, Some(OTHER)))),
        ("a replica without it", Kind::Lost, |history| {
            history.files.insert(2, [(place(), Default::default())].into());
        }),
        ("a replica with other bytes", Kind::Diverged, |history| {
            history.files.insert(2, [(place(), [(FILE.to_owned(), OTHER.to_owned())].into())].into());
        }),
        ("an event without its file", Kind::Lost, |history| {
            history.references.insert(1, [(place(), [OTHER.to_owned()].into())].into());
        }),
        ("a replica with more", Kind::Phantom, |history| {
            let more = [(FILE.to_owned(), FILE.to_owned()), (OTHER.to_owned(), OTHER.to_owned())];
            history.files.insert(2, [(place(), more.into())].into());
        }),
    ];
    for (name, kind, spoil) in spoilers {
        let mut history = good();
        spoil(&mut history);
        let found = check(&history);
        let is_it = |found: &crate::checkers::Violation| (found.promise, found.kind) == (Promise::Attachments, kind);
        assert!(found.iter().any(is_it), "{name}: {found:?}");
    }
}
