//! The CPU time of one address in the HTTP of a node.
//!
//! Handshakes of HTTP/2, heads, streams and resets cost time before a request has a price. A
//! connection whose address has used its share is polled later, and reads nothing meanwhile.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::Executor;
use parking_lot::Mutex;
use tokio::time::{Instant, Sleep, sleep};
use troupe_actors::address::Address;
use troupe_actors::budgets::Limits;
use troupe_core::budget::{Nanos, Rate, Table};
use troupe_core::limits;

/// The meters of all addresses of a node.
#[derive(Clone)]
pub struct Meters(Arc<Inner>);

struct Inner {
    limits: Limits,
    begun: Instant,
    used: Mutex<Table<Address>>,
}

/// Around the futures of one address. As an executor it runs those that a connection begins.
#[derive(Clone)]
pub struct Meter {
    meters: Meters,
    address: Address,
}

/// A future that pays for the time of each poll, and rests while its address owes.
pub struct Metered<F> {
    future: Pin<Box<F>>,
    meter: Meter,
    rest: Option<Pin<Box<Sleep>>>,
}

impl Meters {
    /// Loopback has the multiple of `limits`.
    pub fn new(limits: Limits) -> Meters {
        let used = Mutex::new(Table::new(limits::BUDGETS_KEPT));
        Meters(Arc::new(Inner { limits, begun: Instant::now(), used }))
    }

    pub fn of(&self, address: Address) -> Meter {
        Meter { meters: self.clone(), address }
    }
}

impl Meter {
    pub fn around<F: Future>(&self, future: F) -> Metered<F> {
        Metered { future: Box::pin(future), meter: self.clone(), rest: None }
    }

    /// Pays for a poll. Returns how long to rest after it.
    fn spent(&self, time: Duration) -> Duration {
        let Inner { limits, begun, used } = &*self.meters.0;
        let (rate, burst) = limits::HTTP_CPU_MICROS;
        let rate = limits.scaled(Rate::per_second(rate, burst), self.address);
        let now = begun.elapsed().as_nanos() as Nanos;
        let owed = used.lock().take(self.address, now, rate, time.as_micros() as u64, Nanos::MAX);
        Duration::from_nanos(owed.unwrap_or_default())
    }
}

impl<F> Metered<F> {
    pub fn inner(&mut self) -> Pin<&mut F> {
        self.future.as_mut()
    }
}

impl<F> Executor<F> for Meter
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        tokio::spawn(self.around(future));
    }
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        if let Some(rest) = &mut this.rest {
            ready!(rest.as_mut().poll(cx));
            this.rest = None;
        }
        let begun = Instant::now();
        let outcome = this.future.as_mut().poll(cx);
        let owed = this.meter.spent(begun.elapsed());
        if outcome.is_pending() && !owed.is_zero() {
            let mut rest = Box::pin(sleep(owed));
            match rest.as_mut().poll(cx) {
                Poll::Pending => this.rest = Some(rest),
                // A wake-up may have come in between.
                Poll::Ready(()) => cx.waker().wake_by_ref(),
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const POLL: Duration = Duration::from_millis(5);
    const POLLS: u32 = 30;

    /// Needs [`POLLS`] polls, each of which holds the thread for [`POLL`].
    async fn busy() {
        let mut left = POLLS;
        poll_fn(|cx| {
            std::thread::sleep(POLL);
            left -= 1;
            cx.waker().wake_by_ref();
            if left == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn address(last: u8) -> Address {
        Address::of(([192, 0, 2, last], 1).into())
    }

    #[tokio::test]
    async fn an_address_above_its_share_of_the_cpu_is_polled_later_and_others_are_not() {
        let meters = Meters::new(Limits::default());
        let (rate, burst) = limits::HTTP_CPU_MICROS;
        let used = u64::from(POLLS - 1) * POLL.as_micros() as u64;
        let due = Duration::from_micros((used - burst) * 1_000_000 / rate);
        let begun = Instant::now();
        let one = meters.of(address(1));
        // Two connections of one address share its meter.
        tokio::join!(one.around(busy()), one.around(busy()));
        assert!(begun.elapsed() > 2 * due, "{:?} < {due:?}", begun.elapsed());
        let other = meters.of(address(2)).around(async {});
        assert!(other.rest.is_none());
        other.await;
        assert_eq!(meters.of(address(2)).spent(POLL), Duration::ZERO);
        assert!(one.spent(10 * POLL) > POLL);
    }

    #[tokio::test]
    async fn a_rest_keeps_the_wake_ups_of_its_future() {
        let meter = Meters::new(Limits::default()).of(address(1));
        let (answer, answered) = tokio::sync::oneshot::channel();
        let waiting = tokio::spawn(meter.around(async {
            std::thread::sleep(20 * POLL);
            answered.await
        }));
        tokio::task::yield_now().await;
        answer.send(7).expect("it waits");
        assert_eq!(waiting.await.expect("no panic"), Ok(7));
    }
}
