//! One suite for all engines: the promises of `engine.rs`.

use std::ops::Bound;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use troupe_store::engine::{Batch, Durability, Engine, EngineError, Family, KeyRange, Op, Pair, Reader};

/// A place for engines, one after the other; the earlier one must be dropped.
trait Place {
    fn open(&mut self) -> Arc<dyn Engine>;
}

struct InMemory(troupe_store::Memory);

impl Place for InMemory {
    fn open(&mut self) -> Arc<dyn Engine> {
        self.0 = self.0.kill();
        Arc::new(self.0.clone())
    }
}

fn memory() -> InMemory {
    InMemory(troupe_store::Memory::new())
}

#[cfg(feature = "rocks")]
struct OnDisk(tempfile::TempDir);

#[cfg(feature = "rocks")]
impl Place for OnDisk {
    fn open(&mut self) -> Arc<dyn Engine> {
        Arc::new(troupe_store::Rocks::open(self.0.path()).unwrap())
    }
}

#[cfg(feature = "rocks")]
fn rocks() -> OnDisk {
    OnDisk(tempfile::tempdir().unwrap())
}

macro_rules! suite {
    ($($test:ident),* $(,)?) => {
        mod memory_engine {
            $(#[test] fn $test() { super::$test(&mut super::memory()) })*
        }
        #[cfg(feature = "rocks")]
        mod rocks_engine {
            $(#[test] fn $test() { super::$test(&mut super::rocks()) })*
        }
    };
}

suite![
    a_batch_is_applied_in_order,
    scans_are_ordered_and_bounded,
    families_are_apart,
    a_range_delete_takes_what_lies_inside,
    a_snapshot_does_not_change,
    a_replace_is_seen_whole_or_not_at_all,
    a_replace_refuses_what_was_not_agreed,
    an_empty_replace_empties_the_range,
    what_was_written_is_there_after_reopening,
    a_size_is_about_what_a_range_holds,
    it_behaves_as_an_ordered_map,
];

const ALL: KeyRange = (Bound::Unbounded, Bound::Unbounded);

fn put(engine: &dyn Engine, family: Family, keys: &[&str]) {
    let mut batch = Batch::default();
    for key in keys {
        batch.put(family, *key, format!("value of {key}"));
    }
    engine.write(batch, Durability::Buffered).unwrap();
}

fn keys_in(reader: &dyn Reader, family: Family, range: KeyRange, reverse: bool, limit: usize) -> Vec<String> {
    let pairs = reader.scan(family, range, reverse, limit).unwrap();
    pairs.into_iter().map(|(key, _)| String::from_utf8(key).unwrap()).collect()
}

fn keys(reader: &dyn Reader, family: Family) -> Vec<String> {
    keys_in(reader, family, ALL, false, usize::MAX)
}

fn a_batch_is_applied_in_order(place: &mut dyn Place) {
    let engine = place.open();
    let mut batch = Batch::default();
    batch.put(Family::Users, "a", "1");
    batch.put(Family::Users, "a", "2");
    batch.put(Family::Users, "b", "1");
    batch.delete(Family::Users, "b");
    batch.put(Family::Users, "c", "1");
    batch.delete_range(Family::Users, "c", "d");
    batch.put(Family::Users, "c", "2");
    engine.write(batch, Durability::Synced).unwrap();
    assert_eq!(engine.get(Family::Users, b"a").unwrap(), Some(b"2".to_vec()));
    assert_eq!(engine.get(Family::Users, b"b").unwrap(), None);
    assert_eq!(engine.get(Family::Users, b"c").unwrap(), Some(b"2".to_vec()));
    engine.write(Batch::default(), Durability::Buffered).unwrap();
    engine.sync().unwrap();
}

fn scans_are_ordered_and_bounded(place: &mut dyn Place) {
    let engine = place.open();
    put(&*engine, Family::Events, &["b", "d", "a", "e", "c"]);
    let scan = |from: Bound<&str>, to: Bound<&str>, reverse, limit| {
        let range = (from.map(|key| key.as_bytes().to_vec()), to.map(|key| key.as_bytes().to_vec()));
        keys_in(&*engine, Family::Events, range, reverse, limit).concat()
    };
    use Bound::{Excluded, Included, Unbounded};
    assert_eq!(scan(Unbounded, Unbounded, false, 10), "abcde");
    assert_eq!(scan(Unbounded, Unbounded, true, 10), "edcba");
    assert_eq!(scan(Unbounded, Unbounded, false, 2), "ab");
    assert_eq!(scan(Unbounded, Unbounded, true, 2), "ed");
    assert_eq!(scan(Unbounded, Unbounded, true, 0), "");
    assert_eq!(scan(Included("b"), Excluded("d"), false, 10), "bc");
    assert_eq!(scan(Excluded("b"), Included("d"), false, 10), "cd");
    assert_eq!(scan(Included("b"), Excluded("d"), true, 10), "cb");
    assert_eq!(scan(Excluded("b"), Included("d"), true, 10), "dc");
    assert_eq!(scan(Included("bb"), Included("dd"), true, 1), "d");
    assert_eq!(scan(Included("d"), Excluded("b"), false, 10), "");
    assert_eq!(scan(Excluded("d"), Excluded("b"), true, 10), "");
    assert_eq!(scan(Excluded("b"), Excluded("b"), false, 10), "");
    assert_eq!(scan(Included("b"), Included("b"), true, 10), "b");
    let value = engine.scan(Family::Events, ALL, false, 1).unwrap().remove(0).1;
    assert_eq!(value, b"value of a");
}

fn families_are_apart(place: &mut dyn Place) {
    let engine = place.open();
    for family in Family::ALL.into_iter().filter(|family| *family != Family::Node) {
        assert!(keys(&*engine, family).is_empty());
        put(&*engine, family, &[family.name()]);
    }
    for family in Family::ALL.into_iter().filter(|family| *family != Family::Node) {
        assert_eq!(keys(&*engine, family), [family.name()]);
    }
}

fn a_range_delete_takes_what_lies_inside(place: &mut dyn Place) {
    let engine = place.open();
    put(&*engine, Family::RaftLog, &["a", "b", "c", "d"]);
    let mut batch = Batch::default();
    batch.delete_range(Family::RaftLog, "b", "d");
    batch.delete_range(Family::RaftLog, "x", "x");
    engine.write(batch, Durability::Buffered).unwrap();
    assert_eq!(keys(&*engine, Family::RaftLog), ["a", "d"]);
}

fn a_snapshot_does_not_change(place: &mut dyn Place) {
    let engine = place.open();
    put(&*engine, Family::Users, &["a", "b"]);
    let before = engine.snapshot();
    let mut batch = Batch::default();
    batch.put(Family::Users, "a", "new");
    batch.delete(Family::Users, "b");
    batch.put(Family::Users, "c", "new");
    engine.write(batch, Durability::Synced).unwrap();
    let mut replace = engine.begin_replace(vec![(Family::Users, b"a".to_vec(), b"z".to_vec())]).unwrap();
    replace.put(Family::Users, b"y", b"").unwrap();
    replace.commit(Batch::default()).unwrap();
    assert_eq!(keys(&*before, Family::Users), ["a", "b"]);
    assert_eq!(before.get(Family::Users, b"a").unwrap(), Some(b"value of a".to_vec()));
    assert_eq!(before.get(Family::Users, b"c").unwrap(), None);
    assert_eq!(keys(&*engine, Family::Users), ["y"]);
    drop(engine);
    assert_eq!(keys(&*before, Family::Users), ["a", "b"], "a snapshot may outlive the handle it came from");
}

fn ranges() -> Vec<(Family, Vec<u8>, Vec<u8>)> {
    Family::OF_SLOTS.into_iter().map(|family| (family, b"b".to_vec(), b"d".to_vec())).collect()
}

fn a_replace_is_seen_whole_or_not_at_all(place: &mut dyn Place) {
    let engine = place.open();
    for family in Family::OF_SLOTS {
        put(&*engine, family, &["a", "b", "bz", "c", "d"]);
    }
    let mut dropped = engine.begin_replace(ranges()).unwrap();
    dropped.put(Family::Users, b"b1", b"never").unwrap();
    drop(dropped);

    let mut replace = engine.begin_replace(ranges()).unwrap();
    for key in ["b", "b2", "c"] {
        replace.put(Family::Users, key.as_bytes(), b"new").unwrap();
        replace.put(Family::Events, key.as_bytes(), b"new").unwrap();
    }
    assert_eq!(keys(&*engine, Family::Users), ["a", "b", "bz", "c", "d"], "nothing changes before the commit");
    let mut then = Batch::default();
    then.put(Family::RaftMeta, "applied", "7");
    replace.commit(then).unwrap();

    let check = |engine: &dyn Engine| {
        assert_eq!(keys(engine, Family::Users), ["a", "b", "b2", "c", "d"]);
        assert_eq!(engine.get(Family::Users, b"b").unwrap(), Some(b"new".to_vec()));
        assert_eq!(engine.get(Family::Users, b"d").unwrap(), Some(b"value of d".to_vec()));
        assert_eq!(keys(engine, Family::Conversations), ["a", "d"]);
        assert_eq!(keys(engine, Family::Events), ["a", "b", "b2", "c", "d"]);
        assert_eq!(engine.get(Family::RaftMeta, b"applied").unwrap(), Some(b"7".to_vec()));
        put(engine, Family::Users, &["b2"]);
        assert_eq!(engine.get(Family::Users, b"b2").unwrap(), Some(b"value of b2".to_vec()), "later writes win");
    };
    check(&*engine);
    drop(engine);
    check(&*place.open());
}

fn a_replace_refuses_what_was_not_agreed(place: &mut dyn Place) {
    let engine = place.open();
    let mut replace = engine.begin_replace(ranges()).unwrap();
    let refused = |result: Result<(), EngineError>| assert!(matches!(result, Err(EngineError::Refused(_))));
    replace.put(Family::Users, b"c", b"").unwrap();
    refused(replace.put(Family::Users, b"b", b""));
    refused(replace.put(Family::Users, b"c", b""));
    refused(replace.put(Family::Users, b"d", b""));
    refused(replace.put(Family::RaftLog, b"c", b""));
    drop(replace);
    assert!(keys(&*engine, Family::Users).is_empty());
}

fn an_empty_replace_empties_the_range(place: &mut dyn Place) {
    let engine = place.open();
    put(&*engine, Family::Events, &["a", "b", "c", "d"]);
    engine.begin_replace(ranges()).unwrap().commit(Batch::default()).unwrap();
    assert_eq!(keys(&*engine, Family::Events), ["a", "d"]);
}

fn what_was_written_is_there_after_reopening(place: &mut dyn Place) {
    let engine = place.open();
    put(&*engine, Family::Users, &["buffered"]);
    let mut batch = Batch::default();
    batch.put(Family::RaftLog, "synced", "1");
    engine.write(batch, Durability::Synced).unwrap();
    drop(engine);
    let engine = place.open();
    assert_eq!(keys(&*engine, Family::Users), ["buffered"]);
    assert_eq!(keys(&*engine, Family::RaftLog), ["synced"]);
}

/// After reopening, since rows in memory need not count.
fn a_size_is_about_what_a_range_holds(place: &mut dyn Place) {
    const ROWS: u16 = 512;
    const BYTES: usize = 4096;
    let engine = place.open();
    let mut noise = 1u64;
    for row in 0..ROWS {
        // Nothing that compresses.
        let mut byte = || {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (noise >> 56) as u8
        };
        let value: Vec<u8> = (0..BYTES).map(|_| byte()).collect();
        let mut batch = Batch::default();
        batch.put(Family::RaftLog, [&b"large"[..], &row.to_be_bytes()].concat(), value);
        engine.write(batch, Durability::Buffered).unwrap();
    }
    put(&*engine, Family::RaftLog, &["small"]);
    engine.sync().unwrap();
    drop(engine);
    let engine = place.open();
    let size = |from: &str, to: &str| engine.size(Family::RaftLog, from.as_bytes(), to.as_bytes()).unwrap();
    let whole = u64::from(ROWS) * BYTES as u64;
    assert!((whole / 2..2 * whole).contains(&size("large", "largf")), "{}", size("large", "largf"));
    assert!(size("small", "smalm") < whole / 8, "{}", size("small", "smalm"));
    assert_eq!(engine.size(Family::Users, b"", b"z").unwrap(), 0);
}

/// Random batches, checked against a map after each, and once more at the end after reopening.
fn it_behaves_as_an_ordered_map(place: &mut dyn Place) {
    let key = || proptest::collection::vec(0u8..4, 0..3);
    let op = prop_oneof![
        3 => (key(), any::<[u8; 2]>()).prop_map(|(key, value)| Op::Put(Family::Users, key, value.to_vec())),
        1 => key().prop_map(|key| Op::Delete(Family::Users, key)),
        1 => (key(), key()).prop_filter_map("a range", |(a, b)| (a <= b).then_some(Op::DeleteRange(Family::Users, a, b))),
    ];
    let batches = proptest::collection::vec(proptest::collection::vec(op, 1..8), 1..200);
    let batches = batches.new_tree(&mut TestRunner::deterministic()).unwrap().current();

    let mut model = std::collections::BTreeMap::new();
    let mut engine = place.open();
    let last = batches.len() - 1;
    for (number, ops) in batches.into_iter().enumerate() {
        for op in &ops {
            match op.clone() {
                Op::Put(_, key, value) => drop(model.insert(key, value)),
                Op::Delete(_, key) => drop(model.remove(&key)),
                Op::DeleteRange(_, from, to) => model.retain(|key, _| *key < from || *key >= to),
            }
        }
        let durability = if number % 5 == 0 { Durability::Synced } else { Durability::Buffered };
        engine.write(Batch { ops }, durability).unwrap();
        if number == last {
            drop(engine);
            engine = place.open();
        }
        let expected: Vec<Pair> = model.clone().into_iter().collect();
        assert_eq!(engine.scan(Family::Users, ALL, false, usize::MAX).unwrap(), expected);
    }
}
