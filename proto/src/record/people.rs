//! Commands around profiles.

use bytes::Bytes;
use troupe_core::UserId;
use troupe_core::command::{ChangeProfile, ProfileChange};

use crate::field;
use crate::wire::record as wire;
use troupe_core::form::DecodeError;

impl From<&ChangeProfile> for wire::ChangeProfile {
    fn from(c: &ChangeProfile) -> Self {
        let ProfileChange { display_name, avatar, about, language } = c.change.clone();
        wire::ChangeProfile {
            user: c.user.0,
            request: Bytes::copy_from_slice(&c.request.0),
            display_name,
            avatar,
            about,
            language,
        }
    }
}

impl TryFrom<wire::ChangeProfile> for ChangeProfile {
    type Error = DecodeError;

    fn try_from(c: wire::ChangeProfile) -> Result<Self, DecodeError> {
        let wire::ChangeProfile { user, request, display_name, avatar, about, language } = c;
        Ok(ChangeProfile {
            user: UserId(user),
            request: field::client_message_id("change_profile.request", &request)?,
            change: ProfileChange { display_name, avatar, about, language },
        })
    }
}
