//! Limits the traffic to replicas that catch up. It competes with messages of users for processors,
//! disks and the network on the sender, the receiver, and the machines that they share.
//!
//! No user waits for it, so it is sent one piece at a time, and after each piece the sender rests
//! as long as the piece took. A fast cluster catches up fast, and a busy one keeps half of its time
//! for users.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};
use troupe_core::NodeId;

use crate::timing::CATCH_UP_REST;

/// The throttle towards one receiver. Shared, cheap to clone.
#[derive(Clone)]
pub struct CatchupThrottle(Arc<Semaphore>);

/// The permission to send one piece. Dropping it releases it without a rest.
pub struct Turn {
    permit: OwnedSemaphorePermit,
    begun: Instant,
}

impl CatchupThrottle {
    #[allow(clippy::new_without_default, reason = "one is made for each receiver, and shared")]
    pub fn new() -> CatchupThrottle {
        CatchupThrottle(Arc::new(Semaphore::new(1)))
    }

    /// Waits until the previous piece has arrived, and its rest has passed.
    pub async fn turn(&self) -> Turn {
        // The semaphore is never closed.
        let permit = self.0.clone().acquire_owned().await.expect("the semaphore is never closed");
        Turn { permit, begun: Instant::now() }
    }
}

impl Turn {
    /// The piece has arrived.
    pub fn done(self) {
        let rest = self.begun.elapsed().min(CATCH_UP_REST);
        tokio::spawn(async move {
            sleep(rest).await;
            drop(self.permit);
        });
    }
}

/// One throttle for each node, so that a stalled node delays no other. Shared, cheap to clone.
#[derive(Clone, Default)]
pub struct CatchupThrottles(Arc<Mutex<BTreeMap<NodeId, CatchupThrottle>>>);

impl CatchupThrottles {
    pub fn towards(&self, node: NodeId) -> CatchupThrottle {
        self.0.lock().entry(node).or_insert_with(CatchupThrottle::new).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn a_turn_begins_when_the_one_before_has_rested_as_long_as_it_took() {
        let throttle = CatchupThrottle::new();
        let begun = Instant::now();
        let turn = throttle.turn().await;
        sleep(30 * MS).await;
        turn.done();
        drop(throttle.turn().await);
        assert_eq!(begun.elapsed(), 60 * MS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_has_a_limit_and_a_turn_that_was_given_up_has_none() {
        let throttle = CatchupThrottle::new();
        let turn = throttle.turn().await;
        sleep(40 * CATCH_UP_REST).await;
        turn.done();
        let begun = Instant::now();
        drop(throttle.turn().await);
        assert_eq!(begun.elapsed(), CATCH_UP_REST);
        drop(throttle.turn().await);
        assert_eq!(begun.elapsed(), CATCH_UP_REST);
    }

    #[tokio::test(start_paused = true)]
    async fn one_node_does_not_wait_for_another() {
        let throttles = CatchupThrottles::default();
        let (one, other) = (NodeId(1), NodeId(2));
        let _held = throttles.towards(one).turn().await;
        let begun = Instant::now();
        drop(throttles.towards(other).turn().await);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert!(tokio::time::timeout(MS, throttles.towards(one).turn()).await.is_err());
    }
}
