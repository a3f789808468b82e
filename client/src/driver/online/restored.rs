//! Devices that are ahead of their cluster, which was restored from a backup or recovered from one
//! copy.
//!
//! The welcome names the history of the cluster. The line of each conversation says up to where the
//! histories agree. A device that holds more goes back to that seq, reports the lost events to the
//! application, and continues. The outbox is sent again with the same ids, as after any reconnect.

use std::collections::BTreeSet;

use troupe_core::{ConversationId, Seq};

use crate::client::Incoming;
use crate::driver::Driver;
use crate::store::Record;

impl Driver {
    /// The history of the connected cluster. `None` if it has had only one.
    fn history(&self) -> Option<u64> {
        let history = self.online.as_ref()?.connection.welcome().history;
        Some(history).filter(|history| *history != 0)
    }

    /// A line of the list: events up to `kept` are the same in all histories.
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
                tracing::error!(%error, "cannot store the history; it is compared again after a restart");
            }
            return;
        };
        let lost = cursor.0 - kept.0;
        tracing::warn!(%conversation, %kept, lost, "the cluster was restored and has fewer events than this device");
        self.inbox.go_back(conversation, kept);
        if let Some(cursor) = self.cursors.get_mut(&conversation) {
            *cursor = kept;
        }
        self.read_positions.forget(conversation);
        self.shared.taken.lock().remove(&conversation);
        self.settled.push_back(Incoming::Restored { conversation, kept, lost, history });
    }

    /// The list is complete: held conversations that it lacks were lost entirely.
    pub(super) fn compare_unlisted(&mut self) {
        let (Some(online), Some(_)) = (&self.online, self.history()) else { return };
        let held: BTreeSet<ConversationId> = self.inbox.followed().chain(self.cursors.keys().copied()).collect();
        let gone: Vec<ConversationId> = held.difference(&online.listed).copied().collect();
        for conversation in gone {
            self.compare(conversation, Seq::ZERO);
        }
    }
}
