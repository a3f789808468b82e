//! Messages to the shards that are led on this node, and to its fan-out.

use ractor::ActorRef;
use troupe_core::ShardId;

use super::Router;
use crate::message::{Push, Refusal, Request};
use crate::protocol::{FanoutMsg, ShardMsg};
use crate::reply::ReplyTo;

impl Router {
    pub fn set_fanout(&self, fanout: Option<ActorRef<FanoutMsg>>) {
        *self.fanout.lock() = fanout;
    }

    pub fn set_shard(&self, shard: ShardId, actor: Option<ActorRef<ShardMsg>>) {
        let mut shards = self.shards.lock();
        match actor {
            Some(actor) => shards.insert(shard, actor),
            None => shards.remove(&shard),
        };
    }

    /// Sends to the present actor of the shard, which may not be the one that proposed. If the
    /// shard is not led here, its next leader reports the heads of its conversations.
    pub fn tell_shard(&self, shard: ShardId, message: ShardMsg) {
        if let Some(actor) = self.shard_here(shard) {
            let _ = actor.send_message(message);
        }
    }

    pub(super) fn shard_here(&self, shard: ShardId) -> Option<ActorRef<ShardMsg>> {
        self.shards.lock().get(&shard).cloned()
    }

    pub(super) fn to_shard_here(&self, shard: ShardId, request: Request, reply: ReplyTo) -> Result<(), Refusal> {
        let actor = self.shard_here(shard).ok_or(Refusal::NotOwner { hint: None })?;
        actor.send_message(ShardMsg::Request { request, reply }).map_err(|_| Refusal::NotOwner { hint: None })
    }

    pub(super) fn to_fanout_here(&self, push: Push) {
        self.tell_fanout(FanoutMsg::Push(push));
    }

    pub fn tell_fanout(&self, message: FanoutMsg) {
        if let Some(fanout) = &*self.fanout.lock() {
            // A fan-out that is gone takes its connections with it.
            let _ = fanout.send_message(message);
        }
    }
}
