//! The operations: what a client may ask, each in one file from the request to the answer.
//!
//! A file holds what the request has to look like, what it costs, the slot that it goes to, the
//! command or the read that it becomes there, and its answer. The request and the answer are the
//! messages of `client.proto`. The list at the end of this file is the only one: frames are
//! dispatched by it, and tests compare it with `client.proto` and `docs/protocol.md`.
//!
//! An [`Entry`] turns a stranger into a caller, an [`Operation`] is asked by a verified caller. One
//! that is answered by the leader of a single shard is [`AtLeader`]: nodes pass on the request as
//! the client made it.

pub mod accept_invitation;
pub mod acknowledge;
pub mod admin;
pub mod change_group;
pub mod change_password;
pub mod cost;
pub mod create_group;
pub mod fetch;
pub mod find_users;
pub mod get_users;
pub mod list_conversations;
pub mod list_invitations;
pub mod list_members;
pub mod list_online;
pub mod list_sessions;
pub mod login;
pub mod logout;
pub mod mark_read;
pub mod register;
pub mod resume;
pub mod revoke_session;
pub mod send;

use std::future::Future;
use std::ops::Range;

use troupe_core::UserId;
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use crate::address::Address;
use crate::message::{ClientRequest, Refusal, ServerMessage, wire};
use crate::ops::cost::Cost;
use crate::ops::list_online::Names;
use crate::presence::Presence;
use crate::protocol::Cursor;
use crate::service::{Caller, Service};
use crate::world::{Asker, World};

/// What a verified caller asks.
pub trait Operation: Framed {
    /// Paid before it is performed, by the user and the address.
    fn cost(&self) -> Cost;

    /// Takes its place among the caller's other requests before it returns, where it has one.
    fn perform(self, service: Service, caller: Caller) -> impl Future<Output = Answered<Self>> + Send;
}

/// What a stranger asks.
pub trait Entry: Framed {
    type Entered: Send;

    fn enter(self, service: Service, address: Address) -> impl Future<Output = Result<Self::Entered, Refusal>> + Send;
}

/// An operation that the leader of one shard performs.
pub(crate) trait AtLeader: Operation {
    /// What the leader does with it. Called by the shard's actor, so it reads nothing itself.
    fn plan(self, caller: UserId, leader: &Leader<'_>) -> Result<Plan<Self::Answer>, Refusal>;
}

/// The request and the answer as frames carry them. The list at the end implements it.
pub trait Framed: Sized + Send + 'static {
    const NAME: &'static str;
    type Answer: Send + 'static;

    fn into_request(self) -> ClientRequest;
    fn message(answer: Self::Answer) -> ServerMessage;
    /// `None`: the answer to something else.
    fn answer_of(message: ServerMessage) -> Option<Self::Answer>;
}

pub type Answered<O> = Result<<O as Framed>::Answer, Refusal>;

/// What the actor of a shard knows besides the rows.
pub(crate) struct Leader<'a> {
    pub world: &'a World,
    pub slots: Range<u16>,
    pub presence: &'a Presence,
    pub names: &'a Names,
}

/// What a leader does for an operation.
pub(crate) enum Plan<A> {
    /// Answers from applied state, behind a read barrier.
    Read(Reading<A>),
    /// Moves a cursor. Answered when it is noted, or written.
    Move(Cursor),
}

pub(crate) struct Reading<A> {
    pub asker: Asker,
    pub work: Box<dyn FnOnce(&View) -> Found<A> + Send>,
    /// Completes the answer with who is online when it is sent.
    pub complete: Option<fn(&mut A, &Presence)>,
}

/// What was found in applied state.
pub(crate) type Found<A> = Result<Result<A, Refusal>, EngineError>;

impl<A> Plan<A> {
    /// `rows` is about how many rows the read touches: its user takes turns with others by it.
    pub fn read(user: UserId, rows: usize, work: impl FnOnce(&View) -> Found<A> + Send + 'static) -> Plan<A> {
        let asker = Asker::user(user, rows);
        Plan::Read(Reading { asker, work: Box::new(work), complete: None })
    }

    /// Reads what administrators ask, who are few.
    pub fn read_for_admins(work: impl FnOnce(&View) -> Found<A> + Send + 'static) -> Plan<A> {
        Plan::Read(Reading { asker: Asker::Node, work: Box::new(work), complete: None })
    }

    pub fn completed(self, complete: fn(&mut A, &Presence)) -> Plan<A> {
        match self {
            Plan::Read(reading) => Plan::Read(Reading { complete: Some(complete), ..reading }),
            other => other,
        }
    }
}

/// What an edge does with an operation, whichever it is.
pub trait Perform {
    type Output;

    fn perform<O: Operation>(self, operation: O) -> Self::Output;
}

/// What a shard's actor does with an operation, whichever it is.
pub(crate) trait Lead {
    fn lead<O: AtLeader>(self, operation: O);
}

macro_rules! operations {
    (
        connection { $($own:ident $own_name:ident: $own_cost:expr;)* }
        entry { $($entry:ident $entry_name:ident: $entry_answer:ident;)* }
        user { $($user:ident $user_name:ident: $user_answer:ident;)* }
        leader { $($led:ident $led_name:ident: $led_answer:ident $(as $led_field:ident)?;)* }
    ) => {
        $(framed!($entry $entry_name $entry_answer);)*
        $(framed!($user $user_name $user_answer);)*
        $(framed!($led $led_name $led_answer $($led_field)?);)*

        /// Every request of `client.proto`, by the name that it has there.
        pub const NAMES: &[&str] = &[
            $(stringify!($own_name),)* $(stringify!($entry_name),)*
            $(stringify!($user_name),)* $(stringify!($led_name),)*
        ];

        /// What answers them, where an edge does not answer by itself.
        pub const ANSWERS: &[(&str, &str)] = &[
            $((stringify!($entry_name), stringify!($entry_answer)),)*
            $((stringify!($user_name), stringify!($user_answer)),)*
            $((stringify!($led_name), stringify!($led_answer)),)*
        ];

        /// The name that the request has in `client.proto`.
        pub fn name(request: &ClientRequest) -> &'static str {
            match request {
                $(ClientRequest::$own(_) => stringify!($own_name),)*
                $(ClientRequest::$entry(_) => stringify!($entry_name),)*
                $(ClientRequest::$user(_) => stringify!($user_name),)*
                $(ClientRequest::$led(_) => stringify!($led_name),)*
            }
        }

        /// What a request costs its user and its address. One that is not known costs one unit.
        pub fn cost(request: Option<&ClientRequest>) -> Cost {
            match request {
                None => Cost::Units(1),
                $(Some(ClientRequest::$own(_)) => $own_cost,)*
                $(Some(ClientRequest::$entry(_)) => Cost::Entry,)*
                $(Some(ClientRequest::$user(asked)) => asked.cost(),)*
                $(Some(ClientRequest::$led(asked)) => asked.cost(),)*
            }
        }

        /// Hands the operation of a verified caller to `with`. `None`: the request is one of the
        /// connection itself, or of somebody who is not verified.
        pub fn dispatch<P: Perform>(request: ClientRequest, with: P) -> Option<P::Output> {
            match request {
                $(ClientRequest::$own(_) => None,)*
                $(ClientRequest::$entry(_) => None,)*
                $(ClientRequest::$user(asked) => Some(with.perform(asked)),)*
                $(ClientRequest::$led(asked) => Some(with.perform(asked)),)*
            }
        }

        /// Hands an operation to the leader's `with`. `false`: no leader performs it as it is.
        pub(crate) fn lead<L: Lead>(request: ClientRequest, with: L) -> Result<(), L> {
            match request {
                $(ClientRequest::$led(asked) => with.lead(asked),)*
                _ => return Err(with),
            }
            Ok(())
        }
    };
}

macro_rules! framed {
    ($request:ident $name:ident $answer:ident) => {
        framed!($request $name $answer $answer);
    };
    ($request:ident $name:ident $answer:ident $field:ident) => {
        impl Framed for wire::$request {
            const NAME: &'static str = stringify!($name);
            type Answer = wire::$answer;

            fn into_request(self) -> ClientRequest {
                ClientRequest::$request(self)
            }

            fn message(answer: wire::$answer) -> ServerMessage {
                ServerMessage::$field(answer)
            }

            fn answer_of(message: ServerMessage) -> Option<wire::$answer> {
                match message {
                    ServerMessage::$field(answer) => Some(answer),
                    _ => None,
                }
            }
        }
    };
}

// Each request with its name in `client.proto` and the message that answers it.
operations! {
    // The connection's own, which each edge answers by itself.
    connection {
        Hello hello: Cost::Entry;
        Ping ping: Cost::Heartbeat;
        Pong pong: Cost::Heartbeat;
    }
    // Of anybody.
    entry {
        Register register: Registered;
        Login login: LoggedIn;
        Resume resume: LoggedIn;
    }
    // Of a verified caller: performed at the node of the connection.
    user {
        Logout logout: Done;
        RevokeSession revoke_session: Done;
        ChangePassword change_password: Done;
        Send send: SendAck;
        ListConversations list_conversations: Conversations;
        CreateGroup create_group: GroupCreated;
        ChangeGroup change_group: SendAck;
        AcceptInvitation accept_invitation: Done;
        GetUsers get_users: Users;
    }
    // Of a verified caller: performed by the leader of the shard that it is about.
    leader {
        Acknowledge acknowledge: Done;
        MarkRead mark_read: Done;
        Fetch fetch: Page;
        ListSessions list_sessions: Sessions;
        ListInvitations list_invitations: Invitations;
        ListMembers list_members: Members;
        FindUsers find_users: Users;
        ListOnline list_online: Users;
        Admin admin: AdminAnswer as Admin;
    }
}

#[cfg(test)]
mod tests;
