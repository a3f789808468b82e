//! Bodies of CIM's requests. As CIM, they may have more fields, and an id may be a number or a
//! text.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use troupe_core::UserId;

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Register {
    pub user_name: String,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Login {
    pub user_id: Id,
    pub user_name: String,
}

/// A message to one user, or to all.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Chat {
    pub user_id: Id,
    pub receive_user_id: Option<Id>,
    pub msg: Option<String>,
    pub batch_msg: Option<Vec<String>>,
    /// With a time: the request may be repeated, and its message is placed once.
    pub req_no: Option<String>,
    #[serde(default)]
    pub time_stamp: i64,
}

/// Of CIM's server: a push to one user in the name of another.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Push {
    /// The receiver.
    pub user_id: Id,
    pub msg: Option<String>,
    pub batch_msg: Option<Vec<String>>,
    pub cmd: Option<String>,
    pub properties: Option<Properties>,
    pub req_no: Option<String>,
    #[serde(default)]
    pub time_stamp: i64,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Properties {
    pub send_user_id: Option<Id>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogOut {
    pub user_id: Id,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fetch {
    pub receive_user_id: Id,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(pub UserId);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Id, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the id of a user")
            }

            fn visit_u64<E: de::Error>(self, id: u64) -> Result<Id, E> {
                if id == 0 { Err(E::invalid_value(de::Unexpected::Unsigned(id), &self)) } else { Ok(Id(UserId(id))) }
            }

            fn visit_str<E: de::Error>(self, id: &str) -> Result<Id, E> {
                let wrong = |_| E::invalid_value(de::Unexpected::Str(id), &self);
                id.parse().map_err(wrong).and_then(|id| self.visit_u64(id))
            }
        }
        from.deserialize_any(Read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_number_or_its_text_and_nothing_else() {
        let read = |json: &str| serde_json::from_str::<Id>(json);
        for good in ["1747309836375", "\"1747309836375\""] {
            assert_eq!(read(good).expect(good), Id(UserId(1_747_309_836_375)));
        }
        for bad in ["0", "-1", "1.5", "\"\"", "\"x\"", "null", "[]", "{}", "true", "99999999999999999999"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn other_fields_are_ignored_and_missing_ones_are_not() {
        let chat = serde_json::from_str::<Chat>(r#"{"userId":1,"msg":"hi","batchMsg":null,"reqNo":null,"x":[1]}"#);
        assert_eq!(chat.expect("a message").msg.as_deref(), Some("hi"));
        assert!(serde_json::from_str::<Login>(r#"{"userId":1}"#).is_err());
    }
}
