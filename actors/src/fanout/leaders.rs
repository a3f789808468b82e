//! Subscriptions at the leaders of shards and their answers. Each leader has one request of a kind
//! in flight; after a change of leader everything is subscribed again.

use std::collections::{BTreeMap, BTreeSet};

use ractor::ActorRef;
use troupe_core::effect::Ending;
use troupe_core::planted::Bug;
use troupe_core::{ConversationId, Seq, ShardId, UserId};

use super::{FanoutState, REPORT_TICKS};
use crate::message::{Answer, Outcome, Request, Session, SubscriptionState};
use crate::protocol::{FanoutMsg, Interests};
use crate::router::PATIENCE;
use crate::sink::{Delivery, Pushed};

impl FanoutState {
    /// Queues everything for every leadership that has not got it.
    pub(super) fn check_leaders(&mut self) {
        let routing = self.context.router.routing();
        let Some(map) = routing.shards else { return };
        let mut changed: BTreeSet<ShardId> = map
            .shards()
            .filter(|shard| self.leader_requests.entry(*shard).or_default().leader_is(routing.leader(*shard)))
            .collect();
        if self.context.platform.planted(Bug::HubStaysWithOldLeader) {
            changed.clear();
        }
        if changed.is_empty() {
            return;
        }
        for (conversation, subscription) in &mut self.conversations {
            let shard = map.shard(conversation.slot());
            if changed.contains(&shard) {
                subscription.renewing = true;
                self.leader_requests.entry(shard).or_default().want(*conversation, subscription.users());
            }
        }
        let theirs = |user: &UserId| changed.contains(&map.shard(user.slot()));
        self.users.keys().copied().filter(theirs).for_each(|user| self.inboxes.changed(user));
        self.report(|shard| changed.contains(&shard));
        self.name_all_watchers(|shard| changed.contains(&shard));
    }

    /// Queues all live connections for the shards of their users.
    pub(super) fn report(&mut self, to: impl Fn(ShardId) -> bool) {
        let Some(map) = self.context.router.routing().shards else { return };
        let mut sessions: BTreeMap<ShardId, Vec<Session>> =
            map.shards().filter(|s| to(*s)).map(|s| (s, vec![])).collect();
        for local in self.connections.values() {
            if let Some(sessions) = sessions.get_mut(&map.shard(local.session.user.slot())) {
                sessions.push(local.session.clone());
            }
        }
        for (shard, sessions) in sessions {
            self.leader_requests.entry(shard).or_default().attach_whole(sessions);
        }
    }

    pub(super) fn flush(&mut self, myself: &ActorRef<FanoutMsg>) {
        let shards: Vec<ShardId> = self.leader_requests.keys().copied().collect();
        shards.into_iter().for_each(|shard| self.flush_to(myself, shard));
    }

    pub(super) fn flush_to(&mut self, myself: &ActorRef<FanoutMsg>, shard: ShardId) {
        let Some(map) = self.context.router.routing().shards else { return };
        let slot = troupe_core::Slot(map.slots(shard).0);
        let node = self.context.me();
        let requests = self.leader_requests.entry(shard).or_default();
        if let Some((whole, sessions)) = requests.next_sessions() {
            let request = Request::Attach { node, whole, sessions: sessions.clone() };
            let answer = self.context.router.ask(slot, request, PATIENCE);
            let myself = myself.clone();
            tokio::spawn(async move {
                let outcome = answer.await;
                let _ = myself.send_message(FanoutMsg::Attached { shard, whole, asked: sessions, outcome });
            });
        }
        if let Some(asked) = requests.next_interests() {
            let interests =
                asked.iter().map(|(conversation, users)| (*conversation, checked_users(*conversation, users)));
            let request = Request::Subscribe { node, interests: interests.collect() };
            let answer = self.context.router.ask(slot, request, PATIENCE);
            let myself = myself.clone();
            tokio::spawn(async move {
                let outcome = answer.await;
                let _ = myself.send_message(FanoutMsg::Subscribed { shard, asked, outcome });
            });
        }
        self.flush_watches(myself, shard, slot);
    }

    pub(super) fn subscribed(
        &mut self,
        myself: &ActorRef<FanoutMsg>,
        shard: ShardId,
        mut asked: Interests,
        outcome: Outcome,
    ) {
        let states = match outcome {
            Ok(Answer::Subscribed(states)) => states,
            // The next tick or the next leader tries again; requests to other shards go on.
            _ => return self.leader_requests.entry(shard).or_default().subscribed(asked),
        };
        self.leader_requests.entry(shard).or_default().subscribed(Interests::new());
        for SubscriptionState { conversation, head, refused } in states {
            let Some(users) = asked.remove(&conversation) else { continue };
            let Some(subscription) = self.conversations.get_mut(&conversation) else { continue };
            let asked_again = self.leader_requests.entry(shard).or_default().wanted(conversation);
            let (told, out) = subscription.answered(head, &users, &refused.into_iter().collect(), &asked_again);
            let mut joined: BTreeMap<Seq, Delivery> = BTreeMap::new();
            for (id, head) in told.into_iter().filter(|_| !self.context.platform.planted(Bug::SubscribeWithoutHead)) {
                let delivery =
                    joined.entry(head).or_insert_with(|| Delivery::new(Pushed::Joined { conversation, head }));
                self.deliver_to(id, delivery);
            }
            self.deliver(conversation, out);
            // The first event of a new conversation may have to be fetched.
            self.fill(myself, conversation);
        }
    }

    pub(super) fn attached(&mut self, shard: ShardId, whole: bool, asked: Vec<Session>, outcome: Outcome) {
        let requests = self.leader_requests.entry(shard).or_default();
        match outcome {
            Ok(Answer::Ended(ended)) => {
                requests.attached(false, Vec::new());
                // An answer of the previous leader does not count for the present one.
                if !requests.replaces_all() {
                    asked.iter().for_each(|session| self.inboxes.reported(session.user));
                }
                for session in ended {
                    self.end_session(&session, &Ending::Revoked.into());
                }
            }
            // Connections that have ended meanwhile are dropped.
            _ => {
                let live = |session: &Session| self.users.contains_key(&session.user);
                requests.attached(whole, asked.into_iter().filter(live).collect());
            }
        }
    }

    pub(super) fn tick(&mut self, myself: &ActorRef<FanoutMsg>) {
        self.ticks += 1;
        self.check_leaders();
        if self.ticks.is_multiple_of(REPORT_TICKS) {
            self.report(|_| true);
            self.name_all_watchers(|_| true);
        }
        self.inboxes.try_again();
        self.read_inboxes(myself);
        std::mem::take(&mut self.unfilled).into_iter().for_each(|conversation| self.fill(myself, conversation));
        self.flush(myself);
    }
}

/// The users whose membership the leader has to check: none in the channel, which is open to all.
fn checked_users(conversation: ConversationId, users: &BTreeSet<UserId>) -> Vec<UserId> {
    match conversation {
        ConversationId::Everyone => Vec::new(),
        _ => users.iter().copied().collect(),
    }
}
