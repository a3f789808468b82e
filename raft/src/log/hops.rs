//! The way of a message through a shard's log, as [`troupe_runtime::trace`] records it.

use troupe_core::{Effect, ShardId};
use troupe_runtime::Platform;
use troupe_runtime::trace::{At, Stage, Subject};

use crate::types::{Applied, Entry, GroupId, LogId, Payload};

/// A stage of an entry. Entries of the meta group carry no messages.
pub fn entry(platform: &Platform, group: GroupId, id: LogId, stage: Stage) {
    if let Some(shard) = group.shard() {
        platform.hop(Subject::entry(shard, id.index), stage, at(shard, id));
    }
}

/// Whether an entry carries commands.
pub fn carries(entry: &Entry) -> bool {
    matches!(entry.payload, Payload::Normal(_))
}

/// The events that an entry became, each with the message that it was.
pub fn applied(platform: &Platform, group: GroupId, id: LogId, applied: &Applied) {
    let (Some(shard), Applied::Outcomes(outcomes)) = (group.shard(), applied) else { return };
    for effect in outcomes.iter().flat_map(|outcome| &outcome.effects) {
        if let Effect::Deliver { conversation, event } = effect {
            let message = Subject::message(*conversation, event.sender, event.client_message_id);
            platform.hop(Subject::event(*conversation, event.seq), Stage::Applied, at(shard, id).detail(message.0));
        }
    }
}

fn at(shard: ShardId, id: LogId) -> At {
    At { term: id.leader_id.term, index: id.index, ..At::shard(shard) }
}
