//! Accounts and events that were decided elsewhere, from an operator.

use std::collections::BTreeSet;

use troupe_core::command::{CreateAccount, CursorMove, Destination, Import};
use troupe_core::record::Author;
use troupe_core::{
    ClientMessageId, Command, Event, EventKind, Rejection, Seq, Timestamp, UserId, Username, limits, machine,
};
use troupe_proto::client;

use super::Told;
use super::accounts::{created_account, resolve};
use crate::message::{Refusal, ServerMessage, wire};
use crate::ops::register::free_under_old_keys;
use crate::passwords::imported_hash;
use crate::router::PATIENCE;
use crate::service::Service;

pub(super) async fn import(
    service: &Service,
    by: Author,
    request: ClientMessageId,
    import: wire::Import,
) -> Result<Told, Refusal> {
    if import.events.len() > limits::IMPORT_EVENTS || import.positions.len() > limits::IMPORT_CURSORS {
        return Err(Rejection::TooMany.into());
    }
    let into = match import.conversation.as_str() {
        "" => Destination::Group {
            key: client::client_message_id("import.group_key", &import.group_key)?,
            open: import.open,
        },
        named => Destination::Known(client::conversation("import.conversation", named)?),
    };
    let events = import.events.into_iter().map(wire::Event::faithful).collect::<Result<Vec<_>, _>>()?;
    let cursors = import.positions.into_iter().map(|position| CursorMove {
        user: UserId(position.user_id),
        delivered: Seq(position.delivered),
        read: Seq(position.read),
    });
    let asker = by.user;
    let import = Import { into, request, by, source: import.source, events, cursors: cursors.collect() };
    let users = named(&import.events);
    let command = Command::from(import);
    machine::check(&command)?;
    // A user that was deleted stands in logs all the same.
    let (count, context) = (users.len(), &service.context);
    let found = service.directory.names(context, asker, users, PATIENCE).await;
    if found.map_err(Refusal::of_lookup)?.len() < count {
        return Err(Rejection::NoSuchUser.into());
    }
    match service.commit(command).await?.into_message() {
        Some(ServerMessage::Admin(wire::AdminAnswer { answer: Some(told @ Told::Imported(_)) })) => Ok(told),
        _ => Err(Refusal::Unavailable),
    }
}

/// The users that events name. Core cannot know users of other slots.
fn named(events: &[Event]) -> BTreeSet<UserId> {
    let mut users = BTreeSet::new();
    for event in events {
        users.insert(event.sender);
        if let EventKind::Added { users: added } = &event.kind {
            users.extend(added);
        }
    }
    users
}

/// A young cluster makes its first administrator by itself. An import does not take that name
/// before, because the cluster would have no administrator then.
async fn first_is_born(service: &Service, name: &Username) -> Result<(), Refusal> {
    let first = service.context.router.routing().settings.first_admin.clone();
    if !Username::for_operator(&first).is_ok_and(|first| first.key() == name.key()) {
        return Ok(());
    }
    match resolve(service, name.as_str()).await {
        Ok(_) => Ok(()),
        Err(Refusal::Rejected { .. }) => Err(Refusal::OVERLOADED),
        Err(refusal) => Err(refusal),
    }
}

pub(super) async fn account(
    service: &Service,
    by: Author,
    request: ClientMessageId,
    account: wire::ImportAccount,
) -> Result<Told, Refusal> {
    let name =
        Username::for_operator(&account.name).map_err(|why| Refusal::rejected(Rejection::BadName.code(), why))?;
    free_under_old_keys(service, &account.name, &name).await?;
    first_is_born(service, &name).await?;
    const BAD_HASH: Rejection = Rejection::BadRequest(
        "a password comes as a PHC string of argon2id with at most 76 MiB, 8 passes and 4 lanes, or not at all",
    );
    let password_hash = imported_hash(&account.password_hash).ok_or(BAD_HASH)?;
    let (asker, admin, one_time) = (by.user, account.admin, account.one_time_password);
    let created = Some(Timestamp(account.created_ms)).filter(|created| created.0 != 0);
    let create = CreateAccount { name, password_hash, request, by, admin, one_time, born_with_cluster: false, created };
    let command = Command::from(create);
    machine::check(&command)?;
    created_account(service, asker, command).await
}
