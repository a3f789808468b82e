//! `broadcast`: sends a message to the direct conversations of the caller's contacts, a page of
//! them at a time. Ids follow from the request and the contact, as for `forward`.

use futures::future::join_all;
use troupe_core::{Append, Body, ClientMessageId, Command, ConversationId, Intent, UserId, limits, machine};
use troupe_proto::client;

use super::cost::{BYTES_PER_UNIT, Cost, READ};
use super::forward::send_all;
use super::{Answered, Operation};
use crate::message::{Refusal, page_limit, wire};
use crate::service::{Caller, Service};

impl Operation for wire::Broadcast {
    /// A page of contacts, and a message to each.
    fn cost(&self) -> Cost {
        let contacts = page_limit(self.limit, limits::BROADCAST_CONTACTS) as u64;
        let bytes = self.body.as_ref().map_or(0, |body| body.content.len() as u64);
        Cost::Units(READ * 10 + contacts * (1 + bytes / BYTES_PER_UNIT))
    }

    /// Without contacts it is a read.
    fn worth(answered: &Answered<Self>) -> Option<u64> {
        match answered {
            Ok(forwarded) if forwarded.next == 0 && forwarded.outcomes.is_empty() => Some(READ * 10),
            _ => None,
        }
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let request = client::client_message_id("broadcast.request", &self.request)?;
        let body = client::body("broadcast.body", self.body)?;
        check(&caller, request, &body)?;
        let limit = page_limit(self.limit, limits::BROADCAST_CONTACTS) as u32;
        let list = wire::ListContacts { after: self.after, limit, ..Default::default() };
        let page = service.perform(&caller, list).await?;
        let is_contact = |contact: &wire::Contact| contact.state == wire::ContactState::Mutual as i32;
        let others = page.contacts.into_iter().filter(is_contact).map(|contact| UserId(contact.user_id));
        let to = others.filter_map(|other| ConversationId::direct(caller.user(), other));
        let bodies = [body];
        let outcomes = to.map(|to| send_all(&service, &caller, request, None, to, &bodies));
        Ok(wire::Forwarded { outcomes: join_all(outcomes).await, next: page.next })
    }
}

/// One refusal for all contacts. A client makes no bundle.
fn check(caller: &Caller, client_message_id: ClientMessageId, body: &Body) -> Result<(), Refusal> {
    let (conversation, actor, intent) = (ConversationId::Everyone, caller.user(), Intent::Message(body.clone()));
    Ok(machine::check(&Command::Append(Append { conversation, actor, client_message_id, after: None, intent }))?)
}
