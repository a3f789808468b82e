//! Proposes the commands of a shard: gathers waiting commands into one entry, keeps several entries
//! in flight, and reports the exact outcome of each.
//!
//! An outcome is *definite* only if the command was refused before it entered the log. Any later
//! missing answer is *unknown*.

use std::sync::Arc;

use bytes::Bytes;
use openraft::error::{ClientWriteError, ForwardToLeader};
use openraft::errors::ForwardReason;
use openraft::impls::OneshotResponder;
use openraft::raft::ClientWriteResult;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use troupe_core::limits::{BATCH_BYTES, BATCH_COMMANDS, SHARD_IN_FLIGHT, SHARD_PROPOSED_BYTES};
use troupe_core::planted::Bug;
use troupe_core::{Command, Level, Timestamp};
use troupe_proto::record::EncodedCommand;
use troupe_runtime::Platform;
use troupe_runtime::trace::{At, Stage, Subject};
use troupe_store::engine::Engine;

use crate::api::{Outcome, ProposeError};
use crate::level::LevelHere;
use crate::replication::company::{Company, Undecided};
use crate::replication::group::Group;
use crate::timing::{FRESH_LEADER, LINGER, LOOK_FRESH, PROPOSE_TIMEOUT, PROPOSE_TURN};
use crate::transport::clocks::Clocks;
use crate::types::{Applied, Proposal, Types};

#[cfg(feature = "planted-bugs")]
mod planted;

/// Entries in flight. At the limit the next one waits and grows.
const ENTRIES_IN_FLIGHT: usize = 32;
/// An entry of more calls than this was busy: a short wait then makes the next one fuller.
const BUSY: usize = 2;

type Answer = Result<Vec<Outcome>, ProposeError>;

/// Commands that stay together, and their caller.
struct Waiting {
    part: Part,
    held: Held,
    answer: oneshot::Sender<Answer>,
}

/// Everything that an undecided call holds.
struct Held {
    _room: OwnedSemaphorePermit,
    _undecided: Undecided,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Proposer {
    queue: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
    company: Company,
    level: LevelHere,
    /// A planted bug.
    ignores_level: bool,
}

/// The sources of an entry's timestamp and level.
pub struct Stamps {
    pub clocks: Clocks,
    pub level: LevelHere,
}

impl Proposer {
    pub fn start(
        platform: Platform,
        engine: Arc<dyn Engine>,
        group: Group,
        stamps: Stamps,
        company: Company,
        tasks: &mut JoinSet<()>,
    ) -> Proposer {
        let (queue, waiting) = mpsc::channel(SHARD_IN_FLIGHT);
        let level = stamps.level.clone();
        let ignores_level = platform.planted(Bug::LevelIgnored);
        tasks.spawn(run(platform, engine, group, stamps, company.clone(), waiting));
        Proposer { queue, room: Arc::new(Semaphore::new(SHARD_PROPOSED_BYTES)), company, level, ignores_level }
    }

    /// Whether a proposal is undecided.
    pub fn has_waiting(&self) -> bool {
        self.room.available_permits() < SHARD_PROPOSED_BYTES
    }

    pub async fn propose(&self, commands: Vec<Command>) -> Answer {
        self.check_level(&commands)?;
        let mut answers = Vec::new();
        for part in parts(&commands)? {
            match self.submit(part) {
                Ok(answer) => answers.push(answer),
                // Only a refusal of the first part is definite: the others are in flight.
                Err(error) if answers.is_empty() => return Err(error),
                Err(_) => return Err(ProposeError::Unknown),
            }
        }
        let mut outcomes = Vec::new();
        for answer in answers {
            match answer.await.unwrap_or(Err(ProposeError::Unknown)) {
                Ok(part) => outcomes.extend(part),
                Err(error) if outcomes.is_empty() => return Err(error),
                Err(_) => return Err(ProposeError::Unknown),
            }
        }
        Ok(outcomes)
    }

    /// Checked before anything enters the log, so that no replica meets an unknown command. The
    /// level of this node may lag behind, and is never ahead.
    fn check_level(&self, commands: &[Command]) -> Result<(), ProposeError> {
        let in_force = self.level.level();
        match commands.iter().map(Command::level).max() {
            Some(needs) if needs > in_force && !self.ignores_level => {
                Err(ProposeError::UpgradePending { needs, in_force })
            }
            _ => Ok(()),
        }
    }

    fn submit(&self, part: Part) -> Result<oneshot::Receiver<Answer>, ProposeError> {
        let permits = u32::try_from(part.bytes.min(SHARD_PROPOSED_BYTES)).map_err(|_| ProposeError::Overloaded)?;
        let room = self.room.clone().try_acquire_many_owned(permits).map_err(|_| ProposeError::Overloaded)?;
        let (answer, answered) = oneshot::channel();
        let held = Held { _room: room, _undecided: self.company.arrives() };
        self.queue.try_send(Waiting { part, held, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ProposeError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => ProposeError::NotLeader { hint: None },
        })?;
        Ok(answered)
    }
}

/// Commands that go into one entry.
#[derive(Default)]
struct Part {
    commands: Vec<EncodedCommand>,
    /// In the entry.
    bytes: usize,
    /// Those of them that are messages, for the trace.
    messages: Vec<Subject>,
}

/// Cuts commands into parts that each fit an entry. One command that fits no entry refuses all of
/// them, before any is submitted.
fn parts(commands: &[Command]) -> Result<Vec<Part>, ProposeError> {
    let mut parts: Vec<Part> = Vec::new();
    for command in commands {
        let encoded = EncodedCommand::of(command);
        let bytes = encoded.len();
        if bytes > BATCH_BYTES {
            return Err(ProposeError::TooLarge);
        }
        let fits = |part: &Part| part.commands.len() < BATCH_COMMANDS && part.bytes + bytes <= BATCH_BYTES;
        if !parts.last().is_some_and(fits) {
            parts.push(Part::default());
        }
        if let Some(part) = parts.last_mut() {
            part.commands.push(encoded);
            part.bytes += bytes;
            part.messages.extend(Subject::of(command));
        }
    }
    Ok(parts)
}

async fn run(
    platform: Platform,
    #[cfg_attr(not(feature = "planted-bugs"), expect(unused_variables))] engine: Arc<dyn Engine>,
    group: Group,
    stamps: Stamps,
    company: Company,
    mut waiting: mpsc::Receiver<Waiting>,
) {
    let in_flight = Arc::new(Semaphore::new(ENTRIES_IN_FLIGHT));
    let mut entries = JoinSet::new();
    let mut left_over = None;
    let mut busy = false;
    loop {
        let first = match left_over.take() {
            Some(first) => first,
            None => match waiting.recv().await {
                Some(first) => first,
                None => return,
            },
        };
        let Ok(turn) = in_flight.clone().acquire_owned().await else { return };
        if busy || company.is_expected() {
            sleep(LINGER).await;
        }
        let calls = gather(first, &mut waiting, &mut left_over);
        busy = calls.len() > BUSY;
        while entries.try_join_next().is_some() {}
        let own = platform.clock.now();
        let now = if platform.planted(Bug::OwnClockTrusted) { own } else { stamps.clocks.stamp(own) };
        record(&platform, &group, &calls);
        let entry = Entry::of(now, stamps.level.level(), calls);
        #[cfg(feature = "planted-bugs")]
        let entry = if platform.planted(Bug::AckBeforeCommit) { entry.answer_too_early(&engine) } else { entry };
        let proposal = match Proposal::new(entry.bytes.clone()) {
            Ok(proposal) => proposal,
            Err(error) => {
                // `limits` asserts that this cannot happen: a batch fits an entry.
                tracing::error!(group = %group.id, %error, "a batch of commands was not proposed");
                entry.answer(Err(ProposeError::TooLarge));
                continue;
            }
        };
        let first_try = submit(&group, &proposal).await;
        let group = group.clone();
        entries.spawn(async move {
            let answer = see_through(&group, first_try, &proposal, turn).await;
            entry.answer(answer);
        });
    }
}

fn gather(first: Waiting, waiting: &mut mpsc::Receiver<Waiting>, left_over: &mut Option<Waiting>) -> Vec<Waiting> {
    let (mut count, mut bytes) = (first.part.commands.len(), first.part.bytes);
    let mut calls = vec![first];
    while let Ok(next) = waiting.try_recv() {
        if count + next.part.commands.len() > BATCH_COMMANDS || bytes + next.part.bytes > BATCH_BYTES {
            *left_over = Some(next);
            break;
        }
        count += next.part.commands.len();
        bytes += next.part.bytes;
        calls.push(next);
    }
    calls
}

fn record(platform: &Platform, group: &Group, calls: &[Waiting]) {
    let commands = calls.iter().map(|call| call.part.commands.len()).sum();
    platform.metrics.proposal_commands.count(commands);
    platform.metrics.proposal_bytes.count(calls.iter().map(|call| call.part.bytes).sum());
    let Some(shard) = group.id.shard() else { return };
    for message in calls.iter().flat_map(|call| &call.part.messages) {
        platform.hop(*message, Stage::Proposer, At::shard(shard).detail(commands as u64));
    }
}

/// One entry in flight, and the callers of its commands.
struct Entry {
    bytes: Bytes,
    callers: Vec<(usize, Held, oneshot::Sender<Answer>)>,
}

impl Entry {
    fn of(now: Timestamp, level: Level, calls: Vec<Waiting>) -> Entry {
        let commands = calls.iter().flat_map(|call| &call.part.commands);
        let bytes = Bytes::from(EncodedCommand::batch(now, level, commands));
        let callers = calls.into_iter().map(|call| (call.part.commands.len(), call.held, call.answer)).collect();
        Entry { bytes, callers }
    }

    fn answer(self, answer: Answer) {
        let mut answer = answer.map(Vec::into_iter);
        for (count, held, caller) in self.callers {
            let part = match &mut answer {
                Ok(outcomes) => Ok(outcomes.by_ref().take(count).collect()),
                Err(error) => Err(error.clone()),
            };
            drop(held);
            // The caller may have timed out.
            let _ = caller.send(part);
        }
    }
}

type Submitted = Option<oneshot::Receiver<ClientWriteResult<Types>>>;

/// Queued in the core behind every earlier entry when this returns; `None` if the core has stopped.
async fn submit(group: &Group, proposal: &Proposal) -> Submitted {
    let (responder, answered) = OneshotResponder::new_pair();
    group.raft.client_write_ff(proposal.clone(), Some(responder)).await.ok()?;
    Some(answered)
}

async fn see_through(group: &Group, first_try: Submitted, proposal: &Proposal, turn: OwnedSemaphorePermit) -> Answer {
    let begin = Instant::now();
    let (mut submitted, mut turn) = (first_try, Some(turn));
    loop {
        let Some(mut answered) = submitted else { return Err(ProposeError::Unknown) };
        let answer = match timeout(PROPOSE_TURN, &mut answered).await {
            Ok(answer) => Ok(answer),
            Err(_) => {
                // Later entries may proceed. This one may still commit when a majority is reachable
                // again.
                drop(turn.take());
                timeout(PROPOSE_TIMEOUT, answered).await
            }
        };
        let Ok(Ok(answer)) = answer else { return Err(ProposeError::Unknown) };
        match answer {
            Ok(written) => match written.data {
                Applied::Outcomes(outcomes) => return Ok(outcomes),
                Applied::Nothing | Applied::Meta(_) | Applied::Restored(_) => return Err(ProposeError::Unknown),
            },
            Err(ClientWriteError::ForwardToLeader(refusal)) if is_fresh(&refusal) && begin.elapsed() < FRESH_LEADER => {
                // A definite refusal: this leader accepts proposals once a majority has answered
                // its first append. It is not retried at once. A new receiver of its metrics always
                // has news, and a retry makes more.
                sleep(LOOK_FRESH).await;
                submitted = submit(group, proposal).await;
            }
            Err(ClientWriteError::ForwardToLeader(refusal)) => {
                return Err(ProposeError::NotLeader { hint: refusal.leader_node.map(|home| home.0) });
            }
            Err(_) => return Err(ProposeError::Unknown),
        }
    }
}

pub fn is_fresh(refusal: &ForwardToLeader<Types>) -> bool {
    refusal.reason == ForwardReason::LeaseExpired
}
