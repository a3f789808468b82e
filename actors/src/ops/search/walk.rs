//! The part of a search that one leader performs, over applied state.

use std::collections::BTreeMap;

use prost::Message;
use troupe_core::search::{Query, snippet, text_of};
use troupe_core::{Body, ConversationId, EventKind, Rejection, Seq, Timestamp, UserId, limits};
use troupe_store::engine::EngineError;
use troupe_store::rows::View;
use troupe_store::rows::search::{Block, BlockSize, Wanted};

use super::place::{Page, Place};
use crate::message::wire;
use crate::ops::{Found, fetch};
use crate::visible::visible_from;

/// Events of one look at history.
const LOOK: usize = 64;
/// Bytes that cost as much as a row.
const BYTES_PER_ROW: usize = 1_024;
/// Rows besides the events of a page: the conversation, the member, and what the reader has there.
const PAGE_ROWS: usize = 3;

pub struct Search {
    pub conversations: Vec<ConversationId>,
    pub query: Query,
    pub wanted: Wanted,
    pub reader: UserId,
    pub after_ms: u64,
    /// Zero: none.
    pub before_ms: u64,
    pub before: Option<Place>,
    pub limit: usize,
    /// By the clock of the cluster: messages whose time is over are not found.
    pub now: Timestamp,
    pub rows: usize,
    pub size: Option<BlockSize>,
    /// Only a planted bug.
    pub shows_hidden: bool,
}

/// Walks through the conversations from the newest event on, always on in the one whose next events
/// are the newest. So everything above the frontier was looked at, whenever the walk ends.
pub fn search(view: &View, search: &Search) -> Found<wire::Found> {
    let mut walk = Walk { view, search, rows: 0, found: Vec::new() };
    let mut ahead = BTreeMap::new();
    for &conversation in &search.conversations {
        walk.rows += 2;
        if visible_from(view, conversation, search.reader)?.is_none() && !search.shows_hidden {
            if search.conversations.len() == 1 {
                return Ok(Err(Rejection::NotMember.into()));
            }
            continue;
        }
        if let Some(place) = walk.begin(conversation)? {
            ahead.insert((place, conversation), false);
        }
    }
    let after = Timestamp(search.after_ms);
    let mut moved = false;
    while let Some(((place, conversation), is_exact)) = ahead.pop_last() {
        let enough = walk.found.iter().filter(|(found, _)| *found >= place).count() >= search.limit;
        if enough || (moved && walk.rows >= search.rows) {
            ahead.insert((place, conversation), is_exact);
            break;
        }
        // The first look into a conversation finds where the page begins in it.
        let place = if is_exact { Some(place) } else { walk.enter(conversation)? };
        let Some(place) = place.filter(|place| place.time >= after) else { continue };
        moved = true;
        if let Some(next) = walk.look(place)?.filter(|next| next.time >= after) {
            ahead.insert((next, conversation), true);
        }
    }
    let frontier = ahead.last_key_value().map(|((place, _), _)| *place);
    let Walk { mut found, rows, .. } = walk;
    found.retain(|(place, _)| frontier.is_none_or(|frontier| *place >= frontier));
    found.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
    let mut before = frontier;
    if found.len() > search.limit {
        found.truncate(search.limit);
        before = found.last().map(|(place, _)| *place);
    }
    let page = before.map_or_else(String::new, |before| Page { before: Some(before), after: None }.to_string());
    let messages = found.into_iter().map(|(_, message)| message).collect();
    Ok(Ok(wire::Found { messages, page, incomplete: Vec::new(), rows: u32::try_from(rows).unwrap_or(u32::MAX) }))
}

struct Walk<'a> {
    view: &'a View,
    search: &'a Search,
    /// That were read.
    rows: usize,
    found: Vec<(Place, wire::FoundMessage)>,
}

impl Walk<'_> {
    /// A place behind all events of the conversation, or behind the page before, if that is
    /// earlier.
    fn begin(&mut self, conversation: ConversationId) -> Result<Option<Place>, EngineError> {
        let Some(row) = self.view.conversation(conversation)? else { return Ok(None) };
        let end = Place { time: row.time, conversation, seq: row.head.next() };
        Ok(Some(self.bound().map_or(end, |bound| end.min(bound))))
    }

    fn bound(&self) -> Option<Place> {
        let before_time = Some(self.search.before_ms).filter(|before| *before != 0);
        let before_time = before_time.map(|before| Place::of(before, ConversationId::Everyone, 0));
        self.search.before.into_iter().chain(before_time).min()
    }

    /// The place behind the last event of this conversation before the bound: the times of a log
    /// never go back, so halving finds it.
    fn enter(&mut self, conversation: ConversationId) -> Result<Option<Place>, EngineError> {
        let Some(row) = self.view.conversation(conversation)? else { return Ok(None) };
        let end = Place { time: row.time, conversation, seq: row.head.next() };
        let Some(bound) = self.bound().filter(|bound| *bound < end) else { return Ok(Some(end)) };
        // The first seq that is not before the bound.
        let (mut low, mut high) = (1, row.head.0 + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            self.rows += 1;
            let time = self.view.event(conversation, Seq(middle))?.map_or(Timestamp(0), |event| event.time);
            if (Place { time, conversation, seq: Seq(middle) }) < bound {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if low == 1 {
            return Ok(None);
        }
        self.rows += 1;
        let time = self.view.event(conversation, Seq(low - 1))?.map_or(Timestamp(0), |event| event.time);
        Ok(Some(Place { time, conversation, seq: Seq(low) }))
    }

    /// Looks at some events before this place; the place where it ended, unless the conversation
    /// has none before.
    fn look(&mut self, place: Place) -> Result<Option<Place>, EngineError> {
        let (conversation, before) = (place.conversation, place.seq);
        if before <= Seq(1) {
            return Ok(None);
        }
        let last = Seq(before.0 - 1);
        let mut look = LOOK;
        if let Some(size) = self.search.size.filter(|_| !self.search.wanted.is_empty()) {
            let block = size.around(last);
            let (seqs, rows) =
                self.view.may_be_wanted(Block::of(conversation, last, size), size, &self.search.wanted)?;
            self.rows += rows;
            // Many messages are read faster in a row.
            if let Some(seqs) = seqs.filter(|seqs| seqs.len() <= LOOK / 2) {
                for seq in seqs.into_iter().filter(|seq| *seq < before) {
                    self.page(conversation, seq.next(), 1)?;
                }
                return self.place_of(conversation, Seq(*block.start()));
            }
            // The block before this one may be built.
            look = look.min((before.0 - block.start()) as usize);
        }
        match self.page(conversation, before, look)? {
            Some(first) => self.place_of(conversation, first),
            None => Ok(None),
        }
    }

    /// The place of an event, if the reader may see any before it.
    fn place_of(&mut self, conversation: ConversationId, seq: Seq) -> Result<Option<Place>, EngineError> {
        self.rows += 1;
        if seq <= Seq(1) {
            return Ok(None);
        }
        let first = visible_from(self.view, conversation, self.search.reader)?;
        if first.is_none_or(|first| seq <= first) && !self.search.shows_hidden {
            return Ok(None);
        }
        let event = self.view.event(conversation, seq)?;
        Ok(event.map(|event| Place { time: event.time, conversation, seq }))
    }

    /// A page of history before this seq, of which the messages that are wanted are found. Returns
    /// its first seq.
    fn page(&mut self, conversation: ConversationId, before: Seq, limit: usize) -> Result<Option<Seq>, EngineError> {
        let reader = Some(self.search.reader).filter(|_| !self.search.shows_hidden);
        // No page is for an outsider, and a conversation that was left meanwhile has no messages.
        let Ok(page) = fetch::page(self.view, conversation, reader, before, true, limit, self.search.now)? else {
            return Ok(None);
        };
        self.rows += PAGE_ROWS + page.events.len() + page.encoded_len() / BYTES_PER_ROW;
        let states: BTreeMap<u64, &wire::MessageState> = page.states.iter().map(|state| (state.seq, state)).collect();
        for event in &page.events {
            let state = states.get(&event.seq);
            if event.kind != EventKind::MESSAGE || state.is_some_and(|state| state.erased || state.deleted) {
                continue;
            }
            if let Some(message) = self.wanted(conversation, event, state.and_then(|state| state.body.as_ref())) {
                let place = Place::of(event.time_ms, conversation, event.seq);
                if self.bound().is_none_or(|bound| place < bound) && event.time_ms >= self.search.after_ms {
                    self.found.push((place, message));
                }
            }
        }
        let hidden = || page.more.then(|| Seq(before.0.saturating_sub(limit as u64)));
        Ok(page.events.first().map(|event| Seq(event.seq)).or_else(hidden))
    }

    fn wanted(
        &self,
        conversation: ConversationId,
        event: &wire::Event,
        present: Option<&wire::Body>,
    ) -> Option<wire::FoundMessage> {
        let Search { wanted, query, .. } = self.search;
        if wanted.sender.is_some_and(|sender| sender.0 != event.sender) {
            return None;
        }
        let body: Body = match present {
            Some(body) => body.clone().into(),
            None => event.body()?,
        };
        if wanted.kind.is_some_and(|kind| kind != body.kind) {
            return None;
        }
        let text = text_of(&body);
        let (snippet, places) = snippet(&text, &query.finds(&text)?);
        Some(wire::FoundMessage {
            conversation: conversation.to_string(),
            seq: event.seq,
            time_ms: event.time_ms,
            sender: event.sender,
            kind: body.kind,
            snippet,
            places: places.into_iter().flat_map(|range| [range.start, range.end]).collect(),
        })
    }
}

const _: () = assert!(LOOK <= limits::PAGE_EVENTS);
