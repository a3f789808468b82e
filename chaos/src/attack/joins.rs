//! A user that comes and goes without pause, in an open group and by an invite link: each coming is
//! an event for every member, and a commit in the user's shard.
//!
//! The bounds: a user has its budget of changes, however many it asks for; a link lets in as many
//! as it may, and no more; and a member that talks in the same group is answered promptly.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use tokio::time::Instant;
use troupe_client::connection::{Connection, Message, Request};
use troupe_proto::wire::client as wire;
use wire::change_group::Change;

use super::site::{Site, address, attacker, random_id, user};
use super::votes::{budget, group, reading, talk};

const AT_ONCE: usize = 64;
/// Limit for the acknowledgement of an honest message in the group.
const PROMPT: Duration = Duration::from_secs(2);
const CODE: &str = "come-one-come-all";
/// Of the link.
const USES: u32 = 50;
/// Units of one change of a group.
const UNITS: u64 = 5;

pub async fn run(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let host = reading(user(address(1, 2), site.node(0), "carol").await?);
    let attacker = reading(user(attacker(), site.node(1), "comer").await?);
    let open = group(&host, true, Vec::new()).await?;
    let linked = group(&host, false, Vec::new()).await?;
    let link = wire::NewLink { code: CODE.to_owned(), uses: USES, expires_ms: 0 };
    host.request(changed(&linked, Change::MakeLink(link))).await?;
    let begun = Instant::now();
    let until = begun + time;
    let flood = async {
        let changes = futures::stream::iter(0..).map(|n: u32| {
            let (group, change) = match n % 4 {
                0 => (&open, Change::Join(wire::Done {})),
                1 => (&open, Change::Leave(wire::Done {})),
                2 => (&linked, Change::JoinLink(CODE.to_owned())),
                _ => (&linked, Change::Leave(wire::Done {})),
            };
            let asked = attacker.request(changed(group, change));
            async move { (n % 4, asked.await) }
        });
        let changing = changes.buffer_unordered(AT_ONCE);
        tokio::pin!(changing);
        let (mut placed, mut by_link) = (0u64, 0u32);
        while Instant::now() < until && !attacker.is_closed() {
            if let Some((what, Ok(Message::SendAck(_)))) = changing.next().await {
                placed += 1;
                by_link += u32::from(what == 2);
            }
        }
        (placed, by_link)
    };
    let ((placed, by_link), slowest) = tokio::join!(flood, talk(&host, &open, until));
    let slowest = slowest.with_context(|| format!("after {placed} changes of the attacker"))?;
    site.notes.push(format!(
        "{placed} comings and goings, {by_link} by the link; the slowest message of a member took {slowest:?}"
    ));
    let mut findings = Vec::new();
    if slowest > PROMPT {
        findings.push(format!("a message took {slowest:?} beside {placed} comings and goings"));
    }
    let allowed = budget(begun.elapsed(), UNITS);
    if placed > allowed {
        findings.push(format!("{placed} changes had a place, and a user's budget is {allowed} in this time"));
    }
    let used = used(&host, &linked).await?;
    if by_link > USES || used > USES {
        findings.push(format!("a link for {USES} let in {by_link}, and says {used}"));
    }
    Ok(findings)
}

fn changed(conversation: &str, change: Change) -> Request {
    let (request, conversation) = (random_id(), conversation.to_owned());
    Request::ChangeGroup(wire::ChangeGroup { request, conversation, change: Some(change) })
}

/// How many the link has let in. An exhausted one may be gone.
async fn used(owner: &Connection, group: &str) -> Result<u32> {
    let list = wire::ListLinks { conversation: group.to_owned() };
    match owner.request(Request::ListLinks(list)).await? {
        Message::Links(list) => Ok(list.links.first().map_or(0, |link| link.used)),
        other => bail!("links were not listed: {other:?}"),
    }
}
