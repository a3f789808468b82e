//! The votes of the polls of a page.

use troupe_core::content::{Content, Poll};
use troupe_core::feature::{Tally, Vote};
use troupe_core::{ConversationId, Event, EventKind, Seq, UserId, limits};
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use crate::message::wire;

/// The poll that an event is, if it is one whose content is there.
pub fn poll_of(event: &Event) -> Option<Poll> {
    match &event.kind {
        EventKind::Message(body) if body.kind == Content::POLL => match body.typed() {
            Some(Content::Poll(poll)) => Some(poll),
            _ => None,
        },
        _ => None,
    }
}

/// The states of the polls among these consecutive events that have votes or an end. With more of
/// them than a page has, it is cut at its far end.
pub fn polls(
    view: &View,
    conversation: ConversationId,
    reader: UserId,
    events: &mut Vec<Event>,
    backward: bool,
) -> Result<Vec<wire::PollState>, EngineError> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(Vec::new()) };
    let (from, to) = (first.seq, last.seq);
    let before = Seq(from.0.saturating_sub(1));
    let mut rows = view.page::<Tally>(&conversation, Some(&(conversation, before)), events.len())?;
    rows.retain(|((_, seq), _)| *seq <= to);
    let more = rows.len().saturating_sub(limits::PAGE_POLLS);
    if more > 0 && backward {
        rows.drain(..more);
        let oldest = rows.first().map_or(from, |((_, seq), _)| *seq);
        events.retain(|event| event.seq >= oldest);
    } else if more > 0 {
        rows.truncate(limits::PAGE_POLLS);
        let newest = rows.last().map_or(to, |((_, seq), _)| *seq);
        events.retain(|event| event.seq <= newest);
    }
    let mut states = Vec::new();
    for ((_, seq), tally) in rows {
        let Some(poll) = events.iter().find(|event| event.seq == seq).and_then(poll_of) else { continue };
        let own = view.get::<Vote>(&(conversation, seq, reader))?;
        let mut counts = tally.counts;
        counts.resize(poll.options.len(), 0);
        // Invariant: private. Counts from before and after an event would show its vote.
        if poll.anonymous && !tally.closed {
            counts.clear();
        }
        let mine = own.map(|own| own.options).unwrap_or_default();
        states.push(wire::PollState { seq: seq.0, counts, voters: tally.voters, mine, closed: tally.closed });
    }
    Ok(states)
}
