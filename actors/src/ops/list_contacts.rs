//! `list_contacts`: a page of the caller's contacts and open requests in order of their users, or
//! of the changes since a version in order of theirs.

use troupe_core::record::{Contact, ContactBook, ContactChange};
use troupe_core::{UserId, limits};
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use super::cost::{Cost, READ};
use super::show_contact::contact;
use super::{Answered, AtLeader, Found, Leader, Operation, Plan};
use crate::message::{Refusal, page_limit, wire};
use crate::service::{Caller, Service};

impl Operation for wire::ListContacts {
    fn cost(&self) -> Cost {
        Cost::Units(READ * 10)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let user = caller.user();
        service.ask_leader(user.slot(), user, self).await
    }
}

impl AtLeader for wire::ListContacts {
    fn plan(self, user: UserId, _: &Leader<'_>) -> Result<Plan<wire::Contacts>, Refusal> {
        let limit = page_limit(self.limit, limits::PAGE_CONTACTS);
        let wire::ListContacts { after, since, .. } = self;
        // A row and maybe a block each.
        Ok(Plan::read(user, 2 * limit, move |view| match since {
            0 => page(view, user, UserId(after), limit),
            since => changes(view, user, since, limit),
        }))
    }
}

/// Relations that have ended are passed over, so a page may be short before the end.
fn page(view: &View, user: UserId, after: UserId, limit: usize) -> Found<wire::Contacts> {
    let rows = view.page::<Contact>(&user, Some(&(user, after)), limit)?;
    let next = if rows.len() < limit { 0 } else { rows.last().map_or(0, |((_, last), _)| last.0) };
    let mut contacts = Vec::with_capacity(rows.len());
    for ((_, other), _) in rows {
        let shown = contact(view, user, other)?;
        if shown.state != wire::ContactState::Unspecified as i32 {
            contacts.push(shown);
        }
    }
    Ok(Ok(wire::Contacts { contacts, next, version: version(view, user)? }))
}

/// Also the relations that have ended since then.
fn changes(view: &View, user: UserId, since: u64, limit: usize) -> Found<wire::Contacts> {
    let rows = view.page::<ContactChange>(&user, Some(&(user, since)), limit)?;
    let next = if rows.len() < limit { 0 } else { rows.last().map_or(0, |((_, version), _)| *version) };
    let contacts = rows.into_iter().map(|(_, ContactChange(other))| contact(view, user, other));
    Ok(Ok(wire::Contacts { contacts: contacts.collect::<Result<_, _>>()?, next, version: version(view, user)? }))
}

fn version(view: &View, user: UserId) -> Result<u64, EngineError> {
    Ok(view.get::<ContactBook>(&user)?.unwrap_or_default().version)
}
