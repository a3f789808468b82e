//! One event as a client gets it: its name, its data in JSON, and the cursor behind it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use prost::Message as _;
use serde::Serialize;
use troupe_actors::message::{ServerMessage, wire};
use troupe_actors::sink::Pushed;
use troupe_core::{ConversationId, Seq, Signal, signal};
use troupe_proto::client::EndReason;
use utoipa::ToSchema;

use super::cursor::Unfit;
use crate::ids::Id;
use crate::problem;
use crate::routes::contacts::Contact;
use crate::routes::event::Event;
use crate::routes::favourites;
use crate::routes::me::OwnProfile;
use crate::routes::personal::Changed;
use crate::routes::watch::Watched;

/// An event of a conversation's log, of any kind.
pub const MESSAGE: &str = "message";
/// A member has received or read more.
pub const READ: &str = "read";
/// From where on the stream has a conversation, or that it has it no longer.
pub const CONVERSATION: &str = "conversation";
pub const INVITATION: &str = "invitation";
/// The caller's profile has changed.
pub const PROFILE: &str = "profile";
/// Typing and the like, which no log keeps.
pub const SIGNAL: &str = "signal";
/// A watched user has come, has gone, or shows something else now.
pub const PRESENCE: &str = "presence";
/// A stream of another member has grown.
pub const PIECE: &str = "piece";
/// The caller's relation to a user has changed.
pub const CONTACT: &str = "contact";
/// The caller has changed its own state of a conversation.
pub const STATE: &str = "state";
/// The caller has saved a message, or saves it no more.
pub const FAVOURITE: &str = "favourite";
/// The stream has begun.
pub const READY: &str = "ready";
/// The client is better served by other nodes.
pub const GO_AWAY: &str = "go_away";
/// The last one, with the reason.
pub const END: &str = "end";

/// `message`: an event of a log, as in history, and its conversation.
#[derive(Serialize, ToSchema)]
pub struct Logged {
    conversation: String,
    #[serde(flatten)]
    event: Event,
}

#[derive(Serialize)]
struct Read {
    conversation: String,
    user_id: Id,
    read: u64,
    delivered: u64,
}

#[derive(Serialize)]
struct Conversation {
    conversation: String,
    present: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<u64>,
}

#[derive(Serialize)]
struct Invitation {
    conversation: String,
    invited_by: Id,
}

#[derive(Serialize)]
struct Told {
    conversation: String,
    user_id: Id,
    device: u64,
    kind: u32,
    /// In base64.
    payload: String,
    seq: u64,
}

#[derive(Serialize)]
struct Ready {
    user_id: Id,
    cluster_id: String,
    history: u64,
    node_id: u64,
}

#[derive(Serialize)]
struct GoAway<'a> {
    nodes: &'a [String],
}

#[derive(Serialize)]
struct Ended<'a> {
    code: &'a str,
    text: &'a str,
    /// Whether the client connects again with its cursor.
    session_continues: bool,
    nodes: &'a [String],
}

/// The data of a push, which all streams share.
pub fn data(pushed: &Pushed) -> Bytes {
    match pushed {
        Pushed::Event { conversation, seq, event } => match wire::Event::decode(event.clone()) {
            Ok(event) => logged(*conversation, event),
            Err(_) => unreadable(*conversation, *seq, event),
        },
        Pushed::Cursor(cursor) => json(&Read {
            conversation: cursor.conversation.to_string(),
            user_id: cursor.user.into(),
            read: cursor.read.0,
            delivered: cursor.delivered.0,
        }),
        Pushed::Joined { conversation, head } => begins(*conversation, *head),
        Pushed::Left { conversation } => left(*conversation),
        Pushed::Invitation { conversation, by } => {
            json(&Invitation { conversation: conversation.to_string(), invited_by: (*by).into() })
        }
        Pushed::Own(message) => own(message),
        Pushed::Presence { user, shown } => json(&Watched::from(shown.of(*user))),
        Pushed::Signal(signal) if signal.kind == signal::PIECE => piece(signal),
        Pushed::Signal(signal) => json(&Told {
            conversation: signal.conversation.to_string(),
            user_id: signal.from.into(),
            device: signal.device,
            kind: signal.kind,
            payload: STANDARD.encode(&signal.payload),
            seq: signal.at.0,
        }),
    }
}

/// The name of a signal as an event of the stream.
pub fn name_of_signal(pushed: &Pushed) -> &'static str {
    match pushed {
        Pushed::Signal(signal) if signal.kind == signal::PIECE => PIECE,
        Pushed::Presence { .. } => PRESENCE,
        _ => SIGNAL,
    }
}

/// The index of the piece says whether one before it is missing: then history has the text.
#[derive(Serialize)]
struct Piece {
    conversation: String,
    user_id: Id,
    /// The seq of the message.
    message: u64,
    index: u64,
    text: String,
}

fn piece(signal: &Signal) -> Bytes {
    let signal::Piece { message, index, text } = signal::Piece::decode(&signal.payload[..]).unwrap_or_default();
    let (conversation, user_id) = (signal.conversation.to_string(), signal.from.into());
    json(&Piece { conversation, user_id, message, index, text })
}

/// The name of a message for the devices of one user; `None`: streams do not have it.
pub fn name_of(message: &ServerMessage) -> Option<&'static str> {
    match message {
        ServerMessage::Profile(_) => Some(PROFILE),
        ServerMessage::ContactChanged(_) => Some(CONTACT),
        ServerMessage::PersonalChanged(_) => Some(STATE),
        ServerMessage::FavouriteChanged(_) => Some(FAVOURITE),
        _ => None,
    }
}

fn own(message: &ServerMessage) -> Bytes {
    match message {
        ServerMessage::Profile(push) => json(&OwnProfile::from(push.profile.clone().unwrap_or_default())),
        ServerMessage::ContactChanged(push) => json(&Contact::from(push.contact.clone().unwrap_or_default())),
        ServerMessage::FavouriteChanged(push) => json(&favourites::Changed::from(push.clone())),
        ServerMessage::PersonalChanged(push) => json(&Changed::from(push.personal.clone().unwrap_or_default())),
        _ => Bytes::new(),
    }
}

pub fn logged(conversation: ConversationId, event: wire::Event) -> Bytes {
    json(&Logged { conversation: conversation.to_string(), event: event.into() })
}

/// A later version has broken the form of its envelope.
fn unreadable(conversation: ConversationId, seq: Seq, event: &Bytes) -> Bytes {
    json(&serde_json::json!({ "conversation": conversation.to_string(), "seq": seq.0, "kind": "unknown",
        "body": { "number": 0, "content": STANDARD.encode(event) } }))
}

/// The stream has the conversation behind this seq.
pub fn begins(conversation: ConversationId, after: Seq) -> Bytes {
    json(&Conversation { conversation: conversation.to_string(), present: true, after: Some(after.0) })
}

pub fn left(conversation: ConversationId) -> Bytes {
    json(&Conversation { conversation: conversation.to_string(), present: false, after: None })
}

pub fn ready(welcome: &wire::Welcome, user: Id) -> Bytes {
    let cluster_id = welcome.cluster_id.iter().map(|byte| format!("{byte:02x}")).collect();
    json(&Ready { user_id: user, cluster_id, history: welcome.history, node_id: welcome.node_id })
}

pub fn go_away(nodes: &[String]) -> Bytes {
    json(&GoAway { nodes })
}

pub fn ended(reason: &EndReason, nodes: &[String]) -> Bytes {
    let session_continues = reason.session_continues();
    json(&Ended { code: reason.code(), text: reason.text(), session_continues, nodes })
}

/// The cursor turned out to be ahead while the stream lasted.
pub fn ahead() -> Bytes {
    let text = Unfit::Ahead.to_string();
    json(&Ended { code: problem::CURSOR_AHEAD, text: &text, session_continues: true, nodes: &[] })
}

fn json(value: &impl Serialize) -> Bytes {
    // These types have no key that is not a text.
    serde_json::to_vec(value).unwrap_or_default().into()
}

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As server-sent events.
    Stream,
    /// As items of a list in JSON.
    Poll,
}

/// Events that are written next.
#[derive(Debug)]
pub struct Out {
    pub form: Form,
    text: Vec<u8>,
    pub many: usize,
}

impl Out {
    pub fn new(form: Form) -> Out {
        Out { form, text: Vec::new(), many: 0 }
    }

    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// `cursor`: behind this event. Without one a client keeps the one that it has.
    pub fn add(&mut self, name: &str, data: &[u8], cursor: Option<&str>) {
        self.many += 1;
        let out = &mut self.text;
        match self.form {
            Form::Stream => {
                // `message` is the name of an event that has none.
                for (field, value) in [("event", Some(name)), ("id", cursor)] {
                    if let Some(value) = value {
                        [field, ": ", value, "\n"].iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
                    }
                }
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(data);
                out.extend_from_slice(b"\n\n");
            }
            Form::Poll => {
                if !out.is_empty() {
                    out.push(b',');
                }
                ["{\"event\":\"", name, "\",\"data\":"].iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
                out.extend_from_slice(data);
                out.push(b'}');
            }
        }
    }

    pub fn take(&mut self) -> Bytes {
        self.many = 0;
        std::mem::take(&mut self.text).into()
    }
}

#[cfg(test)]
mod tests {
    use troupe_core::UserId;

    use super::*;

    #[test]
    fn names_and_cursors_are_lines_of_a_stream() {
        let mut out = Out::new(Form::Stream);
        out.add(MESSAGE, b"{}", Some("AQ"));
        out.add(END, b"1", None);
        assert_eq!(&out.take()[..], b"event: message\nid: AQ\ndata: {}\n\nevent: end\ndata: 1\n\n");
        assert_eq!((out.many, out.len()), (0, 0));
        let mut out = Out::new(Form::Poll);
        out.add(MESSAGE, b"{}", Some("AQ"));
        out.add(END, b"1", None);
        assert_eq!(&out.take()[..], br#"{"event":"message","data":{}},{"event":"end","data":1}"#);
    }

    #[test]
    fn an_event_that_cannot_be_read_keeps_its_place() {
        let event = Bytes::from_static(b"\xff\xff\xff");
        let pushed = Pushed::Event { conversation: ConversationId::Everyone, seq: Seq(7), event };
        let shown: serde_json::Value = serde_json::from_slice(&data(&pushed)).expect("JSON");
        assert_eq!(
            (&shown["seq"], &shown["kind"], &shown["body"]["content"]),
            (&7.into(), &"unknown".into(), &"////".into())
        );
        let invited = Pushed::Invitation { conversation: ConversationId::Everyone, by: UserId(5) };
        assert_eq!(&data(&invited)[..], br#"{"conversation":"everyone","invited_by":"5"}"#);
    }
}
