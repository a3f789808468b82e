//! What commands do (`typed`), and what incoming events mean for the person at the terminal.
//!
//! Whatever asks the servers runs beside the loop, so that typing and receiving go on while a node is away.

mod typed;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::io::AsyncWrite;
use troupe_core::{Body, ClientMessageId, ConversationId, Event, EventKind, Seq, UserId};

use super::Options;
use super::screen::{self, DELIVERED, FAILED, SENDING, SENT, Screen};
use crate::client::{Acked, Client, Events, Incoming};
use crate::error::Error;
use crate::msg::describe;

/// Sent messages whose delivery is watched.
const WATCHED: usize = 256;
/// How long a name may take to be learned before its id is shown.
const NAME_WAIT: Duration = Duration::from_secs(1);
/// Names remembered.
const NAMES: usize = 10_000;
/// Without a state folder, how long unsent messages get at the end.
const LAST_WORDS: Duration = Duration::from_secs(5);
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
}

/// CIM's artificial intelligence: what was asked, said back with confidence.
fn bot(text: &str) -> Option<String> {
    if text.starts_with(BOT) {
        return None;
    }
    let answer = text.replace(['?', '？'], "!").replace('吗', "").replace("你", "我");
    Some(format!("{BOT}{answer}"))
}
