//! Registrations and password guesses from one address, and one account that writes at its maximum
//! rate.

use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use futures::StreamExt;
use tokio::time::{Instant, sleep};
use troupe_client::connection::Request;
use troupe_client::error::Error;
use troupe_proto::wire::client as wire;
use troupe_runtime::Platform;

use super::site::{PASSWORD, Site, address, attacker, connect, random_id, user};

const GUESSES_AT_ONCE: usize = 30;
/// Accounts that one address may register during an attack, as many as a household or a school
/// class needs.
const ACCOUNTS: u64 = 100;
/// Limit for an honest login during the flood.
const PROMPT: Duration = Duration::from_secs(1);

pub async fn run(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let until = Instant::now() + time;
    let nodes = site.cluster.client_addresses();
    let filler = user(address(66, 1), &nodes[2], "filler").await?;
    let registering = async {
        let mut registered = 0u64;
        let mut flood = futures::stream::iter(0u64..)
            .map(|n| {
                let node = &nodes[n as usize % nodes.len()];
                async move {
                    let (connection, _pushes) = connect(attacker(), node).await?;
                    let request = Platform::production().rng.bytes::<16>();
                    connection.register(&format!("sybil{n}"), PASSWORD, request).await
                }
            })
            .buffer_unordered(4)
            .boxed();
        while Instant::now() < until {
            match flood.next().await {
                Some(Ok(_)) => registered += 1,
                _ => sleep(Duration::from_millis(10)).await,
            }
        }
        registered
    };
    let guessing = async {
        let mut flood = futures::stream::repeat(())
            .map(|()| async {
                let (connection, _pushes) = connect(attacker(), &nodes[0]).await?;
                connection.login("alice", "a wrong password", "guess").await
            })
            .buffer_unordered(GUESSES_AT_ONCE)
            .boxed();
        while Instant::now() < until {
            if !matches!(flood.next().await, Some(Err(Error::Rejected { .. }))) {
                sleep(Duration::from_millis(5)).await;
            }
        }
    };
    let filling = async {
        let body = Bytes::from(vec![b'x'; 60 * 1024]);
        let mut flood = futures::stream::repeat(())
            .map(|()| {
                filler.connection.request(Request::Send(wire::Send {
                    conversation: "everyone".into(),
                    client_message_id: random_id(),
                    after: Default::default(),
                    body: Some(wire::Body { kind: 1_000, content: body.clone(), context: None }),
                }))
            })
            .buffer_unordered(64)
            .boxed();
        while Instant::now() < until && !filler.connection.is_closed() {
            flood.next().await;
        }
    };
    let logging_in = async {
        let mut slowest = Duration::ZERO;
        while Instant::now() < until {
            let begun = Instant::now();
            loop {
                let Ok((connection, _pushes)) = connect(address(1, 1), &nodes[1]).await else { continue };
                match connection.login("bob", PASSWORD, "second").await {
                    Ok(_) => break,
                    Err(Error::Overloaded { retry_after, .. }) => sleep(retry_after).await,
                    Err(_) => sleep(Duration::from_millis(50)).await,
                }
                if begun.elapsed() > Duration::from_secs(10) {
                    break;
                }
            }
            slowest = slowest.max(begun.elapsed());
            sleep(Duration::from_secs(2)).await;
        }
        slowest
    };
    let (registered, (), (), slowest) = tokio::join!(registering, guessing, filling, logging_in);
    let mut findings = Vec::new();
    if registered > ACCOUNTS {
        findings.push(format!("one address registered {registered} accounts in {time:?}"));
    }
    if slowest > PROMPT {
        findings.push(format!("an honest login took {slowest:?}"));
    }
    Ok(findings)
}
