//! `troupe msg`: sending and following messages from scripts. Lines go in and out; with `json`, each line out is one object.

use std::collections::VecDeque;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};
use troupe_core::{Body, ConversationId, Event, EventKind, UserId};

use crate::chat::Account;
use crate::client::{Acked, Client, Incoming, SendHandle, State};

/// Messages read ahead of their acks.
const PIPELINE: usize = 256;

#[derive(Clone, Debug)]
pub struct Send {
    pub account: Account,
    /// `everyone`, `d<low>-<high>`, `g<id>`, or a user's name or id.
    pub to: String,
    /// `None`: one message per line of the input.
    pub text: Option<String>,
    pub json: bool,
}

#[derive(Clone, Debug)]
pub struct Tail {
    pub account: Account,
    /// Stop after this many messages.
    pub count: Option<usize>,
    pub json: bool,
}

/// Sends, and returns when everything is acknowledged. A refused message is an error.
pub async fn send(
    options: Send,
    mut input: impl AsyncBufRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> Result<()> {
    let (client, events) = options.account.connect().await?;
    drop(events);
    let to = resolve(&client, &options.to).await?;
    let mut waiting: VecDeque<SendHandle> = VecDeque::new();
    match &options.text {
        Some(text) => waiting.push_back(client.send(to, Body::text(text))?),
        None => {
            let mut line = String::new();
            while input.read_line(&mut line).await? > 0 {
                if waiting.len() == PIPELINE
                    && let Some(handle) = waiting.pop_front()
                {
                    report(handle, options.json, &mut output).await?;
                }
                waiting.push_back(client.send(to, Body::text(line.trim_end_matches(['\r', '\n'])))?);
                line.clear();
            }
        }
    }
    for handle in waiting {
        report(handle, options.json, &mut output).await?;
    }
    client.close().await;
    Ok(())
}

async fn report(handle: SendHandle, json: bool, output: &mut (impl AsyncWrite + Unpin)) -> Result<()> {
    let conversation = handle.conversation;
    let Acked { id, seq, time } = handle.await.with_context(|| format!("a message to {conversation} was not sent"))?;
    let line = if json {
        let (conversation, id) = (conversation.to_string(), id.to_string());
        json!({ "conversation": conversation, "seq": seq.0, "time_ms": time.0, "client_message_id": id }).to_string()
    } else {
        format!("sent {conversation} {seq}")
    };
    output.write_all(format!("{line}\n").as_bytes()).await?;
    Ok(output.flush().await?)
}

/// Prints what comes in until `count` messages were printed, or for ever.
pub async fn tail(options: Tail, mut output: impl AsyncWrite + Unpin) -> Result<()> {
    let (client, mut events) = options.account.connect().await?;
    let mut left = options.count;
    while left != Some(0) {
        match events.next().await {
            None => bail!("the client has ended"),
            Some(Incoming::State(State::Kicked { text, .. })) => bail!("{text}"),
            Some(Incoming::Event { conversation, event }) => {
                if let Some(left) = &mut left
                    && matches!(event.kind, EventKind::Message(_))
                {
                    *left -= 1;
                }
                let line = if options.json { as_json(conversation, &event) } else { as_text(conversation, &event) };
                output.write_all(format!("{line}\n").as_bytes()).await?;
                output.flush().await?;
            }
            Some(_) => {}
        }
    }
    client.close().await;
    Ok(())
}

fn as_text(conversation: ConversationId, event: &Event) -> String {
    format!("{conversation} {} {}: {}", event.seq, event.sender, describe(&event.kind))
}

fn as_json(conversation: ConversationId, event: &Event) -> String {
    let mut line = json!({
        "conversation": conversation.to_string(),
        "seq": event.seq.0,
        "time_ms": event.time.0,
        "sender": event.sender.0,
        "client_message_id": event.client_message_id.to_string(),
    });
    let more = match &event.kind {
        EventKind::Message(body) => match body.as_text() {
            Some(text) => json!({ "kind": "message", "text": text }),
            None => json!({ "kind": "message", "body_kind": body.kind, "bytes": body.content.len() }),
        },
        EventKind::Created { name } => json!({ "kind": "created", "name": name }),
        EventKind::Renamed { name } => json!({ "kind": "renamed", "name": name }),
        EventKind::Added { users } => {
            json!({ "kind": "added", "users": users.iter().map(|user| user.0).collect::<Vec<_>>() })
        }
        EventKind::Removed { user } => json!({ "kind": "removed", "user": user.0 }),
        EventKind::RoleChanged { user, role } => {
            json!({ "kind": "role_changed", "user": user.0, "role": format!("{role:?}").to_lowercase() })
        }
    };
    if let (Some(line), serde_json::Value::Object(more)) = (line.as_object_mut(), more) {
        line.extend(more);
    }
    line.to_string()
}

/// An event in words, users by their ids.
pub(crate) fn describe(kind: &EventKind) -> String {
    match kind {
        EventKind::Message(body) => {
            body.as_text().map_or_else(|| format!("(unsupported message, kind {})", body.kind), clean)
        }
        EventKind::Created { name } => format!("created {}", clean(name)),
        EventKind::Renamed { name } => format!("renamed it to {}", clean(name)),
        EventKind::Added { users } => {
            format!("added {}", users.iter().map(UserId::to_string).collect::<Vec<_>>().join(", "))
        }
        EventKind::Removed { user } => format!("removed {user}"),
        EventKind::RoleChanged { user, role } => format!("made {user} {}", format!("{role:?}").to_lowercase()),
    }
}

/// Nobody steers a terminal with what they send.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect()
}

/// A conversation by its id, or the direct one with a user by name or id.
pub(crate) async fn resolve(client: &Client, to: &str) -> Result<ConversationId> {
    if let Ok(conversation) = to.parse() {
        return Ok(conversation);
    }
    let users = match to.parse::<u64>() {
        Ok(id) => client.get_users(&[UserId(id)], &[]).await?,
        Err(_) => client.get_users(&[], &[to.to_owned()]).await?,
    };
    let (Some(other), Some(me)) = (users.first(), client.user()) else { bail!("there is no user {to}") };
    ConversationId::direct(me, other.user).context("this is yourself")
}
