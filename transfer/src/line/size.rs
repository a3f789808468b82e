//! The room that events take in requests.

use super::{Content, Event};

impl Event {
    /// Bytes that it takes in a request, at most: its content once, and its envelope.
    pub fn request_bytes(&self) -> usize {
        const ENVELOPE: usize = 128;
        ENVELOPE
            + match &self.what {
                Content::Text(text) => text.len(),
                Content::Body { base64, .. }
                | Content::Edited { base64, .. }
                | Content::Poll { base64, .. }
                | Content::StreamEnded { base64 }
                | Content::Unknown { base64, .. }
                | Content::Settings { base64 } => base64.len(),
                Content::Recalled { .. } | Content::Vanished { .. } | Content::Erased { .. } => 16,
                Content::Related { base64, mentions, .. } => base64.len() + mentions.len() * 10 + 32,
                Content::Added { users } => users.len() * 10,
                Content::Created { name } | Content::Renamed { name } => name.len(),
                Content::Removed { .. } | Content::Role { .. } | Content::Transferred { .. } => 16,
                Content::Muted { .. } | Content::Banned { .. } | Content::BanLifted { .. } => 24,
                Content::LinkMade { .. } => 64,
                Content::LinkRevoked { .. } | Content::JoinClosed { .. } => 16,
                Content::Pinned { .. } | Content::Unpinned { .. } => 16,
                Content::Call(_) => 48,
                Content::Disbanded {} | Content::JoinAsked {} => 0,
                Content::Reacted { emoji, .. } | Content::TookBack { emoji, .. } => emoji.len(),
            }
    }
}
