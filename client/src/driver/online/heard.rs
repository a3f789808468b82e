//! Handling of answers and pushes: for the outbox, for the inbox, and for the set of followed
//! conversations.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;
use troupe_core::planted::Bug;
use troupe_core::{ClientMessageId, ConversationId, Event, Rejection, Seq, Timestamp, UserId};
use troupe_proto::client::{EndReason, Refusal};
use troupe_proto::wire::client as wire;

use super::{Heard, RELIST};
use crate::builder::StartAt;
use crate::client::{Acked, Incoming, State};
use crate::connection::{Message, Push};
use crate::driver::Driver;
use crate::error::{Error, Result, words};
use crate::inbox::Wanted;
use crate::outbox::Refused;
use crate::requests;
use crate::store::Record;

impl Driver {
    pub(in crate::driver) fn heard(&mut self, heard: Heard) -> Result<(), State> {
        match heard {
            Heard::Ended => self.lost("the connection was closed".into()),
            Heard::Pong => {
                if let Some(online) = &mut self.online {
                    online.pinging = false;
                }
            }
            Heard::Sent(conversation, id, result) => self.answered(conversation, id, result),
            Heard::Page(wanted, result) => self.page(wanted, result),
            Heard::Listed(result) => self.listed(result),
            Heard::Push(push) => return self.pushed(push),
        }
        Ok(())
    }

    fn answered(&mut self, conversation: ConversationId, id: ClientMessageId, result: Result<Message>) {
        let refused = match result {
            Ok(Message::SendAck(ack)) => {
                return self.settle(
                    conversation,
                    id,
                    Ok(Acked { id, seq: Seq(ack.seq), time: Timestamp(ack.time_ms) }),
                );
            }
            Ok(_) => Refused::Unknown,
            Err(Error::Overloaded { retry_after, .. }) => Refused::Later(retry_after),
            Err(Error::OutOfOrder { .. }) => Refused::OutOfOrder,
            // The connection lost its session. The next one resumes it.
            Err(Error::Rejected { code, .. }) if code == Refusal::NotLoggedIn.code() => {
                return self.lost("the node does not know this session".into());
            }
            Err(error @ Error::Rejected { .. }) => return self.settle(conversation, id, Err(error)),
            Err(_) if self.shared.context.planted(Bug::SdkGivesUp) => Refused::ForGood,
            Err(_) => Refused::Unknown,
        };
        self.shared.sending.lock().outbox.refused(&id, refused, Instant::now());
    }

    /// A message leaves the outbox. Only the first outcome counts.
    fn settle(&mut self, conversation: ConversationId, id: ClientMessageId, outcome: Result<Acked>) {
        let mut sending = self.shared.sending.lock();
        let first = match &outcome {
            Ok(_) => sending.outbox.acked(&id),
            Err(_) => sending.outbox.refused(&id, Refused::ForGood, Instant::now()),
        };
        if !first {
            return;
        }
        if let Err(error) = self.shared.store.lock().append(&Record::Settled(id)) {
            // It is sent again after a restart, and acked as a duplicate.
            tracing::error!(%error, "cannot store the outbox");
        }
        let waiters = sending.waiters.remove(&id).unwrap_or_default();
        drop(sending);
        let heard = waiters.into_iter().filter_map(|waiter| waiter.send(outcome.clone()).ok()).count();
        if heard == 0 {
            self.settled.push_back(Incoming::Settled { conversation, id, outcome });
        }
    }

    fn page(&mut self, wanted: Wanted, result: Result<Message>) {
        let now = Instant::now();
        match result {
            Ok(Message::Page(page)) => {
                let events: Result<Vec<Event>, _> = page.events.into_iter().map(Event::try_from).collect();
                match events {
                    Ok(events) => self.inbox.page(wanted, events, Seq(page.head), page.more, now),
                    Err(error) => {
                        tracing::error!(%error, "cannot decode a page; this client may be too old");
                        self.inbox.fetch_failed(wanted, Duration::from_secs(5), now);
                    }
                }
            }
            Err(Error::Rejected { code, .. })
                if code == Rejection::NotMember.code() || code == Rejection::NoSuchConversation.code() =>
            {
                self.leave(wanted.conversation);
            }
            Err(Error::Overloaded { retry_after, .. }) => self.inbox.fetch_failed(wanted, retry_after, now),
            Err(Error::Rejected { code, text }) => {
                tracing::error!(conversation = %wanted.conversation, %code, %text, "the server refused a page");
                self.inbox.fetch_failed(wanted, Duration::from_secs(5), now);
            }
            Ok(_) | Err(_) => self.inbox.fetch_failed(wanted, Duration::ZERO, now),
        }
    }

    fn listed(&mut self, result: Result<Message>) {
        let list = match result {
            Ok(Message::Conversations(list)) => list,
            Ok(_) | Err(_) => {
                if let Some(online) = &mut self.online {
                    online.list_at = Some(Instant::now() + RELIST);
                }
                return;
            }
        };
        let last = list.conversations.last().map(|line| line.conversation.clone());
        for line in &list.conversations {
            let Ok(conversation) = line.conversation.parse::<ConversationId>() else { continue };
            let head = Seq(line.head);
            self.compare(conversation, Seq(line.kept));
            if !self.inbox.knows(conversation) {
                self.follow(conversation, first_cursor(self.start_at, conversation, head, Some(Seq(line.delivered))));
            }
            self.inbox.head(conversation, head);
        }
        let Some(online) = &mut self.online else { return };
        if let (true, Some(last)) = (list.more, last) {
            return online.list(last);
        }
        online.listing = false;
        if !list.unavailable.is_empty() {
            online.list_at = Some(Instant::now() + RELIST);
        }
        if list.unavailable.is_empty() {
            self.compare_unlisted();
        }
        let Some(online) = &mut self.online else { return };
        // Unavailable conversations wait for their line, which holds the start position.
        let waiting: BTreeSet<ConversationId> = list.unavailable.iter().filter_map(|c| c.parse().ok()).collect();
        let mut unlisted = std::mem::take(&mut online.unlisted);
        online.unlisted = waiting.iter().filter_map(|c| unlisted.remove_entry(c)).collect();
        online.lineless = waiting;
        for (conversation, head) in unlisted {
            self.meet(conversation, head);
        }
    }

    fn pushed(&mut self, push: Push) -> Result<(), State> {
        match push {
            Push::Event(push) => self.event(push),
            Push::Conversation(push) => {
                let Ok(conversation) = push.conversation.parse::<ConversationId>() else { return Ok(()) };
                if push.present {
                    self.meet(conversation, Seq(push.head));
                } else {
                    self.leave(conversation);
                }
            }
            Push::Invitation(push) => {
                if let Ok(conversation) = push.conversation.parse() {
                    self.tell(Incoming::Invitation { conversation, by: UserId(push.invited_by) });
                }
            }
            Push::Signal(wire::SignalPush { conversation, user_id, device, kind, payload, seq }) => {
                if let Ok(conversation) = conversation.parse() {
                    let (from, seq) = (UserId(user_id), Seq(seq));
                    self.tell(Incoming::Signal { conversation, from, device, kind, payload, seq });
                }
            }
            Push::Presence(push) => self.tell(Incoming::Presence(push.into())),
            Push::Cursor(push) => {
                if let Ok(conversation) = push.conversation.parse() {
                    let (user, delivered, read) = (UserId(push.user_id), Seq(push.delivered), Seq(push.read));
                    if let Some((delivered, read)) = self.read_positions.advance(conversation, user, delivered, read) {
                        self.tell(Incoming::Cursor { conversation, user, delivered, read });
                    }
                }
            }
            Push::Profile(push) => self.tell(Incoming::Profile(push.profile.unwrap_or_default().into())),
            Push::Personal(push) => {
                if let Some((conversation, state)) = requests::pushed(push) {
                    self.tell(Incoming::Personal { conversation, state });
                }
            }
            Push::Favourite(push) => {
                if let Ok(conversation) = push.conversation.parse() {
                    let (seq, removed, version) = (Seq(push.seq), push.removed, push.version);
                    self.tell(Incoming::Favourite { conversation, seq, removed, version });
                }
            }
            Push::Contact(push) => self.tell(Incoming::Contact(push.contact.unwrap_or_default().into())),
            Push::GoAway(go_away) => {
                let from = self.online.as_ref().map(|online| online.connection.address().to_owned());
                let told = self.followed(from.as_deref().unwrap_or_default(), &go_away.nodes);
                self.nodes.sent_to(&told, &self.shared.context.rng);
                // The old connection stays in use until the new one is ready.
                self.retry_at = Some(Instant::now());
            }
            Push::Kicked(kicked) if EndReason::of_code(&kicked.code).session_continues() => {
                self.lost(words(&kicked.text));
            }
            Push::Kicked(kicked) => {
                return Err(State::Kicked { code: words(&kicked.code), text: words(&kicked.text) });
            }
        }
        Ok(())
    }

    fn event(&mut self, push: wire::EventPush) {
        let Ok(conversation) = push.conversation.parse::<ConversationId>() else { return };
        let Some(event) = push.event else { return };
        let seq = Seq(event.seq);
        let event = match Event::try_from(event) {
            Ok(event) => event,
            Err(error) => return tracing::error!(%error, "cannot decode an event; this client may be too old"),
        };
        if self.online.as_ref().is_some_and(|online| online.me == event.sender) {
            // An own message in the log is as good as its ack.
            let acked = Acked { id: event.client_message_id, seq, time: event.time };
            self.settle(conversation, event.client_message_id, Ok(acked));
        }
        if self.incoming.is_closed() {
            return;
        }
        if self.shared.context.planted(Bug::SdkTrustsPushes) {
            return self.tell(Incoming::Event { conversation, event });
        }
        self.meet(conversation, seq);
        self.inbox.push(conversation, event);
        if self.shared.context.planted(Bug::SdkCursorEarly)
            && let Some(seq) = self.inbox.cursor(conversation)
        {
            drop(self.shared.store.lock().append(&Record::Cursor { conversation, seq }));
        }
    }

    /// A conversation with events up to `head`, possibly a new one.
    fn meet(&mut self, conversation: ConversationId, head: Seq) {
        if self.inbox.knows(conversation) {
            return self.inbox.head(conversation, head);
        }
        if let Some(online) = &mut self.online
            && (online.listing || online.lineless.contains(&conversation))
            && !self.cursors.contains_key(&conversation)
        {
            let seen = online.unlisted.entry(conversation).or_default();
            *seen = head.max(*seen);
            return;
        }
        self.follow(conversation, first_cursor(self.start_at, conversation, head, None));
        self.inbox.head(conversation, head);
        self.tell(Incoming::ConversationAdded { conversation, head });
    }

    fn follow(&mut self, conversation: ConversationId, first: Seq) {
        if self.incoming.is_closed() {
            return;
        }
        match self.cursors.remove(&conversation) {
            Some(cursor) => self.inbox.follow(conversation, cursor),
            None => {
                self.inbox.follow(conversation, first);
                let record = Record::Cursor { conversation, seq: first };
                if let Err(error) = self.shared.store.lock().append(&record) {
                    tracing::error!(%error, "cannot store the cursor");
                }
            }
        }
    }

    fn leave(&mut self, conversation: ConversationId) {
        if let Some(cursor) = self.inbox.cursor(conversation) {
            self.cursors.insert(conversation, cursor);
            self.inbox.leave(conversation);
            self.read_positions.forget(conversation);
            self.tell(Incoming::ConversationRemoved { conversation });
        }
    }
}

/// The start position in a conversation that the device has never followed. `delivered` is known if
/// the conversation was listed.
fn first_cursor(start_at: StartAt, conversation: ConversationId, head: Seq, delivered: Option<Seq>) -> Seq {
    match (start_at, conversation, delivered) {
        (StartAt::Beginning, _, _) => Seq::ZERO,
        (StartAt::Head, _, Some(_)) => head,
        (StartAt::Delivered, _, Some(delivered)) if delivered > Seq::ZERO => delivered.min(head),
        (_, ConversationId::Everyone, Some(_)) => head,
        (_, ConversationId::Everyone, None) => Seq(head.0.saturating_sub(1)),
        // Pages of a group begin with the event that made the user a member, regardless of earlier
        // history.
        (_, ConversationId::Direct { .. } | ConversationId::Group(_), _) => Seq::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use troupe_core::GroupId;

    use super::*;

    #[test]
    fn everything_since_joining_is_wanted_however_long_the_group_is() {
        let group = ConversationId::Group(GroupId(1_024));
        for head in [1, 1_000, 1_006, 1_000_000] {
            // Added while offline: the group is listed, and nothing of it was ever delivered.
            assert_eq!(first_cursor(StartAt::Delivered, group, Seq(head), Some(Seq::ZERO)), Seq::ZERO, "{head}");
            // Added while online.
            assert_eq!(first_cursor(StartAt::Delivered, group, Seq(head), None), Seq::ZERO, "{head}");
            assert_eq!(first_cursor(StartAt::Head, group, Seq(head), None), Seq::ZERO, "{head}");
        }
        assert_eq!(first_cursor(StartAt::Delivered, group, Seq(2_000), Some(Seq(1_500))), Seq(1_500));
        assert_eq!(first_cursor(StartAt::Head, group, Seq(2_000), Some(Seq(1_500))), Seq(2_000));
    }
}
