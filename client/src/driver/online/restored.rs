//! Devices that are ahead of their cluster: it was restored from a backup, or recovered from one
//! copy, and has less than they hold.
//!
//! The welcome says which history the cluster is in, the line of each conversation up to where the
//! histories are the same. A device that holds more goes back to there, tells the application what
//! is gone, and continues with what is there now. The outbox is sent again as after any reconnect,
//! with the same ids.

use std::collections::BTreeSet;

use troupe_core::{ConversationId, Seq};

use crate::client::Incoming;
use crate::driver::Driver;
use crate::store::Record;

impl Driver {
    /// The history of the cluster at the other end; `None` where there has only been one.
    fn history(&self) -> Option<u64> {
        let history = self.online.as_ref()?.connection.welcome().history;
        Some(history).filter(|history| *history != 0)
    }

    /// A line of the list: what is held up to `kept` is the same in all histories.
    pub(super) fn compare(&mut self, conversation: ConversationId, kept: Seq) {
        if let Some(online) = &mut self.online {
            online.listed.insert(conversation);
        }
        let Some(history) = self.history() else { return };
        if self.histories.insert(conversation, history) == Some(history) {
            return;
        }
        let cursor = self.inbox.cursor(conversation).or_else(|| self.cursors.get(&conversation).copied());
        let Some(cursor) = cursor.filter(|cursor| *cursor > kept) else {
            if let Err(error) = self.shared.store.lock().append(&Record::History { conversation, history }) {
                tracing::error!(%error, "the history is not kept: it is compared again after a restart");
            }
            return;
        };
        let lost = cursor.0 - kept.0;
        tracing::warn!(%conversation, %kept, lost, "the cluster was restored and has less than this device holds");
        self.inbox.go_back(conversation, kept);
        if let Some(cursor) = self.cursors.get_mut(&conversation) {
            *cursor = kept;
        }
        self.marks.forget(conversation);
        self.shared.taken.lock().remove(&conversation);
        self.settled.push_back(Incoming::Restored { conversation, kept, lost, history });
    }

    /// The list is whole: of what is held and not in it nothing came back.
    pub(super) fn compare_unlisted(&mut self) {
        let (Some(online), Some(_)) = (&self.online, self.history()) else { return };
        let held: BTreeSet<ConversationId> = self.inbox.followed().chain(self.cursors.keys().copied()).collect();
        let gone: Vec<ConversationId> = held.difference(&online.listed).copied().collect();
        for conversation in gone {
            self.compare(conversation, Seq::ZERO);
        }
    }
}
