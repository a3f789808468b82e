//! A store on loopback: it checks each signature and each sum, keeps objects in memory, and fails
//! on demand.

pub mod signature;

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use md5::{Digest, Md5};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use signature::{Signed, decoded, hex, is_right, parameters};

pub const BUCKET: &str = "backups";
/// Keys in one page of a list.
const PAGE: usize = 2;

/// The treatment of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The status and the code.
    Status(u16, &'static str),
    /// The request is carried out, and the connection ends without an answer.
    Mute,
    /// The answer ends after so many bytes of its body.
    Cut(usize),
}

#[derive(Default)]
pub struct State {
    pub objects: BTreeMap<String, Vec<u8>>,
    /// Uploads that are neither complete nor aborted.
    pub uploads: BTreeMap<String, BTreeMap<u16, Vec<u8>>>,
    /// Each request: its method, its key, and the range that it asks for.
    pub seen: Vec<(String, String, String)>,
    /// Of the next requests with this method. One that is `None` lets a request through.
    pub faults: VecDeque<(&'static str, Option<Fault>)>,
    begun: u32,
}

/// Ends with the value.
pub struct StandIn {
    pub address: String,
    state: Arc<Mutex<State>>,
    _accepting: JoinSet<()>,
}

enum Answer {
    Whole(u16, Vec<(&'static str, String)>, Vec<u8>),
    Cut(Vec<u8>, usize),
    Nothing,
}

impl StandIn {
    pub async fn start() -> StandIn {
        StandIn::start_with(None).await
    }

    #[allow(clippy::disallowed_methods, reason = "a server of a test")]
    pub async fn start_with(tls: Option<TlsAcceptor>) -> StandIn {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let (held, mut accepting) = (state.clone(), JoinSet::new());
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (state, tls) = (held.clone(), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => serve(TokioIo::new(stream), state).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(TokioIo::new(stream), state).await;
                            }
                        }
                    }
                });
            }
        });
        StandIn { address, state, _accepting: accepting }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve<S>(stream: TokioIo<S>, state: Arc<Mutex<State>>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let service = service_fn(move |request| {
        let state = state.clone();
        async move { answer(request, &state).await }
    });
    // A fault ends it with an error.
    drop(http1::Builder::new().serve_connection(stream, service).await);
}

type Body = http_body_util::combinators::BoxBody<Bytes, std::io::Error>;

async fn answer(request: Request<Incoming>, state: &Mutex<State>) -> Result<Response<Body>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let answer = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.judge(&head, &body)
    };
    let broken = || std::io::Error::other("a fault of the test");
    let (status, headers, body) = match answer {
        Answer::Nothing => return Err(broken()),
        Answer::Whole(status, headers, body) => (status, headers, whole(body)),
        Answer::Cut(body, at) => {
            let length = ("content-length", body.len().to_string());
            (200, vec![length], http_body_util::StreamBody::new(cut(Bytes::copy_from_slice(&body[..at]))).boxed())
        }
    };
    let response = headers
        .into_iter()
        .fold(Response::builder().status(status), |response, (name, value)| response.header(name, value));
    response.body(body).map_err(std::io::Error::other)
}

fn whole(body: Vec<u8>) -> Body {
    Full::new(Bytes::from(body)).map_err(|never: Infallible| match never {}).boxed()
}

type Frame = Result<hyper::body::Frame<Bytes>, std::io::Error>;

/// The bytes are sent before the connection breaks.
fn cut(bytes: Bytes) -> impl futures::Stream<Item = Frame> + Send + Sync {
    let broken = async {
        tokio::task::yield_now().await;
        Err(std::io::Error::other("a fault of the test"))
    };
    let sent = futures::stream::iter([Ok(hyper::body::Frame::data(bytes))]);
    futures::StreamExt::chain(sent, futures::stream::once(broken))
}

fn refusal(status: u16, code: &str) -> Answer {
    let text = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no</Message></Error>");
    Answer::Whole(status, Vec::new(), text.into_bytes())
}

fn text(body: String) -> Answer {
    Answer::Whole(200, Vec::new(), format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{body}").into_bytes())
}

const NAMESPACE: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

impl State {
    fn judge(&mut self, head: &hyper::http::request::Parts, body: &Bytes) -> Answer {
        let query = head.uri.query().unwrap_or_default();
        let text_of = |value: &hyper::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let headers: BTreeMap<String, String> =
            head.headers.iter().map(|(name, value)| (name.to_string(), text_of(value))).collect();
        let key = head.uri.path().strip_prefix(&format!("/{BUCKET}/")).map(decoded);
        let range = headers.get("range").cloned().unwrap_or_default();
        let sum = headers.get("content-md5").cloned();
        let method = head.method.as_str();
        self.seen.push((method.to_owned(), key.clone().unwrap_or_default(), range.clone()));
        if !is_right(&Signed { method, path: head.uri.path(), query, headers }) {
            return refusal(403, "SignatureDoesNotMatch");
        }
        let Some(key) = key else { return refusal(404, "NoSuchBucket") };
        if method == "PUT" && sum != Some(STANDARD.encode(Md5::digest(body))) {
            return refusal(400, "BadDigest");
        }
        let due = self.faults.front().is_some_and(|(of, _)| *of == method);
        let fault = if due { self.faults.pop_front().and_then(|(_, fault)| fault) } else { None };
        if let Some(Fault::Status(status, code)) = fault {
            return refusal(status, code);
        }
        let done = self.perform(method, &key, &parameters(query), &range, body);
        match (fault, done) {
            (Some(Fault::Mute), _) => Answer::Nothing,
            (Some(Fault::Cut(at)), Answer::Whole(_, _, body)) => Answer::Cut(body, at),
            (_, done) => done,
        }
    }

    fn perform(
        &mut self,
        method: &str,
        key: &str,
        query: &BTreeMap<String, String>,
        range: &str,
        body: &Bytes,
    ) -> Answer {
        let upload = query.get("uploadId").cloned();
        match (method, upload) {
            ("GET", _) if key.is_empty() => self.list(query),
            ("GET" | "HEAD", _) => match self.objects.get(key) {
                None => refusal(404, "NoSuchKey"),
                Some(object) => part_of(object, range),
            },
            ("PUT", None) => {
                self.objects.insert(key.to_owned(), body.to_vec());
                Answer::Whole(200, vec![("etag", tag(body))], Vec::new())
            }
            ("PUT", Some(upload)) => {
                let number = query.get("partNumber").and_then(|number| number.parse().ok()).unwrap_or_default();
                match self.uploads.get_mut(&upload) {
                    None => refusal(404, "NoSuchUpload"),
                    Some(parts) => {
                        parts.insert(number, body.to_vec());
                        Answer::Whole(200, vec![("etag", tag(body))], Vec::new())
                    }
                }
            }
            ("POST", None) => {
                self.begun += 1;
                let id = format!("upload {}", self.begun);
                self.uploads.insert(id.clone(), BTreeMap::new());
                text(format!(
                    "<InitiateMultipartUploadResult {NAMESPACE}><Bucket>{BUCKET}</Bucket><Key>{key}</Key>\
                     <UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
                ))
            }
            ("POST", Some(upload)) => match self.uploads.remove(&upload) {
                None => refusal(404, "NoSuchUpload"),
                Some(parts) => {
                    let wanted = String::from_utf8_lossy(body).into_owned();
                    let named = |content: &Vec<u8>| wanted.contains(tag(content).trim_matches('"'));
                    if !parts.values().all(named) || wanted.matches("<Part>").count() != parts.len() {
                        return refusal(400, "InvalidPart");
                    }
                    self.objects.insert(key.to_owned(), parts.into_values().flatten().collect());
                    text(format!(
                        "<CompleteMultipartUploadResult {NAMESPACE}><Location>l</Location><Bucket>{BUCKET}</Bucket>\
                         <Key>{key}</Key><ETag>\"e\"</ETag></CompleteMultipartUploadResult>"
                    ))
                }
            },
            ("DELETE", Some(upload)) => {
                self.uploads.remove(&upload);
                Answer::Whole(204, Vec::new(), Vec::new())
            }
            ("DELETE", None) => {
                self.objects.remove(key);
                Answer::Whole(204, Vec::new(), Vec::new())
            }
            _ => refusal(405, "MethodNotAllowed"),
        }
    }

    /// Keys and folders below a prefix, a few in each page.
    fn list(&self, query: &BTreeMap<String, String>) -> Answer {
        let value = |name: &str| query.get(name).cloned().unwrap_or_default();
        let (prefix, after) = (value("prefix"), value("continuation-token"));
        let mut entries: Vec<(String, bool)> = Vec::new();
        for key in self.objects.keys().filter(|key| key.starts_with(&prefix)) {
            let rest = &key[prefix.len()..];
            let entry = match rest.find('/').filter(|_| !value("delimiter").is_empty()) {
                Some(at) => (format!("{prefix}{}", &rest[..=at]), true),
                None => (key.clone(), false),
            };
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
        entries.retain(|(name, _)| *name > after);
        let more = entries.len() > PAGE;
        entries.truncate(PAGE);
        let next = entries.last().map(|(name, _)| name.clone()).filter(|_| more);
        let shown = |(name, is_folder): &(String, bool)| {
            let name = escaped(name);
            match is_folder {
                true => format!("<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>"),
                false => format!("<Contents><Key>{name}</Key><Size>1</Size></Contents>"),
            }
        };
        let next = next.map(|next| format!("<NextContinuationToken>{next}</NextContinuationToken>"));
        text(format!(
            "<ListBucketResult {NAMESPACE}><EncodingType>url</EncodingType><IsTruncated>{more}</IsTruncated>{}{}\
             </ListBucketResult>",
            next.unwrap_or_default(),
            entries.iter().map(shown).collect::<String>()
        ))
    }
}

/// As `encoding-type=url` wants it.
fn escaped(name: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    name.bytes().map(byte).collect()
}

fn tag(content: &[u8]) -> String {
    format!("\"{}\"", hex(&Md5::digest(content)))
}

fn part_of(object: &[u8], range: &str) -> Answer {
    let begin = range.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-')?.parse::<usize>().ok());
    match begin {
        None => Answer::Whole(200, Vec::new(), object.to_vec()),
        Some(begin) if begin >= object.len() => refusal(416, "InvalidRange"),
        Some(begin) => Answer::Whole(206, Vec::new(), object[begin..].to_vec()),
    }
}
