//! Typed bodies of messages.
//!
//! The content of kind 1 is UTF-8 text. It is the source of Markdown, stored as it is: clients
//! render a safe subset. The kinds in the list below have a message of `content.proto` each. Nodes
//! check these before they place a message. All other kinds are opaque, so that a body of a later
//! version passes.

mod check;
mod context;
mod kinds;

use bytes::Bytes;
use prost::Message;

pub use context::Context;
pub use kinds::{
    Attachment, Bundle, Bundled, Card, Custom, Emoji, File, Image, Location, Notice, Poll, Sticker, Video, Voice,
};

use crate::error::{Refused, Rejection};
use crate::event::Body;
use crate::id::{Seq, UserId};

pub(crate) const REFUSALS: &[Refused] = &[
    check::BAD_CONTENT,
    check::BAD_ATTACHMENT,
    check::BAD_LOCATION,
    check::BAD_POLL,
    check::BAD_BUNDLE,
    context::BAD_MENTIONS,
    context::BAD_EXPIRY,
];

/// Declares [`Content`] with the number, the name and the message of each kind.
macro_rules! contents {
    ($( $(#[$about:meta])* $number:literal $constant:ident $name:literal = $kind:ident; )*) => {
        /// The content of a typed body.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Content {
            $( $(#[$about])* $kind($kind), )*
        }

        $(
            impl From<$kind> for Content {
                fn from(content: $kind) -> Content {
                    Content::$kind(content)
                }
            }

            impl From<$kind> for Body {
                fn from(content: $kind) -> Body {
                    Content::from(content).into()
                }
            }
        )*

        impl Content {
            $( pub const $constant: u32 = $number; )*

            /// Whether bodies of this kind are typed in this version.
            pub fn is_known(kind: u32) -> bool {
                [$( $number ),*].contains(&kind)
            }

            /// The kind of its body.
            pub fn number(&self) -> u32 {
                match self {
                    $( Content::$kind(_) => $number, )*
                }
            }

            /// For programs, in forms other than protobuf.
            pub fn name(&self) -> &'static str {
                match self {
                    $( Content::$kind(_) => $name, )*
                }
            }

            /// `None`: a text, an opaque kind, or bytes that are not of this kind.
            pub fn of(body: &Body) -> Option<Content> {
                match body.kind {
                    $( $number => $kind::decode(body.content.clone()).ok().map(Content::$kind), )*
                    _ => None,
                }
            }

            fn encode(&self) -> Bytes {
                match self {
                    $( Content::$kind(content) => content.encode_to_vec().into(), )*
                }
            }

            fn check(&self) -> Result<(), Rejection> {
                match self {
                    $( Content::$kind(content) => content.check(), )*
                }
            }

            /// The content in words, not yet safe to show.
            pub(crate) fn words(&self) -> String {
                match self {
                    $( Content::$kind(content) => content.words(), )*
                }
            }
        }
    };
}

contents! {
    2 IMAGE "image" = Image;
    3 VOICE "voice" = Voice;
    4 VIDEO "video" = Video;
    5 FILE "file" = File;
    6 STICKER "sticker" = Sticker;
    7 EMOJI "emoji" = Emoji;
    8 CARD "card" = Card;
    9 LOCATION "location" = Location;
    10 CUSTOM "custom" = Custom;
    11 NOTICE "notice" = Notice;
    12 POLL "poll" = Poll;
    13 BUNDLE "bundle" = Bundle;
}

impl Content {
    /// Whether each body of this kind is a file: an image, a voice message, a video or any other.
    pub fn is_file(kind: u32) -> bool {
        matches!(kind, Content::IMAGE | Content::VOICE | Content::VIDEO | Content::FILE)
    }

    /// The hashes of all files that it refers to.
    pub fn files(&self) -> Vec<Bytes> {
        if let Content::Bundle(bundle) = self {
            let contents = bundle.messages.iter().filter_map(|message| message.body().typed());
            return contents.flat_map(|content| content.files()).collect();
        }
        let (file, preview) = match self {
            Content::Image(image) => (image.file.as_ref(), Some(&image.preview)),
            Content::Video(video) => (video.file.as_ref(), Some(&video.preview)),
            Content::Voice(voice) => (voice.file.as_ref(), None),
            Content::File(file) => (file.file.as_ref(), None),
            Content::Sticker(sticker) => (sticker.file.as_ref(), None),
            _ => (None, None),
        };
        let preview = preview.filter(|hash| !hash.is_empty());
        file.map(|file| &file.hash).into_iter().chain(preview).cloned().collect()
    }
}

impl From<Content> for Body {
    fn from(content: Content) -> Body {
        Body { kind: content.number(), content: content.encode(), context: None }
    }
}

impl Body {
    /// The typed content, if the kind has one and the bytes are of it.
    pub fn typed(&self) -> Option<Content> {
        Content::of(self)
    }

    /// The body as an answer to the message at this seq.
    pub fn replying_to(mut self, seq: Seq) -> Body {
        self.context.get_or_insert_default().reply_to = seq.0;
        self
    }

    /// The body in the thread below the message at this seq.
    pub fn in_thread(mut self, root: Seq) -> Body {
        self.context.get_or_insert_default().thread = root.0;
        self
    }

    pub fn mentioning(mut self, users: &[UserId]) -> Body {
        self.context.get_or_insert_default().mentions.extend(users.iter().map(|user| user.0));
        self
    }

    pub fn mentioning_everyone(mut self) -> Body {
        self.context.get_or_insert_default().mentions_everyone = true;
        self
    }

    /// The body of a message that vanishes so many milliseconds after it is sent.
    pub fn expiring_in_ms(mut self, after: u64) -> Body {
        self.context.get_or_insert_default().expires_in_ms = after;
        self
    }

    /// The body of a message that grows by pieces.
    pub fn streaming(mut self) -> Body {
        self.context.get_or_insert_default().stream = true;
        self
    }

    pub fn is_stream(&self) -> bool {
        self.context.as_ref().is_some_and(|context| context.stream)
    }

    /// Bytes that its sender pays for.
    pub fn bytes(&self) -> usize {
        self.content.len() + self.context.as_ref().map_or(0, |context| context.encoded_len())
    }

    /// In words, not yet safe to show.
    pub(crate) fn words(&self) -> String {
        match (self.as_text(), self.typed()) {
            (Some(text), _) => text.to_owned(),
            (None, Some(content)) => format!("({}) {}", content.name(), content.words()),
            (None, None) => format!("(unsupported message, kind {})", self.kind),
        }
    }

    /// Whether 74c331d takes it as this version does: it knows neither a context nor typed kinds.
    pub(crate) fn is_of_first_level(&self) -> bool {
        self.context.is_none() && !Content::is_known(self.kind)
    }

    /// The rules of level 2 that need no state.
    pub(crate) fn check_typed(&self) -> Result<(), Rejection> {
        if let Some(context) = &self.context {
            context.check()?;
        }
        if !Content::is_known(self.kind) {
            return Ok(());
        }
        self.typed().ok_or(check::BAD_CONTENT)?.check()
    }
}

#[cfg(test)]
mod tests;
