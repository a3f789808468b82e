//! Web Push: the subscriptions of a user's browsers, and the key of the cluster.

use crate::id::{DeviceId, TokenHash, UserId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangePush {
    pub user: UserId,
    pub change: PushChange,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushChange {
    /// A subscription of the session, which ends with it. Another one with the same endpoint ends.
    Subscribe {
        device: DeviceId,
        token: TokenHash,
        endpoint: String,
        /// The public key of the browser, in base64url.
        p256dh: String,
        /// Its secret for this subscription, in base64url.
        auth: String,
    },
    /// Ends one; one that is not there is over.
    End { endpoint: String },
}

/// The key that the cluster signs pushes with. The first one stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MakePushKey {
    /// PKCS #8, in base64url.
    pub private: String,
    /// The uncompressed point, in base64url.
    pub public: String,
}
