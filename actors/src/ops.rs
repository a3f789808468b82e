//! The operations of clients, each in one file from the request to the answer.
//!
//! A file validates the request, prices it, finds its slot, and holds the command or the read that
//! it becomes there, and the answer. Requests and answers are the messages of `client.proto`. Tests
//! compare the list at the end of this file with it, and with `docs/protocol.md`.
//!
//! An [`Entry`] verifies a caller, and an [`Operation`] needs one. The leader of a single shard
//! performs an operation that is [`AtLeader`]: nodes pass on the request as the client made it.

pub mod accept_invitation;
pub mod acknowledge;
pub mod admin;
pub mod broadcast;
pub mod call;
pub mod cancel_scheduled;
pub mod cancel_upload;
pub mod change_bot;
pub mod change_contact;
pub mod change_favourite;
pub mod change_group;
pub mod change_hook;
pub mod change_password;
pub mod change_personal;
pub mod change_presence;
pub mod change_profile;
pub mod check_file_link;
pub mod close_poll;
pub mod cost;
pub mod create_group;
pub mod create_upload;
pub mod delete_for_me;
pub mod edit_message;
pub mod end_stream;
pub mod fetch;
pub mod find_users;
pub mod forward;
pub mod get_conversations;
pub mod get_upload;
pub mod get_usage;
pub mod get_users;
pub mod list_bans;
pub mod list_blocks;
pub mod list_bots;
pub mod list_contacts;
pub mod list_conversations;
pub mod list_dead;
pub mod list_favourites;
pub mod list_files;
pub mod list_hooks;
pub mod list_invitations;
pub mod list_join_requests;
pub mod list_links;
pub mod list_members;
pub mod list_online;
pub mod list_pins;
pub mod list_readers;
pub mod list_scheduled;
pub mod list_sessions;
pub mod list_votes;
pub mod login;
pub mod logout;
pub mod mark_read;
mod meeting;
pub mod passwordless;
pub mod pin_message;
mod plan;
pub mod post_hook;
pub mod preview_link;
pub mod react;
pub mod read_file;
pub mod read_preview;
pub mod recall_message;
pub mod register;
pub mod repeat;
pub mod report;
pub mod resume;
pub mod revoke_session;
pub mod schedule;
pub mod scopes;
pub mod search;
pub mod send;
pub mod show_contact;
pub mod show_file;
pub mod show_group;
pub mod show_personal;
pub mod show_profile;
pub mod signal;
pub mod subscribe_push;
pub mod verify;
pub mod vote;
pub mod watch;
pub mod write_chunk;
pub mod write_piece;

use std::future::Future;

use troupe_core::UserId;

pub(crate) use self::plan::{Found, Leader, Plan};
use crate::address::Address;
use crate::message::{ClientRequest, Refusal, ServerMessage, wire};
use crate::ops::cost::Cost;
use crate::service::{Caller, Service};

/// A request of a verified caller.
pub trait Operation: Framed {
    /// The user and the address pay this before the edge performs the operation.
    fn cost(&self) -> Cost;

    /// Units that an answer or a refusal was worth, if the cost was that of the largest answer. The
    /// rest of the cost is given back.
    fn worth(_answered: &Answered<Self>) -> Option<u64> {
        None
    }

    /// A message is queued in the order of these calls; the future is the answer.
    fn perform(self, service: Service, caller: Caller) -> impl Future<Output = Answered<Self>> + Send;
}

/// A request of a connection without a caller.
pub trait Entry: Framed {
    type Entered: Send;

    fn enter(self, service: Service, address: Address) -> impl Future<Output = Result<Self::Entered, Refusal>> + Send;
}

/// An operation that the leader of one shard performs.
pub(crate) trait AtLeader: Operation {
    /// Plans the work at the leader. The actor of the shard calls it, so it must not read rows.
    fn plan(self, caller: UserId, leader: &Leader<'_>) -> Result<Plan<Self::Answer>, Refusal>;
}

/// The request and the answer in frames. The list at the end implements it.
pub trait Framed: Sized + Send + 'static {
    const NAME: &'static str;
    type Answer: Send + 'static;

    fn into_request(self) -> ClientRequest;
    fn message(answer: Self::Answer) -> ServerMessage;
    /// `None`: the answer to something else.
    fn answer_of(message: ServerMessage) -> Option<Self::Answer>;
}

pub type Answered<O> = Result<<O as Framed>::Answer, Refusal>;

/// A handler of an edge for any operation.
pub trait Perform {
    type Output;

    fn perform<O: Operation>(self, operation: O) -> Self::Output;
}

/// A handler of a shard's actor for any operation.
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

        /// The requests that the service answers, with the type of the answer.
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

        /// The cost of a request for its user and its address. An unknown one costs one unit.
        pub fn cost(request: Option<&ClientRequest>) -> Cost {
            match request {
                None => Cost::Units(1),
                $(Some(ClientRequest::$own(_)) => $own_cost,)*
                $(Some(ClientRequest::$entry(_)) => Cost::Entry,)*
                $(Some(ClientRequest::$user(asked)) => asked.cost(),)*
                $(Some(ClientRequest::$led(asked)) => asked.cost(),)*
            }
        }

        /// Hands the operation of a verified caller to `with`. `None`: the request is of the
        /// connection itself, or an entry.
        pub fn dispatch<P: Perform>(request: ClientRequest, with: P) -> Option<P::Output> {
            match request {
                $(ClientRequest::$own(_) => None,)*
                $(ClientRequest::$entry(_) => None,)*
                $(ClientRequest::$user(asked) => Some(with.perform(asked)),)*
                $(ClientRequest::$led(asked) => Some(with.perform(asked)),)*
            }
        }

        /// Hands an operation to the leader's handler. It comes back if no leader performs the
        /// request.
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
    // Each edge answers these by itself.
    connection {
        Hello hello: Cost::Entry;
        Ping ping: Cost::Heartbeat;
        Pong pong: Cost::Heartbeat;
    }
    // Verify a caller, or make a user.
    entry {
        Register register: Registered;
        Login login: LoggedIn;
        Resume resume: LoggedIn;
    }
    // The node of the connection performs these.
    user {
        Logout logout: Done;
        RevokeSession revoke_session: Done;
        ChangePassword change_password: Done;
        Send send: SendAck;
        ListConversations list_conversations: Conversations;
        CreateGroup create_group: GroupCreated;
        ChangeGroup change_group: SendAck;
        React react: SendAck;
        Schedule schedule: Scheduled;
        CancelScheduled cancel_scheduled: Done;
        Signal signal: Done;
        Call call: SendAck;
        EditMessage edit_message: SendAck;
        RecallMessage recall_message: SendAck;
        PinMessage pin_message: SendAck;
        Vote vote: SendAck;
        ClosePoll close_poll: SendAck;
        Forward forward: Forwarded;
        Broadcast broadcast: Forwarded;
        ChangePresence change_presence: Done;
        ChangePersonal change_personal: Personal;
        DeleteForMe delete_for_me: Personal;
        ChangeFavourite change_favourite: Done;
        AcceptInvitation accept_invitation: Done;
        GetUsers get_users: Users;
        ChangeProfile change_profile: Done;
        ChangeContact change_contact: Done;
        Report report: Done;
        GetConversations get_conversations: Conversations;
        CreateUpload create_upload: Upload;
        WriteChunk write_chunk: Upload;
        CancelUpload cancel_upload: Done;
        ChangeBot change_bot: Bot;
        ChangeHook change_hook: Hook;
        WritePiece write_piece: Done;
        EndStream end_stream: SendAck;
        Watch watch: Watched;
    }
    // The leader of a shard performs these.
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
        ShowGroup show_group: Group;
        ShowProfile show_profile: OwnProfile;
        ShowPersonal show_personal: Personal;
        ListFavourites list_favourites: Favourites;
        ShowContact show_contact: Contact;
        ListContacts list_contacts: Contacts;
        ListBlocks list_blocks: Blocks;
        ListBans list_bans: Bans;
        ListLinks list_links: Links;
        ListJoinRequests list_join_requests: JoinRequests;
        ListPins list_pins: Pins;
        ListReaders list_readers: Readers;
        CountReaders count_readers: ReadCounts;
        PreviewLink preview_link: LinkPreview;
        ListScheduled list_scheduled: ScheduledList;
        ListVotes list_votes: Votes;
        GetUpload get_upload: Upload;
        GetUsage get_usage: Usage;
        ListFiles list_files: FileMessages;
        ShowFile show_file: File;
        ReadFile read_file: FilePart;
        ReadPreview read_preview: Preview;
        CheckFileLink check_file_link: Done;
        Search search: Found;
        ListBots list_bots: Bots;
        ListHooks list_hooks: Hooks;
        ListDead list_dead: DeadEvents;
    }
}

#[cfg(test)]
mod tests;
