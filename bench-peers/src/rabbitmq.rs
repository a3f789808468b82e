//! RabbitMQ of Debian's packages: three nodes with a static peer list, and quorum queues with three
//! members each.
//!
//! Erlang nodes ask a daemon for each other's ports. Ours has a port of its own, so that it neither
//! uses nor disturbs an installed Erlang.

mod client;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use self::client::Client;
use crate::load::{Peer, Shape};
use crate::servers::{NODES, PATIENCE, Servers, bound_to_us, ports, within};

/// Limit for one connection.
const REQUEST: Duration = Duration::from_secs(10);
const ERLANG_ON_LOOPBACK: &str = "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}";

/// The settings that differ from those of the package, with the reasons.
pub const SETTINGS: [&str; 4] = [
    "quorum queues with three members, fsync (fdatasync of the shared log) before each confirm: their default",
    "each queue is led by the node that its publishers are connected to: no hop between nodes",
    "quorum_commands_soft_limit above the messages in flight: no publisher is throttled",
    "schedulers are not bound to cores: three nodes share them",
];

pub struct RabbitMq {
    layout: Layout,
    pids: Vec<u32>,
    /// Index of the node that leads each queue.
    leaders: Vec<usize>,
}

/// Places of programs, files and ports.
struct Layout {
    /// The folder that contains `usr/lib/rabbitmq` and `usr/lib/erlang`.
    at: PathBuf,
    /// Everything of this run: cookie, configuration, data and logs.
    home: PathBuf,
    epmd: u16,
    clients: Vec<u16>,
    distribution: Vec<u16>,
    /// Each call of the command line is an Erlang node too.
    command: u16,
}

fn name(node: usize) -> String {
    format!("r{node}@localhost")
}

fn queue(index: usize) -> String {
    format!("q{index}")
}

impl RabbitMq {
    /// Starts the nodes, waits until they are one cluster, and declares the queues.
    pub async fn start(servers: &mut Servers, at: &Path, home: &Path, shape: &Shape) -> Result<RabbitMq> {
        let layout = Layout::new(at, home, shape)?;
        servers.start_helper(layout.epmd(), &home.join("epmd.log"))?;
        for node in 0..NODES {
            servers.start(layout.server(node), &home.join(format!("node-{node}.log")))?;
        }
        for port in &layout.clients {
            // A node accepts clients once it has started.
            within(servers, async || connect(*port).await).await.context("a node of RabbitMQ does not start")?;
        }
        // A queue's members are chosen from the nodes online at its declaration.
        layout.order(&["await_online_nodes", &NODES.to_string()]).await?;
        for index in 0..shape.shards {
            connect(layout.clients[index % NODES]).await?.declare(&queue(index), NODES).await?;
        }
        let leaders = layout.leaders(shape.shards).await?;
        Ok(RabbitMq { layout, pids: servers.pids()?, leaders })
    }

    /// The version that a node reports.
    pub async fn version(&self) -> Result<String> {
        Ok(connect(self.layout.clients[0]).await?.version().to_owned())
    }
}

async fn connect(port: u16) -> Result<Client> {
    timeout(REQUEST, Client::connect(port)).await.context("no answer in time")?
}

impl Layout {
    fn new(at: &Path, home: &Path, shape: &Shape) -> Result<Layout> {
        let at = at.canonicalize().with_context(|| format!("{}", at.display()))?;
        let script = at.join("usr/lib/rabbitmq/bin/rabbitmq-server");
        ensure!(
            script.exists(),
            "there is no {}: apt-get install rabbitmq-server, or name its folder",
            script.display()
        );
        let ports = ports(2 + 2 * NODES)?;
        let layout = Layout {
            at,
            home: home.to_owned(),
            epmd: ports[0],
            command: ports[1],
            clients: ports[2..2 + NODES].to_vec(),
            distribution: ports[2 + NODES..].to_vec(),
        };
        // The cookie grants full access to the nodes.
        let mut secret = [0u8; 16];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut secret)?;
        let cookie: String = secret.iter().map(|byte| format!("{byte:02X}")).collect();
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o400).open(home.join(".erlang.cookie"))?;
        file.write_all(cookie.as_bytes())?;
        let mut config = String::from("log.file.level = warning\n");
        config += "cluster_formation.peer_discovery_backend = classic_config\n";
        for node in 0..NODES {
            config += &format!("cluster_formation.classic_config.nodes.{} = {}\n", node + 1, name(node));
        }
        std::fs::write(home.join("rabbitmq.conf"), config)?;
        // A publisher with this many unconfirmed messages is throttled.
        let limit = 2 * shape.window.max(shape.in_flight);
        let advanced = format!("[{{rabbit, [{{quorum_commands_soft_limit, {limit}}}]}}].\n");
        std::fs::write(home.join("advanced.config"), advanced)?;
        Ok(layout)
    }

    fn epmd(&self) -> Command {
        let mut command = bound_to_us(self.at.join("usr/lib/erlang/bin/epmd"));
        command.env_clear().args(["-address", "127.0.0.1", "-port", &self.epmd.to_string()]);
        command
    }

    /// One of the package's scripts, in an environment isolated from this machine's settings.
    fn script(&self, script: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = bound_to_us(self.at.join("usr/lib/rabbitmq/bin").join(script));
        command
            .env_clear()
            .env("PATH", format!("{}:{path}", self.at.join("usr/lib/erlang/bin").display()))
            .env("HOME", &self.home)
            .env("LC_ALL", "C.UTF-8")
            .env("ERL_EPMD_PORT", self.epmd.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_CONF_ENV_FILE", self.home.join("none"))
            .current_dir(&self.home);
        command
    }

    fn server(&self, node: usize) -> Command {
        let mut command = self.script("rabbitmq-server");
        command
            .env("RABBITMQ_NODENAME", name(node))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.clients[node].to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution[node].to_string())
            .env("RABBITMQ_MNESIA_BASE", self.home.join(format!("data-{node}")))
            .env("RABBITMQ_LOG_BASE", self.home.join(format!("log-{node}")))
            .env("RABBITMQ_CONFIG_FILE", self.home.join("rabbitmq"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", self.home.join("advanced.config"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", self.home.join("enabled_plugins"))
            .env("RABBITMQ_SCHEDULER_BIND_TYPE", "u")
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", ERLANG_ON_LOOPBACK)
            // The script becomes the server process instead of its parent, so that its id is the
            // server's.
            .env("RABBITMQ_ALLOW_INPUT", "1")
            .env("RABBITMQ_SERVER_START_ARGS", "-noinput");
        command
    }

    async fn order(&self, words: &[&str]) -> Result<Vec<u8>> {
        let mut command = self.script("rabbitmqctl");
        command
            .env("RABBITMQ_CTL_ERL_ARGS", ERLANG_ON_LOOPBACK)
            .env("RABBITMQ_CTL_DIST_PORT_MIN", self.command.to_string())
            .env("RABBITMQ_CTL_DIST_PORT_MAX", self.command.to_string())
            .args(["--quiet", "--node", &name(0)])
            .args(words)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = timeout(PATIENCE, command.output()).await.context("rabbitmqctl does not end")??;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "rabbitmqctl {}: {}", words.join(" "), said.trim());
        Ok(output.stdout)
    }

    /// The node that leads each queue. Fails unless all nodes are members of all queues.
    async fn leaders(&self, queues: usize) -> Result<Vec<usize>> {
        let listed = self.order(&["list_queues", "name", "leader", "members", "--formatter", "json"]).await?;
        leaders(&serde_json::from_slice(&listed)?, queues)
    }
}

fn leaders(listed: &Value, queues: usize) -> Result<Vec<usize>> {
    let listed = listed.as_array().context("no list of queues")?;
    let by_name: BTreeMap<&str, &Value> = listed.iter().filter_map(|it| Some((it["name"].as_str()?, it))).collect();
    let leader = |index: usize| {
        let queue = *by_name.get(queue(index).as_str()).context("it is missing")?;
        let members = queue["members"].as_array().map_or(0, Vec::len);
        ensure!(members == NODES, "it has {members} members");
        let leader = queue["leader"].as_str().context("it has no leader")?;
        (0..NODES).find(|node| name(*node) == leader).with_context(|| format!("{leader} leads it"))
    };
    (0..queues).map(|index| leader(index).with_context(|| queue(index))).collect()
}

impl Peer for RabbitMq {
    type Link = Client;

    async fn connect(&self, sender: usize) -> Result<Client> {
        let index = sender % self.leaders.len();
        let mut client = connect(self.layout.clients[self.leaders[index]]).await?;
        client.confirm(&queue(index)).await?;
        Ok(client)
    }

    async fn held(&self) -> Result<u64> {
        let client = connect(self.layout.clients[0]).await?;
        let mut held = 0;
        for index in 0..self.leaders.len() {
            held += client.held(&queue(index)).await?;
        }
        Ok(held)
    }

    fn pids(&self) -> &[u32] {
        &self.pids
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_queue_has_a_leader_and_three_members() {
        let queue = |name: &str, leader: &str, members: usize| json!({ "name": name, "leader": leader, "members": vec!["x"; members] });
        let listed = json!([queue("q1", "r2@localhost", 3), queue("q0", "r0@localhost", 3)]);
        assert_eq!(leaders(&listed, 2).expect("all are well"), [0, 2]);
        for (listed, text) in [
            (json!([queue("q1", "r0@localhost", 3)]), "q0: it is missing"),
            (json!([queue("q0", "r0@localhost", 1)]), "q0: it has 1 members"),
            (json!([queue("q0", "other", 3)]), "q0: other leads it"),
        ] {
            assert_eq!(format!("{:#}", leaders(&listed, 1).expect_err("refused")), text);
        }
    }
}
