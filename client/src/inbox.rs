//! What has arrived and what is missing. No IO: the client tells it what it heard and asks what to
//! hand out and to fetch.
//!
//! Per conversation it keeps the highest seq below which nothing is missing. A push is only ever a
//! hint: one that follows is handed out, one that has been seen is dropped, one that lies ahead
//! shows a gap, and the gap is fetched. So every event is handed out exactly once, in order,
//! whatever the network does to pushes, and a slow application costs no memory: what does not fit
//! now is fetched later.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;
use troupe_core::{ConversationId, Event, Seq};

#[cfg(test)]
mod tests;

/// Events ready for the application. Above it pushes only count as heads, and no page is fetched.
const READY_EVENTS: usize = 1_024;
/// Events of one conversation kept although earlier ones are missing.
const AHEAD_EVENTS: usize = 64;
/// Pages in flight.
const FETCHES: usize = 4;
/// Where a page did not help, the next try is this much later.
const RETRY: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
struct Place {
    /// Nothing up to here is missing.
    cursor: Seq,
    /// The highest seq that is known to exist.
    head: Seq,
    ahead: BTreeMap<Seq, Event>,
    fetching: bool,
    not_before: Option<Instant>,
    /// Head of the last page, if that page was empty although it should not be.
    empty_at: Option<Seq>,
}

/// The part of history that is wanted: events after `after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub conversation: ConversationId,
    pub after: Seq,
}

#[derive(Debug, Default)]
pub struct Inbox {
    places: BTreeMap<ConversationId, Place>,
    behind: BTreeSet<ConversationId>,
    ready: VecDeque<(ConversationId, Event)>,
    fetching: usize,
}

impl Inbox {
    pub fn knows(&self, conversation: ConversationId) -> bool {
        self.places.contains_key(&conversation)
    }

    pub fn cursor(&self, conversation: ConversationId) -> Option<Seq> {
        self.places.get(&conversation).map(|place| place.cursor)
    }

    /// Starts to follow a conversation from behind `cursor`. One that is followed already stays
    /// where it is.
    pub fn follow(&mut self, conversation: ConversationId, cursor: Seq) {
        self.places.entry(conversation).or_insert_with(|| Place { cursor, head: cursor, ..Place::default() });
    }

    /// The device is no longer in it. What is ready is still handed out.
    pub fn leave(&mut self, conversation: ConversationId) {
        if self.places.remove(&conversation).is_some_and(|place| place.fetching) {
            self.fetching -= 1;
        }
        self.behind.remove(&conversation);
    }

    /// The log has another continuation behind `kept` than the one that is held here: it goes on
    /// from there, and what is ready of the old one is dropped.
    pub fn go_back(&mut self, conversation: ConversationId, kept: Seq) {
        let Some(place) = self.places.get_mut(&conversation) else { return };
        // A page that is on its way is known by its beginning.
        *place = Place { cursor: kept, head: kept, fetching: place.fetching, ..Place::default() };
        self.ready.retain(|(of, event)| *of != conversation || event.seq <= kept);
        self.note(conversation);
    }

    /// Conversations that are followed.
    pub fn followed(&self) -> impl Iterator<Item = ConversationId> + '_ {
        self.places.keys().copied()
    }

    /// There are events up to `head`.
    pub fn head(&mut self, conversation: ConversationId, head: Seq) {
        let Some(place) = self.places.get_mut(&conversation) else { return };
        place.head = place.head.max(head);
        self.note(conversation);
    }

    pub fn push(&mut self, conversation: ConversationId, event: Event) {
        let Some(place) = self.places.get_mut(&conversation) else { return };
        place.head = place.head.max(event.seq);
        if event.seq == place.cursor.next() && self.ready.len() < READY_EVENTS {
            place.accept(conversation, event, &mut self.ready);
        } else if event.seq > place.cursor && place.ahead.len() < AHEAD_EVENTS {
            place.ahead.insert(event.seq, event);
        }
        self.note(conversation);
    }

    /// The next page to ask for.
    pub fn next_fetch(&mut self, now: Instant) -> Option<Wanted> {
        if self.fetching >= FETCHES || self.ready.len() >= READY_EVENTS / 2 {
            return None;
        }
        let places = &mut self.places;
        let may = |place: &Place| !place.fetching && place.not_before.is_none_or(|at| at <= now);
        let conversation = *self.behind.iter().find(|c| places.get(c).is_some_and(may))?;
        let place = places.get_mut(&conversation)?;
        place.fetching = true;
        self.fetching += 1;
        Some(Wanted { conversation, after: place.cursor })
    }

    /// When, after `now`, there may be something to fetch that cannot be fetched now.
    pub fn wake_at(&self, now: Instant) -> Option<Instant> {
        self.behind.iter().filter_map(|c| self.places.get(c)?.not_before).filter(|at| *at > now).min()
    }

    /// The answer to `wanted`. Pages are the truth: what a page leaves out is not for this device.
    pub fn page(&mut self, wanted: Wanted, events: Vec<Event>, head: Seq, more: bool, now: Instant) {
        if !self.fetched(wanted.conversation) {
            return;
        }
        let Some(place) = self.places.get_mut(&wanted.conversation) else { return };
        if wanted.after > place.cursor {
            // Asked for before this device had to go back.
            return self.note(wanted.conversation);
        }
        place.head = place.head.max(head);
        place.not_before = None;
        if events.is_empty() && !more {
            // Nothing there although there should be. Once may be a page of a replica that lags, or
            // a head read a moment after the events; twice up to the same head means that what lies
            // between is not for this device.
            match place.empty_at {
                Some(at) if at > place.cursor => {
                    place.cursor = at;
                    place.empty_at = None;
                }
                _ => place.empty_at = Some(head),
            }
            place.not_before = Some(now + RETRY);
        } else {
            place.empty_at = None;
        }
        for event in events {
            if event.seq > place.cursor {
                place.accept(wanted.conversation, event, &mut self.ready);
            }
        }
        self.note(wanted.conversation);
    }

    /// The page could not be had: again later.
    pub fn fetch_failed(&mut self, wanted: Wanted, after: Duration, now: Instant) {
        if !self.fetched(wanted.conversation) {
            return;
        }
        if let Some(place) = self.places.get_mut(&wanted.conversation) {
            place.not_before = Some(now + after.max(RETRY));
        }
    }

    /// Answers that were asked for will not come any more.
    pub fn disconnected(&mut self) {
        self.fetching = 0;
        for place in self.places.values_mut() {
            place.fetching = false;
            place.not_before = None;
        }
    }

    /// The next event for the application. Whoever takes it hands it out.
    pub fn take(&mut self) -> Option<(ConversationId, Event)> {
        self.ready.pop_front()
    }

    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Ends a fetch; `false` if nobody waits for it any more.
    fn fetched(&mut self, conversation: ConversationId) -> bool {
        let fetching = self.places.get_mut(&conversation).is_some_and(|place| std::mem::take(&mut place.fetching));
        self.fetching -= usize::from(fetching);
        fetching
    }

    fn note(&mut self, conversation: ConversationId) {
        match self.places.get(&conversation) {
            Some(place) if place.head > place.cursor => self.behind.insert(conversation),
            _ => self.behind.remove(&conversation),
        };
    }
}

impl Place {
    /// Takes an event that is known to be the next, and those that were only waiting for it.
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
