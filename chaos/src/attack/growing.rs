//! Messages that grow: an account opens as many in five groups as it may, and floods them with
//! pieces, each of which is a commit and goes to all members at once.
//!
//! The bounds: a user has so many open messages in one conversation, and its rate of pieces,
//! however many it asks for; above either there is a definite refusal; and a member that talks in
//! one of the groups is answered promptly.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::future::join_all;
use tokio::time::Instant;
use troupe_client::connection::{Connection, Message, Request};
use troupe_client::error::Error;
use troupe_core::{Body, limits};
use troupe_proto::wire::client as wire;

use super::forwards::Seen;
use super::site::{Site, address, attacker, random_id, user};
use super::votes::{group, reading, talk};

const GROUPS: usize = 5;
/// Requests for an open message in one group: more than it may have.
const ASKED: usize = limits::STREAMS_OPEN as usize + 3;
const TOO_MANY: &str = "too_many_streams";
/// Limit for the acknowledgement of an honest message in one of the groups.
const PROMPT: Duration = Duration::from_secs(2);

pub async fn run(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let host = user(address(1, 2), site.node(0), "carol").await?;
    let attacker = reading(user(attacker(), site.node(1), "grower").await?);
    let mut findings = Vec::new();
    let mut open = Vec::new();
    let mut first = None;
    for _ in 0..GROUPS {
        let group = group(&attacker, false, vec![host.id]).await?;
        let (streams, refused) = streams(&attacker, &group).await?;
        if streams.len() > limits::STREAMS_OPEN as usize || refused.iter().any(|code| code != TOO_MANY) {
            findings.push(format!("{} messages grow in one group, and the refusals are {refused:?}", streams.len()));
        }
        open.extend(streams.into_iter().map(|seq| (group.clone(), seq)));
        first.get_or_insert(group);
    }
    let first = first.context("a group")?;
    let host = reading(host);
    let begun = Instant::now();
    let until = begun + time;
    let floods = join_all(open.iter().map(|(group, seq)| flood(&attacker, group, *seq, until)));
    let (floods, slowest) = tokio::join!(floods, talk(&host, &first, until));
    let mut seen = Seen::default();
    for flood in floods {
        seen.placed += flood.placed;
        seen.vague += flood.vague;
        flood.refused.into_iter().for_each(|(code, times)| *seen.refused.entry(code).or_default() += times);
    }
    let Seen { placed, refused, vague } = seen;
    let slowest = slowest.with_context(|| format!("after {placed} pieces of the attacker"))?;
    site.notes.push(format!(
        "{placed} pieces of {} messages, refusals {refused:?}; the slowest message of a member took {slowest:?}",
        open.len()
    ));
    if slowest > PROMPT {
        findings.push(format!("a message took {slowest:?} beside {placed} pieces"));
    }
    let (rate, burst) = limits::SIGNALS;
    let allowed = burst + rate * (begun.elapsed().as_secs() + 1);
    if placed > allowed {
        findings.push(format!("{placed} pieces had a place, and a user's rate is {allowed} in this time"));
    }
    if placed == 0 || refused.is_empty() {
        findings.push(format!("{placed} pieces had a place, and the flood was never refused"));
    }
    if vague > 0 {
        findings.push(format!("{vague} pieces had no definite answer on an open connection"));
    }
    Ok(findings)
}

/// The seqs of the open messages, and the codes of the refusals.
async fn streams(attacker: &Connection, group: &str) -> Result<(Vec<u64>, Vec<String>)> {
    let (mut open, mut refused) = (Vec::new(), Vec::new());
    for _ in 0..ASKED {
        let send = wire::Send {
            conversation: group.to_owned(),
            client_message_id: random_id(),
            after: Default::default(),
            body: Some((&Body::text("").streaming()).into()),
        };
        match attacker.request(Request::Send(send)).await {
            Ok(Message::SendAck(ack)) => open.push(ack.seq),
            Err(error @ Error::Rejected { .. }) => refused.extend(error.code().map(str::to_owned)),
            other => bail!("a growing message was neither begun nor refused: {other:?}"),
        }
    }
    Ok((open, refused))
}

/// Appends pieces to one message, without a pause.
async fn flood(attacker: &Connection, group: &str, seq: u64, until: Instant) -> Seen {
    let (mut seen, mut index) = (Seen::default(), 0);
    while Instant::now() < until && !attacker.is_closed() {
        let (conversation, text) = (group.to_owned(), "x".repeat(limits::PIECE_BYTES / 64));
        match attacker.request(Request::WritePiece(wire::WritePiece { conversation, seq, index, text })).await {
            Ok(_) => {
                seen.placed += 1;
                index += 1;
            }
            Err(error) => {
                seen.refuse(&error);
                // The message is full, or was ended.
                if matches!(error, Error::Rejected { .. }) {
                    break;
                }
            }
        }
    }
    seen
}
