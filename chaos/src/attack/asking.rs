//! Expensive requests by HTTP: with one token, and without any, on as many connections as there
//! may be.

use std::time::Duration;

use anyhow::Result;
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::http2::Http2;
use super::site::{PASSWORD, Site, address, attacker, random_id, socket};
use super::web;

/// Connections at each port.
const CONNECTIONS: usize = 24;
/// Limit for an honest request during the flood.
const PROMPT: Duration = Duration::from_secs(2);

pub async fn requests(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let ports = web::ports(site);
    let token = web::account(attacker(), &ports[0], "asker").await?;
    let honest = web::account(address(1, 2), &ports[0], "reader").await?;
    let until = Instant::now() + time;
    let connections = (0..CONNECTIONS).flat_map(|_| &ports).enumerate();
    let floods = join_all(connections.map(|(number, port)| flood(port, &token, number, until)));
    let asking = async {
        let (mut asked, mut slowest, mut failed) = (0usize, Duration::ZERO, 0usize);
        while Instant::now() < until {
            let begun = Instant::now();
            let port = &ports[asked % ports.len()];
            let asks = async {
                let mut http = web::connect(address(1, 2), port).await?;
                http.ask_as(&honest, "GET", "/v1/conversations", None).await
            };
            let is_good = matches!(timeout(4 * PROMPT, asks).await, Ok(Ok(said)) if said.status == 200);
            (asked, failed) = (asked + 1, failed + usize::from(!is_good));
            slowest = slowest.max(begun.elapsed());
            sleep(Duration::from_millis(200)).await;
        }
        (asked, slowest, failed)
    };
    let (counts, (asked, slowest, failed)) = tokio::join!(floods, asking);
    let answers: usize = counts.iter().sum();
    site.notes.push(format!("{answers} answers to the flood, {asked} to honest requests, the slowest in {slowest:?}"));
    let mut findings = Vec::new();
    if failed > 0 || slowest > PROMPT {
        findings.push(format!("{failed} of {asked} honest requests failed; the slowest took {slowest:?}"));
    }
    Ok(findings)
}

/// Asks without a pause; returns how many were answered.
async fn flood(port: &str, token: &str, number: usize, until: Instant) -> usize {
    let login = json!({ "name": "alice", "password": "a wrong password", "device": "guess" });
    let bearer = format!("Bearer {token}");
    let known = [("authorization", bearer.as_str())];
    let mut answered = 0;
    while Instant::now() < until {
        let Ok(Ok(mut http)) = timeout(PROMPT, web::connect(attacker(), port)).await else { continue };
        while Instant::now() < until {
            let register = json!({ "name": format!("flood{number}x{answered}"), "password": PASSWORD });
            let (method, path, headers, body): (_, _, &[(&str, &str)], Option<&Value>) = match number % 8 {
                0 => ("GET", "/v1/conversations", &known, None),
                1 => ("GET", "/v1/conversations/everyone/messages?limit=500", &known, None),
                2 => ("GET", "/v1/online", &known, None),
                3 => ("GET", "/v1/users?prefix=a", &known, None),
                4 => ("POST", "/v1/login", &[], Some(&login)),
                5 => ("POST", "/v1/register", &[], Some(&register)),
                6 => ("GET", "/v1/no/such/path", &[], None),
                _ => ("GET", "/v1/openapi.json", &[], None),
            };
            match timeout(4 * PROMPT, http.ask(method, path, headers, body)).await {
                Ok(Ok(_)) => answered += 1,
                _ => break,
            }
        }
    }
    answered
}

/// Connections of each protocol at each port.
const DEAF: usize = 12;
const STREAMS: usize = 100;
const BODY_BYTES: usize = 60 * 1024;

/// Pages of history, of which none is taken.
pub async fn answers(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let ports = web::ports(site);
    let token = web::account(attacker(), &ports[0], "deaf").await?;
    let until = Instant::now() + time;
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let path = "/v1/conversations/everyone/messages";
    let mut writer = web::connect(attacker(), &ports[0]).await?;
    for _ in 0..8 {
        let key: String = random_id().iter().map(|byte| format!("{byte:02x}")).collect();
        let with_key = [headers[0], ("idempotency-key", key.as_str())];
        // The pages below are large even if one of these is refused.
        drop(writer.ask("POST", path, &with_key, Some(&json!({ "text": "x".repeat(BODY_BYTES) }))).await);
    }
    let (mut deaf, mut streams) = (Vec::new(), Vec::new());
    let mut asked = 0;
    for number in 0..DEAF * ports.len() {
        let port = &ports[number % ports.len()];
        if let Ok(mut http) = web::connect(attacker(), port).await {
            let request = http.request("GET", path, &headers, None).repeat(64);
            if let Ok(Ok(())) = timeout(PROMPT, http.write(&request)).await {
                asked += 64;
            }
            deaf.push(http);
        }
        let Ok(stream) = socket(attacker(), port).await else { continue };
        let Ok(mut http) = Http2::open(stream, port, 0).await else { continue };
        for _ in 0..STREAMS {
            match timeout(PROMPT, http.ask("GET", path, &headers, true)).await {
                Ok(Ok(_)) => asked += 1,
                _ => break,
            }
        }
        streams.push(http);
        if Instant::now() > until {
            break;
        }
    }
    site.notes.push(format!("{asked} pages asked for on {} connections", deaf.len() + streams.len()));
    let mut findings = Vec::new();
    while Instant::now() < until {
        findings.extend(web::newcomers(site).await);
        sleep(Duration::from_secs(1)).await;
    }
    Ok(findings)
}
