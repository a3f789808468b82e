//! The profile of this user.

use bytes::Bytes;
use troupe_core::command::ProfileChange;
use troupe_core::record::{Audience, Viewers};
use troupe_core::{ClientMessageId, Timestamp, UserId};
use troupe_proto::wire::client as wire;

use crate::client::Client;
use crate::connection::{Message, Request, unexpected};
use crate::error::Result;

/// The texts that a user shows to others. A text without a value is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    pub display_name: String,
    pub avatar: String,
    pub about: String,
    pub language: String,
}

/// The profile of this user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnProfile {
    pub profile: Profile,
    /// Counts the changes: a push with a lower one is late.
    pub version: u64,
    /// Whose first direct message is listed at once.
    pub messages_from: Audience,
}

/// The presence of a user, as far as this user may see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    pub user: UserId,
    pub online: bool,
    /// Coarsely; zero: never, or this user may not see it.
    pub last_seen: Timestamp,
}

impl From<wire::PresencePush> for Presence {
    fn from(push: wire::PresencePush) -> Presence {
        let wire::PresencePush { user_id, online, last_seen_ms } = push;
        Presence { user: UserId(user_id), online, last_seen: Timestamp(last_seen_ms) }
    }
}

impl From<wire::Profile> for Profile {
    fn from(profile: wire::Profile) -> Profile {
        let wire::Profile { display_name, avatar, about, language } = profile;
        Profile { display_name, avatar, about, language }
    }
}

impl From<wire::OwnProfile> for OwnProfile {
    fn from(own: wire::OwnProfile) -> OwnProfile {
        let messages_from = match own.messages_from() {
            wire::Audience::Contacts => Audience::Contacts,
            wire::Audience::Everyone | wire::Audience::Unspecified => Audience::Everyone,
        };
        OwnProfile { profile: own.profile.unwrap_or_default().into(), version: own.version, messages_from }
    }
}

impl Client {
    /// Sets who sees whether this user is online, and when it last was.
    pub async fn change_presence(&self, shown_to: Viewers) -> Result<()> {
        let shown_to = shown_to.number().into();
        self.done(Request::ChangePresence(wire::ChangePresence { shown_to })).await
    }

    /// Sets the users whose presence this device hears of, as [`crate::Incoming::Presence`]; none
    /// ends it. Returns the present state of those that exist. A new connection watches no one.
    pub async fn watch(&self, users: &[UserId]) -> Result<Vec<Presence>> {
        let user_ids = users.iter().map(|user| user.0).collect();
        match self.call(Request::Watch(wire::Watch { user_ids })).await? {
            Message::Watched(watched) => Ok(watched.users.into_iter().map(Presence::from).collect()),
            other => Err(unexpected(&other)),
        }
    }

    pub async fn profile(&self) -> Result<OwnProfile> {
        match self.call(Request::ShowProfile(wire::ShowProfile {})).await? {
            Message::OwnProfile(own) => Ok(own.into()),
            other => Err(unexpected(&other)),
        }
    }

    /// Sets the values that are present, once.
    pub async fn change_profile(&self, change: ProfileChange) -> Result<()> {
        self.change_profile_as(ClientMessageId(self.shared.context.rng.bytes()), change).await
    }

    pub async fn change_profile_as(&self, request: ClientMessageId, change: ProfileChange) -> Result<()> {
        let ProfileChange { display_name, avatar, about, language, messages_from } = change;
        let messages_from = messages_from.map(|from| wire::Audience::from(from).into());
        let request = Bytes::copy_from_slice(&request.0);
        let change = wire::ChangeProfile { request, display_name, avatar, about, language, messages_from };
        self.done(Request::ChangeProfile(change)).await
    }
}
