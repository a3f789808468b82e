//! Messages to send: their order and their links. No IO: the client reports outcomes and asks what
//! to send.
//!
//! A message leaves the outbox only by its ack or by a definite refusal. Each message names its
//! predecessor in the outbox of that conversation as `after`. The log therefore keeps the order,
//! however frames are lost, repeated or reordered. A predecessor that has left the outbox is either
//! in the log or refused forever, so there is nothing to wait for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;
use troupe_core::{Body, ClientMessageId, ConversationId, limits};

#[cfg(test)]
mod tests;

/// Messages waiting on one device. Above it: [`crate::Error::OutboxFull`].
pub const OUTBOX_MESSAGES: usize = 10_000;

/// An unanswered send may still commit for this long.
const UNRESOLVED: Duration = Duration::from_secs(limits::DOUBT_SECONDS);
/// Retry delay after an unknown outcome, if the server names none.
const RETRY: Duration = Duration::from_millis(100);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub conversation: ConversationId,
    pub id: ClientMessageId,
    pub after: Option<ClientMessageId>,
    pub body: Body,
    /// It was sent before, and may already be in the log.
    pub again: bool,
}

/// The outcome of a send, other than its ack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Definite: the message leaves the outbox, unless an earlier send may still commit.
    ForGood,
    /// Its predecessor is not in the log.
    OutOfOrder,
    /// Not accepted: send again after this time.
    Later(Duration),
    /// The outcome is unknown: send again.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SendState {
    Waiting,
    /// Refused because its predecessor is missing. It waits until the predecessor was sent again or
    /// has left the outbox.
    AwaitingPredecessor,
    InFlight,
}

#[derive(Debug)]
struct Entry {
    id: ClientMessageId,
    body: Body,
    state: SendState,
    /// Number of its last send. Zero before the first.
    sent: u64,
    /// When a send of it last ended without an answer. That send may still commit, whatever a later
    /// one returned.
    unresolved_since: Option<Instant>,
}

#[derive(Debug, Default)]
struct Queue {
    entries: VecDeque<Entry>,
    not_before: Option<Instant>,
}

#[derive(Debug)]
pub struct Outbox {
    queues: BTreeMap<ConversationId, Queue>,
    /// Queues with a message that is not in flight.
    unsent: BTreeSet<ConversationId>,
    by_id: BTreeMap<ClientMessageId, ConversationId>,
    /// The conversation of the last send, so that conversations take turns.
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
            by_id: BTreeMap::new(),
            last: None,
            in_flight: 0,
            window: 1,
            sendings: 0,
            capacity,
        }
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.by_id.len() >= self.capacity
    }

    /// The conversation of a message in the outbox.
    pub fn conversation_of(&self, id: &ClientMessageId) -> Option<ConversationId> {
        self.by_id.get(id).copied()
    }

    /// A new connection with a window of `window` sends. Messages in flight are sent again with the
    /// same ids, in order.
    pub fn connected(&mut self, window: usize, now: Instant) {
        self.window = window.max(1);
        self.in_flight = 0;
        for (conversation, queue) in &mut self.queues {
            queue.not_before = None;
            for entry in &mut queue.entries {
                if entry.state == SendState::InFlight {
                    entry.unresolved_since = Some(now);
                }
                entry.state = SendState::Waiting;
            }
            self.unsent.insert(*conversation);
        }
    }

    /// Appends a message to its conversation. `false`: the outbox is full, or already has this id.
    pub fn push(&mut self, conversation: ConversationId, id: ClientMessageId, body: Body) -> bool {
        self.put(conversation, id, body, None)
    }

    /// Appends a message of an earlier process, which may have sent it.
    pub fn push_again(&mut self, conversation: ConversationId, id: ClientMessageId, body: Body, now: Instant) -> bool {
        self.put(conversation, id, body, Some(now))
    }

    fn put(
        &mut self,
        conversation: ConversationId,
        id: ClientMessageId,
        body: Body,
        unresolved_since: Option<Instant>,
    ) -> bool {
        if self.is_full() || self.by_id.contains_key(&id) {
            return false;
        }
        self.by_id.insert(id, conversation);
        let queue = self.queues.entry(conversation).or_default();
        queue.entries.push_back(Entry { id, body, state: SendState::Waiting, sent: 0, unresolved_since });
        self.unsent.insert(conversation);
        true
    }

    /// The next message to send. It counts as in flight from here on.
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
        entry.state = SendState::InFlight;
        entry.sent = self.sendings;
        let outgoing = Outgoing { conversation, id: entry.id, after, body: entry.body.clone(), again };
        if queue.entries.iter().all(|entry| entry.state == SendState::InFlight) {
            self.unsent.remove(&conversation);
        }
        self.in_flight += 1;
        self.last = Some(conversation);
        Some(outgoing)
    }

    /// When, after `now`, `next` may return a message that is delayed now.
    pub fn wake_at(&self, now: Instant) -> Option<Instant> {
        self.unsent.iter().filter_map(|c| self.queues.get(c)?.not_before).filter(|at| *at > now).min()
    }

    /// The message is in the log. `false`: it was settled before.
    pub fn acked(&mut self, id: &ClientMessageId) -> bool {
        self.remove(id)
    }

    /// The message was refused. `true`: definitely, and for the first time.
    pub fn refused(&mut self, id: &ClientMessageId, refused: Refused, now: Instant) -> bool {
        let refused = match refused {
            // Invariant: honest_errors. An earlier send may still commit after this refusal.
            Refused::ForGood => match self.unresolved_until(id).filter(|until| *until > now) {
                Some(until) => Refused::Later(until - now),
                None => return self.remove(id),
            },
            other => other,
        };
        let again = if refused == Refused::OutOfOrder { SendState::AwaitingPredecessor } else { SendState::Waiting };
        let Some(conversation) = self.by_id.get(id).copied() else { return false };
        let Some(queue) = self.queues.get_mut(&conversation) else { return false };
        let Some(entry) = queue.entries.iter_mut().find(|entry| entry.id == *id) else { return false };
        // A late answer to an earlier send says nothing about the one in flight. The caller drops
        // answers of old connections, and a repeated answer finds the entry waiting.
        if entry.state == SendState::InFlight {
            entry.state = again;
            self.in_flight = self.in_flight.saturating_sub(1);
            self.unsent.insert(conversation);
        }
        let after = match refused {
            Refused::Later(after) => after,
            Refused::Unknown => {
                entry.unresolved_since = Some(now);
                Duration::ZERO
            }
            Refused::ForGood | Refused::OutOfOrder => return false,
        };
        let at = now + if after.is_zero() { RETRY } else { after };
        queue.not_before = Some(queue.not_before.map_or(at, |before| before.max(at)));
        false
    }

    /// Until when an earlier send of it may commit.
    fn unresolved_until(&self, id: &ClientMessageId) -> Option<Instant> {
        let queue = self.queues.get(self.by_id.get(id)?)?;
        let entry = queue.entries.iter().find(|entry| entry.id == *id)?;
        entry.unresolved_since.map(|since| since + UNRESOLVED)
    }

    fn remove(&mut self, id: &ClientMessageId) -> bool {
        let Some(conversation) = self.by_id.remove(id) else { return false };
        let Some(queue) = self.queues.get_mut(&conversation) else { return false };
        let Some(at) = queue.entries.iter().position(|entry| entry.id == *id) else { return false };
        if queue.entries.remove(at).is_some_and(|entry| entry.state == SendState::InFlight) {
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
    /// The first message that is not in flight, if it may be sent now. Later ones would only be
    /// refused as out of order.
    fn sendable(&self, now: Instant) -> Option<usize> {
        if self.not_before.is_some_and(|at| at > now) {
            return None;
        }
        let at = self.entries.iter().position(|entry| entry.state != SendState::InFlight)?;
        let entry = &self.entries[at];
        let ready = match entry.state {
            SendState::Waiting => true,
            SendState::AwaitingPredecessor => at == 0 || self.entries[at - 1].sent > entry.sent,
            SendState::InFlight => false,
        };
        ready.then_some(at)
    }
}
