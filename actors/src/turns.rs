//! Blocking work that takes turns between parties by its cost. A party that asks for much delays
//! itself only. Reads of applied state take turns between users, password hashes between addresses.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use troupe_core::fair::Fair;
use troupe_runtime::executor::{Executor, Job, Lane};

pub struct Turns<K> {
    executor: Arc<dyn Executor>,
    queue: Mutex<Queue<K>>,
}

struct Queue<K> {
    waiting: Fair<K, Job>,
    /// Lanes without a job.
    free: Vec<Lane>,
}

impl<K: Ord + Clone + Send + 'static> Turns<K> {
    /// The executor has at most one job per lane. At most `limit` jobs wait, and `limit_each` of
    /// one party.
    pub fn new(executor: Arc<dyn Executor>, lanes: Vec<Lane>, limit: usize, limit_each: usize) -> Arc<Turns<K>> {
        let queue = Queue { waiting: Fair::new(limit, limit_each), free: lanes };
        Arc::new(Turns { executor, queue: Mutex::new(queue) })
    }

    /// `None`: too many jobs wait, of this party or of all.
    pub async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        party: K,
        cost: u64,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move || drop(done.send(work())));
        // A job that is pushed out is dropped, and its caller gets `None`.
        let pushed_out = self.queue.lock().waiting.push(party, cost, job).ok()?;
        drop(pushed_out);
        self.start();
        result.await.ok()
    }

    fn start(self: &Arc<Self>) {
        while let Some((lane, job)) = self.next() {
            let ended = Ended(self.clone(), lane);
            let run: Job = Box::new(move || {
                // Dropped after the job, also if the job panics or the lane refuses it.
                let _ended = ended;
                job();
            });
            if self.executor.submit(lane, run).is_err() {
                return;
            }
        }
    }

    fn next(&self) -> Option<(Lane, Job)> {
        let queue = &mut *self.queue.lock();
        if queue.free.is_empty() {
            return None;
        }
        let job = queue.waiting.pop()?;
        queue.free.pop().map(|lane| (lane, job))
    }
}

struct Ended<K: Ord + Clone + Send + 'static>(Arc<Turns<K>>, Lane);

impl<K: Ord + Clone + Send + 'static> Drop for Ended<K> {
    fn drop(&mut self) {
        self.0.queue.lock().free.push(self.1);
        self.0.start();
    }
}

#[cfg(test)]
mod tests {
    use troupe_runtime::executor::Full;

    use super::*;

    /// Runs a job on demand.
    #[derive(Default)]
    struct ByHand(Mutex<Vec<Job>>);

    impl Executor for ByHand {
        fn submit(&self, lane: Lane, job: Job) -> Result<(), Full> {
            assert_eq!(lane, Lane::Read);
            self.0.lock().push(job);
            Ok(())
        }
    }

    impl ByHand {
        fn run_one(&self) -> bool {
            // The lock is free again before the job, which submits the next one.
            let job = Some(&mut *self.0.lock()).filter(|jobs| !jobs.is_empty()).map(|jobs| jobs.remove(0));
            job.map(|job| job()).is_some()
        }
    }

    #[tokio::test]
    async fn a_user_who_asks_without_end_delays_no_other() {
        let hand = Arc::new(ByHand::default());
        let reading = Turns::new(hand.clone(), vec![Lane::Read; 2], 1_000, 128);
        let order = Arc::new(Mutex::new(Vec::new()));
        let ask = |user: u64, cost: u64| {
            let (reading, order) = (reading.clone(), order.clone());
            tokio::spawn(async move { reading.run(user, cost, move || order.lock().push(user)).await })
        };
        let greedy: Vec<_> = (0..128 + 20).map(|_| ask(1, 16)).collect();
        let waiting = async |many| {
            while reading.queue.lock().waiting.len() < many {
                tokio::task::yield_now().await;
            }
        };
        waiting(128).await;
        let honest = ask(2, 1);
        waiting(129).await;
        while hand.run_one() {}
        assert_eq!(honest.await.expect("ran"), Some(()));
        let place = order.lock().iter().position(|user| *user == 2);
        assert!(place.is_some_and(|place| place <= 4), "{place:?}");
        let mut refused = 0;
        for asked in greedy {
            refused += usize::from(asked.await.expect("ran").is_none());
        }
        // Two were under way before the others waited.
        assert_eq!(refused, 18);
    }
}
