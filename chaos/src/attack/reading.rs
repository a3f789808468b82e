//! Searches without pause, long and empty prefixes, and sends to groups that do not exist.

use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use futures::StreamExt;
use tokio::time::{Instant, sleep};
use troupe_client::connection::Request;
use troupe_client::error::Error;
use troupe_proto::wire::client as wire;

use super::site::{Site, User, attacker, random_id, user};

const AT_ONCE: usize = 64;
const PREFIX_BYTES: usize = 75 * 1024;
const BODY_BYTES: usize = 60 * 1024;

pub async fn run(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let attacker = user(attacker(), site.node(0), "reader").await?;
    let until = Instant::now() + time;
    let body = Bytes::from(vec![b'x'; BODY_BYTES]);
    let mut before = super::Load::default();
    before.take(&site.watcher());
    let requests = (0u64..).map(|number| match number % 4 {
        0 => Request::FindUsers(find("x".repeat(PREFIX_BYTES))),
        1 | 2 => Request::FindUsers(find(String::new())),
        _ => Request::Send(wire::Send {
            conversation: format!("g{}", 1_024 + number % 50_000),
            client_message_id: random_id(),
            after: Default::default(),
            body: Some(wire::Body { kind: 1_000, content: body.clone(), context: None }),
        }),
    });
    let asking = futures::stream::iter(requests).map(|request| ask(&attacker, request)).buffer_unordered(AT_ONCE);
    tokio::pin!(asking);
    while Instant::now() < until && !attacker.connection.is_closed() {
        asking.next().await;
    }
    let mut after = super::Load::default();
    after.take(&site.watcher());
    let grown = after.disk_mib.saturating_sub(before.disk_mib);
    // Honest users write some data. Requests that known state refuses must write none.
    Ok(if grown > 100 { vec![format!("refused sends and searches wrote {grown} MiB on one disk")] } else { vec![] })
}

fn find(prefix: String) -> wire::FindUsers {
    wire::FindUsers { prefix, ..Default::default() }
}

/// An attacker ignores retry delays, but its own queue is finite.
async fn ask(attacker: &User, request: Request) {
    if let Err(Error::Overloaded { code, .. }) = attacker.connection.request(request).await
        && code == "connection_queue"
    {
        sleep(Duration::from_millis(1)).await;
    }
}
