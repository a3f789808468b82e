//! Forwards: a user sends messages that it sees on to other conversations.
//!
//! A forwarded message is a message like any other, so this has no event of its own. Its client
//! message id follows from the request and the place, so a repeated request sends nothing twice. A
//! bundle is one message with copies of several; only a forward makes one, so its senders and times
//! are true.

use xxhash_rust::xxh3::Xxh3;

use crate::content::Content;
use crate::error::{Refused, Rejection};
use crate::event::Body;
use crate::id::{ClientMessageId, ConversationId};

pub const BAD_FORWARD: Refused = Refused {
    code: "bad_forward",
    text: "a forward has 1 to 20 messages and 1 to 20 conversations, each once, and sends at most 100 messages: forward less at once",
};
pub const FILE_ELSEWHERE: Refused = Refused {
    code: "file_elsewhere",
    text: "the conversation does not have this file: upload the same bytes there first, then repeat the request",
};
const BUNDLE_BY_FORWARD: Refused = Refused {
    code: "bundle_by_forward",
    text: "only a forward makes a bundle, of messages that you see: forward them with `bundle`",
};
pub(super) const REFUSALS: &[Refused] = &[BAD_FORWARD, FILE_ELSEWHERE, BUNDLE_BY_FORWARD];

/// The id of a message that a request sends to several conversations: the xxh3 of the request, the
/// conversation and the number of the message, 128 bits, big-endian.
pub fn forwarded_id(request: ClientMessageId, conversation: ConversationId, number: u32) -> ClientMessageId {
    let mut hash = Xxh3::new();
    hash.update(&request.0);
    hash.update(conversation.to_string().as_bytes());
    hash.update(&[0]);
    hash.update(&number.to_be_bytes());
    ClientMessageId(hash.digest128().to_be_bytes())
}

/// A body that a client sends by itself.
pub fn check_written(body: &Body) -> Result<(), Rejection> {
    if body.kind == Content::BUNDLE { Err(BUNDLE_BY_FORWARD.into()) } else { Ok(()) }
}
