//! Users' own states of conversations.

use std::time::Duration;

use troupe_chaos::history::{DeviceNumber, Outcome, Personal, Record};
use troupe_core::{ConversationId, UserId};

use super::Evidence;

impl Evidence {
    /// A change whose first attempt was at `asked`, or its outcome.
    pub fn personal(
        &self,
        device: DeviceNumber,
        user: UserId,
        conversation: ConversationId,
        asked: u64,
        personal: &Personal,
        outcome: Outcome,
    ) {
        let (user, conversation, personal) = (user.0, conversation.to_string(), personal.clone());
        self.record(|at| Record::Personal { at, asked, device, user, conversation, personal, outcome });
    }

    /// The version, the pin and the cleared history.
    pub fn personal_state(
        &self,
        device: DeviceNumber,
        user: UserId,
        conversation: ConversationId,
        asked: Duration,
        (version, pin, cleared): (u64, u64, u64),
    ) {
        let (user, conversation, asked) = (user.0, conversation.to_string(), asked.as_micros() as u64);
        self.record(|at| Record::PersonalState { at, asked, device, user, conversation, version, pin, cleared });
    }

    /// All messages of the conversation that the user has saved.
    pub fn saved(
        &self,
        device: DeviceNumber,
        user: UserId,
        conversation: ConversationId,
        asked: Duration,
        seqs: Vec<u64>,
    ) {
        let (user, conversation, asked) = (user.0, conversation.to_string(), asked.as_micros() as u64);
        self.record(|at| Record::Saved { at, asked, device, user, conversation, seqs });
    }

    pub fn personal_page(
        &self,
        device: DeviceNumber,
        user: UserId,
        conversation: ConversationId,
        asked: Duration,
        shown: Vec<u64>,
    ) {
        let (user, conversation, asked) = (user.0, conversation.to_string(), asked.as_micros() as u64);
        self.record(|at| Record::PersonalPage { at, asked, device, user, conversation, shown });
    }
}
