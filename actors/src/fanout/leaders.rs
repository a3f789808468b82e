//! What a fan-out says to the leaders of shards, and what they answer: one conversation at a time with
//! each, everything again after a change of leader.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ractor::ActorRef;
use troupe_core::plant::Plant;
use troupe_core::{ConversationId, Seq, ShardId, UserId};

use super::leader_requests::Interests;
use super::{FanoutMsg, FanoutState, REPORT_TICKS};
use crate::conversation::push_frame;
use crate::message::{Answer, Outcome, Request, Session, Standing, say};
use crate::router::PATIENCE;
/// What is said to leaders, and what they answer.
impl FanoutState {
    /// Says everything again to every leadership that has not heard it.
    pub(super) fn look_at_leaders(&mut self) {
        let routing = self.world.router.routing();
        let Some(map) = routing.shards else { return };
        let mut changed: BTreeSet<ShardId> = map
            .shards()
            .filter(|shard| self.leader_requests.entry(*shard).or_default().leader_is(routing.leader(*shard)))
            .collect();
        if self.world.ctx.planted(Plant::HubStaysWithOldLeader) {
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
    }

    /// All live connections, to the shards of their users.
    pub(super) fn report(&mut self, to: impl Fn(ShardId) -> bool) {
        let Some(map) = self.world.router.routing().shards else { return };
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
        let Some(map) = self.world.router.routing().shards else { return };
        let slot = troupe_core::Slot(map.slots(shard).0);
        let node = self.world.me();
        let requests = self.leader_requests.entry(shard).or_default();
        if let Some((whole, sessions)) = requests.next_sessions() {
            let request = Request::Attach { node, whole, sessions: sessions.clone() };
            let answer = self.world.router.ask(slot, request, PATIENCE);
            let myself = myself.clone();
            tokio::spawn(async move {
                let outcome = answer.await;
                let _ = myself.send_message(FanoutMsg::Attached { shard, whole, asked: sessions, outcome });
            });
        }
        if let Some(asked) = requests.next_interests() {
            let interests = asked.iter().map(|(conversation, users)| (*conversation, judged(*conversation, users)));
            let request = Request::Subscribe { node, interests: interests.collect() };
            let answer = self.world.router.ask(slot, request, PATIENCE);
            let myself = myself.clone();
            tokio::spawn(async move {
                let outcome = answer.await;
                let _ = myself.send_message(FanoutMsg::Subscribed { shard, asked, outcome });
            });
        }
    }

    pub(super) fn subscribed(
        &mut self,
        myself: &ActorRef<FanoutMsg>,
        shard: ShardId,
        mut asked: Interests,
        outcome: Outcome,
    ) {
        let standings = match outcome {
            Ok(Answer::Subscribed(standings)) => standings,
            // Asked again with the next tick or the next leader; nobody else is held up.
            _ => return self.leader_requests.entry(shard).or_default().subscribed(asked),
        };
        self.leader_requests.entry(shard).or_default().subscribed(Interests::new());
        for Standing { conversation, head, refused } in standings {
            let Some(users) = asked.remove(&conversation) else { continue };
            let Some(subscription) = self.conversations.get_mut(&conversation) else { continue };
            let asked_again = self.leader_requests.entry(shard).or_default().wanted(conversation);
            let (told, out) = subscription.answered(head, &users, &refused.into_iter().collect(), &asked_again);
            let mut frames: BTreeMap<Seq, Bytes> = BTreeMap::new();
            for (id, at) in told.into_iter().filter(|_| !self.world.ctx.planted(Plant::SubscribeWithoutHead)) {
                let frame = frames.entry(at).or_insert_with(|| present(conversation, at));
                if let Some(local) = self.connections.get(&id) {
                    local.push(&self.world, frame.clone());
                }
            }
            self.deliver(conversation, out);
            // A new conversation begins with its first event, which may have to be fetched.
            self.fill(myself, conversation);
        }
    }

    pub(super) fn attached(&mut self, shard: ShardId, whole: bool, asked: Vec<Session>, outcome: Outcome) {
        let requests = self.leader_requests.entry(shard).or_default();
        match outcome {
            Ok(Answer::Ended(ended)) => {
                requests.attached(false, Vec::new());
                // An answer of the leader before says nothing about what the one now knows.
                if !requests.replaces_all() {
                    asked.iter().for_each(|session| self.inboxes.heard(session.user));
                }
                for session in ended {
                    self.end_session(&session, "revoked");
                }
            }
            // Connections that ended meanwhile are not worth telling of.
            _ => {
                let live = |session: &Session| self.users.contains_key(&session.user);
                requests.attached(whole, asked.into_iter().filter(live).collect());
            }
        }
    }

    pub(super) fn tick(&mut self, myself: &ActorRef<FanoutMsg>) {
        self.ticks += 1;
        self.look_at_leaders();
        if self.ticks.is_multiple_of(REPORT_TICKS) {
            self.report(|_| true);
        }
        self.inboxes.try_again();
        self.read_inboxes(myself);
        std::mem::take(&mut self.unfilled).into_iter().for_each(|conversation| self.fill(myself, conversation));
        self.flush(myself);
    }
}

fn present(conversation: ConversationId, head: Seq) -> Bytes {
    let conversation = conversation.to_string();
    let push = say::ConversationPush { conversation, present: true, head: head.0 };
    push_frame(say::server_frame::Message::Conversation(push))
}

/// Who has to be judged by the leader: nobody where everybody may listen.
fn judged(conversation: ConversationId, users: &BTreeSet<UserId>) -> Vec<UserId> {
    match conversation {
        ConversationId::Everyone => Vec::new(),
        _ => users.iter().copied().collect(),
    }
}
