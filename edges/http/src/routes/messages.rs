//! Messages: send and history.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use axum::Json as Answer;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};
use troupe_actors::message::wire;
use troupe_core::{Body, Seq, limits};
use troupe_proto::client;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::asker::Asker;
use crate::ids::{Conversation, Id, conversation_of_path};
use crate::json::{Json, MESSAGE, whole, whole_given};
use crate::key::{self, Key};
use crate::problem::{Problem, follows_itself, no_such_message};
use crate::query::{GREATEST, Path, Query, limit, seq};
use crate::routes::bodies::{MessageBody, Refers, schema};
use crate::routes::event::{Edited, Event, Streaming};
use crate::routes::polls::PollState;
use crate::routes::reactions::Reaction;
use crate::routes::scheduled::{self, Scheduled};

/// Either a text, or a body of any kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    #[serde(default, deserialize_with = "given")]
    text: Option<String>,
    #[serde(default, deserialize_with = "given")]
    body: Option<MessageBody>,
    #[serde(default, deserialize_with = "given")]
    after: Option<String>,
    /// It is sent at this time, not now.
    #[serde(default, deserialize_with = "whole_given")]
    deliver_at_ms: Option<u64>,
    #[serde(default, deserialize_with = "whole")]
    reply_to: u64,
    #[serde(default, deserialize_with = "whole")]
    thread: u64,
    #[serde(default)]
    mentions: Vec<Id>,
    #[serde(default)]
    mentions_everyone: bool,
    /// The content vanishes that many milliseconds after the message is sent.
    #[serde(default, deserialize_with = "whole")]
    expires_in_ms: u64,
    /// It grows by pieces until its end.
    #[serde(default)]
    stream: bool,
}

/// A field that is there has a value: `null` is none.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

impl NewMessage {
    fn body(self) -> Result<wire::Body, Problem> {
        let NewMessage { reply_to, thread, mentions, mentions_everyone, expires_in_ms, stream, .. } = self;
        let body = body_of(self.text, self.body)?;
        let context = Refers { reply_to, thread, mentions, mentions_everyone, expires_in_ms, stream }.context()?;
        Ok(wire::Body { kind: body.kind, content: body.content, context })
    }
}

/// A text, or a body of any kind.
pub fn body_of(text: Option<String>, body: Option<MessageBody>) -> Result<Body, Problem> {
    match (text, body) {
        (Some(text), None) => Ok(Body::text(&text)),
        (None, Some(body)) => body.body(),
        (Some(_), Some(_)) => Err(Problem::bad_request("a message has \"text\" or \"body\", not both")),
        (None, None) => Err(Problem::bad_request("a message has a \"text\" or a \"body\"")),
    }
}

impl PartialSchema for NewMessage {
    fn schema() -> RefOr<Schema> {
        let after = || {
            let id = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[0-9a-f]{32}$"));
            id.description(Some("The key of this device's message that must be in the log already."))
        };
        let later = || {
            let time = schema::whole(1, GREATEST);
            time.description(Some("Milliseconds since 1970, at most a year ahead: it is sent then, without `after`."))
        };
        let message = || {
            let message = schema::closed().property("after", after()).property("deliver_at_ms", later());
            schema::referring(message)
        };
        OneOfBuilder::new()
            .item(message().property("text", schema::text(1, limits::MESSAGE_BYTES)).required("text"))
            .item(message().property("body", schema::body()).required("body"))
            .item(
                message()
                    .property("text", schema::text(0, 0))
                    .property("stream", schema::yes())
                    .required("text")
                    .required("stream"),
            )
            .description(Some("A text, or a body of any kind. The first text of a stream may be empty."))
            .into()
    }
}

impl ToSchema for NewMessage {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("NewMessage")
    }
}

/// The place of what was sent: it is on the disks of a majority.
#[derive(Serialize, ToSchema)]
pub struct Placed {
    seq: u64,
    time_ms: u64,
    /// The key of the request, 32 hexadecimal digits.
    client_message_id: String,
    /// An earlier request with the same key has placed it.
    duplicate: bool,
}

impl Placed {
    pub fn of(ack: &wire::SendAck, key: &Key) -> Placed {
        let client_message_id = key.id.to_string();
        Placed { seq: ack.seq, time_ms: ack.time_ms, client_message_id, duplicate: ack.duplicate }
    }
}

/// Sends a message, once per `Idempotency-Key`.
///
/// The key is kept for life. A repeat with the same key and body answers the first place with
/// `duplicate`; with another body it is refused with `idempotency_key_reused`. With
/// `deliver_at_ms` the message waits for that time, and is judged again then.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/messages", tag = "messages", request_body = NewMessage,
    params(("conversation" = inline(Conversation), Path),
        ("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID; \
            without it the server makes one")),
    responses((status = 200, body = Placed), (status = 202, body = Scheduled)))]
pub async fn send(
    asker: Asker,
    Path(conversation): Path<String>,
    key: Key,
    Json(message): Json<NewMessage, MESSAGE>,
) -> Result<Response, Problem> {
    if let Some(time) = message.deliver_at_ms {
        if message.after.is_some() {
            let text = "after: a scheduled message follows no other one, leave it out";
            return Err(Problem::bad_request(text).of_meaning());
        }
        let body = message.body()?;
        return scheduled::schedule(&asker, conversation_of_path(&conversation)?, key, body, time).await;
    }
    let after = match message.after.as_deref().map(key::parse) {
        None => Bytes::new(),
        Some(Some(id)) if id == key.id => return Err(follows_itself()),
        Some(Some(id)) => Bytes::copy_from_slice(&id.0),
        Some(None) => return Err(Problem::bad_request("after: it is 32 hexadecimal digits or a UUID")),
    };
    let body = message.body()?;
    let conversation = conversation_of_path(&conversation)?;
    let client_message_id = key.bytes();
    let send = wire::Send { conversation: conversation.to_string(), client_message_id, after, body: Some(body) };
    let sent = send.clone();
    let ack = asker.perform(send).await.map_err(|problem| problem.under(key.id))?;
    if ack.duplicate && key.given {
        let intent = client::send(asker.known.caller.user(), sent).map_err(|error| asker.refused(error.into()))?.intent;
        asker.is_the_same(conversation, Seq(ack.seq), &intent).await?;
    }
    Ok(Answer(Placed::of(&ack, &key)).into_response())
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// Events behind this seq, oldest first.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 9007199254740991u64)]
    after: Option<u64>,
    /// Events before this seq. Without both: the latest events. With both: those between.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 9007199254740991u64)]
    before: Option<u64>,
    /// Without it: as many as a page takes.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub struct Page {
    /// Oldest first.
    messages: Vec<Event>,
    /// The seq of the latest event.
    head: u64,
    /// Whether there are further events in this direction.
    more: bool,
}

/// A page of the log: messages, and changes of a group.
#[utoipa::path(get, path = "/v1/conversations/{conversation}/messages", tag = "messages",
    params(("conversation" = inline(Conversation), Path), HistoryQuery),
    responses((status = 200, body = Page)))]
pub async fn history(
    asker: Asker,
    Path(conversation): Path<String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Answer<Page>, Problem> {
    let limit = limit(query.limit, limits::PAGE_EVENTS)?;
    let (after, before) = (query.after, query.before);
    let before_seq = seq("before", before.unwrap_or_default())?;
    if before == Some(0) {
        return Err(Problem::bad_request("before: the first event is 1"));
    }
    let (seq, backward) = match after {
        Some(after) => (seq("after", after)?, false),
        None => (before_seq, true),
    };
    let conversation = conversation_of_path(&conversation)?.to_string();
    let mut page = asker.perform(wire::Fetch { conversation, seq, backward, limit }).await?;
    if !backward && before.is_some() {
        page.more &= page.events.last().is_some_and(|event| event.seq + 1 < before_seq);
        page.events.retain(|event| event.seq < before_seq);
    }
    let mut messages: Vec<Event> = page.events.into_iter().map(Event::from).collect();
    let mut reactions: BTreeMap<u64, Vec<Reaction>> =
        page.reactions.into_iter().map(|of| (of.seq, of.counts.into_iter().map(Reaction::from).collect())).collect();
    let deleted: BTreeSet<u64> = page.states.iter().filter(|state| state.deleted).map(|state| state.seq).collect();
    let mut streaming: BTreeMap<u64, Streaming> =
        page.states.iter().filter_map(|state| Some((state.seq, Streaming::of(state)?))).collect();
    let mut edited: BTreeMap<u64, Edited> =
        page.states.into_iter().filter_map(|state| Some((state.seq, Edited::of(state)?))).collect();
    let mut polls: BTreeMap<u64, PollState> =
        page.polls.into_iter().map(|poll| (poll.seq, PollState::from(poll))).collect();
    for message in &mut messages {
        message.poll = polls.remove(&message.seq);
        message.reactions = reactions.remove(&message.seq).unwrap_or_default();
        message.edited = edited.remove(&message.seq);
        message.streaming = streaming.remove(&message.seq);
        message.deleted = deleted.contains(&message.seq);
    }
    Ok(Answer(Page { messages, head: page.head, more: page.more }))
}

/// A text that is no seq is that of no message.
pub fn message_of_path(text: &str) -> Result<u64, Problem> {
    let digits = !text.starts_with(['0', '+']);
    text.parse().ok().filter(|seq| digits && (1..=GREATEST).contains(seq)).ok_or_else(no_such_message)
}
