//! Uploads of one account without pause, in many groups: announced and never written, whole chunks
//! as fast as they are taken, wrong places and wrong lengths, and bodies that stand still; while an
//! honest user uploads a file again and again.

use std::time::Duration;

use anyhow::{Result, bail};
use bytes::Bytes;
use futures::StreamExt;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep, timeout};
use troupe_client::connection::{Connection, Message, Request};
use troupe_client::error::Error;
use troupe_proto::wire::client as wire;
use troupe_runtime::{Platform, Stream};

use super::site::{Site, address, attacker, random_id, socket, user};
use super::web;

const GROUPS: usize = 8;
const AT_ONCE: usize = 48;
/// Bodies that stand still.
const SLOW: usize = 100;
const CHUNK: usize = 64 * 1024;
/// Of an honest file, in chunks.
const HONEST: usize = 4;
/// Limit for an honest file.
const PROMPT: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_millis(200);

pub async fn run(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let nodes = site.cluster.client_addresses();
    let honest = user(address(1, 2), &nodes[0], "carol").await?;
    let attacking = user(attacker(), &nodes[1], "uploader").await?;
    let mut groups = vec!["everyone".to_owned()];
    for number in 0..GROUPS {
        let (request, name) = (random_id(), format!("files {number}"));
        let create = wire::CreateGroup { request, name, ..wire::CreateGroup::default() };
        if let Message::GroupCreated(made) = attacking.connection.request(Request::CreateGroup(create)).await? {
            groups.push(made.conversation);
        }
    }
    let held = hold(site).await?;
    let until = Instant::now() + time;
    let flood = async {
        let chunk = Bytes::from(vec![7; CHUNK]);
        let acts = futures::stream::iter(0usize..).map(|n| {
            let conversation = groups[n % groups.len()].clone();
            strain(&attacking.connection, conversation, chunk.clone())
        });
        let acting = acts.buffer_unordered(AT_ONCE);
        tokio::pin!(acting);
        let mut taken = 0u64;
        while Instant::now() < until && !attacking.connection.is_closed() {
            taken += acting.next().await.unwrap_or_default();
        }
        taken
    };
    let (taken, slowest) = tokio::join!(flood, files(&honest.connection, until));
    let slowest = slowest?;
    site.notes.push(format!("{taken} chunks of the attacker were taken beside {} bodies that stand still", held.len()));
    Ok(match slowest > PROMPT {
        true => vec![format!("an honest file of {HONEST} chunks took {slowest:?}")],
        false => vec![],
    })
}

/// Bodies of uploads by HTTP that have a byte of many.
async fn hold(site: &Site) -> Result<Vec<Box<dyn Stream>>> {
    let ports = web::ports(site);
    let token = web::account(attacker(), &ports[0], "slow").await?;
    let mut held = Vec::new();
    for number in 0..SLOW {
        let id: String = Platform::production().rng.bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
        let body = format!("{{\"conversation\":\"everyone\",\"name\":\"a\",\"size\":{CHUNK}}}");
        let length = body.len();
        let head = format!(
            "POST /v1/uploads HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nidempotency-key: {id}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}\
             PATCH /v1/uploads/everyone.{id} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             tus-resumable: 1.0.0\r\nupload-offset: 0\r\ncontent-type: application/offset+octet-stream\r\n\
             content-length: {CHUNK}\r\n\r\nx"
        );
        let Ok(Ok(mut stream)) = timeout(MOMENT, socket(attacker(), &ports[number % ports.len()])).await else {
            continue;
        };
        if timeout(MOMENT, stream.write_all(head.as_bytes())).await.is_ok() {
            held.push(stream);
        }
    }
    Ok(held)
}

/// Announces an upload, and writes a chunk and several faulty ones. Returns the number of chunks
/// that the node took.
async fn strain(connection: &Connection, conversation: String, content: Bytes) -> u64 {
    let upload = random_id();
    let create = wire::CreateUpload {
        conversation: conversation.clone(),
        upload: upload.clone(),
        name: "a".to_owned(),
        size: 3 * CHUNK as u64,
        ..wire::CreateUpload::default()
    };
    if connection.request(Request::CreateUpload(create)).await.is_err() {
        sleep(Duration::from_millis(5)).await;
    }
    let mut taken = 0;
    for offset in [0, 0, 2 * CHUNK as u64, 3 * CHUNK as u64, CHUNK as u64 - 1] {
        let (conversation, upload, content) = (conversation.clone(), upload.clone(), content.clone());
        let write = wire::WriteChunk { conversation, upload, offset, content };
        taken += u64::from(connection.request(Request::WriteChunk(write)).await.is_ok());
    }
    taken
}

/// The slowest honest file until `until`.
async fn files(connection: &Connection, until: Instant) -> Result<Duration> {
    let mut slowest = Duration::ZERO;
    while Instant::now() < until {
        let begun = Instant::now();
        let upload = random_id();
        let create = wire::CreateUpload {
            conversation: "everyone".to_owned(),
            upload: upload.clone(),
            name: "honest".to_owned(),
            size: (HONEST * CHUNK) as u64,
            ..wire::CreateUpload::default()
        };
        let mut received = patient(connection, Request::CreateUpload(create), begun).await?;
        while received < (HONEST * CHUNK) as u64 {
            let content = Bytes::from(vec![received as u8; CHUNK]);
            let (conversation, upload) = ("everyone".to_owned(), upload.clone());
            let write = wire::WriteChunk { conversation, upload, offset: received, content };
            received = patient(connection, Request::WriteChunk(write), begun).await?;
        }
        slowest = slowest.max(begun.elapsed());
        let cancel = wire::CancelUpload { conversation: "everyone".to_owned(), upload };
        let _ = connection.request(Request::CancelUpload(cancel)).await;
        sleep(Duration::from_millis(500)).await;
    }
    Ok(slowest)
}

/// How far the upload has come. A busy node is asked again.
async fn patient(connection: &Connection, request: Request, begun: Instant) -> Result<u64> {
    loop {
        match connection.request(request.clone()).await {
            Ok(Message::Upload(upload)) => return Ok(upload.received),
            Err(Error::Overloaded { retry_after, .. }) => sleep(retry_after).await,
            Ok(other) => bail!("an honest upload was answered with {other:?}"),
            Err(error @ Error::Rejected { .. }) => bail!("an honest upload was refused: {error}"),
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
        if begun.elapsed() > Duration::from_secs(60) {
            bail!("an honest upload took more than a minute");
        }
    }
}
