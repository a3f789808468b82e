//! Contacts: both users of a pair agree in the end, an acknowledged act is kept, and no message is
//! acknowledged to a user that was blocked before it was sent.

use std::collections::BTreeMap;

use super::{Kind, Promise, Violation};
use crate::history::{ContactAct, FinalContact, FinalGate, History, Outcome, Record};

type Pair = (u64, u64);

pub fn check(history: &History) -> Vec<Violation> {
    let (contacts, mut violations) = merged(history);
    violations.extend(agreement(history, &contacts));
    let acts = acts(history);
    violations.extend(kept(&contacts, &acts));
    violations.extend(blocked(history, &acts));
    violations
}

/// The newest contacts of all replicas: rows of one version are equal, but a replica may be behind.
fn merged(history: &History) -> (BTreeMap<Pair, FinalContact>, Vec<Violation>) {
    let (mut contacts, mut violations) = (BTreeMap::<Pair, FinalContact>::new(), Vec::new());
    for (node, rows) in &history.contacts {
        for row in rows {
            let held = contacts.entry((row.user, row.other)).or_insert(*row);
            let parts = |row: &FinalContact| (row.wants, row.wanted, row.blocked);
            if held.version == row.version && parts(held) != parts(row) {
                violations.push(wrong(Kind::Diverged, format!("node {node} has {row:?}, and another one {held:?}")));
            }
            if row.version > held.version {
                *held = *row;
            }
        }
    }
    (contacts, violations)
}

/// Nothing is half done: each part of a relation is as its own user's shard says, and each gate is
/// closed exactly for a block.
fn agreement(history: &History, contacts: &BTreeMap<Pair, FinalContact>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for ((user, other), row) in contacts {
        let mirror = contacts.get(&(*other, *user)).copied();
        let (wants, wanted) = mirror.map_or((false, false), |mirror| (mirror.wants, mirror.wanted));
        if (row.wants, row.wanted) != (wanted, wants) {
            let text = format!("users {user} and {other} do not agree: {row:?} and {mirror:?}");
            violations.push(wrong(Kind::Diverged, text));
        }
        if row.owed {
            violations.push(wrong(Kind::Lost, format!("user {user} still owes its contact with {other} to a shard")));
        }
    }
    let mut gates: BTreeMap<Pair, FinalGate> = BTreeMap::new();
    for gate in history.gates.values().flatten() {
        let held = gates.entry((gate.user, gate.other)).or_insert(*gate);
        if held.version == gate.version && held.closed != gate.closed {
            violations.push(wrong(Kind::Diverged, format!("replicas differ in {gate:?} and {held:?}")));
        }
        if gate.version > held.version {
            *held = *gate;
        }
    }
    for (pair, row) in contacts {
        let closed = gates.get(pair).is_some_and(|gate| gate.closed);
        if closed != row.blocked {
            let (user, other) = pair;
            let text = format!("user {user} blocks {other}: {}, but its gate is closed: {closed}", row.blocked);
            violations.push(wrong(Kind::Diverged, text));
        }
    }
    violations
}

/// One act on a pair, by its first user.
#[derive(Clone, Copy)]
struct Act {
    act: ContactAct,
    asked: u64,
    /// When it was acknowledged. An act without an answer may be applied at any later time.
    done: Option<u64>,
}

/// The acts of each pair, in the order in which they were asked.
fn acts(history: &History) -> BTreeMap<Pair, Vec<Act>> {
    let mut acts: BTreeMap<Pair, Vec<Act>> = BTreeMap::new();
    for record in &history.records {
        let Record::Contact { at, asked, user, other, act, outcome, .. } = record else { continue };
        let of = acts.entry((*user, *other)).or_default();
        let held = of.iter().position(|held| held.asked == *asked && held.act == *act);
        match (outcome, held) {
            (Outcome::Asked, _) | (_, None) => of.push(Act { act: *act, asked: *asked, done: None }),
            (Outcome::Done, Some(held)) => of[held].done = Some(*at),
            // It was not applied and never will be.
            (Outcome::Refused, Some(held)) => drop(of.remove(held)),
        }
    }
    acts
}

/// The last act of all on a pair decides, if each is acknowledged.
fn kept(contacts: &BTreeMap<Pair, FinalContact>, acts: &BTreeMap<Pair, Vec<Act>>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (pair, of) in acts {
        let Some(row) = contacts.get(pair) else { continue };
        let is_block = |act: ContactAct| matches!(act, ContactAct::Block | ContactAct::Unblock);
        let last = |blocks: bool| {
            let mut of = of.iter().filter(|act| is_block(act.act) == blocks);
            if of.clone().any(|act| act.done.is_none()) { None } else { of.next_back() }
        };
        if let Some(act) = last(true)
            && row.blocked != (act.act == ContactAct::Block)
        {
            violations.push(wrong(Kind::Lost, format!("{:?} of {pair:?} was acknowledged: {row:?}", act.act)));
        }
        let others = acts.get(&(pair.1, pair.0)).map(Vec::as_slice).unwrap_or_default();
        if let Some(act) = last(false) {
            let ended = |other: &&Act| other.act == ContactAct::End && other.done.is_none_or(|done| done >= act.asked);
            let is_so = row.wants == (act.act != ContactAct::End);
            if !is_so && (act.act == ContactAct::End || !others.iter().any(|other| ended(&other))) {
                violations.push(wrong(Kind::Lost, format!("{:?} of {pair:?} was acknowledged: {row:?}", act.act)));
            }
        }
    }
    violations
}

/// Messages that were sent for the first time after an acknowledged block, and acknowledged before
/// the user asked to lift it.
fn blocked(history: &History, acts: &BTreeMap<Pair, Vec<Act>>) -> Vec<Violation> {
    let mut sent = BTreeMap::new();
    let mut violations = Vec::new();
    for record in &history.records {
        match record {
            Record::Invoke { at, user, conversation, id, .. } => {
                sent.entry((conversation, id)).or_insert((*at, *user));
            }
            Record::Ack { at, conversation, id, seq, .. } => {
                let Some((begun, user)) = sent.get(&(conversation, id)).copied() else { continue };
                let Some(peer) = peer_of(conversation, user) else { continue };
                let of = acts.get(&(peer, user)).map(Vec::as_slice).unwrap_or_default();
                if let Some(since) = block_over(of, begun, *at) {
                    let text = format!(
                        "{conversation}: {id} was acknowledged at seq {seq}, sent at {begun}, but user {peer} blocks {user} since {since}"
                    );
                    violations.push(wrong(Kind::Phantom, text));
                }
            }
            _ => {}
        }
    }
    violations
}

/// When a block was acknowledged that held from `begun` to `at`.
fn block_over(acts: &[Act], begun: u64, at: u64) -> Option<u64> {
    let mut since = None;
    for act in acts {
        match act.act {
            ContactAct::Block => since = act.done.filter(|done| *done < begun).or(since),
            // It may be applied from now on, and without an answer at any time.
            ContactAct::Unblock if act.asked <= at => {
                since = None;
                act.done?;
            }
            _ => {}
        }
    }
    since
}

/// The other user of a direct conversation, from its text `d<low>-<high>`.
fn peer_of(conversation: &str, user: u64) -> Option<u64> {
    let (low, high) = conversation.strip_prefix('d')?.split_once('-')?;
    let (low, high) = (low.parse().ok()?, high.parse().ok()?);
    if low == user { Some(high) } else { (high == user).then_some(low) }
}

fn wrong(kind: Kind, text: String) -> Violation {
    Violation { promise: Promise::Contacts, kind, text }
}
