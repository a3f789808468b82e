//! Web Push: hints to the browsers of users that are not connected.
//!
//! A push is a hint. It is not durable, and it may be lost: a browser that opens reads the log. So
//! the queue of a node has an end and drops its oldest, and an attempt that fails a few times is
//! dropped too. The node has the way to push services over HTTP.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tokio::time::sleep;
use troupe_core::command::{ChangePush, PushChange};
use troupe_core::record::{PushKey, PushSubscription};
use troupe_core::{Command, ConversationId, Seq, Timestamp, UserId, limits};
use troupe_runtime::Backoff;
use troupe_runtime::net::BoxFuture;

use crate::context::NodeContext;
use crate::message::{Answer, Refusal, Request};
use crate::router::PATIENCE;

/// Between two attempts at a push.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// The message that a push tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub conversation: ConversationId,
    pub seq: Seq,
    pub sender: UserId,
    /// Of the body.
    pub kind: u32,
    /// Its first characters; empty: none are shown.
    pub preview: String,
}

/// The way to push services.
pub trait Pushing: Debug + Send + Sync {
    /// Whether a push shows the first characters of a message.
    fn previews(&self) -> bool;

    /// Whether a subscription may have this endpoint.
    fn permits(&self, endpoint: &str) -> bool;

    /// Whether these are keys of a subscription, in base64url.
    fn reads(&self, p256dh: &str, auth: &str) -> bool;

    /// A key pair for the cluster.
    fn fresh_key(&self) -> Option<PushKey>;

    /// One attempt, in bounded time.
    fn push(&self, push: Push) -> BoxFuture<'static, Pushed>;
}

#[derive(Clone, Debug)]
pub struct Push {
    pub key: PushKey,
    pub subscription: PushSubscription,
    pub notice: Notice,
    pub now: Timestamp,
}

/// The outcome of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    Taken,
    /// The subscription has ended.
    Gone,
    /// The service is busy or down.
    Later(String),
    /// The service refuses this push.
    Failed(String),
}

/// The pushes of a node that wait, and the way that they go.
#[derive(Debug)]
pub struct Pushes {
    way: Arc<dyn Pushing>,
    key: OnceCell<PushKey>,
    queue: Mutex<Queue<Waiting>>,
}

#[derive(Clone, Debug)]
struct Waiting {
    subscription: PushSubscription,
    notice: Notice,
}

impl Pushes {
    pub fn new(way: Arc<dyn Pushing>) -> Arc<Pushes> {
        Arc::new(Pushes { way, key: OnceCell::new(), queue: Mutex::new(Queue::default()) })
    }

    pub fn way(&self) -> &dyn Pushing {
        &*self.way
    }

    /// The key of the cluster, which the first node that needs it makes.
    pub async fn key(&self, context: &NodeContext) -> Result<&PushKey, Refusal> {
        self.key
            .get_or_try_init(|| async {
                let fresh = self.way.fresh_key().ok_or(Refusal::Unavailable)?;
                let slot = ConversationId::Everyone.slot();
                match context.router.ask(slot, Request::PushKey(fresh), PATIENCE).await? {
                    Answer::PushKey(key) => Ok(key),
                    _ => Err(Refusal::Unavailable),
                }
            })
            .await
    }

    /// Queues pushes to the browsers of a user.
    pub fn offer(
        self: &Arc<Pushes>,
        context: &NodeContext,
        user: UserId,
        subscriptions: Vec<PushSubscription>,
        notice: &Notice,
    ) {
        {
            let mut queue = self.queue.lock();
            for subscription in subscriptions {
                if queue.add(user, Waiting { subscription, notice: notice.clone() }) {
                    tracing::debug!("the queue of pushes is full: the oldest is dropped");
                }
            }
        }
        self.begin(context);
    }

    fn begin(self: &Arc<Pushes>, context: &NodeContext) {
        loop {
            let Some((user, waiting)) = self.queue.lock().next() else { return };
            let (pushes, context) = (self.clone(), context.clone());
            tokio::spawn(async move {
                pushes.deliver(&context, user, waiting).await;
                pushes.queue.lock().done(user);
                pushes.begin(&context);
            });
        }
    }

    async fn deliver(&self, context: &NodeContext, user: UserId, Waiting { subscription, notice }: Waiting) {
        let Ok(key) = self.key(context).await.cloned() else {
            return tracing::warn!("a push is dropped: the key of the cluster cannot be read now");
        };
        let mut pause = Backoff::new(PAUSES.0, PAUSES.1);
        let (conversation, seq) = (notice.conversation, notice.seq);
        for attempt in 1..=limits::PUSH_ATTEMPTS {
            let now = context.platform.clock.now();
            let push = Push { key: key.clone(), subscription: subscription.clone(), notice: notice.clone(), now };
            match self.way.push(push).await {
                Pushed::Taken => return,
                Pushed::Gone => {
                    tracing::debug!(%user, "the push service has ended a subscription");
                    let change = PushChange::End { endpoint: subscription.endpoint };
                    let command = Command::from(ChangePush { user, change });
                    // If it is not committed, the next push ends it.
                    return drop(context.router.ask(user.slot(), Request::Commit(command), PATIENCE).await);
                }
                Pushed::Failed(why) => return tracing::debug!(%user, %conversation, %seq, %why, "a push is dropped"),
                Pushed::Later(why) => {
                    tracing::debug!(%user, %conversation, %seq, attempt, %why, "a push service is busy");
                }
            }
            if attempt < limits::PUSH_ATTEMPTS {
                sleep(pause.pause(&context.platform.rng)).await;
            }
        }
    }
}

/// Work of users, in order, with bounds.
#[derive(Debug)]
struct Queue<T> {
    waiting: VecDeque<(UserId, T)>,
    running: usize,
    of_user: BTreeMap<UserId, Share>,
}

/// Of one user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Share {
    waiting: usize,
    running: usize,
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue { waiting: VecDeque::new(), running: 0, of_user: BTreeMap::new() }
    }
}

impl<T> Queue<T> {
    /// Whether one was dropped for it: the user's oldest if these are many, otherwise the oldest.
    fn add(&mut self, user: UserId, work: T) -> bool {
        let at = if self.share(user).waiting >= limits::PUSH_WAITING_EACH {
            self.waiting.iter().position(|(of, _)| *of == user)
        } else {
            (self.waiting.len() >= limits::PUSH_WAITING).then_some(0)
        };
        let dropped = at.and_then(|at| self.waiting.remove(at));
        if let Some((of, _)) = &dropped {
            self.count(*of, |share| share.waiting = share.waiting.saturating_sub(1));
        }
        self.waiting.push_back((user, work));
        self.count(user, |share| share.waiting += 1);
        dropped.is_some()
    }

    fn share(&self, user: UserId) -> Share {
        self.of_user.get(&user).copied().unwrap_or_default()
    }

    fn count(&mut self, user: UserId, change: impl FnOnce(&mut Share)) {
        let share = self.of_user.entry(user).or_default();
        change(share);
        if *share == Share::default() {
            self.of_user.remove(&user);
        }
    }

    /// The first that may begin. A user whose services are slow delays its own pushes.
    fn next(&mut self) -> Option<(UserId, T)> {
        if self.running >= limits::PUSH_IN_FLIGHT {
            return None;
        }
        let may_run = |user: &UserId| self.share(*user).running < limits::PUSH_IN_FLIGHT_EACH;
        let at = self.waiting.iter().position(|(user, _)| may_run(user))?;
        let (user, work) = self.waiting.remove(at)?;
        self.running += 1;
        self.count(user, |share| {
            *share = Share { waiting: share.waiting.saturating_sub(1), running: share.running + 1 }
        });
        Some((user, work))
    }

    fn done(&mut self, user: UserId) {
        self.running = self.running.saturating_sub(1);
        self.count(user, |share| share.running = share.running.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_drops_its_oldest() {
        let mut queue = Queue::default();
        let user = |work: usize| UserId((work / limits::PUSH_WAITING_EACH) as u64);
        for work in 0..limits::PUSH_WAITING {
            assert!(!queue.add(user(work), work));
        }
        assert!(queue.add(UserId(99), limits::PUSH_WAITING));
        assert_eq!(queue.next(), Some((UserId(0), 1)));
    }

    #[test]
    fn a_user_with_many_pushes_drops_its_own() {
        let mut queue = Queue::default();
        queue.add(UserId(1), 0);
        for work in 1..=limits::PUSH_WAITING_EACH {
            assert!(!queue.add(UserId(2), work));
        }
        assert!(queue.add(UserId(2), limits::PUSH_WAITING_EACH + 1));
        assert_eq!(queue.waiting.len(), limits::PUSH_WAITING_EACH + 1);
        let begun: Vec<_> = std::iter::from_fn(|| queue.next()).collect();
        assert_eq!(begun.iter().map(|(_, work)| *work).collect::<Vec<_>>(), [0, 2, 3, 4, 5]);
        for (user, _) in begun {
            queue.done(user);
        }
        queue.waiting.clear();
        assert_eq!(queue.share(UserId(1)), Share::default());
        assert!(!queue.of_user.contains_key(&UserId(1)), "nothing is kept of a user without pushes");
    }

    #[test]
    fn a_user_with_slow_services_delays_itself() {
        let mut queue = Queue::default();
        for work in 0..limits::PUSH_IN_FLIGHT_EACH + 1 {
            queue.add(UserId(1), work);
        }
        queue.add(UserId(2), 9);
        let begun: Vec<_> = std::iter::from_fn(|| queue.next()).collect();
        assert_eq!(begun.len(), limits::PUSH_IN_FLIGHT_EACH + 1);
        assert_eq!(begun.last(), Some(&(UserId(2), 9)));
        queue.done(UserId(1));
        assert_eq!(queue.next(), Some((UserId(1), limits::PUSH_IN_FLIGHT_EACH)));
        assert_eq!(queue.next(), None);
    }
}
