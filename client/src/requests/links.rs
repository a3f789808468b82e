//! Invite links of groups.

use bytes::Bytes;
use troupe_core::{ClientMessageId, ConversationId, Seq, Timestamp, UserId};
use troupe_proto::wire::client as wire;
use troupe_proto::wire::client::change_group::Change;

use crate::client::{Acked, Client};
use crate::connection::{Message, Request, unexpected};
use crate::error::Result;

/// An invite link, without its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkInfo {
    pub link: u64,
    pub by: UserId,
    pub created: Timestamp,
    /// `None`: it does not expire.
    pub expires: Option<Timestamp>,
    pub uses: u32,
    pub used: u32,
}

/// A group in the view of the holder of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkPreview {
    pub conversation: ConversationId,
    pub name: String,
    pub avatar: String,
    pub notice: String,
    pub members: u32,
}

/// The group and the code of the text of a link.
pub fn link_of_text(text: &str) -> Option<(ConversationId, &str)> {
    let (group, code) = text.trim().split_once('.')?;
    let group: ConversationId = group.parse().ok()?;
    group.is_group().then_some((group, code))
}

impl Client {
    /// Makes an invite link and returns its text: the group and a secret code, also for a QR code.
    pub async fn make_link(&self, group: ConversationId, uses: u32, expires: Option<Timestamp>) -> Result<String> {
        let request = ClientMessageId(self.shared.context.rng.bytes());
        let code: String = self.shared.context.rng.bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
        let expires_ms = expires.map_or(0, |expires| expires.0);
        let link = wire::NewLink { code: code.clone(), uses, expires_ms };
        self.change_link(request, group, Change::MakeLink(link)).await?;
        Ok(format!("{group}.{code}"))
    }

    /// The invite links of a group.
    pub async fn links(&self, group: ConversationId) -> Result<Vec<LinkInfo>> {
        let list = wire::ListLinks { conversation: group.to_string() };
        let link = |link: wire::Link| LinkInfo {
            link: link.link,
            by: UserId(link.by),
            created: Timestamp(link.created_ms),
            expires: Some(Timestamp(link.expires_ms)).filter(|expires| expires.0 != 0),
            uses: link.uses,
            used: link.used,
        };
        match self.call(Request::ListLinks(list)).await? {
            Message::Links(list) => Ok(list.links.into_iter().map(link).collect()),
            other => Err(unexpected(&other)),
        }
    }

    pub async fn revoke_link(&self, group: ConversationId, link: u64) -> Result<Acked> {
        let request = ClientMessageId(self.shared.context.rng.bytes());
        self.change_link(request, group, Change::RevokeLink(link)).await
    }

    /// Shows the group of a link to the holder of its code.
    pub async fn preview_link(&self, group: ConversationId, code: &str) -> Result<LinkPreview> {
        let preview = wire::PreviewLink { conversation: group.to_string(), code: code.to_owned() };
        match self.call(Request::PreviewLink(preview)).await? {
            Message::LinkPreview(seen) => {
                let wire::LinkPreview { name, avatar, notice, members, .. } = seen;
                Ok(LinkPreview { conversation: group, name, avatar, notice, members })
            }
            other => Err(unexpected(&other)),
        }
    }

    pub async fn join_by_link(&self, group: ConversationId, code: &str) -> Result<Acked> {
        self.join_by_link_as(ClientMessageId(self.shared.context.rng.bytes()), group, code).await
    }

    pub async fn join_by_link_as(&self, request: ClientMessageId, group: ConversationId, code: &str) -> Result<Acked> {
        self.change_link(request, group, Change::JoinLink(code.to_owned())).await
    }

    async fn change_link(&self, request: ClientMessageId, group: ConversationId, change: Change) -> Result<Acked> {
        let change = wire::ChangeGroup {
            request: Bytes::copy_from_slice(&request.0),
            conversation: group.to_string(),
            change: Some(change),
        };
        match self.call(Request::ChangeGroup(change)).await? {
            Message::SendAck(ack) => Ok(Acked { id: request, seq: Seq(ack.seq), time: Timestamp(ack.time_ms) }),
            other => Err(unexpected(&other)),
        }
    }
}
