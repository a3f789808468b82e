//! NATS JetStream: three servers, and streams in files with three replicas each.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use async_nats::ConnectOptions;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::stream::{Config, Info, StorageType};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::load::{Link, Peer, Shape};
use crate::servers::{NODES, Servers, bound_to_us, ports, within};

/// Limit for one connection.
const REQUEST: Duration = Duration::from_secs(10);
/// A cluster without a leader does not answer.
const ANSWER: Duration = Duration::from_secs(3);
/// The load has a limit of its own for acknowledgements.
const ACK: Duration = Duration::from_secs(120);
/// The first version that has `sync_interval: always`, which syncs before each ack.
const SYNCS_SINCE: (u64, u64) = (2, 10);

pub struct Nats {
    clients: Vec<u16>,
    pids: Vec<u32>,
    version: String,
    /// Index of the server that leads each stream.
    leaders: Vec<usize>,
}

fn name(node: usize) -> String {
    format!("n{node}")
}

fn stream(index: usize) -> String {
    format!("S{index}")
}

fn subject(index: usize) -> String {
    format!("s.{index}")
}

impl Nats {
    /// Starts the servers, creates the streams, and spreads their leaders evenly.
    pub async fn start(servers: &mut Servers, program: &Path, home: &Path, shape: &Shape) -> Result<Nats> {
        let version = version(program).await?;
        let ports = ports(2 * NODES)?;
        let (clients, routes) = ports.split_at(NODES);
        for (node, port) in clients.iter().enumerate() {
            let config = home.join(format!("node-{node}.conf"));
            let data = home.join(format!("data-{node}"));
            std::fs::write(&config, configuration(node, *port, routes, &data, syncs(&version)))?;
            let mut command = bound_to_us(program);
            command.arg("--config").arg(config);
            servers.start(command, &home.join(format!("node-{node}.log")))?;
        }
        let context = within(servers, async || connect(clients[0]).await).await.context("NATS does not start")?;
        let most = shape.shards.div_ceil(NODES);
        let mut leaders: Vec<usize> = Vec::new();
        for index in 0..shape.shards {
            within(servers, async || create(&context, index).await).await.with_context(|| stream(index))?;
            let has_room = |node: usize| leaders.iter().filter(|leader| **leader == node).count() < most;
            let leader = within(servers, async || lead(&context, index, has_room).await).await;
            leaders.push(leader.with_context(|| stream(index))?);
        }
        Ok(Nats { clients: clients.to_vec(), pids: servers.pids()?, version, leaders })
    }

    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether a message is synced before its acknowledgement.
    pub fn syncs(&self) -> bool {
        syncs(&self.version)
    }

    /// The settings that differ from those of the package, with the reasons.
    pub fn settings(&self) -> Vec<&'static str> {
        let sync = match self.syncs() {
            true => "sync_interval: always, so that acknowledged messages are on the disks",
            false => "acknowledges BEFORE it syncs (every 2 minutes): this version has no sync_interval",
        };
        vec![
            "streams in files with three replicas, without duplicate ids",
            "the leaders of the streams are spread evenly, and each publisher is connected to its leader: no hop",
            sync,
        ]
    }
}

fn configuration(node: usize, client: u16, routes: &[u16], data: &Path, syncs: bool) -> String {
    let sync = if syncs { ", sync_interval: always" } else { "" };
    let peers: Vec<String> = routes.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
    format!(
        "server_name: {name}\nlisten: \"127.0.0.1:{client}\"\n\
         jetstream {{ store_dir: {data}{sync} }}\n\
         cluster {{ name: peers, listen: \"127.0.0.1:{route}\", routes: {peers} }}\n",
        name = name(node),
        data = json!(data.display().to_string()),
        route = routes[node],
        peers = json!(peers),
    )
}

async fn version(program: &Path) -> Result<String> {
    let asked = Command::new(program).arg("--version").kill_on_drop(true).output();
    let output = timeout(REQUEST, asked).await.context("nats-server --version does not end")?;
    let output = output.with_context(|| format!("cannot run {}: apt-get install nats-server", program.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let version = said.trim().rsplit(['v', ' ']).next().unwrap_or_default().to_owned();
    ensure!(numbers(&version).is_some(), "{} is not nats-server: it reports {said:?}", program.display());
    Ok(version)
}

fn numbers(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

fn syncs(version: &str) -> bool {
    numbers(version).is_some_and(|numbers| numbers >= SYNCS_SINCE)
}

async fn connect(port: u16) -> Result<Context> {
    let options = ConnectOptions::new().connection_timeout(REQUEST).ignore_discovered_servers();
    let client = options.connect(format!("nats://127.0.0.1:{port}")).await?;
    Ok(ContextBuilder::new().timeout(ACK).build(client))
}

async fn create(context: &Context, index: usize) -> Result<()> {
    let config = Config {
        name: stream(index),
        subjects: vec![subject(index)],
        storage: StorageType::File,
        num_replicas: NODES,
        ..Config::default()
    };
    timeout(ANSWER, context.create_stream(config)).await.context("no answer in time")??;
    Ok(())
}

async fn info(context: &Context, index: usize) -> Result<Info> {
    let nothing = json!({});
    let asked = context.request(format!("STREAM.INFO.{}", stream(index)), &nothing);
    let answer: Value = timeout(ANSWER, asked).await.context("no answer in time")??;
    ensure!(answer["error"].is_null(), "{}", answer["error"]);
    Ok(serde_json::from_value(answer)?)
}

/// The server that leads a stream, once it is one with room and all others follow. The servers
/// choose the next leader themselves, so several attempts may be necessary.
async fn lead(context: &Context, index: usize, has_room: impl Fn(usize) -> bool) -> Result<usize> {
    let cluster = info(context, index).await?.cluster.context("a stream without a cluster")?;
    let leader = cluster.leader.context("no leader")?;
    let current = cluster.replicas.iter().filter(|replica| replica.current).count();
    ensure!(current + 1 == NODES, "{current} followers are current");
    let node = (0..NODES).find(|node| name(*node) == leader).with_context(|| format!("{leader} leads"))?;
    if has_room(node) {
        return Ok(node);
    }
    let nothing = json!({});
    let asked = context.request(format!("STREAM.LEADER.STEPDOWN.{}", stream(index)), &nothing);
    let _: Value = timeout(ANSWER, asked).await.context("no answer in time")??;
    bail!("{leader} leads more streams than the others")
}

pub struct Publisher {
    context: Context,
    subject: String,
}

impl Peer for Nats {
    type Link = Publisher;

    async fn connect(&self, sender: usize) -> Result<Publisher> {
        let index = sender % self.leaders.len();
        let context = connect(self.clients[self.leaders[index]]).await?;
        Ok(Publisher { context, subject: subject(index) })
    }

    async fn held(&self) -> Result<u64> {
        let context = connect(self.clients[0]).await?;
        let mut held = 0;
        for index in 0..self.leaders.len() {
            held += info(&context, index).await?.state.messages;
        }
        Ok(held)
    }

    fn pids(&self) -> &[u32] {
        &self.pids
    }
}

impl Link for Publisher {
    async fn publish(&mut self, body: Bytes) -> Result<BoxFuture<'static, Result<()>>> {
        let ack = self.context.publish(self.subject.clone(), body).await?;
        Ok(async move { ack.await.map(drop).map_err(anyhow::Error::from) }.boxed())
    }
}

/// The program on the search path, or where Debian puts it.
pub fn default_program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("nats-server")).find(|it| it.exists());
    found.unwrap_or_else(|| PathBuf::from("/usr/sbin/nats-server"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_versions_that_can_are_told_to_sync() {
        assert!(!syncs("2.9.10") && syncs("2.10.0") && syncs("2.14.7") && syncs("3.0.1") && !syncs("x"));
        let ports = [1, 2, 3];
        let text = |syncs| configuration(1, 9, &ports, Path::new("/d"), syncs);
        assert!(text(true).contains("store_dir: \"/d\", sync_interval: always"));
        assert!(!text(false).contains("sync_interval"));
        assert!(text(false).contains("listen: \"127.0.0.1:2\", routes: [\"nats://127.0.0.1:1\","));
    }
}
