//! `list_votes`: the users that have voted in a poll, in order of their ids, with their votes.

use troupe_core::error::Refused;
use troupe_core::feature::{ANONYMOUS_POLL, ERASED, NO_SUCH_MESSAGE, NOT_A_POLL, Vote};
use troupe_core::{ConversationId, EventKind, Rejection, Seq, UserId, limits};
use troupe_proto::client;
use troupe_store::rows::View;

use super::cost::{Cost, READ};
use super::fetch::poll_of;
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::message::{Refusal, page_limit, wire};
use crate::service::{Caller, Service};
use crate::visible::visible_from;

impl Operation for wire::ListVotes {
    fn cost(&self) -> Cost {
        Cost::Units(READ * 4)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("list_votes.conversation", &self.conversation)?;
        service.ask_leader(conversation.slot(), caller.user(), self).await
    }
}

impl AtLeader for wire::ListVotes {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::Votes>, Refusal> {
        let conversation = client::conversation("list_votes.conversation", &self.conversation)?;
        let (seq, after) = (Seq(self.seq), Some(UserId(self.after)).filter(|after| after.0 != 0));
        let limit = page_limit(self.limit, limits::PAGE_VOTES);
        Ok(Plan::read(user, limit, move |view| page(view, user, (conversation, seq), after, limit)))
    }
}

// Invariant: private. A member sees the votes of the polls that it sees, and not those of an
// anonymous one.
fn page(
    view: &View,
    user: UserId,
    (conversation, seq): (ConversationId, Seq),
    after: Option<UserId>,
    limit: usize,
) -> Found<wire::Votes> {
    let refused = |refused: Refused| -> Found<wire::Votes> { Ok(Err(Rejection::from(refused).into())) };
    let Some(first) = visible_from(view, conversation, user)? else { return Ok(Err(Rejection::NotMember.into())) };
    let event = view.event(conversation, seq)?.filter(|_| seq >= first);
    let Some(event) = event.filter(|event| event.kind.number() == EventKind::MESSAGE) else {
        return refused(NO_SUCH_MESSAGE);
    };
    match poll_of(&event) {
        None if event.is_erased() => return refused(ERASED),
        None => return refused(NOT_A_POLL),
        Some(poll) if poll.anonymous => return refused(ANONYMOUS_POLL),
        Some(_) => {}
    }
    let after = after.map(|user| (conversation, seq, user));
    let mut rows = view.page::<Vote>(&(conversation, seq), after.as_ref(), limit + 1)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let vote = |((_, _, user), vote): ((ConversationId, Seq, UserId), Vote)| wire::UserVote {
        user_id: user.0,
        options: vote.options,
    };
    Ok(Ok(wire::Votes { votes: rows.into_iter().map(vote).collect(), more }))
}
