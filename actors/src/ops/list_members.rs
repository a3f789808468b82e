//! `list_members`: a page of a conversation's members, in order of their ids, with their cursors.

use troupe_core::event::Role;
use troupe_core::feature::{MEMBERS_HIDDEN, Mute, shows_members};
use troupe_core::{ConversationId, Rejection, UserId, limits};
use troupe_proto::client;
use troupe_store::rows::View;

use super::cost::{Cost, READ};
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::message::{Refusal, wire};
use crate::service::{Caller, Service};
use crate::visible::visible_from;

impl Operation for wire::ListMembers {
    fn cost(&self) -> Cost {
        Cost::Units(READ + READ * 10)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("list_members.conversation", &self.conversation)?;
        service.ask_leader(conversation.slot(), caller.user(), self).await
    }
}

impl AtLeader for wire::ListMembers {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::Members>, Refusal> {
        let conversation = client::conversation("list_members.conversation", &self.conversation)?;
        let after = Some(UserId(self.after)).filter(|after| after.0 != 0);
        let limit = match self.limit as usize {
            0 => limits::PAGE_MEMBERS,
            limit => limit.min(limits::PAGE_MEMBERS),
        };
        // A row, a cursor, and maybe a mute each.
        Ok(Plan::read(user, 3 * limit, move |view| page(view, user, conversation, after, limit)))
    }
}

fn page(
    view: &View,
    user: UserId,
    conversation: ConversationId,
    after: Option<UserId>,
    limit: usize,
) -> Found<wire::Members> {
    if visible_from(view, conversation, user)?.is_none() {
        return Ok(Err(Rejection::NotMember.into()));
    }
    let row = view.conversation(conversation)?.unwrap_or_default();
    if let Some(member) = view.member(conversation, user)?
        && !shows_members(&row, member.role)
    {
        return Ok(Err(Rejection::from(MEMBERS_HIDDEN).into()));
    }
    let mutes = row.mutes > 0;
    let mut rows: Vec<(UserId, Role)> = match conversation {
        ConversationId::Everyone => Vec::new(),
        ConversationId::Direct { low, high } => {
            let ends = [low, high].into_iter().filter(|end| after.is_none_or(|after| *end > after));
            ends.map(|end| (end, Role::Member)).collect()
        }
        ConversationId::Group(_) => {
            let rows = view.members(conversation, after, limit + 1)?;
            rows.into_iter().map(|(user, member)| (user, member.role)).collect()
        }
    };
    let more = rows.len() > limit;
    rows.truncate(limit);
    let mut members = Vec::with_capacity(rows.len());
    for (user, role) in rows {
        let cursor = view.cursor(conversation, user)?;
        let role = wire::Role::from(role) as i32;
        let mute = if mutes { view.get::<Mute>(&(conversation, user))? } else { None };
        let (delivered, read) = (cursor.delivered.0, cursor.read.0);
        let muted_until_ms = mute.map_or(0, |mute| mute.until.0);
        members.push(wire::Member { user_id: user.0, role, delivered, read, muted_until_ms });
    }
    Ok(Ok(wire::Members { members, more }))
}
