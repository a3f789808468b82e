//! Pages of what all shards hold: accounts, invitations and the audit log.

use std::collections::BTreeMap;

use futures::future::join_all;
use troupe_core::record::{AuditKey, InviteId};
use troupe_core::{Rejection, Slot, Timestamp, UserId, limits};

use super::{Answered, Front, Told, told};
use crate::message::accounts::{Query, Wanted, place_in};
use crate::message::{Answer, Refusal, Request, wire};
use crate::router::PATIENCE;

pub(super) async fn list_accounts(front: &Front, list: wire::ListAccounts) -> Answered {
    let limit = page_limit(list.limit, limits::PAGE_ACCOUNTS);
    let after = Some(UserId(list.after)).filter(|user| user.0 != 0);
    let mut accounts = Vec::new();
    let begin = after.map_or(Slot(0), UserId::slot);
    let more = walk(
        front,
        begin,
        limit,
        |first, left| Query { what: Wanted::List(after.filter(|_| first)), limit: left },
        |answer| match answer {
            Answer::Accounts(page) => {
                let count = page.accounts.len();
                accounts.extend(page.accounts);
                Some((count, page.more))
            }
            _ => None,
        },
    )
    .await?;
    told(Told::Accounts(wire::Accounts { accounts, more }))
}

pub(super) async fn list_invites(front: &Front, list: wire::ListInvites) -> Answered {
    let limit = page_limit(list.limit, limits::PAGE_ACCOUNTS);
    let after = match list.after.as_str() {
        "" => None,
        id => Some(id.parse::<InviteId>().map_err(|_| Rejection::BadInvite)?),
    };
    let mut invites = Vec::new();
    let begin = after.map_or(Slot(0), InviteId::slot);
    let more = walk(
        front,
        begin,
        limit,
        |first, left| Query { what: Wanted::Invites(after.filter(|_| first)), limit: left },
        |answer| match answer {
            Answer::Invites(page) => {
                let count = page.invites.len();
                invites.extend(page.invites);
                Some((count, page.more))
            }
            _ => None,
        },
    )
    .await?;
    told(Told::Invites(wire::Invites { invites, more }))
}

/// Shard after shard from the one of `begin`, until the page is full; whether there is more.
async fn walk(
    front: &Front,
    begin: Slot,
    limit: usize,
    query: impl Fn(bool, usize) -> Query,
    mut take: impl FnMut(Answer) -> Option<(usize, bool)>,
) -> Result<bool, Refusal> {
    let map = front.world.router.routing().shards.ok_or(Refusal::OVERLOADED)?;
    let mut left = limit;
    let from = map.shard(begin);
    for shard in map.shards().skip_while(|shard| *shard < from) {
        if left == 0 {
            return Ok(true);
        }
        let request = Request::Accounts(query(shard == from, left));
        let answer = front.world.router.ask(Slot(map.slots(shard).0), request, PATIENCE).await?;
        let (count, more) = take(answer).ok_or(Refusal::Unavailable)?;
        if more {
            return Ok(true);
        }
        left = left.saturating_sub(count);
    }
    Ok(false)
}

fn page_limit(asked: u32, most: usize) -> usize {
    match asked as usize {
        0 => most,
        limit => limit.min(most),
    }
}

/// Every shard's rows, merged by time. A shard that does not answer fails the page: a log with
/// holes misleads.
pub(super) async fn read_audit(front: &Front, read: wire::ReadAudit) -> Answered {
    let limit = page_limit(read.limit, limits::PAGE_AUDIT);
    let after = read.after.as_ref().map_or_else(|| AuditKey::before(Timestamp(read.since_ms)), place_in);
    let map = front.world.router.routing().shards.ok_or(Refusal::OVERLOADED)?;
    let asked = map.shards().map(|shard| {
        let request = Request::Accounts(Query { what: Wanted::Audit(after), limit });
        front.world.router.ask(Slot(map.slots(shard).0), request, PATIENCE)
    });
    let (mut rows, mut more) = (BTreeMap::new(), false);
    for outcome in join_all(asked.collect::<Vec<_>>()).await {
        let Answer::Audit(page) = outcome? else { return Err(Refusal::Unavailable) };
        more |= page.more;
        rows.extend(page.rows.into_iter().filter_map(|row| Some((place_in(row.place.as_ref()?).place(), row))));
    }
    more |= rows.len() > limit;
    let rows = rows.into_values().take(limit).collect();
    told(Told::Audit(wire::AuditPage { rows, more }))
}
