//! Contents of answers, decoded from the wire.

use troupe_core::event::Role;
use troupe_core::{ConversationId, Seq, Timestamp, UserId};
use troupe_proto::wire::client as wire;

use super::{Personal, Profile};
use crate::error::{Error, Result};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    pub device: String,
    pub created: Timestamp,
    /// When the session was last used, coarsely.
    pub used: Timestamp,
    pub online: bool,
    /// The session that asks.
    pub current: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationInfo {
    pub conversation: ConversationId,
    /// A group's name, or the other user's.
    pub name: String,
    pub head: Seq,
    pub time: Timestamp,
    pub delivered: Seq,
    pub read: Seq,
    pub unread: u64,
    pub members: u32,
    pub role: Option<Role>,
    /// Whether anyone may join.
    pub open: bool,
    /// This user's own.
    pub personal: Personal,
    /// Unread messages that mention this user or everyone; 100: that many or more.
    pub mentions: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConversationList {
    pub conversations: Vec<ConversationInfo>,
    /// Conversations whose shard does not answer now. Ask again.
    pub unavailable: Vec<ConversationId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationInfo {
    pub conversation: ConversationId,
    /// The group's name, unless its shard does not answer now.
    pub name: String,
    pub by: UserId,
    /// The event that added this user.
    pub seq: Seq,
    pub created: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    pub user: UserId,
    pub role: Option<Role>,
    pub delivered: Seq,
    pub read: Seq,
    /// `None`: it may speak.
    pub muted_until: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserInfo {
    pub user: UserId,
    pub name: String,
    pub online: bool,
    /// Coarsely. Zero: never, or this user may not see it.
    pub last_seen: Timestamp,
    pub profile: Profile,
}

impl TryFrom<wire::Invitation> for InvitationInfo {
    type Error = Error;

    fn try_from(line: wire::Invitation) -> Result<InvitationInfo> {
        let unnamed = |_| Error::Protocol("an invitation without a conversation".into());
        Ok(InvitationInfo {
            conversation: line.conversation.parse().map_err(unnamed)?,
            name: line.name,
            by: UserId(line.invited_by),
            seq: Seq(line.seq),
            created: Timestamp(line.created_ms),
        })
    }
}

pub(super) fn role(number: i32) -> Option<Role> {
    troupe_proto::client::role("role", number).ok()
}

impl From<wire::Session> for SessionInfo {
    fn from(session: wire::Session) -> SessionInfo {
        SessionInfo {
            device: session.device,
            created: Timestamp(session.created_ms),
            used: Timestamp(session.used_ms),
            online: session.online,
            current: session.current,
        }
    }
}

impl TryFrom<wire::Conversation> for ConversationInfo {
    type Error = Error;

    fn try_from(line: wire::Conversation) -> Result<ConversationInfo> {
        Ok(ConversationInfo {
            conversation: line
                .conversation
                .parse()
                .map_err(|_| Error::Protocol("a conversation without an id".into()))?,
            name: line.name,
            head: Seq(line.head),
            time: Timestamp(line.time_ms),
            delivered: Seq(line.delivered),
            read: Seq(line.read),
            unread: line.unread,
            members: line.members,
            role: role(line.role),
            open: line.open,
            personal: line.personal.unwrap_or_default().into(),
            mentions: line.mentions,
        })
    }
}

impl From<wire::Member> for GroupMember {
    fn from(member: wire::Member) -> GroupMember {
        GroupMember {
            user: UserId(member.user_id),
            role: role(member.role),
            delivered: Seq(member.delivered),
            read: Seq(member.read),
            muted_until: Some(Timestamp(member.muted_until_ms)).filter(|until| until.0 != 0),
        }
    }
}

impl From<wire::User> for UserInfo {
    fn from(user: wire::User) -> UserInfo {
        let profile = user.profile.unwrap_or_default().into();
        let last_seen = Timestamp(user.last_seen_ms);
        UserInfo { user: UserId(user.user_id), name: user.name, online: user.online, last_seen, profile }
    }
}
