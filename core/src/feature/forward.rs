//! Forwards: a user sends messages that it sees on to other conversations.
//!
//! A forwarded message is a message like any other, so this has no event of its own. Its client
//! message id follows from the request and the place, so a repeated request sends nothing twice. A
//! bundle is one message with copies of several. It has an intent of its own, which no request of a
//! client names, so its senders and times are true.

use xxhash_rust::xxh3::Xxh3;

use super::{Intent, message};
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

/// A body that a client writes by itself.
pub(super) fn check_written(body: &Body) -> Result<(), Rejection> {
    if body.kind == Content::BUNDLE { Err(BUNDLE_BY_FORWARD.into()) } else { Ok(()) }
}

/// A body that a node has made of messages.
pub(super) fn check_bundle(body: &Body) -> Result<(), Rejection> {
    if body.kind != Content::BUNDLE {
        return Err(Rejection::BadRequest("this is no bundle: send it as a message"));
    }
    message::check(body)
}

/// The intent that places this body of a forward.
pub fn forwarded(body: Body) -> Intent {
    if body.kind == Content::BUNDLE { Intent::Bundle(body) } else { Intent::Message(body) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{Bundle, Bundled};
    use crate::feature::Append;
    use crate::{Command, Seq, UserId, machine};

    fn append(intent: Intent) -> Command {
        let (conversation, actor) = (ConversationId::Everyone, UserId(5));
        Command::Append(Append {
            conversation,
            actor,
            client_message_id: ClientMessageId([1; 16]),
            after: None,
            intent,
        })
    }

    #[test]
    fn a_bundle_has_an_intent_of_its_own() {
        let copy = Bundled { seq: 3, sender: 7, time_ms: 9, kind: Body::TEXT, content: "hi".into() };
        let body = |messages| Body::from(Bundle { from: "everyone".into(), messages });
        let good = body(vec![copy.clone()]);
        for written in [Intent::Message(good.clone()), Intent::Edit { to: Seq(1), body: good.clone() }] {
            assert_eq!(machine::check(&append(written)), Err(BUNDLE_BY_FORWARD.into()));
        }
        assert_eq!(forwarded(Body::text("hi")), Intent::Message(Body::text("hi")));
        assert_eq!(forwarded(good.clone()), Intent::Bundle(good.clone()));
        assert_eq!(machine::check(&append(Intent::Bundle(good.clone()))), Ok(()));
        let nested = Bundled { kind: Content::BUNDLE, content: good.content.clone(), ..copy.clone() };
        let no_text = Bundled { content: vec![0xff].into(), ..copy.clone() };
        let many = vec![copy.clone(); crate::limits::FORWARDED + 1];
        for bad in [vec![], vec![nested], vec![no_text], vec![Bundled { seq: 0, ..copy }], many] {
            let refused = machine::check(&append(Intent::Bundle(body(bad))));
            assert_eq!(refused.map_err(|refused| refused.code()), Err("bad_bundle"));
        }
        assert!(machine::check(&append(Intent::Bundle(Body::text("hi")))).is_err());
    }

    #[test]
    fn ids_differ_by_request_place_and_number() {
        let (one, two) = (ClientMessageId([1; 16]), ClientMessageId([2; 16]));
        let group = ConversationId::Everyone;
        let direct = ConversationId::direct(UserId(5), UserId(6)).expect("two users");
        let ids = [(one, group, 0), (two, group, 0), (one, direct, 0), (one, group, 1)];
        let ids = ids.map(|(request, to, number)| forwarded_id(request, to, number));
        for (at, id) in ids.iter().enumerate() {
            assert_eq!(ids.iter().position(|other| other == id), Some(at));
        }
    }
}
