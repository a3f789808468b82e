//! Sends by the HTTP API: `POST` with a key of its own for each message, on connections that are
//! kept open.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};
use troupe_chaos::http::Http;
use troupe_client::load::sends::Options;
use troupe_runtime::Platform;

const PASSWORD: &str = "load-generator";
/// How long the set-up retries requests that a busy server refuses.
const PATIENCE: Duration = Duration::from_secs(120);
const AGAIN: Duration = Duration::from_millis(100);
/// HTTP/1.1 has one request at a time on a connection, so this bounds the requests in flight.
const CONNECTIONS_OF_SENDER: usize = 8;

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub nodes: usize,
    pub senders: usize,
    pub conversations: usize,
    /// Of each sender, each with one request at a time.
    pub connections: usize,
    pub body_bytes: usize,
    pub rate: Option<f64>,
    pub seconds: f64,
    pub acked: u64,
    pub acked_per_s: f64,
    pub ack_p50_ms: f64,
    pub ack_p99_ms: f64,
    pub ack_max_ms: f64,
    pub errors: u64,
    pub first_error: Option<String>,
}

/// One connection of a sender, with the group that it sends to.
struct Line {
    platform: Platform,
    node: String,
    bearer: String,
    group: String,
    body_bytes: usize,
    /// Between two sends. `None`: as soon as there is an answer.
    step: Option<Duration>,
    /// The first send is due then.
    first: Instant,
    measured: (Instant, Instant),
}

struct Tally {
    acks: Histogram<u64>,
    errors: u64,
    first_error: Option<String>,
}

impl Tally {
    fn new() -> Result<Tally> {
        Ok(Tally { acks: Histogram::new(3)?, errors: 0, first_error: None })
    }
}

pub async fn run(options: Options) -> Result<Report> {
    let target = &options.target;
    ensure!(options.senders > 0 && options.conversations > 0 && options.in_flight > 0, "nothing is to be sent");
    ensure!(options.rate.is_none_or(|rate| rate > 0.0), "the rate must be above zero");
    let run = format!("load{:08x}", target.context.rng.u64() as u32);
    let mut tokens = Vec::new();
    for sender in 0..options.senders {
        let node = &target.nodes[sender % target.nodes.len()];
        tokens.push((node.clone(), enter(&target.context, node, &format!("{run}-s{sender}")).await?));
    }
    let per_sender = options.conversations.div_ceil(options.senders);
    let mut groups = Vec::new();
    for (sender, (node, token)) in tokens.iter().enumerate() {
        let mut http = Http::connect(&*target.context.net, node).await?;
        for number in 0..per_sender {
            let group = json!({ "name": format!("{run}-{sender}-{number}") });
            let made = http.ask_as(token, "POST", "/v1/groups", Some(&group)).await?.good()?;
            groups.push(made["conversation"].as_str().context("a conversation")?.to_owned());
        }
    }
    let connections = options.in_flight.min(CONNECTIONS_OF_SENDER);
    let begun = Instant::now();
    let end = begun + options.warm_up + options.duration;
    let all = (options.senders * connections) as f64;
    let mut sending = Vec::new();
    for index in 0..options.senders * connections {
        let (node, token) = &tokens[index % options.senders];
        let step = options.rate.map(|rate| Duration::from_secs_f64(all / rate));
        let line = Line {
            platform: target.context.clone(),
            node: node.clone(),
            bearer: format!("Bearer {token}"),
            group: groups[(index % options.senders) * per_sender + index / options.senders % per_sender].clone(),
            body_bytes: options.body_bytes,
            step,
            first: begun + step.unwrap_or_default().mul_f64(index as f64 / all),
            measured: (begun + options.warm_up, end),
        };
        sending.push(tokio::spawn(line.send()));
    }
    let mut tally = Tally::new()?;
    for task in sending {
        let of_line = task.await.context("a sender ended early")??;
        tally.acks.add(&of_line.acks)?;
        tally.errors += of_line.errors;
        tally.first_error = tally.first_error.or(of_line.first_error);
    }
    let ms = |micros: u64| micros as f64 / 1_000.0;
    let seconds = options.duration.as_secs_f64();
    Ok(Report {
        nodes: target.nodes.len(),
        senders: options.senders,
        conversations: groups.len(),
        connections,
        body_bytes: options.body_bytes,
        rate: options.rate,
        seconds,
        acked: tally.acks.len(),
        acked_per_s: tally.acks.len() as f64 / seconds,
        ack_p50_ms: ms(tally.acks.value_at_quantile(0.5)),
        ack_p99_ms: ms(tally.acks.value_at_quantile(0.99)),
        ack_max_ms: ms(tally.acks.max()),
        errors: tally.errors,
        first_error: tally.first_error,
    })
}

impl Line {
    /// A latency counts from the time at which its send is due.
    async fn send(self) -> Result<Tally> {
        let mut tally = Tally::new()?;
        let path = format!("/v1/conversations/{}/messages", self.group);
        let text = Arc::new(json!({ "text": "x".repeat(self.body_bytes) }));
        let mut http = Http::connect(&*self.platform.net, &self.node).await?;
        let mut due = self.first;
        while due < self.measured.1 {
            sleep_until(due).await;
            let key: String = self.platform.rng.bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
            let headers = [("authorization", self.bearer.as_str()), ("idempotency-key", key.as_str())];
            let error = match http.ask("POST", &path, &headers, Some(&text)).await {
                Ok(said) if said.status == 200 => None,
                Ok(said) => Some(String::from_utf8_lossy(&said.body).into_owned()),
                Err(error) => {
                    http = Http::connect(&*self.platform.net, &self.node).await?;
                    Some(format!("{error:#}"))
                }
            };
            let answered = Instant::now();
            // A saturation run counts messages acked within it, a scheduled run those due within
            // it.
            let at = if self.step.is_some() { due } else { answered };
            if (self.measured.0..self.measured.1).contains(&at) {
                match error {
                    None => tally.acks.record(answered.saturating_duration_since(due).as_micros() as u64)?,
                    Some(error) => {
                        tally.errors += 1;
                        tally.first_error.get_or_insert(error);
                    }
                }
            }
            due = self.step.map_or(answered, |step| due + step);
        }
        Ok(tally)
    }
}

/// Registers, and logs in; returns the token.
async fn enter(platform: &Platform, node: &str, name: &str) -> Result<String> {
    let until = Instant::now() + PATIENCE;
    loop {
        let entering = async {
            let mut http = Http::connect(&*platform.net, node).await?;
            let register = json!({ "name": name, "password": PASSWORD });
            // The second attempt finds the name taken, by this account.
            http.ask("POST", "/v1/register", &[], Some(&register)).await?;
            let login = json!({ "name": name, "password": PASSWORD, "device": "load" });
            let said = http.ask("POST", "/v1/login", &[], Some(&login)).await?.good()?;
            said["token"].as_str().map(str::to_owned).context("a token")
        };
        match entering.await {
            Ok(token) => return Ok(token),
            Err(error) if Instant::now() > until => return Err(error).with_context(|| format!("{name} at {node}")),
            Err(_) => sleep(AGAIN).await,
        }
    }
}
