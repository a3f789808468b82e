//! What a replica that catches up is sent competes with people's messages for processors, disks and
//! the network, on three nodes: its sender, its receiver, and whoever shares a machine with them.
//! Nobody waits for it, so it goes one piece at a time, and after each the sender rests as long as
//! the piece took. A fast cluster thus catches up fast, and a busy one keeps half of the time for
//! its people.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};
use troupe_core::NodeId;

use crate::timing::CATCH_UP_REST;

/// The pace towards one receiver. Shared, cheap to clone.
#[derive(Clone)]
pub struct Pace(Arc<Semaphore>);

/// The leave to send one piece. Given up without a rest when it is dropped.
pub struct Turn {
    permit: OwnedSemaphorePermit,
    begun: Instant,
}

impl Pace {
    #[allow(clippy::new_without_default, reason = "one is made for each receiver, and shared")]
    pub fn new() -> Pace {
        Pace(Arc::new(Semaphore::new(1)))
    }

    /// Waits until the piece before has arrived, and the rest after it has passed.
    pub async fn turn(&self) -> Turn {
        // The semaphore is never closed.
        let permit = self.0.clone().acquire_owned().await.expect("nobody closes it");
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

/// A pace for each node, so that one that stands still holds up nobody else. Shared, cheap to
/// clone.
#[derive(Clone, Default)]
pub struct Paces(Arc<Mutex<BTreeMap<NodeId, Pace>>>);

impl Paces {
    pub fn towards(&self, node: NodeId) -> Pace {
        self.0.lock().entry(node).or_insert_with(Pace::new).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn a_turn_begins_when_the_one_before_has_rested_as_long_as_it_took() {
        let pace = Pace::new();
        let begun = Instant::now();
        let turn = pace.turn().await;
        sleep(30 * MS).await;
        turn.done();
        drop(pace.turn().await);
        assert_eq!(begun.elapsed(), 60 * MS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_has_a_limit_and_a_turn_that_was_given_up_has_none() {
        let pace = Pace::new();
        let turn = pace.turn().await;
        sleep(40 * CATCH_UP_REST).await;
        turn.done();
        let begun = Instant::now();
        drop(pace.turn().await);
        assert_eq!(begun.elapsed(), CATCH_UP_REST);
        drop(pace.turn().await);
        assert_eq!(begun.elapsed(), CATCH_UP_REST);
    }

    #[tokio::test(start_paused = true)]
    async fn one_node_does_not_wait_for_another() {
        let paces = Paces::default();
        let (one, other) = (NodeId(1), NodeId(2));
        let _held = paces.towards(one).turn().await;
        let begun = Instant::now();
        drop(paces.towards(other).turn().await);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert!(tokio::time::timeout(MS, paces.towards(one).turn()).await.is_err());
    }
}
