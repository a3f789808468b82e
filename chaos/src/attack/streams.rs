//! Streams of events by HTTP: opened without a pause by devices that have one, never read, held as
//! polls and as streams of HTTP/2, while much is pushed to them.

use std::time::Duration;

use anyhow::Result;
use futures::future::join_all;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::http2::Http2;
use super::site::{Site, address, attacker, random_id, socket};
use super::web;

const ACCOUNTS: usize = 6;
/// HTTP/2 streams of one connection.
const STREAMS: usize = 100;
const BODY_BYTES: usize = 60 * 1024;
const MOMENT: Duration = Duration::from_secs(2);
/// Limit for an honest message to arrive on an honest stream.
const PROMPT: Duration = Duration::from_secs(2);

pub async fn run(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let ports = web::ports(site);
    let mut tokens = Vec::new();
    for number in 0..ACCOUNTS {
        tokens.push(web::account(attacker(), &ports[number % ports.len()], &format!("streamer{number}")).await?);
    }
    let honest = web::account(address(1, 2), &ports[0], "listener").await?;
    let until = Instant::now() + time;
    let floods = join_all(tokens.iter().enumerate().map(|(number, token)| open_all(&ports, token, number, until)));
    let talking = talk(&ports[0], &tokens[0], until);
    let (opened, (), (heard, slowest)) = tokio::join!(floods, talking, listen(&ports, &honest, until));
    let opened: usize = opened.iter().sum();
    site.notes.push(format!("{opened} streams opened, {heard} honest messages heard, the slowest after {slowest:?}"));
    let mut findings = web::newcomers(site).await;
    if heard == 0 || slowest > PROMPT {
        findings.push(format!("{heard} honest messages came by an honest stream, the slowest after {slowest:?}"));
    }
    Ok(findings)
}

/// Streams that are never read; the last few are kept.
async fn open_all(ports: &[String], token: &str, number: usize, until: Instant) -> usize {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let (mut kept, mut many, mut opened) = (std::collections::VecDeque::new(), Vec::new(), 0);
    while Instant::now() < until {
        let port = &ports[(number + opened) % ports.len()];
        let opening = async {
            if number.is_multiple_of(3) {
                let mut http = Http2::open(socket(attacker(), port).await?, port, 0).await?;
                for _ in 0..STREAMS {
                    http.ask("GET", "/v1/events", &headers, true).await?;
                }
                many.push(http);
                many.truncate(64);
                return anyhow::Ok(STREAMS);
            }
            let path = if number % 3 == 1 { "/v1/events" } else { "/v1/events?wait=30" };
            let mut http = web::connect(attacker(), port).await?;
            let request = http.request("GET", path, &headers, None);
            http.write(&request).await?;
            kept.push_back(http);
            Ok(1)
        };
        match timeout(MOMENT, opening).await {
            Ok(Ok(streams)) => opened += streams,
            _ => sleep(Duration::from_millis(20)).await,
        }
        if kept.len() > 200 {
            kept.pop_front();
        }
    }
    opened
}

/// Large messages to everyone, as many as one account may send.
async fn talk(port: &str, token: &str, until: Instant) {
    let body = json!({ "text": "x".repeat(BODY_BYTES) });
    while Instant::now() < until {
        let Ok(mut http) = web::connect(attacker(), port).await else { continue };
        while Instant::now() < until {
            let send = http.ask_as(token, "POST", "/v1/conversations/everyone/messages", Some(&body));
            if !matches!(timeout(4 * MOMENT, send).await, Ok(Ok(_))) {
                break;
            }
        }
    }
}

/// An honest user sends itself messages to a group, and waits for each on its stream; returns how
/// many came, and the longest time.
async fn listen(ports: &[String], token: &str, until: Instant) -> (usize, Duration) {
    let (mut heard, mut slowest) = (0, Duration::ZERO);
    let bearer = format!("Bearer {token}");
    let mut number = 0;
    while Instant::now() < until {
        let port = &ports[number % ports.len()];
        number += 1;
        let hears = async {
            let mut http = web::connect(address(1, 2), port).await?;
            let group = http.ask_as(token, "POST", "/v1/groups", Some(&json!({ "name": "own" }))).await?.good()?;
            let group = group["conversation"].as_str().unwrap_or_default().to_owned();
            let mut stream = web::connect(address(1, 2), port).await?;
            let request = stream.request("GET", "/v1/events", &[("authorization", &bearer)], None);
            stream.write(&request).await?;
            stream.until(b"retry:").await?;
            let begun = Instant::now();
            let id: String = random_id().iter().map(|byte| format!("{byte:02x}")).collect();
            let path = format!("/v1/conversations/{group}/messages");
            http.ask_as(token, "POST", &path, Some(&json!({ "text": id }))).await?.good()?;
            stream.until(id.as_bytes()).await?;
            anyhow::Ok(begun.elapsed())
        };
        match timeout(4 * PROMPT, hears).await {
            Ok(Ok(took)) => (heard, slowest) = (heard + 1, slowest.max(took)),
            _ => slowest = slowest.max(4 * PROMPT),
        }
        sleep(Duration::from_millis(500)).await;
    }
    (heard, slowest)
}
