//! Relays the transactional outbox of a shard: each row is sent until the shard that it is for has
//! committed it, then it is settled here.
//!
//! The relay is fair between the sources of rows: conversations, and users. It works in rounds, and
//! each round sends one share of the rows of every source, so a flood of one source delays the rows
//! of others by one share. A row is applied by its version, so sending it twice has no further
//! effect.

mod contacts;
mod inboxes;
mod rooms;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use parking_lot::Mutex;
use ractor::ActorRef;
use troupe_core::{Command, ShardId, Slot};
use troupe_proto::client;
use troupe_runtime::Backoff;
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use crate::context::{Asker, NodeContext};
use crate::message::{Answer, Refusal, Request};
use crate::protocol::ShardMsg;
use crate::router::PATIENCE;

use contacts::Contacts;
use inboxes::Inboxes;
pub(super) use inboxes::leave;
use rooms::Rooms;

/// Rows read, sent and settled together.
const BATCH: usize = 256;
/// Rows of one source in a batch that several sources share.
const SHARE: usize = 16;
/// Rows that wait for another shard at once.
const IN_FLIGHT: usize = 64;
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));

/// One kind of rows that a shard owes others.
trait Outbox: Send + 'static {
    /// Rows of one source are sent in order and share its turn.
    type Source: Ord + Copy + Send + Sync;
    type Key: Clone + Send + Sync;
    type Row: Send + 'static;
    type Settled: Send;

    /// The sources with rows, behind `from`, in order.
    fn sources(
        view: &View,
        slots: Range<u16>,
        from: Option<Self::Source>,
        limit: usize,
    ) -> Result<Vec<Self::Source>, EngineError>;
    fn rows(
        view: &View,
        source: Self::Source,
        after: Option<&Self::Key>,
        limit: usize,
    ) -> Result<Vec<Self::Row>, EngineError>;
    fn place(row: &Self::Row) -> (Self::Source, Self::Key);
    /// `None`: the other shard has not committed it and may still accept it.
    fn send(context: &NodeContext, row: Self::Row) -> impl Future<Output = Option<Self::Settled>> + Send;
    fn settle(settled: Vec<Self::Settled>) -> Vec<Command>;
}

/// Relays until the outbox is empty, then reports to the shard. An unreachable shard delays no
/// other shard: the relay skips its rows and retries them later.
pub async fn run(context: NodeContext, shard: ShardId, slots: Range<u16>, parent: ActorRef<ShardMsg>) {
    let mut backoff = BACKOFF;
    loop {
        let inboxes = drain::<Inboxes>(&context, shard, slots.clone()).await;
        let contacts = drain::<Contacts>(&context, shard, slots.clone()).await;
        let rooms = drain::<Rooms>(&context, shard, slots.clone()).await;
        if let (Ok(false), Ok(false), Ok(false)) = (inboxes, contacts, rooms) {
            let _ = parent.send_message(ShardMsg::OutboxEmpty);
            return;
        }
        tokio::time::sleep(backoff.pause(&context.platform.rng)).await;
    }
}

/// Runs rounds until one finds nothing to send. Returns whether rows had to be left behind.
async fn drain<O: Outbox>(context: &NodeContext, shard: ShardId, slots: Range<u16>) -> Result<bool, Refusal> {
    let mut positions = Arc::new(Positions::<O>::new());
    loop {
        let (mut from, mut sent) = (None, 0);
        let mut seen = BTreeSet::new();
        loop {
            let page = page::<O>(context, shard, slots.clone(), from, positions.clone()).await?;
            seen.extend(page.sources);
            sent += page.rows.len();
            Arc::make_mut(&mut positions).extend(page.rows.iter().map(O::place));
            let sending = page.rows.into_iter().map(|row| O::send(context, row));
            let sending = futures::stream::iter(sending).buffered(IN_FLIGHT);
            let settled: Vec<O::Settled> = sending.filter_map(|settled| async { settled }).collect().await;
            if !settled.is_empty() {
                context.propose(shard, O::settle(settled)).await?;
            }
            match page.next {
                Some(next) => from = Some(next),
                None => break,
            }
        }
        context.platform.metrics.outbox_rows.count(sent);
        if sent == 0 {
            return Ok(!seen.is_empty());
        }
        // Only sources with rows left need a position.
        Arc::make_mut(&mut positions).retain(|source, _| seen.contains(source));
    }
}

/// The last row sent of each source that still has rows.
type Positions<O> = BTreeMap<<O as Outbox>::Source, <O as Outbox>::Key>;

/// A part of one round.
struct Page<O: Outbox> {
    rows: Vec<O::Row>,
    /// The sources read; each of them has rows.
    sources: Vec<O::Source>,
    /// Where the round continues.
    next: Option<O::Source>,
}

impl<O: Outbox> Default for Page<O> {
    fn default() -> Page<O> {
        Page { rows: Vec::new(), sources: Vec::new(), next: None }
    }
}

impl<O: Outbox> Page<O> {
    /// The shares of the next sources. Fewer sources get larger shares.
    fn read(
        view: &View,
        slots: Range<u16>,
        from: Option<O::Source>,
        positions: &Positions<O>,
    ) -> Result<Page<O>, EngineError> {
        let found = O::sources(view, slots, from, BATCH)?;
        let share = (BATCH / found.len().max(1)).max(SHARE);
        let complete = found.len() < BATCH;
        let mut page = Page::default();
        let mut sources = found.into_iter().peekable();
        while page.rows.len() < BATCH
            && let Some(source) = sources.next()
        {
            page.rows.extend(O::rows(view, source, positions.get(&source), share)?);
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
async fn page<O: Outbox>(
    context: &NodeContext,
    shard: ShardId,
    slots: Range<u16>,
    from: Option<O::Source>,
    positions: Arc<Positions<O>>,
) -> Result<Page<O>, Refusal> {
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

/// The outcome at another shard.
enum Heard {
    Committed,
    /// It will never accept the command.
    Rejected(Cow<'static, str>),
    /// Unknown, or not now.
    Later,
}

async fn commit(context: &NodeContext, slot: Slot, command: Command) -> Heard {
    match context.router.ask(slot, Request::Commit(command), PATIENCE).await {
        Ok(_) => Heard::Committed,
        // The other node does not know yet that the feature level rose.
        Err(Refusal::Rejected { code, .. }) if code == client::Refusal::UpgradePending.code() => Heard::Later,
        Err(Refusal::Rejected { code, .. }) => Heard::Rejected(code),
        Err(_) => Heard::Later,
    }
}

#[cfg(test)]
mod tests {
    use troupe_core::record::{OutboxKey, OutboxRow};
    use troupe_core::{ConversationId, GroupId, Rows, Seq, UserId};
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
        let (mut positions, mut batches) = (Positions::<Inboxes>::new(), Vec::new());
        loop {
            let (mut from, mut sent) = (None, 0);
            loop {
                let page = Page::<Inboxes>::read(&view, ALL, from, &positions).expect("a page");
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
