//! Ids in JSON: strings, because JavaScript keeps no large number exact.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use troupe_core::{ConversationId, Rejection, UserId};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::problem::Problem;
use crate::query::GREATEST;

const PATTERN: &str = "^[1-9][0-9]{0,15}$";
const CONVERSATION: &str = "^(everyone|d[1-9][0-9]{0,15}-[1-9][0-9]{0,15}|g[1-9][0-9]{0,15})$";

/// The id of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(pub u64);

impl Id {
    /// `None`: not in the one form of an id.
    pub fn parse(text: &str) -> Option<Id> {
        let digits = !text.is_empty() && text.len() <= 16 && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits && !text.starts_with('0') { text.parse().ok().map(Id) } else { None }
    }

    /// A well-formed id above all that are given out is no user's.
    pub fn user(self) -> Result<u64, Problem> {
        if self.0 <= GREATEST { Ok(self.0) } else { Err(Rejection::NoSuchUser.into()) }
    }
}

pub fn users(ids: &[Id]) -> Result<Vec<u64>, Problem> {
    ids.iter().map(|id| id.user()).collect()
}

/// The user of a path. A text that is no id is no user's.
pub fn user_of_path(text: &str) -> Result<u64, Problem> {
    Id::parse(text).ok_or_else(|| Rejection::NoSuchUser.into()).and_then(Id::user)
}

/// The conversation of a path. A text that is no id has the answer of a missing conversation.
// Invariant: private. A missing conversation and a foreign one have the same answer.
pub fn conversation_of_path(text: &str) -> Result<ConversationId, Problem> {
    text.parse().map_err(|_| Rejection::NotMember.into())
}

impl From<UserId> for Id {
    fn from(user: UserId) -> Id {
        Id(user.0)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Id, D::Error> {
        struct Digits;

        impl de::Visitor<'_> for Digits {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id as a string of digits, like \"1029\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                Id::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str("another text"), &self))
            }
        }
        from.deserialize_str(Digits)
    }
}

impl PartialSchema for Id {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(PATTERN));
        text.description(Some("The id of a user, in decimal.")).examples(["1029"]).build().into()
    }
}

impl ToSchema for Id {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Id")
    }
}

/// The id of a conversation, for the description of the API.
pub struct Conversation;

impl PartialSchema for Conversation {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(CONVERSATION));
        let about = "`everyone`, `d<low>-<high>` for two users, or `g<id>` for a group.";
        text.description(Some(about)).examples(["everyone"]).build().into()
    }
}

impl ToSchema for Conversation {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ConversationId")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_form() {
        assert_eq!(serde_json::from_str::<Id>("\"1029\"").ok(), Some(Id(1029)));
        for text in ["1029", "\"\"", "\"0\"", "\"01\"", "\"+1\"", "\"1 \"", "\"-1\"", "\"99999999999999999\"", "null"] {
            assert!(serde_json::from_str::<Id>(text).is_err(), "{text}");
        }
        assert_eq!(serde_json::to_string(&Id(1029)).ok().as_deref(), Some("\"1029\""));
        assert!(Id(GREATEST).user().is_ok() && Id(GREATEST + 1).user().is_err());
    }
}
