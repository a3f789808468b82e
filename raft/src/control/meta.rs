//! The meta group's replica on this node: applies its commands to one row, publishes the state, and
//! forwards commands to its leader.

mod command;
pub mod plan;
pub mod state;
mod wire;

use std::sync::Arc;

use bytes::Bytes;
use openraft::async_runtime::watch::WatchReceiver;
use prost::Message;
use tokio::sync::watch;
use tokio::time::timeout;
use troupe_core::level::Range;
use troupe_core::{Level, NodeId};
use troupe_proto::wire::raft as proto;
use troupe_store::engine::{Batch, Durability, Engine, EngineError, Family};
use troupe_store::key::node::{FIRST_FORMAT, FORMAT, format_at, format_in};
use troupe_store::key::{RaftMetaKey, What};

use crate::codec;
use crate::level::LevelHere;
use crate::log::applier::{Applier, Rows};
use crate::replication::group::Groups;
use crate::timing::META_TIMEOUT;
use crate::transport::frame::Kind;
use crate::transport::link::Links;
use crate::types::{Applied, GroupId, Proposal};
pub use command::MetaCommand;
pub use state::{Member, MetaState};

/// Keeps the state as one row, because it is small and changes rarely.
pub struct MetaApplier {
    shown: watch::Sender<Arc<MetaState>>,
    supports: Range,
    level: LevelHere,
}

impl MetaApplier {
    /// `level` is set before any other reader sees the state.
    pub fn new(supports: Range, level: LevelHere) -> (Arc<MetaApplier>, watch::Receiver<Arc<MetaState>>) {
        let (shown, watch) = watch::channel(Arc::default());
        (Arc::new(MetaApplier { shown, supports, level }), watch)
    }

    fn key() -> Vec<u8> {
        RaftMetaKey { group: GroupId::META.0, what: What::State }.encode()
    }
}

/// The state as last applied on this engine.
pub fn load(engine: &Arc<dyn Engine>) -> Result<MetaState, EngineError> {
    let Some(row) = engine.get(Family::RaftMeta, &MetaApplier::key())? else { return Ok(MetaState::default()) };
    codec::open::<proto::MetaState>(&row, "meta state")
        .and_then(MetaState::try_from)
        .map_err(|error| EngineError::Fatal(error.to_string()))
}

/// The row of a state.
pub fn row(state: &MetaState) -> (Vec<u8>, Vec<u8>) {
    (MetaApplier::key(), codec::seal(&proto::MetaState::from(state)))
}

/// Applies committed commands in order, with one answer for each.
pub fn replay(state: &mut MetaState, proposals: &[Bytes]) -> Result<Vec<Applied>, EngineError> {
    let apply = |proposal: &Bytes| {
        let command = proto::MetaCommand::decode(proposal.clone())
            .map_err(|_| codec::Undecodable("meta command"))
            .and_then(MetaCommand::try_from)
            .map_err(|error| EngineError::Fatal(error.to_string()))?;
        Ok(Applied::Meta(state.apply(command)))
    };
    proposals.iter().map(apply).collect()
}

/// Raised before anything else on this node uses the level: an earlier binary must refuse this
/// directory by its format, which is all that its store checks. Like the level, it never falls.
fn raise_format(engine: &Arc<dyn Engine>, level: Level) -> Result<(), EngineError> {
    let format = format_at(level);
    let found = engine.get(Family::Node, FORMAT)?.and_then(|row| format_in(&row));
    if found.unwrap_or(FIRST_FORMAT) >= format {
        return Ok(());
    }
    let mut batch = Batch::default();
    batch.put(Family::Node, FORMAT, format.to_be_bytes());
    engine.write(batch, Durability::Synced)
}

impl Applier for MetaApplier {
    fn ranges(&self) -> Vec<Rows> {
        let from = MetaApplier::key();
        let mut to = from.clone();
        to.push(0);
        vec![(Family::RaftMeta, from, to)]
    }

    fn apply(&self, engine: &Arc<dyn Engine>, proposals: &[Bytes]) -> Result<(Batch, Vec<Applied>), EngineError> {
        let mut batch = Batch::default();
        if proposals.is_empty() {
            return Ok((batch, Vec::new()));
        }
        let mut state = load(engine)?;
        let applied = replay(&mut state, proposals)?;
        let (key, row) = row(&state);
        batch.put(Family::RaftMeta, key, row);
        Ok((batch, applied))
    }

    fn changed(&self, engine: &Arc<dyn Engine>) -> Result<(), EngineError> {
        let state = load(engine)?;
        if let Some(why) = state.in_force.refusal(self.supports) {
            self.level.set(&state.in_force);
            return Err(EngineError::Fatal(why));
        }
        raise_format(engine, state.in_force.level)?;
        self.level.set(&state.in_force);
        self.shown.send_if_modified(|shown| {
            let news = **shown != state;
            if news {
                *shown = Arc::new(state);
            }
            news
        });
        Ok(())
    }
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum MetaError {
    /// Retry: there is no leader now, or it did not answer.
    #[error("the meta group does not answer")]
    Unavailable,
    #[error("{0}")]
    Refused(String),
    /// A member may not know the command, because the feature level is too low.
    #[error(
        "this needs feature level {needs} and the cluster is at {in_force}: upgrade all nodes, then finalize (troupe cluster \
         upgrade status)"
    )]
    UpgradePending { needs: Level, in_force: Level },
}

/// Proposes commands to the meta group. Cheap to clone.
#[derive(Clone)]
pub struct Meta {
    groups: Groups,
    links: Links,
    level: LevelHere,
}

impl Meta {
    pub fn new(groups: Groups, links: Links, level: LevelHere) -> Meta {
        Meta { groups, links, level }
    }

    pub fn leader(&self) -> Option<NodeId> {
        let group = self.groups.get(GroupId::META)?;
        let leader = group.raft.metrics().borrow_watched().current_leader;
        leader.map(NodeId)
    }

    /// Commits a command, here or at the leader. After `Unavailable` it may have been committed all
    /// the same.
    pub async fn propose(&self, command: &MetaCommand) -> Result<NodeId, MetaError> {
        // Checked here as well: a leader of a version that knows no levels would put the command
        // into the log. A level never falls, so the check stays valid.
        let (needs, in_force) = (command.level(), self.level.level());
        if needs > in_force {
            return Err(MetaError::UpgradePending { needs, in_force });
        }
        let payload = Bytes::from(proto::MetaCommand::from(command).encode_to_vec());
        match self.leader() {
            Some(leader) if self.is_me(leader) => self.commit(payload).await,
            Some(leader) => {
                let target = leader.0;
                let call = self.links.call(leader, Kind::Meta, GroupId::META, target, payload, META_TIMEOUT);
                let answer = call.await.map_err(|_| MetaError::Unavailable)?;
                reply_in(answer)
            }
            None => Err(MetaError::Unavailable),
        }
    }

    /// Answers the command of another node, which believes this node to lead.
    pub async fn answer(&self, payload: Bytes) -> Vec<u8> {
        use proto::meta_reply::Reply;
        let reply = match self.commit(payload).await {
            Ok(node) => Some(Reply::Node(node.0)),
            Err(MetaError::Refused(refusal)) => Some(Reply::Refusal(refusal)),
            Err(error @ MetaError::UpgradePending { .. }) => Some(Reply::Refusal(error.to_string())),
            Err(MetaError::Unavailable) => None,
        };
        proto::MetaReply { reply }.encode_to_vec()
    }

    fn is_me(&self, node: NodeId) -> bool {
        self.groups.get(GroupId::META).is_some_and(|group| group.replica == node.0)
    }

    async fn commit(&self, payload: Bytes) -> Result<NodeId, MetaError> {
        let group = self.groups.get(GroupId::META).ok_or(MetaError::Unavailable)?;
        let proposal = Proposal::new(payload).map_err(|error| MetaError::Refused(error.to_string()))?;
        let written = timeout(META_TIMEOUT, group.raft.client_write(proposal)).await;
        match written.map_err(|_| MetaError::Unavailable)?.map_err(|_| MetaError::Unavailable)?.data {
            Applied::Meta(applied) => applied.map_err(MetaError::Refused),
            Applied::Nothing | Applied::Outcomes(_) | Applied::Restored(_) => Err(MetaError::Unavailable),
        }
    }
}

fn reply_in(answer: Bytes) -> Result<NodeId, MetaError> {
    use proto::meta_reply::Reply;
    match proto::MetaReply::decode(answer).map_err(|_| MetaError::Unavailable)?.reply {
        Some(Reply::Node(node)) => Ok(NodeId(node)),
        Some(Reply::Refusal(refusal)) => Err(MetaError::Refused(refusal)),
        None => Err(MetaError::Unavailable),
    }
}
