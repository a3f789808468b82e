//! Push subscriptions: an account has as many as it may, half of them at a service that takes
//! connections and never answers, and half at one that is always busy. Another account floods the
//! conversations of both, so that each message is a push to all of these subscriptions.
//!
//! The bounds: a user has so many subscriptions and so many pushes in flight at a node, however
//! many messages it gets; and the pushes of other users arrive promptly meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::StreamExt;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use troupe_client::connection::{Connection, Request};
use troupe_core::{Body, limits};
use troupe_proto::wire::client as wire;

use super::forwards::Seen;
use super::site::{Site, User, address, attacker, random_id, user};
use super::votes::{group, reading, say};
use super::web::{account, connect, ports};

/// More than a user may have.
const ASKED: usize = limits::PUSH_SUBSCRIPTIONS + 5;
/// Conversations of the attacker. A newer push of one replaces an older one.
const GROUPS: usize = 20;
const AT_ONCE: usize = 32;
/// Honest users with one subscription each, in the shards of several nodes.
const HONEST: u16 = 8;
/// Limit for the push of an honest message.
const PROMPT: Duration = Duration::from_secs(2);
/// A push that takes longer is lost.
const LOST: Duration = Duration::from_secs(10);
/// The keys of the example of RFC 8291, appendix A: a point of the curve, and 16 bytes.
const POINT: &str = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";
/// The head and the body of a push are smaller.
const PUSH_BYTES: usize = 8 * 1024;

pub async fn run(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let mut services = Services::open().await?;
    let port = ports(site).into_iter().next().context("a node")?;
    let mut honest = Vec::new();
    for number in 0..HONEST {
        let from = address(4, number);
        let subscriber = Subscriber::enter(from, &port, &format!("listener{number}")).await?;
        let taken = subscriber.subscribe(&services.url(&format!("honest/{number}"))).await?;
        ensure!(taken, "an honest user was refused its subscription");
        honest.push(subscriber.id);
    }
    let carol = user(address(1, 2), site.node(0), "carol").await?;
    let victim = Subscriber::enter(attacker(), &port, "subscriber").await?;
    let mut open = 0;
    for number in 0..ASKED {
        let kind = if number % 2 == 0 { "silent" } else { "busy" };
        open += usize::from(victim.subscribe(&services.url(&format!("{kind}/{number}"))).await?);
    }
    let flooder = reading(user(attacker(), site.node(1), "flooder").await?);
    let mut groups = Vec::new();
    for _ in 0..GROUPS {
        groups.push(group(&flooder, false, vec![victim.id]).await?);
    }
    let until = Instant::now() + time;
    let (seen, heard) =
        tokio::join!(flood(&flooder, &groups, until), talk(carol, &honest, &mut services.arrivals, until));
    let (heard, lost, slowest) = heard.with_context(|| format!("beside {} messages", seen.placed))?;
    let (held, most) = (services.peak.load(Ordering::Relaxed), site.cluster.len() * limits::PUSH_IN_FLIGHT_EACH);
    let Seen { placed, refused, .. } = seen;
    site.notes.push(format!(
        "{open} of {ASKED} subscriptions, {placed} messages of the flood, refusals {refused:?}, {held} pushes held at \
         once; {heard} honest pushes, the slowest after {slowest:?}"
    ));
    let mut findings = Vec::new();
    if open != limits::PUSH_SUBSCRIPTIONS {
        findings.push(format!("a user has {open} subscriptions, and may have {}", limits::PUSH_SUBSCRIPTIONS));
    }
    if held == 0 || placed == 0 {
        findings.push(format!("{placed} messages of the flood, and {held} pushes at the silent service"));
    }
    if held > most {
        findings.push(format!("{held} pushes of one user were in flight at once, and all nodes may have {most}"));
    }
    if heard == 0 || lost > 0 || slowest > PROMPT {
        findings.push(format!("{heard} pushes of other users came, the slowest after {slowest:?}, and {lost} did not"));
    }
    Ok(findings)
}

/// A user that has no connection.
struct Subscriber {
    from: std::net::IpAddr,
    port: String,
    token: String,
    id: u64,
}

impl Subscriber {
    async fn enter(from: std::net::IpAddr, port: &str, name: &str) -> Result<Subscriber> {
        let token = account(from, port, name).await?;
        let me = connect(from, port).await?.ask_as(&token, "GET", "/v1/me", None).await?.good()?;
        let id = me["user_id"].as_str().and_then(|id| id.parse().ok()).context("the id of a user")?;
        Ok(Subscriber { from, port: port.to_owned(), token, id })
    }

    /// Whether it was taken. A refusal is that of the largest number.
    async fn subscribe(&self, endpoint: &str) -> Result<bool> {
        let new = json!({ "endpoint": endpoint, "keys": { "p256dh": POINT, "auth": AUTH } });
        let mut http = connect(self.from, &self.port).await?;
        let told = http.ask_as(&self.token, "POST", "/v1/push/subscriptions", Some(&new)).await?;
        if told.status == 204 {
            return Ok(true);
        }
        let why = told.json()?;
        ensure!(why["code"] == "too_many_subscriptions", "a subscription was refused with {}: {why}", told.status);
        Ok(false)
    }
}

async fn flood(flooder: &Connection, groups: &[String], until: Instant) -> Seen {
    let sends = futures::stream::iter(0..).map(|n: usize| {
        flooder.request(Request::Send(wire::Send {
            conversation: groups[n % groups.len()].clone(),
            client_message_id: random_id(),
            after: Default::default(),
            body: Some((&Body::text("wake up")).into()),
        }))
    });
    let sending = sends.buffer_unordered(AT_ONCE);
    tokio::pin!(sending);
    let mut seen = Seen::default();
    while Instant::now() < until && !flooder.is_closed() {
        match sending.next().await {
            Some(Ok(_)) => seen.placed += 1,
            Some(Err(error)) => seen.refuse(&error),
            None => break,
        }
    }
    seen
}

/// Writes to one honest user after the other, and waits for the push: how many came, how many did
/// not, and the slowest.
async fn talk(
    carol: User,
    honest: &[u64],
    arrivals: &mut mpsc::Receiver<usize>,
    until: Instant,
) -> Result<(u64, u64, Duration)> {
    let directs: Vec<String> = honest.iter().map(|id| carol.direct(*id)).collect();
    let carol = reading(carol);
    let (mut heard, mut lost, mut slowest) = (0, 0, Duration::ZERO);
    for number in (0..directs.len()).cycle() {
        let begun = Instant::now();
        if begun >= until {
            break;
        }
        // Of attempts that came late.
        while arrivals.try_recv().is_ok() {}
        say(&carol, &directs[number], Body::text("are you there?")).await?;
        let arrived = async { while arrivals.recv().await.is_some_and(|came| came != number) {} };
        match timeout_at(begun + LOST, arrived).await {
            Ok(()) => heard += 1,
            Err(_) => lost += 1,
        }
        slowest = slowest.max(begun.elapsed());
        sleep(Duration::from_millis(100)).await;
    }
    Ok((heard, lost, slowest))
}

/// All push services, at one address: honest ones, a busy one and a silent one by their paths. They
/// end with this.
struct Services {
    place: SocketAddr,
    /// The numbers of honest users, as their pushes arrive.
    arrivals: mpsc::Receiver<usize>,
    /// The most pushes that were at the silent service at once.
    peak: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

/// Of arrivals that no one has taken yet.
const WAITING: usize = 1_024;

impl Services {
    async fn open() -> Result<Services> {
        #[allow(clippy::disallowed_methods, reason = "the services stand outside of every node")]
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let place = listener.local_addr()?;
        let (arrived, arrivals) = mpsc::channel(WAITING);
        let (held, peak) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let mut serving = JoinSet::new();
        let most = peak.clone();
        serving.spawn(async move {
            let mut pushes = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                while pushes.try_join_next().is_some() {}
                let (arrived, held, most) = (arrived.clone(), held.clone(), most.clone());
                // A node that gives up its push is no failure of the service.
                pushes.spawn(async move { drop(serve(socket, arrived, &held, &most).await) });
            }
        });
        Ok(Services { place, arrivals, peak, _serving: serving })
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.place)
    }
}

/// One push.
async fn serve(
    mut socket: TcpStream,
    arrived: mpsc::Sender<usize>,
    held: &AtomicUsize,
    most: &AtomicUsize,
) -> Result<()> {
    let mut received = Vec::new();
    while !received.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        ensure!(received.len() < PUSH_BYTES, "a long head");
        ensure!(socket.read_buf(&mut received).await? > 0, "no push");
    }
    let head = String::from_utf8_lossy(&received).into_owned();
    let path = head.split_whitespace().nth(1).unwrap_or_default();
    match path.strip_prefix("/honest/") {
        Some(number) => {
            let number = number.parse::<usize>()?;
            answer(&mut socket, "201 Created").await?;
            arrived.send(number).await?;
        }
        None if path.starts_with("/busy/") => answer(&mut socket, "503 Service Unavailable").await?,
        None => {
            most.fetch_max(held.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            // The rest of the push, and then the end of the connection.
            let mut rest = [0; 1_024];
            while socket.read(&mut rest).await.is_ok_and(|bytes| bytes > 0) {}
            held.fetch_sub(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

async fn answer(socket: &mut TcpStream, status: &str) -> Result<()> {
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    socket.write_all(answer.as_bytes()).await?;
    // The node reads the answer before it sees the end of the connection.
    let mut rest = [0; 1_024];
    while socket.read(&mut rest).await.is_ok_and(|bytes| bytes > 0) {}
    Ok(())
}
