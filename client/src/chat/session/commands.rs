//! Commands that ask the servers. Each function is one command and returns the lines to show, or
//! the conversation to change to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;
use troupe_core::command::Intent;
use troupe_core::feature::Settings;
use troupe_core::text::{clean, clean_name};
use troupe_core::{Body, ConversationId, Event, Seq, Timestamp, UserId};

use super::reactions_in_words;
use crate::chat::command::Act;
use crate::client::Client;
use crate::msg::{NamedConversation, group_label, resolve};
use crate::requests::{ConversationInfo, Search, UserInfo, link_of_text};

/// Ids per lookup of names.
const NAMES: usize = 100;
/// Messages of a search.
const FOUND: u32 = 20;

pub(super) async fn online_users(client: Client) -> Result<Vec<String>> {
    let (users, more) = client.online_users("").await?;
    let mut lines = vec![format!("online: {}{}", users.len(), and_more(more))];
    lines.extend(users.iter().map(|user| format!("{} ({})", user.name, user.user)));
    Ok(lines)
}

pub(super) async fn find_users(client: Client, prefix: String) -> Result<Vec<String>> {
    let (users, more) = client.find_users(&prefix, "").await?;
    let mut lines = vec![format!("users {prefix}*: {}{}", users.len(), and_more(more))];
    lines.extend(users.iter().map(with_state));
    Ok(lines)
}

pub(super) async fn list_conversations(client: Client) -> Result<Vec<String>> {
    let list = client.conversations().await?;
    let mut lines: Vec<String> =
        list.conversations.iter().map(|line| format!("{} ({} unread)", listed(line), line.unread)).collect();
    lines.extend(client.invitations().await?.iter().map(|invitation| {
        let (group, name, by) = (invitation.conversation, &invitation.name, invitation.by);
        format!("{group} {name} (user {by} invites you; :join or :decline)")
    }));
    lines.extend(list.unavailable.iter().map(|conversation| format!("{conversation} (no answer now)")));
    Ok(lines)
}

pub(super) async fn list_members(client: Client, conversation: ConversationId) -> Result<Vec<String>> {
    let members = client.members(conversation).await?;
    let ids: Vec<UserId> = members.iter().take(NAMES).map(|member| member.user).collect();
    let mut lines = vec![format!("{conversation}: {} members", members.len())];
    lines.extend(client.get_users(&ids, &[]).await?.iter().map(|user| {
        let role = members.iter().find(|member| member.user == user.user).and_then(|member| member.role);
        // A conversation that is no group has no roles.
        let role = role.map_or_else(String::new, |role| format!(", {}", role.name()));
        format!("{}{role}", with_state(user))
    }));
    Ok(lines)
}

pub(super) async fn history(
    client: Client,
    conversation: ConversationId,
    count: usize,
) -> Result<Vec<(Timestamp, String)>> {
    let page = client.history_before(conversation, Seq::ZERO, count).await?;
    let mut ids: Vec<UserId> = page.events.iter().map(|event| event.sender).collect();
    ids.sort();
    ids.dedup();
    ids.truncate(NAMES);
    let names: BTreeMap<UserId, String> =
        client.get_users(&ids, &[]).await?.into_iter().map(|user| (user.user, user.name)).collect();
    let line = |event: &Event| {
        let sender = names.get(&event.sender).cloned().unwrap_or_else(|| event.sender.to_string());
        let reactions = page.reactions.get(&event.seq).map_or_else(String::new, |of| reactions_in_words(of));
        (event.time, format!("{} {sender}: {}{reactions}", event.seq, event.kind.words()))
    };
    Ok(page.events.iter().map(line).collect())
}

/// The newest page with a message on it.
pub(super) async fn find_messages(client: Client, words: String) -> Result<Vec<String>> {
    let search = Search { limit: FOUND, ..Search::words(&words) };
    let mut found = client.find_messages(&search, None).await?;
    while let Some(page) = found.page.take().filter(|_| found.messages.is_empty()) {
        found = client.find_messages(&search, Some(&page)).await?;
    }
    let ids: BTreeSet<UserId> = found.messages.iter().map(|message| message.sender).collect();
    let ids: Vec<UserId> = ids.into_iter().collect();
    let names: BTreeMap<UserId, String> =
        client.get_users(&ids, &[]).await?.into_iter().map(|user| (user.user, user.name)).collect();
    let mut lines = vec![format!("{} messages{}", found.messages.len(), and_more(found.page.is_some()))];
    lines.extend(found.messages.iter().map(|message| {
        let sender = names.get(&message.sender).cloned().unwrap_or_else(|| message.sender.to_string());
        format!("[{}] {} {}: {}", message.conversation, message.seq, clean_name(&sender), clean(&message.snippet))
    }));
    if !found.incomplete.is_empty() {
        lines.push(format!("{} conversations did not answer: their messages are missing", found.incomplete.len()));
    }
    Ok(lines)
}

pub(super) async fn schedule(
    client: Client,
    conversation: ConversationId,
    delay: Duration,
    text: String,
) -> Result<Vec<String>> {
    let now = client.shared.context.clock.now().0;
    let at = Timestamp(now + u64::try_from(delay.as_millis())?);
    let kept = client.schedule(conversation, Body::text(&text), at).await?;
    Ok(vec![format!("will be said in {} seconds; :cancel {} takes it back", delay.as_secs(), kept.id)])
}

pub(super) async fn list_scheduled(client: Client, conversation: ConversationId) -> Result<Vec<String>> {
    let now = client.shared.context.clock.now().0;
    let messages = client.scheduled(conversation).await?;
    let mut lines = vec![format!("{} messages wait", messages.iter().filter(|one| one.refused.is_none()).count())];
    lines.extend(messages.iter().map(|message| {
        let when = match &message.refused {
            Some(code) => format!("refused ({code})"),
            None => format!("in {} seconds", message.at.0.saturating_sub(now) / 1_000),
        };
        let text = message.body.as_text().unwrap_or("(not a text)");
        format!("{} {when}: {}", message.id, clean(text))
    }));
    Ok(lines)
}

pub(super) async fn cancel_scheduled(
    client: Client,
    conversation: ConversationId,
    prefix: String,
) -> Result<Vec<String>> {
    let messages = client.scheduled(conversation).await?;
    let mut named = messages.iter().filter(|message| message.id.to_string().starts_with(&prefix));
    match (named.next(), named.next()) {
        (Some(message), None) => client.cancel_scheduled(conversation, message.id).await?,
        (None, _) => anyhow::bail!("no message {prefix} waits here: :scheduled lists them"),
        (Some(_), Some(_)) => anyhow::bail!("several ids begin with {prefix}: write more of it"),
    }
    Ok(vec![format!("{prefix} will not be said")])
}

/// The change itself is shown when it comes as an event.
pub(super) async fn moderate(client: Client, group: ConversationId, act: Act) -> Result<Vec<String>> {
    let one = async |name: String| {
        let found = users(&client, std::slice::from_ref(&name)).await?;
        found.first().copied().ok_or_else(|| anyhow::anyhow!("there is no user {name}"))
    };
    match act {
        Act::Mute { name, minutes: 0 } => client.mute(group, one(name).await?, None).await?,
        Act::Mute { name, minutes } => {
            // The servers count from the time of the last event, which is theirs.
            let now = client.shared.context.clock.now().0;
            client.mute(group, one(name).await?, Some(Timestamp(now + minutes * 60_000))).await?
        }
        Act::Ban { name, lift: false } => client.ban(group, one(name).await?).await?,
        Act::Ban { name, lift: true } => client.lift_ban(group, one(name).await?).await?,
        Act::Rename(name) => client.change_group(group, Intent::Rename { name }).await?,
        Act::Role { name, role } => {
            let user = one(name).await?;
            client.change_group(group, Intent::SetRole { user, role }).await?
        }
        Act::Notice(notice) => {
            client.set_group(group, Settings { notice: Some(notice), ..Settings::default() }).await?
        }
        Act::Slow(seconds) => {
            client.set_group(group, Settings { slow_seconds: Some(seconds), ..Settings::default() }).await?
        }
    };
    Ok(Vec::new())
}

pub(super) async fn create_group(
    client: Client,
    name: String,
    open: bool,
    members: Vec<String>,
) -> Result<NamedConversation> {
    let users = users(&client, &members).await?;
    let conversation = client.create_group(&name, open, &users).await?;
    Ok(NamedConversation { conversation, label: group_label(&name, conversation) })
}

/// The text of the link is the group and the code. Its holders may join.
pub(super) async fn make_link(client: Client, group: ConversationId, uses: u32) -> Result<Vec<String>> {
    let link = client.make_link(group, uses, None).await?;
    Ok(vec![format!("{link} lets in {uses}: they enter it as :join <link>")])
}

/// Accepts the invitation to the group, or joins it if there is none. A link joins by its code.
pub(super) async fn join(client: Client, id: String) -> Result<NamedConversation> {
    if let Some((group, code)) = link_of_text(&id) {
        client.join_by_link(group, code).await?;
        return resolve(&client, &group.to_string()).await;
    }
    let group = group(&id)?;
    match client.invitations().await?.into_iter().find(|invitation| invitation.conversation == group) {
        Some(invitation) => client.accept_invitation(group, invitation.seq).await?,
        None => drop(client.change_group(group, Intent::Join).await?),
    }
    resolve(&client, &group.to_string()).await
}

pub(super) async fn decline(client: Client, id: String) -> Result<Vec<String>> {
    client.decline_invitation(group(&id)?).await?;
    Ok(vec![format!("declined {id}")])
}

pub(super) async fn invite(client: Client, group: ConversationId, names: Vec<String>) -> Result<Vec<String>> {
    let users = users(&client, &names).await?;
    client.change_group(group, Intent::Add { users }).await?;
    Ok(vec![format!("invited {}", names.join(", "))])
}

/// Leaves the group. The session then talks to everyone.
pub(super) async fn leave(client: Client, group: ConversationId) -> Result<NamedConversation> {
    client.change_group(group, Intent::Leave).await?;
    Ok(NamedConversation { conversation: ConversationId::Everyone, label: "everyone".to_owned() })
}

fn and_more(more: bool) -> &'static str {
    if more { " and more" } else { "" }
}

fn with_state(user: &UserInfo) -> String {
    format!("{} ({}) {}", user.name, user.user, if user.online { "online" } else { "offline" })
}

fn listed(line: &ConversationInfo) -> String {
    match line.conversation {
        ConversationId::Group(_) => group_label(&line.name, line.conversation),
        ConversationId::Direct { .. } => format!("@{} {}", clean_name(&line.name), line.conversation),
        ConversationId::Everyone => "everyone".to_owned(),
    }
}

/// Users by name or id. Fails unless all of them exist.
async fn users(client: &Client, wanted: &[String]) -> Result<Vec<UserId>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<UserId> = wanted.iter().filter_map(|text| text.parse().ok()).collect();
    let names: Vec<String> = wanted.iter().filter(|text| text.parse::<UserId>().is_err()).cloned().collect();
    let found = client.get_users(&ids, &names).await?;
    let missing = wanted.iter().find(|text| {
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
