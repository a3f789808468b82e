//! A member that forwards a hundred messages to a hundred conversations as fast as it may. One
//! request places up to a hundred messages.
//!
//! The bounds: a user has its budget of messages, however few requests bring them; above it a
//! request has a definite refusal; and a member that talks in one of the conversations is answered
//! promptly.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt};
use tokio::time::Instant;
use troupe_client::connection::{Connection, Message, Request};
use troupe_client::error::Error;
use troupe_core::Body;
use troupe_proto::wire::client as wire;

use super::site::{Site, address, attacker, random_id, user};
use super::votes::{budget, group, reading, say, talk};

/// Messages that are forwarded, and conversations that get each of them.
const MESSAGES: usize = 100;
const CONVERSATIONS: usize = 100;
/// Of one request: together the largest number of messages that it may place.
const FROM_ONE: usize = 5;
const TO_ONE: usize = 20;
/// Units of one forwarded message in such a request.
const UNITS: u64 = 2;
const AT_ONCE: usize = 16;
/// Limit for the acknowledgement of an honest message in one of the conversations.
const PROMPT: Duration = Duration::from_secs(2);

pub async fn run(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let host = user(address(1, 2), site.node(0), "carol").await?;
    let attacker = reading(user(attacker(), site.node(1), "forwarder").await?);
    let (groups, seqs) = prepared(&attacker, host.id).await?;
    let host = reading(host);
    let begun = Instant::now();
    let until = begun + time;
    let flood = async {
        let forwards = futures::stream::iter(0..).map(|n: usize| attacker.request(forward(&groups, &seqs, n)));
        let forwarding = forwards.buffer_unordered(AT_ONCE);
        tokio::pin!(forwarding);
        let mut seen = Seen::default();
        while Instant::now() < until && !attacker.is_closed() {
            seen.take(forwarding.next().await);
        }
        seen
    };
    let (seen, slowest) = tokio::join!(flood, talk(&host, &groups[0], until));
    let Seen { placed, refused, vague } = seen;
    let slowest = slowest.with_context(|| format!("after {placed} messages of the attacker"))?;
    site.notes.push(format!(
        "{placed} forwarded messages had a place, refusals {refused:?}; the slowest message of a member took {slowest:?}"
    ));
    let mut findings = Vec::new();
    if slowest > PROMPT {
        findings.push(format!("a message took {slowest:?} beside {placed} forwarded ones"));
    }
    let allowed = budget(begun.elapsed(), UNITS);
    if placed > allowed {
        findings
            .push(format!("{placed} forwarded messages had a place, and a user's budget is {allowed} in this time"));
    }
    if placed == 0 {
        findings.push("no forwarded message had a place within the budget".to_owned());
    }
    if vague > 0 {
        findings.push(format!("{vague} forwards had no definite answer on an open connection"));
    }
    Ok(findings)
}

/// The conversations, the first of them with the honest member, and the messages in it.
async fn prepared(attacker: &Connection, host: u64) -> Result<(Vec<String>, Vec<u64>)> {
    let first = group(attacker, false, vec![host]).await?;
    let others = futures::stream::iter(1..CONVERSATIONS).map(|_| group(attacker, false, Vec::new())).buffered(8);
    let mut groups = vec![first];
    groups.extend(others.try_collect::<Vec<String>>().await?);
    let mut seqs = Vec::new();
    for n in 0..MESSAGES {
        seqs.push(say(attacker, &groups[0], Body::text(&format!("message {n}"))).await?);
    }
    Ok((groups, seqs))
}

/// Each of the hundred times hundred pairs is in one of four hundred requests.
fn forward(groups: &[String], seqs: &[u64], n: usize) -> Request {
    let (messages, conversations) = (MESSAGES / FROM_ONE, CONVERSATIONS / TO_ONE);
    let (from, to) = (n % messages * FROM_ONE, n / messages % conversations * TO_ONE);
    Request::Forward(wire::Forward {
        request: random_id(),
        from: groups[0].clone(),
        seqs: seqs[from..from + FROM_ONE].to_vec(),
        to: groups[to..to + TO_ONE].to_vec(),
        bundle: false,
        text: String::new(),
    })
}

/// The answers to a flood.
#[derive(Default)]
pub struct Seen {
    pub placed: u64,
    /// By code.
    pub refused: BTreeMap<String, u64>,
    /// Without a code: the outcome is unknown.
    pub vague: u64,
}

impl Seen {
    fn take(&mut self, answer: Option<troupe_client::error::Result<Message>>) {
        match answer {
            Some(Ok(Message::Forwarded(forwarded))) => {
                for outcome in forwarded.outcomes {
                    self.placed += outcome.acks.len() as u64;
                    if let Some(failure) = outcome.failure {
                        self.refuse(&Error::from(failure));
                    }
                }
            }
            Some(Err(error)) => self.refuse(&error),
            Some(Ok(_)) | None => {}
        }
    }

    pub fn refuse(&mut self, error: &Error) {
        match error.code() {
            Some(code) => *self.refused.entry(code.to_owned()).or_default() += 1,
            None => self.vague += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_goes_to_each_conversation_once() {
        let groups: Vec<String> = (0..CONVERSATIONS).map(|n| format!("g{n}")).collect();
        let seqs: Vec<u64> = (1..=MESSAGES as u64).collect();
        let mut pairs = std::collections::BTreeSet::new();
        for n in 0..MESSAGES * CONVERSATIONS / FROM_ONE / TO_ONE {
            let Request::Forward(forward) = forward(&groups, &seqs, n) else { panic!("a forward") };
            pairs.extend(forward.seqs.iter().flat_map(|seq| forward.to.iter().map(move |to| (*seq, to.clone()))));
        }
        assert_eq!(pairs.len(), MESSAGES * CONVERSATIONS);
    }
}
