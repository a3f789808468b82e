//! Administrative acts: each acknowledged act has exactly one row in the audit log, and no other
//! row exists. An invitation code has at most its number of uses.

use std::collections::BTreeMap;

use troupe_core::record::{AuditKey, AuditRow, Invite};
use troupe_core::{ClientMessageId, SLOTS, Slot, Timestamp, UserId};

use crate::evidence::Seen;
use crate::machines::Machines;

/// More rows than a simulation creates.
const EVERYTHING: usize = 1 << 20;

/// Rows that must not exist, checked while the workload runs.
pub fn check(seen: &Seen, machines: &Machines) -> Vec<String> {
    let mut wrong = Vec::new();
    for ((request, action), rows) in of_requests(machines) {
        if rows.len() > 1 {
            wrong.push(format!("audit: {} rows of one {action}: {rows:?}", rows.len()));
        }
        let asked = seen.acts.contains_key(&(request, action.clone()));
        if !asked && rows.iter().any(|row| row.by.user != UserId(0)) {
            wrong.push(format!("audit: no request for {rows:?}"));
        }
    }
    for (invite, reservations) in invites(machines) {
        if reservations > invite.uses as usize || invite.used as usize != reservations {
            let Invite { id, uses, used, .. } = invite;
            wrong.push(format!("invitation {id} has {uses} uses, {used} used, {reservations} reserved"));
        }
    }
    wrong
}

/// Rows that must exist after the drain.
pub fn missing(seen: &Seen, machines: &Machines) -> Vec<String> {
    let mut wrong = Vec::new();
    let rows = of_requests(machines);
    for ((request, action), _) in seen.acts.iter().filter(|(_, done)| **done) {
        if !rows.contains_key(&(*request, action.clone())) {
            wrong.push(format!("audit: {action} was acknowledged and has no row ({request})"));
        }
    }
    for (invite, reservations) in invites(machines) {
        let left = (invite.uses as usize).saturating_sub(reservations);
        if left > 0 && seen.refused_guests.contains(&invite.id.to_string()) {
            wrong.push(format!("invitation {} was refused although it has {left} uses left", invite.id));
        }
    }
    wrong
}

/// The rows of all disks, by request.
fn of_requests(machines: &Machines) -> BTreeMap<(ClientMessageId, String), Vec<AuditRow>> {
    let mut rows: BTreeMap<(Timestamp, Slot, u64), AuditRow> = BTreeMap::new();
    for node in (0..machines.len()).filter(|node| machines.is_readable(*node)) {
        let found = machines.view(node).audit(0..SLOTS, AuditKey::before(Timestamp(0)), EVERYTHING);
        rows.extend(found.unwrap_or_default().into_iter().map(|row| (row.key.place(), row)));
    }
    let mut of: BTreeMap<(ClientMessageId, String), Vec<AuditRow>> = BTreeMap::new();
    for row in rows.into_values() {
        of.entry((row.request, row.action.clone())).or_default().push(row);
    }
    of
}

/// Each invitation from the disk with the most uses, and the number of its uses.
fn invites(machines: &Machines) -> Vec<(Invite, usize)> {
    let mut invites: BTreeMap<String, (Invite, usize)> = BTreeMap::new();
    for node in (0..machines.len()).filter(|node| machines.is_readable(*node)) {
        let view = machines.view(node);
        for invite in view.invites(0..SLOTS, None, EVERYTHING).unwrap_or_default() {
            let uses = view.reservations(invite.id).map_or(0, |reservations| reservations.len());
            let held = invites.entry(invite.id.to_string()).or_insert_with(|| (invite.clone(), uses));
            if uses > held.1 {
                *held = (invite, uses);
            }
        }
    }
    invites.into_values().collect()
}
