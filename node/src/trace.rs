//! The way of one message: `GET /v1/trace` gives the hops that this node keeps, and `troupe msg
//! trace` gathers those of all nodes.
//!
//! A node that holds a replica of the conversation's shard knows from its own hops which message
//! and which log entry an event was. The other nodes cannot know, so they are asked a second time
//! with the two given.

mod gather;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use troupe_core::{ConversationId, Seq, ShardId};
use troupe_runtime::trace::{Hop, Stage, Subject, Trace};
use troupe_runtime::{Lane, executor};

use crate::http::{Running, Shared};

pub use gather::{Args, run};

/// An event, and what another node knows about it.
#[derive(serde::Deserialize)]
pub struct Wanted {
    conversation: String,
    seq: u64,
    /// Its message's subject, in hexadecimal.
    message: Option<String>,
    shard: Option<u32>,
    index: Option<u64>,
}

/// Only for operators: who writes to whom, and when, is not for everyone who reaches the port.
pub async fn look(
    State(shared): State<Arc<Shared>>,
    running: Running,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Response {
    let refused = |code: StatusCode, why: String| (code, Json(json!({ "error": why }))).into_response();
    if let Err((code, why)) = shared.guard.permits(&headers) {
        return refused(code, why);
    }
    let Ok(conversation) = wanted.conversation.parse::<ConversationId>() else {
        return refused(StatusCode::BAD_REQUEST, "a conversation is everyone, d<low>-<high> or g<id>".to_owned());
    };
    let known = Known {
        message: wanted.message.and_then(|hex| u64::from_str_radix(&hex, 16).ok()).map(Subject),
        entry: wanted.shard.zip(wanted.index).map(|(shard, index)| (ShardId(shard), index)),
    };
    let platform = running.node.platform().clone();
    let (trace, event) = (platform.trace.clone(), Subject::event(conversation, Seq(wanted.seq)));
    // The whole ring is looked at, which takes milliseconds: not on a worker.
    match executor::run(&*platform.executor, Lane::Read, move || found(&trace, event, known)).await {
        Some(mut answer) => {
            answer["node"] = json!(running.cluster.me().0);
            Json(answer).into_response()
        }
        None => refused(StatusCode::SERVICE_UNAVAILABLE, "this node is busy: ask again".to_owned()),
    }
}

/// The message and the log entry of an event.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    message: Option<Subject>,
    entry: Option<(ShardId, u64)>,
}

fn found(trace: &Trace, event: Subject, mut known: Known) -> Value {
    let mut hops = trace.of(&[event]);
    if let Some(applied) = hops.iter().find(|hop| hop.stage == Stage::Applied) {
        known.message = Some(Subject(applied.at.detail));
        known.entry = applied.at.shard.map(|shard| (shard, applied.at.index));
    }
    let entry = known.entry.map(|(shard, index)| Subject::entry(shard, index));
    let before: Vec<Subject> = known.message.into_iter().chain(entry).collect();
    hops.extend(trace.of(&before));
    hops.sort_by_key(|hop| (hop.time_us, hop.stage));
    json!({
        "message": known.message.map(|Subject(hash)| format!("{hash:016x}")),
        "shard": known.entry.map(|(shard, _)| shard.0),
        "index": known.entry.map(|(_, index)| index),
        "hops": hops.iter().map(shown).collect::<Vec<_>>(),
    })
}

fn shown(hop: &Hop) -> Value {
    let mut shown = json!({ "hop": hop.stage.name(), "time_us": hop.time_us });
    if let Some(shard) = hop.at.shard {
        shown["shard"] = json!(shard.0);
    }
    if hop.at.term > 0 {
        shown["term"] = json!(hop.at.term);
        shown["index"] = json!(hop.at.index);
    }
    if let Some(name) = detail(hop.stage) {
        shown[name] = json!(hop.at.detail);
    }
    shown
}

/// The name of a stage's detail.
fn detail(stage: Stage) -> Option<&'static str> {
    match stage {
        Stage::Router => Some("to"),
        Stage::Lane => Some("from"),
        Stage::Proposer => Some("commands"),
        Stage::Pushed => Some("nodes"),
        Stage::Connection => Some("connections"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use troupe_core::{ClientMessageId, UserId};
    use troupe_runtime::trace::At;

    use super::*;

    const ALL: ConversationId = ConversationId::Everyone;

    #[test]
    fn a_replica_finds_the_message_and_the_entry_and_others_are_told() {
        let message = Subject::message(ALL, UserId(1), ClientMessageId([1; 16]));
        let (event, entry) = (Subject::event(ALL, Seq(5)), Subject::entry(ShardId(3), 77));
        let at = At { term: 2, index: 77, ..At::shard(ShardId(3)) };
        let trace = Trace::default();
        let record = |subject, stage, time_us, at| trace.record(Hop { subject, stage, time_us, at });
        record(message, Stage::Shard, 1, At::shard(ShardId(3)));
        record(entry, Stage::Committed, 2, at);
        record(Subject::entry(ShardId(3), 78), Stage::Committed, 2, At { index: 78, ..at });
        let edge_only = found(&trace, event, Known::default());
        assert_eq!((edge_only["message"].clone(), edge_only["hops"].clone()), (Value::Null, json!([])));

        record(event, Stage::Applied, 3, at.detail(message.0));
        let answer = found(&trace, event, Known::default());
        let names: Vec<&str> =
            answer["hops"].as_array().into_iter().flatten().filter_map(|hop| hop["hop"].as_str()).collect();
        assert_eq!(names, ["shard", "committed", "applied"]);
        assert_eq!(answer["hops"][1], json!({ "hop": "committed", "time_us": 2, "shard": 3, "term": 2, "index": 77 }));
        assert_eq!(answer["message"], format!("{:016x}", message.0));

        let elsewhere = Trace::default();
        elsewhere.record(Hop { subject: message, stage: Stage::Edge, time_us: 0, at: At::default() });
        let known = Known { message: Some(message), entry: Some((ShardId(3), 77)) };
        assert_eq!(found(&elsewhere, event, known)["hops"], json!([{ "hop": "edge", "time_us": 0 }]));
    }
}
