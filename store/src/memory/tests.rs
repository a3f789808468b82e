//! The effects of a power loss.

use super::*;

fn put(memory: &Memory, key: u8, durability: Durability) {
    let mut batch = Batch::default();
    batch.put(Family::Users, [key], [key]);
    memory.write(batch, durability).unwrap();
}

fn keys(memory: &Memory) -> Vec<u8> {
    let all = memory.scan(Family::Users, (Bound::Unbounded, Bound::Unbounded), false, 100).unwrap();
    all.into_iter().map(|(key, _)| key[0]).collect()
}

#[test]
fn a_power_loss_takes_what_was_not_synced() {
    let memory = Memory::new();
    put(&memory, 1, Durability::Buffered);
    put(&memory, 2, Durability::Synced);
    put(&memory, 3, Durability::Buffered);
    assert_eq!(keys(&memory), [1, 2, 3]);
    assert_eq!(memory.unsynced(), 1);
    assert_eq!(keys(&memory.crash()), [1, 2], "a synced write makes the ones before it durable");
}

#[test]
fn a_power_loss_may_keep_a_prefix_in_order() {
    for keep in 0..=4 {
        let memory = Memory::new();
        for key in 1..=4 {
            put(&memory, key, Durability::Buffered);
        }
        let kept: Vec<u8> = (1..=keep).collect();
        let memory = memory.crash_keeping(usize::from(keep));
        assert_eq!(keys(&memory), kept);
        assert_eq!(memory.unsynced(), 0, "what survived is on disk");
    }
}

#[test]
fn a_killed_process_loses_nothing_but_syncs_nothing() {
    let memory = Memory::new();
    put(&memory, 1, Durability::Buffered);
    let next = memory.kill();
    assert_eq!(keys(&next), [1]);
    assert_eq!(next.unsynced(), 1);
    assert!(keys(&next.crash()).is_empty());
}

#[test]
fn an_ended_process_cannot_use_the_disk() {
    let old = Memory::new();
    let new = old.kill();
    assert!(matches!(old.write(Batch::default(), Durability::Synced), Err(EngineError::Fatal(_))));
    assert!(matches!(old.get(Family::Users, b"x"), Err(EngineError::Fatal(_))));
    assert!(matches!(old.snapshot().get(Family::Users, b"x"), Err(EngineError::Fatal(_))));
    assert!(matches!(old.begin_replace(vec![]), Err(EngineError::Fatal(_))));
    put(&new, 1, Durability::Synced);
    assert_eq!(keys(&old.crash()), [1], "the disk can be reached through any handle");
}

#[test]
fn after_a_failed_write_nothing_works_and_its_fate_is_open() {
    for (keep, expected) in [(0, vec![1]), (1, vec![1, 2])] {
        let memory = Memory::new();
        put(&memory, 1, Durability::Synced);
        memory.fail_next_write("fsync: input/output error");
        let mut batch = Batch::default();
        batch.put(Family::Users, [2], [2]);
        let failed = memory.write(batch, Durability::Synced);
        assert!(matches!(failed, Err(EngineError::Fatal(why)) if why.contains("fsync")));
        assert!(memory.sync().is_err(), "an fsync is never retried");
        assert!(memory.get(Family::Users, &[1]).is_err());
        assert_eq!(keys(&memory.crash_keeping(keep)), expected);
    }
}

#[test]
fn an_install_is_durable_at_once_and_takes_earlier_writes_along() {
    let memory = Memory::new();
    put(&memory, 1, Durability::Buffered);
    put(&memory, 9, Durability::Buffered);
    let mut replace = memory.begin_replace(vec![(Family::Users, vec![0], vec![5])]).unwrap();
    replace.put(Family::Users, &[2], &[2]).unwrap();
    replace.commit(Batch::default()).unwrap();
    assert_eq!(keys(&memory.crash()), [2, 9]);
}
