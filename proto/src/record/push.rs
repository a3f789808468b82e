//! Commands around Web Push.

use bytes::Bytes;
use troupe_core::UserId;
use troupe_core::command::{ChangePush, MakePushKey, PushChange};
use troupe_core::form::DecodeError;

use crate::field;
use crate::wire::record as wire;
use crate::wire::record::change_push::Change;

impl From<&ChangePush> for wire::ChangePush {
    fn from(c: &ChangePush) -> Self {
        let change = match &c.change {
            PushChange::Subscribe { device, token, endpoint, p256dh, auth } => Change::Subscribe(wire::Subscribe {
                device: device.as_str().to_owned(),
                token_hash: Bytes::copy_from_slice(&token.0),
                endpoint: endpoint.clone(),
                p256dh: p256dh.clone(),
                auth: auth.clone(),
            }),
            PushChange::End { endpoint } => Change::End(endpoint.clone()),
        };
        wire::ChangePush { user: c.user.0, change: Some(change) }
    }
}

impl TryFrom<wire::ChangePush> for ChangePush {
    type Error = DecodeError;

    fn try_from(c: wire::ChangePush) -> Result<Self, DecodeError> {
        let change = match field::required("change_push.change", c.change)? {
            Change::Subscribe(wire::Subscribe { device, token_hash, endpoint, p256dh, auth }) => {
                let device = field::device("subscribe.device", &device)?;
                let token = field::token_hash("subscribe.token_hash", &token_hash)?;
                PushChange::Subscribe { device, token, endpoint, p256dh, auth }
            }
            Change::End(endpoint) => PushChange::End { endpoint },
        };
        Ok(ChangePush { user: UserId(c.user), change })
    }
}

impl From<&MakePushKey> for wire::MakePushKey {
    fn from(c: &MakePushKey) -> Self {
        wire::MakePushKey { private: c.private.clone(), public: c.public.clone() }
    }
}

impl From<wire::MakePushKey> for MakePushKey {
    fn from(c: wire::MakePushKey) -> Self {
        MakePushKey { private: c.private, public: c.public }
    }
}
