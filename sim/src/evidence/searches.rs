//! Searches for the words of messages.

use std::time::Duration;

use troupe_chaos::history::{DeviceNumber, MessageId, Record};
use troupe_core::{ConversationId, UserId};

use super::Evidence;

/// One of the newest acknowledged messages and edits, with its conversation.
pub type Target = (ConversationId, MessageId);

impl Evidence {
    /// The newest acknowledged messages and edits.
    pub fn targets(&self, most: usize) -> Vec<Target> {
        let target = |record: &Record| match record {
            Record::Ack { conversation, id, .. } | Record::Changed { conversation, id, .. } => {
                Some((conversation.parse().ok()?, id.clone()))
            }
            _ => None,
        };
        self.look(|seen| seen.records.iter().rev().filter_map(target).take(most).collect())
    }

    /// The seqs that a search for the words of a message or an edit has found in its conversation.
    /// `whole`: the search covered all of the conversation.
    pub fn searched(
        &self,
        (device, user): (DeviceNumber, UserId),
        asked: Duration,
        conversation: ConversationId,
        id: &MessageId,
        found: Vec<u64>,
        whole: bool,
    ) {
        self.looked_at(user, conversation, found.iter().copied());
        let (conversation, id, asked, user) = (conversation.to_string(), id.clone(), asked.as_micros() as u64, user.0);
        self.record(|at| Record::Searched { at, asked, device, user, conversation, id, found, whole });
    }
}
