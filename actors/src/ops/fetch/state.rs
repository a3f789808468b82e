//! The present states of the messages of a page: edited, growing, or erased.

use std::collections::BTreeMap;

use prost::Message;
use troupe_core::feature::{Edits, OpenStream, StreamPiece};
use troupe_core::{Body, ConversationId, Event, EventKind, Seq, Timestamp, limits};
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use crate::message::wire;

/// The event as it is shown at this time.
pub fn as_of(event: Event, now: Timestamp) -> Event {
    let is_over = event.vanishes().is_some_and(|at| at <= now);
    if is_over { event.clone().erased().unwrap_or(event) } else { event }
}

/// The states of these consecutive events that have one. Present bodies count as bytes of the page:
/// above its bound the page is cut at its far end, so a reader gets the rest with the next page.
pub fn states(
    view: &View,
    conversation: ConversationId,
    events: &mut Vec<Event>,
    backward: bool,
) -> Result<Vec<wire::MessageState>, EngineError> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(Vec::new()) };
    let before = Seq(first.seq.0.saturating_sub(1));
    let mut edits = view.page::<Edits>(&conversation, Some(&(conversation, before)), events.len())?;
    edits.retain(|((_, seq), _)| *seq <= last.seq);
    let edits: BTreeMap<Seq, Edits> = edits.into_iter().map(|((_, seq), edits)| (seq, edits)).collect();
    let mut streams = view.page::<OpenStream>(&conversation, Some(&(conversation, before)), events.len())?;
    streams.retain(|((_, seq), _)| *seq <= last.seq);
    let streams: BTreeMap<Seq, OpenStream> = streams.into_iter().map(|((_, seq), held)| (seq, held)).collect();
    if edits.is_empty() && streams.is_empty() {
        return Ok(events.iter().filter_map(erased).collect());
    }
    if backward {
        events.reverse();
    }
    let (mut states, mut bytes, mut fit) = (Vec::new(), 0, 0);
    for event in &*events {
        let state = match (edits.get(&event.seq), streams.get(&event.seq)) {
            _ if event.is_erased() => erased(event),
            (_, Some(held)) => Some(streaming(view, conversation, event, held)?),
            (Some(edits), None) => Some(edited(view, conversation, event.seq, edits)?),
            (None, None) => None,
        };
        bytes += wire::Event::from(event).encoded_len() + state.as_ref().map_or(0, Message::encoded_len);
        bytes += streams.get(&event.seq).map_or(0, |held| held.pieces as usize * limits::PIECE_ROW_BYTES);
        if fit > 0 && bytes > limits::PAGE_BYTES {
            break;
        }
        fit += 1;
        states.extend(state);
    }
    events.truncate(fit);
    if backward {
        events.reverse();
        states.reverse();
    }
    Ok(states)
}

/// Takes the contents of these ascending messages, and of their edits, from a page.
pub fn delete(events: &mut [Event], deleted: &[Seq]) {
    let is_deleted = |event: &Event| match &event.kind {
        EventKind::Edited { to, .. } | EventKind::StreamEnded { to, .. } => deleted.binary_search(to).is_ok(),
        kind => kind.number() == EventKind::MESSAGE && deleted.binary_search(&event.seq).is_ok(),
    };
    if deleted.is_empty() {
        return;
    }
    for event in events.iter_mut().filter(|event| is_deleted(event)) {
        // An event of level 1 has no seal of its own, and only a sealed one has lost its content.
        let sealed = if event.seal.is_some() { event.clone() } else { event.clone().sealed() };
        if let Some(erased) = sealed.erased() {
            *event = erased;
        }
    }
}

/// Their states say no more than that.
pub fn mark_deleted(states: &mut [wire::MessageState], deleted: &[Seq]) {
    for state in states.iter_mut().filter(|state| deleted.binary_search(&Seq(state.seq)).is_ok()) {
        *state = wire::MessageState { seq: state.seq, erased: true, deleted: true, ..Default::default() };
    }
}

fn erased(event: &Event) -> Option<wire::MessageState> {
    let is_gone = event.kind.number() == EventKind::MESSAGE && event.is_erased();
    is_gone.then(|| wire::MessageState { seq: event.seq.0, erased: true, ..Default::default() })
}

fn edited(
    view: &View,
    conversation: ConversationId,
    seq: Seq,
    edits: &Edits,
) -> Result<wire::MessageState, EngineError> {
    let last = edits.seqs.last().map_or(Seq::ZERO, |seq| Seq(*seq));
    let body = match view.event(conversation, last)?.map(|event| event.kind) {
        // The time of the message counts, not that of the edit.
        Some(EventKind::Edited { body, .. } | EventKind::StreamEnded { body, .. }) => {
            Some((&Body { context: None, ..body }).into())
        }
        _ => None,
    };
    Ok(wire::MessageState { seq: seq.0, edits: edits.seqs.clone(), body, ..Default::default() })
}

/// The message and its pieces until now.
fn streaming(
    view: &View,
    conversation: ConversationId,
    event: &Event,
    held: &OpenStream,
) -> Result<wire::MessageState, EngineError> {
    let EventKind::Message(body) = &event.kind else { return Ok(wire::MessageState::default()) };
    let mut text = body.as_text().unwrap_or_default().to_owned();
    let pieces = view.page::<StreamPiece>(&(conversation, event.seq), None, held.pieces as usize)?;
    pieces.iter().for_each(|(_, piece)| text.push_str(&piece.text));
    let body = Some((&Body::text(&text)).into());
    Ok(wire::MessageState { seq: event.seq.0, body, streaming: true, pieces: held.pieces, ..Default::default() })
}
