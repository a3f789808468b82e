//! openraft's own suite for storages, on an engine that another group shares, and cases that the
//! suite does not cover.

use openraft::StorageError;
use openraft::storage::{IOFlushed, RaftLogReader, RaftLogStorage};
use openraft::testing::log::{StoreBuilder, Suite};
use troupe_core::level::Range;
use troupe_core::{Machine, ShardId, ShardMap};
use troupe_runtime::Platform;
use troupe_store::engine::Reader;
use troupe_store::memory::Memory;

use super::*;
use crate::log::applier::ShardApplier;
use crate::log::state_machine::{Gate, StateMachine};
use crate::types::{Payload, Proposal, Types};

const GROUP: GroupId = GroupId(2);

struct Shared {
    memory: Memory,
    log: LogStore,
    machine: StateMachine,
}

fn open(memory: Memory, platform: Platform) -> Shared {
    let engine: Arc<dyn Engine> = Arc::new(memory.clone());
    let fatal = Fatal::new();
    let flusher = Flusher::start(platform.clone(), engine.clone(), fatal.clone());
    let log =
        LogStore::open(GROUP, platform.clone(), engine.clone(), flusher.clone(), fatal.clone(), LogLimits::default())
            .unwrap();
    let applier = ShardApplier {
        shard: ShardId(1),
        map: ShardMap { count: 16 },
        machine: Machine::default(),
        supports: Range::OURS,
        numberings: Default::default(),
        search: None,
    };
    let machine =
        StateMachine::open(GROUP, platform, engine, flusher, fatal, Arc::new(applier), Gate::default()).unwrap();
    Shared { memory, log, machine }
}

fn platform() -> Platform {
    Platform { executor: Arc::new(troupe_runtime::executor::Inline), ..Platform::production() }
}

/// The rows of the groups before and after ours, which no call may change.
fn neighbours(memory: &Memory) {
    let mut batch = Batch::default();
    for group in [GROUP.0 - 1, GROUP.0 + 1] {
        for index in 0..30 {
            let entry = Entry { log_id: LogId::new_term_index(9, index), payload: Payload::Blank };
            let value = codec::seal(&codec::entry_out(&entry));
            batch.put(Family::RaftLog, RaftLogKey { group, index }.encode(), value);
        }
        for what in What::ALL {
            batch.put(Family::RaftMeta, RaftMetaKey { group, what }.encode(), vec![0xFF]);
        }
    }
    memory.write(batch, Durability::Synced).unwrap();
}

struct Builder;

impl StoreBuilder<Types, LogStore, StateMachine, ()> for Builder {
    async fn build(&self) -> Result<((), LogStore, StateMachine), StorageError<Types>> {
        let memory = Memory::new();
        neighbours(&memory);
        let shared = open(memory, platform());
        Ok(((), shared.log, shared.machine))
    }
}

#[tokio::test(start_paused = true)]
async fn openrafts_suite_passes_beside_other_groups() {
    Suite::<Types, LogStore, StateMachine, Builder, ()>::test_all(Builder).await.unwrap();
}

fn entry(index: u64, bytes: usize) -> Entry {
    Entry { log_id: LogId::new_term_index(1, index), payload: Payload::Normal(Proposal::logged(vec![7; bytes].into())) }
}

async fn append(log: &mut LogStore, entries: Vec<Entry>) {
    let (done, flushed) = tokio::sync::oneshot::channel();
    let (signal, outcome) = <openraft::alias::OneshotOf<Types> as openraft::async_runtime::Oneshot>::channel();
    log.append(entries, IOFlushed::signal(signal)).await.unwrap();
    tokio::spawn(async move { done.send(outcome.await) });
    flushed.await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_log_larger_than_its_tail_is_read_whole_and_in_pieces_of_bounded_size() {
    const ENTRIES: u64 = 100;
    const BYTES: usize = 64 * 1024;
    let mut log = open(Memory::new(), platform()).log;
    for index in 0..ENTRIES {
        append(&mut log, vec![entry(index, BYTES)]).await;
    }
    assert!(log.log.lock().tail_bytes <= TAIL_BYTES + 2 * BYTES);
    let all = log.try_get_log_entries(..).await.unwrap();
    assert!(all.iter().map(|entry| entry.log_id.index).eq(0..ENTRIES));
    let mut next = 0;
    while next < ENTRIES {
        let piece = log.limited_get_log_entries(next, ENTRIES).await.unwrap();
        assert!(piece.iter().map(codec::entry_bytes).sum::<usize>() <= READ_BYTES);
        assert_eq!(piece.first().map(|entry| entry.log_id.index), Some(next));
        next += piece.len() as u64;
    }
    let streamed: Vec<Entry> = futures::TryStreamExt::try_collect(log.entries_stream(10..ENTRIES).await).await.unwrap();
    assert!(streamed.iter().map(|entry| entry.log_id.index).eq(10..ENTRIES));
}

#[tokio::test]
async fn what_was_flushed_survives_a_power_loss_and_nothing_is_reported_before() {
    let mut shared = open(Memory::new(), platform());
    shared.log.save_vote(&Vote::new_committed(3, 4)).await.unwrap();
    append(&mut shared.log, vec![entry(0, 10), entry(1, 10)]).await;
    shared.log.save_committed(Some(LogId::new_term_index(1, 1))).await.unwrap();
    append(&mut shared.log, vec![entry(2, 10)]).await;
    let mut after = open(shared.memory.crash(), platform()).log;
    assert_eq!(after.read_vote().await.unwrap(), Some(Vote::new_committed(3, 4)));
    assert_eq!(after.read_committed().await.unwrap(), Some(LogId::new_term_index(1, 1)));
    let entries = after.try_get_log_entries(..).await.unwrap();
    assert_eq!(entries, vec![entry(0, 10), entry(1, 10), entry(2, 10)]);
}

#[tokio::test]
async fn a_truncated_tail_does_not_come_back() {
    let mut shared = open(Memory::new(), platform());
    append(&mut shared.log, (0..10).map(|index| entry(index, 10)).collect()).await;
    shared.log.truncate_after(Some(LogId::new_term_index(1, 4))).await.unwrap();
    append(&mut shared.log, vec![entry(5, 20)]).await;
    for log in [&mut shared.log.clone(), &mut open(shared.memory.crash(), platform()).log] {
        let entries = log.try_get_log_entries(..).await.unwrap();
        assert_eq!(entries.len(), 6);
        assert_eq!(entries[5], entry(5, 20));
    }
}

#[tokio::test]
async fn a_failed_write_fails_its_caller_and_everybody_after_it() {
    let mut shared = open(Memory::new(), platform());
    shared.memory.fail_next_write("the disk is gone");
    assert!(shared.log.save_vote(&Vote::new(3, 4)).await.is_err());
    assert!(shared.log.fatal.wait().await.contains("the disk is gone"));
    assert!(shared.log.save_vote(&Vote::new(3, 4)).await.is_err());
    let after = shared.memory.crash();
    assert_eq!(after.get(Family::RaftMeta, &meta_key(GROUP, What::Vote)).unwrap(), None);
}

#[cfg(feature = "planted-bugs")]
#[tokio::test]
async fn the_planted_bug_loses_what_it_reported() {
    let planted = troupe_core::planted::Bug::AckBeforeFsync.into();
    let mut shared = open(Memory::new(), Platform { planted, ..platform() });
    append(&mut shared.log, vec![entry(0, 10)]).await;
    let mut after = open(shared.memory.crash(), platform()).log;
    assert_eq!(after.try_get_log_entries(..).await.unwrap(), vec![]);
}

#[tokio::test(start_paused = true)]
async fn entries_that_were_replaced_are_dropped_when_the_state_is_beyond_them() {
    let memory = Memory::new();
    neighbours(&memory);
    let mut shared = open(memory, platform());
    append(&mut shared.log, (0..60).map(|index| entry(index, 10)).collect()).await;
    // Applied before the log had it: another leader's entry instead of one of these.
    let applied = LogId::new_term_index(2, 55);
    let mut batch = Batch::default();
    let row = codec::seal(&codec::applied_out(Some(&applied), &Default::default()));
    batch.put(Family::RaftMeta, meta_key(GROUP, What::Applied), row);
    shared.memory.write(batch, Durability::Synced).unwrap();

    let mut shared = open(shared.memory.kill(), platform());
    let state = shared.log.get_log_state().await.unwrap();
    assert_eq!((state.last_log_id, state.last_purged_log_id), (Some(applied), Some(applied)));
    append(&mut shared.log, vec![Entry { log_id: LogId::new_term_index(2, 56), payload: Payload::Blank }]).await;
    let again = open(shared.memory.kill(), platform()).log.get_log_state().await.unwrap();
    assert_eq!(again.last_log_id, Some(LogId::new_term_index(2, 56)), "what follows stays");
}
