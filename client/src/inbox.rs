//! Received and missing events. No IO: the client reports what it received and asks what to deliver
//! and to fetch.
//!
//! Each conversation has a cursor, the highest seq below which nothing is missing. A push is a
//! hint. The next event is delivered, a known one is dropped, and a later one reveals a gap that is
//! fetched. Every event is therefore delivered exactly once and in order, however pushes are lost
//! or reordered. A slow application costs no memory: events that do not fit are fetched later.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;
use troupe_core::{ConversationId, Event, Seq};

#[cfg(test)]
mod tests;

/// Events ready for the application. Above it pushes count only as heads, and no page is fetched.
const READY_EVENTS: usize = 1_024;
/// Events of one conversation held although earlier ones are missing.
const AHEAD_EVENTS: usize = 64;
/// Concurrent page requests.
const FETCHES: usize = 4;
/// Delay before a page is requested again.
const RETRY: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
struct Progress {
    /// No event up to here is missing.
    cursor: Seq,
    /// The highest known seq.
    head: Seq,
    ahead: BTreeMap<Seq, Event>,
    fetching: bool,
    not_before: Option<Instant>,
    /// Head of the last page, if that page was unexpectedly empty.
    empty_at: Option<Seq>,
}

/// A range of history to fetch: events after `after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub conversation: ConversationId,
    pub after: Seq,
}

#[derive(Debug, Default)]
pub struct Inbox {
    conversations: BTreeMap<ConversationId, Progress>,
    behind: BTreeSet<ConversationId>,
    ready: VecDeque<(ConversationId, Event)>,
    fetching: usize,
}

impl Inbox {
    pub fn knows(&self, conversation: ConversationId) -> bool {
        self.conversations.contains_key(&conversation)
    }

    pub fn cursor(&self, conversation: ConversationId) -> Option<Seq> {
        self.conversations.get(&conversation).map(|progress| progress.cursor)
    }

    /// Follows a conversation from after `cursor`. A followed conversation keeps its cursor.
    pub fn follow(&mut self, conversation: ConversationId, cursor: Seq) {
        self.conversations.entry(conversation).or_insert_with(|| Progress {
            cursor,
            head: cursor,
            ..Progress::default()
        });
    }

    /// The user is no longer a member. Ready events are still delivered.
    pub fn leave(&mut self, conversation: ConversationId) {
        if self.conversations.remove(&conversation).is_some_and(|progress| progress.fetching) {
            self.fetching -= 1;
        }
        self.behind.remove(&conversation);
    }

    /// The log continues differently after `kept`. The cursor goes back to `kept`, and ready events
    /// of the old continuation are dropped.
    pub fn go_back(&mut self, conversation: ConversationId, kept: Seq) {
        let Some(progress) = self.conversations.get_mut(&conversation) else { return };
        // A page in flight is recognised by its start.
        *progress = Progress { cursor: kept, head: kept, fetching: progress.fetching, ..Progress::default() };
        self.ready.retain(|(of, event)| *of != conversation || event.seq <= kept);
        self.note(conversation);
    }

    /// The followed conversations.
    pub fn followed(&self) -> impl Iterator<Item = ConversationId> + '_ {
        self.conversations.keys().copied()
    }

    /// Records that events up to `head` exist.
    pub fn head(&mut self, conversation: ConversationId, head: Seq) {
        let Some(progress) = self.conversations.get_mut(&conversation) else { return };
        progress.head = progress.head.max(head);
        self.note(conversation);
    }

    pub fn push(&mut self, conversation: ConversationId, event: Event) {
        let Some(progress) = self.conversations.get_mut(&conversation) else { return };
        progress.head = progress.head.max(event.seq);
        if event.seq == progress.cursor.next() && self.ready.len() < READY_EVENTS {
            progress.accept(conversation, event, &mut self.ready);
        } else if event.seq > progress.cursor && progress.ahead.len() < AHEAD_EVENTS {
            progress.ahead.insert(event.seq, event);
        }
        self.note(conversation);
    }

    /// The next page to request.
    pub fn next_fetch(&mut self, now: Instant) -> Option<Wanted> {
        if self.fetching >= FETCHES || self.ready.len() >= READY_EVENTS / 2 {
            return None;
        }
        let conversations = &mut self.conversations;
        let may = |progress: &Progress| !progress.fetching && progress.not_before.is_none_or(|at| at <= now);
        let conversation = *self.behind.iter().find(|c| conversations.get(c).is_some_and(may))?;
        let progress = conversations.get_mut(&conversation)?;
        progress.fetching = true;
        self.fetching += 1;
        Some(Wanted { conversation, after: progress.cursor })
    }

    /// When, after `now`, a fetch that is delayed now may start.
    pub fn wake_at(&self, now: Instant) -> Option<Instant> {
        self.behind.iter().filter_map(|c| self.conversations.get(c)?.not_before).filter(|at| *at > now).min()
    }

    /// The answer to `wanted`. Pages are authoritative: an event that a page omits is not visible
    /// to this device.
    pub fn page(&mut self, wanted: Wanted, events: Vec<Event>, head: Seq, more: bool, now: Instant) {
        if !self.fetched(wanted.conversation) {
            return;
        }
        let Some(progress) = self.conversations.get_mut(&wanted.conversation) else { return };
        if wanted.after > progress.cursor {
            // Requested before this device went back.
            return self.note(wanted.conversation);
        }
        progress.head = progress.head.max(head);
        progress.not_before = None;
        if events.is_empty() && !more {
            // The page is unexpectedly empty. One such page may come from a lagging replica, or
            // from a head that was read later than the events. A second one up to the same head
            // means that the events between are not visible to this device.
            match progress.empty_at {
                Some(at) if at > progress.cursor => {
                    progress.cursor = at;
                    progress.empty_at = None;
                }
                _ => progress.empty_at = Some(head),
            }
            progress.not_before = Some(now + RETRY);
        } else {
            progress.empty_at = None;
        }
        for event in events {
            if event.seq > progress.cursor {
                progress.accept(wanted.conversation, event, &mut self.ready);
            }
        }
        self.note(wanted.conversation);
    }

    /// The page request failed. It is repeated later.
    pub fn fetch_failed(&mut self, wanted: Wanted, after: Duration, now: Instant) {
        if !self.fetched(wanted.conversation) {
            return;
        }
        if let Some(progress) = self.conversations.get_mut(&wanted.conversation) {
            progress.not_before = Some(now + after.max(RETRY));
        }
    }

    /// Pending answers are lost.
    pub fn disconnected(&mut self) {
        self.fetching = 0;
        for progress in self.conversations.values_mut() {
            progress.fetching = false;
            progress.not_before = None;
        }
    }

    /// The next event for the application. The caller delivers it.
    pub fn take(&mut self) -> Option<(ConversationId, Event)> {
        self.ready.pop_front()
    }

    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Ends a fetch. `false` if the fetch was abandoned.
    fn fetched(&mut self, conversation: ConversationId) -> bool {
        let fetching =
            self.conversations.get_mut(&conversation).is_some_and(|progress| std::mem::take(&mut progress.fetching));
        self.fetching -= usize::from(fetching);
        fetching
    }

    fn note(&mut self, conversation: ConversationId) {
        match self.conversations.get(&conversation) {
            Some(progress) if progress.head > progress.cursor => self.behind.insert(conversation),
            _ => self.behind.remove(&conversation),
        };
    }
}

impl Progress {
    /// Accepts the next event, and held events that directly follow it.
    fn accept(&mut self, conversation: ConversationId, event: Event, ready: &mut VecDeque<(ConversationId, Event)>) {
        self.cursor = event.seq;
        ready.push_back((conversation, event));
        while let Some(event) = self.ahead.remove(&self.cursor.next()) {
            self.cursor = event.seq;
            ready.push_back((conversation, event));
        }
        let later = self.ahead.split_off(&self.cursor.next());
        self.ahead = later;
    }
}
