//! `fetch`: a page of history, with the reactions to its messages, their present states and the
//! votes of its polls.

mod polls;
mod state;

use std::collections::BTreeMap;

use prost::Message;
use troupe_core::feature::{OwnReactions, Reactions};
use troupe_core::planted::Bug;
use troupe_core::{ConversationId, Event, Rejection, Seq, Timestamp, UserId, limits};
use troupe_proto::client;
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

pub use polls::poll_of;

use super::cost::{BYTES_PER_UNIT, Cost, READ};
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::message::{Refusal, wire};
use crate::service::{Caller, Service};
use crate::visible::shown_from;

/// Events of history that cost a unit.
const EVENTS_PER_UNIT: u64 = 25;
/// Bytes of a page that cost a unit: a read is cheaper than a write.
const PAGE_BYTES_PER_UNIT: u64 = 4 * BYTES_PER_UNIT;

impl Operation for wire::Fetch {
    /// The largest page, because events may be of any size: requests in flight at once would
    /// otherwise read far more than their user may.
    fn cost(&self) -> Cost {
        let limit = limit(self.limit);
        let bytes = limit.saturating_mul(limits::MESSAGE_BYTES).min(limits::PAGE_BYTES);
        Cost::Units(units(limit, bytes))
    }

    fn worth(answered: &Answered<Self>) -> Option<u64> {
        Some(answered.as_ref().map_or(READ, |page| units(page.events.len(), page.encoded_len())))
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("fetch.conversation", &self.conversation)?;
        service.ask_leader(conversation.slot(), caller.user(), self).await
    }
}

impl AtLeader for wire::Fetch {
    fn plan(self, reader: UserId, leader: &Leader<'_>) -> Result<Plan<wire::Page>, Refusal> {
        let conversation = client::conversation("fetch.conversation", &self.conversation)?;
        let skips = !self.backward && leader.context.platform.planted(Bug::PageSkipsOne);
        let seq = if skips { Seq(self.seq).next() } else { Seq(self.seq) };
        let (backward, limit, now) = (self.backward, limit(self.limit), leader.context.cluster.time());
        Ok(Plan::read(reader, limit, move |view| page(view, conversation, Some(reader), seq, backward, limit, now)))
    }
}

fn units(events: usize, bytes: usize) -> u64 {
    READ + events as u64 / EVENTS_PER_UNIT + bytes as u64 / PAGE_BYTES_PER_UNIT
}

fn limit(asked: u32) -> usize {
    match asked as usize {
        0 => limits::PAGE_EVENTS,
        limit => limit.min(limits::PAGE_EVENTS),
    }
}

/// Without a reader the page is for the subscribers of a node, which are members. It has no
/// reactions and no states then: connections get each change as an event. A message whose time is
/// over by `now` is erased in the page, even if no commit has erased it.
pub fn page(
    view: &View,
    conversation: ConversationId,
    reader: Option<UserId>,
    seq: Seq,
    backward: bool,
    limit: usize,
    now: Timestamp,
) -> Found<wire::Page> {
    let limit = limit.clamp(1, limits::PAGE_EVENTS);
    let row = view.conversation(conversation)?;
    let (first, deleted) = match reader {
        Some(user) => match shown_from(view, conversation, user)? {
            Some(shown) => shown,
            None => return Ok(Err(Rejection::NotMember.into())),
        },
        None => (Seq(1), Vec::new()),
    };
    let (head, now) = row.map_or((Seq::ZERO, now), |row| (row.head, now.max(row.time)));
    // A node may know an event that a fresh leader has not applied yet. A client's cursor cannot be
    // ahead of its leader.
    if reader.is_some() && !backward && seq > head {
        return Ok(Err(client::Refusal::SeqBeyondHead.into()));
    }
    let (events, mut more) = if backward {
        let before = Some(seq).filter(|seq| *seq != Seq::ZERO);
        let mut events = view.events_before(conversation, before, limit, limits::PAGE_BYTES)?;
        events.retain(|event| event.seq >= first);
        let more = events.first().is_some_and(|event| event.seq > first);
        (events, more)
    } else {
        let after = seq.max(Seq(first.0.saturating_sub(1)));
        let events = view.events(conversation, after, limit, limits::PAGE_BYTES)?;
        let more = events.last().is_some_and(|event| event.seq < head);
        (events, more)
    };
    let events = events.into_iter().map(|event| state::as_of(event, now));
    let mut events: Vec<Event> = events.collect();
    let (mut states, mut polls, mut of_page) = (Vec::new(), Vec::new(), Vec::new());
    if let Some(reader) = reader {
        let whole = events.len();
        state::delete(&mut events, &deleted);
        polls = polls::polls(view, conversation, reader, &mut events, backward)?;
        states = state::states(view, conversation, &mut events, backward)?;
        state::mark_deleted(&mut states, &deleted);
        polls.retain(|poll| events.iter().any(|event| event.seq.0 == poll.seq));
        more |= events.len() < whole;
        of_page = reactions(view, conversation, reader, &events)?;
    }
    let events = events.iter().map(wire::Event::from).collect();
    let conversation = conversation.to_string();
    Ok(Ok(wire::Page { conversation, events, head: head.0, more, reactions: of_page, states, polls }))
}

/// The reactions to these consecutive events, with at most two rows for each event. A view shows
/// one moment, so they are those of the head of the page.
fn reactions(
    view: &View,
    conversation: ConversationId,
    reader: UserId,
    events: &[Event],
) -> Result<Vec<wire::Reactions>, EngineError> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(Vec::new()) };
    let (before, rows) = (Seq(first.seq.0.saturating_sub(1)), events.len());
    let mut all = view.page::<Reactions>(&conversation, Some(&(conversation, before)), rows)?;
    all.retain(|((_, seq), _)| *seq <= last.seq);
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let own = view.page::<OwnReactions>(&(conversation, reader), Some(&(conversation, reader, before)), rows)?;
    let own: BTreeMap<Seq, OwnReactions> = own.into_iter().map(|((_, _, seq), own)| (seq, own)).collect();
    let of_message = |((_, seq), all): ((ConversationId, Seq), Reactions)| {
        let is_mine = |emoji: &String| own.get(&seq).is_some_and(|own| own.emoji.contains(emoji));
        let counts = all.counts.into_iter().map(|count| {
            let mine = is_mine(&count.emoji);
            wire::Reaction { emoji: count.emoji, users: count.users, mine }
        });
        wire::Reactions { seq: seq.0, counts: counts.collect() }
    };
    Ok(all.into_iter().map(of_message).collect())
}
