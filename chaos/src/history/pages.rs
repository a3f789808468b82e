//! Parts of a page of history, as a client gets them.

use serde::{Deserialize, Serialize};
use troupe_proto::wire::client as wire;

use super::{Count, PollVotes, digest};

/// The present state of the message at `seq` in a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub seq: u64,
    pub erased: bool,
    pub edits: Vec<u64>,
    /// Of the present body.
    pub digest: Option<String>,
}

impl From<&wire::MessageState> for State {
    fn from(state: &wire::MessageState) -> State {
        State {
            seq: state.seq,
            erased: state.erased,
            edits: state.edits.clone(),
            digest: state.body.clone().map(|body| digest(&body.into())),
        }
    }
}

impl From<&wire::PollState> for PollVotes {
    fn from(of: &wire::PollState) -> PollVotes {
        let wire::PollState { seq, counts, voters, mine, closed, .. } = of.clone();
        PollVotes { seq, counts, voters, mine, closed }
    }
}

impl Count {
    /// The counts of one message.
    pub fn of(of: &wire::Reactions) -> Vec<Count> {
        let count = |reaction: &wire::Reaction| {
            let wire::Reaction { emoji, users, mine } = reaction.clone();
            Count { seq: of.seq, emoji, users, mine }
        };
        of.counts.iter().map(count).collect()
    }
}
