//! The receiver of hooks: it takes most events, takes some without an answer, and is down
//! now and then. Each event that it takes is recorded.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use troupe_actors::hooks::{Delivery, Heard, Patience, Question, Receivers, Verdict};
use troupe_actors::push::Pushing;
use troupe_runtime::Rng;
use troupe_runtime::net::BoxFuture;

use crate::evidence::Evidence;
use crate::push_service::PushService;

/// Maximum delay of an answer.
const ANSWER_MS: u64 = 40;
/// One attempt in so many finds the receiver down, and another one gets no answer.
const TROUBLE: u64 = 8;

/// A message with this text is refused.
pub const REFUSED_WORD: &str = "refuse me";

pub struct Receiver {
    evidence: Arc<Evidence>,
    /// A stream of its own, so that it changes no other run.
    rng: Arc<Rng>,
    /// The way to push services, if users subscribe.
    pushing: Option<Arc<PushService>>,
}

impl Receiver {
    pub fn new(evidence: Arc<Evidence>, seed: u64, pushes: bool) -> Arc<Receiver> {
        let pushing = pushes.then(|| PushService::new(evidence.clone(), seed));
        Arc::new(Receiver { evidence, rng: Arc::new(Rng::from_seed(seed ^ 0x686f_6f6b)), pushing })
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receiver")
    }
}

impl Receivers for Receiver {
    fn permits(&self, _: &str) -> bool {
        true
    }

    fn deliver(&self, delivery: Delivery) -> BoxFuture<'static, Heard> {
        let (evidence, rng) = (self.evidence.clone(), self.rng.clone());
        Box::pin(async move {
            sleep(Duration::from_millis(rng.range(0, ANSWER_MS))).await;
            let fate = rng.range(0, TROUBLE);
            if fate == 0 {
                return Heard::Not { status: 503, why: "down".to_owned() };
            }
            evidence.hook_taken((delivery.conversation, delivery.hook), delivery.event.seq);
            sleep(Duration::from_millis(rng.range(0, ANSWER_MS))).await;
            if fate == 1 { Heard::Not { status: 0, why: "no answer".to_owned() } } else { Heard::Taken }
        })
    }

    fn ask(&self, question: Question) -> BoxFuture<'static, Verdict> {
        let (evidence, rng) = (self.evidence.clone(), self.rng.clone());
        Box::pin(async move {
            sleep(Duration::from_millis(rng.range(0, ANSWER_MS))).await;
            let fate = rng.range(0, TROUBLE);
            if fate == 0 {
                return Verdict::Silent("down".to_owned());
            }
            let allowed = question.body.as_text() != Some(REFUSED_WORD);
            if let Some(id) = question.id {
                let name = format!("{}/{id}", question.sender);
                evidence.hook_asked(question.conversation, &name, allowed);
            }
            match (fate, allowed) {
                (1, _) => Verdict::Silent("no answer".to_owned()),
                (2, _) => Verdict::Busy,
                (_, true) => Verdict::Allowed,
                (_, false) => Verdict::Refused("not here".to_owned()),
            }
        })
    }

    fn pushing(&self) -> Option<Arc<dyn Pushing>> {
        self.pushing.clone().map(|pushing| pushing as Arc<dyn Pushing>)
    }

    fn patience(&self) -> Patience {
        let (first, longest) = (Duration::from_millis(50), Duration::from_secs(1));
        Patience { attempts: 12, first, longest }
    }
}
