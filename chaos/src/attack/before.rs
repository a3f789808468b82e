//! Groups whose hook is asked before each message, and whose receiver takes connections and never
//! answers: each message waits for a second at the leader of its shard. An account floods them.
//!
//! The bounds: a node has so many questions in flight, for one hook and in all, and the others are
//! answered at once; a question is no work of the shard, so another group of the same shard is
//! answered promptly; and no message of these groups has a place, since their hooks are closed.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use tokio::net::TcpListener;
use tokio::time::Instant;
use troupe_client::connection::{Connection, Message, Request};
use troupe_core::id::ShardMap;
use troupe_core::{Body, ConversationId, ShardId, limits};
use troupe_proto::wire::client as wire;

use super::forwards::Seen;
use super::site::{Site, address, attacker, random_id, user};
use super::votes::{group, reading, talk};

/// Groups with a hook, all in the shard of the honest group.
const HOOKED: usize = 6;
/// Groups that are made to find these.
const MADE: usize = 400;
/// Of a newborn cluster.
const SHARDS: ShardMap = ShardMap { count: 12 };
/// Below the send window of a connection.
const AT_ONCE: usize = 200;
/// Limit for the acknowledgement of an honest message in the shard.
const PROMPT: Duration = Duration::from_secs(2);

pub async fn run(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let host = reading(user(address(1, 2), site.node(0), "carol").await?);
    let attacker = reading(user(attacker(), site.node(1), "asker").await?);
    let honest = group(&host, false, Vec::new()).await?;
    #[allow(clippy::disallowed_methods, reason = "the receiver stands outside of every node")]
    let receiver = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/ask", receiver.local_addr()?);
    let silent = tokio::spawn(hold(receiver));
    let hooked = hooked(&attacker, shard(&honest)?, &url).await?;
    let begun = Instant::now();
    let until = begun + time;
    let flood = async {
        let sends = futures::stream::iter(0..).map(|n: usize| attacker.request(message(&hooked[n % hooked.len()])));
        let sending = sends.buffer_unordered(AT_ONCE);
        tokio::pin!(sending);
        let mut seen = Seen::default();
        while Instant::now() < until && !attacker.is_closed() {
            match sending.next().await {
                Some(Ok(_)) => seen.placed += 1,
                Some(Err(error)) => seen.refuse(&error),
                None => break,
            }
        }
        seen
    };
    let (seen, slowest) = tokio::join!(flood, talk(&host, &honest, until));
    silent.abort();
    let Seen { placed, refused, vague } = seen;
    let slowest = slowest.with_context(|| format!("beside refusals {refused:?}"))?;
    site.notes.push(format!(
        "{} groups with a silent hook, refusals {refused:?}; the slowest message of another group took {slowest:?}",
        hooked.len()
    ));
    let mut findings = Vec::new();
    if slowest > PROMPT {
        findings.push(format!("a message of another group of the shard took {slowest:?}"));
    }
    if placed > 0 {
        findings.push(format!("{placed} messages had a place without an answer of their hook"));
    }
    if !refused.contains_key("hook_unavailable") || vague > 0 {
        findings.push(format!("refusals {refused:?}, and {vague} messages without a definite answer"));
    }
    Ok(findings)
}

/// Takes connections and answers none, for as long as a question may last.
async fn hold(receiver: TcpListener) {
    let mut held = VecDeque::new();
    while let Ok((socket, _)) = receiver.accept().await {
        held.push_back(socket);
        if held.len() > 2 * limits::HOOK_ASKS {
            held.pop_front();
        }
    }
}

/// Groups of that shard, each with a hook.
async fn hooked(attacker: &Connection, wanted: ShardId, url: &str) -> Result<Vec<String>> {
    let mut hooked = Vec::new();
    for _ in 0..MADE {
        let group = group(attacker, false, Vec::new()).await?;
        if shard(&group)? == wanted {
            make_hook(attacker, &group, url).await?;
            hooked.push(group);
        }
        if hooked.len() == HOOKED {
            return Ok(hooked);
        }
    }
    bail!("of {MADE} groups {} are in the shard of the honest one", hooked.len())
}

fn shard(group: &str) -> Result<ShardId> {
    let group: ConversationId = group.parse().ok().context("the id of a group")?;
    Ok(SHARDS.shard(group.slot()))
}

async fn make_hook(attacker: &Connection, group: &str, url: &str) -> Result<()> {
    let new = wire::NewHook {
        kind: wire::HookKind::Before.into(),
        name: "silent".to_owned(),
        secret: "the-secret-of-a-silent-hook".to_owned(),
        url: url.to_owned(),
        closed: true,
    };
    let (request, conversation) = (random_id(), group.to_owned());
    let change = Some(wire::change_hook::Change::Make(new));
    match attacker.request(Request::ChangeHook(wire::ChangeHook { request, conversation, change })).await? {
        Message::Hook(_) => Ok(()),
        other => bail!("a hook was not made: {other:?}"),
    }
}

fn message(group: &str) -> Request {
    Request::Send(wire::Send {
        conversation: group.to_owned(),
        client_message_id: random_id(),
        after: Default::default(),
        body: Some((&Body::text("is anybody answering?")).into()),
    })
}
