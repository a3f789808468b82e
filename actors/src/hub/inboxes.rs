//! Whose conversation lists this node has to read, and when; and what news of them does.
//!
//! The leader of a user's shard pushes what comes to the list and what leaves it to the nodes that it knows the user at. Until it
//! has been told, and told again by each new leader, such a push goes nowhere; so the list is read *after* that, and nothing
//! can fall between the two.

use std::collections::BTreeSet;
use std::sync::Arc;

use ractor::ActorRef;
use troupe_core::{ConversationId, Seq, UserId, limits};

use crate::conversation::push_frame;
use crate::hub::{HubMsg, HubState};
use crate::message::{Answer, Request, say};
use crate::router::{PATIENCE, Router};

/// Lists read at once: after a change of leader those of all users here are wanted, and nobody waits for them.
const READING: usize = 32;

#[derive(Debug, Default)]
pub struct Inboxes {
    /// The leader does not know yet that they are here.
    unheard: BTreeSet<UserId>,
    wanted: BTreeSet<UserId>,
    /// To be tried again with the next tick.
    failed: BTreeSet<UserId>,
    reading: usize,
}

impl Inboxes {
    /// A user is new here, or the leader is.
    pub fn changed(&mut self, user: UserId) {
        self.unheard.insert(user);
    }

    /// The leader knows from now on.
    pub fn heard(&mut self, user: UserId) {
        if self.unheard.remove(&user) {
            self.wanted.insert(user);
        }
    }

    pub fn try_again(&mut self) {
        self.wanted.append(&mut self.failed);
    }

    fn next(&mut self) -> Option<UserId> {
        let user = if self.reading < READING { self.wanted.pop_first() } else { None };
        self.reading += usize::from(user.is_some());
        user
    }

    fn ended(&mut self, user: UserId, good: bool) {
        self.reading = self.reading.saturating_sub(1);
        if !good {
            self.failed.insert(user);
        }
    }
}

impl HubState {
    pub(super) fn read_inboxes(&mut self, myself: &ActorRef<HubMsg>) {
        while let Some(user) = self.inboxes.next() {
            let (router, myself) = (self.world.router.clone(), myself.clone());
            tokio::spawn(async move {
                let conversations = read(&router, user).await;
                let _ = myself.send_message(HubMsg::Inbox { user, conversations });
            });
        }
    }

    /// `None`: it could not be read now.
    pub(super) fn inbox_read(&mut self, user: UserId, conversations: Option<Vec<ConversationId>>) {
        self.inboxes.ended(user, conversations.is_some() || !self.users.contains_key(&user));
        let connections = self.users.get(&user).cloned().unwrap_or_default();
        for conversation in conversations.into_iter().flatten() {
            connections.iter().for_each(|id| self.follow(*id, conversation, Seq::ZERO));
        }
    }

    /// News may come after a newer state was read from the list, or heard from the conversation.
    pub(super) fn inbox_changed(&mut self, user: UserId, conversation: ConversationId, present: bool, version: Seq) {
        let joined = |hub: &HubState, id| {
            hub.conversations.get(&conversation).is_some_and(|followed| followed.has_joined_since(id, version))
        };
        for id in self.users.get(&user).cloned().unwrap_or_default() {
            if present {
                // Its device is told of the conversation together with the head.
                self.follow(id, conversation, version);
            } else if !joined(self, id)
                && let Some(local) = self.connections.get(&id)
            {
                // Listening ends with the event that removed this user, which may not have come yet.
                let frame = push_frame(say::server_frame::Message::Conversation(say::ConversationPush {
                    conversation: conversation.to_string(),
                    present: false,
                    head: 0,
                }));
                local.push(&self.world, frame);
            }
        }
    }
}

async fn read(router: &Arc<Router>, user: UserId) -> Option<Vec<ConversationId>> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let request = Request::Inbox { user, after, limit: limits::PAGE_CONVERSATIONS };
        let Ok(Answer::Inbox { conversations, next }) = router.ask(user.slot(), request, PATIENCE).await else {
            return None;
        };
        all.extend(conversations);
        match next {
            Some(next) => after = Some(next),
            None => return Some(all),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_when_the_leader_knows_and_again_when_another_does() {
        let mut inboxes = Inboxes::default();
        let ann = UserId(1);
        inboxes.changed(ann);
        assert_eq!(inboxes.next(), None);
        inboxes.heard(ann);
        assert_eq!(inboxes.next(), Some(ann));
        inboxes.ended(ann, true);
        // Said again to the same leader: nothing can have been missed.
        inboxes.heard(ann);
        assert_eq!(inboxes.next(), None);
        inboxes.changed(ann);
        inboxes.heard(ann);
        assert_eq!(inboxes.next(), Some(ann));
    }

    #[test]
    fn what_fails_waits_for_the_next_tick_and_many_wait_for_each_other() {
        let mut inboxes = Inboxes::default();
        for user in 1..=READING as u64 + 1 {
            inboxes.changed(UserId(user));
            inboxes.heard(UserId(user));
        }
        let read: Vec<UserId> = std::iter::from_fn(|| inboxes.next()).collect();
        assert_eq!(read.len(), READING);
        inboxes.ended(UserId(1), false);
        assert_eq!(inboxes.next(), Some(UserId(READING as u64 + 1)));
        inboxes.ended(UserId(2), true);
        assert_eq!(inboxes.next(), None);
        inboxes.try_again();
        assert_eq!(inboxes.next(), Some(UserId(1)));
    }
}
