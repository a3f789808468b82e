//! Web Push: where the browsers of a user get pushes, and the key of the cluster for them.

use super::table;
use crate::form::record;
use crate::id::{ConversationId, DeviceId, Timestamp, TokenHash, UserId};

record! {
    "push_subscription";
    /// It ends with its session.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct PushSubscription {
        pub endpoint: String = 1,
        /// The public key of the browser, in base64url.
        pub p256dh: String = 2,
        pub auth: String = 3,
        pub device: DeviceId = 4,
        pub token: TokenHash = 5,
        pub created: Timestamp = 6,
    }
}

/// By the hash of its endpoint.
pub type PushSubscriptionKey = (UserId, u64);

table!(PushSubscription, Users, Some(0xe0), PushSubscriptionKey);

record! {
    "push_key";
    /// The key pair of VAPID (RFC 8292). No answer to a client has the private part.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct PushKey {
        /// PKCS #8, in base64url.
        pub private: String = 1,
        /// The uncompressed point, in base64url.
        pub public: String = 2,
    }
}

// The cluster has one, under `everyone`.
table!(PushKey, Conversations, Some(0xe1), ConversationId);
