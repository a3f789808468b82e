//! Whether a user may get in touch with another one, by the groups that both are in.
//!
//! Each group is in a shard of its own, so the node reads the lists of both users, and asks the
//! shards of the groups on both. It looks at the first ones of a long list only, and stops at the
//! first that allows it.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use troupe_core::feature::{Meeting, NO_CONTACT};
use troupe_core::planted::Bug;
use troupe_core::{ConversationId, Level, Rejection, UserId, limits};

use super::cost::NAMED;
use crate::message::{Answer, Refusal, Request, wire};
use crate::service::Service;

/// Groups that are asked at once.
const AT_ONCE: usize = 16;

/// Refuses a request between two users that share only groups whose members may not contact each
/// other. A request that was made already, or answers another one, is none of these.
pub(super) async fn may_ask(service: &Service, user: UserId, other: UserId) -> Result<(), Refusal> {
    if are_related(service, user, other).await? { Ok(()) } else { may_meet(service, user, other).await }
}

/// The same for a message to a user that neither has written to. True: the conversation has begun,
/// so the next message needs no look.
pub(super) async fn may_write(service: &Service, user: UserId, conversation: ConversationId) -> Result<bool, Refusal> {
    let Some(other) = conversation.peer_of(user) else { return Err(Rejection::NotMember.into()) };
    // Before this level no group has the setting.
    if service.context.cluster.level() < Level::SECOND {
        return Ok(false);
    }
    let request = Request::Summaries { user, conversations: vec![conversation] };
    let Answer::Summaries(rows) = service.ask(conversation.slot(), request).await? else {
        return Err(Refusal::Unavailable);
    };
    if rows.iter().any(|row| row.head > 0) {
        return Ok(true);
    }
    if !are_related(service, user, other).await? {
        service.budgets.forward(user, NAMED)?;
        may_meet(service, user, other).await?;
    }
    Ok(false)
}

async fn are_related(service: &Service, user: UserId, other: UserId) -> Result<bool, Refusal> {
    let contact = service.ask_leader(user.slot(), user, wire::ShowContact { user_id: other.0 }).await?;
    Ok(contact.state() != wire::ContactState::Unspecified)
}

async fn may_meet(service: &Service, user: UserId, other: UserId) -> Result<(), Refusal> {
    let (own, theirs) = futures::try_join!(groups(service, user), groups(service, other))?;
    let shared: Vec<ConversationId> = own.intersection(&theirs).copied().take(limits::MEETING_GROUPS).collect();
    let mut meeting = Meeting::Apart;
    let mut asked = stream::iter(shared).map(|group| by(service, user, group, other)).buffer_unordered(AT_ONCE);
    while let Some(found) = asked.next().await {
        meeting = meeting.and(found.map_err(Refusal::of_lookup)?);
        if meeting == Meeting::Allowed {
            return Ok(());
        }
    }
    let refuses = meeting == Meeting::Refused && !service.planted().is(Bug::ApartMembersMeet);
    if refuses { Err(Rejection::from(NO_CONTACT).into()) } else { Ok(()) }
}

/// Groups of a user: on the first pages of its list, and those that wait for its answer.
async fn groups(service: &Service, user: UserId) -> Result<BTreeSet<ConversationId>, Refusal> {
    let invited = service.ask_leader(user.slot(), user, wire::ListInvitations {}).await?;
    let mut groups: BTreeSet<ConversationId> =
        invited.invitations.iter().filter_map(|line| line.conversation.parse().ok()).collect();
    let (mut after, mut looked) = (None, 0);
    while looked < limits::MEETING_CONVERSATIONS {
        let request = Request::Inbox { user, after, limit: limits::PAGE_CONVERSATIONS };
        let Answer::Inbox { conversations, next } = service.ask(user.slot(), request).await? else {
            return Err(Refusal::Unavailable);
        };
        looked += conversations.len();
        groups.extend(conversations);
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    groups.retain(|conversation| conversation.is_group());
    Ok(groups)
}

/// A group that the user has just left says nothing.
async fn by(service: &Service, user: UserId, group: ConversationId, other: UserId) -> Result<Meeting, Refusal> {
    let show = wire::ShowGroup { conversation: group.to_string(), user_id: other.0 };
    match service.ask_leader(group.slot(), user, show).await {
        Ok(group) => Ok(group.meeting().into()),
        Err(Refusal::Rejected { .. }) => Ok(Meeting::Apart),
        Err(refusal) => Err(refusal),
    }
}
