//! The push services of all browsers: they take most pushes, are busy or silent now and then, and
//! end a subscription seldom. Each attempt at a push is recorded.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use troupe_actors::push::{Push, Pushed, Pushing};
use troupe_core::UserId;
use troupe_core::record::PushKey;
use troupe_runtime::Rng;
use troupe_runtime::net::BoxFuture;

use crate::evidence::Evidence;

/// Maximum delay of an answer.
const ANSWER_MS: u64 = 60;
/// One attempt in so many finds the service busy.
const BUSY: u64 = 8;
/// One attempt in so many ends the subscription.
const GONE: u64 = 40;
const PLACE: &str = "https://push.example/";

pub struct PushService {
    evidence: Arc<Evidence>,
    /// A stream of its own, so that it changes no other run.
    rng: Arc<Rng>,
}

impl PushService {
    pub fn new(evidence: Arc<Evidence>, seed: u64) -> Arc<PushService> {
        Arc::new(PushService { evidence, rng: Arc::new(Rng::from_seed(seed ^ 0x7075_7368)) })
    }
}

/// Of a subscription of this user.
pub fn endpoint(user: UserId, subscription: u64) -> String {
    format!("{PLACE}{user}/{subscription}")
}

fn parse(endpoint: &str) -> Option<(UserId, u64)> {
    let (user, subscription) = endpoint.strip_prefix(PLACE)?.split_once('/')?;
    Some((UserId(user.parse().ok()?), subscription.parse().ok()?))
}

impl fmt::Debug for PushService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PushService")
    }
}

impl Pushing for PushService {
    fn previews(&self) -> bool {
        true
    }

    fn permits(&self, endpoint: &str) -> bool {
        parse(endpoint).is_some()
    }

    fn reads(&self, _: &str, _: &str) -> bool {
        true
    }

    /// Nothing is signed here.
    fn fresh_key(&self) -> Option<PushKey> {
        let part = || format!("{:016x}", self.rng.u64());
        Some(PushKey { private: part(), public: part() })
    }

    fn push(&self, push: Push) -> BoxFuture<'static, Pushed> {
        let (evidence, rng) = (self.evidence.clone(), self.rng.clone());
        Box::pin(async move {
            match parse(&push.subscription.endpoint) {
                Some((user, subscription)) => evidence.pushed(user, subscription, &push.notice),
                None => evidence.wrong(format!("a push goes to {}", push.subscription.endpoint)),
            }
            sleep(Duration::from_millis(rng.range(0, ANSWER_MS))).await;
            match (rng.range(0, BUSY), rng.range(0, GONE)) {
                (0, _) => Pushed::Later("busy".to_owned()),
                (_, 0) => Pushed::Gone,
                _ => Pushed::Taken,
            }
        })
    }
}
