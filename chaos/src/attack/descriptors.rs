//! Idle connections beyond the open-file limit of the nodes, and writes that make the storage
//! engine open its next log file.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep, timeout};
use troupe_client::connection::Request;
use troupe_proto::wire::client as wire;

use super::site::{Site, attacker, random_id, socket, user};

/// More than the nodes may open.
const CONNECTIONS: usize = 1_100;
/// Enough of these roll RocksDB's write-ahead log.
const BODY: usize = 60 * 1024;

pub async fn run(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let until = Instant::now() + time;
    let writer = user(super::site::address(66, 1), site.node(0), "writer").await?;
    let mut held = Vec::new();
    for index in 0..site.cluster.len() {
        let addresses = site.cluster.addresses(index);
        for (address, count) in [(&addresses.client, CONNECTIONS), (&addresses.http, 100), (&addresses.cluster, 100)] {
            for _ in 0..count {
                // A refused connection is the expected outcome.
                if let Ok(Ok(stream)) = timeout(Duration::from_millis(200), socket(attacker(), address)).await {
                    held.push(stream);
                }
            }
        }
    }
    while Instant::now() < until {
        let send = Request::Send(wire::Send {
            conversation: "everyone".into(),
            client_message_id: random_id(),
            after: Default::default(),
            body: Some(wire::Body { kind: 1_000, content: vec![b'x'; BODY].into(), context: None }),
        });
        if writer.connection.request(send).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
    }
    let mut findings = Vec::new();
    for index in 0..site.cluster.len() {
        let log = std::fs::read_to_string(site.cluster.log_path(index)).unwrap_or_default();
        if log.contains("damaged") {
            findings.push(format!("node {} took a lack of descriptors for damage", index + 1));
        }
    }
    Ok(findings)
}
