//! Contacts and gates on the disks of all machines.

use std::collections::BTreeMap;

use troupe_chaos::history::{FinalContact, FinalGate, History};
use troupe_core::record::{Block, Contact, Gate, OwedContact};
use troupe_core::{ConversationId, SLOTS, UserId};

use crate::machines::{Machines, name};

/// More rows than a simulation creates.
const EVERYTHING: usize = 1 << 30;

/// Contacts that a shard still owes another one.
pub fn waits(machines: &Machines) -> Vec<String> {
    let mut waits = Vec::new();
    for node in machines.present().into_iter().filter(|node| machines.is_readable(*node)) {
        let view = machines.view(node);
        let owed = view.over_slots::<OwedContact>(0..SLOTS, None, EVERYTHING).unwrap_or_default();
        let wait = |((user, other), _): ((UserId, UserId), OwedContact)| {
            format!("{} has a contact of {user} with {other} that is owed", name(node))
        };
        waits.extend(owed.into_iter().map(wait));
    }
    waits
}

/// Adds the rows of every disk.
pub fn add(history: &mut History, machines: &Machines) {
    for node in machines.present() {
        let view = machines.view(node);
        let contacts = view.over_slots::<Contact>(0..SLOTS, None, EVERYTHING).expect("a memory engine is readable");
        let blocks = view.over_slots::<Block>(0..SLOTS, None, EVERYTHING).expect("a memory engine is readable");
        let blocks: BTreeMap<(UserId, UserId), Block> = blocks.into_iter().collect();
        let owed = view.over_slots::<OwedContact>(0..SLOTS, None, EVERYTHING).expect("a memory engine is readable");
        let owed: BTreeMap<(UserId, UserId), OwedContact> = owed.into_iter().collect();
        let contact = |(key, row): ((UserId, UserId), Contact)| FinalContact {
            user: key.0.0,
            other: key.1.0,
            version: row.version,
            wants: row.wants,
            wanted: row.wanted,
            blocked: blocks.contains_key(&key),
            owed: owed.contains_key(&key),
        };
        history.contacts.insert(node as u64 + 1, contacts.into_iter().map(contact).collect());
        let gates = view.over_slots::<Gate>(0..SLOTS, None, EVERYTHING).expect("a memory engine is readable");
        let gate = |((conversation, user), row): ((ConversationId, UserId), Gate)| {
            let other = conversation.peer_of(user)?;
            Some(FinalGate { user: user.0, other: other.0, version: row.version, closed: row.closed })
        };
        history.gates.insert(node as u64 + 1, gates.into_iter().filter_map(gate).collect());
    }
}
