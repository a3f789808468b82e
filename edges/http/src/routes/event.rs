//! Events of a conversation in JSON. Unknown kinds pass through with their bytes in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use troupe_actors::message::wire;
use troupe_core::event::Role as CoreRole;
use troupe_core::feature::link_id;
use troupe_core::{Body, Event as CoreEvent, EventKind};
use utoipa::ToSchema;

use crate::ids::Id;
use crate::routes::bodies::{MessageBody, Refers};
use crate::routes::moderation::Settings;
use crate::routes::polls::PollState;
use crate::routes::reactions::Reaction;

/// One event of a conversation's log.
#[derive(Serialize, ToSchema)]
pub struct Event {
    /// Its place: 1, 2, 3 ... without gaps.
    pub seq: u64,
    pub time_ms: u64,
    sender: Id,
    /// 32 hexadecimal digits.
    client_message_id: String,
    #[serde(flatten)]
    content: Content,
    #[serde(flatten)]
    refers: Refers,
    /// To a message, in the order of the first of each emoji. A stream has them as events.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reaction>,
    /// The votes of a poll that has some, or that is closed. A stream has them as events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll: Option<PollState>,
    /// The present state of a message that was edited. A stream has edits as events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited: Option<Edited>,
    /// A message that grows: its text until now, and the index of the next piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub streaming: Option<Streaming>,
    /// Its content is gone: a message was recalled or has vanished, or an edit of it. Absent: it is
    /// there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
    /// The caller has deleted it for itself, so its content is gone for the caller.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

#[derive(Serialize, ToSchema)]
pub struct Streaming {
    pub text: String,
    pub pieces: u64,
}

impl Streaming {
    /// `None`: the state of a message that does not grow.
    pub fn of(state: &wire::MessageState) -> Option<Streaming> {
        let body = state.body.clone().filter(|_| state.streaming).map(Body::from)?;
        Some(Streaming { text: body.as_text().unwrap_or_default().to_owned(), pieces: state.pieces })
    }
}

#[derive(Serialize, ToSchema)]
pub struct Edited {
    /// The seqs of the `edited` events, in order.
    pub edits: Vec<u64>,
    /// Of the last edit.
    pub body: Box<MessageBody>,
}

/// The kind of the event, and its content. A kind of a later version is `unknown`.
#[derive(Serialize, ToSchema)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum Content {
    Message(Box<MessageBody>),
    Created {
        name: String,
    },
    Renamed {
        name: String,
    },
    Added {
        users: Vec<Id>,
    },
    Removed {
        user: Id,
    },
    RoleChanged {
        user: Id,
        role: Role,
    },
    Reacted {
        /// The seq of the message.
        to: u64,
        emoji: String,
        /// Whether the reaction was taken back.
        removed: bool,
    },
    /// The message at `to` has this body now.
    Edited {
        to: u64,
        body: Box<MessageBody>,
    },
    /// The contents of the message at `to` and of its edits are erased.
    Recalled {
        to: u64,
    },
    /// The time of the message at `to` is over: its content and those of its edits are erased.
    Vanished {
        to: u64,
    },
    /// The vote of the sender in the poll at `to`. In an anonymous poll it names no options.
    Voted {
        to: u64,
        options: Vec<u32>,
        /// Whether the vote was taken back.
        removed: bool,
    },
    /// The poll at `to` takes no more votes.
    PollClosed {
        to: u64,
        voters: u32,
        /// Of its options, in order. Options behind the last have no votes.
        counts: Vec<u32>,
    },
    SettingsChanged(Settings),
    Muted {
        user: Id,
        /// 0: the mute was lifted.
        until_ms: u64,
    },
    Banned {
        user: Id,
        /// Whether the ban was lifted.
        lifted: bool,
    },
    /// The sender made another member the owner.
    Transferred {
        to: Id,
    },
    /// The last event of a group.
    Disbanded {},
    LinkMade {
        link: String,
        /// Of its code, 64 hexadecimal digits.
        hash: String,
        uses: u32,
        /// 0: it does not expire.
        expires_ms: u64,
    },
    LinkRevoked {
        link: String,
    },
    /// The sender pinned a message, or took the pin away.
    Pinned {
        to: u64,
        removed: bool,
    },
    /// The sender, who is no member yet, asks to join.
    JoinAsked {},
    /// The sender refused the request of this user to join, or is the user and withdrew it.
    JoinClosed {
        user: Id,
    },
    /// The sender calls the other user with this device. The seq of the event names the call.
    CallStarted {
        video: bool,
        device: u64,
    },
    /// This device of the sender took the call.
    CallAnswered {
        call: u64,
        device: u64,
    },
    /// The record of a call.
    CallEnded {
        call: u64,
        caller: Id,
        video: bool,
        /// `talked`, `refused`, `busy`, `cancelled` or `missed`.
        outcome: String,
        /// Since the answer.
        lasted_ms: u64,
    },
    /// The message at `to` grows no more, and has this body now.
    StreamEnded {
        to: u64,
        body: Box<MessageBody>,
        /// Its sender broke it off, or left it alone.
        aborted: bool,
    },
    Unknown {
        /// Of the field in `client.proto`.
        number: u32,
        /// In base64.
        content: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Member,
    Admin,
    Owner,
}

impl From<CoreRole> for Role {
    fn from(role: CoreRole) -> Role {
        match role {
            CoreRole::Member => Role::Member,
            CoreRole::Admin => Role::Admin,
            CoreRole::Owner => Role::Owner,
        }
    }
}

impl Role {
    /// A role of a later version counts as a member's.
    pub fn of_wire(role: wire::Role) -> Role {
        match role {
            wire::Role::Owner => Role::Owner,
            wire::Role::Admin => Role::Admin,
            wire::Role::Member | wire::Role::Unspecified => Role::Member,
        }
    }

    pub fn wire(self) -> wire::Role {
        match self {
            Role::Member => wire::Role::Member,
            Role::Admin => wire::Role::Admin,
            Role::Owner => wire::Role::Owner,
        }
    }
}

impl From<wire::Event> for Event {
    fn from(event: wire::Event) -> Event {
        let (seq, time_ms, sender) = (event.seq, event.time_ms, Id(event.sender));
        let client_message_id = event.client_message_id.iter().map(|byte| format!("{byte:02x}")).collect();
        let (number, bytes) = (event.kind, event.content.clone());
        let event = CoreEvent::try_from(event);
        let erased = event.as_ref().is_ok_and(CoreEvent::is_erased);
        let refers = match event.as_ref().map(|event| &event.kind) {
            Ok(EventKind::Message(body)) => Refers::from(body),
            _ => Refers::default(),
        };
        let content = match event {
            Ok(event) => event.kind.into(),
            Err(_) => Content::Unknown { number, content: STANDARD.encode(bytes) },
        };
        Event {
            seq,
            time_ms,
            sender,
            client_message_id,
            content,
            refers,
            reactions: Vec::new(),
            poll: None,
            edited: None,
            streaming: None,
            erased,
            deleted: false,
        }
    }
}

impl From<EventKind> for Content {
    fn from(kind: EventKind) -> Content {
        match kind {
            EventKind::Message(body) => Content::Message(Box::new(MessageBody::from(&body))),
            EventKind::Created { name } => Content::Created { name },
            EventKind::Renamed { name } => Content::Renamed { name },
            EventKind::Added { users } => Content::Added { users: users.into_iter().map(Id::from).collect() },
            EventKind::Removed { user } => Content::Removed { user: user.into() },
            EventKind::RoleChanged { user, role } => Content::RoleChanged { user: user.into(), role: role.into() },
            EventKind::Reacted { to, emoji, removed } => Content::Reacted { to: to.0, emoji, removed },
            EventKind::Edited { to, body } => Content::Edited { to: to.0, body: Box::new(MessageBody::from(&body)) },
            EventKind::Recalled { to } => Content::Recalled { to: to.0 },
            EventKind::Vanished { to } => Content::Vanished { to: to.0 },
            EventKind::Voted { to, options, removed } => Content::Voted { to: to.0, options, removed },
            EventKind::PollClosed { to, voters, counts } => Content::PollClosed { to: to.0, voters, counts },
            EventKind::SettingsChanged(settings) => {
                Content::SettingsChanged(wire::GroupSettings::from(settings.as_ref()).into())
            }
            EventKind::Muted { user, until } => Content::Muted { user: user.into(), until_ms: until.0 },
            EventKind::Banned { user, lifted } => Content::Banned { user: user.into(), lifted },
            EventKind::Transferred { to } => Content::Transferred { to: to.into() },
            EventKind::Disbanded => Content::Disbanded {},
            EventKind::LinkMade { hash, uses, expires } => {
                let (link, expires_ms) = (link_id(&hash).to_string(), expires.0);
                let hash = hash.0.iter().map(|byte| format!("{byte:02x}")).collect();
                Content::LinkMade { link, hash, uses, expires_ms }
            }
            EventKind::LinkRevoked { link } => Content::LinkRevoked { link: link.to_string() },
            EventKind::Pinned { to, removed } => Content::Pinned { to: to.0, removed },
            EventKind::JoinAsked => Content::JoinAsked {},
            EventKind::JoinClosed { user } => Content::JoinClosed { user: user.into() },
            EventKind::CallStarted { video, device } => Content::CallStarted { video, device },
            EventKind::CallAnswered { call, device } => Content::CallAnswered { call: call.0, device },
            EventKind::CallEnded { call, caller, video, outcome, lasted_ms } => {
                let (call, caller, outcome) = (call.0, caller.into(), outcome.name().to_owned());
                Content::CallEnded { call, caller, video, outcome, lasted_ms }
            }
            EventKind::StreamEnded { to, body, aborted } => {
                Content::StreamEnded { to: to.0, body: Box::new(MessageBody::from(&body)), aborted }
            }
            EventKind::Unknown { kind, content } => {
                Content::Unknown { number: kind, content: STANDARD.encode(content) }
            }
        }
    }
}

impl Edited {
    /// `None`: the state of a message that was not edited.
    pub fn of(state: wire::MessageState) -> Option<Edited> {
        let body = Body::from(state.body.filter(|_| !state.streaming)?);
        Some(Edited { edits: state.edits, body: Box::new(MessageBody::from(&body)) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use troupe_core::Seq;

    use super::*;

    fn shown(kind: EventKind) -> serde_json::Value {
        let event = CoreEvent {
            seq: troupe_core::Seq(3),
            time: troupe_core::Timestamp(9),
            sender: troupe_core::UserId(1029),
            client_message_id: troupe_core::ClientMessageId([10; 16]),
            kind,
            seal: None,
        };
        serde_json::to_value(Event::from(wire::Event::from(&event))).expect("JSON")
    }

    #[test]
    fn each_kind_has_its_name_and_an_unknown_one_its_bytes() {
        let text = shown(EventKind::Message(Body::text("hé")));
        assert_eq!(
            text,
            json!({ "seq": 3, "time_ms": 9, "sender": "1029", "client_message_id": "0a".repeat(16),
                "kind": "message", "body": { "kind": 1, "type": "text", "text": "hé" } })
        );
        let other = shown(EventKind::Message(Body { kind: 1_000, content: vec![255].into(), context: None }));
        assert_eq!(other["body"], json!({ "kind": 1000, "content": "/w==" }));
        let answer = shown(EventKind::Message(Body::text("so").replying_to(Seq(2)).mentioning_everyone()));
        assert_eq!((&answer["reply_to"], &answer["mentions_everyone"]), (&json!(2), &json!(true)));
        assert!(answer.get("thread").is_none() && answer.get("mentions").is_none());
        let later = shown(EventKind::Unknown { kind: 77, content: vec![1, 2].into() });
        assert_eq!((&later["kind"], &later["body"]), (&json!("unknown"), &json!({ "number": 77, "content": "AQI=" })));
        let added = shown(EventKind::Added { users: vec![troupe_core::UserId(5)] });
        assert_eq!(added["body"], json!({ "users": ["5"] }));
    }
}
