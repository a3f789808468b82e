//! Edits, recalls, and votes in polls.

use std::time::Duration;

use troupe_chaos::history::{Change, DeviceNumber, MessageId, PollStep, PollVotes, Record, State, content};
use troupe_core::{ConversationId, Event, UserId};
use troupe_proto::wire::client as wire;

use super::Evidence;

impl Evidence {
    /// An acknowledged edit or recall.
    pub fn changed(
        &self,
        device: DeviceNumber,
        conversation: ConversationId,
        id: &MessageId,
        seq: u64,
        change: Change,
    ) {
        let (place, id) = (conversation.to_string(), id.clone());
        self.record(|at| Record::Changed { at, device, conversation: place, id, seq, change });
    }

    /// A message that vanishes after this time, before its first attempt.
    pub fn expires(&self, device: DeviceNumber, conversation: ConversationId, id: &MessageId, after_ms: u64) {
        let (place, id) = (conversation.to_string(), id.clone());
        self.record(|at| Record::Expires { at, device, conversation: place, id, after_ms });
        self.seen.lock().vanishing.insert(conversation);
    }

    /// The contents of a page of history that was requested at `asked`.
    pub fn shown(&self, device: DeviceNumber, asked: Duration, page: &wire::Page) {
        let (Some(first), Some(last)) = (page.events.first(), page.events.last()) else { return };
        let events = page.events.iter().filter_map(|event| Event::try_from(event.clone()).ok());
        let contents = events.filter_map(|event| content(&event)).collect();
        let states = page.states.iter().map(State::from).collect();
        let (first, last, head, conversation) = (first.seq, last.seq, page.head, page.conversation.clone());
        let asked = asked.as_micros() as u64;
        self.record(|at| Record::Shown { at, asked, device, conversation, head, first, last, contents, states });
    }

    /// An acknowledged vote, or end of a poll.
    pub fn voted(&self, device: DeviceNumber, conversation: ConversationId, id: &MessageId, seq: u64, step: PollStep) {
        let (place, id) = (conversation.to_string(), id.clone());
        self.record(|at| Record::Voted { at, device, conversation: place, id, seq, step });
    }

    /// The polls of a page of history.
    pub fn polled(&self, device: DeviceNumber, user: UserId, page: &wire::Page) {
        let (Some(first), Some(last)) = (page.events.first(), page.events.last()) else { return };
        let polls = page.polls.iter().map(PollVotes::from).collect();
        let (first, last, head, conversation) = (first.seq, last.seq, page.head, page.conversation.clone());
        self.record(|at| Record::Polled { at, device, conversation, user: user.0, head, first, last, polls });
    }
}
