//! The oracle: runs the checkers of all promises on the observations, and checks that only a
//! simulation allows.
//!
//! In a group with changing members, each member sees the log in *membership intervals*, from the
//! event that added it to the event that removed it. For the checkers each interval is a separate
//! device, so that the events between are no gap. The oracle itself checks that no user sees events
//! outside an interval.

mod acts;
mod clocks;
mod contacts;
mod files;
mod hooks;
mod invitations;
mod rooms;
mod scheduled;
mod vanishing;

use std::collections::{BTreeMap, BTreeSet};

use troupe_chaos::checkers;
use troupe_chaos::history::{History, Record};
use troupe_core::{ConversationId, Epoch, ShardId, UserId};

use crate::applied_log::{AppliedLog, MembershipInterval, everything_on};
use crate::cluster_view::ClusterView;
use crate::evidence::{Evidence, Seen};
use crate::machines::{Machines, name};
use crate::workload::WorkloadContext;

/// Numbers reserved for the intervals of a device.
const INTERVALS: u32 = 1_000;
/// Reported waits.
const TOLD: usize = 8;

/// The membership intervals of all users, by group.
type Intervals = BTreeMap<ConversationId, BTreeMap<UserId, Vec<MembershipInterval>>>;

#[derive(Default)]
pub struct Oracle {
    led: BTreeMap<(ShardId, Epoch), usize>,
}

impl Oracle {
    /// An epoch of a shard has one leader, forever.
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

/// Checks every promise while the workload runs.
pub fn so_far(
    evidence: &Evidence,
    applied_log: &AppliedLog,
    machines: &Machines,
    workload: &WorkloadContext,
) -> Vec<String> {
    evidence.look(|seen| {
        let intervals = intervals(applied_log, workload);
        let mut history = history(seen, applied_log, &intervals, workload);
        history.finals.insert(0, applied_log.finals());
        let broken = checkers::check(&history).into_iter().map(|violation| violation.to_string());
        broken.chain(here(seen, applied_log, machines, &intervals, workload)).collect()
    })
}

/// Checks every promise at the end. Without a complete drain, positions at the end are not
/// required.
pub fn at_end(
    evidence: &Evidence,
    applied_log: &AppliedLog,
    machines: &Machines,
    workload: &WorkloadContext,
    drained: bool,
) -> Vec<String> {
    if !drained {
        return so_far(evidence, applied_log, machines, workload);
    }
    evidence.look(|seen| {
        let mut missing = acts::missing(seen, machines);
        missing.extend(rooms::check(machines));
        let intervals = intervals(applied_log, workload);
        let mut history = history(seen, applied_log, &intervals, workload);
        // All replicas must hold every event that any disk ever showed, even if those disks are
        // lost.
        history.finals.insert(0, applied_log.finals());
        for node in machines.present() {
            history.finals.insert(node as u64 + 1, everything_on(&machines.view(node)));
            history.kept.insert(node as u64 + 1, scheduled::rows(seen, &machines.view(node)));
            history.files.insert(node as u64 + 1, files::rows(seen, &machines.view(node)));
            history.references.insert(node as u64 + 1, files::references(seen, &machines.view(node)));
            history.hooks.insert(node as u64 + 1, hooks::rows(seen, &machines.view(node)));
        }
        contacts::add(&mut history, machines);
        for (device, conversation, number) in followers(applied_log, machines, workload, &intervals) {
            let place = conversation.to_string();
            let at = seen.positions.get(&device).and_then(|of| of.get(&place)).copied().unwrap_or(0);
            history.cursors.entry(number).or_default().insert(place, at);
        }
        let broken = checkers::check(&history).into_iter().map(|violation| violation.to_string());
        broken.chain(here(seen, applied_log, machines, &intervals, workload)).chain(missing).collect()
    })
}

/// Checks of promises that need the simulation.
fn here(
    seen: &Seen,
    applied_log: &AppliedLog,
    machines: &Machines,
    intervals: &Intervals,
    workload: &WorkloadContext,
) -> Vec<String> {
    let mut wrong = private(seen, applied_log, intervals, workload);
    wrong.extend(invitations::check(seen, machines, workload));
    if workload.plan.society.administered {
        wrong.extend(acts::check(seen, machines));
    }
    wrong.extend(clocks::check(seen, applied_log, clocks::Range::of(machines, &workload.plan)));
    wrong
}

/// Participants that are not finished.
pub fn waits(
    evidence: &Evidence,
    applied_log: &AppliedLog,
    machines: &Machines,
    workload: &WorkloadContext,
) -> Vec<String> {
    let mut waits = Vec::new();
    if workload.plan.members.is_some() {
        waits.extend(ClusterView::of(machines).waits(machines));
    }
    let table = machines.newest().unwrap_or_default();
    let holds = |node: usize, shard: ShardId| {
        let place = table.placement.get(&shard);
        place.is_some_and(|place| machines.identity(node).is_some_and(|id| place.nodes.contains(&id)))
    };
    for conversation in applied_log.conversations() {
        let head = applied_log.head(conversation);
        let Some(shard) = table.shard(conversation.slot()) else {
            waits.push(format!("the shard of {conversation} is unknown"));
            continue;
        };
        for node in (0..machines.len()).filter(|node| machines.is_readable(*node)) {
            let row = machines.view(node).conversation(conversation).ok().flatten();
            let at = row.as_ref().map_or(0, |row| row.head.0);
            if holds(node, shard) && at < head {
                waits.push(format!("{} has {at} of {head} events of {conversation}", name(node)));
            } else if !holds(node, shard) && row.is_some() {
                waits.push(format!("{} still has {conversation}, which is not placed there", name(node)));
            }
        }
    }
    let intervals = intervals(applied_log, workload);
    evidence.look(|seen| {
        waits.extend(invitations::waits(seen, machines, &intervals));
        waits.extend(scheduled::waits(seen, machines));
        waits.extend(vanishing::waits(seen, machines));
        waits.extend(contacts::waits(machines));
        waits.extend(rooms::waits(machines));
        for (device, ids) in seen.unanswered.iter().filter(|(_, ids)| !ids.is_empty()) {
            waits.push(format!("device {device} has no outcome of {} messages: {:?}", ids.len(), ids.first()));
        }
        for (device, conversation, _) in followers(applied_log, machines, workload, &intervals) {
            let at = seen.positions.get(&device).and_then(|of| of.get(&conversation.to_string())).copied().unwrap_or(0);
            let head = applied_log.head(conversation);
            if at < head {
                waits.push(format!("device {device} received {at} of {head} in {conversation}"));
            }
        }
    });
    waits.truncate(TOLD);
    waits
}

fn intervals(applied_log: &AppliedLog, workload: &WorkloadContext) -> Intervals {
    let (open, stranger_groups) = (workload.churn_groups.borrow(), workload.stranger_groups.borrow());
    // With invitations, users join the busy group at different times too.
    let busy = workload.group.borrow().filter(|_| workload.plan.society.strangers > 0);
    let groups = open.iter().chain(stranger_groups.keys()).chain(&busy);
    groups.map(|group| (*group, applied_log.intervals(*group))).collect()
}

/// Each device and each conversation that it must follow to the end, with the device's number for
/// the checkers.
fn followers(
    applied_log: &AppliedLog,
    machines: &Machines,
    workload: &WorkloadContext,
    intervals: &Intervals,
) -> Vec<(u32, ConversationId, u32)> {
    let users = workload.users.borrow();
    let (owners, send_only) = (workload.owners.lock(), workload.send_only.lock());
    let listens = |(device, _): &(&u32, &usize)| !send_only.contains(device);
    let devices = owners.iter().filter(listens).filter_map(|(device, owner)| Some((*device, workload.user(*owner)?)));
    let devices: Vec<(u32, UserId)> = devices.collect();
    let people = &workload.plan.people;
    let in_group = |user: UserId| {
        let number = users.iter().find(|(_, id)| **id == user).map_or(usize::MAX, |(number, _)| *number);
        number < people.busy
            || (people.busy + people.quiet..people.busy + people.quiet + people.adversarial).contains(&number)
    };
    let mut all = Vec::new();
    for conversation in applied_log.conversations() {
        for &(device, user) in &devices {
            let number = match (conversation, intervals.get(&conversation)) {
                (ConversationId::Everyone, _) => Some(device),
                (ConversationId::Direct { .. }, _) => conversation.peer_of(user).map(|_| device),
                (_, Some(intervals)) => {
                    let last = intervals.get(&user).and_then(|of| Some((of.len() - 1, of.last()?)));
                    let follows = |(_, interval): &(usize, &MembershipInterval)| {
                        interval.to.is_none()
                            && invitations::follows(machines, workload, user, conversation, interval.from)
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

/// The number of a device in one membership interval.
fn numbered(device: u32, interval: usize) -> u32 {
    (device + 1) * INTERVALS + interval as u32
}

/// The records in the form of the checkers.
fn history(seen: &Seen, applied_log: &AppliedLog, intervals: &Intervals, workload: &WorkloadContext) -> History {
    let by_name: BTreeMap<String, &BTreeMap<UserId, Vec<MembershipInterval>>> =
        intervals.iter().map(|(group, of)| (group.to_string(), of)).collect();
    let mut of_all: Intervals = BTreeMap::new();
    let mut records = seen.records.clone();
    for record in &mut records {
        if let Record::Deliver { device, conversation, seq, .. } = record
            && let Some(of) = by_name.get(conversation.as_str())
            && let Some(user) = user_of(workload, *device)
            && let Some(index) = of.get(&user).and_then(|of| of.iter().position(|interval| interval.holds(*seq)))
        {
            *device = numbered(*device, index);
        }
        if let Record::Listed { conversation, user, head, first, .. } = record
            && let Some(group) = conversation.parse().ok().filter(|id| matches!(id, ConversationId::Group(_)))
        {
            let of = of_all.entry(group).or_insert_with(|| applied_log.intervals(group)).get(&UserId(*user));
            let last = of.and_then(|of| of.iter().rev().find(|interval| interval.from <= *head));
            *first = last.map_or(1, |interval| interval.from);
        }
    }
    History { records, ..History::default() }
}

fn user_of(workload: &WorkloadContext, device: u32) -> Option<UserId> {
    let owner = workload.owners.lock().get(&device).copied()?;
    workload.user(owner)
}

/// Members neither see nor send events outside their intervals, and a new member sees the group
/// from its interval's start.
fn private(seen: &Seen, applied_log: &AppliedLog, intervals: &Intervals, workload: &WorkloadContext) -> Vec<String> {
    let mut wrong = Vec::new();
    for (user, group, seq) in &seen.looked {
        let Some(of) = intervals.get(group) else { continue };
        if !of.get(user).is_some_and(|of| of.iter().any(|interval| interval.holds(*seq))) {
            wrong.push(format!(
                "private: user {user} fetched seq {seq} of {group} without being a member: {:?}",
                of.get(user)
            ));
        }
    }
    for (group, of) in intervals {
        for (seq, sender) in applied_log.senders(*group) {
            if !of.get(&sender).is_some_and(|of| of.iter().any(|interval| interval.holds(seq))) {
                wrong.push(format!("private: user {sender} sent seq {seq} of {group} without being a member"));
            }
        }
    }
    let by_name: BTreeMap<String, ConversationId> = intervals.keys().map(|group| (group.to_string(), *group)).collect();
    let mut begun: BTreeSet<(u32, ConversationId, usize)> = BTreeSet::new();
    for record in &seen.records {
        let Record::Deliver { device, conversation, seq, .. } = record else { continue };
        let (Some(group), Some(user)) = (by_name.get(conversation), user_of(workload, *device)) else { continue };
        let of = intervals[group].get(&user);
        match of.and_then(|of| of.iter().enumerate().find(|(_, interval)| interval.holds(*seq))) {
            None => {
                wrong.push(format!("private: device {device} received seq {seq} of {group}, which shows it {of:?}"))
            }
            Some((index, interval)) => {
                if begun.insert((*device, *group, index)) && *seq != interval.from {
                    let from = interval.from;
                    wrong.push(format!("a gap: device {device} sees {group} from {from} on, and received {seq} first"));
                }
            }
        }
    }
    wrong
}
