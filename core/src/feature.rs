//! The content of a conversation's log: one file per feature.
//!
//! A client states an [`Intent`]. Its feature refuses intents that no state allows, decides the
//! others against the state as an [`EventKind`], and projects the event on rows and effects as soon
//! as it has its place. Order, time and exactly-once are the same for all features and live in
//! `machine/conversation.rs`.
//!
//! This file is the list: a feature is a file of its own and an arm in each function here.

mod members;
mod message;
mod rename;
mod roles;

pub(crate) use members::{check_count, distinct};
pub(crate) use rename::check_name;

use bytes::Bytes;
use prost::Message as _;

use crate::error::Rejection;
use crate::event::{Body, Event, EventKind, Role};
use crate::id::{ClientMessageId, ConversationId, UserId};
use crate::level::Level;
use crate::machine::{Step, somebody};
use crate::record::Conversation;

/// Gives an intent its place in a conversation's log, once per actor and client message id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    pub conversation: ConversationId,
    pub actor: UserId,
    pub client_message_id: ClientMessageId,
    /// The message of the same device that must already be in the log.
    pub after: Option<ClientMessageId>,
    pub intent: Intent,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    Message(Body),
    Rename {
        name: String,
    },
    Add {
        users: Vec<UserId>,
    },
    Remove {
        user: UserId,
    },
    Leave,
    /// Only where the group is open.
    Join,
    SetRole {
        user: UserId,
        role: Role,
    },
}

impl Append {
    /// Whether 74c331d has a form for it: a message, or a change of a group without a predecessor.
    pub fn is_of_first_level(&self) -> bool {
        match self.intent {
            Intent::Message(_) => true,
            Intent::Rename { .. }
            | Intent::Add { .. }
            | Intent::Remove { .. }
            | Intent::Leave
            | Intent::Join
            | Intent::SetRole { .. } => self.after.is_none() && self.conversation.is_group(),
        }
    }

    pub(crate) fn level(&self) -> Level {
        if self.is_of_first_level() { Level::FIRST } else { Level::SECOND }
    }

    /// Refusals that need no state, checked before the dedup.
    pub(crate) fn check(&self) -> Result<(), Rejection> {
        somebody(self.actor)?;
        if let ConversationId::Direct { low, high } = self.conversation
            && (low == UserId(0) || low >= high)
        {
            return Err(Rejection::BadRequest("a direct conversation names two different users, the lower id first"));
        }
        if self.after == Some(self.client_message_id) {
            return Err(Rejection::BadRequest("a message cannot follow itself: name the one before it"));
        }
        if self.intent.is_of_groups() && !self.conversation.is_group() {
            return Err(Rejection::BadRequest("only a group can be changed: name one"));
        }
        match &self.intent {
            Intent::Message(body) => message::check(body),
            Intent::Rename { name } => check_name(name),
            Intent::Add { users } => check_count(&distinct(users)?),
            Intent::Remove { user } => members::check_remove(self.actor, *user),
            Intent::Leave | Intent::Join | Intent::SetRole { .. } => Ok(()),
        }
    }
}

impl Intent {
    const MESSAGE: u32 = 1;
    const RENAME: u32 = 2;
    const ADD: u32 = 3;
    const REMOVE: u32 = 4;
    const LEAVE: u32 = 5;
    const JOIN: u32 = 6;
    const SET_ROLE: u32 = 7;

    /// Whether it changes a group, and so has no meaning elsewhere.
    fn is_of_groups(&self) -> bool {
        !matches!(self, Intent::Message(_))
    }

    /// Whether it adds permanent data, and so is refused while disks are almost full.
    pub(crate) fn grows(&self) -> bool {
        match self {
            Intent::Message(_) | Intent::Add { .. } | Intent::Join | Intent::Rename { .. } => true,
            Intent::Remove { .. } | Intent::Leave | Intent::SetRole { .. } => false,
        }
    }

    /// Bytes of its content that the actor's budget pays for.
    pub fn cost(&self) -> usize {
        match self {
            Intent::Message(body) => body.content.len(),
            Intent::Rename { name } => name.len(),
            Intent::Add { users } => size_of_val(users.as_slice()),
            Intent::Remove { .. } | Intent::Leave | Intent::Join | Intent::SetRole { .. } => 0,
        }
    }

    /// Whether it lets its actor in, so that an outsider may ask for it.
    pub fn lets_in(&self) -> bool {
        matches!(self, Intent::Join)
    }

    /// The one answer for a conversation that is missing and for one that the actor is not in.
    // Invariant: private. The ids of groups can be enumerated, so a difference would reveal which
    // of them exist.
    pub fn outsider(&self) -> Rejection {
        if self.lets_in() { Rejection::NotOpen } else { Rejection::NotMember }
    }

    /// Its number and its content, for entries without an older form.
    pub fn encode(&self) -> (u32, Bytes) {
        let (number, content) = match self {
            Intent::Message(body) => (Intent::MESSAGE, body.encode_to_vec()),
            Intent::Rename { name } => (Intent::RENAME, rename::content(name)),
            Intent::Add { users } => (Intent::ADD, members::users(users)),
            Intent::Remove { user } => (Intent::REMOVE, members::user(*user)),
            Intent::Leave => (Intent::LEAVE, Vec::new()),
            Intent::Join => (Intent::JOIN, Vec::new()),
            Intent::SetRole { user, role } => (Intent::SET_ROLE, roles::content(*user, *role)),
        };
        (number, content.into())
    }

    /// `None`: of a later version, or damaged.
    pub fn decode(number: u32, content: &Bytes) -> Option<Intent> {
        Some(match number {
            Intent::MESSAGE => Intent::Message(Body::decode(content.clone()).ok()?),
            Intent::RENAME => Intent::Rename { name: rename::name_in(content)? },
            Intent::ADD => Intent::Add { users: members::users_in(content)? },
            Intent::REMOVE => Intent::Remove { user: members::user_in(content)? },
            Intent::LEAVE => Intent::Leave,
            Intent::JOIN => Intent::Join,
            Intent::SET_ROLE => {
                let (user, role) = roles::role_in(content)?;
                Intent::SetRole { user, role }
            }
            _ => return None,
        })
    }
}

/// The numbers that kinds of events may have; an event without a kind has the number 0.
pub const KINDS: std::ops::RangeInclusive<u32> = 5..=999;

/// A kind's number is the number of its field in the `Event` of `record.proto` and `client.proto`,
/// its content the bytes of that field. The log is judged by these bytes, so they never change.
impl EventKind {
    pub const MESSAGE: u32 = 5;
    pub const CREATED: u32 = 6;
    pub const RENAMED: u32 = 7;
    pub const ADDED: u32 = 8;
    pub const REMOVED: u32 = 9;
    pub const ROLE_CHANGED: u32 = 10;

    pub fn number(&self) -> u32 {
        match self {
            EventKind::Message(_) => EventKind::MESSAGE,
            EventKind::Created { .. } => EventKind::CREATED,
            EventKind::Renamed { .. } => EventKind::RENAMED,
            EventKind::Added { .. } => EventKind::ADDED,
            EventKind::Removed { .. } => EventKind::REMOVED,
            EventKind::RoleChanged { .. } => EventKind::ROLE_CHANGED,
            EventKind::Unknown { kind, .. } => *kind,
        }
    }

    /// Each call encodes all kinds but the unknown, so call it once for each event.
    pub fn content(&self) -> Bytes {
        let encoded = match self {
            EventKind::Message(body) => body.encode_to_vec(),
            EventKind::Created { name } | EventKind::Renamed { name } => rename::content(name),
            EventKind::Added { users } => members::users(users),
            EventKind::Removed { user } => members::user(*user),
            EventKind::RoleChanged { user, role } => roles::content(*user, *role),
            EventKind::Unknown { content, .. } => return content.clone(),
        };
        encoded.into()
    }

    /// As this version understands it; `None` if the content of a known kind does not decode.
    pub fn decode(kind: u32, content: &Bytes) -> Option<EventKind> {
        Some(match kind {
            EventKind::MESSAGE => EventKind::Message(Body::decode(content.clone()).ok()?),
            EventKind::CREATED => EventKind::Created { name: rename::name_in(content)? },
            EventKind::RENAMED => EventKind::Renamed { name: rename::name_in(content)? },
            EventKind::ADDED => EventKind::Added { users: members::users_in(content)? },
            EventKind::REMOVED => EventKind::Removed { user: members::user_in(content)? },
            EventKind::ROLE_CHANGED => {
                let (user, role) = roles::role_in(content)?;
                EventKind::RoleChanged { user, role }
            }
            _ => EventKind::Unknown { kind, content: content.clone() },
        })
    }
}

impl Step<'_> {
    /// The event for the intent of an actor with this role; `None` is an outsider that the intent
    /// admits. `row` may gain missing counts, even if the intent is refused.
    pub(crate) fn decide(
        &mut self,
        c: &Append,
        role: Option<Role>,
        row: &mut Conversation,
    ) -> Result<EventKind, Rejection> {
        match &c.intent {
            Intent::Message(body) => Ok(self.decide_message(body)),
            Intent::Rename { name } => rename::decide(role, name),
            Intent::Add { users } => self.decide_add(c.conversation, row, users),
            Intent::Remove { user } => self.decide_remove(c.conversation, role, *user),
            Intent::Leave => self.decide_leave(c, role, row),
            Intent::Join => members::decide_join(c.actor, role, row),
            Intent::SetRole { user, role: new } => self.decide_role(c.conversation, role, row, *user, *new),
        }
    }

    /// Applies the event: rows, and outbox rows for other slots. Never fails.
    pub(crate) fn project(&mut self, conversation: ConversationId, row: &mut Conversation, event: &Event) {
        match &event.kind {
            // An unknown event begins a conversation like a message.
            EventKind::Message(_) | EventKind::Unknown { .. } => self.project_message(conversation, row, event),
            EventKind::Created { name } => self.project_created(conversation, row, event, name),
            EventKind::Renamed { name } => row.name.clone_from(name),
            EventKind::Added { users } => self.project_added(conversation, row, event, users),
            EventKind::Removed { user } => self.project_removed(conversation, row, event, *user),
            EventKind::RoleChanged { user, role } => self.project_role(conversation, row, event.seq, *user, *role),
        }
    }
}

fn demand(allowed: bool) -> Result<(), Rejection> {
    if allowed { Ok(()) } else { Err(Rejection::NotAllowed) }
}
