//! Profiles as clients see them.

use troupe_core::UserId;
use troupe_core::command::{ChangeProfile, ProfileChange};
use troupe_core::form::DecodeError;
use troupe_core::record::{Audience, Profile};

use crate::field;
use crate::wire::client as wire;

/// A change of the caller's profile. Core validates the texts.
pub fn change_profile(user: UserId, change: wire::ChangeProfile) -> Result<ChangeProfile, DecodeError> {
    let wire::ChangeProfile { request, display_name, avatar, about, language, messages_from } = change;
    Ok(ChangeProfile {
        user,
        request: field::client_message_id("change_profile.request", &request)?,
        change: ProfileChange {
            display_name,
            avatar,
            about,
            language,
            messages_from: messages_from.map(audience).transpose()?,
        },
    })
}

fn audience(number: i32) -> Result<Audience, DecodeError> {
    match wire::Audience::try_from(number) {
        Ok(wire::Audience::Everyone) => Ok(Audience::Everyone),
        Ok(wire::Audience::Contacts) => Ok(Audience::Contacts),
        Ok(wire::Audience::Unspecified) | Err(_) => {
            Err(field::invalid("change_profile.messages_from", "an audience is everyone or contacts"))
        }
    }
}

impl From<Audience> for wire::Audience {
    fn from(audience: Audience) -> wire::Audience {
        match audience {
            Audience::Everyone => wire::Audience::Everyone,
            Audience::Contacts => wire::Audience::Contacts,
        }
    }
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
        let messages_from = wire::Audience::from(profile.messages_from).into();
        wire::OwnProfile { version: profile.version, messages_from, profile: Some(profile.into()) }
    }
}
