//! Records the starts of all nodes, to detect a disk that was replaced by an earlier copy.
//!
//! The engine finds damage that a disk itself can show. An earlier copy of a whole disk is intact,
//! but the node has forgotten what it acknowledged since. It would help to elect a leader that
//! lacks it. Only the other nodes can detect that. So every start of a data directory has a number,
//! one above the last, and a random mark. Both are on disk before the node sends anything. A node
//! that dials another for Raft calls first exchanges starts with it, and both record the other's
//! start before the first call.
//!
//! A node has an earlier copy if its start was seen before with another mark, if it is below a
//! recorded start, or if a recorded start is missing from its history. When it learns of it, it
//! marks its disk as damaged and stops, to return as a new node. No node calls it. Each node
//! announces the last start that it has seen of the other, so every node that meets a replaced disk
//! tells it. Its own old addresses may lead nowhere any more.
//!
//! Not covered: a disk that is replaced while every node that has met it since is away too, and one
//! that is replaced by a copy of the very start that it was in.

use std::io;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::time::{Duration, timeout};
use tracing::warn;
use troupe_core::NodeId;
use troupe_core::level::Range;
use troupe_core::planted::{Bug, Planted};
use troupe_runtime::Platform;
use troupe_runtime::executor::{Executor, Lane, run};
use troupe_runtime::net::BoxFuture;
use troupe_store::engine::{Batch, Durability, Engine, EngineError, Family};
use troupe_store::key::node;

use super::boot::{Announcement, Boot, Start};
use super::message::{self, Answer, Question};
use crate::api::StartError;
use crate::fatal::Fatal;
use crate::level::LevelHere;
use crate::transport::link::Introduction;
use crate::transport::port::Port;

/// The time in which the other side records a start and announces its own.
const EXCHANGE_TIME: Duration = Duration::from_secs(5);

/// The recorded starts, including this node's own.
pub struct BootRegistry {
    executor: Arc<dyn Executor>,
    engine: Arc<dyn Engine>,
    fatal: Fatal,
    start: Start,
    planted: Planted,
    /// Held from the lookup to the write.
    turn: Mutex<()>,
}

/// A recorded start contradicts the announced one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PutBack {
    /// The number of the recorded start.
    pub seen: u64,
}

impl BootRegistry {
    /// Opens the records and counts this start.
    pub async fn open(platform: &Platform, engine: Arc<dyn Engine>) -> Result<BootRegistry, StartError> {
        let last = engine.get(Family::Node, node::BOOT)?;
        let last = last.map(|row| Boot::decode(&row).ok_or_else(unreadable)).transpose()?;
        let before = engine.get(Family::Node, node::BEFORE)?.unwrap_or_default();
        let (before, []) = before.as_chunks::<16>() else { return Err(unreadable().into()) };
        let start = Start::next(last, before.to_vec(), platform.rng.bytes());
        let mut batch = Batch::default();
        batch.put(Family::Node, node::BOOT, start.boot.encode());
        batch.put(Family::Node, node::BEFORE, start.before.concat());
        let (executor, fatal) = (platform.executor.clone(), Fatal::new());
        let boots = BootRegistry { executor, engine, fatal, start, planted: platform.planted, turn: Mutex::new(()) };
        boots.write(batch).await?;
        Ok(boots)
    }

    pub fn start(&self) -> &Start {
        &self.start
    }

    /// The node's fatal error. It is created here because this is the first writer that lives as
    /// long as the node.
    pub fn fatal(&self) -> Fatal {
        self.fatal.clone()
    }

    /// The last recorded start of another node.
    pub fn seen(&self, of: NodeId) -> Result<Option<Boot>, EngineError> {
        let row = self.engine.get(Family::Node, &node::seen(of))?;
        row.map(|row| Boot::decode(&row).ok_or_else(unreadable)).transpose()
    }

    /// Whether a node in this start, this one or another, may have been seen in that one.
    pub fn may_follow(&self, start: &Start, seen: &Boot) -> bool {
        start.follows(seen) || self.planted.is(Bug::PutBackUnnoticed)
    }

    /// Durable when it returns.
    pub async fn note(&self, of: NodeId, told: &Start) -> Result<Result<(), PutBack>, EngineError> {
        let _turn = self.turn.lock().await;
        match self.seen(of)? {
            Some(seen) if seen == told.boot => Ok(Ok(())),
            Some(seen) if !self.may_follow(told, &seen) => {
                let told = told.boot.number;
                warn!(node = %of, seen = seen.number, told, "its data was replaced by an earlier copy");
                Ok(Err(PutBack { seen: seen.number }))
            }
            _ => {
                let mut batch = Batch::default();
                batch.put(Family::Node, node::seen(of), told.boot.encode());
                self.write(batch).await.map(Ok)
            }
        }
    }

    /// Another node has recorded a start of this one that is not on its disk. Returns the reason
    /// why the node stops.
    pub fn put_back(&self, by: NodeId, number: u64) -> String {
        let why = format!(
            "this is start {} of this data, but node {by} has seen another start {number}: an earlier copy replaced it, and data that this node has acknowledged since is missing",
            self.start.boot.number
        );
        match self.engine.mark_damaged(&why) {
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

/// The exchange of starts with other nodes.
pub struct BootExchange {
    pub boots: Arc<BootRegistry>,
    pub port: Port,
    pub cluster_id: [u8; 16],
    pub me: NodeId,
    /// The cluster address of this node.
    pub address: String,
    /// Feature levels that this node supports.
    pub levels: Range,
    /// The level in force.
    pub level: LevelHere,
}

impl Introduction for BootExchange {
    fn exchange(&self, with: NodeId) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(self.exchange_starts(with))
    }
}

impl BootExchange {
    /// Both sides have recorded the other's start when it returns. Precedes each connection for
    /// Raft calls.
    async fn exchange_starts(&self, with: NodeId) -> io::Result<()> {
        let BootExchange { boots, cluster_id, me, address, levels, level, .. } = self;
        let seen = boots.seen(with).map_err(io::Error::other)?;
        let (start, address, levels) = (boots.start.clone(), address.clone(), *levels);
        let announcement = Announcement { cluster_id: *cluster_id, from: *me, to: with, start, seen, address, levels };
        match timeout(EXCHANGE_TIME, self.ask(with, announcement)).await?? {
            // An entry above the supported levels would stop it, or be applied by other rules.
            Answer::Noted(_, theirs) if level.get().refusal(theirs).is_some() => {
                let in_force = level.level();
                Err(io::Error::other(format!(
                    "it supports feature level {theirs} and the cluster is at {in_force}: upgrade it"
                )))
            }
            Answer::Noted(theirs, _) => match boots.note(with, &theirs).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(PutBack { seen })) => Err(io::Error::other(format!(
                    "its data was replaced by a copy of start {}, and start {seen} was seen: it gets no calls",
                    theirs.boot.number
                ))),
                Err(error) => Err(io::Error::other(error)),
            },
            Answer::Outdated { number } => Err(io::Error::other(boots.put_back(with, number))),
            Answer::Refused(why) => {
                // This version cannot take part in the cluster any more.
                boots.fatal.set(format!("node {with} accepts no calls of this node: {why}"));
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
    EngineError::Damaged("a row of node starts is unreadable".to_owned())
}
