//! Messages of a CIM client on their way into a log.
//!
//! A request of CIM has no message id. With a request number and a time it is repeatable: both and
//! the content make the ids of its messages, so that a repeat is answered alike and places nothing.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use troupe_actors::message::{Refusal, wire};
use troupe_actors::ops::Operation;
use troupe_actors::ops::cost::Cost;
use troupe_actors::service::{Caller, Service};
use troupe_core::{ConversationId, UserId};

use crate::answer::Answer;
use crate::body;

/// Messages in one request. Above it: 3000.
const BATCH: usize = 100;
/// Kind of a body that is text.
const TEXT: u32 = 1;

/// The messages of one request, in their order.
pub struct Outgoing {
    texts: Vec<String>,
    /// The number and the time of a request that may be repeated.
    repeatable: Option<(String, i64)>,
}

impl Outgoing {
    pub fn of(body: body::Chat) -> Result<Outgoing, Answer> {
        Outgoing::new(body.msg, body.batch_msg, body.req_no, body.time_stamp)
    }

    pub fn of_push(body: body::Push) -> Result<Outgoing, Answer> {
        Outgoing::new(body.msg, body.batch_msg, body.req_no, body.time_stamp)
    }

    /// As CIM, a batch takes the place of a single message.
    fn new(
        text: Option<String>,
        batch: Option<Vec<String>>,
        number: Option<String>,
        time: i64,
    ) -> Result<Outgoing, Answer> {
        let texts = match batch.filter(|batch| !batch.is_empty()) {
            Some(batch) if batch.len() > BATCH => {
                return Err(Answer::invalid(format!("batchMsg has at most {BATCH} messages")));
            }
            Some(batch) => batch,
            None => vec![text.ok_or_else(|| Answer::invalid("msg is missing"))?],
        };
        // CIM's own examples all have the number 1234567890 and the time 0.
        let repeatable = number.filter(|number| !number.is_empty() && time != 0).map(|number| (number, time));
        Ok(Outgoing { texts, repeatable })
    }

    /// The operations that place the messages. Each one follows the one before it.
    pub fn sends(self, user: UserId, conversation: ConversationId, random: impl Fn() -> [u8; 16]) -> Vec<wire::Send> {
        let mut after = Bytes::new();
        let repeatable = self.repeatable;
        let sends = self.texts.into_iter().enumerate().map(|(place, text)| {
            let id = match &repeatable {
                Some((number, time)) => repeatable_id(user, conversation, number, *time, place, &text),
                None => random(),
            };
            let client_message_id = Bytes::copy_from_slice(&id);
            wire::Send {
                conversation: conversation.to_string(),
                after: std::mem::replace(&mut after, client_message_id.clone()),
                client_message_id,
                body: Some(wire::Body { kind: TEXT, content: text.into(), context: None }),
            }
        });
        sends.collect()
    }
}

fn repeatable_id(
    user: UserId,
    conversation: ConversationId,
    number: &str,
    time: i64,
    place: usize,
    text: &str,
) -> [u8; 16] {
    let mut digest = Sha256::new();
    let parts =
        ["cim", &user.to_string(), &conversation.to_string(), number, &time.to_string(), &place.to_string(), text];
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let mut id = [0; 16];
    id.copy_from_slice(&digest.finalize()[..16]);
    id
}

/// All messages of a request are paid before the first is placed.
pub fn cost(sends: &[wire::Send]) -> Cost {
    let units = sends.iter().map(|send| match send.cost() {
        Cost::Units(units) => units,
        Cost::Heartbeat | Cost::Entry => 1,
    });
    Cost::Units(units.sum())
}

/// Places all, in their order. On an error the ones before it have their place.
pub async fn place(service: &Service, caller: &Caller, sends: Vec<wire::Send>) -> Result<(), Refusal> {
    // Queued in the order of these calls.
    let placing: Vec<_> = sends.into_iter().map(|send| service.perform(caller, send)).collect();
    for placed in placing {
        placed.await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn sends(text: &str, batch: &[&str], number: &str, time: i64) -> Vec<wire::Send> {
        let batch = batch.iter().map(|text| (*text).to_owned()).collect();
        let outgoing = Outgoing::new(Some(text.into()), Some(batch), Some(number.into()), time);
        let next = Cell::new(0);
        let random = || {
            next.set(next.get() + 1);
            [next.get(); 16]
        };
        outgoing.expect("messages").sends(UserId(1), ConversationId::Everyone, random)
    }

    #[test]
    fn a_batch_is_a_chain_of_messages() {
        let sends = sends("ignored", &["one", "two", "three"], "", 0);
        let texts: Vec<_> = sends.iter().filter_map(|send| Some(send.body.as_ref()?.content.as_ref())).collect();
        assert_eq!(texts, [&b"one"[..], b"two", b"three"]);
        assert!(sends[0].after.is_empty());
        assert_eq!(sends[1].after, sends[0].client_message_id);
        assert_eq!(sends[2].after, sends[1].client_message_id);
        assert_eq!(cost(&sends), Cost::Units(3));
    }

    #[test]
    fn a_number_with_a_time_makes_a_request_repeatable() {
        let id = |text: &str, number: &str, time| sends(text, &[], number, time)[0].client_message_id.clone();
        assert_eq!(id("hi", "7", 5), id("hi", "7", 5));
        let others = [id("ho", "7", 5), id("hi", "8", 5), id("hi", "7", 6)];
        assert!(others.iter().all(|other| *other != id("hi", "7", 5)));
        // The example of CIM's documentation is not repeatable.
        assert_eq!(id("hi", "1234567890", 0), Bytes::from_static(&[1; 16]));
        assert_eq!(id("hi", "", 5), Bytes::from_static(&[1; 16]));
    }

    #[test]
    fn too_many_or_no_messages_are_refused() {
        let many = Some(vec![String::new(); BATCH + 1]);
        assert!(Outgoing::new(None, many, None, 0).is_err());
        assert!(Outgoing::new(None, Some(Vec::new()), None, 0).is_err());
    }
}
