//! Carries what this shard owes to others: each row until the other shard has committed it, then
//! the rows are settled.
//!
//! The courier is fair between conversations: it walks in rounds, and in each round every
//! conversation that owes something has one share of rows carried. A flood of one conversation
//! delays the row of another by a share, not by the flood. Rows are named by what they say and
//! applied by version, so that carrying one twice is carrying it once.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use parking_lot::Mutex;
use ractor::ActorRef;
use troupe_core::command::{ChangeGroup, GroupChange, SettleOutbox, UpdateInbox};
use troupe_core::plant::Plant;
use troupe_core::record::{OutboxKey, OutboxRow};
use troupe_core::{Command, ConversationId, Rejection, ShardId, Slot};
use troupe_proto::client;
use troupe_raft::meta::Strangers;
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use super::ShardMsg;
use crate::message::{Answer, Refusal, Request};
use crate::router::PATIENCE;
use crate::world::{Asker, World};

/// Rows read, carried and settled together.
const BATCH: usize = 256;
/// Rows of one conversation in a batch that others want a part of.
const SHARE: usize = 16;
/// Rows under way at once.
const UNDER_WAY: usize = 64;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Walks over the outbox until it is empty, then says so. A shard that cannot be reached now delays
/// no other: the walk goes on past its rows and comes back to them.
pub async fn carry(world: World, shard: ShardId, slots: Range<u16>, parent: ActorRef<ShardMsg>) {
    let mut pause = FIRST_PAUSE;
    loop {
        match walk(&world, shard, slots.clone()).await {
            Ok(false) => {
                let _ = parent.send_message(ShardMsg::OutboxEmpty);
                return;
            }
            Ok(true) | Err(_) => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Rounds until one finds nothing to carry; returns whether rows had to be left behind.
async fn walk(world: &World, shard: ShardId, slots: Range<u16>) -> Result<bool, Refusal> {
    let mut positions = Arc::new(Positions::new());
    loop {
        let (mut from, mut carried) = (None, 0);
        let mut seen = BTreeSet::new();
        loop {
            let page = page(world, shard, slots.clone(), from, positions.clone()).await?;
            seen.extend(page.sources);
            carried += page.rows.len();
            let known = Arc::make_mut(&mut positions);
            known.extend(page.rows.iter().map(|row| (row.key.conversation, row.key.clone())));
            settle(world, shard, deliver(world, page.rows).await).await?;
            match page.next {
                Some(next) => from = Some(next),
                None => break,
            }
        }
        if carried == 0 {
            return Ok(!seen.is_empty());
        }
        // A conversation whose rows are all settled needs no position any more.
        Arc::make_mut(&mut positions).retain(|conversation, _| seen.contains(conversation));
    }
}

/// The last row carried of each conversation in this walk: as many as owe something.
type Positions = BTreeMap<ConversationId, OutboxKey>;

/// A part of one round.
#[derive(Debug, Default)]
struct Page {
    rows: Vec<OutboxRow>,
    /// The conversations looked at; all of them owe something.
    sources: Vec<ConversationId>,
    /// Where the round goes on.
    next: Option<ConversationId>,
}

impl Page {
    /// The next conversations' shares: each the larger, the fewer there are.
    fn read(
        view: &View,
        slots: Range<u16>,
        from: Option<ConversationId>,
        positions: &Positions,
    ) -> Result<Page, EngineError> {
        let found = view.outbox_sources(slots, from, BATCH)?;
        let share = (BATCH / found.len().max(1)).max(SHARE);
        let complete = found.len() < BATCH;
        let mut page = Page::default();
        let mut sources = found.into_iter().peekable();
        while page.rows.len() < BATCH
            && let Some(source) = sources.next()
        {
            page.rows.extend(view.outbox_of(source, positions.get(&source), share)?);
            page.sources.push(source);
        }
        if sources.peek().is_some() || !complete {
            page.next = page.sources.last().copied();
        }
        Ok(page)
    }
}

/// Behind a read barrier: a fresh leader may still be applying what another one committed, and rows
/// that come that way have no effect that would begin another walk.
async fn page(
    world: &World,
    shard: ShardId,
    slots: Range<u16>,
    from: Option<ConversationId>,
    positions: Arc<Positions>,
) -> Result<Page, Refusal> {
    let page = Arc::new(Mutex::new(Page::default()));
    let found = page.clone();
    world
        .read(shard, Asker::Node, move |view| {
            *found.lock() = Page::read(view, slots, from, &positions)?;
            Ok(Ok(Answer::Done))
        })
        .await?;
    Ok(std::mem::take(&mut *page.lock()))
}

/// Returns the rows that the other shards have committed, or will never take.
async fn deliver(world: &World, rows: Vec<OutboxRow>) -> Vec<OutboxKey> {
    let invites = world.router.routing().settings.strangers == Strangers::Invite;
    let carried = rows.into_iter().map(|row| async move {
        let update = UpdateInbox {
            user: row.key.user,
            conversation: row.key.conversation,
            present: row.present,
            version: row.key.version,
            by: row.by.filter(|_| invites),
        };
        let request = Request::Commit(Command::UpdateInbox(update));
        let asked = world.router.ask(row.key.user.slot(), request, PATIENCE);
        if world.ctx.planted(Plant::OutboxSettledUnheard) {
            drop(tokio::spawn(asked));
            return Some(row.key);
        }
        match asked.await {
            Err(Refusal::Rejected { code, .. }) if code == Rejection::TooManyInvitations.code() => {
                leave(world, row.key).await
            }
            // That node has not heard yet that the feature level rose.
            Err(Refusal::Rejected { code, .. }) if code == client::Refusal::UpgradePending.code() => None,
            Ok(_) | Err(Refusal::Rejected { .. }) => Some(row.key),
            Err(_) => None,
        }
    });
    futures::stream::iter(carried).buffered(UNDER_WAY).filter_map(|key| async { key }).collect().await
}

/// The user's shard takes no more invitations, or this one is over: the user is no member and
/// leaves the group, as by its own request.
pub(super) async fn leave(world: &World, key: OutboxKey) -> Option<OutboxKey> {
    let ConversationId::Group(group) = key.conversation else { return Some(key) };
    let leave = ChangeGroup { group, actor: key.user, request: key.refusal(), change: GroupChange::Leave };
    let request = Request::Commit(Command::ChangeGroup(leave));
    match world.router.ask(key.conversation.slot(), request, PATIENCE).await {
        Ok(_) | Err(Refusal::Rejected { .. }) => Some(key),
        Err(_) => None,
    }
}

async fn settle(world: &World, shard: ShardId, keys: Vec<OutboxKey>) -> Result<(), Refusal> {
    let mut by_slot: BTreeMap<Slot, Vec<OutboxKey>> = BTreeMap::new();
    for key in keys {
        by_slot.entry(key.slot).or_default().push(key);
    }
    if !by_slot.is_empty() {
        let settle = |(slot, rows)| Command::SettleOutbox(SettleOutbox { slot, rows });
        world.propose(shard, by_slot.into_iter().map(settle).collect()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use troupe_core::{GroupId, Seq, State, UserId};
    use troupe_store::engine::{Durability, Engine};
    use troupe_store::memory::Memory;
    use troupe_store::rows::Transaction;

    use super::*;

    const ALL: Range<u16> = 0..1024;

    fn group(number: u64) -> ConversationId {
        ConversationId::Group(GroupId(1024 * 7 + number))
    }

    /// A store that owes so many rows of each conversation.
    fn owing(debts: &[(ConversationId, u64)]) -> Memory {
        let engine = Memory::new();
        let mut rows = Transaction::new(engine.snapshot());
        for (conversation, count) in debts {
            for user in 1..=*count {
                let slot = conversation.slot();
                let key = OutboxKey { slot, conversation: *conversation, version: Seq(2), user: UserId(user) };
                rows.put_outbox(&OutboxRow { key, present: true, by: None });
            }
        }
        let batch = rows.into_batch().expect("rows");
        engine.write(batch, Durability::Buffered).expect("written");
        engine
    }

    /// Reads rounds as a walk does, with every row left behind; returns the batches.
    fn walked(engine: &Memory) -> Vec<Vec<OutboxRow>> {
        let view = View::new(engine.snapshot());
        let (mut positions, mut batches) = (Positions::new(), Vec::new());
        loop {
            let (mut from, mut carried) = (None, 0);
            loop {
                let page = Page::read(&view, ALL, from, &positions).expect("a page");
                positions.extend(page.rows.iter().map(|row| (row.key.conversation, row.key.clone())));
                carried += page.rows.len();
                batches.push(page.rows);
                match page.next {
                    Some(next) => from = Some(next),
                    None => break,
                }
            }
            if carried == 0 {
                return batches;
            }
        }
    }

    #[test]
    fn a_flood_of_one_conversation_delays_no_other() {
        let (flood, quiet) = (group(1), group(2));
        let batches = walked(&owing(&[(flood, 10_000), (quiet, 1)]));
        assert!(batches[0].iter().any(|row| row.key.conversation == quiet), "the quiet one is in the first batch");
        let mut carried: Vec<OutboxKey> = batches.into_iter().flatten().map(|row| row.key).collect();
        carried.sort();
        carried.dedup();
        assert_eq!(carried.len(), 10_001, "each row is carried");
    }

    #[test]
    fn many_conversations_take_turns_and_none_is_forgotten() {
        let debts: Vec<(ConversationId, u64)> = (1..=600).map(|number| (group(number), number % 40 + 1)).collect();
        let batches = walked(&owing(&debts));
        let total: u64 = debts.iter().map(|(_, count)| count).sum();
        assert_eq!(batches.iter().map(Vec::len).sum::<usize>() as u64, total);
        assert!(batches.iter().all(|batch| batch.len() < BATCH + SHARE));
        // Every conversation has had its first share before any comes a second time.
        let (mut met, mut again) = (BTreeSet::new(), false);
        for batch in batches {
            let sources: BTreeSet<_> = batch.iter().map(|row| row.key.conversation).collect();
            again |= !sources.is_disjoint(&met);
            assert!(!again || sources.is_subset(&met), "a conversation waited for the second share of another");
            met.extend(sources);
        }
    }
}
