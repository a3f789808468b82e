//! `preview_link`: the view that the holder of a link's code has of the group before it joins.

use troupe_core::feature::{BAD_LINK, GroupLink, GroupProfile, code_hash, link_id};
use troupe_core::{ConversationId, Rejection, Timestamp, TokenHash, UserId};
use troupe_proto::client;
use troupe_store::rows::View;

use super::cost::{Cost, READ};
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::message::{Refusal, wire};
use crate::service::{Caller, Service};

/// The link, the group and its texts.
const ROWS: usize = 3;

impl Operation for wire::PreviewLink {
    /// The price of an outsider that asks for a conversation.
    fn cost(&self) -> Cost {
        Cost::Units(READ + 4)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("preview_link.conversation", &self.conversation)?;
        service.ask_leader(conversation.slot(), caller.user(), self).await
    }
}

impl AtLeader for wire::PreviewLink {
    fn plan(self, user: UserId, leader: &Leader<'_>) -> Result<Plan<wire::LinkPreview>, Refusal> {
        let conversation = client::conversation("preview_link.conversation", &self.conversation)?;
        let hash = code_hash(&self.code).ok_or(Rejection::from(BAD_LINK))?;
        let now = leader.context.platform.clock.now();
        Ok(Plan::read(user, ROWS, move |view| preview(view, conversation, hash, now)))
    }
}

// Invariant: private. A wrong code has the answer of a missing group.
fn preview(view: &View, conversation: ConversationId, hash: TokenHash, now: Timestamp) -> Found<wire::LinkPreview> {
    let link: Option<GroupLink> = view.get(&(conversation, link_id(&hash)))?;
    let row = view.conversation(conversation)?.filter(|row| !row.disbanded);
    let (Some(link), Some(row)) = (link.filter(|link| link.hash == hash), row) else {
        return Ok(Err(Rejection::from(BAD_LINK).into()));
    };
    if let Err(why) = link.admits(now) {
        return Ok(Err(why.into()));
    }
    let profile: GroupProfile = view.get(&conversation)?.unwrap_or_default();
    Ok(Ok(wire::LinkPreview {
        conversation: conversation.to_string(),
        name: row.name,
        avatar: profile.avatar,
        notice: profile.notice,
        members: row.members,
    }))
}
