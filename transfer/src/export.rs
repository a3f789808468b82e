//! A cluster into a bundle, while the cluster serves.
//!
//! The heads of all conversations are read first, then the accounts and contacts, then the events
//! up to these heads. So each conversation is whole up to its head, the bundle has all that was
//! acknowledged before the export began, and each user in it has an account in it. Conversations
//! stand in an order that does not depend on ids, so that two clusters of the same content give the
//! same lines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bytes::Bytes;
use troupe_core::{ConversationId, EventKind, FileHash, UserId};
use troupe_proto::wire::client as wire;
use wire::export::Part as Wanted;
use wire::exported::Part as Given;

use crate::bundle::{Manifest, Writer};
use crate::cluster::{Cluster, other_answer, page};
use crate::line::{
    Account, Contact, Content, Conversation, End, Event, FileLine, Line, Member, Position, Profile, RoleWord, Status,
};
use crate::report::Report;
use crate::{Error, Result, hex, id_of};

#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Hashes of passwords too. With them a reader of the bundle can guess passwords.
    pub password_hashes: bool,
}

/// One export: the cluster, and the request id under which it stands in the audit log.
struct Export<'a, C> {
    cluster: &'a C,
    request: [u8; 16],
    names: BTreeMap<UserId, String>,
}

/// `now` is the wall clock in milliseconds since 1970.
pub async fn export(
    cluster: &impl Cluster,
    directory: &Path,
    options: Options,
    request: [u8; 16],
    now: impl Fn() -> u64,
) -> Result<(Manifest, Report)> {
    let by = concat!("troupe ", env!("CARGO_PKG_VERSION"));
    let mut writer = Writer::create(directory, &cluster.id(), by, now())?;
    let mut export = Export { cluster, request, names: BTreeMap::new() };
    let listed = export.conversations().await?;
    let mut accounts = export.accounts(options).await?;
    accounts.sort_by(|a, b| a.name.cmp(&b.name));
    let mut report = Report::default();
    report.took("accounts", accounts.len() as u64);
    report.took("profiles", accounts.iter().filter(|account| account.profile.is_some()).count() as u64);
    accounts.into_iter().try_for_each(|account| writer.write(&Line::Account(account)))?;
    let contacts = export.contacts().await?;
    report.took("contacts", contacts.len() as u64);
    contacts.into_iter().try_for_each(|contact| writer.write(&Line::Contact(contact)))?;
    let mut conversations = BTreeMap::new();
    for listed in listed {
        let conversation = export.named(&listed)?;
        conversations.insert(conversation, (listed.conversation, listed.head));
    }
    for (conversation, (id, head)) in conversations {
        if head > 0 {
            export.conversation(&mut writer, conversation, &id, head, &mut report).await?;
        }
    }
    Ok((writer.finish(now())?, report))
}

impl<C: Cluster> Export<'_, C> {
    async fn conversations(&self) -> Result<Vec<wire::ExportedConversation>> {
        const DOING: &str = "the list of conversations";
        let mut listed: Vec<wire::ExportedConversation> = Vec::new();
        loop {
            let after = listed.last().map(|last| last.conversation.clone()).unwrap_or_default();
            let wanted = Wanted::Conversations(wire::ExportConversations { after, limit: 0 });
            let Given::Conversations(got) = page(self.cluster, self.request, wanted, DOING).await? else {
                return Err(other_answer(DOING));
            };
            let more = got.more && !got.conversations.is_empty();
            listed.extend(got.conversations);
            if !more {
                return Ok(listed);
            }
        }
    }

    async fn accounts(&mut self, options: Options) -> Result<Vec<Account>> {
        const DOING: &str = "the list of accounts";
        let (mut accounts, mut after) = (Vec::new(), 0);
        loop {
            let password_hashes = options.password_hashes;
            let wanted = Wanted::Accounts(wire::ExportAccounts { after, limit: 0, password_hashes });
            let Given::Accounts(got) = page(self.cluster, self.request, wanted, DOING).await? else {
                return Err(other_answer(DOING));
            };
            let more = got.more && !got.accounts.is_empty();
            for account in got.accounts {
                after = account.user_id;
                self.names.insert(UserId(account.user_id), account.name.clone());
                accounts.push(line_of(account, options)?);
            }
            if !more {
                return Ok(accounts);
            }
        }
    }

    /// In order of the names of both users: the two of a pair stand together.
    async fn contacts(&self) -> Result<Vec<Contact>> {
        const DOING: &str = "the list of contacts";
        let (mut contacts, mut after, mut after_other) = (Vec::new(), 0, 0);
        loop {
            let wanted = Wanted::Contacts(wire::ExportContacts { after, after_other, limit: 0 });
            let Given::Contacts(got) = page(self.cluster, self.request, wanted, DOING).await? else {
                return Err(other_answer(DOING));
            };
            for contact in got.contacts {
                let name = |user: u64| self.names.get(&UserId(user)).cloned();
                // A user without an account here came after the accounts were read.
                let (Some(user), Some(other)) = (name(contact.user_id), name(contact.other_id)) else { continue };
                let wire::ExportedContact { wants, text, remark, blocked, .. } = contact;
                contacts.push(Contact { user, other, wants, text, remark, blocked });
            }
            if !got.more || got.next == 0 {
                let pair =
                    |of: &Contact| (of.user.clone().min(of.other.clone()), of.user.clone().max(of.other.clone()));
                contacts.sort_by_cached_key(|contact| (pair(contact), contact.user.clone()));
                return Ok(contacts);
            }
            (after, after_other) = (got.next, got.next_other);
        }
    }

    fn name(&self, user: UserId) -> Result<String> {
        let name = self.names.get(&user).cloned();
        name.ok_or_else(|| Error::invalid(format!("user {user}"), "no account has this id"))
    }

    /// The name of the conversation in every cluster.
    fn named(&self, listed: &wire::ExportedConversation) -> Result<Conversation> {
        let place = &listed.conversation;
        let id: ConversationId = place.parse().map_err(|_| Error::invalid(place, "this names no conversation"))?;
        Ok(match id {
            ConversationId::Everyone => Conversation::Everyone,
            ConversationId::Direct { low, high } => {
                let (low, high) = (self.name(low)?, self.name(high)?);
                Conversation::Direct(low.clone().min(high.clone()), low.max(high))
            }
            ConversationId::Group(_) => {
                let creator = self.name(UserId(listed.first_sender))?;
                let key = id_of(&[b"group", creator.as_bytes(), &listed.first_id]);
                Conversation::Group { key: hex(&key), open: listed.open }
            }
        })
    }

    async fn conversation(
        &self,
        writer: &mut Writer,
        conversation: Conversation,
        id: &str,
        head: u64,
        report: &mut Report,
    ) -> Result<()> {
        let is_group = conversation.is_group();
        writer.write(&Line::Conversation(conversation))?;
        let mut members = Members::default();
        let mut seen = BTreeSet::new();
        let mut at = 0;
        while at < head {
            let wanted = Wanted::Events(wire::ExportEvents { conversation: id.to_owned(), after: at, limit: 0 });
            let Given::Events(got) = page(self.cluster, self.request, wanted, id).await? else {
                return Err(other_answer(id));
            };
            let before = at;
            for event in got.events.into_iter().filter(|event| event.seq <= head) {
                let place = format!("{id} at {}", event.seq);
                let event = event.faithful().map_err(|error| Error::invalid(&place, error.to_string()))?;
                let named = |user: UserId| self.names.get(&user).cloned();
                let line = Event::of(&event, named)
                    .map_err(|user| Error::invalid(&place, format!("user {user} has no account")))?;
                if line.seq != at + 1 {
                    return Err(Error::invalid(place, "an event is missing before this one"));
                }
                at = line.seq;
                members.see(&line);
                for hash in files_of(&event.kind) {
                    if seen.insert(hash) {
                        self.file(writer, id, hash, &line.sender, report).await?;
                    }
                }
                if matches!(line.what, Content::Unknown { .. }) {
                    report.change("events of a later version, carried as they are", &place);
                }
                writer.write(&Line::Event(line))?;
            }
            if at == before {
                return Err(Error::invalid(id, format!("the log ends at {at}, before its head {head}")));
            }
        }
        report.took("conversations", 1);
        report.took("events", head);
        if is_group {
            members.lines().try_for_each(|line| writer.write(&line))?;
        }
        for position in self.positions(id, head, is_group.then_some(&members)).await? {
            report.took("read positions", 1);
            writer.write(&Line::Position(position))?;
        }
        writer.write(&Line::End(End { head }))
    }

    /// A file of a conversation, in front of the first event that refers to it.
    async fn file(&self, writer: &mut Writer, id: &str, hash: FileHash, by: &str, report: &mut Report) -> Result<()> {
        let place = format!("file {hash} of {id}");
        let Some(mut part) = self.part_of_file(id, hash, 0).await? else {
            report.change("files that are not in the cluster any more", &place);
            return Ok(());
        };
        let (name, media_type, size) = (part.name.clone(), part.media_type.clone(), part.size);
        if let Some(mut blob) = writer.blob(hash)? {
            let mut at = 0;
            while !part.content.is_empty() {
                blob.write(&part.content)?;
                at += part.content.len() as u64;
                part = match self.part_of_file(id, hash, at).await? {
                    Some(part) => part,
                    None => return Err(Error::invalid(place, "it was removed meanwhile: export again")),
                };
            }
            blob.finish()?;
            report.took("files", 1);
        }
        writer.write(&Line::File(FileLine { hash: hash.to_string(), name, media_type, size, by: by.to_owned() }))
    }

    async fn part_of_file(&self, id: &str, hash: FileHash, offset: u64) -> Result<Option<wire::ExportedFile>> {
        let of = wire::ExportFile { conversation: id.to_owned(), hash: Bytes::copy_from_slice(&hash.0), offset };
        match page(self.cluster, self.request, Wanted::File(of), id).await {
            Ok(Given::File(part)) => Ok(Some(part)),
            Ok(_) => Err(other_answer(id)),
            Err(Error::Refused { refused, .. }) if refused.code == "no_such_file" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Of those that take part at `head`, in order of name.
    async fn positions(&self, id: &str, head: u64, members: Option<&Members>) -> Result<Vec<Position>> {
        let (mut positions, mut after) = (BTreeMap::new(), 0);
        loop {
            let wanted = Wanted::Positions(wire::ExportPositions { conversation: id.to_owned(), after, limit: 0 });
            let Given::Positions(got) = page(self.cluster, self.request, wanted, id).await? else {
                return Err(other_answer(id));
            };
            let more = got.more && !got.members.is_empty();
            for member in got.members {
                after = member.user_id;
                // A user without an account here came after the accounts were read.
                let Some(user) = self.names.get(&UserId(member.user_id)).cloned() else { continue };
                let takes_part = members.is_none_or(|members| members.0.contains_key(&user));
                let (delivered, read) = (member.delivered.min(head), member.read.min(head));
                if takes_part && delivered > 0 {
                    positions.insert(user.clone(), Position { user, delivered, read });
                }
            }
            if !more {
                return Ok(positions.into_values().collect());
            }
        }
    }
}

fn files_of(kind: &EventKind) -> Vec<FileHash> {
    match kind {
        EventKind::Message(body) | EventKind::Edited { body, .. } => body.files(),
        _ => Vec::new(),
    }
}

fn line_of(account: wire::ExportedAccount, options: Options) -> Result<Account> {
    let status = [Status::Active, Status::Disabled, Status::Deleted].into_iter();
    let status = status.clone().find(|status| status.as_str() == account.status);
    let status = status.ok_or_else(|| Error::invalid(&account.name, format!("no status {:?}", account.status)))?;
    let born_with_cluster = account.born_with_cluster;
    let profile = account.profile.as_ref().map(profile_of);
    Ok(Account {
        name: account.name,
        status,
        admin: account.admin,
        // The first administrator is of each cluster's own.
        created_ms: if born_with_cluster { 0 } else { account.created_ms },
        one_time_password: options.password_hashes && account.one_time_password && !born_with_cluster,
        password_hash: if born_with_cluster { String::new() } else { account.password_hash },
        born_with_cluster,
        profile: profile.filter(|profile| *profile != Profile::default()),
    })
}

fn profile_of(own: &wire::OwnProfile) -> Profile {
    let wire::Profile { display_name, avatar, about, language } = own.profile.clone().unwrap_or_default();
    let messages_from_contacts = own.messages_from() == wire::Audience::Contacts;
    Profile { display_name, avatar, about, language, messages_from_contacts }
}

/// The members of a group, as its events make them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members(pub BTreeMap<String, RoleWord>);

impl Members {
    pub fn see(&mut self, event: &Event) {
        match &event.what {
            Content::Created { .. } => drop(self.0.insert(event.sender.clone(), RoleWord::Owner)),
            Content::Added { users } => {
                self.0.extend(users.iter().map(|user| (user.clone(), RoleWord::Member)));
            }
            Content::Removed { user } => drop(self.0.remove(user)),
            Content::Role { user, role } => drop(self.0.insert(user.clone(), *role)),
            Content::Transferred { to } => {
                self.0.insert(event.sender.clone(), RoleWord::Admin);
                self.0.insert(to.clone(), RoleWord::Owner);
            }
            Content::Disbanded {} => self.0.clear(),
            Content::Settings { .. }
            | Content::Muted { .. }
            | Content::Banned { .. }
            | Content::LinkMade { .. }
            | Content::LinkRevoked { .. }
            | Content::Pinned { .. }
            | Content::Unpinned { .. }
            | Content::JoinAsked {}
            | Content::JoinClosed { .. }
            | Content::Call(_)
            | Content::BanLifted { .. }
            | Content::Text(_)
            | Content::Body { .. }
            | Content::Related { .. }
            | Content::Renamed { .. }
            | Content::Reacted { .. }
            | Content::TookBack { .. }
            | Content::Edited { .. }
            | Content::Recalled { .. }
            | Content::Vanished { .. }
            | Content::Poll { .. }
            | Content::StreamEnded { .. }
            | Content::Erased { .. }
            | Content::Unknown { .. } => {}
        }
    }

    pub fn lines(&self) -> impl Iterator<Item = Line> {
        self.0.iter().map(|(user, role)| Line::Member(Member { user: user.clone(), role: *role }))
    }
}
