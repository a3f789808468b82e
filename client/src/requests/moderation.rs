//! Settings of groups, mutes, bans, and the end of a group.

use troupe_core::command::Intent;
use troupe_core::feature::Settings;
use troupe_core::{ConversationId, Timestamp, UserId, limits};
use troupe_proto::wire::client as wire;

use crate::client::{Acked, Client};
use crate::connection::{Message, Request, unexpected};
use crate::error::Result;

/// The settings of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupInfo {
    /// All of them are present.
    pub settings: Settings,
    pub notice_by: Option<UserId>,
    pub notice_at: Timestamp,
    /// Banned users.
    pub bans: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanInfo {
    pub user: UserId,
    pub by: UserId,
    pub at: Timestamp,
}

impl Client {
    pub async fn group(&self, group: ConversationId) -> Result<GroupInfo> {
        match self.call(Request::ShowGroup(wire::ShowGroup { conversation: group.to_string(), user_id: 0 })).await? {
            Message::Group(group) => Ok(GroupInfo {
                settings: group.settings.unwrap_or_default().into(),
                notice_by: Some(UserId(group.notice_by)).filter(|by| by.0 != 0),
                notice_at: Timestamp(group.notice_ms),
                bans: group.bans,
            }),
            other => Err(unexpected(&other)),
        }
    }

    /// Lets new messages of a group, or of a direct conversation, vanish after so many seconds;
    /// zero: they stay.
    pub async fn set_retention(&self, conversation: ConversationId, seconds: u64) -> Result<Acked> {
        let retention = Settings { retention_seconds: Some(seconds), ..Settings::default() };
        self.set_group(conversation, retention).await
    }

    /// Changes the settings that are present.
    pub async fn set_group(&self, group: ConversationId, settings: Settings) -> Result<Acked> {
        self.change_group(group, Intent::Set(Box::new(settings))).await
    }

    /// Mutes a member until this time; `None` lifts the mute.
    pub async fn mute(&self, group: ConversationId, user: UserId, until: Option<Timestamp>) -> Result<Acked> {
        self.change_group(group, Intent::Mute { user, until: until.unwrap_or(Timestamp(0)) }).await
    }

    /// Removes a user and keeps it out.
    pub async fn ban(&self, group: ConversationId, user: UserId) -> Result<Acked> {
        self.change_group(group, Intent::Ban { user, lift: false }).await
    }

    pub async fn lift_ban(&self, group: ConversationId, user: UserId) -> Result<Acked> {
        self.change_group(group, Intent::Ban { user, lift: true }).await
    }

    /// Makes another member the owner; this user stays as an admin.
    pub async fn transfer_group(&self, group: ConversationId, to: UserId) -> Result<Acked> {
        self.change_group(group, Intent::Transfer { to }).await
    }

    /// Ends a group for all of its members.
    pub async fn disband_group(&self, group: ConversationId) -> Result<Acked> {
        self.change_group(group, Intent::Disband).await
    }

    /// All bans, in order of the ids of their users.
    pub async fn bans(&self, group: ConversationId) -> Result<Vec<BanInfo>> {
        let (mut bans, mut after) = (Vec::new(), 0);
        loop {
            let list = wire::ListBans { conversation: group.to_string(), after, limit: limits::PAGE_BANS as u32 };
            let page = match self.call(Request::ListBans(list)).await? {
                Message::Bans(page) => page,
                other => return Err(unexpected(&other)),
            };
            let last = page.bans.last().map(|ban| ban.user_id);
            let ban =
                |ban: wire::Ban| BanInfo { user: UserId(ban.user_id), by: UserId(ban.by), at: Timestamp(ban.time_ms) };
            bans.extend(page.bans.into_iter().map(ban));
            match last {
                Some(last) if page.more && last > after => after = last,
                _ => return Ok(bans),
            }
        }
    }
}
