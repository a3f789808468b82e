//! A field of an event's content, for forms other than protobuf.

use super::{CallAnswer, CallOutcome};
use crate::event::{Body, Role};
use crate::id::{Seq, Timestamp, TokenHash, UserId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    Number(u64),
    Numbers(Vec<u64>),
    Text(String),
    Flag(bool),
}

macro_rules! from {
    ($($type:ty: |$value:ident| $fact:expr;)*) => {$(
        impl From<&$type> for Fact {
            fn from($value: &$type) -> Fact {
                $fact
            }
        }
    )*};
}

from! {
    UserId: |user| Fact::Number(user.0);
    Vec<u32>: |numbers| Fact::Numbers(numbers.iter().copied().map(u64::from).collect());
    Vec<UserId>: |users| Fact::Numbers(users.iter().map(|user| user.0).collect());
    u32: |number| Fact::Number(u64::from(*number));
    u64: |number| Fact::Number(*number);
    // The name of what it is the hash of; the hash is of no use to a reader.
    TokenHash: |hash| Fact::Number(super::link_id(hash));
    Seq: |seq| Fact::Number(seq.0);
    Timestamp: |time| Fact::Number(time.0);
    String: |text| Fact::Text(text.clone());
    // Programs that want another body than a text read the bytes of the event.
    Body: |body| Fact::Text(body.as_text().unwrap_or_default().to_owned());
    Role: |role| Fact::Text(role.name().to_owned());
    CallAnswer: |answer| Fact::Text(answer.name().to_owned());
    CallOutcome: |outcome| Fact::Text(outcome.name().to_owned());
    bool: |flag| Fact::Flag(*flag);
}
