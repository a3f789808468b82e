//! Uploads: announced in JSON, then written by tus 1.0.
//!
//! A body is written chunk by chunk, and the next chunk is read when the one before it is on the
//! disks of a majority. So a connection holds one chunk, and what was answered is kept.

use std::time::{Duration, UNIX_EPOCH};

use axum::Json as Answer;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, timeout};
use troupe_actors::message::wire;
use troupe_core::machine::file::{NO_SUCH_UPLOAD, UPLOAD_TOO_LONG, WRONG_OFFSET};
use troupe_core::{ClientMessageId, ConversationId, FileHash, Rejection, limits};
use utoipa::ToSchema;

use crate::asker::Asker;
use crate::ids::{Conversation, conversation_of_path};
use crate::json::{Json, whole};
use crate::key::{self, Key};
use crate::problem::{Problem, UNSUPPORTED_MEDIA_TYPE, bad_tus_version};
use crate::query::{GREATEST, Path};
use crate::routes::messages::given;

const TUS: &str = "1.0.0";
const EXTENSIONS: &str = "termination,expiration";
const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
const FILE_HASH: HeaderName = HeaderName::from_static("troupe-file");
const PIECES: &str = "application/offset+octet-stream";
/// For one `PATCH`. Then its answer has the place that it has reached, and the client goes on.
const WRITE_TIME: Duration = Duration::from_secs(60);
/// For the next bytes of a body.
const READ_TIME: Duration = Duration::from_secs(limits::WRITE_STALL_SECONDS);
/// The last second of the year 9999, which ends the dates of HTTP.
const GREATEST_TIME: u64 = 253_402_300_799_000;
/// Between two tries to write a chunk, while a shard elects a leader or is busy.
const AGAIN: Duration = Duration::from_millis(250);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUpload {
    #[schema(value_type = Conversation)]
    conversation: String,
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 104857600)]
    size: u64,
    /// The media type as the client sees it. The server judges by the first bytes.
    #[serde(default, rename = "type", deserialize_with = "given")]
    #[schema(value_type = String, required = false, max_length = 255, pattern = "^[ -~]*$")]
    media_type: Option<String>,
    /// The name that the file must get, if the client has computed it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = String, required = false, pattern = "^[0-9a-f]{64}$")]
    hash: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Begun {
    /// To continue it at `/v1/uploads/{upload}`, by tus 1.0.
    #[schema(example = "g49319.00112233445566778899aabbccddeeff")]
    upload: String,
    offset: u64,
    size: u64,
    expires_ms: u64,
    /// The name of the file, once everything has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

impl Begun {
    fn of(of: &UploadId, upload: &wire::Upload) -> Begun {
        let (offset, size, expires_ms) = (upload.received, upload.size, upload.expires_ms);
        Begun { upload: of.text(), offset, size, expires_ms, file: name_of(upload) }
    }
}

/// Begins an upload, once per `Idempotency-Key`.
///
/// The bytes follow at `/v1/uploads/{upload}`, the header `Location`, by tus 1.0.
#[utoipa::path(post, path = "/v1/uploads", tag = "files", request_body = NewUpload,
    params(("Idempotency-Key" = Option<String>, Header, description = "32 hexadecimal digits or a UUID")),
    responses((status = 201, body = Begun)))]
pub async fn create(asker: Asker, key: Key, Json(upload): Json<NewUpload>) -> Result<Response, Problem> {
    let NewUpload { conversation, name, size, media_type, hash } = upload;
    let of = UploadId { conversation: conversation_of_path(&conversation)?, id: key.id };
    let hash = match hash.as_deref().map(str::parse::<FileHash>) {
        None => Bytes::new(),
        Some(Ok(hash)) => Bytes::copy_from_slice(&hash.0),
        Some(Err(_)) => return Err(Problem::bad_request("hash: it is 64 hexadecimal digits in lower case")),
    };
    let media_type = media_type.unwrap_or_default();
    let create = wire::CreateUpload {
        conversation: of.conversation.to_string(),
        upload: key.bytes(),
        name,
        media_type,
        size,
        hash,
    };
    let state = asker.perform(create).await.map_err(|problem| problem.under(key.id))?;
    let begun = Begun::of(&of, &state);
    let location = HeaderValue::try_from(format!("/v1/uploads/{}", of.text()));
    let mut response = (StatusCode::CREATED, Answer(begun)).into_response();
    response.headers_mut().extend(location.ok().map(|location| (header::LOCATION, location)));
    Ok(tus(response))
}

/// The version and the extensions of tus that this server speaks.
#[utoipa::path(options, path = "/v1/uploads/{upload}", tag = "files",
    params(("upload" = String, Path, description = "As it was begun")),
    responses((status = 204, description = "In its headers")), security(()))]
pub async fn options() -> Response {
    let mut response = tus(StatusCode::NO_CONTENT.into_response());
    let headers = response.headers_mut();
    headers.insert(TUS_VERSION, HeaderValue::from_static(TUS));
    headers.insert(TUS_EXTENSION, HeaderValue::from_static(EXTENSIONS));
    headers.insert(TUS_MAX_SIZE, limits::FILE_BYTES.into());
    response
}

/// How far an upload has come.
#[utoipa::path(head, path = "/v1/uploads/{upload}", tag = "files",
    params(("upload" = String, Path, description = "As it was begun"),
        ("Tus-Resumable" = String, Header, pattern = "^1\\.0\\.0$")),
    responses((status = 200, description = "In its headers: Upload-Offset, Upload-Length, and Troupe-File once it is whole")))]
pub async fn state(asker: Asker, Path(upload): Path<String>, headers: HeaderMap) -> Response {
    let found = async {
        speaks_tus(&headers)?;
        asker.perform(UploadId::of_path(&upload)?.get()).await
    };
    match found.await {
        Ok(upload) => {
            let mut response = shown(StatusCode::OK, upload.received, &upload);
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(problem) => refused(problem),
    }
}

/// How far an upload has come, in JSON.
#[utoipa::path(get, path = "/v1/uploads/{upload}", tag = "files",
    params(("upload" = String, Path, description = "As it was begun")), responses((status = 200, body = Begun)))]
pub async fn show(asker: Asker, Path(upload): Path<String>) -> Result<Answer<Begun>, Problem> {
    let of = UploadId::of_path(&upload)?;
    let state = asker.perform(of.get()).await?;
    Ok(Answer(Begun::of(&of, &state)))
}

/// Continues an upload at its offset.
#[utoipa::path(patch, path = "/v1/uploads/{upload}", tag = "files",
    request_body(content = Vec<u8>, content_type = "application/offset+octet-stream"),
    params(("upload" = String, Path, description = "As it was begun"),
        ("Tus-Resumable" = String, Header, pattern = "^1\\.0\\.0$"),
        ("Upload-Offset" = u64, Header, description = "The bytes that are written already")),
    responses((status = 204, description = "Upload-Offset says how far it has come; Troupe-File names the file once it is whole")))]
pub async fn write(asker: Asker, Path(upload): Path<String>, headers: HeaderMap, body: Body) -> Response {
    match written(&asker, &upload, &headers, body).await {
        Ok((offset, state)) => shown(StatusCode::NO_CONTENT, offset, &state),
        Err(problem) => refused(problem),
    }
}

/// Ends an upload. A file that has come of it stays.
#[utoipa::path(delete, path = "/v1/uploads/{upload}", tag = "files",
    params(("upload" = String, Path, description = "As it was begun"),
        ("Tus-Resumable" = String, Header, pattern = "^1\\.0\\.0$")),
    responses((status = 204, description = "It is gone")))]
pub async fn cancel(asker: Asker, Path(upload): Path<String>, headers: HeaderMap) -> Response {
    let cancelled = async {
        speaks_tus(&headers)?;
        let UploadId { conversation, id } = UploadId::of_path(&upload)?;
        let (conversation, upload) = (conversation.to_string(), Bytes::copy_from_slice(&id.0));
        asker.perform(wire::CancelUpload { conversation, upload }).await
    };
    match cancelled.await {
        Ok(wire::Done {}) => tus(StatusCode::NO_CONTENT.into_response()),
        Err(problem) => refused(problem),
    }
}

/// An upload in a path: the conversation, a dot and the id.
struct UploadId {
    conversation: ConversationId,
    id: ClientMessageId,
}

impl UploadId {
    /// A text that is no upload has the answer of a missing one.
    fn of_path(text: &str) -> Result<UploadId, Problem> {
        let of = text.split_once('.').and_then(|(conversation, id)| {
            let id = key::parse(id)?;
            Some(UploadId { conversation: conversation.parse().ok()?, id })
        });
        of.ok_or_else(|| Rejection::from(NO_SUCH_UPLOAD).into())
    }

    fn text(&self) -> String {
        format!("{}.{}", self.conversation, self.id)
    }

    fn get(&self) -> wire::GetUpload {
        let (conversation, upload) = (self.conversation.to_string(), Bytes::copy_from_slice(&self.id.0));
        wire::GetUpload { conversation, upload }
    }

    fn chunk(&self, offset: u64, content: Bytes) -> wire::WriteChunk {
        let (conversation, upload) = (self.conversation.to_string(), Bytes::copy_from_slice(&self.id.0));
        wire::WriteChunk { conversation, upload, offset, content }
    }
}

fn speaks_tus(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.get(TUS_RESUMABLE).is_some_and(|version| version == TUS) {
        return Ok(());
    }
    Err(bad_tus_version())
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    let number = headers.get(name)?.to_str().ok()?.parse().ok();
    number.filter(|number| *number <= GREATEST)
}

/// Writes what comes. The offset of the answer is what was written, also if the body ended early.
async fn written(
    asker: &Asker,
    upload: &str,
    headers: &HeaderMap,
    mut body: Body,
) -> Result<(u64, wire::Upload), Problem> {
    speaks_tus(headers)?;
    if headers.get(header::CONTENT_TYPE).is_none_or(|of| of != PIECES) {
        let text = "the bytes of an upload have the type application/offset+octet-stream: set Content-Type";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, UNSUPPORTED_MEDIA_TYPE, text));
    }
    let offset = number(headers, &UPLOAD_OFFSET);
    let mut offset = offset.ok_or_else(|| Problem::bad_request("Upload-Offset: it is the number of written bytes"))?;
    let upload = UploadId::of_path(upload)?;
    let mut state = asker.perform(upload.get()).await?;
    if offset != state.received {
        return Err(Rejection::from(WRONG_OFFSET).into());
    }
    if number(headers, &header::CONTENT_LENGTH).is_some_and(|more| more > state.size - offset) {
        return Err(Rejection::from(UPLOAD_TOO_LONG).into());
    }
    let until = Instant::now() + WRITE_TIME;
    let mut chunk = BytesMut::new();
    let mut cut = None;
    loop {
        let frame = timeout(READ_TIME.min(until.saturating_duration_since(Instant::now())), body.frame()).await;
        let mut data = match frame {
            Ok(None) => break,
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            Ok(Some(Err(_))) | Err(_) => {
                cut =
                    Some(Problem::bad_request("the body did not come to its end: ask how far it has come, and go on"));
                break;
            }
        };
        while !data.is_empty() {
            let room = limits::CHUNK_BYTES - (offset as usize + chunk.len()) % limits::CHUNK_BYTES;
            chunk.extend_from_slice(&data.split_to(data.len().min(room)));
            if (offset as usize + chunk.len()).is_multiple_of(limits::CHUNK_BYTES) {
                state = put(asker, &upload, offset, chunk.split().freeze(), until).await?;
                offset = state.received;
            }
        }
        if Instant::now() >= until {
            break;
        }
    }
    if !chunk.is_empty() {
        state = put(asker, &upload, offset, chunk.freeze(), until).await?;
        offset = state.received;
    }
    match cut {
        Some(problem) if offset < state.size => Err(problem),
        _ => Ok((offset, state)),
    }
}

/// Writes a chunk, through a failover too: a repeat changes nothing.
async fn put(
    asker: &Asker,
    upload: &UploadId,
    offset: u64,
    chunk: Bytes,
    until: Instant,
) -> Result<wire::Upload, Problem> {
    loop {
        match asker.perform(upload.chunk(offset, chunk.clone())).await {
            Err(problem) if problem.is_of_the_moment() && Instant::now() + AGAIN < until => sleep(AGAIN).await,
            answer => return answer,
        }
    }
}

fn shown(status: StatusCode, offset: u64, upload: &wire::Upload) -> Response {
    let mut response = tus(status.into_response());
    let headers = response.headers_mut();
    headers.insert(UPLOAD_OFFSET, offset.into());
    headers.insert(UPLOAD_LENGTH, upload.size.into());
    headers.extend(name_of(upload).and_then(|file| Some((FILE_HASH, HeaderValue::try_from(file).ok()?))));
    let expires = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(upload.expires_ms.min(GREATEST_TIME)));
    headers.extend(HeaderValue::try_from(expires).ok().map(|expires| (UPLOAD_EXPIRES, expires)));
    response
}

fn name_of(upload: &wire::Upload) -> Option<String> {
    <[u8; 32]>::try_from(&upload.hash[..]).ok().map(|hash| FileHash(hash).to_string())
}

fn refused(problem: Problem) -> Response {
    let mut response = tus(problem.into_response());
    if response.status() == StatusCode::PRECONDITION_FAILED {
        response.headers_mut().insert(TUS_VERSION, HeaderValue::from_static(TUS));
    }
    response
}

fn tus(mut response: Response) -> Response {
    response.headers_mut().insert(TUS_RESUMABLE, HeaderValue::from_static(TUS));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_has_one_text() {
        let text = "g49319.00112233445566778899aabbccddeeff";
        assert_eq!(UploadId::of_path(text).expect("an upload").text(), text);
        for wrong in ["", "g49319", "g49319.", "x.00112233445566778899aabbccddeeff", "everyone.0011"] {
            assert!(UploadId::of_path(wrong).is_err(), "{wrong}");
        }
    }
}
