//! What a typed line does. What asks the servers is only begun here; how it went is told by the
//! session when it is known.

use std::collections::BTreeMap;

use anyhow::Result;
use tokio::io::AsyncWrite;
use troupe_core::command::Intent;
use troupe_core::text::clean_name;
use troupe_core::{ConversationId, Event, Seq, UserId};

use super::{Session, Work};
use crate::chat::command::{HELP, Line, parse_entered};
use crate::chat::editor::Entered;
use crate::chat::{emoji, screen};
use crate::client::Client;
use crate::msg::{Place, describe, group_label, resolve};
use crate::requests::ConversationInfo;

/// Commands and messages without an outcome yet. Above it a new one is refused.
const WORK: usize = 4_096;
const FOUND: usize = 20;
/// Lines entered while a change of the conversation has no answer. Above it a new one is refused.
const HELD: usize = 256;
/// A pasted text with more lines or bytes is sent only after a yes.
const PASTED_LINES: usize = 3;
const PASTED_BYTES: usize = 500;

impl<W: AsyncWrite + Unpin> Session<W> {
    /// Takes a line that was entered. `false`: quit.
    pub async fn line(&mut self, entered: Entered) -> Result<bool> {
        if let Some(text) = self.unconfirmed.take() {
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
            Some(current) => self.say(current, text).await,
            None => Ok(self.screen.notice("not sent: you are in no conversation; :to <name|#group|everyone>").await?),
        }
    }

    /// Does what a line says. `false`: quit.
    pub(super) async fn entered(&mut self, entered: Entered) -> Result<bool> {
        let pasted = &entered.text[entered.typed..];
        let is_long = pasted.lines().count() > PASTED_LINES || pasted.len() > PASTED_BYTES;
        let what = format!("{} lines, {} bytes", pasted.lines().count(), pasted.len());
        let line = parse_entered(&entered);
        if self.work.len() >= WORK && !matches!(line, Line::Quit) {
            self.screen.notice("too much is under way: wait a little").await?;
            return Ok(true);
        }
        let client = self.client.clone();
        let needs_place =
            matches!(line, Line::Delay(..) | Line::Invite(_) | Line::Leave | Line::Who | Line::History(_));
        if needs_place && self.current.is_none() {
            self.screen.notice("you are in no conversation; :to <name|#group|everyone>").await?;
            return Ok(true);
        }
        let current = self.current.unwrap_or(ConversationId::Everyone);
        match line {
            Line::Nothing => {}
            Line::Quit => return Ok(false),
            Line::Say(text) if is_long => {
                self.screen
                    .notice(&format!("pasted: {what}; y sends it as one message, anything else drops it"))
                    .await?;
                self.unconfirmed = Some(text);
            }
            Line::Say(text) => self.say_here(text).await?,
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
                    .map(|line| format!("{} ({} unread)", listed(line), line.unread))
                    .collect();
                lines.extend(client.invitations().await?.iter().map(|invitation| {
                    let (group, name, by) = (invitation.conversation, &invitation.name, invitation.by);
                    format!("{group} {name} (user {by} invites you; :join or :decline)")
                }));
                lines.extend(list.unavailable.iter().map(|conversation| format!("{conversation} (no answer now)")));
                Ok(lines)
            }),
            Line::New { name, members } => self.switch(async move {
                let users = users(&client, &members).await?;
                let group = client.create_group(&name, false, &users).await?;
                Ok(Place { conversation: group, label: group_label(&name, group) })
            }),
            Line::Join(id) => self.switch(async move {
                let group = group(&id)?;
                match client.invitations().await?.into_iter().find(|invitation| invitation.conversation == group) {
                    Some(invitation) => client.accept_invitation(group, invitation.seq).await?,
                    None => drop(client.change_group(group, Intent::Join).await?),
                }
                resolve(&client, &group.to_string()).await
            }),
            Line::Decline(id) => self.lines(async move {
                client.decline_invitation(group(&id)?).await?;
                Ok(vec![format!("declined {id}")])
            }),
            Line::To(to) => self.switch(async move { resolve(&client, &to).await }),
            Line::Invite(names) => self.lines(async move {
                let users = users(&client, &names).await?;
                client.change_group(current, Intent::Add { users }).await?;
                Ok(vec![format!("invited {}", names.join(", "))])
            }),
            Line::Leave => {
                let label = self.label(current);
                self.switching = true;
                self.work(async move {
                    let left = client.change_group(current, Intent::Leave).await;
                    let everyone = Place { conversation: ConversationId::Everyone, label: "everyone".to_owned() };
                    Work::Switch(match left {
                        Ok(_) => Ok((everyone, format!("left {label}; you talk to everyone"))),
                        Err(error) => Err(error.into()),
                    })
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
        self.screen
            .notice(&format!("talking to: {}", self.current.map_or("nobody".into(), |current| self.label(current))))
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
            self.screen.notice(&format!("[{place}] {} {who}: {}", event.seq, describe(&event.kind))).await?;
        }
        Ok(())
    }

    fn lines(&mut self, lines: impl Future<Output = Result<Vec<String>>> + Send + 'static) {
        self.work(async move { Work::Lines(lines.await) });
    }

    /// The conversation changes when the answer is there. Until then what is entered waits.
    fn switch(&mut self, to: impl Future<Output = Result<Place>> + Send + 'static) {
        self.switching = true;
        self.work(async move {
            Work::Switch(to.await.map(|place| {
                let words = format!("you talk to {} ({})", place.label, place.conversation);
                (place, words)
            }))
        });
    }
}

fn listed(line: &ConversationInfo) -> String {
    match line.conversation {
        ConversationId::Group(_) => group_label(&line.name, line.conversation),
        ConversationId::Direct { .. } => format!("@{} {}", clean_name(&line.name), line.conversation),
        ConversationId::Everyone => "everyone".to_owned(),
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
        !found.iter().any(|user| user.user.to_string() == **text || troupe_core::same_name(&user.name, text))
    });
    match missing {
        Some(missing) => anyhow::bail!("there is no user {missing}"),
        None => Ok(found.into_iter().map(|user| user.user).collect()),
    }
}

/// A group by its id, with or without the letter.
fn group(id: &str) -> Result<ConversationId> {
    Ok(if id.starts_with('g') { id.parse()? } else { format!("g{id}").parse()? })
}
