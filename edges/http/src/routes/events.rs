//! `GET /v1/events`: what happens in the caller's conversations, as a stream or by polls.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use hyper::rt::Executor;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use troupe_actors::connection::{Carrier, Connection};
use troupe_actors::service::Service;
use utoipa::{IntoParams, ToSchema};

use crate::asker::{Asker, Guest};
use crate::events::cursor::{Cursor, Unfit};
use crate::events::feed::Feed;
use crate::events::inbox::{Inbox, StreamSink};
use crate::events::pipe::Pipe;
use crate::events::told::Form;
use crate::meter::Meter;
use crate::problem::Problem;
use crate::query::Query;

const LAST_EVENT_ID: &str = "last-event-id";
/// Seconds that a poll may wait.
pub const LONGEST_WAIT: u32 = 60;
/// A plain read ends with what the shards have answered by then.
const READ_WITHIN: Duration = Duration::from_secs(2);
/// Milliseconds before a client connects again, and as many more at random: after the loss of a
/// node all of its clients come at once.
const RETRY_MS: u64 = 500;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Seconds to wait for something, which makes this a poll. 0: answer at once, and open no
    /// connection. Without it: a stream of server-sent events.
    #[param(value_type = Option<u32>, minimum = 0, maximum = 60)]
    wait: Option<u32>,
    /// The `cursor` of the poll before, or the `id` of the last event of a stream. The header
    /// `Last-Event-ID` has precedence.
    after: Option<String>,
}

/// The answer to a poll.
#[derive(Serialize, ToSchema)]
pub struct Events {
    events: Vec<Told>,
    /// For the `after` of the next poll.
    cursor: String,
}

#[derive(Serialize, ToSchema)]
pub struct Told {
    /// `message`, `read`, `conversation`, `invitation` or `end`. A later version may
    /// have others.
    event: String,
    #[schema(value_type = Object)]
    data: serde_json::Value,
}

/// Events of all conversations of the caller, each exactly once and in order.
///
/// Without `wait` the answer is a stream of server-sent events, and the connection of the device:
/// another one of the same device ends it. The `id` of an event is the cursor behind it; a client
/// that connects again sends it as `Last-Event-ID`. With `wait` the answer is JSON, as soon as
/// there is something.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(EventsQuery, ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event")),
    responses((status = 200, description = "Events", content(
        (Events = "application/json"), (String = "text/event-stream")))))]
pub async fn follow(
    guest: Guest,
    headers: HeaderMap,
    carrier: Option<Extension<Carrier>>,
    meter: Option<Extension<Meter>>,
    Query(query): Query<EventsQuery>,
) -> Result<Response, Problem> {
    let begun = Instant::now();
    let asker = guest.verified(&headers).await?;
    let EventsQuery { wait, after } = query;
    if wait.is_some_and(|wait| wait > LONGEST_WAIT) {
        return Err(Problem::bad_request(format!("wait: it is 0 to {LONGEST_WAIT} seconds")));
    }
    let cursor = cursor_of(&headers, after.as_deref())?;
    let inbox = Arc::new(Inbox::new(asker.api().service.output().clone()));
    let form = if wait.is_some() { Form::Poll } else { Form::Stream };
    let mut feed = Feed::begin(&asker, inbox.clone(), cursor, form).await?;
    if wait == Some(0) {
        return Ok(polled(feed.poll(begun + READ_WITHIN).await));
    }
    let connection = attach(&asker, &inbox).await?;
    feed.attached();
    if let Some(Extension(carrier)) = carrier {
        carrier.stays();
    }
    if let Some(wait) = wait {
        let answer = feed.poll(begun + Duration::from_secs(wait.into())).await;
        drop(connection);
        return Ok(polled(answer));
    }
    let service = asker.api().service.clone();
    let (pipe, body) = Pipe::new(service.output().clone());
    let [jitter, ..] = service.fresh_id();
    let retry = RETRY_MS + RETRY_MS * u64::from(jitter) / 256;
    let streaming = async move {
        let _open = Open::new(service, connection);
        // An empty pipe has room.
        let _ = pipe.write(format!("retry: {retry}\n\n").into()).await;
        feed.stream(pipe).await;
    };
    // Each stream puts what it tells into JSON, at the cost of its address.
    match meter {
        Some(Extension(meter)) => meter.execute(streaming),
        None => drop(tokio::spawn(streaming)),
    }
    Ok(streamed(body))
}

fn cursor_of(headers: &HeaderMap, after: Option<&str>) -> Result<Option<Cursor>, Problem> {
    let mut values = headers.get_all(LAST_EVENT_ID).iter();
    let text = match (values.next(), values.next()) {
        (None, _) => after.unwrap_or_default(),
        (Some(value), None) => value.to_str().map_err(|_| Unfit::Damaged)?,
        (Some(_), Some(_)) => return Err(Unfit::Damaged.into()),
    };
    Ok(if text.is_empty() { None } else { Some(Cursor::decode(text)?) })
}

/// From now on the device has this connection, and pushes go into the inbox.
async fn attach(asker: &Asker, inbox: &Arc<Inbox>) -> Result<Connection, Problem> {
    let mut connection = asker.connect(inbox.clone())?;
    let caller = asker.resume().await?;
    connection.logged_in(&caller);
    connection.attach(&caller, Arc::new(StreamSink(inbox.clone())));
    Ok(connection)
}

/// Counts a stream while it lasts, and holds its place.
struct Open {
    service: Service,
    _connection: Connection,
}

impl Open {
    fn new(service: Service, connection: Connection) -> Open {
        service.metrics().event_streams.up();
        Open { service, _connection: connection }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.service.metrics().event_streams.down();
    }
}

fn polled(answer: bytes::Bytes) -> Response {
    with_type("application/json", Body::from(answer))
}

fn streamed(body: Body) -> Response {
    let mut response = with_type("text/event-stream", body);
    // Some proxies hold a body back until it ends.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

fn with_type(name: &'static str, body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(name));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
