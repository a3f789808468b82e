//! Steps of calls in the words of a bundle.

use serde::{Deserialize, Serialize};
use troupe_core::feature::CallOutcome;
use troupe_core::{EventKind, Seq, UserId};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Call {
    Started {
        video: bool,
        device: u64,
    },
    Answered {
        call: u64,
        device: u64,
    },
    Ended {
        call: u64,
        caller: String,
        video: bool,
        /// `talked`, `refused`, `busy`, `cancelled` or `missed`.
        outcome: String,
        lasted_ms: u64,
    },
}

impl Call {
    pub fn to_core(&self, known: impl Fn(&str) -> Result<UserId, String>) -> Result<EventKind, String> {
        Ok(match self {
            Call::Started { video, device } => EventKind::CallStarted { video: *video, device: *device },
            Call::Answered { call, device } => EventKind::CallAnswered { call: Seq(*call), device: *device },
            Call::Ended { call, caller, video, outcome, lasted_ms } => EventKind::CallEnded {
                call: Seq(*call),
                caller: known(caller)?,
                video: *video,
                outcome: CallOutcome::named(outcome).ok_or_else(|| format!("no call ends with {outcome:?}"))?,
                lasted_ms: *lasted_ms,
            },
        })
    }
}
