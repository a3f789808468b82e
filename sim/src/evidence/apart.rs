//! Members of a group without contact.

use troupe_chaos::history::{ApartStep, Record};
use troupe_core::{ConversationId, UserId};

use super::Evidence;

impl Evidence {
    /// These plain members share no other group, and have not met.
    pub fn apart_begun(&self, group: ConversationId, users: &[UserId]) {
        self.apart(group, ApartStep::Begun { users: users.iter().map(|user| user.0).collect() });
    }

    pub fn apart_shown(&self, group: ConversationId, user: UserId) {
        self.apart(group, ApartStep::Shown { user: user.0 });
    }

    /// The definite answer to a message or a request from one member to another.
    pub fn apart_tried(&self, group: ConversationId, user: UserId, other: UserId, reached: bool) {
        let (user, other) = (user.0, other.0);
        self.apart(
            group,
            match reached {
                true => ApartStep::Reached { user, other },
                false => ApartStep::Refused { user, other },
            },
        );
    }

    fn apart(&self, group: ConversationId, step: ApartStep) {
        let conversation = group.to_string();
        self.record(|at| Record::Apart { at, conversation, step });
    }
}
