//! The runtime of openraft's tasks: tokio's, with timers on the beat of the node.
//!
//! Each group has a timer of its own, which drives its elections and heartbeats. With a dozen
//! groups, an idle node would wake up hundreds of times a second. Here the timers of all groups
//! fire together, so that one wake-up serves them all and the heartbeats of all groups to one node
//! share a write. A timer fires at most [`ELECTION_TICK`] late, and at most [`HEARTBEAT_EVERY`]
//! late while its group is led here, where it only sends heartbeats.
//!
//! openraft waits a microsecond for further completions of writes. tokio's timers would make a
//! millisecond of it, so such a wait lets the other ready tasks run once. The next wait for the
//! same moment is on the beat, so no task spins.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures::future::Either;
use openraft::{AsyncRuntime, Instant as _, OptionalSend};
use openraft_rt_tokio::{TokioInstant, TokioRuntime};
use tokio::time::{Duration, Instant};
use troupe_runtime::Beat;

use crate::timing::{ELECTION_TICK, HEARTBEAT_EVERY};

/// openraft waits this long for further completions.
const SOON: Duration = Duration::from_micros(1);

tokio::task_local! {
    static TASK: Task;
}

/// The timers of one task of openraft.
struct Task {
    /// Those of the group to which the task belongs.
    timers: Timers,
    /// The last deadline that was let pass early. A tick that is due within [`SOON`] looks like a
    /// wait for completions, and openraft asks for it again until its moment is over.
    passed: Cell<Option<TokioInstant>>,
}

/// The timers of one group. Cheap to clone.
#[derive(Clone)]
pub struct Timers {
    beat: Beat,
    leads: Arc<AtomicBool>,
}

impl Timers {
    pub fn new(beat: Beat) -> Timers {
        Timers { beat, leads: Arc::default() }
    }

    /// A wrong value makes timers fire more often than necessary, or one of them late once.
    pub fn set_leads(&self, leads: bool) {
        self.leads.store(leads, Ordering::Relaxed);
    }

    /// All tasks that openraft spawns in this future have these timers.
    pub fn of<F: Future>(&self, starting: F) -> impl Future<Output = F::Output> + use<F> {
        TASK.scope(Task { timers: self.clone(), passed: Cell::new(None) }, starting)
    }

    fn up(&self, at: Instant) -> Instant {
        let step = if self.leads.load(Ordering::Relaxed) { HEARTBEAT_EVERY } else { ELECTION_TICK };
        self.beat.up(at, step)
    }
}

#[derive(Debug)]
pub struct Runtime(TokioRuntime);

/// Lets the other ready tasks run once.
#[derive(Default)]
pub struct Yield {
    yielded: bool,
}

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl AsyncRuntime for Runtime {
    type JoinError = <TokioRuntime as AsyncRuntime>::JoinError;
    type JoinHandle<T: OptionalSend + 'static> = <TokioRuntime as AsyncRuntime>::JoinHandle<T>;
    type Sleep = Either<<TokioRuntime as AsyncRuntime>::Sleep, Yield>;
    type Instant = TokioInstant;
    type TimeoutError = <TokioRuntime as AsyncRuntime>::TimeoutError;
    type Timeout<R, T: Future<Output = R> + OptionalSend> = <TokioRuntime as AsyncRuntime>::Timeout<R, T>;
    type ThreadLocalRng = <TokioRuntime as AsyncRuntime>::ThreadLocalRng;
    type Mpsc = <TokioRuntime as AsyncRuntime>::Mpsc;
    type Watch = <TokioRuntime as AsyncRuntime>::Watch;
    type Oneshot = <TokioRuntime as AsyncRuntime>::Oneshot;
    type Mutex<T: OptionalSend + 'static> = <TokioRuntime as AsyncRuntime>::Mutex<T>;

    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        match TASK.try_with(|task| task.timers.clone()) {
            Ok(timers) => TokioRuntime::spawn(timers.of(future)),
            Err(_) => TokioRuntime::spawn(future),
        }
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        Either::Left(TokioRuntime::sleep(duration))
    }

    /// Only openraft's ticks and its wait for completions end at a moment.
    fn sleep_until(deadline: TokioInstant) -> Self::Sleep {
        let wait = deadline - TokioInstant::now();
        let at = Instant::now() + wait;
        let of_group = |task: &Task| {
            let passes = wait <= SOON && task.passed.replace(Some(deadline)) != Some(deadline);
            if passes { None } else { Some(task.timers.up(at)) }
        };
        match TASK.try_with(of_group) {
            Ok(None) => Either::Right(Yield::default()),
            Ok(Some(on_beat)) => Either::Left(tokio::time::sleep_until(on_beat)),
            Err(_) => Either::Left(tokio::time::sleep_until(at)),
        }
    }

    fn timeout<R, F: Future<Output = R> + OptionalSend>(duration: Duration, future: F) -> Self::Timeout<R, F> {
        TokioRuntime::timeout(duration, future)
    }

    fn timeout_at<R, F: Future<Output = R> + OptionalSend>(deadline: TokioInstant, future: F) -> Self::Timeout<R, F> {
        TokioRuntime::timeout_at(deadline, future)
    }

    fn is_panic(error: &Self::JoinError) -> bool {
        TokioRuntime::is_panic(error)
    }

    fn thread_rng() -> Self::ThreadLocalRng {
        TokioRuntime::thread_rng()
    }

    /// For tests of openraft only.
    fn new(threads: usize) -> Runtime {
        Runtime(TokioRuntime::new(threads))
    }

    fn block_on<F, T>(&mut self, future: F) -> T
    where
        F: Future<Output = T>,
    {
        self.0.block_on(future)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn slept(wait: Duration) -> Duration {
        let begin = Instant::now();
        Runtime::sleep_until(TokioInstant::now() + wait).await;
        begin.elapsed()
    }

    const MS: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn timers_of_a_group_fire_on_the_beat() {
        let timers = Timers::new(Beat::default());
        timers
            .of(async {
                assert_eq!(slept(7 * MS).await, ELECTION_TICK);
                assert_eq!(slept(18 * MS).await, ELECTION_TICK);
                timers.set_leads(true);
                assert_eq!(slept(18 * MS).await, HEARTBEAT_EVERY - 2 * ELECTION_TICK);
                assert_eq!(slept(18 * MS).await, HEARTBEAT_EVERY);
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_inherit_the_pace_and_others_have_none() {
        let timers = Timers::new(Beat::default());
        let (inner, outer) = timers
            .of(async {
                // Sets the origin of the beat.
                timers.up(Instant::now());
                (Runtime::spawn(slept(3 * MS)).await, tokio::spawn(slept(3 * MS)).await)
            })
            .await;
        assert_eq!(inner.ok(), Some(ELECTION_TICK));
        assert_eq!(outer.ok(), Some(3 * MS));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_of_a_microsecond_costs_no_timer() {
        let begin = Instant::now();
        Timers::new(Beat::default()).of(slept(Duration::from_micros(1))).await;
        assert_eq!(begin.elapsed(), Duration::ZERO);
    }

    /// Simulated time stops for a task that only yields.
    #[tokio::test(start_paused = true)]
    async fn a_tick_that_is_due_at_once_does_not_spin() {
        let timers = Timers::new(Beat::default());
        timers
            .of(async {
                timers.up(Instant::now());
                let begin = Instant::now();
                let due = TokioInstant::now() + Duration::from_nanos(700);
                Runtime::sleep_until(due).await;
                assert_eq!(begin.elapsed(), Duration::ZERO);
                Runtime::sleep_until(due).await;
                assert_eq!(begin.elapsed(), ELECTION_TICK);
            })
            .await;
    }
}
