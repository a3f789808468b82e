//! Counters of one node, for operators and /metrics. No decision depends on them.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident),* $(,)?) => {
        #[derive(Debug, Default)]
        pub struct Stats { $($(#[doc = $doc])+ pub $name: Counter,)* }

        /// The counters at one moment.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct StatsReport { $($(#[doc = $doc])+ pub $name: u64,)* }

        impl Stats {
            pub fn report(&self) -> StatsReport {
                StatsReport { $($name: self.$name.get(),)* }
            }
        }

        impl StatsReport {
            /// Name, what it counts, and value, in a fixed order.
            pub fn rows(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$((stringify!($name), concat!($($doc),+).trim_ascii(), self.$name),)*]
            }
        }
    };
}

counters! {
    /// Open client connections.
    connections,
    /// Open connections that have not logged in.
    unauthenticated,
    /// Connections that have logged in.
    sessions,
    /// Actors that live on this node: shards, entities, edges, fan-out.
    actors,
    /// Sends received from clients since the start.
    sends,
    /// Sends acknowledged to clients.
    acks,
    /// Events handed to connections.
    deliveries,
    /// Requests answered with a rejection.
    rejected,
    /// Requests answered with overloaded.
    overloaded,
    /// Requests answered with unavailable.
    unavailable,
    /// Requests refused because their user or address had used its budget.
    rate_limited,
    /// Client connections closed unread because no place was free.
    connections_refused,
    /// Connections closed because they did not read.
    slow_consumers,
    /// Gaps in fan-out that were filled from the leader.
    gaps,
    /// Requests that had to be sent again.
    retries,
    /// Pushes that could not be sent; heads make up for them.
    lost_pushes,
}

#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, many: u64) {
        self.0.fetch_add(many, Ordering::Relaxed);
    }

    pub fn up(&self) {
        self.add(1);
    }

    pub fn down(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
