//! The seams: everything that a node takes from outside its process.
//!
//! Every component receives a [`Platform`]; there are no statics and no globals. Production fills
//! it with the operating system, simulation with turmoil and seeds. Timers are tokio's directly,
//! because tokio's clock can be paused. The storage engine has its own seam in `troupe-store`, the
//! mesh in `troupe-actors`.
//!
//! Invariant: one platform. `clippy.toml` forbids every other source of time, randomness, sockets
//! and threads.

pub mod backoff;
pub mod beat;
pub mod capped;
pub mod clock;
pub mod executor;
pub mod log_limiter;
pub mod metrics;
pub mod net;
pub mod planted;
pub mod private;
pub mod rng;
pub mod trace;

use std::sync::Arc;

pub use backoff::Backoff;
pub use beat::Beat;
pub use clock::Clock;
pub use executor::{Executor, Lane};
pub use metrics::Meters;
pub use net::{Listener, Net, Stream};
pub use rng::Rng;
pub use trace::Trace;

/// The environment of one node.
#[derive(Clone)]
pub struct Platform {
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<Rng>,
    pub beat: Beat,
    pub net: Arc<dyn Net>,
    pub executor: Arc<dyn Executor>,
    pub metrics: Meters,
    pub trace: Trace,
    /// A deliberate bug, in builds with the feature `planted-bugs`.
    pub planted: troupe_core::planted::Planted,
}

impl Platform {
    /// The operating system.
    pub fn production() -> Platform {
        let rng = Arc::new(Rng::from_os());
        Platform {
            clock: Arc::new(clock::SystemClock),
            beat: Beat::new(&rng),
            rng,
            net: Arc::new(net::TcpNet),
            executor: Arc::new(executor::Threads::new()),
            metrics: Meters::default(),
            trace: Trace::default(),
            planted: planted::from_environment(),
        }
    }

    /// Records that a message has got here.
    pub fn hop(&self, subject: trace::Subject, stage: trace::Stage, at: trace::At) {
        self.trace.record(trace::Hop { subject, stage, time_us: self.clock.micros(), at });
    }

    pub fn planted(&self, bug: troupe_core::planted::Bug) -> bool {
        self.planted.is(bug)
    }
}
