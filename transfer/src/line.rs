//! The lines of a bundle. Each is one JSON object with one key, which says what it is.
//!
//! Accounts stand first, then what their users want of each other. The lines of a conversation
//! stand together: its beginning, its events in order of seq, each file before the first event that
//! refers to it, its members, the read positions, its end. Members follow from the events, so they
//! are a check and a help for readers.

mod words;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use troupe_core::event::{ContentHash, Context, Flags, Seal};
use troupe_core::{Body, ClientMessageId, EventKind, Seq, Timestamp, TokenHash, UserId};

use crate::hex;
pub use crate::line::call::Call;
pub use crate::line::digits::id_from;
pub use crate::line::parts::{End, FileLine, Member, Position};
pub use crate::line::people::{Account, Contact, Profile, Status};
pub use crate::line::role::RoleWord;

mod call;
mod digits;
mod parts;
mod people;
mod role;
mod size;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    Account(Account),
    Contact(Contact),
    Conversation(Conversation),
    File(FileLine),
    Event(Event),
    Member(Member),
    Position(Position),
    End(End),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conversation {
    Everyone,
    /// The names of two users, in order.
    Direct(String, String),
    /// `key`: 16 bytes in hex, the same in every cluster.
    Group {
        key: String,
        open: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    pub seq: u64,
    pub time_ms: u64,
    pub sender: String,
    /// The client message id: 16 bytes in hex.
    pub id: String,
    pub what: Content,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    Text(String),
    /// A message of another kind.
    Body {
        kind: u32,
        base64: String,
    },
    /// A message of any kind that refers to others, or mentions users.
    Related {
        kind: u32,
        base64: String,
        #[serde(default, skip_serializing_if = "is_zero")]
        reply_to: u64,
        #[serde(default, skip_serializing_if = "is_zero")]
        thread: u64,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        mentions: Vec<String>,
        #[serde(default, skip_serializing_if = "is_false")]
        mentions_everyone: bool,
        #[serde(default, skip_serializing_if = "is_zero")]
        expires_in_ms: u64,
        #[serde(default, skip_serializing_if = "is_false")]
        stream: bool,
    },
    Created {
        name: String,
    },
    Renamed {
        name: String,
    },
    /// In order of name.
    Added {
        users: Vec<String>,
    },
    Removed {
        user: String,
    },
    Role {
        user: String,
        role: RoleWord,
    },
    Reacted {
        to: u64,
        emoji: String,
    },
    TookBack {
        to: u64,
        emoji: String,
    },
    /// `Edited` of `client.proto`, which names no user.
    Edited {
        base64: String,
    },
    Recalled {
        to: u64,
    },
    /// The time of a message is over.
    Vanished {
        to: u64,
    },
    /// `StreamEnded` of `client.proto`, which names no user.
    StreamEnded {
        base64: String,
    },
    /// `Voted` or `PollClosed` of `client.proto`, which name no user.
    Poll {
        kind: u32,
        base64: String,
    },
    /// A message, or an edit of one, whose content was erased. The hash of the content, in hex.
    Erased {
        kind: u32,
        flags: u64,
        hash: String,
    },
    /// `GroupSettings` of `client.proto`, which names no user.
    Settings {
        base64: String,
    },
    Muted {
        user: String,
        /// Zero: the mute was lifted.
        until_ms: u64,
    },
    Banned {
        user: String,
    },
    BanLifted {
        user: String,
    },
    Transferred {
        to: String,
    },
    Disbanded {},
    /// The hash of its code, in hex.
    LinkMade {
        hash: String,
        uses: u32,
        expires_ms: u64,
    },
    LinkRevoked {
        link: u64,
    },
    Pinned {
        to: u64,
    },
    Unpinned {
        to: u64,
    },
    JoinAsked {},
    JoinClosed {
        user: String,
    },
    Call(Call),
    /// A kind of a later version, as it is.
    Unknown {
        kind: u32,
        flags: u64,
        base64: String,
    },
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl Event {
    /// The line of an event, with users by their names. `None` names the user that has none.
    pub fn of(event: &troupe_core::Event, name: impl Fn(UserId) -> Option<String>) -> Result<Event, UserId> {
        let named = |user: UserId| name(user).ok_or(user);
        let what = match &event.kind {
            EventKind::Message(Body { kind, content, context: Some(context) }) => Content::Related {
                kind: *kind,
                base64: STANDARD.encode(content),
                reply_to: context.reply_to,
                thread: context.thread,
                mentions: context.mentions.iter().map(|user| named(UserId(*user))).collect::<Result<_, _>>()?,
                mentions_everyone: context.mentions_everyone,
                expires_in_ms: context.expires_in_ms,
                stream: context.stream,
            },
            EventKind::Message(body) => match body.as_text() {
                Some(text) => Content::Text(text.to_owned()),
                None => Content::Body { kind: body.kind, base64: STANDARD.encode(&body.content) },
            },
            EventKind::Created { name } => Content::Created { name: name.clone() },
            EventKind::Renamed { name } => Content::Renamed { name: name.clone() },
            EventKind::Added { users } => {
                let mut users = users.iter().map(|user| named(*user)).collect::<Result<Vec<_>, _>>()?;
                users.sort();
                Content::Added { users }
            }
            EventKind::Removed { user } => Content::Removed { user: named(*user)? },
            EventKind::RoleChanged { user, role } => Content::Role { user: named(*user)?, role: (*role).into() },
            EventKind::Reacted { to, emoji, removed: false } => Content::Reacted { to: to.0, emoji: emoji.clone() },
            EventKind::Reacted { to, emoji, removed: true } => Content::TookBack { to: to.0, emoji: emoji.clone() },
            EventKind::Edited { .. } => Content::Edited { base64: STANDARD.encode(event.kind.content()) },
            EventKind::Recalled { to } => Content::Recalled { to: to.0 },
            EventKind::Vanished { to } => Content::Vanished { to: to.0 },
            kind @ (EventKind::Voted { .. } | EventKind::PollClosed { .. }) => {
                Content::Poll { kind: kind.number(), base64: STANDARD.encode(kind.content()) }
            }
            EventKind::StreamEnded { .. } => Content::StreamEnded { base64: STANDARD.encode(event.kind.content()) },
            EventKind::SettingsChanged(_) => Content::Settings { base64: STANDARD.encode(event.kind.content()) },
            EventKind::Muted { user, until } => Content::Muted { user: named(*user)?, until_ms: until.0 },
            EventKind::Banned { user, lifted: false } => Content::Banned { user: named(*user)? },
            EventKind::Banned { user, lifted: true } => Content::BanLifted { user: named(*user)? },
            EventKind::Transferred { to } => Content::Transferred { to: named(*to)? },
            EventKind::Disbanded => Content::Disbanded {},
            EventKind::LinkMade { hash, uses, expires } => {
                Content::LinkMade { hash: hex(&hash.0), uses: *uses, expires_ms: expires.0 }
            }
            EventKind::LinkRevoked { link } => Content::LinkRevoked { link: *link },
            EventKind::Pinned { to, removed: false } => Content::Pinned { to: to.0 },
            EventKind::Pinned { to, removed: true } => Content::Unpinned { to: to.0 },
            EventKind::JoinAsked => Content::JoinAsked {},
            EventKind::JoinClosed { user } => Content::JoinClosed { user: named(*user)? },
            EventKind::CallStarted { video, device } => Content::Call(Call::Started { video: *video, device: *device }),
            EventKind::CallAnswered { call, device } => Content::Call(Call::Answered { call: call.0, device: *device }),
            EventKind::CallEnded { call, caller, video, outcome, lasted_ms } => Content::Call(Call::Ended {
                call: call.0,
                caller: named(*caller)?,
                video: *video,
                outcome: outcome.name().to_owned(),
                lasted_ms: *lasted_ms,
            }),
            EventKind::Unknown { kind, .. } if event.is_erased() => Content::Erased {
                kind: *kind,
                flags: event.seal.map_or(0, |seal| seal.flags.0),
                hash: hex(&event.content_hash().0),
            },
            EventKind::Unknown { kind, content } => Content::Unknown {
                kind: *kind,
                flags: event.seal.map_or(0, |seal| seal.flags.0),
                base64: STANDARD.encode(content),
            },
        };
        Ok(Event {
            seq: event.seq.0,
            time_ms: event.time.0,
            sender: named(event.sender)?,
            id: hex(&event.client_message_id.0),
            what,
        })
    }

    /// The event with users by their ids in a cluster; the reason if it is none.
    pub fn to_core(&self, user: impl Fn(&str) -> Option<UserId>) -> Result<troupe_core::Event, String> {
        let known = |name: &str| user(name).ok_or_else(|| format!("no account of the bundle is called {name:?}"));
        let bytes = |text: &str| STANDARD.decode(text).map_err(|_| "this is not base64".to_owned());
        let (mut flags, mut erased) = (None, None);
        let kind = match &self.what {
            Content::Text(text) => EventKind::Message(Body::text(text)),
            Content::Body { kind: Body::TEXT, .. } => return Err("a text is not written in base64".to_owned()),
            Content::Body { kind, base64 } => {
                EventKind::Message(Body { kind: *kind, content: bytes(base64)?.into(), context: None })
            }
            Content::Related { kind, base64, reply_to, thread, mentions, mentions_everyone, expires_in_ms, stream } => {
                let context = Context {
                    reply_to: *reply_to,
                    thread: *thread,
                    mentions: mentions.iter().map(|user| known(user).map(|user| user.0)).collect::<Result<_, _>>()?,
                    mentions_everyone: *mentions_everyone,
                    expires_in_ms: *expires_in_ms,
                    stream: *stream,
                };
                let (content, context) = (bytes(base64)?.into(), Some(Box::new(context)));
                EventKind::Message(Body { kind: *kind, content, context })
            }
            Content::Created { name } => EventKind::Created { name: name.clone() },
            Content::Renamed { name } => EventKind::Renamed { name: name.clone() },
            Content::Added { users } => {
                let mut users = users.iter().map(|user| known(user)).collect::<Result<Vec<_>, _>>()?;
                users.sort();
                EventKind::Added { users }
            }
            Content::Removed { user } => EventKind::Removed { user: known(user)? },
            Content::Role { user, role } => EventKind::RoleChanged { user: known(user)?, role: (*role).into() },
            Content::Reacted { to, emoji } => EventKind::Reacted { to: Seq(*to), emoji: emoji.clone(), removed: false },
            Content::TookBack { to, emoji } => EventKind::Reacted { to: Seq(*to), emoji: emoji.clone(), removed: true },
            Content::Edited { base64 } => {
                let edited = EventKind::decode(EventKind::EDITED, &bytes(base64)?.into());
                edited.ok_or_else(|| "this is no edit of a message".to_owned())?
            }
            Content::Recalled { to } => EventKind::Recalled { to: Seq(*to) },
            Content::Vanished { to } => EventKind::Vanished { to: Seq(*to) },
            Content::Poll { kind, base64 } => match EventKind::decode(*kind, &bytes(base64)?.into()) {
                Some(poll @ (EventKind::Voted { .. } | EventKind::PollClosed { .. })) => poll,
                _ => return Err("this is no vote and no end of a poll".to_owned()),
            },
            Content::StreamEnded { base64 } => {
                let ended = EventKind::decode(EventKind::STREAM_ENDED, &bytes(base64)?.into());
                ended.ok_or_else(|| "this is no end of a stream".to_owned())?
            }
            Content::Erased { kind, flags, hash } => {
                let content = id_from(hash).ok_or("the hash of an erased content is 32 digits in hex".to_owned())?;
                erased = Some(Seal { flags: Flags(*flags), content: ContentHash(content) });
                EventKind::Unknown { kind: *kind, content: Default::default() }
            }
            Content::Settings { base64 } => {
                let settings = EventKind::decode(EventKind::SETTINGS_CHANGED, &bytes(base64)?.into());
                settings.ok_or_else(|| "these are no settings of a group".to_owned())?
            }
            Content::Muted { user, until_ms } => EventKind::Muted { user: known(user)?, until: Timestamp(*until_ms) },
            Content::Banned { user } => EventKind::Banned { user: known(user)?, lifted: false },
            Content::BanLifted { user } => EventKind::Banned { user: known(user)?, lifted: true },
            Content::Transferred { to } => EventKind::Transferred { to: known(to)? },
            Content::Disbanded {} => EventKind::Disbanded,
            Content::LinkMade { hash, uses, expires_ms } => EventKind::LinkMade {
                hash: id_from(hash).map(TokenHash).ok_or("the hash of a link is 64 digits in hex".to_owned())?,
                uses: *uses,
                expires: Timestamp(*expires_ms),
            },
            Content::LinkRevoked { link } => EventKind::LinkRevoked { link: *link },
            Content::Pinned { to } => EventKind::Pinned { to: Seq(*to), removed: false },
            Content::Unpinned { to } => EventKind::Pinned { to: Seq(*to), removed: true },
            Content::JoinAsked {} => EventKind::JoinAsked,
            Content::JoinClosed { user } => EventKind::JoinClosed { user: known(user)? },
            Content::Call(call) => call.to_core(known)?,
            Content::Unknown { kind, flags: said, base64 } => {
                flags = Some(Flags(*said));
                EventKind::Unknown { kind: *kind, content: bytes(base64)?.into() }
            }
        };
        let event = troupe_core::Event {
            seq: Seq(self.seq),
            time: Timestamp(self.time_ms),
            sender: known(&self.sender)?,
            client_message_id: ClientMessageId(
                id_from(&self.id).ok_or("a client message id is 32 digits in hex".to_owned())?,
            ),
            kind,
            seal: erased,
        };
        let Some(flags) = flags else { return Ok(event) };
        let event = event.sealed();
        Ok(troupe_core::Event { seal: event.seal.map(|seal| Seal { flags, ..seal }), ..event })
    }
}
