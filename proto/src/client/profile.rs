//! Profiles as clients see them.

use troupe_core::UserId;
use troupe_core::command::{ChangeProfile, ProfileChange};
use troupe_core::form::DecodeError;
use troupe_core::record::Profile;

use crate::field;
use crate::wire::client as wire;

/// A change of the caller's profile. Core validates the texts.
pub fn change_profile(user: UserId, change: wire::ChangeProfile) -> Result<ChangeProfile, DecodeError> {
    let wire::ChangeProfile { request, display_name, avatar, about, language } = change;
    Ok(ChangeProfile {
        user,
        request: field::client_message_id("change_profile.request", &request)?,
        change: ProfileChange { display_name, avatar, about, language },
    })
}

impl From<Profile> for wire::Profile {
    fn from(profile: Profile) -> wire::Profile {
        let Profile { display_name, avatar, about, language, .. } = profile;
        wire::Profile { display_name, avatar, about, language }
    }
}

/// As its user sees it.
impl From<Profile> for wire::OwnProfile {
    fn from(profile: Profile) -> wire::OwnProfile {
        wire::OwnProfile { version: profile.version, profile: Some(profile.into()) }
    }
}
