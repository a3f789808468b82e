//! Pages of the content of a cluster, for an operator: accounts, contacts, conversations, events,
//! positions, files.

use std::ops::Range;

use troupe_core::machine::file::NO_SUCH_FILE;
use troupe_core::record::{Author, Block, Contact, Cursor, File, Profile, Relation};
use troupe_core::{ClientMessageId, ConversationId, Event, Rejection, Seq, Slot, UserId, limits};
use troupe_proto::client;
use troupe_store::engine::EngineError;
use troupe_store::rows::View;
use wire::export::Part as Wanted;
use wire::exported::Part as Given;

use super::audit::record;
use super::{Act, Part, Told, part, walk};
use crate::message::{Refusal, page_limit, wire};
use crate::ops::{Found, read_file};
use crate::passwords::{NO_PASSWORD, UNSET_PASSWORD};
use crate::service::Service;

const NOTHING: Rejection =
    Rejection::BadRequest("an export names its part: accounts, contacts, conversations, events, positions or a file");

pub(super) async fn export(
    service: &Service,
    by: Author,
    request: ClientMessageId,
    export: wire::Export,
) -> Result<Told, Refusal> {
    let wanted = export.part.ok_or(NOTHING)?;
    let (asker, begins) = (by.user, begins(&wanted));
    if let Some(detail) = begins {
        record(service, by, request, "cluster.export", "cluster", detail).await?;
    }
    match wanted {
        Wanted::Accounts(list) => accounts(service, asker, list).await,
        Wanted::Contacts(list) => contacts(service, asker, list).await,
        Wanted::Conversations(list) => conversations(service, asker, list).await,
        Wanted::Events(of) => {
            let slot = client::conversation("export.events.conversation", &of.conversation)?.slot();
            part(service, slot, asker, asked(Wanted::Events(of))).await
        }
        Wanted::File(of) => {
            let slot = client::conversation("export.file.conversation", &of.conversation)?.slot();
            part(service, slot, asker, asked(Wanted::File(of))).await
        }
        Wanted::Positions(of) => {
            let slot = client::conversation("export.positions.conversation", &of.conversation)?.slot();
            part(service, slot, asker, asked(Wanted::Positions(of))).await
        }
    }
}

/// The first page of a list leaves a row in the audit log: what it says.
fn begins(wanted: &Wanted) -> Option<&'static str> {
    match wanted {
        Wanted::Accounts(list) if list.after == 0 && list.password_hashes => Some("with hashes of passwords"),
        Wanted::Accounts(list) if list.after == 0 => Some(""),
        Wanted::Conversations(list) if list.after.is_empty() => Some(""),
        _ => None,
    }
}

fn asked(part: Wanted) -> Act {
    Act::Export(wire::Export { part: Some(part) })
}

fn told(part: Given) -> Told {
    Told::Exported(wire::Exported { part: Some(part) })
}

async fn accounts(service: &Service, asker: UserId, list: wire::ExportAccounts) -> Result<Told, Refusal> {
    let limit = page_limit(list.limit, limits::PAGE_ACCOUNTS);
    let begin = if list.after == 0 { Slot(0) } else { UserId(list.after).slot() };
    let mut accounts = Vec::new();
    let more = walk(
        service,
        asker,
        begin,
        limit,
        |first, limit| {
            let after = if first { list.after } else { 0 };
            asked(Wanted::Accounts(wire::ExportAccounts { after, limit, ..list }))
        },
        |told| {
            let Told::Exported(wire::Exported { part: Some(Given::Accounts(page)) }) = told else { return None };
            let count = page.accounts.len();
            accounts.extend(page.accounts);
            Some((count, page.more))
        },
    )
    .await?;
    Ok(told(Given::Accounts(wire::ExportedAccounts { accounts, more })))
}

async fn contacts(service: &Service, asker: UserId, list: wire::ExportContacts) -> Result<Told, Refusal> {
    let limit = page_limit(list.limit, limits::PAGE_ACCOUNTS);
    let begin = if list.after == 0 { Slot(0) } else { UserId(list.after).slot() };
    let mut page = wire::ExportedContacts::default();
    page.more = walk(
        service,
        asker,
        begin,
        limit,
        |first, limit| {
            let (after, after_other) = if first { (list.after, list.after_other) } else { (0, 0) };
            asked(Wanted::Contacts(wire::ExportContacts { after, after_other, limit }))
        },
        |told| {
            let Told::Exported(wire::Exported { part: Some(Given::Contacts(part)) }) = told else { return None };
            let (rows, more) = (part.rows as usize, part.more);
            page.rows += part.rows;
            page.contacts.extend(part.contacts);
            if part.next != 0 {
                (page.next, page.next_other) = (part.next, part.next_other);
            }
            Some((rows, more))
        },
    )
    .await?;
    Ok(told(Given::Contacts(page)))
}

async fn conversations(service: &Service, asker: UserId, list: wire::ExportConversations) -> Result<Told, Refusal> {
    let limit = page_limit(list.limit, limits::PAGE_CONVERSATIONS);
    let begin = match list.after.as_str() {
        "" => Slot(0),
        after => client::conversation("export.conversations.after", after)?.slot(),
    };
    let mut conversations = Vec::new();
    let more = walk(
        service,
        asker,
        begin,
        limit,
        |first, limit| {
            let after = if first { list.after.clone() } else { String::new() };
            asked(Wanted::Conversations(wire::ExportConversations { after, limit }))
        },
        |told| {
            let Told::Exported(wire::Exported { part: Some(Given::Conversations(page)) }) = told else { return None };
            let count = page.conversations.len();
            conversations.extend(page.conversations);
            Some((count, page.more))
        },
    )
    .await?;
    Ok(told(Given::Conversations(wire::ExportedConversations { conversations, more })))
}

/// The page of one leader.
pub(super) fn page(view: &View, slots: Range<u16>, export: &wire::Export) -> Part {
    let given = match &export.part {
        Some(Wanted::Accounts(list)) => Given::Accounts(accounts_of(view, slots, list)?),
        Some(Wanted::Contacts(list)) => Given::Contacts(contacts_of(view, slots, list)?),
        Some(Wanted::Conversations(list)) => Given::Conversations(conversations_of(view, slots, list)?),
        Some(Wanted::Events(of)) => match of.conversation.parse() {
            Ok(conversation) => Given::Events(events_of(view, conversation, of)?),
            Err(_) => return Ok(Err(NOTHING.into())),
        },
        Some(Wanted::File(of)) => match of.conversation.parse() {
            Ok(conversation) => return Ok(file_of(view, conversation, of)?.map(|file| told(Given::File(file)))),
            Err(_) => return Ok(Err(NOTHING.into())),
        },
        Some(Wanted::Positions(of)) => match of.conversation.parse() {
            Ok(conversation) => Given::Positions(positions_of(view, conversation, of)?),
            Err(_) => return Ok(Err(NOTHING.into())),
        },
        None => return Ok(Err(NOTHING.into())),
    };
    Ok(Ok(told(given)))
}

fn accounts_of(
    view: &View,
    slots: Range<u16>,
    list: &wire::ExportAccounts,
) -> Result<wire::ExportedAccounts, EngineError> {
    let limit = page_limit(list.limit, limits::PAGE_ACCOUNTS);
    let after = Some(UserId(list.after)).filter(|user| user.0 != 0);
    let mut users = view.users(slots, after, limit + 1)?;
    let more = users.len() > limit;
    users.truncate(limit);
    let mut accounts = Vec::with_capacity(users.len());
    for user in users {
        let profile = view.get::<Profile>(&user.id)?.filter(|profile| profile.version > 0);
        accounts.push(wire::ExportedAccount {
            user_id: user.id.0,
            name: user.name,
            status: user.standing.status.as_str().to_owned(),
            admin: user.standing.admin,
            one_time_password: user.standing.one_time,
            created_ms: user.created.0,
            password_hash: shown_hash(user.password_hash, list.password_hashes),
            born_with_cluster: user.standing.born_with_cluster,
            profile: profile.map(wire::OwnProfile::from),
        });
    }
    Ok(wire::ExportedAccounts { accounts, more })
}

/// A mark in place of a hash is no secret.
fn shown_hash(kept: String, all: bool) -> String {
    match kept.as_str() {
        UNSET_PASSWORD => String::new(),
        NO_PASSWORD => kept,
        _ if all => kept,
        _ => String::new(),
    }
}

/// Relations in which the user wants nothing and blocks no one are passed over, so a page may be
/// short before the end.
fn contacts_of(
    view: &View,
    slots: Range<u16>,
    list: &wire::ExportContacts,
) -> Result<wire::ExportedContacts, EngineError> {
    let limit = page_limit(list.limit, limits::PAGE_ACCOUNTS);
    let after = Some((UserId(list.after), UserId(list.after_other))).filter(|(user, _)| user.0 != 0);
    let mut held = view.over_slots::<Contact>(slots, after.as_ref(), limit + 1)?;
    let more = held.len() > limit;
    held.truncate(limit);
    let (next, next_other) = held.last().map_or((0, 0), |((user, other), _)| (user.0, other.0));
    let (rows, mut contacts) = (held.len() as u32, Vec::new());
    for ((user, other), row) in held {
        let blocked = view.get::<Block>(&(user, other))?.is_some();
        if !row.wants && !blocked {
            continue;
        }
        let is_pending = row.relation() == Relation::Requested;
        let (text, remark) = (Some(row.text).filter(|_| is_pending), Some(row.remark).filter(|_| row.wants));
        contacts.push(wire::ExportedContact {
            user_id: user.0,
            other_id: other.0,
            wants: row.wants,
            text: text.unwrap_or_default(),
            remark: remark.unwrap_or_default(),
            blocked,
        });
    }
    Ok(wire::ExportedContacts { contacts, more, next, next_other, rows })
}

fn conversations_of(
    view: &View,
    slots: Range<u16>,
    list: &wire::ExportConversations,
) -> Result<wire::ExportedConversations, EngineError> {
    let limit = page_limit(list.limit, limits::PAGE_CONVERSATIONS);
    let mut rows = view.conversations(slots, list.after.parse().ok(), limit + 1)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let mut conversations = Vec::with_capacity(rows.len());
    for (conversation, row) in rows {
        let first = view.get::<Event>(&(conversation, Seq(1)))?;
        conversations.push(wire::ExportedConversation {
            conversation: conversation.to_string(),
            head: row.head.0,
            open: row.open,
            first_sender: first.as_ref().map_or(0, |event| event.sender.0),
            first_id: first.map(|event| bytes::Bytes::copy_from_slice(&event.client_message_id.0)).unwrap_or_default(),
        });
    }
    Ok(wire::ExportedConversations { conversations, more })
}

fn events_of(view: &View, conversation: ConversationId, of: &wire::ExportEvents) -> Result<wire::Page, EngineError> {
    let head = view.conversation(conversation)?.map_or(Seq::ZERO, |row| row.head);
    let limit = page_limit(of.limit, limits::PAGE_EVENTS);
    let events = view.events(conversation, Seq(of.after), limit, limits::PAGE_BYTES)?;
    let more = events.last().is_some_and(|event| event.seq < head);
    let events = events.iter().map(wire::Event::from).collect();
    Ok(wire::Page { conversation: conversation.to_string(), events, head: head.0, more, ..wire::Page::default() })
}

fn file_of(view: &View, conversation: ConversationId, of: &wire::ExportFile) -> Found<wire::ExportedFile> {
    let hash = match client::file_hash("export.file.hash", &of.hash) {
        Ok(hash) => hash,
        Err(error) => return Ok(Err(error.into())),
    };
    let Some(file) = view.get::<File>(&(conversation, hash))? else {
        return Ok(Err(Rejection::from(NO_SUCH_FILE).into()));
    };
    let content = read_file::content(view, conversation, &file, of.offset)?;
    Ok(Ok(wire::ExportedFile { name: file.name, media_type: file.media_type, size: file.size, content }))
}

fn positions_of(
    view: &View,
    conversation: ConversationId,
    of: &wire::ExportPositions,
) -> Result<wire::Members, EngineError> {
    let limit = page_limit(of.limit, limits::PAGE_MEMBERS);
    let after = Some((conversation, UserId(of.after))).filter(|(_, user)| user.0 != 0);
    let mut rows = view.page::<Cursor>(&conversation, after.as_ref(), limit + 1)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let members = rows.into_iter().map(|((_, user), cursor)| wire::Member {
        user_id: user.0,
        role: 0,
        delivered: cursor.delivered.0,
        read: cursor.read.0,
        muted_until_ms: 0,
    });
    Ok(wire::Members { members: members.collect(), more })
}
