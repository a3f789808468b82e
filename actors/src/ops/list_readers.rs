//! `list_readers` and `count_readers`: the members that have read a message, and how many they are
//! for several messages at once.
//!
//! Both read one row and one position of each member, so larger groups do not show it.

use troupe_core::error::Refused;
use troupe_core::feature::{MEMBERS_HIDDEN, NO_SUCH_MESSAGE, shows_members};
use troupe_core::planted::Bug;
use troupe_core::readers::{Position, Readers, is_message};
use troupe_core::{ConversationId, Rejection, Seq, UserId, limits};
use troupe_proto::client;
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use super::cost::{Cost, READ};
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::message::{Refusal, page_limit, wire};
use crate::service::{Caller, Service};
use crate::visible::visible_from;

/// Of the largest group that shows it.
const UNITS: u64 = READ * 20;
/// A row and a position of each member.
const ROWS: usize = 2 * limits::READERS_MEMBERS;

pub const REFUSALS: &[Refused] = &[TOO_MANY_MEMBERS];
const TOO_MANY_MEMBERS: Refused = Refused {
    code: "too_many_members",
    text: "`everyone` and groups of this size do not show who has read a message: ask in a smaller one",
};

impl Operation for wire::ListReaders {
    fn cost(&self) -> Cost {
        Cost::Units(UNITS)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("list_readers.conversation", &self.conversation)?;
        service.ask_leader(conversation.slot(), caller.user(), self).await
    }
}

impl AtLeader for wire::ListReaders {
    fn plan(self, user: UserId, leader: &Leader<'_>) -> Result<Plan<wire::Readers>, Refusal> {
        let conversation = client::conversation("list_readers.conversation", &self.conversation)?;
        let (seq, after, limit) = (Seq(self.seq), UserId(self.after), page_limit(self.limit, limits::PAGE_READERS));
        let planted = leader.context.platform.planted(Bug::NewcomersHaveRead);
        Ok(Plan::read(user, ROWS, move |view| page(view, user, (conversation, seq), (after, limit), planted)))
    }
}

impl Operation for wire::CountReaders {
    fn cost(&self) -> Cost {
        Cost::Units(UNITS + self.seqs.len() as u64 / 10)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("count_readers.conversation", &self.conversation)?;
        if self.seqs.len() > limits::READ_COUNTS {
            return Err(Rejection::TooMany.into());
        }
        service.ask_leader(conversation.slot(), caller.user(), self).await
    }
}

impl AtLeader for wire::CountReaders {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::ReadCounts>, Refusal> {
        let conversation = client::conversation("count_readers.conversation", &self.conversation)?;
        let seqs: Vec<Seq> = self.seqs.into_iter().take(limits::READ_COUNTS).map(Seq).collect();
        Ok(Plan::read(user, ROWS + seqs.len(), move |view| counts(view, user, conversation, &seqs)))
    }
}

fn page(
    view: &View,
    user: UserId,
    (conversation, seq): (ConversationId, Seq),
    (after, limit): (UserId, usize),
    planted: bool,
) -> Found<wire::Readers> {
    let row = view.conversation(conversation)?.unwrap_or_default();
    if view.member(conversation, user)?.is_some_and(|member| !shows_members(&row, member.role)) {
        return Ok(Err(Rejection::from(MEMBERS_HIDDEN).into()));
    }
    let (since, positions) = match positions(view, conversation, user)? {
        Ok(found) => found,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Some(sender) = sender(view, conversation, since, seq)? else {
        return Ok(Err(Rejection::from(NO_SUCH_MESSAGE).into()));
    };
    let readers = if planted { Readers::among(positions.iter(), seq) } else { Readers::of(&positions, seq, sender) };
    let read_by = readers.read_by.len() as u32;
    let mut users: Vec<u64> = readers.read_by.iter().map(|user| user.0).filter(|user| *user > after.0).collect();
    let more = users.len() > limit;
    users.truncate(limit);
    Ok(Ok(wire::Readers { read_by, seen_by: readers.seen_by, users, more }))
}

fn counts(view: &View, user: UserId, conversation: ConversationId, seqs: &[Seq]) -> Found<wire::ReadCounts> {
    let (since, positions) = match positions(view, conversation, user)? {
        Ok(found) => found,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut counts = Vec::with_capacity(seqs.len());
    for seq in seqs {
        let Some(sender) = sender(view, conversation, since, *seq)? else { continue };
        let readers = Readers::of(&positions, *seq, sender);
        counts.push(wire::ReadCount { seq: seq.0, read_by: readers.read_by.len() as u32, seen_by: readers.seen_by });
    }
    Ok(Ok(wire::ReadCounts { counts }))
}

/// The first event that the asking user sees, and all members in order of id.
// Invariant: private.
fn positions(view: &View, conversation: ConversationId, user: UserId) -> Found<(Seq, Vec<Position>)> {
    let Some(since) = visible_from(view, conversation, user)? else {
        return Ok(Err(Rejection::NotMember.into()));
    };
    let members: Vec<(UserId, Seq)> = match conversation {
        ConversationId::Everyone => return Ok(Err(Rejection::from(TOO_MANY_MEMBERS).into())),
        ConversationId::Direct { low, high } => vec![(low, Seq(1)), (high, Seq(1))],
        ConversationId::Group(_) => {
            let rows = view.members(conversation, None, limits::READERS_MEMBERS + 1)?;
            rows.into_iter().map(|(user, member)| (user, member.since)).collect()
        }
    };
    if members.len() > limits::READERS_MEMBERS {
        return Ok(Err(Rejection::from(TOO_MANY_MEMBERS).into()));
    }
    let mut positions = Vec::with_capacity(members.len());
    for (user, since) in members {
        positions.push(Position { user, since, read: view.cursor(conversation, user)?.read });
    }
    Ok(Ok((since, positions)))
}

/// The sender of a message that is seen from this event on.
fn sender(view: &View, conversation: ConversationId, since: Seq, seq: Seq) -> Result<Option<UserId>, EngineError> {
    let event = if seq >= since { view.event(conversation, seq)? } else { None };
    Ok(event.filter(is_message).map(|event| event.sender))
}
