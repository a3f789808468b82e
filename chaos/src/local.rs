//! A cluster of real processes on this machine, for `troupe demo`, `troupe bench` and the chaos
//! harness.
//!
//! Each node is a child process with its own data folder and log file under one directory.
//! `cluster.json` (mode 0600) stores ports and token, so that the directory can be reopened as the
//! same cluster. Children watch their standard input and stop when it closes, so they never outlive
//! their parent, even if it is killed.
//!
//! Further fault injection is installed before the nodes start: [`LocalCluster::put_proxies`]
//! between them, [`LocalCluster::put_shims`] under their system calls, and
//! [`LocalCluster::put_disks`] under their data.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};
use tokio::time::Instant;
use troupe_core::{ShardMap, Slot};
use troupe_fetch as fetch;
use troupe_runtime::private;

use crate::disk::Disk;
use crate::proxy::{self, Proxy, Route};
use crate::shim::Shim;

mod lock;
mod plan;
#[cfg(test)]
mod tests;

pub use lock::FolderLock;
use plan::choose_ports;
pub use plan::{new_token, write_secret};

/// Options that are fixed per directory.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `troupe` binary to run.
    pub binary: PathBuf,
    pub dir: PathBuf,
    pub nodes: usize,
    /// Further flags for every node, as (key, value).
    pub settings: Vec<(String, String)>,
    /// Environment of the children, for planted bugs.
    pub environment: Vec<(String, String)>,
    /// First ports to try for clients, HTTP and cluster. The next free ones are used.
    pub ports: (u16, u16, u16),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Manifest {
    token: String,
    nodes: Vec<Addresses>,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Addresses {
    pub client: String,
    pub http: String,
    pub cluster: String,
}

pub struct LocalCluster {
    options: Options,
    manifest: Manifest,
    children: Vec<Option<Child>>,
    proxy: Option<Proxy>,
    shim: Option<Shim>,
    /// One per node, or none at all.
    disks: Vec<Disk>,
    /// A node that runs another version.
    other: Option<(usize, PathBuf)>,
}

impl LocalCluster {
    /// Loads the directory's plan, or creates one. Starts no process.
    pub fn plan(options: Options, token: impl FnOnce() -> String) -> Result<LocalCluster> {
        private::create_dir(&options.dir).with_context(|| format!("cannot create {}", options.dir.display()))?;
        let path = options.dir.join("cluster.json");
        let manifest = match std::fs::read(&path) {
            Ok(bytes) => {
                let manifest: Manifest =
                    serde_json::from_slice(&bytes).with_context(|| format!("{} is not a plan", path.display()))?;
                ensure!(
                    manifest.nodes.len() == options.nodes,
                    "{} holds a cluster of {held} nodes, not {}: use --nodes {held}, or another --data-dir",
                    options.dir.display(),
                    options.nodes,
                    held = manifest.nodes.len()
                );
                // The directory is ours, and an earlier version may have left it readable by other
                // users.
                private::tighten(&options.dir)?;
                manifest
            }
            Err(_) => {
                let manifest = Manifest { token: token(), nodes: choose_ports(options.nodes, options.ports)? };
                write_secret(&path, &serde_json::to_vec_pretty(&manifest)?)?;
                manifest
            }
        };
        let children = manifest.nodes.iter().map(|_| None).collect();
        Ok(LocalCluster { options, manifest, children, proxy: None, shim: None, disks: Vec::new(), other: None })
    }

    /// Puts a proxy in front of every node's client and cluster port. The public addresses stay the
    /// same; the nodes listen on loopback addresses of their own behind the proxy.
    pub async fn put_proxies(&mut self, seed: u64) -> Result<()> {
        let mut routes = Vec::new();
        for index in 0..self.len() {
            for public in [&self.manifest.nodes[index].client, &self.manifest.nodes[index].cluster] {
                let listen: SocketAddr = public.parse().with_context(|| format!("{public} is no address"))?;
                let upstream = SocketAddr::new(proxy::address_of(index).into(), listen.port());
                routes.push(Route { listen, upstream, node: index });
            }
        }
        self.proxy = Some(Proxy::open(&routes, seed).await?);
        Ok(())
    }

    /// Preloads the fault library into every node, for disk and clock faults.
    pub fn put_shims(&mut self) -> Result<()> {
        self.shim = Some(Shim::install(&self.options.dir)?);
        Ok(())
    }

    /// Gives every node a file system of this size that can lose power. Needs root.
    pub fn put_disks(&mut self, bytes: u64) -> Result<()> {
        for index in 0..self.len() {
            let image = self.options.dir.join(format!("disk-{}.img", index + 1));
            self.disks.push(Disk::mount(&image, &self.data_dir(index), bytes)?);
        }
        Ok(())
    }

    /// The last node runs this binary from its next start on.
    pub fn mix(&mut self, binary: PathBuf) {
        self.other = self.len().checked_sub(1).map(|last| (last, binary));
    }

    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    pub fn shim(&self) -> Option<&Shim> {
        self.shim.as_ref()
    }

    pub fn disk(&self, index: usize) -> Option<&Disk> {
        self.disks.get(index)
    }

    pub fn len(&self) -> usize {
        self.manifest.nodes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.manifest.nodes.is_empty()
    }

    pub fn dir(&self) -> &Path {
        &self.options.dir
    }

    /// The join token of this cluster.
    pub fn token(&self) -> &str {
        &self.manifest.token
    }

    pub fn addresses(&self, index: usize) -> &Addresses {
        &self.manifest.nodes[index]
    }

    pub fn client_addresses(&self) -> Vec<String> {
        self.manifest.nodes.iter().map(|node| node.client.clone()).collect()
    }

    pub fn log_path(&self, index: usize) -> PathBuf {
        self.options.dir.join(format!("node-{}.log", index + 1))
    }

    pub fn data_dir(&self, index: usize) -> PathBuf {
        self.options.dir.join(format!("node-{}", index + 1))
    }

    /// Process id, while it runs.
    pub fn pid(&self, index: usize) -> Option<u32> {
        self.children[index].as_ref().and_then(Child::id)
    }

    pub fn start_all(&mut self) -> Result<()> {
        (0..self.len()).try_for_each(|index| self.start(index))
    }

    /// Adds a node and starts it. Returns its index. Not for clusters with proxies, shims or disks,
    /// which exist for the first nodes only.
    pub fn grow(&mut self) -> Result<usize> {
        ensure!(self.proxy.is_none() && self.disks.is_empty() && self.shim.is_none(), "only plain nodes can be added");
        let index = self.len();
        self.manifest.nodes.extend(choose_ports(1, self.options.ports)?);
        self.children.push(None);
        self.start(index)?;
        Ok(index)
    }

    /// Removes the last node, which must have ended, and its data.
    pub fn shrink(&mut self) -> Result<()> {
        let index = self.len().checked_sub(1).context("there is no node")?;
        ensure!(self.exited(index)?.is_some() || self.children[index].is_none(), "node {} still runs", index + 1);
        std::fs::remove_dir_all(self.data_dir(index))?;
        self.manifest.nodes.pop();
        self.children.pop();
        Ok(())
    }

    pub fn binary(&self) -> &Path {
        &self.options.binary
    }

    /// Starts one node if it does not run.
    pub fn start(&mut self, index: usize) -> Result<()> {
        if self.exited(index)?.is_none() && self.children[index].is_some() {
            return Ok(());
        }
        let node = &self.manifest.nodes[index];
        let join: Vec<&str> = self.manifest.nodes.iter().map(|n| n.cluster.as_str()).collect();
        // Behind a proxy a node listens on its own address. Other nodes and clients use the planned
        // one.
        let own = |public: &str| match &self.proxy {
            Some(_) => format!("{}:{}", proxy::address_of(index), public.rsplit(':').next().unwrap_or_default()),
            None => public.to_owned(),
        };
        let log = File::options().create(true).append(true).mode(0o600).open(self.log_path(index))?;
        let other = self.other.as_ref().filter(|(other, _)| *other == index);
        let binary = other.map_or(&self.options.binary, |(_, binary)| binary);
        let mut command = Command::new(binary);
        command
            .arg("start")
            .arg("--exit-with-parent")
            .args(["--data-dir".as_ref(), self.data_dir(index).as_os_str()])
            .args(["--client-listen", &own(&node.client), "--http-listen", &node.http])
            .args(["--cluster-listen", &own(&node.cluster)])
            .env("TROUPE_CLUSTER_TOKEN", &self.manifest.token)
            .envs(self.options.environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true);
        if self.proxy.is_some() {
            command
                .args(["--client-advertise", &node.client, "--cluster-advertise", &node.cluster])
                .args(["--cluster-outgoing", &proxy::address_of(index).to_string()]);
        }
        if let Some(shim) = &self.shim {
            command.envs(shim.environment(index, &self.data_dir(index))?);
        }
        if join.len() > 1 {
            command.args(["--cluster-join", &join.join(",")]);
        }
        for (key, value) in plan::known_settings(&self.options.settings, other.is_some()) {
            command.args([format!("--{}", key.replace(['.', '_'], "-")).as_str(), value.as_str()]);
        }
        let child = command.spawn().with_context(|| format!("cannot run {}", self.options.binary.display()))?;
        self.children[index] = Some(child);
        Ok(())
    }

    /// The exit status of a node that was started and has ended.
    pub fn exited(&mut self, index: usize) -> Result<Option<std::process::ExitStatus>> {
        let Some(child) = &mut self.children[index] else { return Ok(None) };
        let status = child.try_wait()?;
        if status.is_some() {
            self.children[index] = None;
        }
        Ok(status)
    }

    pub fn signal(&self, index: usize, signal: Signal) -> Result<()> {
        let pid = self.pid(index).with_context(|| format!("node {} does not run", index + 1))?;
        kill(Pid::from_raw(pid as i32), signal).with_context(|| format!("cannot send {signal} to process {pid}"))
    }

    /// Sends SIGKILL and waits for the end.
    pub async fn kill(&mut self, index: usize) -> Result<()> {
        if let Some(mut child) = self.children[index].take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// Sends SIGTERM to all, then SIGKILL to the remaining ones after `patience`.
    pub async fn stop_all(&mut self, patience: Duration) -> Result<()> {
        for index in 0..self.len() {
            if self.pid(index).is_some() {
                // A frozen process must continue before it can end.
                self.signal(index, Signal::SIGCONT)?;
                self.signal(index, Signal::SIGTERM)?;
            }
        }
        let deadline = Instant::now() + patience;
        for child in self.children.iter_mut().filter_map(Option::take) {
            let mut child = child;
            if tokio::time::timeout_at(deadline, child.wait()).await.is_err() {
                child.kill().await?;
            }
        }
        Ok(())
    }

    /// Whether this node reports to be ready, and its answer.
    pub async fn readiness(&self, index: usize) -> Result<(bool, serde_json::Value)> {
        let http = &self.manifest.nodes[index].http;
        let (status, answer) = fetch::get_json(http, "/readyz", Duration::from_secs(1)).await?;
        Ok((status == 200, answer))
    }

    /// Waits until the given nodes are ready. Fails with the last log lines if one has ended or the
    /// time is over.
    pub async fn wait_ready(&mut self, indexes: &[usize], within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        for &index in indexes {
            loop {
                if let Some(status) = self.exited(index)? {
                    bail!("node {} ended with {status}:\n{}", index + 1, self.last_log_lines(index));
                }
                let ready = self.readiness(index).await;
                if matches!(ready, Ok((true, _))) {
                    break;
                }
                if Instant::now() > deadline {
                    let state = ready.map_or_else(|e| e.to_string(), |(_, answer)| answer.to_string());
                    bail!("node {} is not ready: {state}\n{}", index + 1, self.last_log_lines(index));
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    /// The leader of a slot's shard, from the answers of all nodes. The highest epoch wins.
    pub async fn leader_of(&self, slot: Slot, within: Duration) -> Result<usize> {
        let deadline = Instant::now() + within;
        loop {
            let mut claims: BTreeMap<u64, usize> = BTreeMap::new();
            for index in 0..self.len() {
                let http = &self.addresses(index).http;
                let Ok((_, status)) = fetch::get_json(http, "/v1/cluster", Duration::from_millis(500)).await else {
                    continue;
                };
                let count = status["shards"].as_array().map_or(0, Vec::len) as u32;
                let shard = ShardMap { count }.shard(slot);
                for replica in status["replicas"].as_array().into_iter().flatten() {
                    if replica["shard"] == shard.0 && replica["role"] == "leader" {
                        claims.insert(replica["epoch"].as_u64().unwrap_or_default(), index);
                    }
                }
            }
            if let Some(index) = claims.into_values().next_back() {
                return Ok(index);
            }
            ensure!(Instant::now() < deadline, "no node leads the shard of slot {slot}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub fn last_log_lines(&self, index: usize) -> String {
        let text = std::fs::read(self.log_path(index)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().rev().take(12).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}
