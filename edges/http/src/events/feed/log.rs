//! The order of each log: pushes that follow the position, and pages before those that do not.

use std::time::Duration;

use tokio::time::Instant;
use troupe_actors::message::{Refusal, wire};
use troupe_core::{ConversationId, Seq};

use super::{End, Feed, ask};
use crate::events::inbox::Item;
use crate::events::told;

/// Events in one page for what is missing.
const PAGE: u32 = 100;
/// Pages that are asked for at once.
const PAGES: usize = 4;
/// Before a shard that did not answer is asked again.
const AGAIN: Duration = Duration::from_millis(500);

impl Feed {
    pub(super) fn take(&mut self, item: Item) {
        match item {
            Item::Event { conversation, seq, data } => {
                let position = self.position(conversation, Seq(seq.0.saturating_sub(1)));
                if let Some(head) = self.behind.get_mut(&conversation) {
                    *head = (*head).max(seq);
                    self.held.keep(conversation, seq, data);
                } else if seq == position.next() {
                    self.tell(conversation, seq, &data);
                } else if seq > position {
                    self.falls_behind(conversation, seq);
                    self.held.keep(conversation, seq, data);
                }
            }
            Item::Joined { conversation, head } => self.joined(conversation, head),
            // The position stays: the event that removes the user may come later.
            Item::Left { conversation } => self.out.add(told::CONVERSATION, &told::left(conversation), None),
            Item::Hint { name, data } => self.out.add(name, &data, None),
            Item::Missed(heads) => heads.into_iter().for_each(|(conversation, head)| self.joined(conversation, head)),
        }
    }

    /// The conversation has this head.
    pub(super) fn joined(&mut self, conversation: ConversationId, head: Seq) {
        if self.position(conversation, head) < head {
            self.falls_behind(conversation, head);
        }
    }

    /// A conversation without a position begins at its first event if all others are known, and
    /// otherwise behind `unknown`, which its client learns.
    fn position(&mut self, conversation: ConversationId, unknown: Seq) -> Seq {
        if let Some(position) = self.positions.of(conversation) {
            return position;
        }
        let begin = if self.positions.is_whole() { Seq::ZERO } else { unknown };
        self.positions.move_to(conversation, begin);
        self.out.add(told::CONVERSATION, &told::begins(conversation, begin), None);
        begin
    }

    fn falls_behind(&mut self, conversation: ConversationId, head: Seq) {
        let due = !self.behind.contains_key(&conversation);
        let held = self.behind.entry(conversation).or_default();
        *held = (*held).max(head);
        if due {
            self.due.push_back(conversation);
        }
        self.inbox.fetches(true);
    }

    fn tell(&mut self, conversation: ConversationId, seq: Seq, data: &[u8]) {
        self.positions.move_to(conversation, seq);
        let cursor = self.positions.cursor();
        self.out.add(told::MESSAGE, data, Some(&cursor));
    }

    pub(super) fn ask_for_pages(&mut self) {
        while self.pages.len() < PAGES
            && let Some(conversation) = self.due.pop_front()
        {
            let seq = self.positions.of(conversation).unwrap_or_default();
            let page = ask(&self.service, &self.caller, &self.payer, self.fetch(conversation, seq, PAGE));
            self.pages.push(Box::pin(async move { (conversation, page.await) }));
        }
    }

    pub(super) fn fetch(&self, conversation: ConversationId, seq: Seq, limit: u32) -> wire::Fetch {
        wire::Fetch { conversation: conversation.to_string(), seq: seq.0, backward: false, limit }
    }

    pub(super) fn paged(
        &mut self,
        conversation: ConversationId,
        outcome: Result<wire::Page, Refusal>,
    ) -> Result<(), End> {
        let page = match outcome {
            Ok(page) => page,
            Err(refusal) if refusal.is_ahead() => return Err(End::Ahead),
            // The user is no longer in the conversation.
            Err(Refusal::Rejected { .. }) => {
                self.out.add(told::CONVERSATION, &told::left(conversation), None);
                self.caught_up(conversation);
                return Ok(());
            }
            Err(_) => {
                self.wait_for(conversation);
                return Ok(());
            }
        };
        let before = self.positions.of(conversation).unwrap_or_default();
        let (more, end) = (page.more, page.events.last().map_or(page.head, |event| event.seq));
        for event in page.events {
            let seq = Seq(event.seq);
            if self.positions.of(conversation).is_none_or(|position| position < seq) {
                self.tell(conversation, seq, &told::logged(conversation, event));
            }
        }
        // Without an event there is none that this user may see.
        self.positions.move_to(conversation, Seq(end));
        if more {
            self.due.push_back(conversation);
            return Ok(());
        }
        // The pushes that came meanwhile follow the page.
        for (seq, data) in self.held.take(conversation) {
            if self.positions.of(conversation).is_some_and(|position| seq == position.next()) {
                self.tell(conversation, seq, &data);
            }
        }
        let position = self.positions.of(conversation).unwrap_or_default();
        if self.behind.get(&conversation).is_none_or(|head| *head <= position) {
            self.caught_up(conversation);
        } else if position > before {
            self.due.push_back(conversation);
        } else {
            // The shard does not have the pushed event yet.
            self.wait_for(conversation);
        }
        Ok(())
    }

    fn caught_up(&mut self, conversation: ConversationId) {
        self.behind.remove(&conversation);
        self.held.forget(conversation);
        self.inbox.fetches(!self.behind.is_empty());
    }

    /// Leaves places for conversations whose shards answer.
    pub(super) fn try_again(&mut self) {
        self.due.extend(self.failed.drain(..self.failed.len().min(PAGES / 2)));
        self.again = (!self.failed.is_empty()).then(|| Instant::now() + AGAIN);
    }

    fn wait_for(&mut self, conversation: ConversationId) {
        self.failed.push(conversation);
        self.again.get_or_insert_with(|| Instant::now() + AGAIN);
    }
}
