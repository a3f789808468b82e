//! Whether a user may ask another one for a contact, by the groups that both are in.
//!
//! Each group is in a shard of its own, so the node asks the shards of the caller's groups. It
//! looks at the first ones of a long list only, and stops at the first that allows it.

use futures::{StreamExt, stream};
use troupe_core::feature::{Meeting, NO_CONTACT};
use troupe_core::{ConversationId, Rejection, UserId, limits};

use crate::message::{Answer, Refusal, Request, wire};
use crate::service::{Caller, Service};

/// Groups that are asked at once.
const AT_ONCE: usize = 16;

/// Refuses a request between two users that share only groups whose members may not contact each
/// other. A request that was made already, or answers another one, is none of these.
pub(super) async fn may_ask(service: &Service, caller: &Caller, other: UserId) -> Result<(), Refusal> {
    let user = caller.user();
    let contact = service.ask_leader(user.slot(), user, wire::ShowContact { user_id: other.0 }).await?;
    if contact.state() != wire::ContactState::Unspecified {
        return Ok(());
    }
    let (mut after, mut looked, mut meeting) = (None, 0, Meeting::Apart);
    while looked < limits::SEARCH_CONVERSATIONS {
        let request = Request::Inbox { user, after, limit: limits::PAGE_CONVERSATIONS };
        let Answer::Inbox { conversations, next } = service.ask(user.slot(), request).await? else {
            return Err(Refusal::Unavailable);
        };
        looked += conversations.len();
        let groups = conversations.into_iter().filter(|conversation| conversation.is_group());
        let mut asked = stream::iter(groups).map(|group| by(service, user, group, other)).buffer_unordered(AT_ONCE);
        while let Some(found) = asked.next().await {
            meeting = meeting.and(found.map_err(Refusal::of_lookup)?);
            if meeting == Meeting::Allowed {
                return Ok(());
            }
        }
        match next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    if meeting == Meeting::Refused { Err(Rejection::from(NO_CONTACT).into()) } else { Ok(()) }
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
