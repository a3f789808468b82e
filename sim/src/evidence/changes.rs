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

    /// A piece of a stream, before its first attempt, or when it is acknowledged.
    pub fn piece(
        &self,
        device: DeviceNumber,
        conversation: ConversationId,
        message: u64,
        (index, text): (u64, &str),
        done: bool,
    ) {
        let (conversation, text) = (conversation.to_string(), text.to_owned());
        self.record(|at| Record::Piece { at, device, conversation, message, index, text, done });
    }

    /// Open streams of a page that was requested at `asked`.
    pub fn streaming(&self, device: DeviceNumber, asked: Duration, page: &wire::Page) {
        for state in page.states.iter().filter(|state| state.streaming) {
            let body = state.body.clone().map(troupe_core::Body::from).unwrap_or_default();
            let text = body.as_text().unwrap_or_default().to_owned();
            let (message, conversation, asked) = (state.seq, page.conversation.clone(), asked.as_micros() as u64);
            self.record(|at| Record::Streaming { at, asked, device, conversation, message, text });
        }
    }

    /// The contents of a page of history that was requested at `asked`.
    pub fn shown(&self, device: DeviceNumber, asked: Duration, page: &wire::Page) {
        let (Some(first), Some(last)) = (page.events.first(), page.events.last()) else { return };
        let events = page.events.iter().filter_map(|event| Event::try_from(event.clone()).ok());
        let contents = events.filter_map(|event| content(&event)).collect();
        // An open stream is no edit.
        let states = page.states.iter().filter(|state| !state.streaming).map(State::from).collect();
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
