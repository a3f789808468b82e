//! Read positions: a displayed message counts as read, and the servers forward this to the user's
//! other devices and to the members.

use std::collections::BTreeMap;
use std::time::Duration;

use troupe_core::{ConversationId, Seq};

use super::{ChatSession, Work};
use crate::chat::Screen;

/// Positions are collected for this long, so that a burst of messages is one request per
/// conversation.
const GATHER: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct ToRead {
    positions: BTreeMap<ConversationId, Seq>,
    gathering: bool,
    under_way: usize,
}

impl ToRead {
    pub fn is_under_way(&self) -> bool {
        self.under_way > 0
    }

    pub fn marked(&mut self) {
        self.under_way -= 1;
    }
}

impl<S: Screen> ChatSession<S> {
    pub(super) fn has_shown(&mut self, conversation: ConversationId, seq: Seq) {
        self.to_read.positions.insert(conversation, seq);
        if !std::mem::replace(&mut self.to_read.gathering, true) {
            self.work(async {
                tokio::time::sleep(GATHER).await;
                Work::MarkRead
            });
        }
    }

    /// Sends the read positions. A failed one is covered by the next message of its conversation.
    pub(super) fn mark_read(&mut self) {
        self.to_read.gathering = false;
        for (conversation, seq) in std::mem::take(&mut self.to_read.positions) {
            let client = self.client.clone();
            self.to_read.under_way += 1;
            self.work(async move {
                if let Err(error) = client.mark_read(conversation, seq).await {
                    tracing::debug!(%conversation, %error, "cannot send a read position");
                }
                Work::Marked
            });
        }
    }
}
