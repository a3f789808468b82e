//! Oversight: an auditor reads and changes nothing, from the answer to its new role on; the last
//! login that is shown is no earlier than the newest acknowledged one, and from an address of its
//! user; the list of groups has each group once.

use std::collections::{BTreeMap, BTreeSet};

use super::{Kind, Promise, Violation};
use crate::history::{History, Outcome, Oversight, OversightVerdict as Verdict, Record, Role};

type Broken = Option<(Kind, String)>;

pub fn check(history: &History) -> Vec<Violation> {
    let (mut roles, mut logins, mut groups) = (Roles::default(), Logins::default(), Groups::default());
    let mut violations = Vec::new();
    for record in &history.records {
        let Record::Overseen { at, asked, step } = record else { continue };
        let broken: Vec<(Kind, String)> = match step {
            Oversight::Role { user, role, outcome } => {
                roles.change(*at, *user, *role, *outcome);
                Vec::new()
            }
            Oversight::Answered { user, changes, verdict } => {
                roles.judge(*asked, *user, *changes, *verdict).into_iter().collect()
            }
            Oversight::LogIn { user, from, .. } => {
                logins.addresses.entry(*user).or_default().insert(from);
                Vec::new()
            }
            Oversight::LastLogin { user, at_ms, from, opened_ms } => {
                logins.judge(*user, *at_ms, from, *opened_ms).into_iter().collect()
            }
            Oversight::GroupMade { group } => {
                groups.made.entry(group).or_insert(*at);
                Vec::new()
            }
            Oversight::GroupEnded { group, outcome } => {
                if *outcome == Outcome::Done {
                    groups.ended.entry(group).or_insert(*at);
                }
                Vec::new()
            }
            Oversight::Groups { groups: listed } => {
                let listed = listed.iter().map(|line| (line.group.as_str(), line.ended)).collect();
                groups.judge(*asked, listed)
            }
        };
        let violation = |(kind, text)| Violation { promise: Promise::Oversight, kind, text };
        violations.extend(broken.into_iter().map(violation));
    }
    violations
}

/// The role of each user, and since when it is certain. None while a change has no answer.
#[derive(Default)]
struct Roles(BTreeMap<u64, Option<(u64, Role)>>);

impl Roles {
    fn change(&mut self, at: u64, user: u64, role: Role, outcome: Outcome) {
        match outcome {
            Outcome::Asked => drop(self.0.insert(user, None)),
            Outcome::Done => drop(self.0.insert(user, Some((at, role)))),
            // The role of before stays, and is not judged until its next change.
            Outcome::Refused => drop(self.0.remove(&user)),
        }
    }

    fn judge(&self, asked: u64, user: u64, changes: bool, verdict: Verdict) -> Broken {
        let (_, role) = self.0.get(&user).copied().flatten().filter(|(since, _)| *since <= asked)?;
        let right = match (role, changes) {
            (Role::User, _) => Verdict::NotAdmin,
            (Role::Auditor, true) => Verdict::ReadOnly,
            (Role::Auditor, false) | (Role::Admin, _) => Verdict::Done,
        };
        let kind = if verdict == Verdict::Done { Kind::Phantom } else { Kind::Lost };
        let what = if changes { "a change" } else { "a read" };
        (verdict != right).then(|| {
            (kind, format!("user {user}, {role:?}, asked at {asked} for {what}: {verdict:?} instead of {right:?}"))
        })
    }
}

#[derive(Default)]
struct Logins<'a> {
    addresses: BTreeMap<u64, BTreeSet<&'a str>>,
}

impl Logins<'_> {
    fn judge(&self, user: u64, at_ms: u64, from: &str, opened_ms: u64) -> Broken {
        if at_ms < opened_ms {
            let text = format!("the last login of user {user} is shown at {at_ms}, and it logged in at {opened_ms}");
            return Some((Kind::Lost, text));
        }
        let used = self.addresses.get(&user);
        let is_used = used.is_some_and(|used| used.contains(from));
        (!is_used).then(|| (Kind::Phantom, format!("a login of user {user} from {from:?}, which uses {used:?}")))
    }
}

/// When each group was certainly there, and certainly over.
#[derive(Default)]
struct Groups<'a> {
    made: BTreeMap<&'a str, u64>,
    ended: BTreeMap<&'a str, u64>,
}

impl Groups<'_> {
    fn judge(&self, asked: u64, listed: Vec<(&str, bool)>) -> Vec<(Kind, String)> {
        let mut broken = Vec::new();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for (group, ended) in &listed {
            if !seen.insert(group) {
                broken.push((Kind::Duplicated, format!("the list of groups from {asked} on has {group} twice")));
            }
            let was_over = self.ended.get(group).filter(|over| **over < asked);
            if let Some(over) = was_over.filter(|_| !ended) {
                let text = format!("the list of groups from {asked} on has {group}, disbanded at {over}, as it was");
                broken.push((Kind::Phantom, text));
            }
        }
        let before = self.made.iter().filter(|(_, made)| **made < asked);
        for (group, made) in before.filter(|(group, _)| !seen.contains(*group)) {
            broken.push((Kind::Lost, format!("the list of groups from {asked} on lacks {group}, made at {made}")));
        }
        broken
    }
}
