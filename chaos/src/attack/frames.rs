//! WebSocket from one address: a flood of upgrades, and messages that take more than they give.

use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::site::{PASSWORD, Site, attacker, random_id, socket, user};
use super::web;
use crate::websocket::{BINARY, CONTINUATION, FIN, PING, TEXT, WebSocket, frame, handshake};
use troupe_client::connection::Request;
use troupe_proto::wire::client as wire;

/// Connections at each port that open WebSockets in turn.
const OPENERS: usize = 16;
/// Kept open by each of them.
const KEPT: usize = 100;
const MOMENT: Duration = Duration::from_secs(2);

/// Upgrades without a pause: kept open, dropped at once, malformed, and followed by frames that no
/// client may send.
pub async fn upgrades(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let until = Instant::now() + time;
    let ports = web::ports(site);
    let openers = (0..OPENERS).flat_map(|_| &ports).enumerate();
    let floods = join_all(openers.map(|(number, port)| open_all(port, number, until)));
    let newcomers = async {
        let mut findings = Vec::new();
        while Instant::now() < until {
            findings.extend(web::newcomers(site).await);
            sleep(Duration::from_millis(500)).await;
        }
        findings
    };
    let (opened, findings) = tokio::join!(floods, newcomers);
    site.notes.push(format!("{} WebSockets opened", opened.iter().sum::<usize>()));
    Ok(findings)
}

async fn open_all(port: &str, number: usize, until: Instant) -> usize {
    let (mut kept, mut opened) = (std::collections::VecDeque::new(), 0);
    while Instant::now() < until {
        let Ok(Ok(mut stream)) = timeout(MOMENT, socket(attacker(), port)).await else { continue };
        if number % 4 == 1 {
            // Version 8, and no key: refused.
            let wrong = handshake(port).replace("version: 13", "version: 8");
            let _ = timeout(MOMENT, tokio::io::AsyncWriteExt::write_all(&mut stream, wrong.as_bytes())).await;
            continue;
        }
        let Ok(Ok(mut socket)) = timeout(MOMENT, WebSocket::over(stream, port)).await else { continue };
        opened += 1;
        match number % 4 {
            0 => kept.push_back(socket),
            2 => {
                // A frame without a mask, and one with a reserved bit.
                let _ = socket.writes.write(&[FIN | BINARY, 1, b'x', 0xf1, 0x80, 0, 0, 0, 0]).await;
            }
            _ => {}
        }
        if kept.len() > KEPT {
            kept.pop_front();
        }
    }
    opened
}

/// Messages of the kinds below, from one account on several devices.
pub async fn messages(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let ports = web::ports(site);
    web::account(attacker(), &ports[0], "framer").await?;
    let talker = user(attacker(), site.node(0), "talker").await?;
    let until = Instant::now() + time;
    let talking = async {
        while Instant::now() < until && !talker.connection.is_closed() {
            let send = Request::Send(wire::Send {
                conversation: "everyone".into(),
                client_message_id: random_id(),
                after: Default::default(),
                body: Some(wire::Body { kind: 1_000, content: vec![b'x'; 60 * 1024].into(), context: None }),
            });
            if talker.connection.request(send).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        }
    };
    let kinds = [Kind::Fragments, Kind::Pings, Kind::Bombs, Kind::Deaf, Kind::Bombs, Kind::Deaf];
    let floods =
        join_all(kinds.iter().zip(ports.iter().cycle()).enumerate().map(|(device, (kind, port))| async move {
            let mut rounds = 0;
            while Instant::now() < until {
                rounds += kind.play(port, device, until).await.unwrap_or(0);
                // The connection has ended, as it should; the next one opens.
                sleep(Duration::from_millis(20)).await;
            }
            rounds
        }));
    let (rounds, ()) = tokio::join!(floods, talking);
    site.notes.push(format!("{:?}: {rounds:?} writes", kinds));
    Ok(web::newcomers(site).await)
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Fragments of one byte, without an end.
    Fragments,
    /// Pings, whose pongs are not read.
    Pings,
    /// JSON that is costly to read and no request.
    Bombs,
    /// Reads nothing of all that is pushed.
    Deaf,
}

impl Kind {
    /// Until the node ends the connection; returns the writes.
    async fn play(self, port: &str, device: usize, until: Instant) -> Result<usize> {
        let mut socket = log_in(port, device).await?;
        let bomb =
            frame(FIN | TEXT, format!("{{\"request_id\":\"7\",\"sned\":[{}0]}}", "0,".repeat(45_000)).as_bytes());
        let fragment = frame(CONTINUATION, b" ").repeat(512);
        let ping = frame(FIN | PING, &[b'p'; 125]).repeat(64);
        if matches!(self, Kind::Fragments) {
            socket.writes.write(&frame(TEXT, b"{")).await?;
        }
        let mut writes = 0;
        while Instant::now() < until {
            let bytes = match self {
                Kind::Fragments => &fragment,
                Kind::Pings => &ping,
                Kind::Bombs => &bomb,
                Kind::Deaf => {
                    sleep(Duration::from_millis(200)).await;
                    continue;
                }
            };
            if !matches!(timeout(MOMENT, socket.writes.write(bytes)).await, Ok(Ok(()))) {
                break;
            }
            writes += 1;
        }
        Ok(writes)
    }
}

/// Logs in with JSON.
async fn log_in(port: &str, device: usize) -> Result<WebSocket> {
    let mut socket = WebSocket::over(socket(attacker(), port).await?, port).await?;
    let hello = json!({ "request_id": "1", "hello": { "min_version": 1, "max_version": 1, "client": "attack" } });
    let device = format!("socket{device}");
    let login = json!({ "request_id": "2", "login": { "name": "framer", "password": PASSWORD, "device": device } });
    for request in [hello, login] {
        socket.writes.send(TEXT, request.to_string().as_bytes()).await?;
        let (_, answer) = timeout(5 * MOMENT, socket.reads.frame()).await.context("no answer")??;
        let answer: Value = serde_json::from_slice(&answer)?;
        anyhow::ensure!(answer.get("failure").is_none(), "{answer}");
    }
    Ok(socket)
}
