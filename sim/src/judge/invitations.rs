//! Invitations: nobody is handed or shown a group of a stranger before they have accepted one of
//! that stranger's invitations; whoever is in such a group has it in the list or has an invitation;
//! and no user has more of them than the bounds allow.

use std::collections::BTreeMap;

use troupe_chaos::history::Record;
use troupe_core::{ConversationId, UserId, limits};

use super::{Stints, user_of};
use crate::evidence::Seen;
use crate::machines::{Machines, name};
use crate::people::Square;

/// How a user's shard has a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    Left,
    Invited,
    Listed,
}

/// By the word of the disk that has heard most: the event that it knows of, and what came of it.
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

/// Whether the user's devices follow a group that the user has been in since that event.
pub fn follows(machines: &Machines, square: &Square, user: UserId, group: ConversationId, since: u64) -> bool {
    square.plan.society.strangers == 0 || held(machines, user, group) == Some((since, Held::Listed))
}

/// Who is in a group and whose shard knows nothing of it.
pub fn waits(seen: &Seen, machines: &Machines, stints: &Stints) -> Vec<String> {
    let mut waits = Vec::new();
    for (group, of) in stints {
        for (user, stint) in of.iter().filter_map(|(user, of)| Some((*user, of.last()?))) {
            let held = held(machines, user, *group);
            let expected = match stint.to {
                None if seen.accepted.contains(&(user, *group, stint.from)) => held == Some((stint.from, Held::Listed)),
                None => held.is_some_and(|(since, how)| since == stint.from && how != Held::Left),
                Some(to) => held.is_some_and(|(since, how)| since == to && how == Held::Left),
            };
            if !expected {
                waits.push(format!("user {user} was in {group} for {stint:?}, and its shard holds {held:?}"));
            }
        }
    }
    waits
}

pub fn check(seen: &Seen, machines: &Machines, square: &Square) -> Vec<String> {
    let mut wrong = Vec::new();
    let strange: BTreeMap<String, UserId> =
        square.strange.borrow().iter().map(|(group, by)| (group.to_string(), *by)).collect();
    let mut shown = |user: UserId, group: &String, at: u64, how: &str| {
        let Some(by) = strange.get(group).filter(|by| **by != user) else { return };
        if seen.accepting.get(&(user, *by)).is_none_or(|accepted| *accepted > at) {
            wrong
                .push(format!("unasked: user {user} was {how} {group} of {by}, none of whose invitations it accepted"));
        }
    };
    for record in &seen.records {
        match record {
            Record::Deliver { at, device, conversation, .. } => {
                if let Some(user) = user_of(square, *device) {
                    shown(user, conversation, *at, "handed an event of");
                }
            }
            Record::Listed { at, user, conversation, .. } => shown(UserId(*user), conversation, *at, "listed"),
            _ => {}
        }
    }
    for (at, user, group) in &seen.added {
        shown(*user, group, *at, "told of");
    }
    if square.plan.society.strangers > 0 {
        let people: Vec<UserId> = square.users.borrow().values().copied().collect();
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
