//! Groups of 200 strangers, created without pause, while an honest user adds a friend to a group.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt};
use tokio::time::{Instant, timeout_at};
use troupe_client::connection::{Message, Push, Request};
use troupe_proto::wire::client as wire;

use super::site::{Site, User, address, attacker, random_id, user};

/// Members of each group, the maximum of one request.
const STRANGERS: usize = 200;
const AT_ONCE: usize = 64;
/// Limit for an honest invitation.
const PROMPT: Duration = Duration::from_secs(2);

pub async fn run(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let nodes = site.cluster.client_addresses();
    let strangers: Vec<u64> = futures::stream::iter(0..STRANGERS)
        .map(|n| {
            let node = nodes[n % nodes.len()].clone();
            async move { anyhow::Ok(user(address(67, n as u16), &node, &format!("stranger{n}")).await?.id) }
        })
        .buffer_unordered(8)
        .try_collect()
        .await?;
    let host = user(address(1, 2), &nodes[0], "carol").await?;
    let mut friend = user(address(1, 3), &nodes[2], "friend").await?;
    let attacker = user(attacker(), &nodes[1], "inviter").await?;
    // Friends have exchanged messages before.
    let hello = wire::Send {
        conversation: host.direct(friend.id),
        client_message_id: random_id(),
        after: Default::default(),
        body: Some(wire::Body { kind: 1, content: "hello".into(), context: None }),
    };
    host.connection.request(Request::Send(hello.clone())).await?;
    let reply = wire::Send { client_message_id: random_id(), ..hello };
    friend.connection.request(Request::Send(reply)).await?;

    let until = Instant::now() + time;
    let flood = async {
        let creates = futures::stream::repeat(()).map(|()| {
            attacker.connection.request(Request::CreateGroup(wire::CreateGroup {
                request: random_id(),
                name: "come all".into(),
                open: false,
                members: strangers.clone(),
            }))
        });
        let creating = creates.buffer_unordered(AT_ONCE);
        tokio::pin!(creating);
        let mut created = 0u64;
        while Instant::now() < until && !attacker.connection.is_closed() {
            created += u64::from(creating.next().await.is_some_and(|answer| answer.is_ok()));
        }
        created
    };
    let (created, slowest) = tokio::join!(flood, invitations(&host, &mut friend, until));
    let slowest = slowest.with_context(|| format!("after {created} groups of the attacker"))?;
    Ok(match slowest > PROMPT {
        true => vec![format!("an honest invitation took {slowest:?} beside {created} groups of strangers")],
        false => vec![],
    })
}

/// The slowest honest invitation until `until`.
async fn invitations(host: &User, friend: &mut User, until: Instant) -> Result<Duration> {
    let mut slowest = Duration::ZERO;
    while Instant::now() < until {
        let begun = Instant::now();
        let create =
            wire::CreateGroup { request: random_id(), name: "friends".into(), open: false, members: vec![friend.id] };
        let Message::GroupCreated(created) = host.connection.request(Request::CreateGroup(create)).await? else {
            bail!("a group was not created")
        };
        let give_up = begun + Duration::from_secs(60);
        loop {
            match timeout_at(give_up, friend.pushes.next()).await {
                Ok(Some(Push::Conversation(push))) if push.conversation == created.conversation => break,
                // The friend's shard may not know yet that the two have exchanged messages.
                Ok(Some(Push::Invitation(push))) if push.conversation == created.conversation => break,
                Ok(Some(_)) => {}
                Ok(None) => bail!("the invited friend's connection has ended"),
                Err(_) => bail!("an honest invitation did not arrive within a minute"),
            }
        }
        slowest = slowest.max(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok(slowest)
}
