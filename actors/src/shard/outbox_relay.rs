//! Relays the transactional outbox of a shard: each row is sent until the shard of its user has
//! committed it, then it is settled here.
//!
//! The relay is fair between conversations. It works in rounds, and each round sends one share of
//! the rows of every conversation, so a flood in one conversation delays the rows of others by one
//! share. A row is applied by its version, so sending it twice has no further effect.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use parking_lot::Mutex;
use ractor::ActorRef;
use troupe_core::command::{Append, Intent, SettleOutbox, UpdateInbox};
use troupe_core::planted::Bug;
use troupe_core::record::{OutboxKey, OutboxRow};
use troupe_core::{Command, ConversationId, Rejection, ShardId, Slot};
use troupe_proto::client;
use troupe_raft::api::Strangers;
use troupe_runtime::Backoff;
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use crate::context::{Asker, NodeContext};
use crate::message::{Answer, Refusal, Request};
use crate::protocol::ShardMsg;
use crate::router::PATIENCE;

/// Rows read, sent and settled together.
const BATCH: usize = 256;
/// Rows of one conversation in a batch that several conversations share.
const SHARE: usize = 16;
/// Rows that wait for another shard at once.
const IN_FLIGHT: usize = 64;
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));

/// Relays until the outbox is empty, then reports to the shard. An unreachable shard delays no
/// other shard: the relay skips its rows and retries them later.
pub async fn run(context: NodeContext, shard: ShardId, slots: Range<u16>, parent: ActorRef<ShardMsg>) {
    let mut backoff = BACKOFF;
    loop {
        match drain(&context, shard, slots.clone()).await {
            Ok(false) => {
                let _ = parent.send_message(ShardMsg::OutboxEmpty);
                return;
            }
            Ok(true) | Err(_) => {
                tokio::time::sleep(backoff.pause(&context.platform.rng)).await;
            }
        }
    }
}

/// Runs rounds until one finds nothing to send. Returns whether rows had to be left behind.
async fn drain(context: &NodeContext, shard: ShardId, slots: Range<u16>) -> Result<bool, Refusal> {
    let mut positions = Arc::new(Positions::new());
    loop {
        let (mut from, mut sent) = (None, 0);
        let mut seen = BTreeSet::new();
        loop {
            let page = page(context, shard, slots.clone(), from, positions.clone()).await?;
            seen.extend(page.sources);
            sent += page.rows.len();
            let known = Arc::make_mut(&mut positions);
            known.extend(page.rows.iter().map(|row| (row.key.conversation, row.key.clone())));
            settle(context, shard, send(context, page.rows).await).await?;
            match page.next {
                Some(next) => from = Some(next),
                None => break,
            }
        }
        context.platform.metrics.outbox_rows.count(sent);
        if sent == 0 {
            return Ok(!seen.is_empty());
        }
        // Only conversations with rows left need a position.
        Arc::make_mut(&mut positions).retain(|conversation, _| seen.contains(conversation));
    }
}

/// The last row sent of each conversation that still has rows.
type Positions = BTreeMap<ConversationId, OutboxKey>;

/// A part of one round.
#[derive(Debug, Default)]
struct Page {
    rows: Vec<OutboxRow>,
    /// The conversations read; each of them has rows.
    sources: Vec<ConversationId>,
    /// Where the round continues.
    next: Option<ConversationId>,
}

impl Page {
    /// The shares of the next conversations. Fewer conversations get larger shares.
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

/// Reads behind a barrier: a new leader may still apply entries of the previous one, and the rows
/// that those leave start no further run.
async fn page(
    context: &NodeContext,
    shard: ShardId,
    slots: Range<u16>,
    from: Option<ConversationId>,
    positions: Arc<Positions>,
) -> Result<Page, Refusal> {
    let page = Arc::new(Mutex::new(Page::default()));
    let found = page.clone();
    context
        .read(shard, Asker::Node, move |view| {
            *found.lock() = Page::read(view, slots, from, &positions)?;
            Ok(Ok(Answer::Done))
        })
        .await?;
    Ok(std::mem::take(&mut *page.lock()))
}

/// Returns the rows that the other shards have committed, or will never accept.
async fn send(context: &NodeContext, rows: Vec<OutboxRow>) -> Vec<OutboxKey> {
    let invites = context.router.routing().settings.strangers == Strangers::Invite;
    let sending = rows.into_iter().map(|row| async move {
        let update = UpdateInbox {
            user: row.key.user,
            conversation: row.key.conversation,
            present: row.present,
            version: row.key.version,
            by: row.by.filter(|_| invites),
        };
        let request = Request::Commit(Command::UpdateInbox(update));
        let asked = context.router.ask(row.key.user.slot(), request, PATIENCE);
        if context.platform.planted(Bug::OutboxSettledUnheard) {
            drop(tokio::spawn(asked));
            return Some(row.key);
        }
        match asked.await {
            Err(Refusal::Rejected { code, .. }) if code == Rejection::TooManyInvitations.code() => {
                leave(context, row.key).await
            }
            // The other node does not know yet that the feature level rose.
            Err(Refusal::Rejected { code, .. }) if code == client::Refusal::UpgradePending.code() => None,
            Ok(_) | Err(Refusal::Rejected { .. }) => Some(row.key),
            Err(_) => None,
        }
    });
    futures::stream::iter(sending).buffered(IN_FLIGHT).filter_map(|key| async { key }).collect().await
}

/// Makes the user leave the group, as by its own request, because its shard accepts no more
/// invitations or because this invitation has expired.
pub(super) async fn leave(context: &NodeContext, key: OutboxKey) -> Option<OutboxKey> {
    let leave = Append {
        conversation: key.conversation,
        actor: key.user,
        client_message_id: key.refusal(),
        after: None,
        intent: Intent::Leave,
    };
    let request = Request::Commit(Command::Append(leave));
    match context.router.ask(key.conversation.slot(), request, PATIENCE).await {
        Ok(_) | Err(Refusal::Rejected { .. }) => Some(key),
        Err(_) => None,
    }
}

async fn settle(context: &NodeContext, shard: ShardId, keys: Vec<OutboxKey>) -> Result<(), Refusal> {
    let mut by_slot: BTreeMap<Slot, Vec<OutboxKey>> = BTreeMap::new();
    for key in keys {
        by_slot.entry(key.slot).or_default().push(key);
    }
    if !by_slot.is_empty() {
        let settle = |(slot, rows)| Command::SettleOutbox(SettleOutbox { slot, rows });
        context.propose(shard, by_slot.into_iter().map(settle).collect()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use troupe_core::{GroupId, Rows, Seq, UserId};
    use troupe_store::engine::{Durability, Engine};
    use troupe_store::memory::Memory;
    use troupe_store::rows::Transaction;

    use super::*;

    const ALL: Range<u16> = 0..1024;

    fn group(number: u64) -> ConversationId {
        ConversationId::Group(GroupId(1024 * 7 + number))
    }

    /// A store with this many rows of each conversation.
    fn store_with(counts: &[(ConversationId, u64)]) -> Memory {
        let engine = Memory::new();
        let mut rows = Transaction::new(engine.snapshot());
        for (conversation, count) in counts {
            for user in 1..=*count {
                let slot = conversation.slot();
                let key = OutboxKey { slot, conversation: *conversation, version: Seq(2), user: UserId(user) };
                rows.put(&key.clone(), &OutboxRow { key, present: true, by: None });
            }
        }
        let batch = rows.into_batch().expect("rows");
        engine.write(batch, Durability::Buffered).expect("written");
        engine
    }

    /// Reads rounds as the relay does, settles nothing, and returns the batches.
    fn batches_of(engine: &Memory) -> Vec<Vec<OutboxRow>> {
        let view = View::new(engine.snapshot());
        let (mut positions, mut batches) = (Positions::new(), Vec::new());
        loop {
            let (mut from, mut sent) = (None, 0);
            loop {
                let page = Page::read(&view, ALL, from, &positions).expect("a page");
                positions.extend(page.rows.iter().map(|row| (row.key.conversation, row.key.clone())));
                sent += page.rows.len();
                batches.push(page.rows);
                match page.next {
                    Some(next) => from = Some(next),
                    None => break,
                }
            }
            if sent == 0 {
                return batches;
            }
        }
    }

    #[test]
    fn a_flood_of_one_conversation_delays_no_other() {
        let (flood, quiet) = (group(1), group(2));
        let batches = batches_of(&store_with(&[(flood, 10_000), (quiet, 1)]));
        assert!(
            batches[0].iter().any(|row| row.key.conversation == quiet),
            "the first batch has a row of the quiet conversation"
        );
        let mut sent: Vec<OutboxKey> = batches.into_iter().flatten().map(|row| row.key).collect();
        sent.sort();
        sent.dedup();
        assert_eq!(sent.len(), 10_001, "every row is sent");
    }

    #[test]
    fn conversations_take_turns_and_every_row_is_sent() {
        let counts: Vec<(ConversationId, u64)> = (1..=600).map(|number| (group(number), number % 40 + 1)).collect();
        let batches = batches_of(&store_with(&counts));
        let total: u64 = counts.iter().map(|(_, count)| count).sum();
        assert_eq!(batches.iter().map(Vec::len).sum::<usize>() as u64, total);
        assert!(batches.iter().all(|batch| batch.len() < BATCH + SHARE));
        // Every conversation gets its first share before any gets a second one.
        let (mut met, mut again) = (BTreeSet::new(), false);
        for batch in batches {
            let sources: BTreeSet<_> = batch.iter().map(|row| row.key.conversation).collect();
            again |= !sources.is_disjoint(&met);
            assert!(
                !again || sources.is_subset(&met),
                "a conversation got a second share before another got its first"
            );
            met.extend(sources);
        }
    }
}
