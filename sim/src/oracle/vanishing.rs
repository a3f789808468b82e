//! Messages whose time has not come, on the disks.

use troupe_core::record::{Due, Work};
use troupe_store::rows::View;

use crate::evidence::Seen;
use crate::machines::{Machines, name};

/// More rows than a simulation creates.
const EVERYTHING: usize = 1 << 30;

/// On nodes that run.
pub fn waits(seen: &Seen, machines: &Machines) -> Vec<String> {
    let mut waits = Vec::new();
    for node in (0..machines.len()).filter(|node| machines.is_readable(*node)) {
        let view: View = machines.view(node);
        for conversation in &seen.vanishing {
            let rows = view.page::<Due>(&conversation.slot(), None, EVERYTHING).expect("a memory engine is readable");
            let is_one = |work: &Work| matches!(work, Work::Vanish { conversation: of, .. } if of == conversation);
            let count = rows.iter().filter(|(row, _)| is_one(&row.work)).count();
            if count > 0 {
                waits.push(format!("{} keeps {count} messages of {conversation} that vanish", name(node)));
            }
        }
    }
    waits
}
