//! What must hold: the checkers of all promises on what was seen, and what only a simulation can
//! see.
//!
//! Members of a group whose members change see its log in *stints*, from the event that let them in
//! to the one that removed them. To the checkers each stint is a device of its own, so that what
//! lies between is no gap; that nobody sees anything outside of a stint is checked here.

mod acts;
mod clocks;
mod invitations;

use std::collections::{BTreeMap, BTreeSet};

use troupe_chaos::checkers;
use troupe_chaos::history::{History, Record};
use troupe_core::{ConversationId, Epoch, ShardId, UserId};

use crate::census::Census;
use crate::evidence::{Evidence, Seen};
use crate::ledger::{Ledger, Stint, everything_on};
use crate::machines::{Machines, name};
use crate::people::Square;

/// Stints of a device are numbered up to this.
const STINTS: u32 = 1_000;
/// Of those who wait for something.
const TOLD: usize = 8;

/// Who was in which group when.
type Stints = BTreeMap<ConversationId, BTreeMap<UserId, Vec<Stint>>>;

#[derive(Default)]
pub struct Judge {
    led: BTreeMap<(ShardId, Epoch), usize>,
}

impl Judge {
    /// An epoch of a shard has one leader, for ever.
    pub fn leaders(&mut self, now: BTreeMap<(ShardId, Epoch), Vec<usize>>) -> Vec<String> {
        let mut wrong = Vec::new();
        for ((shard, epoch), nodes) in now {
            for node in nodes {
                let first = *self.led.entry((shard, epoch)).or_insert(node);
                if first != node {
                    let (one, other) = (name(first), name(node));
                    wrong.push(format!("{one} and {other} have both led {shard} in epoch {}", epoch.0));
                }
            }
        }
        wrong
    }
}

/// Every promise, while people still talk.
pub fn so_far(evidence: &Evidence, ledger: &Ledger, machines: &Machines, square: &Square) -> Vec<String> {
    evidence.look(|seen| {
        let stints = stints(ledger, square);
        let mut history = history(seen, ledger, &stints, square);
        history.finals.insert(0, ledger.finals());
        let broken = checkers::check(&history).into_iter().map(|violation| violation.to_string());
        broken.chain(here(seen, ledger, machines, &stints, square)).collect()
    })
}

/// Every promise, when everything was said and done. Where it has not drained, nobody promised to
/// be at the end.
pub fn at_end(
    evidence: &Evidence,
    ledger: &Ledger,
    machines: &Machines,
    square: &Square,
    drained: bool,
) -> Vec<String> {
    if !drained {
        return so_far(evidence, ledger, machines, square);
    }
    evidence.look(|seen| {
        let missing = acts::missing(seen, machines);
        let stints = stints(ledger, square);
        let mut history = history(seen, ledger, &stints, square);
        // What any disk ever showed is what all must hold now, also if it was on disks only that
        // are gone.
        history.finals.insert(0, ledger.finals());
        for node in machines.present() {
            history.finals.insert(node as u64 + 1, everything_on(&machines.view(node)));
        }
        for (device, conversation, number) in followers(ledger, machines, square, &stints) {
            let place = conversation.to_string();
            let at = seen.positions.get(&device).and_then(|of| of.get(&place)).copied().unwrap_or(0);
            history.cursors.entry(number).or_default().insert(place, at);
        }
        let broken = checkers::check(&history).into_iter().map(|violation| violation.to_string());
        broken.chain(here(seen, ledger, machines, &stints, square)).chain(missing).collect()
    })
}

/// The promises that only a simulation can judge.
fn here(seen: &Seen, ledger: &Ledger, machines: &Machines, stints: &Stints, square: &Square) -> Vec<String> {
    let mut wrong = private(seen, ledger, stints, square);
    wrong.extend(invitations::check(seen, machines, square));
    if square.plan.society.ruled {
        wrong.extend(acts::check(seen, machines));
    }
    wrong.extend(clocks::check(seen, ledger, clocks::Range::of(machines, &square.plan)));
    wrong
}

/// Who waits for what.
pub fn waits(evidence: &Evidence, ledger: &Ledger, machines: &Machines, square: &Square) -> Vec<String> {
    let mut waits = Vec::new();
    if square.plan.members.is_some() {
        waits.extend(Census::of(machines).waits(machines));
    }
    let table = machines.newest().unwrap_or_default();
    let holds = |node: usize, shard: ShardId| {
        let place = table.placement.get(&shard);
        place.is_some_and(|place| machines.identity(node).is_some_and(|id| place.nodes.contains(&id)))
    };
    for conversation in ledger.conversations() {
        let head = ledger.head(conversation);
        let Some(shard) = table.shard(conversation.slot()) else {
            waits.push(format!("nobody knows where {conversation} is"));
            continue;
        };
        for node in (0..machines.len()).filter(|node| machines.is_readable(*node)) {
            let row = machines.view(node).conversation(conversation).ok().flatten();
            let at = row.as_ref().map_or(0, |row| row.head.0);
            if holds(node, shard) && at < head {
                waits.push(format!("{} is at {at} of {head} in {conversation}", name(node)));
            } else if !holds(node, shard) && row.is_some() {
                waits.push(format!("{} still has {conversation}, which is not placed there", name(node)));
            }
        }
    }
    let stints = stints(ledger, square);
    evidence.look(|seen| {
        waits.extend(invitations::waits(seen, machines, &stints));
        for (device, ids) in seen.unanswered.iter().filter(|(_, ids)| !ids.is_empty()) {
            waits.push(format!("device {device} has no outcome of {} messages: {:?}", ids.len(), ids.first()));
        }
        for (device, conversation, _) in followers(ledger, machines, square, &stints) {
            let at = seen.positions.get(&device).and_then(|of| of.get(&conversation.to_string())).copied().unwrap_or(0);
            let head = ledger.head(conversation);
            if at < head {
                waits.push(format!("device {device} was handed {at} of {head} in {conversation}"));
            }
        }
    });
    waits.truncate(TOLD);
    waits
}

fn stints(ledger: &Ledger, square: &Square) -> Stints {
    let (open, strange) = (square.open.borrow(), square.strange.borrow());
    // Where the cluster asks, people enter the busy group at different times too.
    let busy = square.group.borrow().filter(|_| square.plan.society.strangers > 0);
    let groups = open.iter().chain(strange.keys()).chain(&busy);
    groups.map(|group| (*group, ledger.stints(*group))).collect()
}

/// Each device and each conversation whose end it must reach, with the device's number for the
/// checkers.
fn followers(
    ledger: &Ledger,
    machines: &Machines,
    square: &Square,
    stints: &Stints,
) -> Vec<(u32, ConversationId, u32)> {
    let users = square.users.borrow();
    let (owners, deaf) = (square.owners.lock(), square.deaf.lock());
    let listens = |(device, _): &(&u32, &usize)| !deaf.contains(device);
    let devices = owners.iter().filter(listens).filter_map(|(device, owner)| Some((*device, square.user(*owner)?)));
    let devices: Vec<(u32, UserId)> = devices.collect();
    let people = &square.plan.people;
    let in_group = |user: UserId| {
        let number = users.iter().find(|(_, id)| **id == user).map_or(usize::MAX, |(number, _)| *number);
        number < people.busy || (people.busy + people.quiet..people.busy + people.quiet + people.mad).contains(&number)
    };
    let mut all = Vec::new();
    for conversation in ledger.conversations() {
        for &(device, user) in &devices {
            let number = match (conversation, stints.get(&conversation)) {
                (ConversationId::Everyone, _) => Some(device),
                (ConversationId::Direct { .. }, _) => conversation.peer_of(user).map(|_| device),
                (_, Some(stints)) => {
                    let last = stints.get(&user).and_then(|of| Some((of.len() - 1, of.last()?)));
                    let follows = |(_, stint): &(usize, &Stint)| {
                        stint.to.is_none() && invitations::follows(machines, square, user, conversation, stint.from)
                    };
                    last.filter(follows).map(|(index, _)| numbered(device, index))
                }
                (_, None) => in_group(user).then_some(device),
            };
            all.extend(number.map(|number| (device, conversation, number)));
        }
    }
    all
}

/// The number of a device in its n-th stint.
fn numbered(device: u32, stint: usize) -> u32 {
    (device + 1) * STINTS + stint as u32
}

/// The records as the checkers want them.
fn history(seen: &Seen, ledger: &Ledger, stints: &Stints, square: &Square) -> History {
    let by_name: BTreeMap<String, &BTreeMap<UserId, Vec<Stint>>> =
        stints.iter().map(|(group, of)| (group.to_string(), of)).collect();
    let mut of_all: Stints = BTreeMap::new();
    let mut records = seen.records.clone();
    for record in &mut records {
        if let Record::Deliver { device, conversation, seq, .. } = record
            && let Some(of) = by_name.get(conversation.as_str())
            && let Some(user) = user_of(square, *device)
            && let Some(index) = of.get(&user).and_then(|of| of.iter().position(|stint| stint.holds(*seq)))
        {
            *device = numbered(*device, index);
        }
        if let Record::Listed { conversation, user, head, first, .. } = record
            && let Some(group) = conversation.parse().ok().filter(|id| matches!(id, ConversationId::Group(_)))
        {
            let of = of_all.entry(group).or_insert_with(|| ledger.stints(group)).get(&UserId(*user));
            let last = of.and_then(|of| of.iter().rev().find(|stint| stint.from <= *head));
            *first = last.map_or(1, |stint| stint.from);
        }
    }
    History { records, ..History::default() }
}

fn user_of(square: &Square, device: u32) -> Option<UserId> {
    let owner = square.owners.lock().get(&device).copied()?;
    square.user(owner)
}

/// Nobody sees or says anything in a group before they were let in or after they were removed, and
/// whoever is let in sees it from there on.
fn private(seen: &Seen, ledger: &Ledger, stints: &Stints, square: &Square) -> Vec<String> {
    let mut wrong = Vec::new();
    for (user, group, seq) in &seen.looked {
        let Some(of) = stints.get(group) else { continue };
        if !of.get(user).is_some_and(|of| of.iter().any(|stint| stint.holds(*seq))) {
            wrong.push(format!(
                "private: user {user} looked at seq {seq} of {group}, and was not in it: {:?}",
                of.get(user)
            ));
        }
    }
    for (group, of) in stints {
        for (seq, sender) in ledger.senders(*group) {
            if !of.get(&sender).is_some_and(|of| of.iter().any(|stint| stint.holds(seq))) {
                wrong.push(format!("private: user {sender} has seq {seq} of {group}, and was not in it"));
            }
        }
    }
    let by_name: BTreeMap<String, ConversationId> = stints.keys().map(|group| (group.to_string(), *group)).collect();
    let mut begun: BTreeSet<(u32, ConversationId, usize)> = BTreeSet::new();
    for record in &seen.records {
        let Record::Deliver { device, conversation, seq, .. } = record else { continue };
        let (Some(group), Some(user)) = (by_name.get(conversation), user_of(square, *device)) else { continue };
        let of = stints[group].get(&user);
        match of.and_then(|of| of.iter().enumerate().find(|(_, stint)| stint.holds(*seq))) {
            None => {
                wrong.push(format!("private: device {device} was handed seq {seq} of {group}, of which it sees {of:?}"))
            }
            Some((index, stint)) => {
                if begun.insert((*device, *group, index)) && *seq != stint.from {
                    let from = stint.from;
                    wrong.push(format!(
                        "a gap: device {device} sees {group} from {from} on, and was handed {seq} first"
                    ));
                }
            }
        }
    }
    wrong
}
