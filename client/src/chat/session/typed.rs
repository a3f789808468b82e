//! Dispatches a typed line. Requests only start here; the session shows their outcome later.

use anyhow::Result;
use troupe_core::{Body, ConversationId};

use super::{ChatSession, Work, commands, messages};
use crate::chat::command::{HELP, Line, OnMessage, parse_entered};
use crate::chat::editor::Entered;
use crate::chat::emoji;
use crate::chat::screen::{Screen, Wish, state_in_words};
use crate::msg::{NamedConversation, resolve};

/// Pending commands and messages. Above it a new one is refused.
const WORK: usize = 4_096;
const FOUND: usize = 20;
/// Lines held while a change of the conversation is pending. Above it a new one is refused.
const HELD: usize = 256;
/// A larger paste needs confirmation.
const PASTED_LINES: usize = 3;
const PASTED_BYTES: usize = 500;

impl<S: Screen> ChatSession<S> {
    /// Takes a step of input. `false`: quit.
    pub async fn take(&mut self, step: S::Step) -> Result<bool> {
        match self.screen.take(step) {
            Wish::Nothing => {}
            Wish::Enter(entered) => return self.line(entered).await,
            Wish::Open(conversation) => {
                if !self.switching {
                    self.open(Some(conversation));
                }
            }
            Wish::Older(conversation, before) => self.fetch_page(conversation, before),
            Wish::Remark(text) => self.screen.notice(&text).await?,
            Wish::Quit => return Ok(false),
        }
        Ok(true)
    }

    /// Takes an entered line. `false`: quit.
    async fn line(&mut self, entered: Entered) -> Result<bool> {
        if let Some(text) = self.unconfirmed.take() {
            self.screen.confirming(None);
            match entered.text.trim() {
                "y" | "Y" | "yes" => self.say_here(text).await?,
                _ => self.screen.notice("not sent").await?,
            }
            return Ok(true);
        }
        if !self.switching {
            return self.entered(entered).await;
        }
        if self.held.len() < HELD {
            self.held.push_back(entered);
        } else {
            self.screen.notice("too much is under way: wait a little").await?;
        }
        Ok(true)
    }

    async fn say_here(&mut self, text: String) -> Result<()> {
        match self.current {
            Some(current) => self.say(current, self.body(&text)).await,
            None => Ok(self.screen.notice("not sent: you are in no conversation; :to <name|#group|everyone>").await?),
        }
    }

    /// Executes a line. `false`: quit.
    pub(super) async fn entered(&mut self, entered: Entered) -> Result<bool> {
        let pasted = &entered.text[entered.typed..];
        let is_long = pasted.lines().count() > PASTED_LINES || pasted.len() > PASTED_BYTES;
        let size = format!("{} lines, {} bytes", pasted.lines().count(), pasted.len());
        let line = parse_entered(&entered);
        if self.work.len() >= WORK && !matches!(line, Line::Quit) {
            self.screen.notice("too much is under way: wait a little").await?;
            return Ok(true);
        }
        let client = self.client.clone();
        let needs_place = matches!(
            line,
            Line::Delay(..)
                | Line::Scheduled
                | Line::Cancel(_)
                | Line::Invite(_)
                | Line::Leave
                | Line::Who
                | Line::History(_)
                | Line::About { .. }
                | Line::Poll(_)
                | Line::Moderate(_)
                | Line::Link(_)
        );
        if needs_place && self.current.is_none() {
            self.screen.notice("you are in no conversation; :to <name|#group|everyone>").await?;
            return Ok(true);
        }
        let current = self.current.unwrap_or(ConversationId::Everyone);
        match line {
            Line::Nothing => {}
            Line::Quit => return Ok(false),
            Line::Say(text) if is_long => {
                let question = format!("pasted: {size}; y sends it as one message, anything else drops it");
                self.screen.notice(&question).await?;
                self.screen.confirming(Some(&text));
                self.unconfirmed = Some(text);
            }
            Line::Say(text) => self.say_here(text).await?,
            Line::Whisper { to, text } => {
                self.pending += 1;
                self.work(async move { Work::Whisper(resolve(&client, &to).await, text) });
            }
            Line::Delay(delay, text) => self.lines(commands::schedule(client, current, delay, text)),
            Line::Scheduled => self.lines(commands::list_scheduled(client, current)),
            Line::Cancel(id) => self.lines(commands::cancel_scheduled(client, current, id)),
            Line::Help => self.help().await?,
            Line::Usage(usage) => self.screen.notice(usage).await?,
            Line::Emoji(page) => self.emoji(page).await?,
            Line::Bot(on) => self.set_bot(on).await?,
            Line::Info => self.info().await?,
            Line::Search(word) => self.search(&word).await?,
            Line::Find(words) => self.lines(commands::find_messages(client, words)),
            Line::OnlineUsers => self.lines(commands::online_users(client)),
            Line::Prefix(prefix) => self.lines(commands::find_users(client, prefix)),
            Line::Groups => self.lines(commands::list_conversations(client)),
            Line::Who => self.lines(commands::list_members(client, current)),
            Line::History(count) => {
                self.work(async move { Work::Dated(commands::history(client, current, count).await) });
            }
            Line::Link(uses) => self.lines(commands::make_link(client, current, uses)),
            Line::Moderate(act) => self.lines(commands::moderate(client, current, act)),
            Line::About { to, act: OnMessage::Reply(text) } => {
                self.say(current, self.body(&text).replying_to(to)).await?;
            }
            Line::About { to, act } => self.lines(messages::act(client, current, to, act)),
            Line::Poll(poll) => self.say(current, Body::from(poll)).await?,
            Line::Decline(id) => self.lines(commands::decline(client, id)),
            Line::Invite(names) => self.lines(commands::invite(client, current, names)),
            Line::New { name, open, members } => self.switch(commands::create_group(client, name, open, members)),
            Line::Join(id) => self.switch(commands::join(client, id)),
            Line::To(to) => self.switch(async move { resolve(&client, &to).await }),
            Line::Leave => self.leave(current),
        }
        Ok(true)
    }

    async fn help(&mut self) -> Result<()> {
        for (command, does) in HELP {
            self.screen.notice(&format!("{command:<28} {does}")).await?;
        }
        Ok(())
    }

    async fn emoji(&mut self, page: usize) -> Result<()> {
        match emoji::page(page) {
            Some(table) => self.screen.notice(&format!("{table}   ({page}/{})", emoji::pages())).await?,
            None => self.screen.notice(&format!("there are {} pages", emoji::pages())).await?,
        }
        Ok(())
    }

    async fn set_bot(&mut self, on: bool) -> Result<()> {
        self.bot = on;
        let text = if on { "the bot answers private messages; :qai stops it" } else { "the bot is off" };
        Ok(self.screen.notice(text).await?)
    }

    fn leave(&mut self, group: ConversationId) {
        let (client, label) = (self.client.clone(), self.label(group));
        self.switching = true;
        self.work(async move {
            let everyone = commands::leave(client, group).await;
            Work::Switch(everyone.map(|everyone| (everyone, format!("left {label}; you talk to everyone"))))
        });
    }

    async fn info(&mut self) -> Result<()> {
        let (user, device) = (self.client.user().unwrap_or_default(), self.client.device().unwrap_or_default());
        let name = self.client.name().unwrap_or_default();
        let state = state_in_words(&self.client.state()).unwrap_or_else(|| "connecting".into());
        let version = env!("CARGO_PKG_VERSION");
        let server = self.client.connection().map(|connection| {
            let welcome = connection.welcome();
            format!("server: {}, cluster nodes {}", welcome.server, welcome.nodes.join(", "))
        });
        self.screen.notice(&format!("client: troupe {version}, {name} (id {user}), device {device}")).await?;
        self.screen.notice(&format!("state: {state}; {} messages to be sent", self.client.outbox_len())).await?;
        self.screen
            .notice(&format!(
                "talking to: {}",
                self.current.map_or("no conversation".into(), |current| self.label(current))
            ))
            .await?;
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
            let place = self.label(conversation);
            self.screen.notice(&format!("[{place}] {} {who}: {}", event.seq, event.kind.words())).await?;
        }
        Ok(())
    }

    fn lines(&mut self, lines: impl Future<Output = Result<Vec<String>>> + Send + 'static) {
        self.work(async move { Work::Lines(lines.await) });
    }

    /// The conversation changes with the answer. Input waits until then.
    fn switch(&mut self, to: impl Future<Output = Result<NamedConversation>> + Send + 'static) {
        self.switching = true;
        self.work(async move {
            Work::Switch(to.await.map(|place| {
                let words = format!("you talk to {} ({})", place.label, place.conversation);
                (place, words)
            }))
        });
    }
}
