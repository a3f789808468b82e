//! The rules of each typed content, without state: bounded sizes and possible values.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{
    Attachment, Bundle, Bundled, Card, Content, Custom, Emoji, File, Image, Location, Notice, Poll, Sticker, Video,
    Voice,
};
use crate::error::{Refused, Rejection};
use crate::event::Body;
use crate::feature::is_reaction;
use crate::id::ConversationId;
use crate::limits;

pub(super) const BAD_CONTENT: Refused = Refused {
    code: "bad_content",
    text: "the content is not of its kind, lacks a field, or has one that is too long: see the bodies in the protocol",
};
pub(super) const BAD_ATTACHMENT: Refused = Refused {
    code: "bad_attachment",
    text: "an attachment has a hash of 32 bytes, a name of at most 255 bytes, a size, and a type such as image/png",
};
pub(super) const BAD_LOCATION: Refused = Refused {
    code: "bad_location",
    text: "there is no such place: a latitude is -90 to 90 degrees, and a longitude -180 to 180",
};

pub(super) const BAD_POLL: Refused = Refused {
    code: "bad_poll",
    text: "a poll has a question of at most 1024 bytes, and 2 to 20 different options of 1 to 256 bytes each",
};

pub(super) const BAD_BUNDLE: Refused = Refused {
    code: "bad_bundle",
    text: "a bundle has 1 to 20 messages of a conversation, each with its seq, its sender and a body that is no bundle",
};

const HASH_BYTES: usize = 32;
const RIGHT_ANGLE_E7: i64 = 90 * 10_000_000;

type Checked = Result<(), Rejection>;

fn demand(is_so: bool, refused: Refused) -> Checked {
    if is_so { Ok(()) } else { Err(refused.into()) }
}

/// A text of a length, or none.
fn at_most(text: &str, bytes: usize) -> Checked {
    demand(text.len() <= bytes, BAD_CONTENT)
}

fn some(text: &str, bytes: usize) -> Checked {
    demand((1..=bytes).contains(&text.len()), BAD_CONTENT)
}

fn lasts(duration_ms: u64) -> Checked {
    demand(duration_ms <= limits::DURATION_MS, BAD_CONTENT)
}

fn shown(width: u32, height: u32, preview: &Bytes) -> Checked {
    demand(width.max(height) <= limits::PIXELS, BAD_CONTENT)?;
    demand(matches!(preview.len(), 0 | HASH_BYTES), BAD_ATTACHMENT)
}

fn required(file: &Option<Attachment>) -> Checked {
    file.as_ref().ok_or(BAD_ATTACHMENT)?.check()
}

impl Attachment {
    fn check(&self) -> Checked {
        let is_named = (1..=limits::FILE_NAME_BYTES).contains(&self.name.len());
        // A name is no path: a client may store the file under it.
        let is_plain = !self.name.chars().any(|c| c.is_control() || matches!(c, '/' | '\\'));
        let has_size = (1..=limits::FILE_BYTES).contains(&self.size);
        let is_sound = self.hash.len() == HASH_BYTES && is_named && is_plain && has_size;
        demand(is_sound && is_media_type(&self.media_type), BAD_ATTACHMENT)
    }
}

/// `type/subtype` in the characters of RFC 6838, without parameters.
fn is_media_type(text: &str) -> bool {
    let is_name = |name: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric()) && name.bytes().all(is_plain)
    };
    let parts = text.split_once('/');
    text.len() <= limits::MEDIA_TYPE_BYTES && parts.is_some_and(|(kind, sub)| is_name(kind) && is_name(sub))
}

/// A file's name with its caption, if it has one.
fn captioned(file: &Option<Attachment>, caption: &str) -> String {
    let name = file.as_ref().map_or("", |file| &file.name);
    if caption.is_empty() { name.to_owned() } else { format!("{name}: {caption}") }
}

impl Image {
    pub(super) fn check(&self) -> Checked {
        required(&self.file)?;
        shown(self.width, self.height, &self.preview)?;
        at_most(&self.caption, limits::CAPTION_BYTES)
    }

    pub(super) fn words(&self) -> String {
        captioned(&self.file, &self.caption)
    }
}

impl Voice {
    pub(super) fn check(&self) -> Checked {
        required(&self.file)?;
        lasts(self.duration_ms)
    }

    pub(super) fn words(&self) -> String {
        format!("{} s", self.duration_ms / 1_000)
    }
}

impl Video {
    pub(super) fn check(&self) -> Checked {
        required(&self.file)?;
        shown(self.width, self.height, &self.preview)?;
        lasts(self.duration_ms)?;
        at_most(&self.caption, limits::CAPTION_BYTES)
    }

    pub(super) fn words(&self) -> String {
        captioned(&self.file, &self.caption)
    }
}

impl File {
    pub(super) fn check(&self) -> Checked {
        required(&self.file)?;
        at_most(&self.caption, limits::CAPTION_BYTES)
    }

    pub(super) fn words(&self) -> String {
        captioned(&self.file, &self.caption)
    }
}

impl Sticker {
    pub(super) fn check(&self) -> Checked {
        if let Some(file) = &self.file {
            file.check()?;
        }
        at_most(&self.set, limits::LABEL_BYTES)?;
        some(&self.name, limits::LABEL_BYTES)
    }

    pub(super) fn words(&self) -> String {
        self.name.clone()
    }
}

impl Emoji {
    pub(super) fn check(&self) -> Checked {
        demand(is_reaction(&self.emoji), BAD_CONTENT)
    }

    pub(super) fn words(&self) -> String {
        self.emoji.clone()
    }
}

impl Card {
    pub(super) fn check(&self) -> Checked {
        let is_group = || self.group.parse().is_ok_and(|id: ConversationId| id.is_group());
        let names_one = if self.user == 0 { is_group() } else { self.group.is_empty() };
        demand(names_one, BAD_CONTENT)?;
        at_most(&self.name, limits::LABEL_BYTES)
    }

    pub(super) fn words(&self) -> String {
        self.name.clone()
    }
}

impl Location {
    pub(super) fn check(&self) -> Checked {
        let within = |angle: i64, most: i64| (-most..=most).contains(&angle);
        let is_place = within(self.latitude_e7, RIGHT_ANGLE_E7) && within(self.longitude_e7, 2 * RIGHT_ANGLE_E7);
        demand(is_place, BAD_LOCATION)?;
        at_most(&self.name, limits::LABEL_BYTES)
    }

    pub(super) fn words(&self) -> String {
        let degrees = |angle: i64| angle as f64 / 1e7;
        format!("{:.5}, {:.5} {}", degrees(self.latitude_e7), degrees(self.longitude_e7), self.name)
    }
}

impl Custom {
    pub(super) fn check(&self) -> Checked {
        let is_plain = self.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:+".contains(&byte));
        demand(is_plain, BAD_CONTENT)?;
        some(&self.name, limits::LABEL_BYTES)
    }

    pub(super) fn words(&self) -> String {
        self.name.clone()
    }
}

impl Notice {
    pub(super) fn check(&self) -> Checked {
        some(&self.text, limits::NOTICE_BYTES)
    }

    pub(super) fn words(&self) -> String {
        self.text.clone()
    }
}

impl Poll {
    pub(super) fn check(&self) -> Checked {
        let is_asked = (1..=limits::POLL_QUESTION_BYTES).contains(&self.question.len());
        let is_some = |option: &String| (1..=limits::LABEL_BYTES).contains(&option.len());
        let distinct = self.options.iter().collect::<BTreeSet<_>>().len() == self.options.len();
        let has_choice = (2..=limits::POLL_OPTIONS).contains(&self.options.len());
        demand(is_asked && has_choice && distinct && self.options.iter().all(is_some), BAD_POLL)
    }

    pub(super) fn words(&self) -> String {
        format!("{}: {}", self.question, self.options.join(", "))
    }
}

impl Bundled {
    pub fn body(&self) -> Body {
        Body { kind: self.kind, content: self.content.clone(), context: None }
    }

    fn check(&self) -> Checked {
        let is_message = self.seq > 0 && self.sender > 0 && self.kind > 0 && self.kind != Content::BUNDLE;
        demand(is_message && (self.kind != Body::TEXT || self.body().as_text().is_some()), BAD_BUNDLE)
    }
}

impl Bundle {
    pub(super) fn check(&self) -> Checked {
        let is_some = (1..=limits::FORWARDED).contains(&self.messages.len());
        demand(is_some && self.from.parse::<ConversationId>().is_ok(), BAD_BUNDLE)?;
        self.messages.iter().try_for_each(Bundled::check)
    }

    pub(super) fn words(&self) -> String {
        format!("{} messages", self.messages.len())
    }
}
