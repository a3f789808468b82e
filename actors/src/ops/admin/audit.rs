//! The audit log, which is kept per slot and merged when it is read.

use std::collections::BTreeMap;
use std::ops::Range;

use futures::future::join_all;
use troupe_core::command::RecordAct;
use troupe_core::record::{AuditKey, Author};
use troupe_core::{ClientMessageId, Slot, Timestamp, UserId, limits};
use troupe_store::rows::View;

use super::{Act, Part, Told, part};
use crate::message::{Refusal, page_limit, wire};
use crate::service::Service;

/// The slot of acts on no account is that of this text.
const CLUSTER: &[u8] = b"audit of the cluster";

/// Records an act that leaves no trace in a shard, before it is done.
pub async fn record(
    service: &Service,
    by: Author,
    request: ClientMessageId,
    action: &str,
    target: &str,
    detail: &str,
) -> Result<(), Refusal> {
    let (action, target, detail) = (action.to_owned(), target.to_owned(), detail.to_owned());
    let act = RecordAct { slot: Slot::of(CLUSTER), request, by, action, target, detail };
    service.commit_done(act.into()).await.map(drop)
}

/// Merges the rows of all shards by time. A shard that does not answer fails the page, because a
/// log with holes misleads.
pub(super) async fn read(service: &Service, asker: UserId, read: wire::ReadAudit) -> Result<Told, Refusal> {
    let limit = page_limit(read.limit, limits::PAGE_AUDIT);
    let map = service.context.router.routing().shards.ok_or(Refusal::OVERLOADED)?;
    let asked = map.shards().map(|shard| {
        let act = Act::ReadAudit(wire::ReadAudit { limit: limit as u32, ..read });
        part(service, Slot(map.slots(shard).0), asker, act)
    });
    let (mut rows, mut more) = (BTreeMap::new(), false);
    for outcome in join_all(asked.collect::<Vec<_>>()).await {
        let Told::Audit(page) = outcome? else { return Err(Refusal::Unavailable) };
        more |= page.more;
        rows.extend(page.rows.into_iter().filter_map(|row| Some((place_in(row.place.as_ref()?).place(), row))));
    }
    more |= rows.len() > limit;
    let rows = rows.into_values().take(limit).collect();
    Ok(Told::Audit(wire::AuditPage { rows, more }))
}

pub(super) fn page(view: &View, slots: Range<u16>, read: &wire::ReadAudit) -> Part {
    let limit = page_limit(read.limit, limits::PAGE_AUDIT);
    let after = read.after.as_ref().map_or_else(|| AuditKey::before(Timestamp(read.since_ms)), place_in);
    let mut rows = view.audit(slots, after, limit + 1)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let rows = rows.into_iter().map(|row| wire::AuditRow {
        place: Some(place_out(row.key)),
        by: row.by.user.0,
        by_name: row.by.name,
        address: row.by.address,
        action: row.action,
        target: row.target,
        detail: row.detail,
    });
    Ok(Ok(Told::Audit(wire::AuditPage { rows: rows.collect(), more })))
}

fn place_out(key: AuditKey) -> wire::AuditPlace {
    wire::AuditPlace { time_ms: key.time.0, slot: key.slot.0.into(), number: key.number }
}

/// A slot that is none is behind all slots.
fn place_in(place: &wire::AuditPlace) -> AuditKey {
    AuditKey {
        slot: Slot(u16::try_from(place.slot).unwrap_or(u16::MAX)),
        time: Timestamp(place.time_ms),
        number: place.number,
    }
}
