//! The body of a message in JSON: one object, whose `type` says which fields it has.
//!
//! A typed body that is shown has its bytes in `content` too, for clients that only pass them on.
//! Text is the source of Markdown, as its sender wrote it: this edge renders nothing.

pub mod bundle;
mod refers;
pub mod schema;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use troupe_core::content::{
    Attachment, Card, Content, Custom, Emoji, File, Image, Location, Notice, Poll, Sticker, Video, Voice,
};
use troupe_core::{Body, limits};
use utoipa::ToSchema;

pub use self::refers::Refers;
use crate::ids::Id;
use crate::json::whole_given;
use crate::problem::Problem;
use crate::query::GREATEST;
use crate::routes::bodies::bundle::BundledMessage;
use crate::routes::messages::given;

/// The body of a message. Each type has fields of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MessageBody {
    /// 1 is text; the protocol's page lists the others.
    #[serde(deserialize_with = "whole_given", skip_serializing_if = "Option::is_none")]
    pub kind: Option<u32>,
    /// `text`, `image`, `voice`, `video`, `file`, `sticker`, `emoji`, `card`, `location`, `custom`,
    /// `notice`, `poll` or `bundle`. A kind that the server does not know has none.
    #[serde(rename = "type", deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub type_name: Option<String>,
    /// Of a text or a notice.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The bytes of a body that is no text, in base64.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Of an image, a voice message, a video, a file or a sticker.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub file: Option<FileRef>,
    /// In pixels.
    #[serde(deserialize_with = "whole_given", skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    #[serde(deserialize_with = "whole_given", skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// The hash of a small image in place of it, 64 hexadecimal digits.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
    /// Text beside an image, a video or a file.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    #[serde(deserialize_with = "whole_given", skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Of a sticker.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// Of a sticker, a card, a place or a custom body.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub emoji: Option<String>,
    /// Of the card of a user.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub user: Option<Id>,
    /// Of the card of a group.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// In degrees.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
    /// Of a custom body, in base64.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Of a poll.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// Of a poll. They count from 0.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub options: Option<Vec<String>>,
    /// Whether a vote may name several options of a poll.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub multiple: Option<bool>,
    /// Whether a poll hides who has voted for which option.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub anonymous: Option<bool>,
    /// The time at which a poll closes by itself.
    #[serde(deserialize_with = "whole_given", skip_serializing_if = "Option::is_none")]
    pub ends_ms: Option<u64>,
    /// The conversation of the messages of a bundle. Only a forward makes one.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Of a bundle.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    pub messages: Option<Vec<BundledMessage>>,
}

/// A file of the cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FileRef {
    /// The SHA-256 of the file, 64 hexadecimal digits.
    hash: String,
    name: String,
    /// In bytes.
    #[serde(deserialize_with = "crate::json::whole")]
    size: u64,
    /// Such as `image/png`.
    #[serde(rename = "type")]
    media_type: String,
}

impl MessageBody {
    pub fn of_text(text: String) -> MessageBody {
        MessageBody { type_name: Some("text".to_owned()), text: Some(text), ..MessageBody::default() }
    }

    /// The body that it describes.
    pub fn body(mut self) -> Result<Body, Problem> {
        let body = match (self.type_name.take(), self.kind.take()) {
            (Some(name), None) => self.typed(&name)?,
            (None, Some(kind)) => self.raw(kind)?,
            (None, None) => return Err(Problem::bad_request("body: it has a \"type\" or a \"kind\"")),
            (Some(_), Some(_)) => return Err(Problem::bad_request("body: give \"type\" or \"kind\", not both")),
        };
        if self != MessageBody::default() {
            return Err(Problem::bad_request("body: it has a field that bodies of its type do not have"));
        }
        Ok(body)
    }

    fn raw(&mut self, kind: u32) -> Result<Body, Problem> {
        match (kind, self.text.take(), self.content.take()) {
            (Body::TEXT, Some(text), None) => Ok(Body::text(&text)),
            (Body::TEXT, _, _) => Err(Problem::bad_request("body: one of kind 1 has a \"text\" and no \"content\"")),
            (kind, None, content) => {
                let content = bytes_of("content", content.unwrap_or_default())?;
                Ok(Body { kind, content, context: None })
            }
            _ => Err(Problem::bad_request("body: only one of kind 1 has a \"text\"; give \"content\"")),
        }
    }

    fn typed(&mut self, name: &str) -> Result<Body, Problem> {
        let of = self;
        let content: Content = match name {
            "text" => return Ok(Body::text(&needed("text", of.text.take())?)),
            "image" => Image {
                file: Some(of.attachment()?),
                width: of.width.take().unwrap_or_default(),
                height: of.height.take().unwrap_or_default(),
                preview: of.preview()?,
                caption: of.caption.take().unwrap_or_default(),
            }
            .into(),
            "voice" => {
                let (file, duration_ms) = (of.attachment()?, of.duration_ms.take().unwrap_or_default());
                Voice { file: Some(file), duration_ms }.into()
            }
            "video" => Video {
                file: Some(of.attachment()?),
                width: of.width.take().unwrap_or_default(),
                height: of.height.take().unwrap_or_default(),
                preview: of.preview()?,
                caption: of.caption.take().unwrap_or_default(),
                duration_ms: of.duration_ms.take().unwrap_or_default(),
            }
            .into(),
            "file" => {
                let (file, caption) = (of.attachment()?, of.caption.take().unwrap_or_default());
                File { file: Some(file), caption }.into()
            }
            "sticker" => {
                let file = of.file.take().map(FileRef::attachment).transpose()?;
                Sticker { set: of.set.take().unwrap_or_default(), name: needed("name", of.name.take())?, file }.into()
            }
            "emoji" => Emoji { emoji: needed("emoji", of.emoji.take())? }.into(),
            "card" => Card {
                user: of.user.take().map(Id::user).transpose()?.unwrap_or_default(),
                group: of.group.take().unwrap_or_default(),
                name: of.name.take().unwrap_or_default(),
            }
            .into(),
            "location" => Location {
                latitude_e7: e7(needed("latitude", of.latitude.take())?),
                longitude_e7: e7(needed("longitude", of.longitude.take())?),
                name: of.name.take().unwrap_or_default(),
            }
            .into(),
            "custom" => {
                let data = bytes_of("data", of.data.take().unwrap_or_default())?;
                Custom { name: needed("name", of.name.take())?, data }.into()
            }
            "poll" => Poll {
                question: needed("question", of.question.take())?,
                options: needed("options", of.options.take())?,
                multiple: of.multiple.take().unwrap_or_default(),
                anonymous: of.anonymous.take().unwrap_or_default(),
                ends_ms: of.ends_ms.take().unwrap_or_default(),
            }
            .into(),
            "notice" => Notice { text: needed("text", of.text.take())? }.into(),
            _ => return Err(Problem::bad_request("body.type: there is no such type of bodies: see the API's page")),
        };
        Ok(content.into())
    }

    fn attachment(&mut self) -> Result<Attachment, Problem> {
        needed("file", self.file.take())?.attachment()
    }

    fn preview(&mut self) -> Result<Bytes, Problem> {
        self.preview.take().map_or(Ok(Bytes::new()), |hash| hash_of("preview", &hash))
    }
}

impl FileRef {
    fn attachment(self) -> Result<Attachment, Problem> {
        let FileRef { hash, name, size, media_type } = self;
        Ok(Attachment { hash: hash_of("file.hash", &hash)?, name, size, media_type })
    }

    fn of(file: Option<Attachment>) -> Option<FileRef> {
        let Attachment { hash, name, size, media_type } = file?;
        Some(FileRef { hash: hex(&hash), name, size, media_type })
    }
}

fn needed<T>(name: &str, value: Option<T>) -> Result<T, Problem> {
    value.ok_or_else(|| Problem::bad_request(format!("body.{name} is missing")))
}

fn bytes_of(name: &str, base64: String) -> Result<Bytes, Problem> {
    let bytes = STANDARD.decode(base64);
    bytes.map(Bytes::from).map_err(|_| Problem::bad_request(format!("body.{name}: it is base64 with padding")))
}

fn hash_of(name: &str, digits: &str) -> Result<Bytes, Problem> {
    let byte = |at: usize| digits.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let is_hash = digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let bytes: Option<Vec<u8>> = is_hash.then(|| (0..64).step_by(2).map(byte).collect()).flatten();
    bytes.map(Bytes::from).ok_or_else(|| Problem::bad_request(format!("body.{name}: a hash is 64 hexadecimal digits")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Core refuses angles that do not exist.
fn e7(degrees: f64) -> i64 {
    (degrees * 1e7).round() as i64
}

fn degrees(e7: i64) -> f64 {
    e7 as f64 / 1e7
}

fn text(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn number<T: Default + PartialEq>(number: T) -> Option<T> {
    Some(number).filter(|number| *number != T::default())
}

impl From<&Body> for MessageBody {
    fn from(body: &Body) -> MessageBody {
        if let Some(text) = body.as_text() {
            return MessageBody { kind: Some(body.kind), ..MessageBody::of_text(text.to_owned()) };
        }
        let content = body.typed();
        let type_name = content.as_ref().map(|content| content.name().to_owned());
        MessageBody {
            kind: Some(body.kind),
            type_name,
            content: Some(STANDARD.encode(&body.content)),
            ..content.map(MessageBody::from).unwrap_or_default()
        }
    }
}

impl From<Content> for MessageBody {
    fn from(content: Content) -> MessageBody {
        let none = MessageBody::default();
        let preview = |hash: Bytes| text(hex(&hash));
        match content {
            Content::Image(Image { file, width, height, preview: hash, caption }) => MessageBody {
                file: FileRef::of(file),
                width: number(width),
                height: number(height),
                preview: preview(hash),
                caption: text(caption),
                ..none
            },
            Content::Voice(Voice { file, duration_ms }) => {
                MessageBody { file: FileRef::of(file), duration_ms: number(duration_ms), ..none }
            }
            Content::Video(Video { file, width, height, preview: hash, caption, duration_ms }) => MessageBody {
                file: FileRef::of(file),
                width: number(width),
                height: number(height),
                preview: preview(hash),
                caption: text(caption),
                duration_ms: number(duration_ms),
                ..none
            },
            Content::File(File { file, caption }) => {
                MessageBody { file: FileRef::of(file), caption: text(caption), ..none }
            }
            Content::Sticker(Sticker { set, name, file }) => {
                MessageBody { set: text(set), name: text(name), file: FileRef::of(file), ..none }
            }
            Content::Emoji(Emoji { emoji }) => MessageBody { emoji: Some(emoji), ..none },
            Content::Card(Card { user, group, name }) => {
                MessageBody { user: number(user).map(Id), group: text(group), name: text(name), ..none }
            }
            Content::Location(Location { latitude_e7, longitude_e7, name }) => MessageBody {
                latitude: Some(degrees(latitude_e7)),
                longitude: Some(degrees(longitude_e7)),
                name: text(name),
                ..none
            },
            Content::Custom(Custom { name, data }) => {
                MessageBody { name: Some(name), data: Some(STANDARD.encode(data)), ..none }
            }
            Content::Poll(Poll { question, options, multiple, anonymous, ends_ms }) => MessageBody {
                question: Some(question),
                options: Some(options),
                multiple: Some(multiple),
                anonymous: Some(anonymous),
                ends_ms: number(ends_ms),
                ..none
            },
            Content::Bundle(bundle) => bundle::shown(bundle),
            Content::Notice(Notice { text }) => MessageBody { text: Some(text), ..none },
        }
    }
}
