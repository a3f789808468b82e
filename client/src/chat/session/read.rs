//! What was shown counts as read: the other devices of the user, and the others in the
//! conversation, learn of it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::AsyncWrite;
use troupe_core::{ConversationId, Seq};

use super::{Session, Work};

/// Positions are gathered for this long, so that a burst of messages is one request for each
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

impl<W: AsyncWrite + Unpin> Session<W> {
    pub(super) fn has_shown(&mut self, conversation: ConversationId, seq: Seq) {
        self.to_read.positions.insert(conversation, seq);
        if !std::mem::replace(&mut self.to_read.gathering, true) {
            self.work(async {
                tokio::time::sleep(GATHER).await;
                Work::MarkRead
            });
        }
    }

    /// Tells the servers. A position that cannot be told is told with the next message of that
    /// conversation.
    pub(super) fn mark_read(&mut self) {
        self.to_read.gathering = false;
        for (conversation, seq) in std::mem::take(&mut self.to_read.positions) {
            let client = self.client.clone();
            self.to_read.under_way += 1;
            self.work(async move {
                if let Err(error) = client.mark_read(conversation, seq).await {
                    tracing::debug!(%conversation, %error, "a read position is not told");
                }
                Work::Marked
            });
        }
    }
}
