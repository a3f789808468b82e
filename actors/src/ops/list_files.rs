//! `list_files`: the messages of a conversation that are files, newest first.
//!
//! The rows of the list say which messages to read. Each is resolved as a page of history resolves
//! it, so the list shows what history shows: nothing from before a member joined, and nothing that
//! the caller has deleted for itself, or whose time is over. A page that skips many rows ends
//! early, and the next one goes on behind them.

use prost::Message;
use troupe_core::content::Content;
use troupe_core::record::FileMessage;
use troupe_core::{ConversationId, Rejection, Seq, Timestamp, UserId, limits};
use troupe_proto::client;
use troupe_store::rows::View;

use super::cost::{BYTES_PER_UNIT, Cost, READ};
use super::{Answered, AtLeader, Found, Leader, Operation, Plan, fetch};
use crate::message::{Refusal, page_limit, wire};
use crate::service::{Caller, Service};
use crate::visible::shown_from;

/// Messages of a page that cost a unit: each is a small read of its own.
const MESSAGES_PER_UNIT: u64 = 5;
/// Bytes of a page that cost a unit: a read is cheaper than a write.
const PAGE_BYTES_PER_UNIT: u64 = 4 * BYTES_PER_UNIT;

const NO_FILE: Rejection = Rejection::BadRequest("kind: name 2 (image), 3 (voice), 4 (video) or 5 (file), or none");

impl Operation for wire::ListFiles {
    /// The largest page, because a caption may be of any size.
    fn cost(&self) -> Cost {
        Cost::Units(units(page_limit(self.limit, limits::PAGE_FILES), limits::PAGE_BYTES))
    }

    fn worth(answered: &Answered<Self>) -> Option<u64> {
        Some(answered.as_ref().map_or(READ, |page| units(page.events.len(), page.encoded_len())))
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let conversation = client::conversation("list_files.conversation", &self.conversation)?;
        service.ask_leader(conversation.slot(), caller.user(), self).await
    }
}

impl AtLeader for wire::ListFiles {
    fn plan(self, reader: UserId, leader: &Leader<'_>) -> Result<Plan<wire::FileMessages>, Refusal> {
        if self.kind != 0 && !Content::is_file(self.kind) {
            return Err(NO_FILE.into());
        }
        let asked = Asked {
            conversation: client::conversation("list_files.conversation", &self.conversation)?,
            reader,
            before: Some(Seq(self.before)).filter(|before| *before != Seq::ZERO),
            kind: Some(u64::from(self.kind)).filter(|kind| *kind != 0),
            limit: page_limit(self.limit, limits::PAGE_FILES),
            now: leader.context.cluster.time(),
        };
        Ok(Plan::read(reader, limits::FILES_LOOKED_AT, move |view| files(view, &asked)))
    }
}

fn units(messages: usize, bytes: usize) -> u64 {
    READ + messages as u64 / MESSAGES_PER_UNIT + bytes as u64 / PAGE_BYTES_PER_UNIT
}

struct Asked {
    conversation: ConversationId,
    reader: UserId,
    before: Option<Seq>,
    /// `None`: all.
    kind: Option<u64>,
    limit: usize,
    /// By the clock of the cluster.
    now: Timestamp,
}

// Invariant: private. A page of history decides what its reader sees.
fn files(view: &View, asked: &Asked) -> Found<wire::FileMessages> {
    let Asked { conversation, reader, limit, now, .. } = *asked;
    let Some((first, deleted)) = shown_from(view, conversation, reader)? else {
        return Ok(Err(Rejection::NotMember.into()));
    };
    let before = asked.before.map(|seq| (conversation, seq));
    let rows = view.page_before::<FileMessage>(&conversation, before.as_ref(), limits::FILES_LOOKED_AT)?;
    let is_cut = rows.len() == limits::FILES_LOOKED_AT;
    let last = rows.last().map(|((_, seq), _)| *seq).filter(|seq| is_cut && *seq > first);
    let mut page = wire::FileMessages { next: last.map_or(0, |seq| seq.0), ..wire::FileMessages::default() };
    let (mut bytes, mut looked_at) = (0, Seq::ZERO);
    for ((_, seq), FileMessage(kind)) in rows.into_iter().take_while(|((_, seq), _)| *seq >= first) {
        if page.events.len() == limit || bytes > limits::PAGE_BYTES {
            page.next = looked_at.0;
            break;
        }
        looked_at = seq;
        if asked.kind.is_some_and(|wanted| wanted != kind) || deleted.binary_search(&seq).is_ok() {
            continue;
        }
        let Ok(shown) = fetch::page(view, conversation, Some(reader), seq.next(), true, 1, now)? else { continue };
        bytes += shown.encoded_len();
        let state = shown.states.into_iter().next();
        if state.as_ref().is_none_or(|state| !state.erased) {
            page.events.extend(shown.events);
            page.states.extend(state);
        }
    }
    Ok(Ok(page))
}

// One message over the bound still fits into a frame.
const _: () = assert!(limits::SERVER_FRAME_BYTES > limits::PAGE_BYTES + 3 * limits::MESSAGE_BYTES);
