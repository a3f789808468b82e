//! A bundle into a cluster, which may serve meanwhile.
//!
//! Each request may be repeated, and finds what an earlier run has left: accounts by the request
//! that follows from the bundle's source and their name, groups by their key, events by their
//! place. So a run that was ended half way is completed by the next one, and one more changes
//! nothing. A refusal ends its conversation, not the import: the others are taken.

mod closing;
mod files;
mod people;

use std::collections::BTreeMap;

use troupe_core::{UserId, event, limits};
use troupe_proto::wire::client as wire;
use wire::admin::Operation;
use wire::admin_answer::Answer;

use crate::bundle::Reader;
use crate::cluster::{Cluster, Refused, ask, other_answer};
use crate::export::Members;
use crate::line::{Account, Conversation, Event, Line, Status, id_from};
use crate::report::Report;
use crate::{Error, NO_PASSWORD, Result, hex, id_of};

/// Bytes of the events of one request. One larger event goes alone.
const REQUEST_BYTES: usize = 128 * 1024;

#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Accounts of the cluster with the names of others in the bundle are the same people.
    pub merge: bool,
    /// Leaves out the channel of all, which a cluster that is in use has already.
    pub without_everyone: bool,
}

/// A secret for the first login of an account without a password.
pub trait Secrets {
    /// A new one for this name, kept where the operator finds it before it is used.
    fn make(&mut self, name: &str) -> Result<Option<String>>;
}

/// No account gets one.
pub struct NoSecrets;

impl Secrets for NoSecrets {
    fn make(&mut self, _: &str) -> Result<Option<String>> {
        Ok(None)
    }
}

struct Import<'a, C> {
    cluster: &'a C,
    options: Options,
    source: String,
    /// Of this run, which leaves one row in each slot of the audit log that it writes to.
    run: [u8; 16],
    /// By the names of the bundle.
    users: BTreeMap<String, UserId>,
    report: Report,
}

/// Reads the whole bundle before the first request, so that a damaged one changes nothing. `run` is
/// random: the request id of what has none of its own.
pub async fn import(
    cluster: &impl Cluster,
    bundle: &mut Reader,
    options: Options,
    secrets: &mut impl Secrets,
    run: [u8; 16],
) -> Result<Report> {
    bundle.verify()?;
    let source = bundle.manifest.source.clone();
    if source == cluster.id() {
        let why = "the bundle is of this very cluster: it has this content already";
        return Err(Error::invalid(source, why));
    }
    let (users, report) = (BTreeMap::new(), Report::default());
    let mut import = Import { cluster, options, source, run, users, report };
    let mut inactive = Vec::new();
    let mut taken = 0;
    let mut begins = None;
    while let Some(line) = bundle.next_line()? {
        match line {
            Line::Account(account) => {
                match import.account(&account, secrets).await? {
                    true => people::profile(&mut import, &account).await?,
                    false => taken += 1,
                }
                if account.status != Status::Active {
                    inactive.push(account);
                }
            }
            Line::Contact(contact) if taken == 0 => people::contact(&mut import, &contact).await?,
            Line::Contact(_) => {}
            Line::Conversation(conversation) => {
                begins = Some(conversation);
                break;
            }
            _ => return Err(Error::invalid(bundle.place(), "accounts come first, then conversations")),
        }
    }
    if taken > 0 {
        let why = format!(
            "{taken} names are taken by other accounts of the cluster; nothing was written into conversations. \
             If they are the same people, import with --merge"
        );
        import.report.fail("accounts", "name_taken", &why);
        return Ok(import.report);
    }
    while let Some(conversation) = begins.take() {
        begins = import.conversation(bundle, conversation).await?;
    }
    for account in inactive {
        import.close(&account).await?;
    }
    Ok(import.report)
}

impl<C: Cluster> Import<'_, C> {
    async fn ask(&self, operation: Operation) -> std::result::Result<Answer, Refused> {
        ask(self.cluster, self.run, operation).await
    }

    /// Finds or makes the account. Whether it is there now.
    async fn account(&mut self, account: &Account, secrets: &mut impl Secrets) -> Result<bool> {
        let name = account.name.clone();
        let doing = format!("account {name}");
        let request = id_of(&[b"account", self.source.as_bytes(), name.as_bytes()]);
        // The name of a bot is none that an account may have. Its messages keep a sender, and it
        // has no password.
        let is_bot = name.contains('/');
        let called = if is_bot { format!("bot-{}", &hex(&request)[..16]) } else { name.clone() };
        let shown = self.shown(&called).await.map_err(Error::refused(&doing))?;
        if let Some(user) = shown {
            let merges = self.options.merge || account.born_with_cluster || is_bot;
            if merges {
                self.users.insert(name, user);
                self.report.met("accounts", 1);
                return Ok(true);
            }
        }
        let password_hash = if is_bot { NO_PASSWORD.to_owned() } else { account.password_hash.clone() };
        let has_secret = password_hash.is_empty() && account.status == Status::Active && shown.is_none();
        let secret = if has_secret { secrets.make(&name)? } else { None };
        let made = match &secret {
            Some(password) => {
                let (name, password) = (name.clone(), password.clone());
                let create = wire::CreateAccount { name, password, admin: account.admin };
                ask(self.cluster, request, Operation::CreateAccount(create)).await
            }
            None => {
                let import = wire::ImportAccount {
                    name: called,
                    password_hash: password_hash.clone(),
                    admin: account.admin,
                    one_time_password: account.one_time_password,
                    created_ms: account.created_ms,
                };
                ask(self.cluster, request, Operation::ImportAccount(import)).await
            }
        };
        match made {
            Ok(Answer::Accounts(page)) => {
                let user = page.accounts.first().map(|account| UserId(account.user_id));
                self.users.insert(name.clone(), user.ok_or_else(|| other_answer(&doing))?);
                match shown {
                    Some(_) => self.report.met("accounts", 1),
                    None => self.report.took("accounts", 1),
                }
                if is_bot {
                    self.report.change("bots, which become accounts without a password: make them again", &name);
                } else if password_hash.is_empty() && account.status == Status::Active && secret.is_none() {
                    self.report.change("accounts without a password: troupe user reset-password gives one", &name);
                }
                Ok(true)
            }
            Ok(_) => Err(other_answer(&doing)),
            // The cluster has made it meanwhile.
            Err(refused) if refused.code == "name_taken" && account.born_with_cluster => {
                let born = self.shown(&name).await.map_err(Error::refused(&doing))?;
                self.users.insert(name, born.ok_or_else(|| other_answer(&doing))?);
                self.report.met("accounts", 1);
                Ok(true)
            }
            Err(refused) if refused.code == "name_taken" => {
                self.report.change("names that another account of the cluster has", &name);
                Ok(false)
            }
            Err(refused) => Err(Error::Refused { doing, refused }),
        }
    }

    async fn shown(&self, name: &str) -> std::result::Result<Option<UserId>, Refused> {
        match self.ask(Operation::ShowAccount(name.to_owned())).await {
            Ok(Answer::Accounts(page)) => Ok(page.accounts.first().map(|account| UserId(account.user_id))),
            Ok(_) => Err(Refused::here(Refused::BAD_ANSWER, "the cluster gives another answer")),
            Err(refused) if refused.code == "no_such_user" => Ok(None),
            Err(refused) => Err(refused),
        }
    }

    /// Takes one conversation up to its end. Returns the next one, if there is one.
    async fn conversation(&mut self, bundle: &mut Reader, conversation: Conversation) -> Result<Option<Conversation>> {
        let named = conversation.named();
        let skips = conversation == Conversation::Everyone && self.options.without_everyone;
        let target = self.target(&conversation);
        let into = target.clone().ok();
        let conversation_here = into.as_ref().map(|into| into.conversation.clone()).unwrap_or_default();
        let mut taking =
            Taking { into, conversation: conversation_here, at: 0, placed: 0, found: 0, positions: 0, refused: None };
        if skips {
            taking.into = None;
            self.report.drop("conversations that were to be left out", &named);
        } else if let Err(why) = target {
            taking.refused = Some(Refused::here("bad_bundle", why));
        }
        let (mut members, mut said) = (Members::default(), Members::default());
        let (mut waiting, mut positions, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut ended = None;
        let mut next = None;
        while let Some(line) = bundle.next_line()? {
            match line {
                Line::Event(event) => {
                    members.see(&event);
                    let size = event.request_bytes();
                    if bytes + size > REQUEST_BYTES || waiting.len() == limits::IMPORT_EVENTS {
                        self.send(&mut taking, std::mem::take(&mut waiting), Vec::new()).await?;
                        bytes = 0;
                    }
                    bytes += size;
                    waiting.push(event);
                }
                Line::File(file) => {
                    // The events before it make its group, and its sender a member.
                    self.send(&mut taking, std::mem::take(&mut waiting), Vec::new()).await?;
                    bytes = 0;
                    if taking.goes_on() {
                        let of = taking.conversation.clone();
                        files::import(self, bundle, &file, of).await?;
                    }
                }
                Line::Member(member) => drop(said.0.insert(member.user, member.role)),
                Line::Position(position) => {
                    // Positions count behind all events.
                    if !waiting.is_empty() {
                        self.send(&mut taking, std::mem::take(&mut waiting), Vec::new()).await?;
                    }
                    if let Some(user) = self.users.get(&position.user) {
                        let (delivered, read) = (position.delivered, position.read);
                        positions.push(wire::ImportPosition { user_id: user.0, delivered, read });
                        taking.positions += u64::from(taking.goes_on());
                    } else {
                        self.report.drop("read positions of users without an account", &position.user);
                    }
                    if positions.len() == limits::IMPORT_CURSORS {
                        self.send(&mut taking, Vec::new(), std::mem::take(&mut positions)).await?;
                    }
                }
                Line::End(end) => ended = Some(end.head),
                Line::Conversation(conversation) => {
                    next = Some(conversation);
                    break;
                }
                Line::Account(_) | Line::Contact(_) => {
                    return Err(Error::invalid(bundle.place(), "accounts come first, then conversations"));
                }
            }
        }
        self.send(&mut taking, waiting, positions).await?;
        if taking.refused.is_none() && !skips {
            let is_whole = ended == Some(taking.at) && (!conversation.is_group() || members == said);
            if !is_whole {
                let why = "the members and the end of this conversation are not those of its events";
                taking.refused = Some(Refused::here("bad_bundle", why));
            }
        }
        self.report.took("events", taking.placed);
        self.report.met("events", taking.found);
        match taking.refused {
            Some(refused) => {
                let of = format!("{named} behind {}", taking.at);
                self.report.fail(of, &refused.code, &refused.text);
            }
            None if skips => {}
            None if taking.placed > 0 => {
                self.report.took("conversations", 1);
                self.report.took("read positions", taking.positions);
            }
            None => {
                self.report.met("conversations", 1);
                self.report.met("read positions", taking.positions);
            }
        }
        Ok(next)
    }

    /// The conversation in the cluster, without events.
    fn target(&self, conversation: &Conversation) -> std::result::Result<wire::Import, String> {
        let user = |name: &str| {
            let user = self.users.get(name).copied();
            user.ok_or_else(|| format!("no account of the bundle is called {name:?}"))
        };
        let (mut id, mut group_key, mut is_open) = (String::new(), bytes::Bytes::new(), false);
        match conversation {
            Conversation::Everyone => id = troupe_core::ConversationId::Everyone.to_string(),
            Conversation::Direct(a, b) => {
                let direct = troupe_core::ConversationId::direct(user(a)?, user(b)?);
                id = direct.ok_or("a direct conversation has two users")?.to_string();
            }
            Conversation::Group { key, open } => {
                let key: [u8; 16] = id_from(key).ok_or("the key of a group is 32 digits in hex")?;
                group_key = bytes::Bytes::copy_from_slice(&key);
                is_open = *open;
            }
        }
        let (source, events, positions) = (self.source.clone(), Vec::new(), Vec::new());
        Ok(wire::Import { conversation: id, group_key, open: is_open, source, events, positions })
    }

    /// Sends events, and positions behind them. A refusal ends the conversation.
    async fn send(&self, taking: &mut Taking, events: Vec<Event>, positions: Vec<wire::ImportPosition>) -> Result<()> {
        let Some(into) = taking.into.clone().filter(|_| taking.goes_on()) else { return Ok(()) };
        let user = |name: &str| self.users.get(name).copied();
        let mut left = Vec::with_capacity(events.len());
        for event in &events {
            match event.to_core(user) {
                Ok(event) => left.push(event::wire::Event::from(&event)),
                Err(why) => {
                    taking.refused = Some(Refused::here("bad_bundle", format!("event {}: {why}", event.seq)));
                    break;
                }
            }
        }
        if left.is_empty() && positions.is_empty() {
            return Ok(());
        }
        let bad = taking.refused.take();
        let positions = Some(positions).filter(|_| bad.is_none()).unwrap_or_default();
        loop {
            let last = left.last().map_or(taking.at, |event| event.seq);
            let count = left.len() as u64;
            let import = wire::Import { events: left.clone(), positions: positions.clone(), ..into.clone() };
            match self.ask(Operation::ImportEvents(import)).await {
                Ok(Answer::Imported(imported)) => {
                    let reached = imported.head.min(last).max(taking.at);
                    taking.conversation = imported.conversation;
                    let done = count.min(reached.saturating_sub(taking.at));
                    taking.placed += imported.placed;
                    taking.found += done.saturating_sub(imported.placed);
                    taking.at = reached;
                    if reached >= last {
                        break;
                    }
                    // The rules refuse the event behind: the same again is answered by the reason.
                    left.retain(|event| event.seq > reached);
                    if imported.placed == 0 && done == 0 {
                        return Err(other_answer(&into.conversation));
                    }
                }
                Ok(_) => return Err(other_answer(&into.conversation)),
                // No other conversation would fare better.
                Err(refused) if refused.is_of_the_connection() => {
                    return Err(Error::Refused { doing: into.conversation.clone(), refused });
                }
                Err(refused) => {
                    taking.refused = Some(refused);
                    return Ok(());
                }
            }
        }
        taking.refused = bad;
        Ok(())
    }
}

/// One conversation under way.
struct Taking {
    /// `None`: it is passed over.
    into: Option<wire::Import>,
    /// Its id in the cluster; empty: it is not known yet.
    conversation: String,
    /// The last event that is in.
    at: u64,
    placed: u64,
    found: u64,
    positions: u64,
    refused: Option<Refused>,
}

impl Taking {
    fn goes_on(&self) -> bool {
        self.into.is_some() && self.refused.is_none()
    }
}
