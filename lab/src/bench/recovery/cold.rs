//! All nodes end at once and are started again: until somebody gets an ack, and until every node
//! can serve.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::select_all;
use nix::sys::signal::Signal;
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout};
use troupe_chaos::disk::Disk;
use troupe_chaos::local::LocalCluster;
use troupe_client::Connection;
use troupe_client::connection::Request;
use troupe_core::{Body, ConversationId};
use troupe_proto::wire::client as wire;
use troupe_runtime::Platform;

use super::{PATIENCE, ms};
use crate::bench::whole;

const NAME: &str = "recovery-bench";
const PASSWORD: &str = "recovery bench password";
/// Between two tries at a node that is not there yet.
const AGAIN: Duration = Duration::from_millis(20);
const DROP_CACHES: &str = "/proc/sys/vm/drop_caches";

/// The end of the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Whatever was not synced is gone.
    PowerLoss,
    /// SIGKILL; what was written stays.
    Kill,
}

#[derive(Serialize)]
pub struct Cold {
    pub fault: Fault,
    /// Whether the nodes had to read from the disk what they had read before.
    pub page_cache_dropped: bool,
    /// From the start of the processes.
    pub cold_first_ack_ms: f64,
    pub cold_all_ready_ms: f64,
    /// The later of the two.
    pub cold_start_ms: f64,
}

pub async fn run(cluster: &mut LocalCluster, context: &Platform, fault: Fault) -> Result<Cold> {
    let servers = cluster.client_addresses();
    let (connection, _pushes) = Connection::open(&*context.net, &servers[0]).await?;
    connection.register(NAME, PASSWORD, context.rng.bytes()).await.context("register")?;
    connection.close().await;

    let all: Vec<usize> = (0..cluster.len()).collect();
    end_all(cluster, fault).await?;
    let page_cache_dropped = drop_page_cache()?;
    let begun = Instant::now();
    cluster.start_all()?;
    let acked = async {
        timeout(PATIENCE, first_ack(context, &servers)).await.context("no ack")?;
        Ok(begun.elapsed())
    };
    let ready = async {
        cluster.wait_ready(&all, PATIENCE).await?;
        anyhow::Ok(begun.elapsed())
    };
    let (acked, ready) = tokio::try_join!(acked, ready)?;
    let (first, all_ready) = (ms(acked), ms(ready));
    eprintln!("  cold start: first ack after {first:.0} ms, all nodes ready after {all_ready:.0} ms");
    whole::wait(cluster, PATIENCE).await?;
    Ok(Cold {
        fault,
        page_cache_dropped,
        cold_first_ack_ms: first,
        cold_all_ready_ms: all_ready,
        cold_start_ms: first.max(all_ready),
    })
}

/// Ends all before any can notice the others. Disks go dark first: a node must not be able to write
/// after it lost power.
async fn end_all(cluster: &mut LocalCluster, fault: Fault) -> Result<()> {
    if fault == Fault::PowerLoss {
        for index in 0..cluster.len() {
            disk(cluster, index)?.lose_power()?;
        }
    }
    for index in 0..cluster.len() {
        cluster.signal(index, Signal::SIGKILL)?;
    }
    for index in 0..cluster.len() {
        cluster.kill(index).await?;
    }
    if fault == Fault::PowerLoss {
        for index in 0..cluster.len() {
            disk(cluster, index)?.power_up()?;
        }
    }
    Ok(())
}

fn disk(cluster: &LocalCluster, index: usize) -> Result<&Disk> {
    cluster.disk(index).with_context(|| format!("node {} has no disk of its own", index + 1))
}

/// Whether nothing is in memory of what is on disk: only root can have that.
fn drop_page_cache() -> Result<bool> {
    // Unwritten pages stay in memory otherwise.
    Command::new("sync").status().context("cannot run sync")?;
    Ok(std::fs::write(DROP_CACHES, "3").is_ok())
}

/// Until one of the nodes, each asked again and again, acknowledges a send.
async fn first_ack(context: &Platform, servers: &[String]) {
    let tries = servers.iter().map(|server| {
        Box::pin(async move {
            while say_something(context, server).await.is_err() {
                sleep(AGAIN).await;
            }
        })
    });
    select_all(tries).await;
}

/// One try on a connection of its own: a client that was there before would wait longer and longer
/// between its tries.
async fn say_something(context: &Platform, server: &str) -> Result<()> {
    let (connection, _pushes) = Connection::open(&*context.net, server).await?;
    connection.login(NAME, PASSWORD, server).await?;
    let send = wire::Send {
        conversation: ConversationId::Everyone.to_string(),
        client_message_id: context.rng.bytes::<16>().to_vec().into(),
        after: Vec::new().into(),
        body: Some(wire::Body { kind: Body::TEXT, content: b"is anybody there?".to_vec().into(), context: None }),
    };
    connection.request(Request::Send(send)).await?;
    Ok(())
}
