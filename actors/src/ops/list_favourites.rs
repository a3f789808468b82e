//! `list_favourites`: a page of the caller's saved messages, the last one first.
//!
//! The user's shard has the references, and the shards of the conversations the messages in their
//! present states, as far as the caller sees them now.

use futures::{StreamExt, stream};
use prost::Message;
use troupe_core::record::{Favourite, FavouriteBook};
use troupe_core::{EventKind, UserId, limits};
use troupe_store::rows::View;

use super::cost::{Cost, READ};
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::message::{Refusal, page_limit, wire};
use crate::service::{Caller, Service};

/// Messages of a page that are read at once.
const AT_ONCE: usize = 8;

impl Operation for wire::ListFavourites {
    /// A page, and a question to the shard of each message.
    fn cost(&self) -> Cost {
        Cost::Units(READ * (1 + page_limit(self.limit, limits::PAGE_FAVOURITES) as u64))
    }

    fn worth(answered: &Answered<Self>) -> Option<u64> {
        Some(READ * (1 + answered.as_ref().map_or(0, |page| page.favourites.len()) as u64))
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let user = caller.user();
        let page = service.ask_leader(user.slot(), user, self).await?;
        let whole = stream::iter(page.favourites).map(|favourite| {
            let (service, caller) = (service.clone(), caller.clone());
            async move { read(&service, &caller, favourite).await }
        });
        let favourites = whole.buffered(AT_ONCE).collect().await;
        Ok(cut(wire::Favourites { favourites, ..page }))
    }
}

impl AtLeader for wire::ListFavourites {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::Favourites>, Refusal> {
        let limit = page_limit(self.limit, limits::PAGE_FAVOURITES);
        Ok(Plan::read(user, limit, move |view| references(view, user, self.before, limit)))
    }
}

fn references(view: &View, user: UserId, before: u64, limit: usize) -> Found<wire::Favourites> {
    let before = Some((user, before)).filter(|(_, before)| *before > 0);
    let rows = view.page_before::<Favourite>(&user, before.as_ref(), limit)?;
    let next = if rows.len() < limit { 0 } else { rows.last().map_or(0, |((_, number), _)| *number) };
    let favourites = rows.into_iter().map(|((_, number), row)| wire::Favourite {
        number,
        conversation: row.conversation.to_string(),
        seq: row.seq.0,
        saved_ms: row.saved.0,
        ..wire::Favourite::default()
    });
    let version = view.get::<FavouriteBook>(&user)?.unwrap_or_default().version;
    Ok(Ok(wire::Favourites { favourites: favourites.collect(), next, version }))
}

/// To the bytes of a page; the next one has the rest.
fn cut(page: wire::Favourites) -> wire::Favourites {
    let mut bytes = 0;
    let fits = |favourite: &&wire::Favourite| {
        let is_first = bytes == 0;
        bytes += favourite.encoded_len();
        is_first || bytes <= limits::PAGE_BYTES
    };
    let fit = page.favourites.iter().take_while(fits).count();
    let is_cut = fit < page.favourites.len();
    let last = page.favourites.iter().take(fit).last().map(|favourite| favourite.number);
    let next = last.filter(|_| is_cut).unwrap_or(page.next);
    wire::Favourites { favourites: page.favourites.into_iter().take(fit).collect(), next, ..page }
}

/// Adds the message, unless the caller does not see it any more.
async fn read(service: &Service, caller: &Caller, favourite: wire::Favourite) -> wire::Favourite {
    match seen(service, caller, &favourite.conversation, favourite.seq).await {
        Ok(Some((event, state))) => wire::Favourite { event: Some(event), state, ..favourite },
        Ok(None) | Err(Refusal::Rejected { .. }) => favourite,
        Err(_) => wire::Favourite { unavailable: true, ..favourite },
    }
}

/// The message at this seq in its present state, if the caller sees it.
pub(super) async fn seen(
    service: &Service,
    caller: &Caller,
    conversation: &str,
    seq: u64,
) -> Result<Option<(wire::Event, Option<wire::MessageState>)>, Refusal> {
    let Some(before) = seq.checked_sub(1) else { return Ok(None) };
    let fetch = wire::Fetch { conversation: conversation.to_owned(), seq: before, backward: false, limit: 1 };
    let page = match service.perform(caller, fetch).await {
        // The log ends before it.
        Err(refusal) if refusal.is_ahead() => return Ok(None),
        page => page?,
    };
    let event = page.events.into_iter().next().filter(|event| event.seq == seq && event.kind == EventKind::MESSAGE);
    Ok(event.map(|event| (event, page.states.into_iter().next())))
}
