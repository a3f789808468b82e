//! The list of groups, with their sizes. Names are in it, and nothing that a member has written.

use std::ops::Range;

use troupe_core::record::{Conversation, FileUsage};
use troupe_core::{ConversationId, Rejection, Slot, UserId, limits};
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use super::{Act, Part, Told, walk};
use crate::message::{Refusal, page_limit, wire};
use crate::service::Service;

/// Bytes of all users of a conversation are under this one.
const ALL: UserId = UserId(0);

pub(super) async fn list(service: &Service, asker: UserId, list: wire::ListGroups) -> Result<Told, Refusal> {
    let limit = page_limit(list.limit, limits::PAGE_GROUPS);
    let begin = after(&list)?.map_or(Slot(0), |after| after.slot());
    let mut groups = Vec::new();
    let more = walk(
        service,
        asker,
        begin,
        limit,
        |first, limit| {
            let after = if first { list.after.clone() } else { String::new() };
            Act::ListGroups(wire::ListGroups { after, limit })
        },
        |told| {
            let Told::Groups(page) = told else { return None };
            let count = page.groups.len();
            groups.extend(page.groups);
            Some((count, page.more))
        },
    )
    .await?;
    Ok(Told::Groups(wire::Groups { groups, more }))
}

/// The last group of the page before, if there was one.
fn after(list: &wire::ListGroups) -> Result<Option<ConversationId>, Rejection> {
    const NO_GROUP: Rejection = Rejection::BadRequest("a page begins after a group: give its id, like g3149");
    match list.after.as_str() {
        "" => Ok(None),
        after => after.parse().ok().filter(|id: &ConversationId| id.is_group()).map(Some).ok_or(NO_GROUP),
    }
}

/// `skips`: the planted bug, which passes over the first group of a later page.
pub(super) fn page(view: &View, slots: Range<u16>, list: &wire::ListGroups, skips: bool) -> Part {
    let after = match after(list) {
        Ok(after) => after,
        Err(why) => return Ok(Err(why.into())),
    };
    let limit = page_limit(list.limit, limits::PAGE_GROUPS);
    let mut rows = view.groups(slots, after, limit + 1)?;
    if skips && after.is_some() && !rows.is_empty() {
        rows.remove(0);
    }
    let more = rows.len() > limit;
    rows.truncate(limit);
    let groups = rows.into_iter().map(|(id, row)| group(view, id, row)).collect::<Result<_, EngineError>>()?;
    Ok(Ok(Told::Groups(wire::Groups { groups, more })))
}

fn group(view: &View, id: ConversationId, row: Conversation) -> Result<wire::GroupRow, EngineError> {
    let files = view.get::<FileUsage>(&(id, ALL))?;
    Ok(wire::GroupRow {
        conversation: id.to_string(),
        name: row.name,
        members: row.members,
        head: row.head.0,
        file_bytes: files.map_or(0, |files| files.bytes),
        last_ms: row.time.0,
        created_ms: row.created.0,
        open: row.open,
        disbanded: row.disbanded,
    })
}
