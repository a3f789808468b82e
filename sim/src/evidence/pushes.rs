//! Push subscriptions, and the pushes to them.

use troupe_actors::push::Notice;
use troupe_chaos::history::{PushStep, Record};
use troupe_core::{ConversationId, UserId};

use super::Evidence;

impl Evidence {
    pub fn push_asked(&self, user: UserId, subscription: u64) {
        self.push(user, PushStep::Asked { subscription });
    }

    pub fn push_ended(&self, user: UserId, subscription: u64) {
        self.push(user, PushStep::Ended { subscription });
    }

    pub fn push_muted(&self, user: UserId, conversation: ConversationId) {
        self.push(user, PushStep::Muted { conversation: conversation.to_string() });
    }

    /// An attempt at a push.
    pub fn pushed(&self, user: UserId, subscription: u64, notice: &Notice) {
        let (conversation, seq, sender) = (notice.conversation.to_string(), notice.seq.0, notice.sender.0);
        self.push(user, PushStep::Pushed { subscription, conversation, seq, sender });
    }

    fn push(&self, user: UserId, step: PushStep) {
        self.record(|at| Record::Push { at, user: user.0, step });
    }
}
