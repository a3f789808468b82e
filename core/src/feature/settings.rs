//! The settings of a group: name, notice, avatar, who joins, what newcomers see, slow mode, a mute
//! of all members, contact between members, retention, and the policy. One change may set several
//! of them. A direct conversation has the retention only, which either user sets.

use prost::Message;

use super::meeting::{MEMBERS_HIDDEN, NO_CONTACT};
use super::policy::{Act, Policy, permit};
use super::{check_name, demand};
use crate::error::{Refused, Rejection};
use crate::event::{Event, EventKind, Role};
use crate::form::record;
use crate::id::{ConversationId, Seq, Timestamp, UserId};
use crate::limits;
use crate::machine::Step;
use crate::record::{Conversation, table};
use crate::state::Rows;
use crate::text::is_reference;

pub(super) const BAD_TIME: Refused = Refused {
    code: "bad_time",
    text: "this time is in the past, or above 2^53: name a later one in milliseconds since 1970, or 0 for none",
};
pub(super) const REFUSALS: &[Refused] = &[BAD_TIME, NO_CONTACT, MEMBERS_HIDDEN];

/// The greatest time that JSON and JavaScript keep exact. It stands for no end.
const LAST_TIME: u64 = (1 << 53) - 1;

/// Settings that are present are set; all others stay as they are. The same bytes as
/// `GroupSettings` of `client.proto`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Settings {
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// An announcement for all members; empty: none.
    #[prost(string, optional, tag = "2")]
    pub notice: Option<String>,
    /// A reference that clients understand, such as the hash of a file; empty: none.
    #[prost(string, optional, tag = "3")]
    pub avatar: Option<String>,
    /// [`Settings::OPEN`], [`Settings::INVITE_ONLY`] or [`Settings::APPROVAL`]; zero: as it is.
    #[prost(uint32, tag = "4")]
    pub join: u32,
    /// [`Settings::SINCE_JOINING`] or [`Settings::EVERYTHING`]; zero: as it is.
    #[prost(uint32, tag = "5")]
    pub history: u32,
    /// Seconds between two messages of a member; zero: no slow mode.
    #[prost(uint64, optional, tag = "6")]
    pub slow_seconds: Option<u64>,
    /// Until then only admins speak, in milliseconds since 1970; zero: all do.
    #[prost(uint64, optional, tag = "7")]
    pub muted_until: Option<u64>,
    #[prost(message, repeated, tag = "8")]
    pub permissions: Vec<Permission>,
    /// Members may not get to know each other: [`super::meeting`].
    #[prost(bool, optional, tag = "9")]
    pub no_contact: Option<bool>,
    /// New messages vanish after so many seconds; zero: they stay.
    #[prost(uint64, optional, tag = "100")]
    pub retention_seconds: Option<u64>,
}

/// The least role for an act, by their numbers.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Permission {
    #[prost(uint32, tag = "1")]
    pub act: u32,
    #[prost(uint32, tag = "2")]
    pub role: u32,
}

impl Permission {
    fn parts(&self) -> Option<(Act, Role)> {
        Some((Act::of(self.act)?, Role::of(self.role.into())?))
    }
}

impl Settings {
    pub const OPEN: u32 = 1;
    pub const INVITE_ONLY: u32 = 2;
    pub const APPROVAL: u32 = 3;
    pub const SINCE_JOINING: u32 = 1;
    pub const EVERYTHING: u32 = 2;

    /// The present settings of a group.
    pub fn of(row: &Conversation, profile: &GroupProfile) -> Settings {
        let policy = Policy(row.policy);
        let permission = |act: Act| Permission { act: act as u32, role: policy.least(act).number().into() };
        Settings {
            name: Some(row.name.clone()),
            notice: Some(profile.notice.clone()),
            avatar: Some(profile.avatar.clone()),
            join: match (row.open, row.asks) {
                (true, _) => Settings::OPEN,
                (false, true) => Settings::APPROVAL,
                (false, false) => Settings::INVITE_ONLY,
            },
            history: if row.shows_history { Settings::EVERYTHING } else { Settings::SINCE_JOINING },
            slow_seconds: Some(row.slow_seconds.into()),
            muted_until: Some(row.muted_until.0),
            permissions: Act::ALL.into_iter().map(permission).collect(),
            no_contact: Some(row.no_contact),
            retention_seconds: Some(row.retention_seconds.into()),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        [&self.name, &self.notice, &self.avatar].into_iter().flatten().map(String::len).sum()
    }

    pub(super) fn words(&self) -> String {
        let named = [
            (self.name.is_some(), "name"),
            (self.notice.is_some(), "notice"),
            (self.avatar.is_some(), "avatar"),
            (self.join != 0, "join policy"),
            (self.history != 0, "history for newcomers"),
            (self.slow_seconds.is_some(), "slow mode"),
            (self.muted_until.is_some(), "mute of all"),
            (!self.permissions.is_empty(), "permissions"),
            (self.no_contact.is_some(), "contact between members"),
            (self.retention_seconds.is_some(), "retention"),
        ];
        let named: Vec<&str> = named.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name).collect();
        format!("changed the settings: {}", named.join(", "))
    }
}

record! {
    "group_profile";
    /// The texts of a group, beside its row, which each message writes.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct GroupProfile {
        pub notice: String = 1,
        pub avatar: String = 2,
        /// The author and the time of the notice.
        pub notice_by: Option<UserId> = 3,
        pub notice_at: Timestamp = 4,
    }
}

table!(GroupProfile, Conversations, Some(0x54), ConversationId);

pub(super) fn check(conversation: ConversationId, settings: &Settings) -> Result<(), Rejection> {
    let wrong = |text: &'static str| Err(Rejection::BadRequest(text));
    if *settings == Settings::default() {
        return wrong("a change of a group names at least one setting");
    }
    let retention = Settings { retention_seconds: settings.retention_seconds, ..Settings::default() };
    if !conversation.is_group() && (conversation == ConversationId::Everyone || *settings != retention) {
        return Err(Rejection::NotAGroup);
    }
    let bounds = limits::EXPIRES_MIN_MS / 1_000..=limits::EXPIRES_MAX_MS / 1_000;
    if settings.retention_seconds.is_some_and(|seconds| seconds != 0 && !bounds.contains(&seconds)) {
        return wrong("messages vanish after 1 second to 31622400 seconds: name a number between, or 0 for never");
    }
    if let Some(name) = &settings.name {
        check_name(name)?;
    }
    if settings.notice.as_ref().is_some_and(|notice| notice.len() > limits::NOTICE_BYTES) {
        return wrong("a notice has at most 4096 bytes: shorten it");
    }
    if settings.avatar.as_ref().is_some_and(|avatar| !is_reference(avatar)) {
        return wrong("an avatar is a reference of at most 256 visible ASCII characters");
    }
    if settings.join > Settings::APPROVAL || settings.history > Settings::EVERYTHING {
        return wrong("this server does not know this setting: name one of its documentation");
    }
    if settings.slow_seconds.is_some_and(|slow| slow > limits::SLOW_SECONDS) {
        return wrong("slow mode has at most 86400 seconds between two messages");
    }
    if settings.permissions.len() > Act::ALL.len() {
        return wrong("a policy names each act at most once");
    }
    let within = |permission: &Permission| permission.parts().is_some_and(|(act, role)| role >= act.lowest());
    if !settings.permissions.iter().all(within) {
        return wrong(
            "only admins may remove, mute, ban, recall or change settings: name a known act and an allowed role",
        );
    }
    match settings.muted_until {
        Some(until) if until > LAST_TIME => Err(BAD_TIME.into()),
        _ => Ok(()),
    }
}

impl Step<'_> {
    /// Imports bring times that are over.
    pub(super) fn check_until(&self, row: &Conversation, until: Timestamp) -> Result<(), Rejection> {
        let is_over = until.0 != 0 && until <= self.time_in(row) && !self.imports();
        if is_over || until.0 > LAST_TIME { Err(BAD_TIME.into()) } else { Ok(()) }
    }

    pub(super) fn decide_settings(
        &self,
        conversation: ConversationId,
        role: Option<Role>,
        row: &Conversation,
        settings: &Settings,
    ) -> Result<EventKind, Rejection> {
        let set = EventKind::SettingsChanged(Box::new(settings.clone()));
        if !conversation.is_group() {
            // Invariant: private. A conversation without events has no settings, so a user cannot
            // begin one with a stranger by them.
            return if row.head == Seq::ZERO { Err(Rejection::NotMember) } else { Ok(set) };
        }
        let needs = [
            (settings.name.is_some(), Act::Rename),
            (settings.notice.is_some() || settings.avatar.is_some(), Act::Notice),
            (settings.join != 0 || settings.history != 0 || settings.slow_seconds.is_some(), Act::Settings),
            (settings.muted_until.is_some(), Act::Mute),
            (settings.no_contact.is_some() || settings.retention_seconds.is_some(), Act::Settings),
        ];
        needs.into_iter().filter(|(is_set, _)| *is_set).try_for_each(|(_, act)| permit(role, row, act))?;
        demand(settings.permissions.is_empty() || role == Some(Role::Owner))?;
        if let Some(until) = settings.muted_until {
            self.check_until(row, Timestamp(until))?;
        }
        Ok(set)
    }

    pub(super) fn project_settings(
        &mut self,
        conversation: ConversationId,
        row: &mut Conversation,
        event: &Event,
        settings: &Settings,
    ) {
        if let Some(name) = &settings.name {
            row.name.clone_from(name);
        }
        if settings.join != 0 {
            (row.open, row.asks) = (settings.join == Settings::OPEN, settings.join == Settings::APPROVAL);
        }
        if settings.history != 0 {
            row.shows_history = settings.history == Settings::EVERYTHING;
        }
        if let Some(slow) = settings.slow_seconds {
            row.slow_seconds = slow as u32;
        }
        if let Some(until) = settings.muted_until {
            row.muted_until = Timestamp(until);
        }
        row.no_contact = settings.no_contact.unwrap_or(row.no_contact);
        if let Some(retention) = settings.retention_seconds {
            row.retention_seconds = retention as u32;
        }
        let mut policy = Policy(row.policy);
        settings.permissions.iter().filter_map(Permission::parts).for_each(|(act, role)| policy.set(act, role));
        row.policy = policy.0;
        if settings.notice.is_none() && settings.avatar.is_none() {
            return;
        }
        let mut profile = self.state.get::<GroupProfile>(&conversation).unwrap_or_default();
        if let Some(notice) = &settings.notice {
            profile.notice.clone_from(notice);
            (profile.notice_by, profile.notice_at) = (Some(event.sender), event.time);
        }
        if let Some(avatar) = &settings.avatar {
            profile.avatar.clone_from(avatar);
        }
        self.state.put(&conversation, &profile);
    }
}
