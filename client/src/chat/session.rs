//! The chat session: runs commands (`typed`) and displays incoming events.
//!
//! Requests run beside the loop, so that typing and receiving continue while a node is unreachable.
//! Only a change of the conversation holds back later input, because that input belongs to the new
//! conversation.

mod commands;
mod messages;
mod names;
mod pages;
mod read;
mod typed;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use anyhow::Result;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use troupe_core::{Body, ClientMessageId, ConversationId, Event, EventKind, Seq, Timestamp, UserId};

use super::account::Account;
use super::editor::Entered;
use super::said::{Change, Message, Said, What};
use super::screen::{Listed, Mark, Screen};
use crate::client::{Acked, Client, Events, Incoming};
use crate::error::Error;
use crate::msg::{NamedConversation, group_label, restored};
use messages::Stale;
use pages::Page;
use read::ToRead;

pub use messages::reactions_in_words;

/// Sent messages whose delivery is tracked.
const WATCHED: usize = 256;
/// How long a name lookup may take before the id is shown.
const NAME_WAIT: Duration = Duration::from_secs(1);
/// Names in the cache.
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
    /// The other user was looked up.
    Whisper(Result<NamedConversation>, String),
    Lines(Result<Vec<String>>),
    /// Lines that begin with a time, on a screen that shows times.
    Dated(Result<Vec<(Timestamp, String)>>),
    /// The answer to a change of the conversation, and the notice about it.
    Switch(Result<(NamedConversation, String)>),
    /// Time to send the read positions.
    MarkRead,
    Marked,
    Overview(Result<Vec<Listed>>),
    Page(ConversationId, Result<Page>),
    /// Time to ask for the state of changed messages.
    Refresh,
    Refreshed(ConversationId, Option<Box<Said>>),
}

pub(super) struct ChatSession<S> {
    client: Client,
    account: Account,
    screen: S,
    /// `None` after the user was removed from the conversation. Text is then refused.
    current: Option<ConversationId>,
    /// A change of the conversation is pending.
    switching: bool,
    /// Input held back meanwhile.
    held: VecDeque<Entered>,
    /// A long paste that waits for confirmation.
    unconfirmed: Option<String>,
    names: BTreeMap<UserId, String>,
    titles: BTreeMap<ConversationId, String>,
    work: FuturesUnordered<BoxFuture<'static, Work>>,
    sent: u64,
    /// Messages of this device that have not come back as events.
    mine: BTreeMap<ClientMessageId, u64>,
    /// Sent, and not yet delivered to any other user.
    watched: BTreeMap<(ConversationId, Seq), u64>,
    /// How far any other user has received.
    reached: BTreeMap<ConversationId, Seq>,
    to_read: ToRead,
    stale: Stale,
    /// Typed messages whose outcome is not shown yet.
    pending: usize,
    bot: bool,
}

impl<S: Screen> ChatSession<S> {
    pub fn new(client: Client, account: Account, screen: S) -> ChatSession<S> {
        ChatSession {
            client,
            account,
            screen,
            current: Some(ConversationId::Everyone),
            switching: false,
            held: VecDeque::new(),
            unconfirmed: None,
            names: BTreeMap::new(),
            titles: BTreeMap::new(),
            work: FuturesUnordered::new(),
            sent: 0,
            mine: BTreeMap::new(),
            watched: BTreeMap::new(),
            reached: BTreeMap::new(),
            to_read: ToRead::default(),
            stale: Stale::default(),
            pending: 0,
            bot: false,
        }
    }

    pub async fn greet(&mut self, notices: &[String]) -> Result<()> {
        let name = self.client.name().unwrap_or_else(|| self.account.name.clone());
        if let Some(me) = self.client.user() {
            self.names.insert(me, name.clone());
        }
        self.screen
            .notice(&format!("you are {name}; type to talk to everyone, :all lists commands, :q! quits"))
            .await?;
        for notice in notices {
            self.screen.notice(notice).await?;
        }
        self.fetch_overview();
        self.open(self.current);
        Ok(())
    }

    /// Shows the current conversation.
    pub async fn prompt(&mut self) -> Result<()> {
        let place = match (&self.unconfirmed, self.switching, self.current) {
            (Some(_), _, _) => "send it? (y/n) ".to_owned(),
            (None, true, _) => "...".to_owned(),
            (None, false, Some(current)) => self.label(current),
            (None, false, None) => "nowhere".to_owned(),
        };
        Ok(self.screen.prompt(&place).await?)
    }

    /// Whether new input must wait for an answer.
    pub fn is_switching(&self) -> bool {
        self.switching
    }

    pub async fn next_work(&mut self) -> Work {
        match self.work.next().await {
            Some(work) => work,
            None => std::future::pending().await,
        }
    }

    pub async fn finish(mut self, events: &mut Events) -> Result<()> {
        self.screen.end_prompt().await?;
        // A state folder keeps the outbox. Without one, unsent messages are lost after this wait.
        let keeps = self.account.keeps_state();
        let end = tokio::time::Instant::now() + if keeps { Duration::from_secs(1) } else { LAST_WORDS };
        self.mark_read();
        while self.pending > 0 || self.client.outbox_len() > 0 || self.to_read.is_under_way() {
            tokio::select! {
                work = self.next_work() => drop(self.worked(work).await?),
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
        self.screen.end_prompt().await?;
        self.client.close().await;
        Ok(())
    }

    async fn say(&mut self, conversation: ConversationId, body: Body) -> Result<()> {
        self.sent += 1;
        let number = self.sent;
        let message = Message::of(&body, self.client.user());
        match self.client.send(conversation, body) {
            Ok(handle) => {
                self.mine.insert(handle.id, number);
                let label = self.label(conversation);
                self.screen.sending(number, conversation, &label, &message).await?;
                self.pending += 1;
                self.work(async move { Work::Sent { number, conversation, outcome: handle.await } });
            }
            Err(error) => self.screen.outcome(number, Mark::Failed, None, &error.to_string()).await?,
        }
        Ok(())
    }

    /// `false`: a held line quits.
    pub async fn worked(&mut self, work: Work) -> Result<bool> {
        match work {
            Work::Sent { number, conversation, outcome: Ok(acked) } => {
                self.pending -= 1;
                if self.reached.get(&conversation).is_some_and(|reached| *reached >= acked.seq) {
                    self.screen.outcome(number, Mark::Delivered, Some(acked.seq), "").await?;
                    return Ok(true);
                }
                self.watched.insert((conversation, acked.seq), number);
                if self.watched.len() > WATCHED {
                    self.watched.pop_first();
                }
                self.screen.outcome(number, Mark::Sent, Some(acked.seq), "").await?;
            }
            Work::Sent { number, outcome: Err(error), .. } => {
                self.pending -= 1;
                self.mine.retain(|_, mine| *mine != number);
                self.screen.outcome(number, Mark::Failed, None, &error.to_string()).await?;
            }
            Work::Whisper(place, text) => {
                self.pending -= 1;
                match place {
                    Ok(place) => {
                        self.learn(&place);
                        self.say(place.conversation, Body::text(&text)).await?;
                    }
                    Err(error) => self.screen.notice(&format!("not sent: {error:#}")).await?,
                }
            }
            Work::Lines(Ok(lines)) => {
                for line in lines {
                    self.screen.notice(&line).await?;
                }
            }
            Work::Dated(Ok(lines)) => {
                for (time, line) in lines {
                    let line = format!("{} {line}", self.screen.time(time));
                    self.screen.notice(line.trim_start()).await?;
                }
            }
            Work::Refresh => self.refresh(),
            Work::Refreshed(conversation, message) => {
                message.into_iter().for_each(|message| self.screen.refreshed(conversation, *message));
            }
            Work::Lines(Err(error)) | Work::Dated(Err(error)) => self.screen.notice(&format!("{error:#}")).await?,
            Work::Switch(answer) => return self.switched(answer).await,
            Work::Overview(answer) => self.listed(answer).await?,
            Work::Page(conversation, answer) => self.paged(conversation, answer).await?,
            Work::MarkRead => self.mark_read(),
            Work::Marked => self.to_read.marked(),
        }
        Ok(true)
    }

    /// The conversation changes now, or stays. Input for a refused conversation is dropped.
    async fn switched(&mut self, answer: Result<(NamedConversation, String)>) -> Result<bool> {
        self.switching = false;
        match answer {
            Ok((place, words)) => {
                self.learn(&place);
                self.open(Some(place.conversation));
                self.screen.notice(&words).await?;
                while !self.switching
                    && let Some(entered) = self.held.pop_front()
                {
                    if !self.entered(entered).await? {
                        return Ok(false);
                    }
                }
            }
            Err(error) => {
                self.screen.notice(&format!("{error:#}")).await?;
                for entered in std::mem::take(&mut self.held) {
                    if entered.text.trim() == ":q!" {
                        return Ok(false);
                    }
                    self.screen.notice(&format!("not sent: {}", entered.text)).await?;
                }
            }
        }
        Ok(true)
    }

    pub async fn incoming(&mut self, incoming: Incoming) -> Result<()> {
        match incoming {
            Incoming::Event { conversation, event } => self.event(conversation, event).await?,
            Incoming::State(state) => self.screen.state(&state).await?,
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
                    self.screen.outcome(number, Mark::Delivered, Some(place.1), "").await?;
                }
            }
            Incoming::Cursor { .. }
            | Incoming::Profile(_)
            | Incoming::Contact(_)
            | Incoming::Presence(_)
            | Incoming::Personal { .. }
            | Incoming::Favourite { .. }
            | Incoming::Signal { .. } => {}
            Incoming::ConversationAdded { conversation, .. } => {
                self.fetch_overview();
                if let ConversationId::Group(_) = conversation {
                    self.screen.notice(&format!("you are in {conversation}; :to {conversation} to talk there")).await?;
                }
            }
            Incoming::Invitation { conversation, by } => {
                let text = format!("user {by}, whom you do not know, invites you to {conversation}");
                self.screen
                    .notice(&format!("{text}; :join {conversation} enters it, :decline {conversation} refuses"))
                    .await?;
            }
            Incoming::ConversationRemoved { conversation } => {
                self.screen.notice(&format!("you are no longer in {}", self.label(conversation))).await?;
                // The typed text was meant for that group, so it must not go to everyone.
                if self.current == Some(conversation) {
                    self.open(None);
                }
                self.fetch_overview();
            }
            Incoming::Restored { conversation, kept, lost, .. } => {
                let place = self.label(conversation);
                self.screen.notice(&restored(&place, kept, lost)).await?;
            }
            Incoming::Settled { conversation, outcome: Ok(acked), .. } => {
                self.screen
                    .notice(&format!("a message of an earlier run was sent to {conversation} ({})", acked.seq))
                    .await?;
            }
            Incoming::Settled { conversation, outcome: Err(error), .. } => {
                self.screen.notice(&format!("a message of an earlier run to {conversation} failed: {error}")).await?;
            }
        }
        Ok(())
    }

    async fn event(&mut self, conversation: ConversationId, event: Event) -> Result<()> {
        let mine = self.mine.remove(&event.client_message_id).is_some();
        if Some(event.sender) != self.client.user() && self.screen.shows(conversation) {
            self.has_shown(conversation, event.seq);
        }
        if mine {
            return Ok(());
        }
        let who = self.name(event.sender).await;
        if let ConversationId::Group(_) = conversation
            && let EventKind::Created { name } | EventKind::Renamed { name } = &event.kind
        {
            self.titles.insert(conversation, group_label(name, conversation));
        }
        let label = self.label(conversation);
        let said = Said::of(&event, who, self.client.user());
        self.screen.said(conversation, &label, &said).await?;
        if let What::Change { to, change: Change::Voted, .. } = &said.what {
            self.has_changed(conversation, *to);
        }
        if self.bot
            && let ConversationId::Direct { .. } = conversation
            && Some(event.sender) != self.client.user()
            && let EventKind::Message(body) = &event.kind
            && let Some(answer) = body.as_text().and_then(bot)
        {
            self.say(conversation, Body::text(&answer)).await?;
        }
        Ok(())
    }

    fn work(&mut self, work: impl Future<Output = Work> + Send + 'static) {
        self.work.push(Box::pin(work));
    }
}

/// CIM's artificial intelligence, which repeats the question with confidence.
fn bot(text: &str) -> Option<String> {
    if text.starts_with(BOT) {
        return None;
    }
    let answer = text.replace(['?', '？'], "!").replace('吗', "").replace("你", "我");
    Some(format!("{BOT}{answer}"))
}
