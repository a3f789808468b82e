//! Commands about messages that are placed later, and about due work.

use bytes::Bytes;
use troupe_core::command::{CancelScheduled, RunDue, Schedule};
use troupe_core::form::DecodeError;
use troupe_core::{Timestamp, UserId};

use crate::field;
use crate::wire::record as wire;

impl From<&Schedule> for wire::Schedule {
    fn from(c: &Schedule) -> Self {
        wire::Schedule {
            conversation: c.conversation.to_string(),
            sender: c.sender.0,
            client_message_id: Bytes::copy_from_slice(&c.client_message_id.0),
            deliver_at_ms: c.at.0,
            body: Some((&c.body).into()),
        }
    }
}

impl TryFrom<wire::Schedule> for Schedule {
    type Error = DecodeError;

    fn try_from(c: wire::Schedule) -> Result<Self, DecodeError> {
        Ok(Schedule {
            conversation: field::conversation("schedule.conversation", &c.conversation)?,
            sender: UserId(c.sender),
            client_message_id: field::client_message_id("schedule.client_message_id", &c.client_message_id)?,
            at: Timestamp(c.deliver_at_ms),
            body: field::required("schedule.body", c.body)?.into(),
        })
    }
}

impl From<&CancelScheduled> for wire::CancelScheduled {
    fn from(c: &CancelScheduled) -> Self {
        wire::CancelScheduled {
            conversation: c.conversation.to_string(),
            sender: c.sender.0,
            client_message_id: Bytes::copy_from_slice(&c.client_message_id.0),
        }
    }
}

impl TryFrom<wire::CancelScheduled> for CancelScheduled {
    type Error = DecodeError;

    fn try_from(c: wire::CancelScheduled) -> Result<Self, DecodeError> {
        Ok(CancelScheduled {
            conversation: field::conversation("cancel_scheduled.conversation", &c.conversation)?,
            sender: UserId(c.sender),
            client_message_id: field::client_message_id("cancel_scheduled.client_message_id", &c.client_message_id)?,
        })
    }
}

impl From<&RunDue> for wire::RunDue {
    fn from(c: &RunDue) -> Self {
        let gone = c.gone.iter().map(|user| user.0).collect();
        wire::RunDue { slot: c.slot.0.into(), until_ms: c.until.0, most: c.most, gone }
    }
}

impl TryFrom<wire::RunDue> for RunDue {
    type Error = DecodeError;

    fn try_from(c: wire::RunDue) -> Result<Self, DecodeError> {
        Ok(RunDue {
            slot: field::slot("run_due.slot", c.slot)?,
            until: Timestamp(c.until_ms),
            most: c.most,
            gone: c.gone.into_iter().map(UserId).collect(),
        })
    }
}
