//! RabbitMQ from Debian's packages, unpacked into a folder: three nodes with a static peer list,
//! and one quorum queue.
//!
//! Erlang nodes ask a daemon for each other's ports. Ours uses a separate port, so that it neither
//! uses nor disturbs an installed Erlang, and it ends with this process.

mod client;

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use troupe_runtime::Rng;

use self::client::Client;
use super::{NODES, PATIENCE, REQUEST, System, within};

const EPMD_PORT: u16 = 28_400;
const FIRST_PORT: u16 = 28_410;
const FIRST_DISTRIBUTION_PORT: u16 = 28_420;
/// Each command-line call is a node too, and takes one of these ports.
const COMMAND_PORTS: (u16, u16) = (28_430, 28_440);
const ERLANG_ON_LOOPBACK: &str = "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}";

pub struct RabbitMq {
    /// The folder that contains `usr/lib/rabbitmq` and `usr/lib/erlang`.
    at: PathBuf,
    /// Everything but the data: cookie, configuration and logs.
    home: PathBuf,
    /// Reading removes messages from the queue. They are collected here across attempts.
    drained: Mutex<BTreeSet<String>>,
    tries: AtomicUsize,
    /// Ends when this is dropped.
    _epmd: Child,
}

fn name(node: usize) -> String {
    format!("r{node}@localhost")
}

impl RabbitMq {
    pub fn new(at: &Path, home: &Path) -> Result<RabbitMq> {
        let at = at.canonicalize().with_context(|| format!("{}", at.display()))?;
        // The cookie grants full access to the nodes.
        let cookie = home.join(".erlang.cookie");
        let mut cookie = OpenOptions::new().write(true).create_new(true).mode(0o400).open(cookie)?;
        cookie.write_all(format!("{:016X}", Rng::from_os().u64()).as_bytes())?;
        let mut config = String::from("cluster_formation.peer_discovery_backend = classic_config\n");
        for node in 0..NODES {
            config += &format!("cluster_formation.classic_config.nodes.{} = {}\n", node + 1, name(node));
        }
        std::fs::write(home.join("rabbitmq.conf"), config)?;
        let port = EPMD_PORT.to_string();
        let epmd = Command::new(at.join("usr/lib/erlang/bin/epmd"))
            .args(["-address", "127.0.0.1", "-port", &port])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("cannot run Erlang's epmd")?;
        let (drained, tries) = (Mutex::default(), AtomicUsize::new(0));
        Ok(RabbitMq { at, home: home.to_owned(), drained, tries, _epmd: epmd })
    }

    /// One of the package's scripts, in an environment isolated from this machine's settings.
    fn script(&self, script: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(self.at.join("usr/lib/rabbitmq/bin").join(script));
        command
            .env_clear()
            .env("PATH", format!("{}:{path}", self.at.join("usr/lib/erlang/bin").display()))
            .env("HOME", &self.home)
            .env("LC_ALL", "C.UTF-8")
            .env("ERL_EPMD_PORT", EPMD_PORT.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_CONF_ENV_FILE", self.home.join("none"))
            .current_dir(&self.home);
        command
    }

    async fn order(&self, words: &[&str]) -> Result<Vec<u8>> {
        let mut command = self.script("rabbitmqctl");
        command
            .env("RABBITMQ_CTL_ERL_ARGS", ERLANG_ON_LOOPBACK)
            .env("RABBITMQ_CTL_DIST_PORT_MIN", COMMAND_PORTS.0.to_string())
            .env("RABBITMQ_CTL_DIST_PORT_MAX", COMMAND_PORTS.1.to_string())
            .args(["--quiet", "--node", &name(0)])
            .args(words)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = timeout(PATIENCE, command.output()).await.context("rabbitmqctl does not end")??;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "rabbitmqctl {}: {}", words.join(" "), said.trim());
        Ok(output.stdout)
    }
}

impl System for RabbitMq {
    type Client = Client;

    fn server(&self, node: usize, data: &Path) -> Command {
        let mut command = self.script("rabbitmq-server");
        command
            .env("RABBITMQ_NODENAME", name(node))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", (FIRST_PORT + node as u16).to_string())
            .env("RABBITMQ_DIST_PORT", (FIRST_DISTRIBUTION_PORT + node as u16).to_string())
            .env("RABBITMQ_MNESIA_BASE", data)
            .env("RABBITMQ_LOG_BASE", self.home.join(format!("log-{node}")))
            .env("RABBITMQ_CONFIG_FILE", self.home.join("rabbitmq"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", self.home.join("enabled_plugins"))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", ERLANG_ON_LOOPBACK)
            // The script becomes the server process instead of its parent, so that signals reach
            // the server.
            .env("RABBITMQ_ALLOW_INPUT", "1")
            .env("RABBITMQ_SERVER_START_ARGS", "-noinput");
        command
    }

    async fn prepare(&self) -> Result<()> {
        for node in 0..NODES {
            // A node accepts clients once it has started.
            within(PATIENCE, async || self.connect(node).await).await?;
        }
        // A queue's members are chosen from the nodes online at its declaration.
        self.order(&["await_online_nodes", &NODES.to_string()]).await?;
        self.connect(0).await?.declare().await
    }

    async fn connect(&self, node: usize) -> Result<Client> {
        // A frozen or unready server accepts a connection and stays silent.
        timeout(REQUEST, Client::connect(FIRST_PORT + node as u16)).await.context("no answer in time")?
    }

    async fn leader(&self) -> Result<usize> {
        let queues = self.order(&["list_queues", "leader", "--formatter", "json"]).await?;
        let queues: Value = serde_json::from_slice(&queues)?;
        let leader = queues[0]["leader"].as_str().context("no leader")?;
        (0..NODES).find(|node| name(*node) == leader).with_context(|| format!("not a node: {leader}"))
    }

    async fn read(&self) -> Result<BTreeSet<String>> {
        let tries = self.tries.fetch_add(1, Ordering::Relaxed);
        let client = self.connect(tries % NODES).await?;
        let end = format!("end {tries}");
        let draining = client.drain(&end, |body| _ = self.drained.lock().insert(body));
        timeout(PATIENCE, draining).await.context("the queue has no end")??;
        Ok(self.drained.lock().clone())
    }
}
