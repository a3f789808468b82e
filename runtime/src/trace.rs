//! The way of single messages: the time of each hand-over, in a ring of fixed size.
//!
//! A hop is recorded under a [`Subject`]: a message before its commit, the log entry that carries
//! it, or the event that it becomes. [`Stage::Applied`] ties the three together, so a query by
//! conversation and seq finds the whole way. A full ring drops its oldest hops. No content and no
//! name is in it.
//!
//! Recording takes a counter, a clock and eight plain stores, so every message is recorded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};

use troupe_core::command::Said;
use troupe_core::limits::TRACE_HOPS;
use troupe_core::{ClientMessageId, Command, ConversationId, Seq, ShardId, UserId};
use xxhash_rust::xxh3::xxh3_64;

/// Hops that are allocated at once: an idle node holds none.
const CHUNK: usize = 1_024;

/// A place on the way of a message, in the order of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The edge has the client's frame.
    Edge,
    /// The router has queued the request; `detail` is the leader's node.
    Router,
    /// The leader's node has taken the request from the lane; `detail` is the node that sent it.
    Lane,
    /// The shard admits the request.
    Shard,
    /// The conversation has the command.
    Conversation,
    /// The proposer hands an entry to Raft; `detail` is how many commands it carries.
    Proposer,
    /// A replica has the entry and queues it for the next fsync.
    Appended,
    /// The entry is on the replica's stable storage.
    Flushed,
    /// The replica knows that the entry is committed.
    Committed,
    /// The replica has applied the entry; `detail` is the message's [`Subject`].
    Applied,
    /// The client's node has queued the acknowledgement.
    Acknowledged,
    /// The conversation pushes the event to the subscribed nodes; `detail` is how many.
    Pushed,
    /// The fan-out of a node with subscribed connections has the event.
    FanOut,
    /// The event is in the write queues of connections; `detail` is how many.
    Connection,
}

impl Stage {
    pub const ALL: [Stage; 14] = [
        Stage::Edge,
        Stage::Router,
        Stage::Lane,
        Stage::Shard,
        Stage::Conversation,
        Stage::Proposer,
        Stage::Appended,
        Stage::Flushed,
        Stage::Committed,
        Stage::Applied,
        Stage::Acknowledged,
        Stage::Pushed,
        Stage::FanOut,
        Stage::Connection,
    ];

    /// As operators see it.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Edge => "edge",
            Stage::Router => "router",
            Stage::Lane => "lane",
            Stage::Shard => "shard",
            Stage::Conversation => "conversation",
            Stage::Proposer => "proposer",
            Stage::Appended => "appended",
            Stage::Flushed => "flushed",
            Stage::Committed => "committed",
            Stage::Applied => "applied",
            Stage::Acknowledged => "acknowledged",
            Stage::Pushed => "pushed",
            Stage::FanOut => "fan-out",
            Stage::Connection => "connection",
        }
    }
}

/// The message, event or entry of a hop: a hash, so that a hop has a fixed size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject(pub u64);

impl Subject {
    /// A message on its way into the log.
    pub fn message(conversation: ConversationId, sender: UserId, id: ClientMessageId) -> Subject {
        let (tag, low, high) = numbers(conversation);
        let words = [1, tag, low, high, sender.0];
        let mut bytes = [0; 56];
        words.iter().zip(bytes.chunks_exact_mut(8)).for_each(|(word, to)| to.copy_from_slice(&word.to_be_bytes()));
        bytes[40..].copy_from_slice(&id.0);
        Subject(xxh3_64(&bytes))
    }

    /// The message of a command, if it is one.
    pub fn of(command: &Command) -> Option<Subject> {
        let append = match command {
            Command::Append(append) => append,
            Command::Vetted(vetted) => match &vetted.said {
                Said::Append(append) => append,
                Said::Post(_) | Said::Piece(_) => return None,
            },
            _ => return None,
        };
        Some(Subject::message(append.conversation, append.actor, append.client_message_id))
    }

    /// An event of a log.
    pub fn event(conversation: ConversationId, seq: Seq) -> Subject {
        let (tag, low, high) = numbers(conversation);
        Subject::hash([2, tag, low, high, seq.0])
    }

    /// An entry of a shard's log.
    pub fn entry(shard: ShardId, index: u64) -> Subject {
        Subject::hash([3, u64::from(shard.0), index, 0, 0])
    }

    fn hash(words: [u64; 5]) -> Subject {
        let mut bytes = [0; 40];
        words.iter().zip(bytes.chunks_exact_mut(8)).for_each(|(word, to)| to.copy_from_slice(&word.to_be_bytes()));
        Subject(xxh3_64(&bytes))
    }
}

fn numbers(conversation: ConversationId) -> (u64, u64, u64) {
    match conversation {
        ConversationId::Everyone => (0, 0, 0),
        ConversationId::Direct { low, high } => (1, low.0, high.0),
        ConversationId::Group(group) => (2, group.0, 0),
    }
}

/// Where in the cluster's logs a hop is, as far as its stage knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct At {
    pub shard: Option<ShardId>,
    pub term: u64,
    pub index: u64,
    /// See [`Stage`].
    pub detail: u64,
}

impl At {
    pub fn shard(shard: ShardId) -> At {
        At { shard: Some(shard), ..At::default() }
    }

    pub fn detail(self, detail: u64) -> At {
        At { detail, ..self }
    }
}

/// One hand-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    pub subject: Subject,
    pub stage: Stage,
    /// Microseconds since 1970 by this node's clock.
    pub time_us: u64,
    pub at: At,
}

/// The hops of one node. Cheap to clone; clones share one ring.
#[derive(Clone, Debug)]
pub struct Trace(Arc<LazyLock<Ring>>);

impl Default for Trace {
    fn default() -> Trace {
        Trace(Arc::new(LazyLock::new(|| Ring::new(TRACE_HOPS))))
    }
}

impl Trace {
    pub fn record(&self, hop: Hop) {
        tracing::trace!(target: "troupe::hop", stage = hop.stage.name(), subject = hop.subject.0, at = ?hop.at);
        self.0.record(hop);
    }

    /// The hops of these subjects that are still kept, oldest first. Looks at the whole ring, which
    /// takes milliseconds.
    pub fn of(&self, subjects: &[Subject]) -> Vec<Hop> {
        self.0.find(|subject| subjects.contains(&subject))
    }
}

/// Words of one slot: a checksum, the ticket, and the hop.
const WORDS: usize = 8;

/// One cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Slot([AtomicU64; WORDS]);

#[derive(Debug)]
struct Ring {
    next: AtomicU64,
    chunks: Box<[OnceLock<Box<[Slot]>>]>,
}

impl Ring {
    /// `hops` are rounded up to whole chunks.
    fn new(hops: usize) -> Ring {
        let chunks = (0..hops.div_ceil(CHUNK)).map(|_| OnceLock::new()).collect();
        Ring { next: AtomicU64::new(0), chunks }
    }

    fn record(&self, hop: Hop) {
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        let place = (ticket % (self.chunks.len() * CHUNK) as u64) as usize;
        let chunk = self.chunks[place / CHUNK].get_or_init(|| (0..CHUNK).map(|_| Slot::default()).collect());
        let words = words(ticket, &hop);
        // Two writers meet in a slot only if one sleeps for a whole turn of the ring. The checksum
        // shows a reader that it has parts of both.
        for (word, to) in words.iter().zip(&chunk[place % CHUNK].0) {
            to.store(*word, Ordering::Relaxed);
        }
    }

    fn find(&self, wanted: impl Fn(Subject) -> bool) -> Vec<Hop> {
        let slots = self.chunks.iter().filter_map(OnceLock::get).flatten();
        let mut found: Vec<(u64, Hop)> = slots
            .filter(|slot| wanted(Subject(slot.0[2].load(Ordering::Relaxed))))
            .filter_map(|slot| hop(slot.0.each_ref().map(|word| word.load(Ordering::Relaxed))))
            .filter(|(_, hop)| wanted(hop.subject))
            .collect();
        found.sort_by_key(|(ticket, _)| *ticket);
        found.into_iter().map(|(_, hop)| hop).collect()
    }
}

fn words(ticket: u64, hop: &Hop) -> [u64; WORDS] {
    let shard = hop.at.shard.map_or(0, |shard| u64::from(shard.0) + 1);
    let what = (shard << 8) | hop.stage as u64;
    let Hop { subject, time_us, at, .. } = hop;
    let mut words = [0, ticket, subject.0, *time_us, at.term, at.index, at.detail, what];
    words[0] = checksum(&words);
    words
}

/// `None` for a slot that was never written, or is being written.
fn hop(words: [u64; WORDS]) -> Option<(u64, Hop)> {
    let [sum, ticket, subject, time_us, term, index, detail, what] = words;
    let stage = *Stage::ALL.get((what & 0xff) as usize)?;
    let shard = (what >> 8).checked_sub(1).map(|shard| u32::try_from(shard).map(ShardId)).transpose().ok()?;
    let at = At { shard, term, index, detail };
    (sum == checksum(&words)).then_some((ticket, Hop { subject: Subject(subject), stage, time_us, at }))
}

fn checksum(words: &[u64; WORDS]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    words[1..].iter().fold(ODD, |sum, word| (sum ^ word).wrapping_mul(ODD).rotate_left(29))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(subject: u64, stage: Stage) -> Hop {
        Hop { subject: Subject(subject), stage, time_us: 7, at: At::shard(ShardId(3)).detail(9) }
    }

    #[test]
    fn hops_come_back_as_they_were_recorded() {
        let ring = Ring::new(CHUNK);
        let hops: Vec<Hop> = Stage::ALL.into_iter().map(|stage| hop(1, stage)).collect();
        hops.iter().for_each(|hop| ring.record(*hop));
        ring.record(Hop { at: At::default(), ..hop(2, Stage::Edge) });
        assert_eq!(ring.find(|subject| subject == Subject(1)), hops);
        assert_eq!(ring.find(|subject| subject == Subject(2))[0].at, At::default());
        assert!(ring.find(|subject| subject == Subject(0)).is_empty(), "an empty slot is no hop");
    }

    #[test]
    fn a_full_ring_drops_the_oldest() {
        let ring = Ring::new(2 * CHUNK);
        let total = 5 * CHUNK as u64 + 1;
        (1..=total).for_each(|subject| ring.record(hop(subject, Stage::FanOut)));
        let kept: Vec<u64> = ring.find(|_| true).into_iter().map(|hop| hop.subject.0).collect();
        assert!(kept.iter().copied().eq(total - 2 * CHUNK as u64 + 1..=total));
        let size = ring.chunks.iter().filter_map(OnceLock::get).map(|chunk| size_of_val(&**chunk)).sum::<usize>();
        assert_eq!(size, 2 * CHUNK * 64);
    }

    #[test]
    fn a_slot_with_parts_of_two_hops_is_no_hop() {
        let (one, two) = (words(1, &hop(1, Stage::Edge)), words(2, &hop(2, Stage::FanOut)));
        for cut in 1..WORDS {
            let mut torn = one;
            torn[cut..].copy_from_slice(&two[cut..]);
            assert_eq!(super::hop(torn), None, "{cut}");
        }
    }

    #[test]
    fn subjects_differ_by_everything_that_they_name() {
        let (ann, bob) = (UserId(1), UserId(2));
        let direct = ConversationId::Direct { low: ann, high: bob };
        let (one, two) = (ClientMessageId([1; 16]), ClientMessageId([2; 16]));
        let all = [
            Subject::message(direct, ann, one),
            Subject::message(direct, bob, one),
            Subject::message(direct, ann, two),
            Subject::message(ConversationId::Everyone, ann, one),
            Subject::event(direct, Seq(1)),
            Subject::event(direct, Seq(2)),
            Subject::entry(ShardId(1), 2),
            Subject::entry(ShardId(2), 1),
        ];
        assert_eq!(std::collections::BTreeSet::from(all).len(), all.len());
    }
}
