//! Lines of a bundle about users: accounts with their profiles, and contacts with blocks.

use serde::{Deserialize, Serialize};

use super::{is_false, is_zero};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub name: String,
    pub status: Status,
    #[serde(default, skip_serializing_if = "is_false")]
    pub admin: bool,
    /// Zero: unknown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub created_ms: u64,
    /// PHC string of argon2id, if the export was asked for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub password_hash: String,
    #[serde(default, skip_serializing_if = "is_false")]
    pub one_time_password: bool,
    /// The first administrator, whom each cluster makes by itself.
    #[serde(default, skip_serializing_if = "is_false")]
    pub born_with_cluster: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Active,
    Disabled,
    Deleted,
}

/// The texts that a user shows. An empty text was never set, or was erased.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub avatar: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub language: String,
    /// First messages of others wait as invitations.
    #[serde(default, skip_serializing_if = "is_false")]
    pub messages_from_contacts: bool,
}

/// The wants of a user of another one. The other one's part is a line of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    pub user: String,
    pub other: String,
    /// It has asked for a contact, or accepted one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub wants: bool,
    /// Of a request without an answer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remark: String,
    #[serde(default, skip_serializing_if = "is_false")]
    pub blocked: bool,
}
