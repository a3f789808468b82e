//! The words of a bundle for people.

use super::{Conversation, Status};

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Disabled => "disabled",
            Status::Deleted => "deleted",
        }
    }
}

impl Conversation {
    /// For people.
    pub fn named(&self) -> String {
        match self {
            Conversation::Everyone => "everyone".to_owned(),
            Conversation::Direct(a, b) => format!("{a} and {b}"),
            Conversation::Group { key, .. } => format!("group {key}"),
        }
    }

    pub fn is_group(&self) -> bool {
        matches!(self, Conversation::Group { .. })
    }
}
