//! The context of all actors of a node: the platform, the cluster, the router and the counters.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use troupe_core::planted::Bug;
use troupe_core::{Command, NodeId, Rejection, Reply, ShardId, UserId, limits, machine};
use troupe_proto::client;
use troupe_proto::record::command_bytes;
use troupe_raft::api::Outcome as Committed;
use troupe_raft::{Cluster, ProposeError, ReadError};
use troupe_runtime::{Lane, Platform, executor};
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use crate::admission::Bound;
use crate::hooks::Receivers;
use crate::message::{Answer, Outcome, Refusal, ServerMessage, wire};
use crate::protocol::ShardMsg;
use crate::push::Pushes;
use crate::router::Router;
use crate::turns::Turns;

/// The time for a commit: longer than a failover, shorter than the patience of a client.
const COMMIT_PATIENCE: Duration = Duration::from_secs(5);

/// The party that a read of applied state is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// The node itself, and logins.
    Node,
    /// A user, with the cost of the read.
    User(UserId, u64),
}

/// Rows read for one unit of cost.
const ROWS: u64 = 8;

impl Asker {
    /// A user whose read touches about so many rows.
    pub fn user(user: UserId, rows: usize) -> Asker {
        Asker::User(user, 1 + rows as u64 / ROWS)
    }
}

#[derive(Clone)]
pub struct NodeContext {
    pub platform: Platform,
    pub cluster: Cluster,
    pub router: Arc<Router>,
    /// Active users and conversations of this node.
    pub entities: Bound,
    /// The way to the receivers of hooks.
    pub hooks: Arc<dyn Receivers>,
    /// Pushes to browsers. `None`: the setting is off.
    pub pushes: Option<Arc<Pushes>>,
    /// Turns of users at reading.
    pub reading: Arc<Turns<UserId>>,
}

impl NodeContext {
    pub fn me(&self) -> NodeId {
        self.cluster.me()
    }

    /// Applied state of this node's replicas at this moment.
    pub fn view(&self) -> View {
        let engine = self.cluster.engine();
        View::new(engine.snapshot())
    }

    /// Refuses a command before it is proposed if every replica would refuse it, or could not carry
    /// or store it. The operation has checked it too, but maybe at a node of another version.
    pub fn admit(&self, shard: ShardId, command: &Command) -> Result<(), Refusal> {
        machine::check(command)?;
        if command_bytes(command) > limits::BATCH_BYTES {
            return Err(Rejection::TooLarge.into());
        }
        if command.grows() && self.cluster.storage_low(shard) {
            return Err(Refusal::StorageLow);
        }
        Ok(())
    }

    /// Commits the commands: one outcome each, or one refusal for all. The caller gets the outcomes
    /// within `COMMIT_PATIENCE` or `Unavailable`.
    // Invariant: every commit takes effect. Effects of a commit that outlives its caller are still
    // executed, by the current actor of the shard.
    pub async fn propose(&self, shard: ShardId, commands: Vec<Command>) -> Result<Vec<Committed>, Refusal> {
        let cluster = self.cluster.clone();
        let mut committing = Box::pin(async move { cluster.propose(shard, commands).await });
        let Ok(committed) = timeout(COMMIT_PATIENCE, &mut committing).await else {
            let router = self.router.clone();
            tokio::spawn(async move {
                for outcome in committing.await.into_iter().flatten() {
                    router.tell_shard(shard, ShardMsg::ExecuteEffects { effects: outcome.effects });
                }
            });
            return Err(Refusal::Unavailable);
        };
        committed.map_err(|error| match error {
            ProposeError::NotLeader { hint } => Refusal::NotOwner { hint: hint.filter(|node| *node != self.me()) },
            ProposeError::Overloaded => Refusal::OVERLOADED,
            ProposeError::TooLarge => Rejection::TooLarge.into(),
            ProposeError::UpgradePending { .. } => client::Refusal::UpgradePending.into(),
            ProposeError::Unknown => Refusal::Unavailable,
        })
    }

    /// Reads applied state behind a barrier, off the async workers.
    // Invariant: private. Membership is checked against state that is at least as new as the
    // request.
    pub async fn read<T: Send + 'static>(
        &self,
        shard: ShardId,
        asker: Asker,
        work: impl FnOnce(&View) -> Result<Result<T, Refusal>, EngineError> + Send + 'static,
    ) -> Result<T, Refusal> {
        if self.platform.planted(Bug::StaleRead) {
            return self.look(asker, work).await;
        }
        let barrier = self.cluster.barrier(shard).await.map_err(|error| match error {
            ReadError::NotLeader { hint } => Refusal::NotOwner { hint: hint.filter(|node| *node != self.me()) },
            ReadError::Unavailable => Refusal::Unavailable,
        })?;
        let outcome = self.look(asker, work).await;
        if barrier.stands() { outcome } else { Err(Refusal::NotOwner { hint: None }) }
    }

    /// Reads applied state of this node without a barrier.
    pub async fn look<T: Send + 'static>(
        &self,
        asker: Asker,
        work: impl FnOnce(&View) -> Result<Result<T, Refusal>, EngineError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let engine = self.cluster.engine();
        let read = move || work(&View::new(engine.snapshot()));
        let read = match asker {
            Asker::Node => executor::run(&*self.platform.executor, Lane::Read, read).await,
            Asker::User(user, cost) => self.reading.run(user, cost, read).await,
        };
        match read {
            Some(Ok(outcome)) => outcome,
            Some(Err(error)) => {
                tracing::error!(%error, "applied state cannot be read");
                Err(Refusal::Unavailable)
            }
            None => Err(Refusal::OVERLOADED),
        }
    }
}

/// The answer of a committed command.
pub fn answer_of(reply: Reply) -> Outcome {
    match reply {
        Reply::Registered { user } => Ok(Answer::Registered(user)),
        Reply::SessionOpened { .. }
        | Reply::SessionClosed { .. }
        | Reply::SessionTouched { .. }
        | Reply::DueDone { .. }
        | Reply::Done => Ok(Answer::Done),
        Reply::Placed { seq, time, duplicate } => Ok(Answer::Placed { seq, time, duplicate }),
        Reply::Scheduled { at, duplicate } => {
            let scheduled = wire::Scheduled { deliver_at_ms: at.0, duplicate, ..Default::default() };
            Ok(Answer::message(ServerMessage::Scheduled(scheduled)))
        }
        Reply::GroupCreated { group } => Ok(Answer::GroupCreated(group)),
        Reply::Imported { conversation, head, placed } => {
            let imported = wire::Imported { conversation: conversation.to_string(), head: head.0, placed };
            let answer = Some(wire::admin_answer::Answer::Imported(imported));
            Ok(Answer::message(ServerMessage::Admin(wire::AdminAnswer { answer })))
        }
        Reply::Upload { received, size, file, expires } => {
            let hash = file.map(|hash| bytes::Bytes::copy_from_slice(&hash.0)).unwrap_or_default();
            Ok(Answer::message(ServerMessage::Upload(wire::Upload { received, size, hash, expires_ms: expires.0 })))
        }
        Reply::Room { bytes, reserved: reserved_bytes, until } => {
            let reserved_until_ms = until.0;
            let usage = wire::Usage { bytes, reserved_bytes, reserved_until_ms, ..wire::Usage::default() };
            Ok(Answer::message(ServerMessage::Usage(usage)))
        }
        Reply::Rejected(rejection) => Err(rejection.into()),
    }
}
