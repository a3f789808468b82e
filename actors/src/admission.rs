//! Bounds on requests in flight: counters, and permits that release their place when dropped.
//!
//! The mailboxes of ractor have no bound; these are the bounds. A sender takes a permit first, and
//! the permit travels with the request until it is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A bounded count. Cheap to clone; clones count together.
#[derive(Clone, Debug)]
pub struct Bound {
    held: Arc<AtomicUsize>,
    limit: usize,
}

impl Bound {
    pub fn new(limit: usize) -> Bound {
        Bound { held: Arc::default(), limit }
    }

    pub fn in_flight(&self) -> usize {
        self.held.load(Ordering::Acquire)
    }

    /// Whether most places are taken.
    pub fn is_crowded(&self) -> bool {
        self.in_flight() > self.limit / 4 * 3
    }

    /// `None` at the limit: refuse, do not wait.
    pub fn enter(&self) -> Option<Permit> {
        let room = |held: usize| (held < self.limit).then_some(held + 1);
        self.held.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).ok()?;
        Some(Permit(self.held.clone()))
    }
}

/// One place below a bound, until it is dropped.
#[derive(Debug)]
pub struct Permit(Arc<AtomicUsize>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_refuses_at_its_limit_and_takes_places_back() {
        let bound = Bound::new(2);
        let first = bound.enter().expect("room");
        let second = bound.clone().enter().expect("room");
        assert!(bound.enter().is_none());
        drop(first);
        assert_eq!(bound.in_flight(), 1);
        let third = bound.enter();
        assert!(third.is_some() && bound.enter().is_none());
        drop((second, third));
        assert_eq!(bound.in_flight(), 0);
    }
}
