//! `show_group`: the settings of a group, or the retention of a direct conversation, for its
//! members.

use troupe_core::feature::{GroupProfile, Meeting, Settings};
use troupe_core::{ConversationId, Rejection, UserId};
use troupe_proto::client;
use troupe_store::rows::View;

use super::cost::{Cost, READ};
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::message::{Refusal, wire};
use crate::service::{Caller, Service};
use crate::visible::is_in;

/// The member, another one, the group and its texts.
const ROWS: usize = 4;

impl Operation for wire::ShowGroup {
    /// The texts take some KiB.
    fn cost(&self) -> Cost {
        Cost::Units(READ + 4)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("show_group.conversation", &self.conversation)?;
        service.ask_leader(conversation.slot(), caller.user(), self).await
    }
}

impl AtLeader for wire::ShowGroup {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::Group>, Refusal> {
        let conversation = client::conversation("show_group.conversation", &self.conversation)?;
        let other = Some(UserId(self.user_id)).filter(|other| other.0 != 0);
        Ok(Plan::read(user, ROWS, move |view| group(view, user, conversation, other)))
    }
}

fn group(view: &View, user: UserId, conversation: ConversationId, other: Option<UserId>) -> Found<wire::Group> {
    if conversation == ConversationId::Everyone {
        return Ok(Err(Rejection::NotAGroup.into()));
    }
    let row = view.conversation(conversation)?.filter(|row| !row.disbanded);
    let Some(row) = row.filter(|_| is_in(view, conversation, user).unwrap_or(false)) else {
        return Ok(Err(Rejection::NotMember.into()));
    };
    if !conversation.is_group() {
        let settings =
            wire::GroupSettings { retention_seconds: Some(row.retention_seconds.into()), ..Default::default() };
        let conversation = conversation.to_string();
        return Ok(Ok(wire::Group { conversation, settings: Some(settings), ..Default::default() }));
    }
    let role = |user: UserId| view.member(conversation, user).map(|member| member.map(|member| member.role));
    let meeting = match other {
        Some(other) => Meeting::in_group(&row, role(user)?, role(other)?),
        None => Meeting::Apart,
    };
    let profile: GroupProfile = view.get(&conversation)?.unwrap_or_default();
    Ok(Ok(wire::Group {
        conversation: conversation.to_string(),
        settings: Some((&Settings::of(&row, &profile)).into()),
        notice_by: profile.notice_by.map_or(0, |by| by.0),
        notice_ms: profile.notice_at.0,
        bans: row.bans,
        meeting: wire::Meeting::from(meeting).into(),
    }))
}
