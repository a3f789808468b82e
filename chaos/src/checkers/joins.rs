//! Requests to join: in a group by approval no user comes in by itself, and each request is made by
//! an outsider, once, and ends once.

use std::collections::BTreeSet;

use super::{Kind, Promise, Violation};
use crate::history::{FinalLog, History, Rule};

pub fn check(history: &History) -> Vec<Violation> {
    let reference = history.reference();
    let logs = reference.iter().filter(|(conversation, _)| conversation.starts_with('g'));
    logs.flat_map(|(conversation, log)| {
        broken(log).into_iter().map(move |text| Violation {
            promise: Promise::Joins,
            kind: Kind::Phantom,
            text: format!("{conversation}: {text}"),
        })
    })
    .collect()
}

/// A group at one place of its log.
#[derive(Default)]
struct Door {
    members: BTreeSet<u64>,
    admins: BTreeSet<u64>,
    asked: BTreeSet<u64>,
    approval: bool,
    /// A holder of a link comes in by itself.
    linked: bool,
}

fn broken(log: &FinalLog) -> Vec<String> {
    let mut door = Door::default();
    let mut found = Vec::new();
    for entry in &log.entries {
        let Some(rule) = &entry.rule else { continue };
        found.extend(door.refuses(entry.sender, rule).map(|why| format!("seq {}: {why}", entry.seq)));
        door.follow(entry.sender, rule);
    }
    found
}

impl Door {
    fn refuses(&self, sender: u64, rule: &Rule) -> Option<String> {
        match rule {
            Rule::Added { users } if self.approval && !self.linked && *users == [sender] => {
                Some(format!("user {sender} came in by itself, but the group lets users in by approval"))
            }
            Rule::Asked if !self.approval => Some(format!("user {sender} asked, but the group takes no requests")),
            Rule::Asked if self.members.contains(&sender) => Some(format!("user {sender} asked, and is a member")),
            Rule::Asked if self.asked.contains(&sender) => Some(format!("user {sender} asked twice")),
            Rule::Closed { user } if !self.asked.contains(user) => {
                Some(format!("a request of user {user} ended that was not open"))
            }
            Rule::Closed { user } if *user != sender && !self.admins.contains(&sender) => {
                Some(format!("user {sender}, who is no admin, refused user {user}"))
            }
            _ => None,
        }
    }

    fn follow(&mut self, sender: u64, rule: &Rule) {
        match rule {
            Rule::Created => {
                self.members.insert(sender);
                self.admins.insert(sender);
            }
            Rule::Added { users } => users.iter().for_each(|user| {
                self.members.insert(*user);
                self.asked.remove(user);
            }),
            Rule::Removed { user } => {
                self.members.remove(user);
                self.admins.remove(user);
            }
            Rule::Role { user, admin: true } => drop(self.admins.insert(*user)),
            Rule::Role { user, admin: false } => drop(self.admins.remove(user)),
            Rule::Banned { user, .. } => drop(self.asked.remove(user)),
            Rule::Set { approval, .. } => self.approval = approval.unwrap_or(self.approval),
            Rule::Linked => self.linked = true,
            Rule::Asked => drop(self.asked.insert(sender)),
            Rule::Closed { user } => drop(self.asked.remove(user)),
            Rule::Muted { .. } | Rule::Disbanded => {}
        }
    }
}
