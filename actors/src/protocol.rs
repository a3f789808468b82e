//! Messages between the actors of one node.
//!
//! They are below the router and the actors, so that the actors do not import each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use troupe_core::record::HookKey;
use troupe_core::{ClientMessageId, Command, ConversationId, Effect, NodeId, Seq, ShardId, Signal, Timestamp, UserId};

use crate::message::{Answer, Outcome, Push, Request, Session};
use crate::presence::Presence;
use crate::reply::ReplyTo;
use crate::sink::{ConnectionId, Sink};
use crate::watchers::Facts;

/// Conversations to subscribe to, each with the users whose membership the leader checks.
pub type Interests = BTreeMap<ConversationId, BTreeSet<UserId>>;

/// A request that may be proposed, or wakes an entity.
#[derive(Clone, Debug)]
pub enum Task {
    Commit(Command),
    Move(Cursor),
    Signal(Signal),
}

/// The position of a user in a conversation: a device holds, or the user has read, all events up to
/// `seq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub conversation: ConversationId,
    pub user: UserId,
    pub seq: Seq,
    pub read: bool,
}

/// To the actor of a shard.
pub enum ShardMsg {
    Request {
        request: Request,
        reply: ReplyTo,
    },
    /// A request that applied state, read behind a barrier, does not refuse.
    LetIn {
        task: Task,
        reply: ReplyTo,
    },
    /// The user has left the conversation: its next request is checked against applied state.
    Removed {
        conversation: ConversationId,
        user: UserId,
    },
    /// Effects of committed commands of this shard.
    ExecuteEffects {
        effects: Vec<Effect>,
    },
    /// A session was opened. Its connection counts as live until its node reports otherwise.
    Opened(Session),
    /// The conversation has at least this head.
    Moved {
        conversation: ConversationId,
        head: Seq,
    },
    /// An answer from applied state; presence completes it.
    Complete(Box<dyn FnOnce(&Presence) + Send>),
    /// The outbox relay found no more rows.
    OutboxEmpty,
    /// The hook of the group was asked about this command.
    Asked {
        command: Command,
        reply: ReplyTo,
    },
    /// The hooks of the conversation are others than this actor knows.
    HookMissed {
        conversation: ConversationId,
    },
    /// A look at the absent members of a conversation has ended.
    Looked,
    /// Effects of due work.
    DueRan {
        effects: Vec<Effect>,
        committed_us: u64,
    },
    /// Nothing is due before this time.
    DueDone {
        next: Option<Timestamp>,
    },
    /// The receiver of this hook has all events, or the hook has ended.
    HookIdle {
        hook: HookKey,
        ended: bool,
    },
    /// Rows of watched users were read: for a look at changes, or for a node that has named its
    /// watchers.
    Seen {
        facts: Result<Vec<Facts>, Vec<UserId>>,
        asked_by: Option<(NodeId, ReplyTo)>,
    },
    /// These users have stayed away for a while.
    Gone(Vec<UserId>),
    NodeDown(NodeId),
    Tick,
}

impl ractor::Message for ShardMsg {}

/// To the fan-out of this node.
pub enum FanoutMsg {
    /// From a leader.
    Push(Push),
    /// A connection has logged in.
    Attach {
        id: ConnectionId,
        session: Session,
        sink: Arc<dyn Sink>,
    },
    Detach {
        id: ConnectionId,
    },
    /// The users that a session watches from now on.
    Watch {
        session: Session,
        users: BTreeSet<UserId>,
    },
    Watched {
        shard: ShardId,
        asked: Vec<UserId>,
        outcome: Outcome,
    },
    Follow {
        id: ConnectionId,
        conversations: Vec<ConversationId>,
    },
    Subscribed {
        shard: ShardId,
        asked: Interests,
        outcome: Outcome,
    },
    Attached {
        shard: ShardId,
        whole: bool,
        asked: Vec<Session>,
        outcome: Outcome,
    },
    Filled {
        conversation: ConversationId,
        outcome: Outcome,
    },
    /// A user's conversation list, or that it cannot be read now.
    Inbox {
        user: UserId,
        conversations: Option<Vec<ConversationId>>,
    },
    RoutingChanged,
    NodeDown(NodeId),
    Tick,
}

impl ractor::Message for FanoutMsg {}

/// To the actor of a conversation.
pub enum ConversationMsg {
    Propose {
        command: Command,
        reply: ReplyTo,
    },
    /// Commands wait, and no proposal is in flight.
    ProposeWaiting,
    /// A delivered position is answered at once, a read position when it is committed. A later
    /// flush commits many of them together.
    Move {
        cursor: Cursor,
        reply: ReplyTo,
    },
    /// All nodes that are subscribed to this conversation.
    Interest(BTreeSet<NodeId>),
    FlushCursors,
    /// A proposal has ended and its callers are answered. This actor pushes the effects that
    /// subscribers see.
    Committed {
        /// By this node's clock, in microseconds.
        at_us: u64,
        pushed: Vec<Effect>,
        acked: Vec<(UserId, ClientMessageId, Answer)>,
    },
}

impl ractor::Message for ConversationMsg {}

/// To the actor of a user.
pub enum UserMsg {
    /// `refusing`: not while this user is online anywhere.
    Open {
        session: Session,
        /// Which of the user's passwords was verified.
        revision: u64,
        /// Origin of the login.
        from: String,
        refusing: bool,
        reply: ReplyTo,
    },
    /// Under the policy that refuses: not while another session of this user is online anywhere.
    Resume { session: Session, reply: ReplyTo },
    /// These sessions were not resumed.
    NotResumed(Session),
    /// A command that ends sessions, in order with logins.
    Propose { command: Command, reply: ReplyTo },
    /// The user's live connections, all of them.
    Online(Vec<Session>),
    /// A proposal has ended; these sessions were not opened by it.
    Finished { failed: Vec<Session> },
}

impl ractor::Message for UserMsg {}
