//! The room of users on the disks of all machines.

use std::collections::BTreeMap;

use troupe_core::record::{FileUsage, OwedRoom, Room, RoomReserved, RoomUsed, Table};
use troupe_core::{ConversationId, SLOTS, UserId};
use troupe_store::rows::View;

use crate::machines::{Machines, name};

/// More rows than a simulation creates.
const EVERYTHING: usize = 1 << 30;

/// Counts that a shard still owes another one.
pub fn waits(machines: &Machines) -> Vec<String> {
    let mut waits = Vec::new();
    for node in machines.present().into_iter().filter(|node| machines.is_readable(*node)) {
        let owed = machines.view(node).over_slots::<OwedRoom>(0..SLOTS, None, EVERYTHING).unwrap_or_default();
        let wait = |((conversation, user), _): ((ConversationId, UserId), OwedRoom)| {
            format!("{} owes the room of {user} in {conversation}", name(node))
        };
        waits.extend(owed.into_iter().map(wait));
    }
    waits
}

fn all<T: Table>(view: &View) -> Vec<(T::Key, T)> {
    view.over_slots::<T>(0..SLOTS, None, EVERYTHING).expect("a memory engine is readable")
}

/// When all is said, each replica of a user's shard has the bytes that the conversations count, and
/// their sum.
pub fn check(machines: &Machines) -> Vec<String> {
    let mut wrong = Vec::new();
    let nodes = machines.present();
    // A conversation is on some nodes, its members on others.
    let mut counted = BTreeMap::new();
    for node in &nodes {
        let rows = all::<FileUsage>(&machines.view(*node)).into_iter();
        counted.extend(rows.map(|((conversation, user), usage)| ((user, conversation), usage.bytes)));
    }
    for node in nodes {
        let view = machines.view(node);
        let used: BTreeMap<(UserId, ConversationId), RoomUsed> = all(&view).into_iter().collect();
        for ((user, conversation), row) in &used {
            let counts = counted.get(&(*user, *conversation)).copied().unwrap_or(0);
            if row.bytes != counts {
                let (name, bytes) = (name(node), row.bytes);
                wrong.push(format!("{name} has {bytes} bytes of {user} in {conversation}, which counts {counts}"));
            }
        }
        let reserved = all::<RoomReserved>(&view);
        for (user, room) in all::<Room>(&view) {
            let bytes: u64 = used.iter().filter(|((of, _), _)| *of == user).map(|(_, row)| row.bytes).sum();
            let held: u64 = reserved.iter().filter(|((of, ..), _)| *of == user).map(|(_, row)| row.bytes).sum();
            if (room.bytes, room.reserved) != (bytes, held) {
                wrong.push(format!("{} sums up {room:?} for {user}, of {bytes} and {held}", name(node)));
            }
        }
    }
    wrong
}
