//! One fsync for the waiting writes of all groups.
//!
//! Appends, votes, truncations, purges, committed ids and barriers of every group go through one
//! bounded queue, in order: drain it, one batch, one synced write, then all completions. The order
//! keeps a persisted `committed` behind the log, and a vote behind the truncation before it. A
//! failed write fails every completion and stops the node permanently. The content of the disk is
//! unknown then, and a second fsync would only hide that.
//!
//! Invariant: durable. Votes and appends complete after the sync that covers them.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};
use troupe_core::planted::Bug;
use troupe_runtime::{Lane, Platform, executor};
use troupe_store::engine::{Batch, Durability, Engine, EngineError, Op};

use crate::fatal::Fatal;
use crate::timing::{LAZY, SYNC_EVERY, SYNC_EVERY_BUSY};

/// Waiting writes. At the limit the submitting group waits, which slows its core down to the speed
/// of the disk.
const QUEUE: usize = 4_096;
/// The most writes in one batch, and their bytes.
const BATCH_WRITES: usize = 1_024;
const BATCH_BYTES: usize = 16 * 1024 * 1024;
/// A batch with more appends than this was busy, so that a longer wait for the next one pays.
const BUSY: usize = 2;

type Done = Box<dyn FnOnce(io::Result<()>) + Send>;

/// The writes of one group.
pub struct Write {
    pub ops: Vec<Op>,
    /// Whether a caller waits for the write to be on stable storage. The others join the next batch
    /// that has such a write.
    pub durable: bool,
    pub done: Done,
}

impl Write {
    /// A write without a waiting caller.
    pub fn lazy(ops: Vec<Op>) -> Write {
        Write { ops, durable: false, done: Box::new(|_| ()) }
    }

    fn bytes(&self) -> usize {
        let size = |op: &Op| match op {
            Op::Put(_, key, value) => key.len() + value.len(),
            Op::Delete(_, key) => key.len(),
            Op::DeleteRange(_, from, to) => from.len() + to.len(),
        };
        self.ops.iter().map(size).sum()
    }
}

/// Shared, cheap to clone.
#[derive(Clone)]
pub struct Flusher {
    queue: mpsc::Sender<Write>,
}

impl Flusher {
    pub fn start(platform: Platform, engine: Arc<dyn Engine>, fatal: Fatal) -> Flusher {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(run(platform, engine, fatal, waiting));
        Flusher { queue }
    }

    /// Queues a write behind all earlier ones. An error means that the flusher has ended.
    pub async fn submit(&self, write: Write) -> io::Result<()> {
        self.queue.send(write).await.map_err(|_| stopped())
    }

    /// Writes and waits until it is on stable storage.
    pub async fn write(&self, ops: Vec<Op>) -> io::Result<()> {
        let (done, result) = tokio::sync::oneshot::channel();
        let done: Done = Box::new(move |outcome| drop(done.send(outcome)));
        self.submit(Write { ops, durable: true, done }).await?;
        result.await.map_err(|_| stopped())?
    }

    /// Everything that any group has written before, applied state included, is on stable storage
    /// when it returns.
    pub async fn barrier(&self) -> io::Result<()> {
        self.write(Vec::new()).await
    }
}

fn stopped() -> io::Error {
    io::Error::other("the flusher has stopped")
}

async fn run(platform: Platform, engine: Arc<dyn Engine>, fatal: Fatal, mut waiting: mpsc::Receiver<Write>) {
    let pretend = platform.planted(Bug::AckBeforeFsync);
    let mut next = Instant::now();
    while let Some(first) = waiting.recv().await {
        sleep_until(next).await;
        let mut gathered = Gathered::default();
        gathered.add(first);
        gathered.add_waiting(&mut waiting);
        gathered.wait_for_company(&mut waiting).await;
        let Gathered { batch, durable, completions, .. } = gathered;
        next = Instant::now() + if completions.len() > BUSY { SYNC_EVERY_BUSY } else { SYNC_EVERY };
        platform.metrics.flusher_queue.count(completions.len() + waiting.len());

        let completions = Completions::new(completions);
        if pretend {
            completions.succeed();
            if let Err(reason) = write(&platform, &engine, batch, Durability::Buffered, &completions).await {
                return stop(reason, &fatal, Vec::new(), waiting);
            }
            continue;
        }
        let durability = if durable { Durability::Synced } else { Durability::Buffered };
        match write(&platform, &engine, batch, durability, &completions).await {
            Ok(()) => completions.succeed(),
            Err(reason) => return stop(reason, &fatal, completions.take(), waiting),
        }
    }
}

/// The next batch.
#[derive(Default)]
struct Gathered {
    batch: Batch,
    bytes: usize,
    durable: bool,
    completions: Vec<Done>,
}

impl Gathered {
    fn add(&mut self, write: Write) {
        self.bytes += write.bytes();
        self.durable |= write.durable;
        self.batch.ops.extend(write.ops);
        self.completions.push(write.done);
    }

    fn is_full(&self) -> bool {
        self.completions.len() >= BATCH_WRITES || self.bytes >= BATCH_BYTES
    }

    fn add_waiting(&mut self, waiting: &mut mpsc::Receiver<Write>) {
        while !self.is_full()
            && let Ok(write) = waiting.try_recv()
        {
            self.add(write);
        }
    }

    /// A batch of lazy writes alone is not written. It joins the next batch with a waiting caller,
    /// which under load comes at once. A separate write for each committed position cost as much as
    /// the entries themselves.
    async fn wait_for_company(&mut self, waiting: &mut mpsc::Receiver<Write>) {
        let until = Instant::now() + LAZY;
        while !self.durable && !self.is_full() {
            match timeout_at(until, waiting.recv()).await {
                Ok(Some(write)) => self.add(write),
                Ok(None) | Err(_) => return,
            }
        }
        self.add_waiting(waiting);
    }
}

/// The completions of one batch. Each is called once: by the lane if they are few, so that their
/// groups do not wait for a hand-over, or by the flusher, which wakes many groups more cheaply.
#[derive(Clone)]
struct Completions(Arc<Mutex<Vec<Done>>>);

impl Completions {
    fn new(all: Vec<Done>) -> Completions {
        Completions(Arc::new(Mutex::new(all)))
    }

    fn take(&self) -> Vec<Done> {
        std::mem::take(&mut *self.0.lock())
    }

    fn succeed(&self) {
        self.take().into_iter().for_each(|done| done(Ok(())));
    }

    fn are_few(&self) -> bool {
        self.0.lock().len() <= BUSY
    }
}

async fn write(
    platform: &Platform,
    engine: &Arc<dyn Engine>,
    batch: Batch,
    durability: Durability,
    completions: &Completions,
) -> Result<(), String> {
    let (engine, meters, completions) = (engine.clone(), platform.metrics.clone(), completions.clone());
    let write = move || {
        let begin = Instant::now();
        engine.write(batch, durability)?;
        if durability == Durability::Synced {
            meters.fsync.since(begin);
        }
        // Behind the write: whatever covers the batch is on stable storage.
        if completions.are_few() {
            completions.succeed();
        }
        Ok::<_, EngineError>(())
    };
    match executor::run(&*platform.executor, Lane::Flush, write).await {
        Some(written) => written.map_err(|error| error.to_string()),
        None => Err("the flush lane has stopped".to_owned()),
    }
}

/// Nothing is written after a failed write. Every present and later caller gets an error.
fn stop(reason: String, fatal: &Fatal, failed: Vec<Done>, mut waiting: mpsc::Receiver<Write>) {
    fatal.set(&reason);
    waiting.close();
    for done in failed {
        done(Err(io::Error::other(reason.clone())));
    }
    while let Ok(write) = waiting.try_recv() {
        (write.done)(Err(io::Error::other(reason.clone())));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use troupe_runtime::executor::Inline;
    use troupe_store::engine::{Family, Reader as _};
    use troupe_store::memory::Memory;

    use super::*;

    fn flusher(engine: Arc<dyn Engine>) -> (Flusher, Fatal) {
        let platform = Platform { executor: Arc::new(Inline), ..Platform::production() };
        let fatal = Fatal::new();
        (Flusher::start(platform, engine, fatal.clone()), fatal)
    }

    fn put(number: u8) -> Vec<Op> {
        vec![Op::Put(Family::RaftMeta, vec![number], vec![number])]
    }

    /// Each completion of few or many is called once, behind its write.
    #[tokio::test(start_paused = true)]
    async fn each_completion_is_called_once() {
        for writes in [1, BUSY, BUSY + 1, 20] {
            let engine: Arc<dyn Engine> = Arc::new(Memory::new());
            let (flusher, _) = flusher(engine.clone());
            let called = Arc::new(AtomicUsize::new(0));
            for number in 0..writes {
                let (called, engine) = (called.clone(), engine.clone());
                let done: Done = Box::new(move |outcome| {
                    assert!(outcome.is_ok());
                    let row = engine.get(Family::RaftMeta, &[number as u8]);
                    assert!(row.is_ok_and(|row| row.is_some()), "completed before it was written");
                    called.fetch_add(1, Ordering::Relaxed);
                });
                let write = Write { ops: put(number as u8), durable: true, done };
                assert!(flusher.submit(write).await.is_ok());
            }
            assert!(flusher.barrier().await.is_ok());
            assert_eq!(called.load(Ordering::Relaxed), writes);
        }
    }
}
