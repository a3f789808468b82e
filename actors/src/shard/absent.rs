//! Tells the shards of members of a new message, so that those without a connection get a push.
//!
//! Nothing is done without the setting. A shard looks at a few conversations at a time, and at the
//! newest message of each only: a newer push replaces an older one of the same conversation.

use std::collections::{BTreeMap, VecDeque};

use ractor::ActorRef;
use troupe_core::record::{Member, Personal, PushSubscription};
use troupe_core::text::clean;
use troupe_core::{ConversationId, EventKind, Level, Seq, ShardId, UserId, limits};
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use super::ShardState;
use crate::context::{Asker, NodeContext};
use crate::message::{Absent, Request};
use crate::protocol::ShardMsg;
use crate::push::Notice;

/// Looks of one shard at once.
const AT_ONCE: usize = 2;
/// Events of a conversation that a look reads.
const EVENTS: usize = 16;

/// Conversations with messages that no look has seen.
#[derive(Debug, Default)]
pub struct Unseen {
    order: VecDeque<ConversationId>,
    /// The events behind the first seq, up to the second.
    marks: BTreeMap<ConversationId, (Seq, Seq)>,
    running: usize,
}

impl Unseen {
    fn mark(&mut self, conversation: ConversationId, head: Seq) {
        let before = Seq(head.0.saturating_sub(1));
        let mark = self.marks.entry(conversation).or_insert_with(|| {
            self.order.push_back(conversation);
            (before, head)
        });
        *mark = (mark.0.min(before), mark.1.max(head));
        if self.order.len() > limits::PUSH_LOOKS
            && let Some(oldest) = self.order.pop_front()
        {
            self.marks.remove(&oldest);
        }
    }

    fn next(&mut self) -> Option<(ConversationId, Seq)> {
        if self.running >= AT_ONCE {
            return None;
        }
        let conversation = self.order.pop_front()?;
        let (from, _) = self.marks.remove(&conversation)?;
        self.running += 1;
        Some((conversation, from))
    }
}

impl ShardState {
    /// The conversation has events up to this one.
    pub(super) fn mark_unseen(&mut self, myself: &ActorRef<ShardMsg>, conversation: ConversationId, head: Seq) {
        let is_pushed = conversation != ConversationId::Everyone && self.context.cluster.level() >= Level::SECOND;
        if self.context.pushes.is_none() || !is_pushed {
            return;
        }
        self.unseen.mark(conversation, head);
        self.look_for_absent(myself);
    }

    fn look_for_absent(&mut self, myself: &ActorRef<ShardMsg>) {
        while let Some((conversation, from)) = self.unseen.next() {
            while self.tasks.try_join_next().is_some() {}
            let (context, myself) = (self.context.clone(), myself.clone());
            self.tasks.spawn(async move {
                tell_members(&context, conversation, from).await;
                let _ = myself.send_message(ShardMsg::Looked);
            });
        }
    }

    pub(super) fn looked(&mut self, myself: &ActorRef<ShardMsg>) {
        self.unseen.running = self.unseen.running.saturating_sub(1);
        self.look_for_absent(myself);
    }

    /// Pushes to those of these users that have no connection.
    pub(super) fn push_to_absent(&self, Absent { mut users, notice }: Absent) {
        let Some(pushes) = self.context.pushes.clone() else { return };
        users.retain(|user| self.presence.sessions(*user).is_empty());
        users.truncate(limits::PUSH_MEMBERS);
        if users.is_empty() {
            return;
        }
        let (context, shard) = (self.context.clone(), self.shard);
        tokio::spawn(async move {
            // Most users have no subscription, and cost no barrier.
            let look = move |view: &View| subscriptions(view, &users).map(Ok);
            let some = context.look(Asker::Node, look).await.unwrap_or_default();
            let users: Vec<UserId> = some.into_iter().map(|(user, _)| user).collect();
            if users.is_empty() {
                return;
            }
            // Invariant: private. A leader that another one has replaced, or that has not applied
            // all that was committed before it, may hold a subscription that has ended.
            let read = move |view: &View| subscriptions(view, &users).map(Ok);
            // A read that is refused loses a hint.
            for (user, found) in context.read(shard, Asker::Node, read).await.unwrap_or_default() {
                pushes.offer(&context, user, found, &notice);
            }
        });
    }
}

fn subscriptions(view: &View, users: &[UserId]) -> Result<Vec<(UserId, Vec<PushSubscription>)>, EngineError> {
    let mut found = Vec::new();
    for user in users {
        let rows = view.page::<PushSubscription>(user, None, limits::PUSH_SUBSCRIPTIONS)?;
        if !rows.is_empty() {
            found.push((*user, rows.into_iter().map(|(_, row)| row).collect()));
        }
    }
    Ok(found)
}

async fn tell_members(context: &NodeContext, conversation: ConversationId, from: Seq) {
    let previews = context.pushes.as_ref().is_some_and(|pushes| pushes.way().previews());
    let now = context.platform.clock.now().0;
    let read = move |view: &View| newest(view, conversation, from, now).map(Ok);
    let Ok(Some((mut notice, users))) = context.look(Asker::Node, read).await else { return };
    if !previews {
        notice.preview.clear();
    }
    let mut by_shard: BTreeMap<ShardId, Vec<UserId>> = BTreeMap::new();
    for user in users {
        if let Some(shard) = context.router.shard_of(user.slot()) {
            by_shard.entry(shard).or_default().push(user);
        }
    }
    for users in by_shard.into_values() {
        let Some(first) = users.first() else { continue };
        context.router.tell(first.slot(), Request::Absent(Absent { users, notice: notice.clone() }));
    }
}

/// The newest message, and the members that it is for. In a larger group no push is sent.
fn newest(
    view: &View,
    conversation: ConversationId,
    from: Seq,
    now: u64,
) -> Result<Option<(Notice, Vec<UserId>)>, EngineError> {
    let events = view.events(conversation, from, EVENTS, limits::PAGE_BYTES)?;
    let message = events.into_iter().rev().find_map(|event| match event.kind {
        EventKind::Message(body) => Some((event.seq, event.sender, body)),
        _ => None,
    });
    let Some((seq, sender, body)) = message else { return Ok(None) };
    let members = match conversation {
        ConversationId::Everyone => Vec::new(),
        ConversationId::Direct { .. } => conversation.peer_of(sender).into_iter().collect(),
        ConversationId::Group(_) => {
            let rows = view.page::<Member>(&conversation, None, limits::PUSH_MEMBERS + 1)?;
            if rows.len() > limits::PUSH_MEMBERS {
                return Ok(None);
            }
            rows.into_iter().map(|((_, user), _)| user).collect()
        }
    };
    let mut users = Vec::new();
    for user in members {
        let muted = view.get::<Personal>(&(conversation, user))?.is_some_and(|own| own.muted_until.0 > now);
        if user != sender && !muted {
            users.push(user);
        }
    }
    let text = clean(body.as_text().unwrap_or_default());
    let preview = text.chars().take(limits::PUSH_PREVIEW_CHARS).collect();
    Ok(Some((Notice { conversation, seq, sender, kind: body.kind, preview }, users)))
}

#[cfg(test)]
mod tests {
    use troupe_core::GroupId;

    use super::*;

    #[test]
    fn marks_of_a_conversation_are_one_look_and_their_number_is_bounded() {
        let mut unseen = Unseen::default();
        let group = |number: usize| ConversationId::Group(GroupId(number as u64));
        unseen.mark(group(1), Seq(5));
        unseen.mark(group(1), Seq(7));
        assert_eq!(unseen.next(), Some((group(1), Seq(4))));
        assert_eq!(unseen.next(), None);
        for number in 0..limits::PUSH_LOOKS + 1 {
            unseen.mark(group(number), Seq(1));
        }
        assert_eq!(unseen.next(), Some((group(1), Seq(0))), "the oldest was dropped");
        unseen.mark(group(9), Seq(1));
        assert_eq!(unseen.next(), None, "two looks run");
    }
}
