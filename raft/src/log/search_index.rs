//! The search index of a shard's replica, built from applied rows in the background.
//!
//! [`troupe_store::rows::search`] has the rows. The applier removes a block in the batch that
//! changes one of its messages, so an erased word leaves the index on each replica with the commit
//! that erases it. Here whole blocks are built at a bounded pace, one at a time on a node. A task
//! reads a block on one lane and writes it in turn with the applier. It drops a block that a commit
//! has touched in between, and reads it again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::sleep;
use troupe_core::planted::Bug;
use troupe_core::{ConversationId, ShardMap, limits};
use troupe_runtime::{Lane, Platform, executor};
use troupe_store::engine::{Batch, Durability, Engine, EngineError};
use troupe_store::rows::View;
use troupe_store::rows::search::{Block, BlockSize, invalidate, touched};

use crate::log::state_machine::apply_lane;
use crate::replication::group::{Group, GroupContext};

/// Between two blocks of a node: about 5,000 messages per second and shard replica are indexed, and
/// more are indexed later.
const PACE: Duration = Duration::from_millis(50);
/// Conversations that one step of a walk compares with the index.
const WALK: usize = 32;
/// After a lane was full.
const AGAIN: Duration = Duration::from_millis(500);

/// Takes turns among the replicas of a node.
pub type Pace = Arc<tokio::sync::Mutex<()>>;

/// The blocks of a shard that wait for the index.
pub struct SearchIndex {
    size: BlockSize,
    state: Mutex<State>,
    news: Notify,
}

#[derive(Default)]
struct State {
    waiting: BTreeSet<Block>,
    /// The index may lack any block behind this conversation.
    walk: Option<Option<ConversationId>>,
    building: Option<Block>,
    /// The block in the making was read before the last change of it.
    is_spoiled: bool,
    /// Touched by the step that is being applied.
    step: BTreeSet<Block>,
}

impl State {
    fn add(&mut self, blocks: impl IntoIterator<Item = Block>) {
        self.waiting.extend(blocks);
        if self.waiting.len() > limits::SEARCH_BLOCKS_WAITING {
            self.waiting.clear();
            self.walk = Some(None);
        }
    }

    fn spoil(&mut self) {
        self.is_spoiled |= self.building.is_some_and(|building| self.step.contains(&building));
    }
}

enum Work {
    Walk(Option<ConversationId>),
    Build(Block),
}

impl SearchIndex {
    pub fn new(size: BlockSize) -> SearchIndex {
        let state = State { walk: Some(None), ..State::default() };
        SearchIndex { size, state: Mutex::new(state), news: Notify::new() }
    }

    /// Adds to the batch of an apply that the blocks which it changes are gone.
    pub fn follow(&self, engine: &Arc<dyn Engine>, batch: &mut Batch) -> Result<(), EngineError> {
        let (touched, completed) = touched(batch, self.size);
        let removed = invalidate(&View::new(engine.clone()), &touched, batch)?;
        let mut state = self.state.lock();
        state.step = touched;
        state.spoil();
        if removed.is_empty() && completed.is_empty() {
            return Ok(());
        }
        state.add(completed.into_iter().chain(removed));
        drop(state);
        self.news.notify_one();
        Ok(())
    }

    /// The batch is written.
    pub fn written(&self) {
        let mut state = self.state.lock();
        state.spoil();
        state.step.clear();
    }

    /// All rows of the shard are about to be replaced, and the index is deleted with them.
    pub fn replaced(&self) {
        let mut state = self.state.lock();
        state.waiting.clear();
        state.is_spoiled = true;
        state.walk = Some(None);
        drop(state);
        self.news.notify_one();
    }

    fn next(&self) -> Option<Work> {
        let mut state = self.state.lock();
        if let Some(block) = state.waiting.pop_first() {
            return Some(Work::Build(block));
        }
        state.walk.take().map(Work::Walk)
    }
}

/// Builds what is missing, until the replica ends.
pub async fn run(context: GroupContext, group: Group, index: Arc<SearchIndex>, map: ShardMap) {
    let mut server = group.raft.server_metrics();
    let ended = async { while server.changed().await.is_ok() {} };
    let building = async {
        loop {
            match index.next() {
                None => index.news.notified().await,
                Some(Work::Walk(from)) => walk(&context, &group, &index, map, from).await,
                Some(Work::Build(block)) => {
                    let _turn = context.search_pace.lock().await;
                    if build(&context, &group, &index, block).await {
                        sleep(PACE).await;
                    }
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = ended => {}
        () = building => {}
    }
}

/// Compares some conversations with the index.
async fn walk(context: &GroupContext, group: &Group, index: &SearchIndex, map: ShardMap, from: Option<ConversationId>) {
    let GroupContext { platform, engine, .. } = context;
    let Some(shard) = group.id.shard() else { return };
    let ((first, end), size, reader) = (map.slots(shard), index.size, engine.clone());
    let look = move || {
        let view = View::new(reader.snapshot());
        let page = view.conversations(first..end, from, WALK)?;
        let (mut missing, mut upto) = (Vec::new(), from);
        for (conversation, _) in &page {
            let room = limits::SEARCH_BLOCKS_WAITING / 2 - missing.len();
            let more = view.blocks_missing(*conversation, size, room)?;
            missing.extend(more);
            if missing.len() == limits::SEARCH_BLOCKS_WAITING / 2 {
                // The rest of this conversation is found by the next step.
                return Ok((missing, Some(upto)));
            }
            upto = Some(*conversation);
        }
        Ok::<_, EngineError>((missing, (page.len() == WALK).then_some(upto)))
    };
    let found = executor::run(&*platform.executor, Lane::Bulk, look).await;
    match found {
        Some(Ok((missing, next))) => {
            let mut state = index.state.lock();
            state.add(missing);
            if state.walk.is_none() {
                state.walk = next;
            }
        }
        // A broken engine stops the node elsewhere.
        Some(Err(error)) => {
            tracing::debug!(group = %group.id, %error, "the search index is not compared");
            index.state.lock().walk = Some(from);
            sleep(AGAIN).await;
        }
        None => {
            index.state.lock().walk = Some(from);
            sleep(AGAIN).await;
        }
    }
}

/// Returns whether a block was written.
async fn build(context: &GroupContext, group: &Group, index: &Arc<SearchIndex>, block: Block) -> bool {
    let GroupContext { platform, engine, .. } = context;
    let (reader, size, shared) = (engine.clone(), index.size, index.clone());
    let forgets = platform.planted(Bug::SearchForgets);
    let read = move || {
        {
            let mut state = shared.state.lock();
            (state.building, state.is_spoiled) = (Some(block), false);
        }
        let view = View::new(reader.snapshot());
        if view.is_built(block)? { Ok(None) } else { view.build(block, size, forgets).map(Some) }
    };
    let built = executor::run(&*platform.executor, Lane::Bulk, read).await;
    let rows = match built {
        Some(Ok(None)) => return false,
        Some(Ok(Some(rows))) => rows,
        Some(Err(error)) => {
            tracing::debug!(group = %group.id, %error, "a block of the search index is not built");
            sleep(AGAIN).await;
            return false;
        }
        None => {
            index.state.lock().add([block]);
            sleep(AGAIN).await;
            return false;
        }
    };
    write(platform, engine, group, index, block, rows).await
}

/// In turn with the applier, so that no commit comes between the check and the write.
async fn write(
    platform: &Platform,
    engine: &Arc<dyn Engine>,
    group: &Group,
    index: &Arc<SearchIndex>,
    block: Block,
    rows: Batch,
) -> bool {
    let (engine, gate, shared) = (engine.clone(), group.gate(), index.clone());
    let write = move || {
        let _turn = gate.turn();
        let is_spoiled = {
            let mut state = shared.state.lock();
            state.building = None;
            std::mem::take(&mut state.is_spoiled)
        };
        if is_spoiled {
            shared.state.lock().add([block]);
            return false;
        }
        gate.pass(|| engine.write(rows, Durability::Buffered)).is_ok()
    };
    match executor::run(&*platform.executor, apply_lane(group.id), write).await {
        Some(is_written) => is_written,
        None => {
            index.state.lock().add([block]);
            sleep(AGAIN).await;
            false
        }
    }
}
