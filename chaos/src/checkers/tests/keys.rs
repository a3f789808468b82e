//! Good answers to repeated keys pass, and each way to break them is reported.

use crate::checkers::{Kind, Promise, keys};
use crate::history::{History, Record};

fn answer(body: &str, seq: Option<u64>, duplicate: bool) -> Record {
    let (conversation, id, body) = ("g1".to_owned(), "1/a".to_owned(), body.to_owned());
    Record::Keyed { at: 1, device: 0, conversation, id, body, seq, duplicate }
}

fn found(records: Vec<Record>) -> Vec<(Promise, Kind)> {
    let history = History { records, ..History::default() };
    keys::check(&history).into_iter().map(|violation| (violation.promise, violation.kind)).collect()
}

#[test]
fn a_key_has_one_place_and_one_body() {
    let good = || vec![answer("x", Some(7), false), answer("x", Some(7), true), answer("y", None, false)];
    assert_eq!(found(good()), []);
    // The first answer may be lost, and the refusal may come first.
    assert_eq!(found(vec![answer("y", None, false), answer("x", Some(7), true)]), []);
    for (another, kind) in [
        (answer("x", Some(8), true), Kind::Duplicated),
        (answer("x", Some(7), false), Kind::Duplicated),
        (answer("y", Some(7), true), Kind::Phantom),
        (answer("x", None, false), Kind::Lost),
    ] {
        let mut records = good();
        records.push(another.clone());
        assert!(found(records).contains(&(Promise::Keys, kind)), "{another:?}");
    }
    assert_eq!(found(vec![answer("x", None, false)]), [(Promise::Keys, Kind::Lost)]);
}
