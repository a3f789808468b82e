//! Operations that the leader of a shard performs.

use ractor::ActorRef;
use troupe_core::UserId;

use super::ShardState;
use crate::message::Answer;
use crate::ops::{AtLeader, Lead, Leader};
use crate::protocol::ShardMsg;
use crate::reply::ReplyTo;

/// An operation at its leader.
pub(super) struct Leading<'a> {
    pub shard: &'a mut ShardState,
    pub myself: &'a ActorRef<ShardMsg>,
    pub caller: UserId,
    pub reply: ReplyTo,
}

impl Lead for Leading<'_> {
    fn lead<O: AtLeader>(self, operation: O) {
        let Leading { shard, myself, caller, reply } = self;
        let leader = Leader {
            context: &shard.context,
            slots: shard.slots.clone(),
            presence: &shard.presence,
            names: &shard.names,
        };
        match operation.plan(caller, &leader) {
            Ok(plan) => shard.follow(myself, plan, reply, |answer| Answer::message(O::message(answer))),
            Err(refusal) => reply.refuse(refusal),
        }
    }
}
