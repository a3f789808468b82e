//! Deliveries in flight at a node. They take turns between the makers of hooks, so that a member
//! with many slow receivers delays its own hooks.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use troupe_core::UserId;
use troupe_core::fair::Fair;

/// Deliveries in flight. Above it they wait.
const AT_ONCE: usize = 64;
/// Deliveries that wait, and those of one maker. Above it an attempt fails.
const WAITING: usize = 1_024;
const WAITING_EACH: usize = 256;

pub struct Places(Mutex<State>);

struct State {
    free: usize,
    waiting: Fair<UserId, oneshot::Sender<Place>>,
}

/// Gives its place to the next delivery when it is dropped.
pub struct Place(Arc<Places>);

impl Places {
    pub fn new() -> Arc<Places> {
        Arc::new(Places(Mutex::new(State { free: AT_ONCE, waiting: Fair::new(WAITING, WAITING_EACH) })))
    }

    /// `None`: too many wait.
    pub async fn take(self: &Arc<Places>, maker: UserId) -> Option<Place> {
        let told = {
            let mut state = self.0.lock();
            if state.free > 0 {
                state.free -= 1;
                return Some(Place(self.clone()));
            }
            let (tell, told) = oneshot::channel();
            // A longer queue loses its last one, which hears of it.
            drop(state.waiting.push(maker, 1, tell).ok()?);
            told
        };
        told.await.ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let next = {
            let mut state = self.0.0.lock();
            let next = state.waiting.pop();
            state.free += usize::from(next.is_none());
            next
        };
        // A delivery that waits no more drops the place again, and so it goes to the next one.
        if let Some(next) = next {
            drop(next.send(Place(self.0.clone())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn makers_take_turns_and_a_place_is_not_lost() {
        let places = Places::new();
        let mut held = Vec::new();
        for _ in 0..AT_ONCE {
            held.push(places.take(UserId(1)).await.expect("a place"));
        }
        let wait = |user| {
            let places = places.clone();
            tokio::spawn(async move { places.take(UserId(user)).await.map(|_| user) })
        };
        let others: Vec<_> = (0..40).map(|_| wait(1)).collect();
        tokio::task::yield_now().await;
        let mine = wait(2);
        tokio::task::yield_now().await;
        // Those that wait no more take no place.
        others.iter().take(20).for_each(|other| other.abort());
        tokio::task::yield_now().await;
        held.pop();
        assert_eq!(mine.await.expect("a task"), Some(2));
        for other in others.into_iter().skip(20) {
            assert_eq!(other.await.expect("a task"), Some(1));
        }
        held.clear();
        assert_eq!(places.0.lock().free, AT_ONCE);
    }
}
