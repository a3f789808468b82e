//! Users' own states of conversations: an acknowledged change is kept, no device undoes one that it
//! has not seen, and a cleared history and deleted messages stay away.

use std::collections::BTreeMap;

use super::{Kind, Promise, Violation};
use crate::history::{History, Outcome, Personal, Record};

/// A change of one user, with its first attempt and its outcome.
struct Act<'a> {
    asked: u64,
    personal: &'a Personal,
    /// When it was acknowledged.
    done: Option<u64>,
    refused: bool,
}

/// A state that a device has read.
struct Look {
    at: u64,
    asked: u64,
    version: u64,
    pin: u64,
    cleared: u64,
}

#[derive(Default)]
struct Of<'a> {
    acts: Vec<Act<'a>>,
    looks: Vec<Look>,
    /// Pages: when they were asked for, and the events that they show.
    pages: Vec<(u64, &'a [u64])>,
    /// Lists of saved messages: when they were asked for, and their seqs.
    lists: Vec<(u64, &'a [u64])>,
}

pub fn check(history: &History) -> Vec<Violation> {
    let mut all: BTreeMap<(u64, &str), Of<'_>> = BTreeMap::new();
    for record in &history.records {
        match record {
            Record::Personal { at, asked, user, conversation, personal, outcome, .. } => {
                let of = all.entry((*user, conversation)).or_default();
                let act = of.acts.iter_mut().find(|act| act.asked == *asked && act.personal == personal);
                match (act, outcome) {
                    (None, _) => of.acts.push(Act { asked: *asked, personal, done: None, refused: false }),
                    (Some(act), Outcome::Done) => act.done = Some(*at),
                    (Some(act), Outcome::Refused) => act.refused = true,
                    (Some(_), Outcome::Asked) => {}
                }
            }
            Record::PersonalState { at, asked, user, conversation, version, pin, cleared, .. } => {
                let look = Look { at: *at, asked: *asked, version: *version, pin: *pin, cleared: *cleared };
                all.entry((*user, conversation)).or_default().looks.push(look);
            }
            Record::PersonalPage { asked, user, conversation, shown, .. } => {
                all.entry((*user, conversation)).or_default().pages.push((*asked, shown));
            }
            Record::Saved { asked, user, conversation, seqs, .. } => {
                all.entry((*user, conversation)).or_default().lists.push((*asked, seqs));
            }
            _ => {}
        }
    }
    let mut violations = Vec::new();
    for ((user, conversation), of) in &all {
        let found = of.stale().into_iter().chain(of.kept()).chain(of.cleared()).chain(of.saved());
        violations.extend(found.map(|(kind, text)| Violation {
            promise: Promise::Personal,
            kind,
            text: format!("{conversation} of user {user}: {text}"),
        }));
    }
    violations
}

impl Of<'_> {
    /// Acknowledged changes by devices that had not seen the last one.
    fn stale(&self) -> Vec<(Kind, String)> {
        let mut found = Vec::new();
        for act in self.acts.iter().filter(|act| act.done.is_some()) {
            let Personal::Pin { seen: Some(seen), was, to } = act.personal else { continue };
            let newer = |look: &&Look| look.at < act.asked && look.version > *seen && look.pin != *was;
            if let Some(look) = self.looks.iter().find(newer) {
                let text = format!(
                    "a device that saw pin {was} at version {seen} set it to {to}, but it was {} at version {}",
                    look.pin, look.version
                );
                found.push((Kind::Reordered, text));
            }
        }
        found
    }

    /// Each look shows the last acknowledged change, or one that came at the same time or later.
    fn kept(&self) -> Vec<(Kind, String)> {
        let mut found = Vec::new();
        for look in &self.looks {
            if let Some(before) = self.looks.iter().find(|it| it.at < look.asked && it.version > look.version) {
                let text = format!("version {} was read after version {}", look.version, before.version);
                found.push((Kind::Reordered, text));
            }
            let pin = |act: &Act<'_>| match act.personal {
                Personal::Pin { to, .. } => Some(*to),
                Personal::Clear { .. } | Personal::Delete { .. } | Personal::Save { .. } => None,
            };
            let source = self.acts.iter().find(|act| pin(act) == Some(look.pin));
            if source.is_some_and(|act| act.refused) {
                found.push((Kind::Phantom, format!("pin {} is shown, which was refused", look.pin)));
            }
            let over = source.map_or(Some(0), |act| act.done);
            let lost = |act: &&Act<'_>| {
                let is_later = over.is_some_and(|over| over < act.asked);
                pin(act).is_some_and(|to| to != look.pin) && is_later && act.done.is_some_and(|done| done < look.asked)
            };
            if let Some(act) = self.acts.iter().find(lost) {
                let text = format!("{:?} was acknowledged, but pin {} is shown", act.personal, look.pin);
                found.push((Kind::Lost, text));
            }
        }
        found
    }

    /// A cleared history is in no page that is asked for later, nor is a deleted message's content.
    fn cleared(&self) -> Vec<(Kind, String)> {
        let mut found = Vec::new();
        for act in &self.acts {
            if let (Personal::Delete { seq }, Some(done)) = (act.personal, act.done)
                && self.pages.iter().any(|(asked, shown)| *asked > done && shown.contains(seq))
            {
                found.push((Kind::Phantom, format!("seq {seq} was deleted, but a page shows its content")));
            }
            let (Personal::Clear { to }, Some(done)) = (act.personal, act.done) else { continue };
            for look in self.looks.iter().filter(|look| look.asked > done && look.cleared < *to) {
                let text = format!("the history was cleared up to {to}, but a state says {}", look.cleared);
                found.push((Kind::Lost, text));
            }
            for (_, shown) in self.pages.iter().filter(|(asked, _)| *asked > done) {
                if let Some(seq) = shown.iter().find(|seq| *seq <= to) {
                    let text = format!("the history was cleared up to {to}, but a page shows seq {seq}");
                    found.push((Kind::Phantom, text));
                }
            }
        }
        found
    }

    /// Each list is as the last acknowledged changes leave it, apart from later or unanswered ones.
    fn saved(&self) -> Vec<(Kind, String)> {
        let mut found = Vec::new();
        for act in &self.acts {
            let (Personal::Save { seq, removed }, Some(done)) = (act.personal, act.done) else { continue };
            let undoes = |other: &&Act<'_>| *other.personal == Personal::Save { seq: *seq, removed: !removed };
            let may_follow = |other: &Act<'_>| !other.refused && other.done.is_none_or(|over| over >= act.asked);
            if self.acts.iter().filter(undoes).any(may_follow) {
                continue;
            }
            if let Some((asked, _)) =
                self.lists.iter().find(|(asked, seqs)| *asked > done && seqs.contains(seq) == *removed)
            {
                let kind = if *removed { Kind::Phantom } else { Kind::Lost };
                found.push((kind, format!("{:?} was acknowledged before the list at {asked}", act.personal)));
            }
        }
        found
    }
}
