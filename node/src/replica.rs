//! Applied rows of this node's own replicas, as JSON, for checkers. Reads the engine directly: what
//! this disk holds now.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use troupe_core::content::{Content, Poll};
use troupe_core::event::ContentHash;
use troupe_core::feature::{Count, Edits, Reactions, Tally};
use troupe_core::{Body, ConversationId, Event, EventKind, SLOTS, Seq};
use troupe_raft::Cluster;
use troupe_store::rows::View;

/// Entries of one answer.
const PAGE: usize = 1000;
const PAGE_BYTES: usize = 1024 * 1024;
/// Messages with reactions, or with edits, in one answer, more than a checked run has.
const COUNTS: usize = 100_000;

pub fn read(cluster: &Cluster, conversation: Option<&str>, after: u64, from: Option<&str>) -> Result<Value> {
    let engine = cluster.engine();
    let view = View::new(engine.snapshot());
    match conversation {
        Some(text) => events(&view, text.parse().context("conversation")?, Seq(after)),
        None => conversations(&view, from.map(str::parse).transpose().context("from")?),
    }
}

fn events(view: &View, conversation: ConversationId, after: Seq) -> Result<Value> {
    let events = view.events(conversation, after, PAGE, PAGE_BYTES)?;
    let events: Vec<Value> = events
        .iter()
        .map(|event| {
            json!({
                "seq": event.seq.0,
                "time_ms": event.time.0,
                "sender": event.sender.0,
                "id": event.client_message_id.to_string(),
                "message": event.kind.number() == EventKind::MESSAGE,
                "reaction": match &event.kind {
                    EventKind::Reacted { to, emoji, removed } => {
                        json!({ "to": to.0, "emoji": emoji, "removed": removed })
                    }
                    _ => Value::Null,
                },
                "change": match &event.kind {
                    EventKind::Edited { to, body } => {
                        json!({ "kind": "edited", "to": to.0, "digest": digest(body) })
                    }
                    EventKind::Recalled { to } => json!({ "kind": "recalled", "to": to.0 }),
                    EventKind::Vanished { to } => json!({ "kind": "vanished", "to": to.0 }),
                    EventKind::StreamEnded { to, body, .. } => {
                        json!({ "kind": "streamed", "to": to.0, "text": body.as_text().unwrap_or_default() })
                    }
                    _ => Value::Null,
                },
                "poll": poll(event),
                "content": match &event.kind {
                    EventKind::Message(body)
                    | EventKind::Edited { body, .. }
                    | EventKind::StreamEnded { body, .. } => digest(body).into(),
                    _ => Value::Null,
                },
            })
        })
        .collect();
    let edits: Vec<Value> = view
        .page::<Edits>(&conversation, None, COUNTS)?
        .into_iter()
        .map(|((_, seq), of)| json!({ "seq": seq.0, "edits": of.seqs }))
        .collect();
    let polls: Vec<Value> = view
        .page::<Tally>(&conversation, None, COUNTS)?
        .into_iter()
        .map(|((_, seq), of)| json!({ "seq": seq.0, "counts": of.counts, "voters": of.voters, "closed": of.closed }))
        .collect();
    let counts: Vec<Value> = view
        .page::<Reactions>(&conversation, None, COUNTS)?
        .into_iter()
        .flat_map(|((_, seq), of): ((ConversationId, Seq), Reactions)| {
            let count = move |of: Count| json!({ "seq": seq.0, "emoji": of.emoji, "users": of.users });
            of.counts.into_iter().map(count)
        })
        .collect();
    let conversation = conversation.to_string();
    Ok(json!({
        "conversation": conversation, "events": events, "counts": counts, "edits": edits, "polls": polls
    }))
}

/// A poll, or a step in one, as checkers read it.
fn poll(event: &Event) -> Value {
    match &event.kind {
        EventKind::Message(body) => match body.typed() {
            Some(Content::Poll(Poll { options, multiple, anonymous, .. })) => {
                json!({ "kind": "asked", "options": options.len(), "multiple": multiple, "anonymous": anonymous })
            }
            _ => Value::Null,
        },
        EventKind::Voted { to, options, removed } => {
            json!({ "kind": "voted", "to": to.0, "options": options, "removed": removed })
        }
        EventKind::PollClosed { to, voters, counts } => {
            json!({ "kind": "closed", "to": to.0, "voters": voters, "counts": counts })
        }
        _ => Value::Null,
    }
}

/// As checkers compute it of the bodies that clients see.
fn digest(body: &Body) -> String {
    let hash = ContentHash::of(&EventKind::Message(body.clone()).content());
    hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn conversations(view: &View, from: Option<ConversationId>) -> Result<Value> {
    let rows = view.conversations(0..SLOTS, from, PAGE)?;
    let more = rows.len() == PAGE;
    let rows: Vec<Value> = rows
        .iter()
        .map(|(id, row)| {
            json!({
                "conversation": id.to_string(),
                "head": row.head.0,
                // As text: JavaScript's numbers would round it.
                "chain": format!("{:016x}", row.chain),
            })
        })
        .collect();
    Ok(json!({ "conversations": rows, "more": more }))
}
