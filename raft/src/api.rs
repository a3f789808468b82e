//! The vocabulary of this crate: configuration, results and errors that its modules and its callers
//! share. It imports nothing of the crate but [`crate::level`].

pub mod address;
mod config;
mod membership;
mod routing;
mod settings;
mod storage_mark;

use troupe_core::{Effect, Level, NodeId, Reply};

pub use config::{ClusterConfig, LoginPolicy};
pub use membership::{Addresses, Founder, JoinRefusal, JoinRequest, MemberRegistry, NodeState};
pub use routing::{NodeInfo, Routing, ShardMove, ShardPlace};
pub use settings::{ChangeSettings, Registration, Settings, Strangers};
pub use storage_mark::LowMark;

/// The result of one committed command.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub reply: Reply,
    pub effects: Vec<Effect>,
}

/// Each variant is named by what the caller should do.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProposeError {
    /// Definite: ask the leader.
    #[error("this node does not lead the shard")]
    NotLeader { hint: Option<NodeId> },
    /// Definite: the queue of the shard is full.
    #[error("the queue of the shard is full")]
    Overloaded,
    /// Definite and permanent: no log entry can hold the command.
    #[error("larger than an entry of the log")]
    TooLarge,
    /// Definite: a member may not know the command.
    #[error("this needs feature level {needs} and the cluster is at {in_force}")]
    UpgradePending { needs: Level, in_force: Level },
    /// The command may or may not be committed. Retry it with the same ids.
    #[error("no majority answered in time")]
    Unknown,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    #[error("this node does not lead the shard")]
    NotLeader { hint: Option<NodeId> },
    #[error("no majority answered in time")]
    Unavailable,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The operator must change something; the text names it.
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Engine(#[from] troupe_store::engine::EngineError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
