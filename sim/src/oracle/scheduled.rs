//! The rows of scheduled messages on the disks.

use std::collections::BTreeMap;

use troupe_chaos::history::{Conversation, Kept};
use troupe_core::feature::Scheduled;
use troupe_core::{ClientMessageId, ConversationId, UserId};
use troupe_store::rows::View;

use crate::evidence::Seen;
use crate::machines::{Machines, name};

/// More rows than a simulation creates.
const EVERYTHING: usize = 1 << 30;

type Row = ((ConversationId, UserId, ClientMessageId), Scheduled);

fn rows_of(view: &View, conversation: ConversationId) -> Vec<Row> {
    view.page::<Scheduled>(&conversation, None, EVERYTHING).expect("a memory engine is readable")
}

/// Of the conversations that this disk has.
pub fn rows(seen: &Seen, view: &View) -> BTreeMap<Conversation, Vec<Kept>> {
    let kept = |((_, sender, id), row): Row| Kept { id: format!("{sender}/{id}"), refused: row.refused };
    let has = |conversation: &&ConversationId| view.conversation(**conversation).ok().flatten().is_some();
    let here = seen.scheduled.iter().filter(has);
    here.map(|id| (id.to_string(), rows_of(view, *id).into_iter().map(kept).collect())).collect()
}

/// Messages whose time has not come, on nodes that run.
pub fn waits(seen: &Seen, machines: &Machines) -> Vec<String> {
    let mut waits = Vec::new();
    for node in (0..machines.len()).filter(|node| machines.is_readable(*node)) {
        let view = machines.view(node);
        for conversation in &seen.scheduled {
            let waiting = |(_, row): &Row| row.body.is_some() && row.until == 0;
            let rows: Vec<Row> = rows_of(&view, *conversation).into_iter().filter(waiting).collect();
            if let Some(((_, _, id), row)) = rows.first() {
                let (node, count) = (name(node), rows.len());
                waits.push(format!("{node} keeps {count} messages of {conversation}, {id} until {}", row.at));
            }
        }
    }
    waits
}
