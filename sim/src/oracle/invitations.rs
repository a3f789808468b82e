//! Invitations: a user receives no event of a stranger's group before accepting an invitation of
//! that stranger. A member has the group in its list or an invitation to it. No user has more
//! invitations than the bounds allow.

use std::collections::BTreeMap;

use troupe_chaos::history::Record;
use troupe_core::{ConversationId, UserId, limits};

use super::{Intervals, user_of};
use crate::evidence::Seen;
use crate::machines::{Machines, name};
use crate::workload::WorkloadContext;

/// A group in the view of a user's shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    Left,
    Invited,
    Listed,
}

/// The view of the most recent disk: the event that it knows, and the state after it.
fn held(machines: &Machines, user: UserId, group: ConversationId) -> Option<(u64, Held)> {
    let on = |node: usize| {
        let view = machines.view(node);
        let entry = view.inbox_entry(user, group).ok().flatten();
        let entry = entry.map(|row| (row.version.0, if row.present { Held::Listed } else { Held::Left }));
        let invitation = view.invitation(user, group).ok().flatten();
        entry.max(invitation.map(|row| (row.version.0, Held::Invited)))
    };
    (0..machines.len()).filter(|node| machines.is_readable(*node)).filter_map(on).max()
}

/// Whether the user's devices follow a group that the user joined at that event.
pub fn follows(
    machines: &Machines,
    workload: &WorkloadContext,
    user: UserId,
    group: ConversationId,
    since: u64,
) -> bool {
    workload.plan.society.strangers == 0 || held(machines, user, group) == Some((since, Held::Listed))
}

/// Members whose shard does not know of the membership.
pub fn waits(seen: &Seen, machines: &Machines, intervals: &Intervals) -> Vec<String> {
    let mut waits = Vec::new();
    for (group, of) in intervals {
        for (user, interval) in of.iter().filter_map(|(user, of)| Some((*user, of.last()?))) {
            let held = held(machines, user, *group);
            let expected = match interval.to {
                None if seen.accepted.contains(&(user, *group, interval.from)) => {
                    held == Some((interval.from, Held::Listed))
                }
                None => held.is_some_and(|(since, how)| since == interval.from && how != Held::Left),
                Some(to) => held.is_some_and(|(since, how)| since == to && how == Held::Left),
            };
            if !expected {
                waits.push(format!("user {user} was in {group} for {interval:?}, and its shard holds {held:?}"));
            }
        }
    }
    waits
}

pub fn check(seen: &Seen, machines: &Machines, workload: &WorkloadContext) -> Vec<String> {
    let mut wrong = Vec::new();
    let stranger_groups: BTreeMap<String, UserId> =
        workload.stranger_groups.borrow().iter().map(|(group, by)| (group.to_string(), *by)).collect();
    let mut shown = |user: UserId, group: &String, at: u64, how: &str| {
        let Some(by) = stranger_groups.get(group).filter(|by| **by != user) else { return };
        if seen.accepting.get(&(user, *by)).is_none_or(|accepted| *accepted > at) {
            wrong.push(format!("unasked: user {user} was {how} {group} of {by} without accepting an invitation"));
        }
    };
    for record in &seen.records {
        match record {
            Record::Deliver { at, device, conversation, .. } => {
                if let Some(user) = user_of(workload, *device) {
                    shown(user, conversation, *at, "given an event of");
                }
            }
            Record::Listed { at, user, conversation, .. } => shown(UserId(*user), conversation, *at, "listed"),
            _ => {}
        }
    }
    for (at, user, group) in &seen.added {
        shown(*user, group, *at, "notified of");
    }
    if workload.plan.society.strangers > 0 {
        let people: Vec<UserId> = workload.users.borrow().values().copied().collect();
        for node in (0..machines.len()).filter(|node| machines.is_readable(*node)) {
            let view = machines.view(node);
            for user in &people {
                let rows = view.invitations(*user).unwrap_or_default();
                let most = rows.iter().map(|row| rows.iter().filter(|other| other.by == row.by).count()).max();
                let (all, of_one) = (rows.len(), most.unwrap_or(0));
                if all > limits::INVITATIONS_PENDING || of_one > limits::INVITATIONS_PENDING_OF_ONE {
                    let node = name(node);
                    wrong.push(format!(
                        "bounds: {node} holds {all} invitations of user {user}, {of_one} of one stranger"
                    ));
                }
            }
        }
    }
    wrong
}
