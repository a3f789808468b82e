//! Files: read by members of their conversation, or by a link that a member has made.
//!
//! An uploaded file never executes. Its type is that of its first bytes, only types that a browser
//! shows are shown, and a policy forbids everything else.

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answer;
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use troupe_actors::message::wire;
use troupe_actors::ops::check_file_link::FileLink;
use troupe_actors::output::Output;
use troupe_core::machine::file::{BEYOND_THE_FILE, NO_SUCH_FILE};
use troupe_core::{DeviceId, FileHash, Rejection, Timestamp, UserId, media};
use troupe_proto::client::Refusal as Connecting;
use utoipa::{IntoParams, ToSchema};

use crate::api::Api;
use crate::asker::{Asker, Guest};
use crate::connection::{Connection, Held};
use crate::ids::{Id, conversation_of_path};
use crate::problem::Problem;
use crate::query::{Path, Query};
use crate::range::{self, Span};

/// The life of a link.
const LINK_TIME: Duration = Duration::from_secs(600);
/// Bytes of an answer that are handed to the connection at once.
const PIECE: usize = 32 * 1024;
const TRIES: u32 = 40;
const AGAIN: Duration = Duration::from_millis(250);
const POLICY: &str = "sandbox; default-src 'none'";

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FileQuery {
    /// The conversation of the file.
    conversation: String,
    /// Of a link, with the three below: its maker.
    user: Option<String>,
    device: Option<String>,
    expires_ms: Option<u64>,
    signature: Option<String>,
}

/// The reader of a file: the caller of a session, or the maker of a link.
pub struct Reader(Asker);

impl FromRequestParts<Api> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Reader, Problem> {
        let guest = Guest::from_request_parts(parts, api).await?;
        let Ok(Query(query)) = Query::<FileQuery>::from_request_parts(parts, api).await else {
            return guest.verified(&parts.headers).await.map(Reader);
        };
        let Some(signature) = &query.signature else { return guest.verified(&parts.headers).await.map(Reader) };
        let Path(file) = Path::<String>::from_request_parts(parts, api).await?;
        let link = link_of(&query, &file).zip(URL_SAFE_NO_PAD.decode(signature).ok());
        let (link, signature) = link.ok_or(Problem::from(Connecting::BadFileLink))?;
        guest.by_link(link, &signature).await.map(Reader)
    }
}

fn link_of(query: &FileQuery, file: &str) -> Option<FileLink> {
    Some(FileLink {
        conversation: query.conversation.parse().ok()?,
        file: file.parse().ok()?,
        user: UserId(Id::parse(query.user.as_deref()?)?.user().ok()?),
        device: DeviceId::new(query.device.as_deref()?)?,
        expires: Timestamp(query.expires_ms?),
    })
}

/// A text that is no hash has the answer of a missing file.
fn file_of_path(text: &str) -> Result<FileHash, Problem> {
    text.parse().map_err(|_| Rejection::from(NO_SUCH_FILE).into())
}

#[derive(Serialize, ToSchema)]
pub struct FileInfo {
    /// 64 hexadecimal digits.
    hash: String,
    name: String,
    /// As the first bytes show it.
    #[serde(rename = "type")]
    media_type: String,
    size: u64,
    by: Id,
    time_ms: u64,
    /// When it is removed, if no message refers to it by then. 0: one does.
    expires_ms: u64,
}

/// Name, type and size of a file.
#[utoipa::path(get, path = "/v1/files/{hash}/info", tag = "files",
    params(("hash" = String, Path, description = "The name of the file, 64 hexadecimal digits"), OfConversation),
    responses((status = 200, body = FileInfo)))]
pub async fn show(
    asker: Asker,
    Path(hash): Path<String>,
    Query(query): Query<OfConversation>,
) -> Result<Answer<FileInfo>, Problem> {
    let (hash, conversation) = (file_of_path(&hash)?, conversation_of_path(&query.conversation)?);
    let name = Bytes::copy_from_slice(&hash.0);
    let file = asker.perform(wire::ShowFile { conversation: conversation.to_string(), hash: name }).await?;
    let wire::File { name, media_type, size, by, time_ms, expires_ms, .. } = file;
    Ok(Answer(FileInfo { hash: hash.to_string(), name, media_type, size, by: Id(by), time_ms, expires_ms }))
}

/// A small JPEG of an image, without what its file says about place and camera.
#[utoipa::path(get, path = "/v1/files/{hash}/preview", tag = "files",
    params(("hash" = String, Path, description = "The name of the file, 64 hexadecimal digits"), OfConversation),
    responses((status = 200, body = Vec<u8>, content_type = "image/jpeg")))]
pub async fn preview(
    asker: Asker,
    Path(hash): Path<String>,
    Query(query): Query<OfConversation>,
) -> Result<Response, Problem> {
    let (hash, conversation) = (file_of_path(&hash)?, conversation_of_path(&query.conversation)?);
    let name = Bytes::copy_from_slice(&hash.0);
    let made = asker.perform(wire::ReadPreview { conversation: conversation.to_string(), hash: name }).await?;
    let headers = [
        (header::CONTENT_TYPE, "image/jpeg"),
        (header::CACHE_CONTROL, "private, max-age=86400"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    Ok((headers, made.content).into_response())
}

#[derive(Serialize, ToSchema)]
pub struct Usage {
    /// Of files and of announced uploads.
    bytes: u64,
    /// Of uploads that were announced a moment ago.
    reserved_bytes: u64,
    /// All files of the caller may take so much.
    most_bytes: u64,
}

/// The room that the caller's files take over all conversations.
#[utoipa::path(get, path = "/v1/me/usage", tag = "me", responses((status = 200, body = Usage)))]
pub async fn usage(asker: Asker) -> Result<Answer<Usage>, Problem> {
    let wire::Usage { bytes, reserved_bytes, most_bytes, .. } = asker.perform(wire::GetUsage {}).await?;
    Ok(Answer(Usage { bytes, reserved_bytes, most_bytes }))
}

/// Reads a file, or a range of it.
///
/// The session may be replaced by the parameters of a link.
#[utoipa::path(get, path = "/v1/files/{hash}", tag = "files",
    params(("hash" = String, Path, description = "The name of the file, 64 hexadecimal digits"), FileQuery,
        ("Range" = Option<String>, Header, description = "One range of bytes")),
    security((), ("session" = [])),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 304, description = "The client has it"),
        (status = 416, description = "The range begins behind the end")))]
pub async fn read(
    Reader(asker): Reader,
    Path(hash): Path<String>,
    Query(query): Query<FileQuery>,
    connection: Option<axum::Extension<Connection>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (hash, conversation) = (file_of_path(&hash)?, conversation_of_path(&query.conversation)?.to_string());
    let name = Bytes::copy_from_slice(&hash.0);
    let show = wire::ShowFile { conversation: conversation.clone(), hash: name.clone() };
    let file = asker.perform(show).await?;
    let tag = format!("\"{hash}\"");
    let has = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if has(header::IF_NONE_MATCH)
        .is_some_and(|tags| tags == "*" || tags.split(',').any(|one| one.trim().ends_with(&tag)))
    {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let asked = has(header::RANGE).filter(|_| has(header::IF_RANGE).is_none_or(|is| is == tag));
    let (status, span) = match range::parse(asked, file.size) {
        Span::Whole => (StatusCode::OK, 0..file.size),
        Span::Part(span) => (StatusCode::PARTIAL_CONTENT, span),
        Span::Beyond => {
            let mut refused = Problem::from(Rejection::from(BEYOND_THE_FILE)).into_response();
            let size = HeaderValue::try_from(format!("bytes */{}", file.size));
            refused.headers_mut().extend(size.ok().map(|size| (header::CONTENT_RANGE, size)));
            return Ok(refused);
        }
    };
    let output = asker.api().service.output().clone();
    let connection = connection.map(|axum::Extension(connection)| connection).unwrap_or_default();
    let reading = Reading {
        asker,
        conversation,
        name,
        next: span.start,
        end: span.end,
        rest: Bytes::new(),
        connection,
        output,
        tries: TRIES,
    };
    let pieces = futures::stream::unfold((reading, None), Reading::piece);
    let mut response = (status, Body::from_stream(pieces)).into_response();
    let of = headers_of(&file, &tag, status, &span);
    response.headers_mut().extend(of);
    Ok(response)
}

fn headers_of(
    file: &wire::File,
    tag: &str,
    status: StatusCode,
    span: &std::ops::Range<u64>,
) -> impl Iterator<Item = (HeaderName, HeaderValue)> + use<> {
    let shown = if media::is_shown(&file.media_type) { "inline" } else { "attachment" };
    let part = format!("bytes {}-{}/{}", span.start, span.end.saturating_sub(1), file.size);
    let headers = [
        (header::CONTENT_TYPE, file.media_type.clone()),
        (header::CONTENT_LENGTH, (span.end - span.start).to_string()),
        (header::CONTENT_DISPOSITION, format!("{shown}; filename*=UTF-8''{}", encoded(&file.name))),
        (header::ETAG, tag.to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    let range = (status == StatusCode::PARTIAL_CONTENT).then_some((header::CONTENT_RANGE, part));
    headers.into_iter().chain(range).filter_map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?)))
}

/// The name of a file in a header (RFC 8187).
fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    name.bytes().fold(String::new(), |text, byte| match plain(byte) {
        true => text + &char::from(byte).to_string(),
        false => text + &format!("%{byte:02X}"),
    })
}

/// An answer that reads a part of the file when the part before it has been written.
struct Reading {
    asker: Asker,
    conversation: String,
    name: Bytes,
    next: u64,
    end: u64,
    /// Of the part that was read last.
    rest: Bytes,
    connection: Connection,
    output: Arc<Output>,
    /// Further tries of parts, while a shard elects a leader or is busy.
    tries: u32,
}

impl Reading {
    /// The next piece. `_written`: the one before it, which the connection has taken.
    async fn piece(state: (Reading, Option<Held>)) -> Option<(Result<Bytes, Broken>, (Reading, Option<Held>))> {
        let (mut reading, written) = state;
        drop(written);
        if reading.rest.is_empty() {
            if reading.next >= reading.end {
                return None;
            }
            if let Err(broken) = reading.read().await {
                reading.next = reading.end;
                return Some((Err(broken), (reading, None)));
            }
        }
        let piece = reading.rest.split_to(reading.rest.len().min(PIECE));
        let held = reading.connection.hold(piece.len(), reading.output.clone());
        Some((Ok(piece), (reading, Some(held))))
    }

    async fn read(&mut self) -> Result<(), Broken> {
        if !self.connection.allows(PIECE, &self.output) {
            return Err(Broken);
        }
        let (conversation, hash, offset) = (self.conversation.clone(), self.name.clone(), self.next);
        let part = loop {
            let read = wire::ReadFile { conversation: conversation.clone(), hash: hash.clone(), offset };
            match self.asker.perform(read).await {
                Ok(part) => break part,
                Err(problem) if problem.is_of_the_moment() && self.tries > 0 => {
                    self.tries -= 1;
                    tokio::time::sleep(AGAIN).await;
                }
                Err(_) => return Err(Broken),
            }
        };
        let most = usize::try_from(self.end - self.next).unwrap_or(usize::MAX);
        self.rest = part.content.slice(..part.content.len().min(most));
        self.next += self.rest.len() as u64;
        if self.rest.is_empty() { Err(Broken) } else { Ok(()) }
    }
}

/// The rest of the file cannot be read now: the connection ends, and the client asks for a range.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the rest of the file cannot be read now")]
struct Broken;

#[derive(Serialize, ToSchema)]
pub struct Linked {
    /// Relative to this server, and good at every node of the cluster.
    url: String,
    expires_ms: u64,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OfConversation {
    /// The conversation of the file.
    conversation: String,
}

/// Makes a link to a file for ten minutes, for a player or a download without a session.
///
/// It ends with the caller's session, and when the caller may no longer read the file.
#[utoipa::path(post, path = "/v1/files/{hash}/links", tag = "files",
    params(("hash" = String, Path, description = "The name of the file, 64 hexadecimal digits"), OfConversation),
    responses((status = 200, body = Linked)))]
pub async fn link(
    asker: Asker,
    Path(hash): Path<String>,
    Query(query): Query<OfConversation>,
) -> Result<Answer<Linked>, Problem> {
    let (file, conversation) = (file_of_path(&hash)?, conversation_of_path(&query.conversation)?);
    let name = Bytes::copy_from_slice(&file.0);
    asker.perform(wire::ShowFile { conversation: conversation.to_string(), hash: name }).await?;
    let session = &asker.known.caller.session;
    let expires = Timestamp(asker.api().service.now().0 + LINK_TIME.as_millis() as u64);
    let link = FileLink { conversation, file, user: session.user, device: session.device.clone(), expires };
    let signature = URL_SAFE_NO_PAD.encode(link.signature(&session.token));
    let (user, device) = (session.user, encoded(session.device.as_str()));
    let of = format!("conversation={conversation}&user={user}&device={device}&expires_ms={expires}");
    let url = format!("/v1/files/{file}?{of}&signature={signature}");
    Ok(Answer(Linked { url, expires_ms: expires.0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_harmless_in_a_header() {
        assert_eq!(encoded("a-b_c.~1"), "a-b_c.~1");
        assert_eq!(encoded("gr\u{fc}\u{df} \"x\"\r\n;"), "gr%C3%BC%C3%9F%20%22x%22%0D%0A%3B");
    }
}
