//! Invitation codes: making, listing and revoking them.

use std::ops::Range;

use troupe_core::command::{ChangeInvite, InviteChange};
use troupe_core::feature::code_hash;
use troupe_core::record::{Author, InviteId};
use troupe_core::{ClientMessageId, Command, Rejection, Slot, Timestamp, UserId, limits};
use troupe_store::rows::View;

use super::{Act, Part, Told, walk};
use crate::message::{Refusal, page_limit, wire};
use crate::service::Service;

pub(super) async fn create(
    service: &Service,
    by: Author,
    request: ClientMessageId,
    create: wire::CreateInvite,
) -> Result<Told, Refusal> {
    let hash = code_hash(&create.code)
        .ok_or(Rejection::BadRequest("a code has 12 to 64 letters, digits and dashes: let the program choose one"))?;
    if create.note.len() > limits::INVITE_NOTE_BYTES {
        return Err(Rejection::BadRequest("the note of an invitation has at most 256 bytes").into());
    }
    let (id, expires, uses) = (InviteId::of(&hash), Timestamp(create.expires_ms), create.uses);
    let note = create.note.clone();
    let change = InviteChange::Create { hash, request, by: by.clone(), uses, expires, note };
    service.commit_done(Command::from(ChangeInvite { id, change })).await?;
    let invite = wire::Invite {
        id: id.to_string(),
        expires_ms: expires.0,
        uses,
        note: create.note,
        by: by.name,
        ..Default::default()
    };
    Ok(Told::Invites(wire::Invites { invites: vec![invite], more: false }))
}

pub(super) async fn revoke(service: &Service, by: Author, id: &str) -> Result<Told, Refusal> {
    let id = named(id)?;
    let revoke = Command::from(ChangeInvite { id, change: InviteChange::Revoke { by } });
    Ok(Told::Done(service.commit_done(revoke).await?))
}

pub(super) async fn list(service: &Service, asker: UserId, list: wire::ListInvites) -> Result<Told, Refusal> {
    let limit = page_limit(list.limit, limits::PAGE_ACCOUNTS);
    let begin = if list.after.is_empty() { Slot(0) } else { named(&list.after)?.slot() };
    let mut invites = Vec::new();
    let more = walk(
        service,
        asker,
        begin,
        limit,
        |first, limit| {
            let after = if first { list.after.clone() } else { String::new() };
            Act::ListInvites(wire::ListInvites { after, limit })
        },
        |told| {
            let Told::Invites(page) = told else { return None };
            let count = page.invites.len();
            invites.extend(page.invites);
            Some((count, page.more))
        },
    )
    .await?;
    Ok(Told::Invites(wire::Invites { invites, more }))
}

pub(super) fn page(view: &View, slots: Range<u16>, list: &wire::ListInvites) -> Part {
    let limit = page_limit(list.limit, limits::PAGE_ACCOUNTS);
    let after = list.after.parse::<InviteId>().ok();
    let mut invites = view.invites(slots, after, limit + 1)?;
    let more = invites.len() > limit;
    invites.truncate(limit);
    let invites = invites.into_iter().map(|invite| wire::Invite {
        id: invite.id.to_string(),
        created_ms: invite.created.0,
        expires_ms: invite.expires.0,
        uses: invite.uses,
        used: invite.used,
        revoked: invite.revoked,
        note: invite.note,
        by: invite.by.name,
    });
    Ok(Ok(Told::Invites(wire::Invites { invites: invites.collect(), more })))
}

fn named(id: &str) -> Result<InviteId, Rejection> {
    id.parse().map_err(|_| Rejection::BadInvite)
}
