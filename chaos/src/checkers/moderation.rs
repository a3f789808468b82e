//! Moderation: each message of a group stands where its rules let its sender speak. The rules are
//! those of the events before it, and the times are those of the events.

use std::collections::{BTreeMap, BTreeSet};

use super::{Kind, Promise, Violation};
use crate::history::{Entry, FinalLog, History, Rule};

pub fn check(history: &History) -> Vec<Violation> {
    let reference = history.reference();
    let logs = reference.iter().filter(|(conversation, _)| conversation.starts_with('g'));
    logs.flat_map(|(conversation, log)| {
        broken(log).into_iter().map(move |text| Violation {
            promise: Promise::Moderation,
            kind: Kind::Phantom,
            text: format!("{conversation}: {text}"),
        })
    })
    .collect()
}

/// The rules of a group at one place of its log.
#[derive(Default)]
struct Rules {
    admins: BTreeSet<u64>,
    muted: BTreeMap<u64, u64>,
    banned: BTreeSet<u64>,
    slow_ms: u64,
    muted_until: u64,
    /// The time of each member's last message, or of its coming, in slow mode.
    spoke: BTreeMap<u64, u64>,
    disbanded: bool,
}

fn broken(log: &FinalLog) -> Vec<String> {
    let mut rules = Rules::default();
    let mut found = Vec::new();
    for entry in &log.entries {
        let what = format!("seq {} of user {}", entry.seq, entry.sender);
        if rules.disbanded {
            found.push(format!("{what} stands behind the end of the group"));
        }
        if entry.message || entry.reaction.as_ref().is_some_and(|reaction| !reaction.removed) {
            found.extend(rules.silence(entry).map(|why| format!("{what} was placed, {why}")));
        }
        if let Some(Rule::Added { users }) = &entry.rule {
            let banned = users.iter().filter(|user| rules.banned.contains(user));
            found.extend(banned.map(|user| format!("{what} adds the banned user {user}")));
        }
        rules.follow(entry);
    }
    found
}

impl Rules {
    /// Why the sender of this entry may not speak there.
    fn silence(&self, entry: &Entry) -> Option<String> {
        let (sender, now) = (entry.sender, entry.time_ms);
        if let Some(until) = self.muted.get(&sender).filter(|until| **until > now) {
            return Some(format!("but its sender is muted until {until} and it is {now}"));
        }
        if self.admins.contains(&sender) {
            return None;
        }
        if self.muted_until > now {
            return Some(format!("but all are muted until {} and it is {now}", self.muted_until));
        }
        let spoke = self.spoke.get(&sender).filter(|_| entry.message && self.slow_ms > 0)?;
        (now < spoke + self.slow_ms).then(|| format!("but its sender spoke at {spoke} and it is {now}"))
    }

    fn follow(&mut self, entry: &Entry) {
        if entry.message && self.slow_ms > 0 {
            self.spoke.insert(entry.sender, entry.time_ms);
        }
        match &entry.rule {
            Some(Rule::Created) => drop(self.admins.insert(entry.sender)),
            Some(Rule::Added { users }) => users.iter().for_each(|user| {
                self.spoke.remove(user);
                self.admins.remove(user);
                if self.slow_ms > 0 {
                    self.spoke.insert(*user, entry.time_ms);
                }
            }),
            Some(Rule::Removed { user }) => drop(self.admins.remove(user)),
            Some(Rule::Role { user, admin: true }) => drop(self.admins.insert(*user)),
            Some(Rule::Role { user, admin: false }) => drop(self.admins.remove(user)),
            Some(Rule::Muted { user, until: 0 }) => drop(self.muted.remove(user)),
            Some(Rule::Muted { user, until }) => drop(self.muted.insert(*user, *until)),
            Some(Rule::Banned { user, lifted: true }) => drop(self.banned.remove(user)),
            Some(Rule::Banned { user, lifted: false }) => drop(self.banned.insert(*user)),
            Some(Rule::Set { slow_ms, muted_until, .. }) => {
                self.slow_ms = slow_ms.unwrap_or(self.slow_ms);
                self.muted_until = muted_until.unwrap_or(self.muted_until);
            }
            Some(Rule::Disbanded) => self.disbanded = true,
            Some(Rule::Linked | Rule::Asked | Rule::Closed { .. }) | None => {}
        }
    }
}
