//! The engine of tests and simulation: ordered maps, with a model of power loss.
//!
//! A [`Memory`] is one process's handle on a disk. A write with [`Durability::Buffered`] waits, in
//! order, for the next synced write. The end of a process ([`Memory::kill`]) loses nothing. A power
//! loss ([`Memory::crash`], [`Memory::crash_keeping`]) keeps the synced writes and as many of the
//! waiting batches, from the oldest on, as the caller says. Each of the three returns a new handle,
//! and the old handles answer `Fatal` from then on: a task that outlives its process cannot write.
//!
//! Maps are copied on write where a snapshot still holds them, so a snapshot costs nothing until a
//! write follows.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::engine::{
    Batch, Durability, Engine, EngineError, Family, KeyRange, Op, Pair, Reader, Replace, Space, is_empty,
};
use crate::replace::Order;

type Map = BTreeMap<Vec<u8>, Arc<[u8]>>;

/// All families at one moment.
#[derive(Clone, Default)]
struct Maps([Arc<Map>; Family::ALL.len()]);

impl Maps {
    fn apply(&mut self, batch: &Batch) {
        for op in &batch.ops {
            match op {
                Op::Put(family, key, value) => {
                    self.map(*family).insert(key.clone(), value.as_slice().into());
                }
                Op::Delete(family, key) => {
                    self.map(*family).remove(key);
                }
                Op::DeleteRange(family, from, to) => {
                    let map = self.map(*family);
                    let gone: Vec<Vec<u8>> = range(map, bounds(&(Bound::Included(from), Bound::Excluded(to))))
                        .map(|(key, _)| key.clone())
                        .collect();
                    for key in gone {
                        map.remove(&key);
                    }
                }
            }
        }
    }

    fn map(&mut self, family: Family) -> &mut Map {
        Arc::make_mut(&mut self.0[family as usize])
    }
}

impl Reader for Maps {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.0[family as usize].get(key).map(|value| value.to_vec()))
    }

    fn scan(&self, family: Family, keys: KeyRange, reverse: bool, limit: usize) -> Result<Vec<Pair>, EngineError> {
        let keys = (keys.0.as_ref(), keys.1.as_ref());
        let pairs = range(&self.0[family as usize], bounds(&keys));
        let owned = |(key, value): (&Vec<u8>, &Arc<[u8]>)| (key.clone(), value.to_vec());
        Ok(if reverse { pairs.rev().take(limit).map(owned).collect() } else { pairs.take(limit).map(owned).collect() })
    }
}

type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

fn bounds<'a>(keys: &(Bound<&'a Vec<u8>>, Bound<&'a Vec<u8>>)) -> Bounds<'a> {
    (keys.0.map(Vec::as_slice), keys.1.map(Vec::as_slice))
}

/// Like `BTreeMap::range`, but a range that ends before it begins is empty instead of a panic.
fn range<'a>(map: &'a Map, keys: Bounds<'_>) -> impl DoubleEndedIterator<Item = (&'a Vec<u8>, &'a Arc<[u8]>)> {
    (!is_empty(keys)).then(|| map.range::<[u8], _>(keys)).into_iter().flatten()
}

/// The disk, which outlives processes.
#[derive(Default)]
struct Disk {
    /// The state that readers see.
    now: Maps,
    /// The state after a power loss.
    durable: Maps,
    /// Written and not synced, oldest first.
    waiting: Vec<Batch>,
    /// The process that may use it.
    process: u64,
    fail_next_write: Option<String>,
    space: Option<Space>,
    /// The reason why it must not be used again, if any.
    damage_mark: Option<String>,
    /// The first failed write; every later call fails.
    failed: Option<String>,
}

impl Disk {
    fn usable(&self, process: u64) -> Result<(), EngineError> {
        match &self.failed {
            _ if self.process != process => Err(EngineError::Fatal("this process has ended".to_owned())),
            Some(why) => Err(EngineError::Fatal(why.clone())),
            None => Ok(()),
        }
    }

    fn write(&mut self, batch: Batch, durability: Durability) -> Result<(), EngineError> {
        if let Some(why) = self.fail_next_write.take() {
            // A failed write may or may not be on the disk, so it waits for the crash to decide.
            self.waiting.push(batch);
            self.failed = Some(why.clone());
            return Err(EngineError::Fatal(why));
        }
        self.now.apply(&batch);
        match durability {
            Durability::Buffered if batch.is_empty() => {}
            Durability::Buffered => self.waiting.push(batch),
            Durability::Synced => {
                for earlier in self.waiting.drain(..) {
                    self.durable.apply(&earlier);
                }
                self.durable.apply(&batch);
            }
        }
        Ok(())
    }
}

/// A process's handle on a disk; cheap to clone.
#[derive(Clone)]
pub struct Memory {
    disk: Arc<Mutex<Disk>>,
    process: u64,
}

impl Default for Memory {
    fn default() -> Self {
        Memory::new()
    }
}

impl Memory {
    /// An empty disk.
    pub fn new() -> Memory {
        Memory { disk: Arc::default(), process: 0 }
    }

    /// The process ends and another one starts: all writes remain, and unsynced ones stay unsynced.
    pub fn kill(&self) -> Memory {
        self.restart(usize::MAX, false)
    }

    /// The power fails: unsynced writes are lost.
    pub fn crash(&self) -> Memory {
        self.crash_keeping(0)
    }

    /// The power fails after the oldest `batches` of the unsynced ones have reached the disk.
    pub fn crash_keeping(&self, batches: usize) -> Memory {
        self.restart(batches, true)
    }

    /// Batches that a power loss could lose now.
    pub fn unsynced(&self) -> usize {
        self.disk.lock().waiting.len()
    }

    /// The next write fails like a failing fsync: with `Fatal`, perhaps on disk, and every later
    /// call fails.
    pub fn fail_next_write(&self, why: &str) {
        self.disk.lock().fail_next_write = Some(why.to_owned());
    }

    /// Sets the space that the disk reports from now on.
    pub fn set_space(&self, space: Space) {
        self.disk.lock().space = Some(space);
    }

    /// The reason why the process marked this disk as damaged.
    pub fn damage_mark(&self) -> Option<String> {
        self.disk.lock().damage_mark.clone()
    }

    /// A separate disk with the content that this one would have after a power loss, to take its
    /// place later like a restored backup.
    pub fn copy(&self) -> Memory {
        let durable = self.disk.lock().durable.clone();
        let disk = Disk { now: durable.clone(), durable, ..Disk::default() };
        Memory { disk: Arc::new(Mutex::new(disk)), process: 0 }
    }

    fn restart(&self, keep: usize, power_lost: bool) -> Memory {
        let mut disk = self.disk.lock();
        let disk = &mut *disk;
        if power_lost {
            disk.waiting.truncate(keep);
            for batch in disk.waiting.drain(..) {
                disk.durable.apply(&batch);
            }
            disk.now = disk.durable.clone();
        }
        disk.process += 1;
        disk.fail_next_write = None;
        disk.failed = None;
        Memory { disk: Arc::clone(&self.disk), process: disk.process }
    }

    fn usable<T>(&self, use_it: impl FnOnce(&mut Disk) -> Result<T, EngineError>) -> Result<T, EngineError> {
        let mut disk = self.disk.lock();
        disk.usable(self.process)?;
        use_it(&mut disk)
    }
}

impl Reader for Memory {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.usable(|disk| disk.now.get(family, key))
    }

    fn scan(&self, family: Family, range: KeyRange, reverse: bool, limit: usize) -> Result<Vec<Pair>, EngineError> {
        self.usable(|disk| disk.now.scan(family, range, reverse, limit))
    }
}

impl Engine for Memory {
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), EngineError> {
        self.usable(|disk| disk.write(batch, durability))
    }

    fn snapshot(&self) -> Arc<dyn Reader> {
        match self.usable(|disk| Ok(disk.now.clone())) {
            Ok(maps) => Arc::new(maps),
            Err(error) => Arc::new(Broken(error)),
        }
    }

    fn size(&self, family: Family, from: &[u8], to: &[u8]) -> Result<u64, EngineError> {
        self.usable(|disk| {
            let pairs = range(&disk.now.0[family as usize], (Bound::Included(from), Bound::Excluded(to)));
            Ok(pairs.map(|(key, value)| (key.len() + value.len()) as u64).sum())
        })
    }

    fn space(&self) -> Option<Space> {
        self.disk.lock().space
    }

    fn mark_damaged(&self, why: &str) -> Result<(), EngineError> {
        self.usable(|disk| {
            disk.damage_mark = Some(why.to_owned());
            Ok(())
        })
    }

    fn begin_replace(&self, ranges: Vec<(Family, Vec<u8>, Vec<u8>)>) -> Result<Box<dyn Replace>, EngineError> {
        self.usable(|_| Ok(()))?;
        let mut batch = Batch::default();
        for (family, from, to) in &ranges {
            batch.delete_range(*family, from.as_slice(), to.as_slice());
        }
        Ok(Box::new(MemoryReplace { memory: self.clone(), batch, order: Order::new(ranges) }))
    }
}

/// The view of an engine that has already failed.
struct Broken(EngineError);

impl Reader for Broken {
    fn get(&self, _: Family, _: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Err(self.0.clone())
    }

    fn scan(&self, _: Family, _: KeyRange, _: bool, _: usize) -> Result<Vec<Pair>, EngineError> {
        Err(self.0.clone())
    }
}

/// Everything is one synced batch.
struct MemoryReplace {
    memory: Memory,
    batch: Batch,
    order: Order,
}

impl Replace for MemoryReplace {
    fn put(&mut self, family: Family, key: &[u8], value: &[u8]) -> Result<(), EngineError> {
        self.order.check(family, key)?;
        self.batch.put(family, key, value);
        Ok(())
    }

    fn commit(mut self: Box<Self>, then: Batch) -> Result<(), EngineError> {
        self.batch.ops.extend(then.ops);
        self.memory.write(self.batch, Durability::Synced)
    }
}
