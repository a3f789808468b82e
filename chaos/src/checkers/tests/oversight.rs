//! Auditors that read, logins and whole lists pass, and each way to break them is reported.

use crate::checkers::{Kind, Promise, check};
use crate::history::{History, ListedGroup, Outcome, Oversight, OversightVerdict as Verdict, Record, Role};

/// Asked one microsecond before.
fn step(at: u64, step: Oversight) -> Record {
    Record::Overseen { at, asked: at - 1, step }
}

fn role(at: u64, role: Role, outcome: Outcome) -> Record {
    step(at, Oversight::Role { user: 7, role, outcome })
}

fn answered(at: u64, changes: bool, verdict: Verdict) -> Record {
    step(at, Oversight::Answered { user: 7, changes, verdict })
}

fn shown(at_ms: u64, from: &str) -> Record {
    step(40, Oversight::LastLogin { user: 7, at_ms, from: from.to_owned(), opened_ms: 500 })
}

fn listed(at: u64, groups: &[(&str, bool)]) -> Record {
    let line = |(group, ended): &(&str, bool)| ListedGroup { group: (*group).to_owned(), ended: *ended };
    step(at, Oversight::Groups { groups: groups.iter().map(line).collect() })
}

/// User 7 is an auditor from 20 on, has logged in at 500 ms, and g2 is over from 35 on.
fn good() -> History {
    let log_in = |outcome| Oversight::LogIn { user: 7, from: "192.0.2.7".to_owned(), outcome };
    let end = |outcome| Oversight::GroupEnded { group: "g2".to_owned(), outcome };
    let records = vec![
        role(5, Role::User, Outcome::Done),
        answered(8, true, Verdict::NotAdmin),
        role(10, Role::Auditor, Outcome::Asked),
        // The change has no answer yet.
        answered(15, true, Verdict::NotAdmin),
        role(20, Role::Auditor, Outcome::Done),
        answered(25, true, Verdict::ReadOnly),
        answered(26, false, Verdict::Done),
        step(27, log_in(Outcome::Asked)),
        step(28, log_in(Outcome::Done)),
        step(30, Oversight::GroupMade { group: "g1".to_owned() }),
        step(31, Oversight::GroupMade { group: "g2".to_owned() }),
        step(33, end(Outcome::Asked)),
        listed(34, &[("g1", false), ("g2", true), ("g3", false)]),
        step(35, end(Outcome::Done)),
    ];
    History { records, ..History::default() }
}

fn found(history: &History) -> Vec<Kind> {
    let found = check(history).into_iter().filter(|found| found.promise == Promise::Oversight);
    found.map(|found| found.kind).collect()
}

#[test]
fn an_auditor_that_reads_a_login_that_is_kept_and_a_whole_list_pass() {
    assert_eq!(found(&good()), []);
    let mut later = good();
    later.records.push(shown(500, "192.0.2.7"));
    later.records.push(listed(50, &[("g2", true), ("g1", false)]));
    later.records.push(role(51, Role::Admin, Outcome::Asked));
    later.records.push(answered(52, true, Verdict::Done));
    later.records.push(role(53, Role::Admin, Outcome::Done));
    later.records.push(answered(55, true, Verdict::Done));
    assert_eq!(found(&later), []);
}

#[test]
fn each_way_to_break_oversight_is_reported() {
    let spoilers = [
        (Kind::Phantom, answered(41, true, Verdict::Done)),
        (Kind::Lost, answered(41, true, Verdict::NotAdmin)),
        (Kind::Lost, answered(41, false, Verdict::ReadOnly)),
        (Kind::Lost, shown(499, "192.0.2.7")),
        (Kind::Lost, shown(0, "")),
        (Kind::Phantom, shown(500, "192.0.2.8")),
        (Kind::Lost, listed(50, &[("g2", true)])),
        (Kind::Phantom, listed(50, &[("g1", false), ("g2", false)])),
        (Kind::Duplicated, listed(50, &[("g1", false), ("g2", true), ("g1", false)])),
    ];
    for (kind, spoiler) in spoilers {
        let mut history = good();
        history.records.push(spoiler.clone());
        assert_eq!(found(&history), [kind], "{spoiler:?}");
    }
}

#[test]
fn a_role_that_was_taken_away_ends_with_the_answer() {
    let records = vec![
        role(5, Role::Admin, Outcome::Done),
        answered(7, true, Verdict::Done),
        role(10, Role::Auditor, Outcome::Asked),
        role(12, Role::Auditor, Outcome::Done),
        answered(13, true, Verdict::Done),
    ];
    assert_eq!(found(&History { records, ..History::default() }), [Kind::Phantom]);
}
