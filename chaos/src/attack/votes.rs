//! A vote that is changed without pause: each change is an event for every member of the group.
//!
//! The bounds: a user has its budget of changes, however many it asks for; the poll counts one vote
//! of each user; and a member that talks in the same group is answered promptly.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use tokio::time::Instant;
use troupe_client::connection::{Connection, Message, Request};
use troupe_core::Body;
use troupe_core::content::Poll;
use troupe_proto::wire::client as wire;

use super::site::{Site, User, address, attacker, random_id, user};

const AT_ONCE: usize = 64;
/// Units of a user at once, and in a second: the defaults of a node.
const BURST: u64 = 5_000;
const RATE: u64 = 1_000;
/// Limit for the acknowledgement of an honest message in the group.
const PROMPT: Duration = Duration::from_secs(2);

pub async fn run(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let host = reading(user(address(1, 2), site.node(0), "carol").await?);
    let attacker = user(attacker(), site.node(1), "voter").await?;
    let group = group(&host, false, vec![attacker.id]).await?;
    let attacker = reading(attacker);
    let options = ["yes", "no"].map(str::to_owned).to_vec();
    let poll = Poll { question: "Shall we?".to_owned(), options, multiple: false, anonymous: false, ends_ms: 0 };
    let seq = say(&host, &group, Body::from(poll)).await?;
    let begun = Instant::now();
    let until = begun + time;
    let flood = async {
        let votes = futures::stream::iter(0..).map(|n: u32| {
            let (request, conversation, options) = (random_id(), group.clone(), vec![n % 2]);
            attacker.request(Request::Vote(wire::Vote { request, conversation, seq, options, remove: false }))
        });
        let voting = votes.buffer_unordered(AT_ONCE);
        tokio::pin!(voting);
        let mut placed = 0u64;
        while Instant::now() < until && !attacker.is_closed() {
            placed += u64::from(matches!(voting.next().await, Some(Ok(Message::SendAck(_)))));
        }
        placed
    };
    let (placed, slowest) = tokio::join!(flood, talk(&host, &group, until));
    let slowest = slowest.with_context(|| format!("after {placed} votes of the attacker"))?;
    site.notes.push(format!("{placed} votes had a place; the slowest message of a member took {slowest:?}"));
    let mut findings = Vec::new();
    if slowest > PROMPT {
        findings.push(format!("a message took {slowest:?} beside {placed} votes"));
    }
    let allowed = budget(begun.elapsed(), 1);
    if placed > allowed {
        findings.push(format!("{placed} votes had a place, and a user's budget is {allowed} in this time"));
    }
    let voters = voters(&host, &group, seq).await?;
    if voters != 1 {
        findings.push(format!("the poll counts {voters} voters, and one user has voted"));
    }
    Ok(findings)
}

/// A device that reads its pushes. One that does not is not answered either, since its queue is
/// full.
pub fn reading(user: User) -> Connection {
    let User { connection, mut pushes, .. } = user;
    tokio::spawn(async move { while pushes.next().await.is_some() {} });
    connection
}

/// Changes of one user in this time, each of so many units.
pub fn budget(time: Duration, units: u64) -> u64 {
    (BURST + RATE * (time.as_secs() + 3)) / units
}

/// Makes a group with an honest owner.
pub async fn group(owner: &Connection, open: bool, members: Vec<u64>) -> Result<String> {
    let create = wire::CreateGroup { request: random_id(), name: "The team".into(), open, members };
    match owner.request(Request::CreateGroup(create)).await? {
        Message::GroupCreated(created) => Ok(created.conversation),
        other => bail!("a group was not created: {other:?}"),
    }
}

/// The slowest acknowledgement of a member that talks until then.
pub async fn talk(member: &Connection, group: &str, until: Instant) -> Result<Duration> {
    let mut slowest = Duration::ZERO;
    while Instant::now() < until {
        let begun = Instant::now();
        say(member, group, Body::text("is anybody listening?")).await?;
        slowest = slowest.max(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(slowest)
}

/// Returns the seq.
pub async fn say(member: &Connection, group: &str, body: Body) -> Result<u64> {
    let send = wire::Send {
        conversation: group.to_owned(),
        client_message_id: random_id(),
        after: Default::default(),
        body: Some((&body).into()),
    };
    match member.request(Request::Send(send)).await? {
        Message::SendAck(ack) => Ok(ack.seq),
        other => bail!("a message was not acknowledged: {other:?}"),
    }
}

async fn voters(member: &Connection, group: &str, poll: u64) -> Result<u32> {
    let fetch = wire::Fetch { conversation: group.to_owned(), seq: poll.saturating_sub(1), backward: false, limit: 1 };
    match member.request(Request::Fetch(fetch)).await? {
        Message::Page(page) => Ok(page.polls.first().map_or(0, |poll| poll.voters)),
        other => bail!("a page was not read: {other:?}"),
    }
}
