//! Which start of which node this one has seen, so that a disk that was put back to an earlier day is noticed.
//!
//! Damage that a disk can show by itself is the engine's to find. A disk put back whole, from an old copy, is in perfect order, and
//! yet the node has forgotten what it acknowledged since: it would help to elect a leader that lacks it. Only the others
//! can know. So every start of a data directory has a number, one above the last, and a random mark, both on disk before a word is said.
//! Whoever dials another node for Raft calls first exchanges starts with it, and both write down what they hear, before the first call:
//! a node is never asked for anything by one that would not notice if it forgot the answer. Who is in a start that was seen
//! before with another mark, or in an earlier one, has been put back: when told so it condemns its disk and
//! stops, to come back as a new node, and nobody else calls it.
//!
//! Not covered: a disk put back while every node that had met it since is away too.

use std::io;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::time::{Duration, timeout};
use tracing::warn;
use troupe_core::NodeId;
use troupe_runtime::NodeCtx;
use troupe_runtime::executor::{Executor, Lane, run};
use troupe_store::engine::{Batch, Durability, Engine, EngineError, Family};
use troupe_store::key::node;

use super::message::{self, Answer, Question};
use crate::cluster::StartError;
use crate::fatal::Fatal;
use crate::port::Port;

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

    /// Whether a node that was last seen in this start can now be in the other without having lost anything.
    pub fn may_be_followed_by(&self, told: &Boot) -> bool {
        told == self || told.number > self.number
    }
}

/// A node says which start it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    pub cluster_id: [u8; 16],
    pub from: NodeId,
    pub to: NodeId,
    pub boot: Boot,
}

/// What this node has written down, its own start included.
pub struct Book {
    executor: Arc<dyn Executor>,
    engine: Arc<dyn Engine>,
    fatal: Fatal,
    boot: Boot,
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
        let boot = Boot { number: last.map_or(0, |last| last.number) + 1, mark: ctx.rng.bytes() };
        let book = Book { executor: ctx.executor.clone(), engine, fatal: Fatal::new(), boot, turn: Mutex::new(()) };
        book.write(node::BOOT.to_vec(), boot).await?;
        Ok(book)
    }

    pub fn boot(&self) -> Boot {
        self.boot
    }

    /// The node's way out. It begins here because this is the first that writes for as long as the node lives, whoever asks.
    pub fn fatal(&self) -> Fatal {
        self.fatal.clone()
    }

    /// Durable when it returns.
    pub async fn note(&self, of: NodeId, told: Boot) -> Result<Result<(), PutBack>, EngineError> {
        let _turn = self.turn.lock().await;
        let row = self.engine.get(Family::Node, &node::seen(of))?;
        let seen = row.map(|row| Boot::decode(&row).ok_or_else(unreadable)).transpose()?;
        match seen {
            Some(seen) if seen == told => Ok(Ok(())),
            Some(seen) if !seen.may_be_followed_by(&told) => {
                warn!(node = %of, seen = seen.number, told = told.number, "its data was put back to an earlier copy");
                Ok(Err(PutBack { seen: seen.number }))
            }
            _ => self.write(node::seen(of), told).await.map(Ok),
        }
    }

    async fn write(&self, key: Vec<u8>, boot: Boot) -> Result<(), EngineError> {
        let mut batch = Batch::default();
        batch.put(Family::Node, key, boot.encode());
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
}

impl Ledger {
    /// Both have written down which start the other is in; to be done before each connection for Raft calls.
    pub async fn exchange(&self, with: NodeId) -> io::Result<()> {
        let Ledger { book, cluster_id, me, .. } = self;
        let announcement = Announcement { cluster_id: *cluster_id, from: *me, to: with, boot: book.boot };
        match timeout(EXCHANGE_TIME, self.ask(with, announcement)).await?? {
            Answer::Noted(theirs) => match book.note(with, theirs).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(PutBack { seen })) => Err(io::Error::other(format!(
                    "its data was put back to start {}, and start {seen} was seen: nothing is asked of it",
                    theirs.number
                ))),
                Err(error) => Err(io::Error::other(error)),
            },
            Answer::Outdated { number } => Err(self.put_back(with, number)),
            Answer::Unavailable(why) | Answer::Refused(why) => Err(io::Error::other(why)),
            _ => Err(message::invalid()),
        }
    }

    async fn ask(&self, whom: NodeId, announcement: Announcement) -> io::Result<Answer> {
        let mut stream = self.port.dial_formation(&self.port.address(whom)?).await?;
        message::send(&mut stream, &Question::Announce(announcement).to_wire()).await?;
        Answer::from_wire(message::receive(&mut stream).await?).ok_or_else(message::invalid)
    }

    fn put_back(&self, by: NodeId, number: u64) -> io::Error {
        let why = format!(
            "this is start {} of this data, but node {by} has seen start {number}: an earlier copy was put in its place, and \
             what this node acknowledged since is not in it",
            self.book.boot.number
        );
        match self.book.engine.condemn(&why) {
            Ok(()) => self.book.fatal.set(&why),
            Err(error) => self.book.fatal.set(error),
        }
        io::Error::other(why)
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

    #[test]
    fn only_the_same_start_or_a_later_one_follows() {
        let seen = boot(5, 1);
        assert!(seen.may_be_followed_by(&boot(5, 1)));
        assert!(seen.may_be_followed_by(&boot(6, 2)));
        assert!(!seen.may_be_followed_by(&boot(5, 2)), "the same number again");
        assert!(!seen.may_be_followed_by(&boot(4, 1)));
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
