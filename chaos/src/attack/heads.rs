//! Connections of one address that hold what they can by HTTP: silence, slow heads, bodies without
//! an end, and HTTP/2 streams without an end, at both ports of every node.

use std::time::Duration;

use anyhow::Result;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep, timeout};
use troupe_runtime::Stream;

use super::http2::Http2;
use super::site::{Site, attacker, socket};
use super::web;
use crate::http::Http;

/// Connections of each kind at each port.
const EACH: usize = 150;
const STREAMS: usize = 120;
/// Bytes of the head of a stream, near the limit.
const STREAM_HEAD: usize = 15 * 1024;
/// For one connection or one write: a node that does not take it behaves as required.
const MOMENT: Duration = Duration::from_millis(100);
/// Between two bytes of a slow head.
const SLOW: Duration = Duration::from_secs(1);

pub async fn run(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let ports = web::ports(site);
    let token = web::account(attacker(), &ports[0], "holder").await?;
    let until = Instant::now() + time;
    let mut held: Vec<Box<dyn Stream>> = Vec::new();
    let mut slow: Vec<Box<dyn Stream>> = Vec::new();
    let mut streams = Vec::new();
    let half = half_body(&token);
    for number in 0..EACH {
        for port in &ports {
            for begin in [&b""[..], b"GET /v1/me HTTP/1.1\r\nhost: x\r\nx-slow: ", &half] {
                let Ok(Ok(mut stream)) = timeout(MOMENT, socket(attacker(), port)).await else { continue };
                if timeout(MOMENT, stream.write_all(begin)).await.is_ok() {
                    if begin.starts_with(b"GET") { slow.push(stream) } else { held.push(stream) }
                }
            }
            if let Ok(Ok(stream)) = timeout(MOMENT, socket(attacker(), port)).await
                && let Ok(Ok(stream)) = timeout(2 * MOMENT, hold_streams(stream, port, &token, number)).await
            {
                streams.push(stream);
            }
        }
        if Instant::now() + time / 3 > until {
            break;
        }
    }
    let open = held.len() + slow.len() + streams.len();
    site.notes.push(format!("{open} connections, {} of them in HTTP/2", streams.len()));
    let mut findings = web::newcomers(site).await;
    while Instant::now() < until {
        for stream in &mut slow {
            // Those that the node has closed fail.
            let _ = timeout(Duration::from_millis(1), stream.write_all(b"x")).await;
        }
        findings.extend(web::newcomers(site).await);
        sleep(SLOW).await;
    }
    Ok(findings)
}

/// A message that lacks its last byte.
fn half_body(token: &str) -> Vec<u8> {
    let body = format!("{{\"text\":\"{}\"}}", "x".repeat(60 * 1024));
    let head = format!(
        "POST /v1/conversations/everyone/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&body.as_bytes()[..body.len() - 1]);
    bytes
}

/// Streams with large heads and bodies without an end; every second connection resets each stream
/// at once and goes on.
async fn hold_streams(stream: Box<dyn Stream>, port: &str, token: &str, number: usize) -> Result<Http2> {
    let mut http = Http2::open(stream, port, 0).await?;
    let (bearer, padding) = (format!("Bearer {token}"), "x".repeat(STREAM_HEAD - 512));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json"), ("x-large", &padding)];
    for _ in 0..STREAMS {
        let id = http.ask("POST", "/v1/conversations/everyone/messages", &headers, false).await?;
        if number.is_multiple_of(2) {
            http.data(id, b"{\"text\":\"").await?;
        } else {
            http.reset(id).await?;
        }
    }
    Ok(http)
}

/// Bodies and heads that no node may accept, and shapes in which a second request hides.
pub async fn bodies(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let ports = web::ports(site);
    let token = web::account(attacker(), &ports[0], "smuggler").await?;
    let until = Instant::now() + time;
    let mut findings = Vec::new();
    let mut rounds = 0;
    while Instant::now() < until || rounds == 0 {
        for port in &ports {
            for (shape, request) in smuggled(&token) {
                if hides(port, &request).await? {
                    findings.push(format!("a request hidden by {shape} was answered"));
                }
            }
            for (shape, request) in giant(&token) {
                if let Some(status) = accepted(port, &request).await? {
                    findings.push(format!("{shape} was answered {status}"));
                }
            }
        }
        rounds += 1;
        findings.extend(web::newcomers(site).await);
    }
    site.notes.push(format!("{rounds} rounds"));
    findings.sort();
    findings.dedup();
    Ok(findings)
}

/// Two requests, of which the second is not to be seen: the first is malformed.
fn smuggled(token: &str) -> Vec<(&'static str, Vec<u8>)> {
    let second = format!("GET /v1/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    let first = |headers: &str, body: &str| {
        format!("POST /v1/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{headers}\r\n{body}{second}")
    };
    [
        ("two lengths", first("content-length: 2\r\ncontent-length: 3\r\n", "{}")),
        ("a list of lengths", first("content-length: 2, 3\r\n", "{}")),
        ("a negative length", first("content-length: -1\r\n", "")),
        ("a length with a sign", first("content-length: +2\r\n", "{}")),
        ("a length and chunks", first("content-length: 7\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n")),
        ("another encoding", first("transfer-encoding: xchunked\r\n", "0\r\n\r\n")),
        ("chunks that are not last", first("transfer-encoding: chunked, identity\r\n", "0\r\n\r\n")),
        ("a space before the colon", first("content-length : 2\r\n", "{}")),
        ("a size of a chunk above all numbers", first("transfer-encoding: chunked\r\n", "1000000000000000002\r\n{}")),
        ("a size of a chunk that is none", first("transfer-encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n")),
        ("a zero byte", first("x-zero: a\0b\r\ncontent-length: 2\r\n", "{}")),
        ("a folded header", first("x-folded: a\r\n content-length: 2\r\n", "{}")),
    ]
    .map(|(shape, text)| (shape, text.into_bytes()))
    .into()
}

/// Whether the second of two requests has an answer of its own.
async fn hides(port: &str, request: &[u8]) -> Result<bool> {
    let mut http = web::connect(attacker(), port).await?;
    http.write(request).await?;
    let answers = timeout(Duration::from_millis(500), http.rest()).await.unwrap_or_default();
    Ok(String::from_utf8_lossy(&answers).contains("\"user_id\""))
}

fn giant(token: &str) -> Vec<(&'static str, Vec<u8>)> {
    let head = |path: &str, length: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n{length}\r\n\r\n"
        )
    };
    let send = "/v1/conversations/everyone/messages";
    let announced = head(send, "content-length: 999999999999");
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let endless = head(send, "transfer-encoding: chunked") + &chunk.repeat(16);
    let bomb = |text: String| {
        let length = format!("content-length: {}", text.len());
        head(send, &length) + &text
    };
    let deep = bomb(format!("{{\"text\":{}", "[".repeat(390_000)));
    let wide = bomb(format!("{{\"text\":[{}0]}}", "0,".repeat(190_000)));
    let keys = bomb(format!("{{{}\"text\":\"x\"}}", "\"a\":0,".repeat(60_000)));
    let line = format!("GET /v1/me?{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(200_000));
    let headers = format!("GET /v1/me HTTP/1.1\r\nhost: x\r\n{}\r\n", "x-many: y\r\n".repeat(20_000));
    [
        ("a body of a terabyte", announced),
        ("a body without an end", endless),
        ("deep JSON", deep),
        ("wide JSON", wide),
        ("JSON with many keys", keys),
        ("a giant request line", line),
        ("many headers", headers),
    ]
    .map(|(shape, text)| (shape, text.into_bytes()))
    .into()
}

/// The status, unless the request is refused or its connection ends.
async fn accepted(port: &str, request: &[u8]) -> Result<Option<u16>> {
    let mut http: Http = web::connect(attacker(), port).await?;
    let asked = async {
        // A node may close while it is written.
        let _ = http.write(request).await;
        http.said().await.map(|said| said.status)
    };
    let status = timeout(Duration::from_secs(5), asked).await.ok().and_then(Result::ok);
    Ok(status.filter(|status| !(400..500).contains(status)))
}
