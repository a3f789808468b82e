//! Commands about one message, and the requests behind a screen that shows the state of messages.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use troupe_core::text::{clean, clean_name};
use troupe_core::{Body, ConversationId, Seq, UserId, limits, same_name};

use super::{ChatSession, Work};
use crate::chat::command::OnMessage;
use crate::chat::said::Said;
use crate::chat::screen::Screen;
use crate::client::Client;
use crate::requests::Reaction;

/// Votes are collected for this long, so that a poll is asked for once.
const GATHER: Duration = Duration::from_millis(300);
/// Polls of one request for their states. Later ones show their state when they are shown again.
const STALE: usize = 64;
/// Readers that are named.
const NAMED: usize = 20;

/// Messages whose state has changed in a way that only the servers can count.
#[derive(Debug, Default)]
pub(super) struct Stale {
    messages: BTreeSet<(ConversationId, Seq)>,
    gathering: bool,
}

impl<S: Screen> ChatSession<S> {
    pub(super) fn has_changed(&mut self, conversation: ConversationId, message: Seq) {
        if !self.screen.holds(conversation, message) || self.stale.messages.len() >= STALE {
            return;
        }
        self.stale.messages.insert((conversation, message));
        if !std::mem::replace(&mut self.stale.gathering, true) {
            self.work(async {
                tokio::time::sleep(GATHER).await;
                Work::Refresh
            });
        }
    }

    /// A failed one keeps its earlier state until it is shown again.
    pub(super) fn refresh(&mut self) {
        self.stale.gathering = false;
        for (conversation, message) in std::mem::take(&mut self.stale.messages) {
            let client = self.client.clone();
            self.work(async move {
                let refreshed = refreshed(client, conversation, message).await;
                Work::Refreshed(conversation, refreshed.unwrap_or_default().map(Box::new))
            });
        }
    }

    /// The text with the users that it names by `@name`, as far as this session knows them.
    pub(super) fn body(&self, text: &str) -> Body {
        let body = Body::text(text);
        if !self.screen.has_overview() {
            return body;
        }
        let mut users: Vec<UserId> = Vec::new();
        for name in names_in(text) {
            let known = self.names.iter().find(|(_, known)| same_name(known, name)).map(|(user, _)| *user);
            users.extend(known.filter(|user| !users.contains(user)));
        }
        users.truncate(limits::MENTIONS);
        if users.is_empty() { body } else { body.mentioning(&users) }
    }
}

/// Words behind an `@` that begins a word.
fn names_in(text: &str) -> impl Iterator<Item = &str> {
    let of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.match_indices('@').filter_map(move |(at, _)| {
        let begins = !text[..at].chars().next_back().is_some_and(of_name);
        let rest = &text[at + 1..];
        let end = rest.find(|c: char| !of_name(c)).unwrap_or(rest.len());
        let name = rest[..end].trim_end_matches(['.', '-']);
        (begins && !name.is_empty()).then_some(name)
    })
}

async fn refreshed(client: Client, conversation: ConversationId, message: Seq) -> Result<Option<Said>> {
    let page = client.history_after(conversation, Seq(message.0.saturating_sub(1)), 1).await?;
    let me = client.user();
    let event = page.events.iter().find(|event| event.seq == message);
    // The screen knows the name of the sender.
    Ok(event.map(|event| Said::on_page(event, &page, String::new(), me)))
}

/// Behind a message: each emoji with its users, the own ones in parentheses.
pub fn reactions_in_words(reactions: &[Reaction]) -> String {
    let one = |reaction: &Reaction| match (clean(&reaction.emoji), reaction.users) {
        (emoji, users) if reaction.mine => format!("({emoji} {users})"),
        (emoji, users) => format!("{emoji} {users}"),
    };
    if reactions.is_empty() {
        return String::new();
    }
    format!("   {}", reactions.iter().map(one).collect::<Vec<_>>().join("  "))
}

/// Changes themselves are shown when they come as events.
pub(super) async fn act(client: Client, conversation: ConversationId, to: Seq, act: OnMessage) -> Result<Vec<String>> {
    match act {
        OnMessage::Readers => return readers(client, conversation, to).await,
        // The session sends it as a message.
        OnMessage::Reply(_) => return Ok(Vec::new()),
        OnMessage::Edit(text) => client.edit(conversation, to, &text).await?,
        OnMessage::Recall => client.recall(conversation, to).await?,
        OnMessage::Pin => client.pin(conversation, to).await?,
        OnMessage::Unpin => client.unpin(conversation, to).await?,
        OnMessage::Vote(options) => client.vote(conversation, to, &options).await?,
        OnMessage::TakeVoteBack => client.take_vote_back(conversation, to).await?,
        OnMessage::ClosePoll => client.close_poll(conversation, to).await?,
        OnMessage::React { emoji, remove: false } => client.react(conversation, to, &emoji).await?,
        OnMessage::React { emoji, remove: true } => client.take_reaction_back(conversation, to, &emoji).await?,
    };
    Ok(Vec::new())
}

async fn readers(client: Client, conversation: ConversationId, to: Seq) -> Result<Vec<String>> {
    let counts = client.read_counts(conversation, &[to]).await?;
    let Some(count) = counts.first() else { anyhow::bail!("{to} is not a message that you see") };
    let ids = client.readers(conversation, to).await?;
    let some: Vec<UserId> = ids.iter().take(NAMED).copied().collect();
    let users = if some.is_empty() { Vec::new() } else { client.get_users(&some, &[]).await? };
    let names: Vec<String> = users.iter().map(|user| clean_name(&user.name)).collect();
    let more = if ids.len() > NAMED { ", and more" } else { "" };
    let colon = if names.is_empty() { "" } else { ": " };
    Ok(vec![format!("{to} was read by {} of {}{colon}{}{more}", count.read_by, count.seen_by, names.join(", "))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reactions_stand_behind_their_message_and_steer_no_terminal() {
        let reaction = |emoji: &str, users, mine| Reaction { emoji: emoji.to_owned(), users, mine };
        let line = reactions_in_words(&[reaction("👍", 2, true), reaction("❤\u{202e}", 1, false)]);
        assert_eq!(line, "   (👍 2)  ❤ 1");
        assert_eq!(reactions_in_words(&[]), "");
    }

    #[test]
    fn names_stand_behind_a_sign_that_begins_a_word() {
        let names: Vec<&str> = names_in("@bob, ask @li-wei. Mail to a@b.example (@张三)").collect();
        assert_eq!(names, ["bob", "li-wei", "张三"]);
    }
}
