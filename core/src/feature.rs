//! The content of a conversation's log: one file per feature.
//!
//! A client states an [`Intent`]. Its feature refuses intents that no state allows, decides the
//! others against the state as an [`EventKind`], and projects the event on rows and effects as soon
//! as it has its place. Order, time and exactly-once are the same for all features and live in
//! `machine/conversation.rs`.
//!
//! A feature is a file of its own, an entry of `intents.rs`, and one of `events.rs` if its intent
//! becomes a new kind of event. The fields of an entry have the numbers that they have in the
//! content; numbers are never reused.

mod append;
mod attachment;
mod ban;
mod before;
mod call;
mod edit;
mod erase;
mod events;
mod fact;
mod forward;
mod hook;
mod intents;
mod join_request;
mod link;
mod list;
mod meeting;
mod members;
mod message;
mod owner;
mod pin;
mod policy;
mod poll;
mod reaction;
mod recall;
mod rename;
mod roles;
mod scheduled;
mod settings;
mod silence;
mod stream;
mod vanish;

pub use append::Append;
pub use ban::Ban;
pub(crate) use before::check_vetted;
pub use before::{HOOK_UNAVAILABLE, REFUSED_BY_HOOK};
pub use call::{ActiveCall, CALL_OVER, CallAnswer, CallOutcome};
pub use edit::Edits;
pub use events::{EventKind, KINDS};
pub use fact::Fact;
pub use forward::{BAD_FORWARD, FILE_ELSEWHERE, forwarded, forwarded_id};
pub use hook::{BAD_HOOK, BAD_HOOK_URL, NO_SUCH_HOOK, hook_id, post_id};
pub(crate) use hook::{check_hook, check_post};
pub use intents::Intent;
pub use join_request::JoinRequest;
pub use link::{BAD_LINK, GroupLink, code_hash, link_id};
pub use meeting::{MEMBERS_HIDDEN, Meeting, NO_CONTACT, shows_members};
pub(crate) use members::{check_count, distinct};
pub use message::{ERASED, NO_SUCH_MESSAGE};
pub(crate) use owner::DISBANDED;
pub use pin::{Pin, Pins};
pub use policy::{Act, Policy};
pub use poll::{ANONYMOUS_POLL, NOT_A_POLL, Tally, Vote};
pub(crate) use reaction::is_reaction;
pub use reaction::{Count, OwnReactions, Reactions};
pub(crate) use rename::check_name;
pub(crate) use scheduled::check_schedule;
pub use scheduled::{ALREADY_SENT, NO_SUCH_SCHEDULED, Scheduled, ScheduledCount};
pub use settings::{GroupProfile, Permission, Settings};
pub use silence::Mute;
pub(crate) use stream::check_piece;
pub use stream::{OpenStream, OpenStreams, StreamPiece};

use crate::error::Rejection;

// Every message moves as an intent and as an event, so a large content of another kind is boxed.
const _: () = assert!(size_of::<Intent>() <= 64 && size_of::<EventKind>() <= 64);

fn demand(allowed: bool) -> Result<(), Rejection> {
    if allowed { Ok(()) } else { Err(Rejection::NotAllowed) }
}
