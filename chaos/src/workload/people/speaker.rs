//! Speakers: replies, reactions, edits, recalls, polls, scheduled messages, and messages that
//! vanish.

use tokio::time::timeout;
use troupe_client::Error;
use troupe_core::content::{Content, Poll};
use troupe_core::{Body, ClientMessageId, ConversationId, Event, EventKind, Seq, Timestamp};
use troupe_proto::wire::client::{self as wire, client_frame::Request};

use super::steps::Said;
use super::{ATTEMPTS, PATIENCE, Person};
use crate::checkers::{Kind, Promise};
use crate::history::{Change, PollStep, Reaction, Record, digest};

const EMOJI: [&str; 2] = ["👍", "🎉"];
const OPTIONS: u64 = 3;
/// How long messages stay that vanish.
const AFTER_MS: std::ops::Range<u64> = 1_000..3_000;
/// How far ahead messages are scheduled, at most.
const AHEAD_MS: u64 = 2_500;

impl Person {
    /// One act, with the page that it is about.
    pub(super) async fn speak(&self, conversation: ConversationId) {
        let Some(page) = self.look(conversation).await else { return };
        let events: Vec<Event> = page.events.into_iter().filter_map(|event| Event::try_from(event).ok()).collect();
        let messages: Vec<&Event> = events.iter().filter(|event| matches!(event.kind, EventKind::Message(_))).collect();
        let own = messages.iter().copied().filter(|event| event.sender == self.user);
        let (any, own) = (self.one_of(messages.clone()), self.one_of(own.collect()));
        let poll = self.one_of(messages.into_iter().filter_map(|event| Some((event.seq, poll_of(event)?))).collect());
        match (self.draw(12), any, own, poll) {
            (0..2, Some(to), _, _) => {
                let id = self.id();
                self.send(conversation, id, Body::text(&format!("{id} to {}", to.seq)).replying_to(to.seq), None);
            }
            (2 | 3, Some(to), _, _) => self.react(conversation, to.seq).await,
            (4, _, Some(to), _) => self.recall(conversation, to.seq).await,
            (5 | 6, _, Some(to), _) => self.edit(conversation, to.seq).await,
            (7..9, _, _, Some((poll, asked))) => self.vote(conversation, poll, asked.multiple).await,
            (9, _, _, _) => self.schedule(conversation).await,
            (10, _, _, _) => self.ask(conversation),
            _ => {
                let (id, after) = (self.id(), AFTER_MS.start + self.draw(AFTER_MS.end - AFTER_MS.start));
                let body = Body::text(&format!("{id} for {after} ms")).expiring_in_ms(after);
                self.send(conversation, id, body, Some(after));
            }
        }
        self.look(conversation).await;
    }

    fn one_of<T>(&self, mut all: Vec<T>) -> Option<T> {
        if all.is_empty() { None } else { Some(all.swap_remove(self.draw(all.len() as u64) as usize)) }
    }

    async fn react(&self, conversation: ConversationId, to: Seq) {
        let id = self.id();
        let (emoji, remove) = (EMOJI[self.draw(EMOJI.len() as u64) as usize].to_owned(), self.draw(4) == 0);
        let reaction = Reaction { to: to.0, emoji: emoji.clone(), removed: remove };
        let (request, conversation_text) = (id.0.to_vec().into(), conversation.to_string());
        let react = wire::React { request, conversation: conversation_text, seq: to.0, emoji, remove };
        self.step(conversation, id, Request::React(react), Said::Reaction(reaction)).await;
    }

    async fn edit(&self, conversation: ConversationId, to: Seq) {
        let id = self.id();
        let body = Body::text(&format!("{id} instead of {to}"));
        let said = Change::Edited { to: to.0, digest: digest(&body) };
        let (request, place) = (id.0.to_vec().into(), conversation.to_string());
        let edit = wire::EditMessage { request, conversation: place, seq: to.0, body: Some((&body).into()) };
        self.step(conversation, id, Request::EditMessage(edit), Said::Change(said)).await;
    }

    async fn recall(&self, conversation: ConversationId, to: Seq) {
        let id = self.id();
        let (request, place) = (id.0.to_vec().into(), conversation.to_string());
        let recall = wire::RecallMessage { request, conversation: place, seq: to.0 };
        let said = Said::Change(Change::Recalled { to: to.0 });
        self.step(conversation, id, Request::RecallMessage(recall), said).await;
    }

    fn ask(&self, conversation: ConversationId) {
        let options = (0..OPTIONS).map(|option| option.to_string()).collect();
        let (multiple, anonymous) = (self.draw(2) == 0, self.draw(3) == 0);
        let ends_ms = if self.draw(3) == 0 { self.now_ms() + 1_000 + self.draw(5_000) } else { 0 };
        self.is_due(ends_ms);
        let poll = Poll { question: "which?".to_owned(), options, multiple, anonymous, ends_ms };
        self.send(conversation, self.id(), Body::from(poll), None);
    }

    /// A vote, often taken back, and sometimes the end of the poll.
    async fn vote(&self, conversation: ConversationId, poll: Seq, multiple: bool) {
        let id = self.id();
        let (request, place, seq) = (id.0.to_vec().into(), conversation.to_string(), poll.0);
        let (request, step) = match self.draw(12) {
            0 => {
                let step = PollStep::Closed { to: seq, voters: 0, counts: Vec::new() };
                (Request::ClosePoll(wire::ClosePoll { request, conversation: place, seq }), step)
            }
            drawn => {
                let remove = drawn < 4;
                let options = if remove { Vec::new() } else { self.options(multiple) };
                let step = PollStep::Voted { to: seq, options: options.clone(), removed: remove };
                (Request::Vote(wire::Vote { request, conversation: place, seq, options, remove }), step)
            }
        };
        self.step(conversation, id, request, Said::Poll(step)).await;
    }

    /// One option, or some of them.
    fn options(&self, multiple: bool) -> Vec<u32> {
        let first = self.draw(OPTIONS) as u32;
        let more = (0..OPTIONS as u32).filter(|option| *option > first && multiple && self.draw(2) == 0);
        std::iter::once(first).chain(more).collect()
    }

    /// A scheduled message, often asked for again, and often cancelled.
    async fn schedule(&self, conversation: ConversationId) {
        let (id, at) = (self.id(), Timestamp(self.now_ms() + 1 + self.draw(AHEAD_MS)));
        self.is_due(at.0);
        let (device, user, place, name) = (self.device, self.user.0, conversation.to_string(), self.named(id));
        self.record(|time| Record::Schedule {
            at: time,
            device,
            user,
            conversation: place,
            id: name,
            deliver_at_ms: at.0,
        });
        let mut known = false;
        for _ in 0..1 + self.draw(ATTEMPTS) {
            known |= self.scheduled(conversation, id, at, known).await;
        }
        if self.draw(3) == 0 {
            self.cancel(conversation, id).await;
        }
    }

    /// Returns whether it was acknowledged. `known`: it was so before, so nothing refuses it.
    async fn scheduled(&self, conversation: ConversationId, id: ClientMessageId, at: Timestamp, known: bool) -> bool {
        let body = Body::text(&format!("{id} at {at}"));
        match timeout(PATIENCE, self.client.schedule_as(id, conversation, body, at)).await {
            Ok(Ok(ack)) => {
                let (device, conversation, id) = (self.device, conversation.to_string(), self.named(id));
                let seq = ack.sent.map(|sent| sent.seq.0);
                self.record(|at| Record::Scheduled { at, device, conversation, id, seq });
                true
            }
            Ok(Err(Error::Rejected { text, .. })) => {
                if known {
                    let text = format!("{id} was scheduled in {conversation}, and then refused: {text}");
                    self.wrong(Promise::Scheduled, Kind::Lost, text);
                }
                false
            }
            // The log shows whether it was applied.
            Ok(Err(_)) | Err(_) => false,
        }
    }

    async fn cancel(&self, conversation: ConversationId, id: ClientMessageId) {
        let (device, place, name) = (self.device, conversation.to_string(), self.named(id));
        let cancel = |done| {
            let (conversation, id) = (place.clone(), name.clone());
            self.record(|at| Record::Cancel { at, device, conversation, id, done });
        };
        cancel(false);
        if let Ok(Ok(())) = timeout(PATIENCE, self.client.cancel_scheduled(conversation, id)).await {
            cancel(true);
        }
    }
}

fn poll_of(event: &Event) -> Option<Poll> {
    match &event.kind {
        EventKind::Message(body) => match body.typed() {
            Some(Content::Poll(poll)) => Some(poll),
            _ => None,
        },
        _ => None,
    }
}
