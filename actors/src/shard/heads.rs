//! Subscribed nodes, and the moved heads that the leader repeats to them: a push may be lost.

use std::collections::BTreeMap;

use troupe_core::{ConversationId, NodeId, Seq, UserId, limits};

use super::{ShardState, TOLD, reads};
use crate::context::Asker;
use crate::message::Push;
use crate::reply::ReplyTo;

impl ShardState {
    pub(super) fn subscribe(&mut self, node: NodeId, interests: Vec<(ConversationId, Vec<UserId>)>, reply: ReplyTo) {
        // First the interest, then the heads: what comes between is pushed or below the head.
        for (conversation, _) in &interests {
            if self.interest.entry(*conversation).or_default().insert(node) {
                self.tell_interest(*conversation);
            }
        }
        self.read(reply, Asker::Node, move |view| reads::subscription_states(view, interests));
    }

    pub(super) fn moved(&mut self, conversation: ConversationId, head: Seq) {
        let furthest = self.moved.get(&conversation).map_or(head, |(known, _)| head.max(*known));
        self.moved.insert(conversation, (furthest, TOLD));
    }

    /// Repeats moved heads, so that a subscriber notices the loss of the last push.
    pub(super) fn tell_heads(&mut self) {
        let mut heads: BTreeMap<NodeId, Vec<(ConversationId, Seq)>> = BTreeMap::new();
        for (conversation, (head, _)) in &self.moved {
            for node in self.interest.get(conversation).into_iter().flatten() {
                heads.entry(*node).or_default().push((*conversation, *head));
            }
        }
        for (node, heads) in heads {
            for part in heads.chunks(limits::HEADS_PER_PUSH) {
                self.context.router.push(node, self.shard, &Push::Heads(part.to_vec()));
            }
        }
        self.moved.retain(|_, (_, times)| {
            *times -= 1;
            *times > 0
        });
    }
}
