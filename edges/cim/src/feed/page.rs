//! The frames of a page: messages that follow each other, and the position behind each write.

use std::collections::BTreeMap;

use troupe_actors::message::wire;
use troupe_actors::service::Caller;
use troupe_core::event::Body;
use troupe_core::{Event, EventKind, Seq, UserId};

use crate::frame::{Between, Frame};

/// Kind of a body that is text.
const TEXT: u32 = Body::TEXT;
/// Bytes of texts in one frame, unless a single text is longer.
const BATCH_BYTES: usize = 128 * 1024;

/// One write, and the position after it.
pub struct Step {
    pub frame: Option<Frame>,
    pub messages: u64,
    pub end: Seq,
}

/// One frame for messages of one sender that follow each other. Frames carry the sender once.
pub fn steps(caller: &Caller, events: Vec<wire::Event>, names: &BTreeMap<UserId, String>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut open: Option<(u64, usize)> = None;
    for event in events {
        let end = Seq(event.seq);
        let Some(text) = text_of(caller, &event) else {
            match steps.last_mut() {
                Some(step) => step.end = end,
                None => steps.push(Step { frame: None, messages: 0, end }),
            }
            continue;
        };
        let bytes = text.len();
        match (&mut open, steps.last_mut()) {
            (Some((sender, held)), Some(Step { frame: Some(frame), messages, end: last }))
                if *sender == event.sender && *held + bytes <= BATCH_BYTES =>
            {
                *held += bytes;
                *messages += 1;
                *last = end;
                frame.batch.push(text);
            }
            _ => {
                open = Some((event.sender, bytes));
                let frame = Frame::offline(&between(caller, event.sender, names), vec![text]);
                steps.push(Step { frame: Some(frame), messages: 1, end });
            }
        }
    }
    steps
}

/// The text that a CIM client shows. `None`: nothing, as for the client's own messages.
pub fn text_of(caller: &Caller, event: &wire::Event) -> Option<String> {
    if UserId(event.sender) == caller.user() {
        return None;
    }
    let EventKind::Message(body) = Event::try_from(event.clone()).ok()?.kind else { return None };
    Some(match body.kind {
        TEXT => String::from_utf8_lossy(&body.content).into_owned(),
        kind => format!("[a message of kind {kind}: open it with a client of Troupe]"),
    })
}

/// The sender whose name a CIM client shows with the event.
pub fn sender_of(caller: &Caller, event: &wire::Event) -> Option<UserId> {
    text_of(caller, event).map(|_| UserId(event.sender))
}

pub fn between(caller: &Caller, sender: u64, names: &BTreeMap<UserId, String>) -> Between {
    let sender = UserId(sender);
    let sender_name = names.get(&sender).cloned().unwrap_or_else(|| sender.to_string());
    Between { sender, sender_name, receiver: caller.user() }
}
