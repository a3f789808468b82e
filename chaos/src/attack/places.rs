//! Connections on every port: silent ones, half frames, connections that never read, and idle
//! sockets on the cluster port while a killed node returns.

use std::time::Duration;

use anyhow::Result;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep, timeout};
use troupe_client::connection::Request;
use troupe_proto::wire::client as wire;

use super::site::{Site, address, attacker, connect, random_id, socket, user};

const SILENT: usize = 5_000;
const HALF_FRAMES: usize = 2_000;
/// Bytes sent of each frame, most of the largest one.
const HALF_BYTES: usize = 75 * 1024;
const CLUSTER_SOCKETS: usize = 80;
const NON_READERS: u16 = 16;
const NEWCOMERS: u16 = 20;
/// A killed node returns within this time although its peers' ports are occupied.
const BACK: Duration = Duration::from_secs(6);

pub async fn run(site: &mut Site, time: Duration) -> Result<Vec<String>> {
    let until = Instant::now() + time;
    let mut findings = Vec::new();
    let mut held = Vec::new();
    for n in 0..SILENT {
        if let Ok(Ok(stream)) = timeout(Duration::from_millis(100), socket(attacker(), site.node(n))).await {
            held.push(stream);
        }
        if Instant::now() + time / 2 > until {
            break;
        }
    }
    let mut half = (HALF_BYTES as u32 + 1_024).to_be_bytes().to_vec();
    half.resize(HALF_BYTES, 0);
    for n in 0..HALF_FRAMES {
        if let Ok(Ok(mut stream)) = timeout(Duration::from_millis(100), socket(attacker(), site.node(n))).await {
            // A node that closes the connection instead of reading on behaves as required.
            if let Ok(Ok(())) = timeout(Duration::from_millis(20), stream.write_all(&half)).await {
                held.push(stream);
            }
        }
        if Instant::now() + time / 3 > until {
            break;
        }
    }
    let mut refused = 0;
    for n in 0..NEWCOMERS {
        let place = timeout(Duration::from_secs(2), connect(address(2, n), site.node(usize::from(n)))).await;
        refused += usize::from(!matches!(place, Ok(Ok(_))));
    }
    if refused > 0 {
        findings.push(format!("{refused} of {NEWCOMERS} new connections were refused"));
    }
    non_readers(site).await?;

    for index in 0..2 {
        for _ in 0..CLUSTER_SOCKETS {
            let address = site.cluster.addresses(index).cluster.clone();
            if let Ok(Ok(stream)) = timeout(Duration::from_millis(200), socket(attacker(), &address)).await {
                held.push(stream);
            }
        }
    }
    site.cluster.kill(2).await?;
    let begun = Instant::now();
    site.cluster.start(2)?;
    site.cluster.wait_ready(&[2], Duration::from_secs(60)).await?;
    let took = begun.elapsed();
    if took > BACK {
        findings.push(format!("a killed node returned after {took:?}"));
    }
    sleep(until.saturating_duration_since(Instant::now())).await;
    Ok(findings)
}

/// Connections that request large pages and never read.
async fn non_readers(site: &Site) -> Result<()> {
    let talker = user(attacker(), site.node(0), "talker").await?;
    for _ in 0..8 {
        let send = wire::Send {
            conversation: "everyone".into(),
            client_message_id: random_id(),
            after: Default::default(),
            body: Some(wire::Body { kind: 1_000, content: vec![b'x'; 60 * 1024].into(), context: None }),
        };
        // The pages below are large even if this is refused.
        drop(talker.connection.request(Request::Send(send)).await);
    }
    for n in 0..NON_READERS {
        let Ok((connection, _never_read)) = connect(attacker(), site.node(usize::from(n))).await else { continue };
        if connection.login("talker", super::site::PASSWORD, &format!("deaf{n}")).await.is_err() {
            continue;
        }
        for _ in 0..64 {
            let fetch = wire::Fetch { conversation: "everyone".into(), limit: 500, ..Default::default() };
            if connection.start(Request::Fetch(fetch)).is_err() {
                break;
            }
        }
    }
    Ok(())
}
