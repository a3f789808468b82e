//! Requests for contacts to many users, asked and withdrawn without pause, while two honest users
//! become contacts again and again.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt};
use tokio::time::{Instant, timeout_at};
use troupe_client::connection::{Push, Request};
use troupe_proto::wire::client as wire;
use wire::change_contact::Change;

use super::site::{Site, User, address, attacker, random_id, user};

/// Users that are asked.
const ASKED: usize = 200;
const AT_ONCE: usize = 64;
/// Limit from an honest request to the push at the other user's device.
const PROMPT: Duration = Duration::from_secs(2);

pub async fn run(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let nodes = site.cluster.client_addresses();
    let asked: Vec<u64> = futures::stream::iter(0..ASKED)
        .map(|n| {
            let node = nodes[n % nodes.len()].clone();
            async move { anyhow::Ok(user(address(68, n as u16), &node, &format!("asked{n}")).await?.id) }
        })
        .buffer_unordered(8)
        .try_collect()
        .await?;
    let host = user(address(1, 2), &nodes[0], "carol").await?;
    let mut friend = user(address(1, 3), &nodes[2], "friend").await?;
    let attacker = user(attacker(), &nodes[1], "asker").await?;
    let until = Instant::now() + time;
    let flood = async {
        let acts = futures::stream::iter(0..).map(|n: usize| {
            let change = if n.is_multiple_of(2) { Change::Ask("hello".into()) } else { Change::End(wire::Done {}) };
            attacker.connection.request(changed(asked[n / 2 % ASKED], change))
        });
        let acting = acts.buffer_unordered(AT_ONCE);
        tokio::pin!(acting);
        let mut done = 0u64;
        while Instant::now() < until && !attacker.connection.is_closed() {
            done += u64::from(acting.next().await.is_some_and(|answer| answer.is_ok()));
        }
        done
    };
    let (done, slowest) = tokio::join!(flood, requests(&host, &mut friend, until));
    let slowest = slowest.with_context(|| format!("after {done} acts of the attacker"))?;
    Ok(match slowest > PROMPT {
        true => vec![format!("an honest request took {slowest:?} beside {done} acts on the contacts of strangers")],
        false => vec![],
    })
}

fn changed(user_id: u64, change: Change) -> Request {
    Request::ChangeContact(wire::ChangeContact { request: random_id(), user_id, change: Some(change) })
}

/// The slowest honest request until `until`.
async fn requests(host: &User, friend: &mut User, until: Instant) -> Result<Duration> {
    let mut slowest = Duration::ZERO;
    while Instant::now() < until {
        let begun = Instant::now();
        host.connection.request(changed(friend.id, Change::Ask("it is me".into()))).await?;
        let give_up = begun + Duration::from_secs(60);
        loop {
            match timeout_at(give_up, friend.pushes.next()).await {
                Ok(Some(Push::Contact(push))) => {
                    let contact = push.contact.unwrap_or_default();
                    if contact.user_id == host.id && contact.state() == wire::ContactState::Received {
                        break;
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => bail!("the connection of the asked user has ended"),
                Err(_) => bail!("an honest request did not arrive within a minute"),
            }
        }
        slowest = slowest.max(begun.elapsed());
        host.connection.request(changed(friend.id, Change::End(wire::Done {}))).await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(slowest)
}
