//! Strategies for the commands of work that has a time.

use proptest::collection::vec;
use proptest::prelude::*;
use troupe_core::Command;
use troupe_core::command::{CancelScheduled, RunDue, Schedule};

use super::{body, conversation, message_id, slot, time, user};

prop_compose! {
    fn schedule()(
        conversation in conversation(), sender in user(), client_message_id in message_id(), at in time(), body in body()
    ) -> Command {
        Command::from(Schedule { conversation, sender, client_message_id, at, body })
    }
}

pub fn command() -> impl Strategy<Value = Command> {
    let cancel = (conversation(), user(), message_id()).prop_map(|(conversation, sender, client_message_id)| {
        Command::CancelScheduled(CancelScheduled { conversation, sender, client_message_id })
    });
    let run = (slot(), time(), any::<u32>(), vec(user(), 0..4))
        .prop_map(|(slot, until, most, gone)| Command::RunDue(RunDue { slot, until, most, gone }));
    prop_oneof![schedule(), cancel, run]
}
