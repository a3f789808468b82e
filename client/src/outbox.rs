//! What is to be sent, in which order, linked how. No IO: the client tells it what happened and
//! asks what to send.
//!
//! A message leaves the outbox by its ack or by a definite refusal, never otherwise. Within a
//! conversation each message names as `after` the one before it that is still here, so that the log
//! never shows them in another order however often frames are lost, repeated, or overtaken; a
//! message that is no longer here is either in the log (nothing to wait for) or refused for ever
//! (nothing to follow).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;
use troupe_core::{Body, ClientMessageId, ConversationId, limits};

#[cfg(test)]
mod tests;

/// Messages waiting on one device. Above it: [`crate::Error::OutboxFull`].
pub const OUTBOX_MESSAGES: usize = 10_000;

/// A sending without an answer may enter the log for so long after it.
const DOUBT: Duration = Duration::from_secs(limits::DOUBT_SECONDS);
/// Where an unknown outcome is asked again after this, when the server names no time itself.
const RETRY: Duration = Duration::from_millis(100);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub conversation: ConversationId,
    pub id: ClientMessageId,
    pub after: Option<ClientMessageId>,
    pub body: Body,
    /// It was sent before, and may be in the log already.
    pub again: bool,
}

/// What came back for a message, other than its ack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Definite: it leaves the outbox, unless an earlier sending may still be on its way.
    ForGood,
    /// The one before it is not in the log.
    OutOfOrder,
    /// Not accepted: again after this time.
    Later(Duration),
    /// Nobody knows what became of it: again.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Waiting,
    /// Refused because its predecessor is missing: waits until that one was sent again, or is gone.
    Orphaned,
    InFlight,
}

#[derive(Debug)]
struct Entry {
    id: ClientMessageId,
    body: Body,
    place: Place,
    /// Number of its last sending; zero before the first.
    sent: u64,
    /// When a sending of it last ended without an answer. It may enter the log yet, whatever a
    /// later one was told.
    doubt: Option<Instant>,
}

#[derive(Debug, Default)]
struct Queue {
    entries: VecDeque<Entry>,
    not_before: Option<Instant>,
}

#[derive(Debug)]
pub struct Outbox {
    queues: BTreeMap<ConversationId, Queue>,
    /// Queues with something that is not in flight.
    unsent: BTreeSet<ConversationId>,
    homes: BTreeMap<ClientMessageId, ConversationId>,
    /// Where the last sending came from, so that conversations take turns.
    last: Option<ConversationId>,
    in_flight: usize,
    window: usize,
    sendings: u64,
    capacity: usize,
}

impl Default for Outbox {
    fn default() -> Outbox {
        Outbox::new(OUTBOX_MESSAGES)
    }
}

impl Outbox {
    pub fn new(capacity: usize) -> Outbox {
        Outbox {
            queues: BTreeMap::new(),
            unsent: BTreeSet::new(),
            homes: BTreeMap::new(),
            last: None,
            in_flight: 0,
            window: 1,
            sendings: 0,
            capacity,
        }
    }

    pub fn len(&self) -> usize {
        self.homes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.homes.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.homes.len() >= self.capacity
    }

    pub fn contains(&self, id: &ClientMessageId) -> bool {
        self.homes.contains_key(id)
    }

    /// A new connection, which allows `window` sends in flight: whatever was in flight is to be
    /// sent again, same ids, in order.
    pub fn connected(&mut self, window: usize, now: Instant) {
        self.window = window.max(1);
        self.in_flight = 0;
        for (conversation, queue) in &mut self.queues {
            queue.not_before = None;
            for entry in &mut queue.entries {
                if entry.place == Place::InFlight {
                    entry.doubt = Some(now);
                }
                entry.place = Place::Waiting;
            }
            self.unsent.insert(*conversation);
        }
    }

    /// Puts a message behind all others of its conversation. `false`: the outbox is full, or has
    /// this id already.
    pub fn push(&mut self, conversation: ConversationId, id: ClientMessageId, body: Body) -> bool {
        self.put(conversation, id, body, None)
    }

    /// The same with a message of an earlier run, which may have been sent then.
    pub fn push_again(&mut self, conversation: ConversationId, id: ClientMessageId, body: Body, now: Instant) -> bool {
        self.put(conversation, id, body, Some(now))
    }

    fn put(&mut self, conversation: ConversationId, id: ClientMessageId, body: Body, doubt: Option<Instant>) -> bool {
        if self.is_full() || self.homes.contains_key(&id) {
            return false;
        }
        self.homes.insert(id, conversation);
        let queue = self.queues.entry(conversation).or_default();
        queue.entries.push_back(Entry { id, body, place: Place::Waiting, sent: 0, doubt });
        self.unsent.insert(conversation);
        true
    }

    /// The next message to send now; it counts as in flight from here on.
    pub fn next(&mut self, now: Instant) -> Option<Outgoing> {
        if self.in_flight >= self.window {
            return None;
        }
        let behind = self.last.and_then(|last| self.unsent.range(last..).find(|c| **c != last).copied());
        let turn = behind.or_else(|| self.unsent.first().copied())?;
        let order = self.unsent.range(turn..).chain(self.unsent.range(..turn));
        let (conversation, at) = order.copied().find_map(|c| Some((c, self.queues.get(&c)?.sendable(now)?)))?;

        let queue = self.queues.get_mut(&conversation)?;
        let after = at.checked_sub(1).map(|before| queue.entries[before].id);
        let entry = &mut queue.entries[at];
        let again = entry.sent > 0;
        self.sendings += 1;
        entry.place = Place::InFlight;
        entry.sent = self.sendings;
        let outgoing = Outgoing { conversation, id: entry.id, after, body: entry.body.clone(), again };
        if queue.entries.iter().all(|entry| entry.place == Place::InFlight) {
            self.unsent.remove(&conversation);
        }
        self.in_flight += 1;
        self.last = Some(conversation);
        Some(outgoing)
    }

    /// When, after `now`, `next` may have something that it has not now, if nothing else happens.
    pub fn wake_at(&self, now: Instant) -> Option<Instant> {
        self.unsent.iter().filter_map(|c| self.queues.get(c)?.not_before).filter(|at| *at > now).min()
    }

    /// It has its place in the log. `false`: it was settled before.
    pub fn acked(&mut self, id: &ClientMessageId) -> bool {
        self.remove(id)
    }

    /// It was refused. `true`: for good, and this is the first to say so.
    pub fn refused(&mut self, id: &ClientMessageId, refused: Refused, now: Instant) -> bool {
        let refused = match refused {
            // Invariant: honest_errors. An earlier sending may have been delayed and be placed
            // after this refusal.
            Refused::ForGood => match self.doubt(id).filter(|until| *until > now) {
                Some(until) => Refused::Later(until - now),
                None => return self.remove(id),
            },
            other => other,
        };
        let again = if refused == Refused::OutOfOrder { Place::Orphaned } else { Place::Waiting };
        let Some(conversation) = self.homes.get(id).copied() else { return false };
        let Some(queue) = self.queues.get_mut(&conversation) else { return false };
        let Some(entry) = queue.entries.iter_mut().find(|entry| entry.id == *id) else { return false };
        // A late answer to an earlier sending says nothing about the one in flight now; the caller
        // drops those with their connection, and a repeated one finds the entry waiting already.
        if entry.place == Place::InFlight {
            entry.place = again;
            self.in_flight = self.in_flight.saturating_sub(1);
            self.unsent.insert(conversation);
        }
        let after = match refused {
            Refused::Later(after) => after,
            Refused::Unknown => {
                entry.doubt = Some(now);
                Duration::ZERO
            }
            Refused::ForGood | Refused::OutOfOrder => return false,
        };
        let at = now + if after.is_zero() { RETRY } else { after };
        queue.not_before = Some(queue.not_before.map_or(at, |before| before.max(at)));
        false
    }

    /// Until when an earlier sending of it may enter the log.
    fn doubt(&self, id: &ClientMessageId) -> Option<Instant> {
        let queue = self.queues.get(self.homes.get(id)?)?;
        let entry = queue.entries.iter().find(|entry| entry.id == *id)?;
        entry.doubt.map(|since| since + DOUBT)
    }

    fn remove(&mut self, id: &ClientMessageId) -> bool {
        let Some(conversation) = self.homes.remove(id) else { return false };
        let Some(queue) = self.queues.get_mut(&conversation) else { return false };
        let Some(at) = queue.entries.iter().position(|entry| entry.id == *id) else { return false };
        if queue.entries.remove(at).is_some_and(|entry| entry.place == Place::InFlight) {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
        if queue.entries.is_empty() {
            self.queues.remove(&conversation);
            self.unsent.remove(&conversation);
        }
        true
    }
}

impl Queue {
    /// The first message not in flight, if it may go now: those behind it would only be refused as
    /// out of order.
    fn sendable(&self, now: Instant) -> Option<usize> {
        if self.not_before.is_some_and(|at| at > now) {
            return None;
        }
        let at = self.entries.iter().position(|entry| entry.place != Place::InFlight)?;
        let entry = &self.entries[at];
        let ready = match entry.place {
            Place::Waiting => true,
            Place::Orphaned => at == 0 || self.entries[at - 1].sent > entry.sent,
            Place::InFlight => false,
        };
        ready.then_some(at)
    }
}
