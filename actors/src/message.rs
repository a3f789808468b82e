//! Requests to the leader of a shard, its answers, and the pushes that it sends to nodes.
//!
//! Actors of one node pass these values as they are; [`encoding`] has their form between nodes. A
//! request that a single leader performs travels as the client made it, and so does the answer.

pub mod encoding;
mod level_one;
pub mod push;

use std::borrow::Cow;

pub use push::{CursorPush, EventPush, PresenceNews, Push, Shown};
use troupe_core::record;
use troupe_core::{
    Command, ConversationId, DeviceId, GroupId, NameKey, NodeId, Rejection, Seq, Signal, Slot, Timestamp, TokenHash,
    UserId,
};
pub use troupe_proto::wire::client as wire;
use troupe_proto::{DecodeError, client};

use crate::push::Notice;
pub use wire::client_frame::Request as ClientRequest;
pub use wire::server_frame::Message as ServerMessage;

/// The rows of a page for the number that a client asks for; zero: as many as allowed.
pub fn page_limit(asked: u32, most: usize) -> usize {
    match asked as usize {
        0 => most,
        limit => limit.min(most),
    }
}

/// To the leader of one shard. Every request may be repeated without harm.
#[derive(Clone, Debug)]
pub enum Request {
    Commit(Command),
    /// The password of that revision has been verified where the connection is.
    OpenSession {
        session: Session,
        revision: u64,
        /// Origin of the login.
        from: String,
    },
    Credentials(UserKey),
    /// Whether this is still a session, and of whom. The session counts as online from now on.
    Resume(Session),
    /// The same for one request, which opens nothing.
    Verify(Session),
    /// A client's request, for the leader to perform. The asking node has verified the caller.
    Operation {
        caller: UserId,
        request: ClientRequest,
    },
    /// The asking node has verified the sender.
    Signal(Signal),
    /// Live connections of a node. Answered with those whose session has ended.
    Attach {
        node: NodeId,
        whole: bool,
        sessions: Vec<Session>,
    },
    Detach(Session),
    /// The session watches these users: all of them. The leader of its user passes it on to the
    /// connections of the session.
    Watch {
        session: Session,
        users: Vec<UserId>,
    },
    /// The watchers that a node has for each of these users: all of them. The answer has the
    /// present state.
    Watches {
        node: NodeId,
        watches: Vec<(UserId, Vec<UserId>)>,
    },
    Inbox {
        user: UserId,
        after: Option<ConversationId>,
        limit: usize,
    },
    /// The asker pays for the read; zero where a node of an earlier version asks.
    Users {
        asker: UserId,
        ids: Vec<UserId>,
        names: Vec<NameKey>,
    },
    /// From now on the node gets events. The answer has the present heads.
    Subscribe {
        node: NodeId,
        interests: Vec<(ConversationId, Vec<UserId>)>,
    },
    Unsubscribe {
        node: NodeId,
        conversations: Vec<ConversationId>,
    },
    Summaries {
        user: UserId,
        conversations: Vec<ConversationId>,
    },
    /// A message for users of this shard: those without a connection may get a push.
    Absent(Absent),
    /// The key that pushes are signed with; this one is kept if there is none.
    PushKey(record::PushKey),
    /// Events that a node lacks for its subscribers.
    Fill {
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    },
}

/// A session, and the node where its connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub user: UserId,
    pub device: DeviceId,
    pub token: TokenHash,
    pub node: NodeId,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserKey {
    Name(NameKey),
    Id(UserId),
}

impl UserKey {
    pub fn slot(&self) -> Slot {
        match self {
            UserKey::Name(name) => name.slot(),
            UserKey::Id(id) => id.slot(),
        }
    }
}

/// A message, and users of one shard that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    pub users: Vec<UserId>,
    pub notice: Notice,
}

#[derive(Clone, Debug)]
pub enum Answer {
    Done,
    Registered(UserId),
    Placed {
        seq: Seq,
        time: Timestamp,
        duplicate: bool,
    },
    GroupCreated(GroupId),
    Account(Account),
    Ended(Vec<Session>),
    Inbox {
        conversations: Vec<ConversationId>,
        next: Option<ConversationId>,
    },
    Subscribed(Vec<SubscriptionState>),
    Summaries(Vec<wire::Conversation>),
    Users(wire::Users),
    Page(wire::Page),
    PushKey(record::PushKey),
    Presences(Vec<PresenceNews>),
    /// To an operation.
    Message(Box<ServerMessage>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub user: UserId,
    pub name: String,
    /// Empty unless credentials were asked for.
    pub password_hash: String,
    pub standing: record::Standing,
    /// If it is a bot, with the scopes of its token.
    pub bot: Option<record::Bot>,
}

impl Account {
    pub fn with_password(user: record::User) -> Account {
        Account {
            user: user.id,
            name: user.name,
            password_hash: user.password_hash,
            standing: user.standing,
            bot: None,
        }
    }

    pub fn without_password(user: record::User) -> Account {
        Account { password_hash: String::new(), ..Account::with_password(user) }
    }
}

/// The head of a conversation, and which of the named users may not subscribe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionState {
    pub conversation: ConversationId,
    pub head: Seq,
    pub refused: Vec<UserId>,
}

/// The reason for no answer, named by what the asker should do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Definite: do not retry as it is.
    Rejected { code: Cow<'static, str>, text: Cow<'static, str> },
    /// Definite: nothing was done; retry later.
    Overloaded { after_ms: u32 },
    /// Definite: nothing was done; the user or the address has used its budget.
    Limited { limit: client::Limit, after_ms: u32 },
    /// Definite: nothing was done, because disks are almost full; the same request may be made
    /// later.
    StorageLow,
    /// Definite: ask the leader.
    NotOwner { hint: Option<NodeId> },
    /// It may or may not have been done: retry with the same ids.
    Unavailable,
}

pub type Outcome = Result<Answer, Refusal>;

impl Answer {
    pub fn message(message: ServerMessage) -> Answer {
        Answer::Message(Box::new(message))
    }

    /// As the answer to an operation.
    pub fn into_message(self) -> Option<ServerMessage> {
        match self {
            Answer::Message(message) => Some(*message),
            Answer::Done => Some(ServerMessage::Done(wire::Done {})),
            other => level_one::message_of(other),
        }
    }
}

impl Refusal {
    pub const OVERLOADED: Refusal = Refusal::Overloaded { after_ms: 250 };

    pub const fn rejected(code: &'static str, text: &'static str) -> Refusal {
        Refusal::Rejected { code: Cow::Borrowed(code), text: Cow::Borrowed(text) }
    }

    /// As the refusal of an operation that has changed nothing yet: an unknown outcome of a lookup
    /// is a definite refusal of the operation.
    pub fn of_lookup(self) -> Refusal {
        if self == Refusal::Unavailable { Refusal::NotOwner { hint: None } } else { self }
    }

    /// Whether the request named a place of a log that has no event yet.
    pub fn is_ahead(&self) -> bool {
        matches!(self, Refusal::Rejected { code, .. } if code == client::Refusal::SeqBeyondHead.code())
    }

    /// In the form that clients get.
    pub fn failure(&self) -> wire::Failure {
        match self {
            Refusal::Rejected { code, text } => wire::Failure::coded(code, text.to_string()),
            Refusal::Overloaded { after_ms } => wire::Failure::overloaded(*after_ms),
            Refusal::Limited { limit, after_ms } => wire::Failure::limited(*limit, *after_ms),
            Refusal::StorageLow => wire::Failure::storage_low(),
            // Nothing was done; the router has tried until its deadline.
            Refusal::NotOwner { .. } => wire::Failure::no_leader(1_000),
            Refusal::Unavailable => wire::Failure::unavailable(500),
        }
    }
}

impl From<client::Refusal> for Refusal {
    fn from(refusal: client::Refusal) -> Refusal {
        Refusal::Rejected { code: refusal.code().into(), text: refusal.to_string().into() }
    }
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Refusal {
        let failure = wire::Failure::bad_request(&error);
        Refusal::Rejected { code: failure.code.into(), text: failure.text.into() }
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Refusal {
        Refusal::Rejected { code: rejection.code().into(), text: rejection.to_string().into() }
    }
}

#[cfg(test)]
mod tests {
    use wire::failure::Kind;

    use super::*;

    #[test]
    fn a_lookup_without_an_outcome_has_changed_nothing() {
        assert_eq!(Refusal::Unavailable.of_lookup().failure().code, "no_leader");
        assert_eq!(Refusal::StorageLow.of_lookup(), Refusal::StorageLow);
    }

    #[test]
    fn a_shard_without_a_leader_is_no_busy_server() {
        let failure = Refusal::NotOwner { hint: None }.failure();
        assert_eq!((failure.kind(), failure.code.as_str()), (Kind::Overloaded, "no_leader"));
    }

    /// Between nodes a refusal is a code and a text; the client gets the kind that the code has.
    #[test]
    fn the_code_of_another_nodes_refusal_decides_its_kind() {
        assert_eq!(Refusal::from(Rejection::OutOfOrder).failure().kind(), Kind::FailedPrecondition);
        assert_eq!(Refusal::from(Rejection::NotMember).failure().kind(), Kind::Rejected);
    }
}
