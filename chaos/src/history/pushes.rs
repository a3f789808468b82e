//! Push subscriptions of users, by numbers of the harness.

use serde::{Deserialize, Serialize};

use super::Conversation;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PushStep {
    /// A user asks for a subscription, for the first time.
    Asked { subscription: u64 },
    /// The user learns that the subscription has ended, itself or with its session. No request for
    /// the subscription is without an answer.
    Ended { subscription: u64 },
    /// The user learns that it has muted the conversation, for good.
    Muted { conversation: Conversation },
    /// An attempt at a push reaches the service of the subscription.
    Pushed { subscription: u64, conversation: Conversation, seq: u64, sender: u64 },
}
