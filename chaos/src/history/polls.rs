//! Polls and votes, as logs, replicas and pages have them.

use serde::{Deserialize, Serialize};
use troupe_core::content::{Content, Poll};
use troupe_core::{Event, EventKind};

/// A poll, or a step in one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PollStep {
    Asked {
        options: u32,
        multiple: bool,
        anonymous: bool,
    },
    /// Without options: in an anonymous poll, or taken back.
    Voted {
        to: u64,
        options: Vec<u32>,
        removed: bool,
    },
    Closed {
        to: u64,
        voters: u32,
        counts: Vec<u32>,
    },
}

impl PollStep {
    pub fn of(event: &Event) -> Option<PollStep> {
        match &event.kind {
            EventKind::Message(body) => match body.typed() {
                Some(Content::Poll(poll)) => {
                    let Poll { options, multiple, anonymous, .. } = poll;
                    Some(PollStep::Asked { options: options.len() as u32, multiple, anonymous })
                }
                _ => None,
            },
            EventKind::Voted { to, options, removed } => {
                Some(PollStep::Voted { to: to.0, options: options.clone(), removed: *removed })
            }
            EventKind::PollClosed { to, voters, counts } => {
                Some(PollStep::Closed { to: to.0, voters: *voters, counts: counts.clone() })
            }
            _ => None,
        }
    }
}

/// The votes of the poll at `seq`, without zeros at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollVotes {
    pub seq: u64,
    pub counts: Vec<u32>,
    pub voters: u32,
    /// Of the user that asked. None in the counts of a replica.
    #[serde(default)]
    pub mine: Vec<u32>,
    pub closed: bool,
}
