//! Carries what this shard owes to others: each row until the other shard has committed it, then the rows are settled.
//!
//! Rows are named by what they say and applied by version, so that carrying one twice is carrying it once.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use parking_lot::Mutex;
use ractor::ActorRef;
use troupe_core::command::{SettleOutbox, UpdateInbox};
use troupe_core::plant::Plant;
use troupe_core::record::{OutboxKey, OutboxRow};
use troupe_core::{Command, ShardId, Slot};

use super::ShardMsg;
use crate::message::{Answer, Refusal, Request};
use crate::router::PATIENCE;
use crate::world::World;

/// Rows read, carried and settled together.
const BATCH: usize = 256;
/// Rows under way at once.
const UNDER_WAY: usize = 64;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Walks over the outbox until it is empty, then says so. Whoever cannot be reached now holds nobody else up: the walk goes on
/// past those rows and comes back to them.
pub async fn carry(world: World, shard: ShardId, slots: Range<u16>, parent: ActorRef<ShardMsg>) {
    let mut pause = FIRST_PAUSE;
    loop {
        match walk(&world, shard, slots.clone()).await {
            Ok(0) => {
                let _ = parent.send_message(ShardMsg::OutboxEmpty);
                return;
            }
            Ok(_) | Err(_) => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// One walk; returns how many rows had to be left behind.
async fn walk(world: &World, shard: ShardId, slots: Range<u16>) -> Result<usize, Refusal> {
    let (mut from, mut left) = (None, 0);
    loop {
        let rows = page(world, shard, slots.clone(), from.clone()).await?;
        let Some(last) = rows.last() else { return Ok(left) };
        let full = rows.len() == BATCH;
        from = Some(last.key.clone());
        left += rows.len();
        left -= settle(world, shard, deliver(world, rows).await).await?;
        if !full {
            return Ok(left);
        }
    }
}

/// Behind a read barrier: a fresh leader may still be applying what another one committed, and rows that come that way have no
/// effect that would begin another walk.
async fn page(
    world: &World,
    shard: ShardId,
    slots: Range<u16>,
    from: Option<OutboxKey>,
) -> Result<Vec<OutboxRow>, Refusal> {
    let rows = Arc::new(Mutex::new(Vec::new()));
    let found = rows.clone();
    world
        .read(shard, move |view| {
            *found.lock() = view.outbox(slots, from, BATCH)?;
            Ok(Ok(Answer::Done))
        })
        .await?;
    Ok(std::mem::take(&mut *rows.lock()))
}

/// Returns the rows that the other shards have committed, or will never take.
async fn deliver(world: &World, rows: Vec<OutboxRow>) -> Vec<OutboxKey> {
    let carried = rows.into_iter().map(|row| async move {
        let update = UpdateInbox {
            user: row.key.user,
            conversation: row.key.conversation,
            present: row.present,
            version: row.key.version,
        };
        let request = Request::Commit(Command::UpdateInbox(update));
        let asked = world.router.ask(row.key.user.slot(), request, PATIENCE);
        if world.ctx.planted(Plant::OutboxSettledUnheard) {
            drop(tokio::spawn(asked));
            return Some(row.key);
        }
        match asked.await {
            Ok(_) | Err(Refusal::Rejected { .. }) => Some(row.key),
            Err(_) => None,
        }
    });
    futures::stream::iter(carried).buffered(UNDER_WAY).filter_map(|key| async { key }).collect().await
}

async fn settle(world: &World, shard: ShardId, keys: Vec<OutboxKey>) -> Result<usize, Refusal> {
    let settled = keys.len();
    let mut by_slot: BTreeMap<Slot, Vec<OutboxKey>> = BTreeMap::new();
    for key in keys {
        by_slot.entry(key.slot).or_default().push(key);
    }
    if settled > 0 {
        let settle = |(slot, rows)| Command::SettleOutbox(SettleOutbox { slot, rows });
        world.propose(shard, by_slot.into_iter().map(settle).collect()).await?;
    }
    Ok(settled)
}
