//! Which start of which node this one has seen, so that a disk that was put back to an earlier day
//! is noticed.
//!
//! Damage that a disk can show by itself is the engine's to find. A disk put back whole, from an
//! old copy, is in perfect order, and yet the node has forgotten what it acknowledged since: it
//! would help to elect a leader that lacks it. Only the others can know. So every start of a data
//! directory has a number, one above the last, and a random mark, both on disk before a word is
//! said. Whoever dials another node for Raft calls first exchanges starts with it, and both write
//! down what they hear, before the first call: a node is never asked for anything by one that would
//! not notice if it forgot the answer. Who is in a start that was seen before with another mark, or
//! in an earlier one, or was in such a one on its way to this one, has been put back: when told so
//! it condemns its disk and stops, to come back as a new node, and nobody else calls it. Each says
//! what it has seen of the other, so whoever meets one that was put back tells it: its own old
//! addresses may lead to nobody any more.
//!
//! Not covered: a disk put back while every node that had met it since is away too, and one that is
//! put back to a copy of the very start that it was in.

use std::io;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::time::{Duration, timeout};
use tracing::warn;
use troupe_core::NodeId;
use troupe_core::level::Range;
use troupe_core::plant::Plant;
use troupe_runtime::NodeCtx;
use troupe_runtime::executor::{Executor, Lane, run};
use troupe_store::engine::{Batch, Durability, Engine, EngineError, Family};
use troupe_store::key::node;

use super::message::{self, Answer, Question};
use crate::cluster::StartError;
use crate::fatal::Fatal;
use crate::level::LevelHere;
use crate::port::Port;

/// Marks of earlier starts that a node keeps and tells. One that was put back and has started more
/// often than this before it meets anybody is not noticed.
const BEFORE: usize = 64;

/// For the other side to write down a start and to tell its own.
const EXCHANGE_TIME: Duration = Duration::from_secs(5);

/// One start of a data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boot {
    /// 1 is the first.
    pub number: u64,
    /// Tells apart two starts that count themselves the same.
    pub mark: [u8; 16],
}

impl Boot {
    pub fn encode(&self) -> Vec<u8> {
        [self.number.to_be_bytes().as_slice(), &self.mark].concat()
    }

    pub fn decode(bytes: &[u8]) -> Option<Boot> {
        let (number, mark) = bytes.split_first_chunk::<8>()?;
        Some(Boot { number: u64::from_be_bytes(*number), mark: mark.try_into().ok()? })
    }
}

/// One start and those before it, as the node itself knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    pub boot: Boot,
    /// Marks of the ones before, the last first, as far as they are kept.
    pub before: Vec<[u8; 16]>,
}

impl Start {
    /// Whether who is in this start can have been seen in that one without having lost anything
    /// since.
    pub fn follows(&self, seen: &Boot) -> bool {
        match self.boot.number.checked_sub(seen.number) {
            None => false,
            Some(0) => self.boot == *seen,
            Some(ago) => self.before.get(ago as usize - 1).is_none_or(|mark| *mark == seen.mark),
        }
    }

    fn next(last: Option<Boot>, before: Vec<[u8; 16]>, mark: [u8; 16]) -> Start {
        let before = last.iter().map(|last| last.mark).chain(before).take(BEFORE).collect();
        Start { boot: Boot { number: last.map_or(0, |last| last.number) + 1, mark }, before }
    }
}

/// A node says which start it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    pub cluster_id: [u8; 16],
    pub from: NodeId,
    pub to: NodeId,
    pub start: Start,
    /// The start in which it has seen whom it talks to.
    pub seen: Option<Boot>,
    /// Where it can be reached now: its place in the table may be of yesterday.
    pub address: String,
    /// Feature levels that it supports.
    pub levels: Range,
}

/// What this node has written down, its own start included.
pub struct Book {
    executor: Arc<dyn Executor>,
    engine: Arc<dyn Engine>,
    fatal: Fatal,
    start: Start,
    plant: Option<Plant>,
    /// Held from looking up to writing down.
    turn: Mutex<()>,
}

/// What was seen of a node stands against what is told of it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PutBack {
    /// The start that was seen.
    pub seen: u64,
}

impl Book {
    /// Counts this start.
    pub async fn open(ctx: &NodeCtx, engine: Arc<dyn Engine>) -> Result<Book, StartError> {
        let last = engine.get(Family::Node, node::BOOT)?;
        let last = last.map(|row| Boot::decode(&row).ok_or_else(unreadable)).transpose()?;
        let before = engine.get(Family::Node, node::BEFORE)?.unwrap_or_default();
        let (before, []) = before.as_chunks::<16>() else { return Err(unreadable().into()) };
        let start = Start::next(last, before.to_vec(), ctx.rng.bytes());
        let mut batch = Batch::default();
        batch.put(Family::Node, node::BOOT, start.boot.encode());
        batch.put(Family::Node, node::BEFORE, start.before.concat());
        let (executor, fatal) = (ctx.executor.clone(), Fatal::new());
        let book = Book { executor, engine, fatal, start, plant: ctx.plant, turn: Mutex::new(()) };
        book.write(batch).await?;
        Ok(book)
    }

    pub fn start(&self) -> &Start {
        &self.start
    }

    /// The node's way out. It begins here because this is the first that writes for as long as the
    /// node lives, whoever asks.
    pub fn fatal(&self) -> Fatal {
        self.fatal.clone()
    }

    /// In which start another node was seen last.
    pub fn seen(&self, of: NodeId) -> Result<Option<Boot>, EngineError> {
        let row = self.engine.get(Family::Node, &node::seen(of))?;
        row.map(|row| Boot::decode(&row).ok_or_else(unreadable)).transpose()
    }

    /// Whether who is in this start, this node or another, can have been seen in that one.
    pub fn may_follow(&self, start: &Start, seen: &Boot) -> bool {
        start.follows(seen) || self.plant == Some(Plant::PutBackUnnoticed)
    }

    /// Durable when it returns.
    pub async fn note(&self, of: NodeId, told: &Start) -> Result<Result<(), PutBack>, EngineError> {
        let _turn = self.turn.lock().await;
        match self.seen(of)? {
            Some(seen) if seen == told.boot => Ok(Ok(())),
            Some(seen) if !self.may_follow(told, &seen) => {
                let told = told.boot.number;
                warn!(node = %of, seen = seen.number, told, "its data was put back to an earlier copy");
                Ok(Err(PutBack { seen: seen.number }))
            }
            _ => {
                let mut batch = Batch::default();
                batch.put(Family::Node, node::seen(of), told.boot.encode());
                self.write(batch).await.map(Ok)
            }
        }
    }

    /// Another node has seen a start of this one that is not on its disk. Gives the reason why the
    /// node stops.
    pub fn put_back(&self, by: NodeId, number: u64) -> String {
        let why = format!(
            "this is start {} of this data, but node {by} has seen another start {number}: an earlier copy was put in its place, \
             and what this node acknowledged since is not in it",
            self.start.boot.number
        );
        match self.engine.condemn(&why) {
            Ok(()) => self.fatal.set(&why),
            Err(error) => self.fatal.set(error),
        }
        why
    }

    async fn write(&self, batch: Batch) -> Result<(), EngineError> {
        let engine = self.engine.clone();
        let written = run(self.executor.as_ref(), Lane::Flush, move || engine.write(batch, Durability::Synced)).await;
        match written {
            Some(Err(error)) => {
                self.fatal.set(&error);
                Err(error)
            }
            Some(Ok(())) => Ok(()),
            None => Err(EngineError::Refused("this node is stopping".to_owned())),
        }
    }
}

/// The exchange with others. Shared, cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    pub book: Arc<Book>,
    pub port: Port,
    pub cluster_id: [u8; 16],
    pub me: NodeId,
    /// The cluster address of this node.
    pub address: String,
    /// Feature levels that this node supports.
    pub levels: Range,
    /// The one in force.
    pub level: LevelHere,
}

impl Ledger {
    /// Both have written down which start the other is in; to be done before each connection for
    /// Raft calls.
    pub async fn exchange(&self, with: NodeId) -> io::Result<()> {
        let Ledger { book, cluster_id, me, address, levels, level, .. } = self;
        let seen = book.seen(with).map_err(io::Error::other)?;
        let (start, address, levels) = (book.start.clone(), address.clone(), *levels);
        let announcement = Announcement { cluster_id: *cluster_id, from: *me, to: with, start, seen, address, levels };
        match timeout(EXCHANGE_TIME, self.ask(with, announcement)).await?? {
            // An entry above what it supports would stop it, or be applied by other rules.
            Answer::Noted(_, theirs) if level.get().refusal(theirs).is_some() => {
                let in_force = level.level();
                Err(io::Error::other(format!(
                    "it supports feature level {theirs} and the cluster is at {in_force}: upgrade it"
                )))
            }
            Answer::Noted(theirs, _) => match book.note(with, &theirs).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(PutBack { seen })) => Err(io::Error::other(format!(
                    "its data was put back to start {}, and start {seen} was seen: nothing is asked of it",
                    theirs.boot.number
                ))),
                Err(error) => Err(io::Error::other(error)),
            },
            Answer::Outdated { number } => Err(io::Error::other(book.put_back(with, number))),
            Answer::Refused(why) => {
                // This version has no part in the cluster any more.
                book.fatal.set(format!("node {with} does not talk to this node: {why}"));
                Err(io::Error::other(why))
            }
            Answer::Unavailable(why) => Err(io::Error::other(why)),
            _ => Err(message::invalid()),
        }
    }

    async fn ask(&self, whom: NodeId, announcement: Announcement) -> io::Result<Answer> {
        let mut stream = self.port.dial_formation(&self.port.address(whom)?).await?;
        message::send(&mut stream, &Question::Announce(announcement).to_wire()).await?;
        Answer::from_wire(message::receive(&mut stream).await?).ok_or_else(message::invalid)
    }
}

fn unreadable() -> EngineError {
    EngineError::Damaged("a row of node starts cannot be read".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot(number: u64, mark: u8) -> Boot {
        Boot { number, mark: [mark; 16] }
    }

    /// A node that was started with these marks, one after another.
    fn started(marks: &[u8]) -> Start {
        let first = Start::next(None, Vec::new(), [marks[0]; 16]);
        marks[1..].iter().fold(first, |last, mark| Start::next(Some(last.boot), last.before, [*mark; 16]))
    }

    #[test]
    fn only_the_same_start_or_a_later_one_follows() {
        let told = started(&[1, 2, 3, 4, 5]);
        assert!(told.follows(&boot(5, 5)));
        assert!(told.follows(&boot(2, 2)));
        assert!(!told.follows(&boot(5, 9)), "the same number again");
        assert!(!told.follows(&boot(6, 6)), "an earlier one");
    }

    #[test]
    fn a_disk_that_was_put_back_is_found_out_however_often_it_has_started_since() {
        // Seen in its fourth start; a copy of the second one was put back.
        let seen = boot(4, 4);
        for marks in [&[1, 2, 13][..], &[1, 2, 13, 14], &[1, 2, 13, 14, 15], &[1, 2, 13, 14, 15, 16, 17]] {
            assert!(!started(marks).follows(&seen), "{marks:?}");
        }
        assert!(started(&[1, 2, 3, 4, 5, 6, 7]).follows(&seen));
    }

    #[test]
    fn what_is_no_longer_known_is_believed() {
        let mut told = started(&[1; BEFORE + 20]);
        assert_eq!(told.before.len(), BEFORE);
        assert!(told.follows(&boot(3, 9)));
        // A version that did not tell them.
        told.before.clear();
        assert!(told.follows(&boot(BEFORE as u64, 9)) && !told.follows(&boot(1_000, 1)));
    }

    #[test]
    fn rows_round_trip_and_bent_ones_are_refused() {
        let bytes = boot(7, 3).encode();
        assert_eq!(Boot::decode(&bytes), Some(boot(7, 3)));
        for length in 0..bytes.len() {
            assert_eq!(Boot::decode(&bytes[..length]), None);
        }
    }
}
