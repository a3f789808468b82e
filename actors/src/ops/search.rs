//! `search`: messages of the user's conversations, newest first.
//!
//! The node of the caller reads the user's list and asks the leader of each shard that has one of
//! these conversations. A leader walks through them in order of time and resolves each message as a
//! page of history does, so a search shows what history shows. The index of the leader only spares
//! it the blocks and messages that cannot match. Everything newer than the *frontier* of an answer
//! was looked at; the page ends at the newest frontier of all shards, and the next one begins
//! there.

mod place;
mod walk;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use troupe_core::planted::Bug;
use troupe_core::search::Query;
use troupe_core::{ConversationId, Rejection, ShardId, Slot, UserId, limits};
use troupe_proto::client;
use troupe_store::rows::search::Wanted;

use super::cost::{Cost, READ, SEARCH};
use super::{Answered, AtLeader, Leader, Operation, Plan};
use crate::message::{Answer, Refusal, Request, page_limit, wire};
use crate::service::{Caller, Service};
use place::{Page, Place};
use walk::{Search, search};

/// Rows that cost a unit.
const ROWS_PER_UNIT: u64 = 25;
/// For the answer of one shard. Another one delays a search no longer than this.
const PART_PATIENCE: Duration = Duration::from_secs(2);

const NOTHING_WANTED: Rejection = Rejection::BadRequest("name a word, a sender or a kind to search for");

impl Operation for wire::Search {
    /// A question to each shard, and all rows that they may read.
    fn cost(&self) -> Cost {
        Cost::Units(SEARCH + limits::SEARCH_ROWS as u64 / ROWS_PER_UNIT)
    }

    fn worth(answered: &Answered<Self>) -> Option<u64> {
        Some(answered.as_ref().map_or(READ, |found| SEARCH / 2 + u64::from(found.rows) / ROWS_PER_UNIT))
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        checked(&self)?;
        let user = caller.user();
        let page: Page = match self.page.as_str() {
            "" => Page::default(),
            text => text.parse().map_err(|()| Refusal::from(Rejection::BadRequest("page is that of an answer")))?,
        };
        let (conversations, next) = if self.conversations.is_empty() {
            conversations_of(&service, user, page.after).await?
        } else {
            (named(&self.conversations)?, None)
        };
        let mut by_shard: BTreeMap<ShardId, Vec<ConversationId>> = BTreeMap::new();
        for id in conversations {
            let shard = service.context.router.shard_of(id.slot()).ok_or(Refusal::OVERLOADED)?;
            by_shard.entry(shard).or_default().push(id);
        }
        let limit = page_limit(self.limit, limits::PAGE_FOUND);
        let rows = (limits::SEARCH_ROWS / by_shard.len().max(1)).max(limits::SEARCH_ROWS_OF_SHARD);
        let alone = self.conversations.len() == 1;
        let asked = by_shard.into_values().map(|conversations| {
            let slot = conversations.first().map_or(Slot(0), |id| id.slot());
            let part = wire::Search {
                page: Page { before: page.before, after: None }.to_string(),
                limit: limit as u32,
                conversations: conversations.iter().map(ConversationId::to_string).collect(),
                rows: rows as u32,
                ..self.clone()
            };
            let service = service.clone();
            async move { (service.ask_leader_within(PART_PATIENCE, slot, user, part).await, conversations) }
        });
        let mut answers = futures::stream::iter(asked).buffer_unordered(limits::SEARCHED_AT_ONCE);
        let mut merged = Merged::default();
        while let Some((answer, conversations)) = answers.next().await {
            match answer {
                Ok(found) => merged.add(found)?,
                Err(refusal @ Refusal::Rejected { .. }) if alone => return Err(refusal),
                // It has left the only conversation of this shard on its list.
                Err(Refusal::Rejected { code, .. }) if code == Rejection::NotMember.code() => {}
                Err(_) => merged.incomplete.extend(conversations.iter().map(ConversationId::to_string)),
            }
        }
        Ok(merged.cut(limit, page.after, next))
    }
}

impl AtLeader for wire::Search {
    fn plan(self, reader: UserId, leader: &Leader<'_>) -> Result<Plan<wire::Found>, Refusal> {
        let query = checked(&self)?;
        let page: Page = match self.page.as_str() {
            "" => Page::default(),
            text => text.parse().map_err(|()| Refusal::from(Rejection::BadRequest("page is that of an answer")))?,
        };
        let rows = match self.rows as usize {
            0 => limits::SEARCH_ROWS,
            rows => rows.min(limits::SEARCH_ROWS),
        };
        let wanted = Wanted {
            words: query.lookups(),
            sender: Some(UserId(self.sender)).filter(|sender| sender.0 != 0),
            kind: Some(self.kind).filter(|kind| *kind != 0),
        };
        let search_for = Search {
            conversations: named(&self.conversations)?,
            query,
            wanted,
            reader,
            after_ms: self.after_ms,
            before_ms: self.before_ms,
            before: page.before,
            limit: page_limit(self.limit, limits::PAGE_FOUND),
            now: leader.context.cluster.time(),
            rows,
            size: leader.context.cluster.search_block(),
            shows_hidden: leader.context.platform.planted(Bug::SearchShowsHidden),
        };
        Ok(Plan::read(reader, rows, move |view| search(view, &search_for)))
    }
}

/// The query, if the request can be performed.
fn checked(asked: &wire::Search) -> Result<Query, Refusal> {
    if asked.query.chars().count() > limits::SEARCH_CHARS {
        return Err(Rejection::BadRequest("the query is longer than a search takes: leave words out").into());
    }
    let query = Query::of(&asked.query).map_err(Rejection::from)?;
    if query.is_empty() && asked.sender == 0 && asked.kind == 0 {
        return Err(NOTHING_WANTED.into());
    }
    Ok(query)
}

fn named(conversations: &[String]) -> Result<Vec<ConversationId>, Refusal> {
    if conversations.len() > limits::SEARCH_CONVERSATIONS {
        return Err(Rejection::BadRequest("name fewer conversations").into());
    }
    let ids = conversations.iter().map(|text| client::conversation("search.conversations", text));
    Ok(ids.collect::<Result<_, _>>()?)
}

/// The first conversations of the user's list behind `after`, and the last of them if there are
/// more.
async fn conversations_of(
    service: &Service,
    user: UserId,
    after: Option<ConversationId>,
) -> Result<(Vec<ConversationId>, Option<ConversationId>), Refusal> {
    // The channel is on each user's list and in no row: it comes first.
    let mut ids: Vec<ConversationId> = after.is_none().then_some(ConversationId::Everyone).into_iter().collect();
    let mut from = after;
    while ids.len() < limits::SEARCH_CONVERSATIONS {
        let limit = limits::PAGE_CONVERSATIONS.min(limits::SEARCH_CONVERSATIONS - ids.len());
        let request = Request::Inbox { user, after: from, limit };
        match service.ask(user.slot(), request).await? {
            Answer::Inbox { conversations, next } => {
                ids.extend(conversations);
                from = next;
            }
            _ => return Err(Refusal::Unavailable),
        }
        if from.is_none() {
            break;
        }
    }
    Ok((ids, from))
}

/// The answers of shards, put together.
#[derive(Default)]
struct Merged {
    messages: Vec<(Place, wire::FoundMessage)>,
    /// Below it, some shard has not looked.
    frontier: Option<Place>,
    incomplete: Vec<String>,
    rows: u32,
}

impl Merged {
    fn add(&mut self, found: wire::Found) -> Result<(), Refusal> {
        for message in found.messages {
            let conversation = client::conversation("found.conversation", &message.conversation)?;
            self.messages.push((Place::of(message.time_ms, conversation, message.seq), message));
        }
        if !found.page.is_empty() {
            let page: Page = found.page.parse().map_err(|()| Refusal::Unavailable)?;
            self.frontier = self.frontier.max(page.before);
        }
        self.rows = self.rows.saturating_add(found.rows);
        Ok(())
    }

    /// The page, newest first. `after`: the conversation behind which this part of the list begins;
    /// `next`: the one behind which the next part does.
    fn cut(mut self, limit: usize, after: Option<ConversationId>, next: Option<ConversationId>) -> wire::Found {
        self.messages.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
        let frontier = self.frontier;
        self.messages.retain(|(place, _)| frontier.is_none_or(|frontier| *place >= frontier));
        let mut before = frontier;
        if self.messages.len() > limit {
            self.messages.truncate(limit);
            before = self.messages.last().map(|(place, _)| *place);
        }
        let page = match (before, next) {
            (Some(before), _) => Page { before: Some(before), after }.to_string(),
            (None, Some(next)) => Page { before: None, after: Some(next) }.to_string(),
            (None, None) => String::new(),
        };
        let messages = self.messages.into_iter().map(|(_, message)| message).collect();
        wire::Found { messages, page, incomplete: self.incomplete, rows: self.rows }
    }
}
