//! Blocking work on a simulated machine: each lane runs its jobs one after another, and an fsync
//! takes time.
//!
//! The queues are those of production (`troupe_runtime::executor`): bounded, one per lane. Only the
//! thread is missing. A write takes effect when its time is over, so a crash before that leaves
//! nothing of it on the disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc;
use troupe_runtime::Rng;
use troupe_runtime::executor::{Executor, Full, Job, Lane};

/// As in production.
const QUEUE: usize = 1_024;

/// Maximum duration of an fsync on this machine. Outlives the process.
#[derive(Default)]
pub struct Disk {
    fsync_ms: AtomicU64,
}

impl Disk {
    pub fn takes(&self, fsync_ms: u64) {
        self.fsync_ms.store(fsync_ms, Ordering::Relaxed);
    }

    fn time(&self, lane: Lane, rng: &Rng) -> Duration {
        let most = self.fsync_ms.load(Ordering::Relaxed);
        Duration::from_millis(match lane {
            // A slow disk is always slow; a fast one only sometimes needs time.
            Lane::Flush => rng.range(most / 2, most + 1),
            Lane::Bulk => rng.range(0, most + 1),
            Lane::Apply(_) | Lane::Read => u64::from(rng.range(0, 16) == 0),
            Lane::Hash(_) | Lane::Picture => 0,
        })
    }
}

pub struct Lanes {
    disk: Arc<Disk>,
    rng: Arc<Rng>,
    lanes: Mutex<BTreeMap<Lane, mpsc::Sender<Job>>>,
}

impl Lanes {
    pub fn new(disk: Arc<Disk>, rng: Arc<Rng>) -> Lanes {
        Lanes { disk, rng, lanes: Mutex::default() }
    }

    fn start(&self, lane: Lane) -> mpsc::Sender<Job> {
        let (queue, mut jobs) = mpsc::channel::<Job>(QUEUE);
        let (disk, rng) = (self.disk.clone(), self.rng.clone());
        tokio::spawn(async move {
            while let Some(job) = jobs.recv().await {
                let time = disk.time(lane, &rng);
                if !time.is_zero() {
                    tokio::time::sleep(time).await;
                }
                job();
            }
        });
        queue
    }
}

impl Executor for Lanes {
    fn submit(&self, lane: Lane, job: Job) -> Result<(), Full> {
        let queue = self.lanes.lock().entry(lane).or_insert_with(|| self.start(lane)).clone();
        queue.try_send(job).map_err(|_| Full)
    }
}
