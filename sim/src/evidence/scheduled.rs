//! Scheduled messages, as their senders saw them.

use troupe_chaos::history::{DeviceNumber, MessageId, Record};
use troupe_core::{ConversationId, UserId};

use super::Evidence;

impl Evidence {
    /// A message that is to be sent at a time, before its first attempt.
    pub fn scheduling(
        &self,
        device: DeviceNumber,
        user: UserId,
        conversation: ConversationId,
        id: &MessageId,
        deliver_at_ms: u64,
    ) {
        let (place, id, user) = (conversation.to_string(), id.clone(), user.0);
        self.record(|at| Record::Schedule { at, device, user, conversation: place, id, deliver_at_ms });
        let mut seen = self.seen.lock();
        seen.scheduled.insert(conversation);
        seen.conversations.insert(conversation);
    }

    pub fn scheduled(&self, device: DeviceNumber, conversation: ConversationId, id: &MessageId, seq: Option<u64>) {
        let (conversation, id) = (conversation.to_string(), id.clone());
        self.record(|at| Record::Scheduled { at, device, conversation, id, seq });
    }

    pub fn cancel(&self, device: DeviceNumber, conversation: ConversationId, id: &MessageId, done: bool) {
        let (conversation, id) = (conversation.to_string(), id.clone());
        self.record(|at| Record::Cancel { at, device, conversation, id, done });
    }
}
