//! What commands do, and what incoming events mean for the person at the terminal.
//!
//! Whatever asks the servers runs beside the loop, so that typing and receiving go on while a node is away.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::io::AsyncWrite;
use troupe_core::command::GroupChange;
use troupe_core::{Body, ClientMessageId, ConversationId, Event, EventKind, Seq, UserId};

use super::command::{HELP, Line, parse};
use super::screen::{self, DELIVERED, FAILED, SENDING, SENT, Screen};
use super::{Options, emoji};
use crate::client::{Acked, Client, Events, Incoming};
use crate::error::Error;
use crate::msg::{describe, resolve};

/// Commands and messages without an outcome yet. Above it a new one is refused.
const WORK: usize = 4_096;
/// Sent messages whose delivery is watched.
const WATCHED: usize = 256;
/// How long a name may take to be learned before its id is shown.
const NAME_WAIT: Duration = Duration::from_secs(1);
/// Names remembered.
const NAMES: usize = 10_000;
/// Without a state folder, how long unsent messages get at the end.
const LAST_WORDS: Duration = Duration::from_secs(5);
const FOUND: usize = 20;
/// Bots do not answer each other.
const BOT: &str = "[bot] ";

pub(super) enum Work {
    Sent {
        number: u64,
        conversation: ConversationId,
        outcome: Result<Acked, Error>,
    },
    /// A delay is over.
    Say(ConversationId, String),
    /// The other one was looked up.
    Whisper(Result<ConversationId>, String),
    Lines(Result<Vec<String>>),
    Switch(Result<(ConversationId, String)>),
}

pub(super) struct Session<W> {
    client: Client,
    options: Options,
    screen: Screen<W>,
    current: ConversationId,
    names: BTreeMap<UserId, String>,
    titles: BTreeMap<ConversationId, String>,
    work: FuturesUnordered<BoxFuture<'static, Work>>,
    sent: u64,
    /// Messages of this device that have not come back as events yet.
    mine: BTreeMap<ClientMessageId, u64>,
    /// Sent and not yet delivered to anybody else.
    watched: BTreeMap<(ConversationId, Seq), u64>,
    /// How far anybody else has received.
    reached: BTreeMap<ConversationId, Seq>,
    /// Messages typed that have no mark of their end yet.
    pending: usize,
    bot: bool,
}

impl<W: AsyncWrite + Unpin> Session<W> {
    pub fn new(client: Client, options: Options, output: W) -> Session<W> {
        let screen = Screen::new(output, options.terminal);
        Session {
            client,
            options,
            screen,
            current: ConversationId::Everyone,
            names: BTreeMap::new(),
            titles: BTreeMap::new(),
            work: FuturesUnordered::new(),
            sent: 0,
            mine: BTreeMap::new(),
            watched: BTreeMap::new(),
            reached: BTreeMap::new(),
            pending: 0,
            bot: false,
        }
    }

    pub async fn greet(&mut self) -> Result<()> {
        let name = self.client.name().unwrap_or_else(|| self.options.account.name.clone());
        if let Some(me) = self.client.user() {
            self.names.insert(me, name.clone());
        }
        self.screen
            .notice(&format!("you are {name}; type to talk to everyone, :all lists commands, :q! quits"))
            .await?;
        Ok(self.screen.flush().await?)
    }

    pub async fn flush(&mut self) -> Result<()> {
        Ok(self.screen.flush().await?)
    }

    pub async fn next_work(&mut self) -> Work {
        match self.work.next().await {
            Some(work) => work,
            None => std::future::pending().await,
        }
    }

    pub async fn finish(mut self, events: &mut Events) -> Result<()> {
        // A state folder keeps the outbox; without one these are the last words.
        let keeps = self.options.account.state_dir.is_some();
        let end = tokio::time::Instant::now() + if keeps { Duration::from_secs(1) } else { LAST_WORDS };
        while self.pending > 0 || self.client.outbox_len() > 0 {
            tokio::select! {
                work = self.next_work() => self.worked(work).await?,
                incoming = events.next() => match incoming {
                    Some(incoming) => self.incoming(incoming).await?,
                    None => break,
                },
                _ = tokio::time::sleep_until(end) => break,
            }
        }
        if self.client.outbox_len() > 0 {
            let count = self.client.outbox_len();
            let fate = if keeps { "go out next time" } else { "were not sent" };
            self.screen.notice(&format!("{count} messages {fate}")).await?;
        }
        self.screen.notice("bye").await?;
        self.screen.flush().await?;
        self.client.close().await;
        Ok(())
    }

    /// Does what a line says. `false`: quit.
    pub async fn line(&mut self, line: &str) -> Result<bool> {
        let line = parse(line);
        if self.work.len() >= WORK && !matches!(line, Line::Quit) {
            self.screen.notice("too much is under way: wait a little").await?;
            return Ok(true);
        }
        let client = self.client.clone();
        let current = self.current;
        match line {
            Line::Nothing => {}
            Line::Quit => return Ok(false),
            Line::Say(text) => self.say(current, text).await?,
            Line::Whisper { to, text } => {
                self.pending += 1;
                self.work(async move { Work::Whisper(resolve(&client, &to).await, text) });
            }
            Line::Delay(delay, text) => {
                self.screen.notice(&format!("will be said in {} seconds", delay.as_secs())).await?;
                self.work(async move {
                    tokio::time::sleep(delay).await;
                    Work::Say(current, text)
                });
            }
            Line::Help => {
                for (what, does) in HELP {
                    self.screen.notice(&format!("{what:<28} {does}")).await?;
                }
            }
            Line::Usage(usage) => self.screen.notice(usage).await?,
            Line::Emoji(page) => match emoji::page(page) {
                Some(table) => self.screen.notice(&format!("{table}   ({page}/{})", emoji::pages())).await?,
                None => self.screen.notice(&format!("there are {} pages", emoji::pages())).await?,
            },
            Line::Bot(on) => {
                self.bot = on;
                let text = if on { "the bot answers private messages; :qai stops it" } else { "the bot is off" };
                self.screen.notice(text).await?;
            }
            Line::Info => self.info().await?,
            Line::Search(word) => self.search(&word).await?,
            Line::OnlineUsers => self.lines(async move {
                let (users, more) = client.online_users("").await?;
                let mut lines: Vec<String> =
                    users.iter().map(|user| format!("{} ({})", user.name, user.user)).collect();
                lines.insert(0, format!("online: {}{}", users.len(), if more { " and more" } else { "" }));
                Ok(lines)
            }),
            Line::Prefix(prefix) => self.lines(async move {
                let (users, more) = client.find_users(&prefix, "").await?;
                let state = |online| if online { "online" } else { "offline" };
                let mut lines: Vec<String> =
                    users.iter().map(|u| format!("{} ({}) {}", u.name, u.user, state(u.online))).collect();
                lines.insert(0, format!("users {prefix}*: {}{}", users.len(), if more { " and more" } else { "" }));
                Ok(lines)
            }),
            Line::Groups => self.lines(async move {
                let list = client.conversations().await?;
                let mut lines: Vec<String> = list
                    .conversations
                    .iter()
                    .map(|line| format!("{} {} ({} unread)", line.conversation, line.name, line.unread))
                    .collect();
                lines.extend(list.unavailable.iter().map(|conversation| format!("{conversation} (no answer now)")));
                Ok(lines)
            }),
            Line::New { name, members } => self.switch(async move {
                let users = users(&client, &members).await?;
                let group = client.create_group(&name, false, &users).await?;
                Ok((group, name))
            }),
            Line::Join(id) => self.switch(async move {
                let group: ConversationId = if id.starts_with('g') { id.parse()? } else { format!("g{id}").parse()? };
                client.change_group(group, GroupChange::Join).await?;
                Ok((group, group.to_string()))
            }),
            Line::To(to) => {
                let known = self.titles.iter().find(|(_, title)| **title == to).map(|(c, title)| (*c, title.clone()));
                self.switch(async move {
                    if let Some(known) = known {
                        return Ok(known);
                    }
                    if let Ok(conversation) = to.parse::<ConversationId>() {
                        return Ok((conversation, to));
                    }
                    let list = client.conversations().await?;
                    if let Some(line) = list.conversations.iter().find(|line| line.name == to) {
                        return Ok((line.conversation, to));
                    }
                    Ok((resolve(&client, &to).await?, to))
                });
            }
            Line::Invite(names) => self.lines(async move {
                let users = users(&client, &names).await?;
                client.change_group(current, GroupChange::Add { users }).await?;
                Ok(vec![format!("invited {}", names.join(", "))])
            }),
            Line::Leave => {
                self.current = ConversationId::Everyone;
                self.lines(async move {
                    client.change_group(current, GroupChange::Leave).await?;
                    Ok(vec![format!("left {current}; you talk to everyone")])
                });
            }
            Line::Who => self.lines(async move {
                let members = client.members(current).await?;
                let ids: Vec<UserId> = members.iter().take(100).map(|member| member.user).collect();
                let users = client.get_users(&ids, &[]).await?;
                let mut lines = vec![format!("{current}: {} members", members.len())];
                lines.extend(users.iter().map(|user| {
                    format!("{} ({}) {}", user.name, user.user, if user.online { "online" } else { "offline" })
                }));
                Ok(lines)
            }),
            Line::History(count) => self.lines(async move {
                let page = client.history_before(current, Seq::ZERO, count).await?;
                let mut ids: Vec<UserId> = page.events.iter().map(|event| event.sender).collect();
                ids.sort();
                ids.dedup();
                ids.truncate(100);
                let names: BTreeMap<UserId, String> =
                    client.get_users(&ids, &[]).await?.into_iter().map(|user| (user.user, user.name)).collect();
                let line = |event: &Event| {
                    let who = names.get(&event.sender).cloned().unwrap_or_else(|| event.sender.to_string());
                    format!("{} {who}: {}", event.seq, describe(&event.kind))
                };
                Ok(page.events.iter().map(line).collect())
            }),
        }
        Ok(true)
    }

    async fn say(&mut self, conversation: ConversationId, text: String) -> Result<()> {
        self.sent += 1;
        let number = self.sent;
        match self.client.send(conversation, Body::text(&text)) {
            Ok(handle) => {
                self.mine.insert(handle.id, number);
                self.screen.mark(SENDING, number, &format!("[{}] {text}", self.title(conversation))).await?;
                self.pending += 1;
                self.work(async move { Work::Sent { number, conversation, outcome: handle.await } });
            }
            Err(error) => self.screen.mark(FAILED, number, &error.to_string()).await?,
        }
        Ok(())
    }

    pub async fn worked(&mut self, work: Work) -> Result<()> {
        match work {
            Work::Sent { number, conversation, outcome: Ok(acked) } => {
                self.pending -= 1;
                if self.reached.get(&conversation).is_some_and(|reached| *reached >= acked.seq) {
                    return Ok(self.screen.mark(DELIVERED, number, "").await?);
                }
                self.watched.insert((conversation, acked.seq), number);
                if self.watched.len() > WATCHED {
                    self.watched.pop_first();
                }
                self.screen.mark(SENT, number, "").await?;
            }
            Work::Sent { number, outcome: Err(error), .. } => {
                self.pending -= 1;
                self.mine.retain(|_, mine| *mine != number);
                self.screen.mark(FAILED, number, &error.to_string()).await?;
            }
            Work::Say(conversation, text) => self.say(conversation, text).await?,
            Work::Whisper(conversation, text) => {
                self.pending -= 1;
                match conversation {
                    Ok(conversation) => self.say(conversation, text).await?,
                    Err(error) => self.screen.notice(&format!("{error:#}")).await?,
                }
            }
            Work::Lines(Ok(lines)) => {
                for line in lines {
                    self.screen.notice(&line).await?;
                }
            }
            Work::Switch(Ok((conversation, title))) => {
                self.current = conversation;
                self.screen.notice(&format!("you talk to {title} ({conversation})")).await?;
                self.titles.insert(conversation, title);
            }
            Work::Lines(Err(error)) | Work::Switch(Err(error)) => self.screen.notice(&format!("{error:#}")).await?,
        }
        Ok(())
    }

    pub async fn incoming(&mut self, incoming: Incoming) -> Result<()> {
        match incoming {
            Incoming::Event { conversation, event } => self.event(conversation, event).await?,
            Incoming::State(state) => {
                if let Some(text) = screen::state(&state) {
                    self.screen.notice(&text).await?;
                }
            }
            Incoming::Cursor { conversation, user, delivered, .. } if Some(user) != self.client.user() => {
                let reached: Vec<_> = self
                    .watched
                    .range((conversation, Seq::ZERO)..=(conversation, delivered))
                    .map(|(place, number)| (*place, *number))
                    .collect();
                let furthest = self.reached.entry(conversation).or_default();
                *furthest = delivered.max(*furthest);
                for (place, number) in reached {
                    self.watched.remove(&place);
                    self.screen.mark(DELIVERED, number, "").await?;
                }
            }
            Incoming::Cursor { .. } => {}
            Incoming::ConversationAdded { conversation, .. } => {
                if let ConversationId::Group(_) = conversation {
                    self.screen.notice(&format!("you are in {conversation}; :to {conversation} to talk there")).await?;
                }
            }
            Incoming::ConversationRemoved { conversation } => {
                if self.current == conversation {
                    self.current = ConversationId::Everyone;
                }
                self.screen.notice(&format!("you are no longer in {conversation}")).await?;
            }
            Incoming::Settled { conversation, outcome: Ok(acked), .. } => {
                self.screen
                    .notice(&format!("a message kept from last time was sent to {conversation} ({})", acked.seq))
                    .await?;
            }
            Incoming::Settled { conversation, outcome: Err(error), .. } => {
                self.screen.notice(&format!("a message kept from last time to {conversation} failed: {error}")).await?;
            }
        }
        Ok(())
    }

    async fn event(&mut self, conversation: ConversationId, event: Event) -> Result<()> {
        if self.mine.remove(&event.client_message_id).is_some() {
            return Ok(());
        }
        let who = self.name(event.sender).await;
        if let ConversationId::Group(_) = conversation
            && let EventKind::Created { name } | EventKind::Renamed { name } = &event.kind
        {
            self.titles.insert(conversation, name.clone());
        }
        let place = self.title(conversation);
        match &event.kind {
            EventKind::Message(_) => self.screen.message(&place, &who, &describe(&event.kind)).await?,
            kind => self.screen.notice(&format!("[{place}] {who} {}", describe(kind))).await?,
        }
        if self.bot
            && let ConversationId::Direct { .. } = conversation
            && Some(event.sender) != self.client.user()
            && let EventKind::Message(body) = &event.kind
            && let Some(answer) = body.as_text().and_then(bot)
        {
            self.say(conversation, answer).await?;
        }
        Ok(())
    }

    async fn info(&mut self) -> Result<()> {
        let (user, device) = (self.client.user().unwrap_or_default(), self.client.device().unwrap_or_default());
        let name = self.client.name().unwrap_or_default();
        let state = screen::state(&self.client.state()).unwrap_or_else(|| "connecting".into());
        let version = env!("CARGO_PKG_VERSION");
        let server = self.client.connection().map(|connection| {
            let welcome = connection.welcome();
            format!("server: {}, cluster nodes {}", welcome.server, welcome.nodes.join(", "))
        });
        self.screen.notice(&format!("client: troupe {version}, {name} (id {user}), device {device}")).await?;
        self.screen.notice(&format!("state: {state}; {} messages to be sent", self.client.outbox_len())).await?;
        self.screen.notice(&format!("talking to: {} ({})", self.title(self.current), self.current)).await?;
        if let Some(server) = server {
            self.screen.notice(&server).await?;
        }
        Ok(())
    }

    async fn search(&mut self, word: &str) -> Result<()> {
        let found = self.client.search(word, FOUND)?;
        self.screen.notice(&format!("{} messages on this device contain '{word}'", found.len())).await?;
        for (conversation, event) in found {
            let who = self.name(event.sender).await;
            self.screen.notice(&format!("{conversation} {} {who}: {}", event.seq, describe(&event.kind))).await?;
        }
        Ok(())
    }

    fn title(&self, conversation: ConversationId) -> String {
        let peer = self.client.user().and_then(|me| conversation.peer_of(me)).and_then(|peer| self.names.get(&peer));
        self.titles.get(&conversation).or(peer).cloned().unwrap_or_else(|| conversation.to_string())
    }

    async fn name(&mut self, user: UserId) -> String {
        if let Some(name) = self.names.get(&user) {
            return name.clone();
        }
        let ids = [user];
        let asked = tokio::time::timeout(NAME_WAIT, self.client.get_users(&ids, &[])).await;
        match asked.ok().and_then(Result::ok).and_then(|users| users.into_iter().next()) {
            Some(found) => {
                if self.names.len() < NAMES {
                    self.names.insert(user, found.name.clone());
                }
                found.name
            }
            None => format!("user {user}"),
        }
    }

    fn work(&mut self, work: impl Future<Output = Work> + Send + 'static) {
        self.work.push(Box::pin(work));
    }

    fn lines(&mut self, lines: impl Future<Output = Result<Vec<String>>> + Send + 'static) {
        self.work(async move { Work::Lines(lines.await) });
    }

    fn switch(&mut self, to: impl Future<Output = Result<(ConversationId, String)>> + Send + 'static) {
        self.work(async move { Work::Switch(to.await) });
    }
}

/// Users by name or id; all of them must exist.
async fn users(client: &Client, who: &[String]) -> Result<Vec<UserId>> {
    let ids: Vec<UserId> = who.iter().filter_map(|text| text.parse().ok()).collect();
    let names: Vec<String> = who.iter().filter(|text| text.parse::<UserId>().is_err()).cloned().collect();
    if who.is_empty() {
        return Ok(Vec::new());
    }
    let found = client.get_users(&ids, &names).await?;
    let missing = who.iter().find(|text| {
        !found
            .iter()
            .any(|user| user.user.to_string() == **text || troupe_core::fold(&user.name) == troupe_core::fold(text))
    });
    match missing {
        Some(missing) => anyhow::bail!("there is no user {missing}"),
        None => Ok(found.into_iter().map(|user| user.user).collect()),
    }
}

/// CIM's artificial intelligence: what was asked, said back with confidence.
fn bot(text: &str) -> Option<String> {
    if text.starts_with(BOT) {
        return None;
    }
    let answer = text.replace(['?', '？'], "!").replace('吗', "").replace("你", "我");
    Some(format!("{BOT}{answer}"))
}
