//! Blocking work off the async workers: lanes that run their jobs one after another, each with a
//! bounded queue.
//!
//! A job waits only for jobs of its lane. Work for which a user waits shares no lane with bulk
//! work.

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use parking_lot::Mutex;

/// The queue of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// The group commit of the node: appends, votes, barriers.
    Flush,
    /// Applying committed entries; shards are spread over `APPLY_LANES`.
    Apply(u8),
    /// Pages of history, searches.
    Read,
    /// Password hashing, one lane per running hash.
    Hash(u8),
    /// Decoding of images that users have uploaded.
    Picture,
    /// Snapshots.
    Bulk,
}

pub const APPLY_LANES: u8 = 2;

pub type Job = Box<dyn FnOnce() + Send + 'static>;

/// The lane's queue is full. The caller refuses the request instead of waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

pub trait Executor: Send + Sync + 'static {
    /// Queues a job behind those of the same lane.
    fn submit(&self, lane: Lane, job: Job) -> Result<(), Full>;
}

/// Runs `work` on `lane` and waits for its result. `None`: the lane is full, or the process is
/// stopping.
pub async fn run<T: Send + 'static>(
    executor: &dyn Executor,
    lane: Lane,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (done, result) = tokio::sync::oneshot::channel();
    executor.submit(lane, Box::new(move || drop(done.send(work())))).ok()?;
    result.await.ok()
}

/// Jobs waiting per lane.
const QUEUE: usize = 1024;

/// One thread per lane, started when first used.
pub struct Threads {
    lanes: Mutex<std::collections::BTreeMap<Lane, SyncSender<Job>>>,
}

impl Threads {
    #[allow(clippy::new_without_default, reason = "starting threads is not a default")]
    pub fn new() -> Threads {
        Threads { lanes: Mutex::new(Default::default()) }
    }

    fn lane(&self, lane: Lane) -> SyncSender<Job> {
        self.lanes
            .lock()
            .entry(lane)
            .or_insert_with(|| {
                let (queue, jobs) = sync_channel::<Job>(QUEUE);
                let name = format!("{lane:?}").to_lowercase();
                #[allow(clippy::disallowed_methods, reason = "this is the seam")]
                std::thread::Builder::new()
                    .name(name)
                    .spawn(move || {
                        if matches!(lane, Lane::Hash(_) | Lane::Picture) {
                            yield_to_others();
                        }
                        jobs.into_iter().for_each(|job| job());
                    })
                    .expect("the system gives the process a thread");
                queue
            })
            .clone()
    }
}

/// Reduces the calling thread to a tenth of the processor time of a competing thread. An honest
/// login on a busy machine still takes a fraction of a second. If the system refuses, the thread
/// keeps its priority.
fn yield_to_others() {
    // To the kernel a thread is a process of its own; `None` means the calling one.
    let _ = rustix::process::setpriority_process(None, LOW);
}

/// The niceness of work that may wait.
const LOW: i32 = 10;

impl Executor for Threads {
    fn submit(&self, lane: Lane, job: Job) -> Result<(), Full> {
        match self.lane(lane).try_send(job) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) | Err(TrySendError::Disconnected(_)) => Err(Full),
        }
    }
}

/// Runs each job at once on the caller's task, so that the one thread of a simulation decides the
/// order.
pub struct Inline;

impl Executor for Inline {
    fn submit(&self, _lane: Lane, job: Job) -> Result<(), Full> {
        job();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hashing_yields_to_everything_else() {
        let threads = Threads::new();
        let nice = || rustix::process::getpriority_process(None).ok();
        let before = nice();
        assert_eq!(run(&threads, Lane::Hash(0), nice).await, Some(Some(LOW)));
        assert_eq!(run(&threads, Lane::Read, nice).await, Some(before));
        assert_eq!(nice(), before);
    }
}
