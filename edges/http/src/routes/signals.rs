//! Signals: typing, and what devices tell each other without a log.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use troupe_actors::message::wire;
use troupe_core::signal::{STOPPED, TYPING};
use utoipa::ToSchema;

use crate::asker::Asker;
use crate::ids::{Conversation, conversation_of_path};
use crate::json::{Json, whole};
use crate::problem::Problem;
use crate::query::Path;

/// The caller types. Devices of other members that are connected now show it for some seconds.
///
/// A client repeats it every few seconds while the user types.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/typing", tag = "signals",
    params(("conversation" = inline(Conversation), Path)),
    responses((status = 204, description = "It is on its way, and may be lost")))]
pub async fn typing(asker: Asker, Path(conversation): Path<String>) -> Result<StatusCode, Problem> {
    signal(&asker, &conversation, TYPING, Bytes::new(), 0).await
}

/// The caller does not type any more. A message says the same.
#[utoipa::path(delete, path = "/v1/conversations/{conversation}/typing", tag = "signals",
    params(("conversation" = inline(Conversation), Path)),
    responses((status = 204, description = "It is on its way, and may be lost")))]
pub async fn stopped(asker: Asker, Path(conversation): Path<String>) -> Result<StatusCode, Problem> {
    signal(&asker, &conversation, STOPPED, Bytes::new(), 0).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSignal {
    /// 1 typing, 2 neither any more, 3 recording; 9 a device rings, 10 a session description, 11 a
    /// candidate of WebRTC; 1000 and above belong to applications.
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 4294967295u64)]
    kind: u64,
    /// In base64, at most 4096 bytes.
    #[serde(default)]
    #[schema(max_length = 5464, pattern = "^[A-Za-z0-9+/]*={0,2}$")]
    payload: String,
    /// In a direct conversation: only to this device, as signals name it; 0: to all of the other
    /// user.
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 0, maximum = 9007199254740991u64)]
    device: u64,
}

/// Sends a signal to the devices of the other members that are connected now, at most once each.
#[utoipa::path(post, path = "/v1/conversations/{conversation}/signals", tag = "signals",
    params(("conversation" = inline(Conversation), Path)), request_body = NewSignal,
    responses((status = 204, description = "It is on its way, and may be lost")))]
pub async fn send(
    asker: Asker,
    Path(conversation): Path<String>,
    Json(new): Json<NewSignal>,
) -> Result<StatusCode, Problem> {
    // A kind above all that there can be is no kind.
    let kind = u32::try_from(new.kind).unwrap_or_default();
    let payload = STANDARD.decode(&new.payload);
    let payload = payload.map_err(|_| Problem::bad_request("payload: it is not base64").of_meaning())?;
    signal(&asker, &conversation, kind, payload.into(), new.device).await
}

async fn signal(
    asker: &Asker,
    conversation: &str,
    kind: u32,
    payload: Bytes,
    device: u64,
) -> Result<StatusCode, Problem> {
    let conversation = conversation_of_path(conversation)?.to_string();
    let signal = wire::Signal { conversation, kind, payload, device };
    asker.perform(signal).await.map_err(Problem::of_meaning)?;
    Ok(StatusCode::NO_CONTENT)
}
