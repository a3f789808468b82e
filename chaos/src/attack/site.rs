//! The cluster under attack: three processes, what they cost, and the ways to reach them from other
//! addresses.

use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use troupe_client::connection::{Connection, Pushes};
use troupe_client::error::Error;
use troupe_runtime::net::TcpNetFrom;
use troupe_runtime::{Platform, Stream};

use crate::local::{self, LocalCluster};

/// How often memory and disk are looked at.
pub const SAMPLE: Duration = Duration::from_millis(250);
/// The common default of an open-file limit.
const FILES: u32 = 1_024;
pub const PASSWORD: &str = "a long password";
const START: Duration = Duration::from_secs(60);
/// How long a newcomer waits for a place: reconnects with a pause, as the SDK does.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Site {
    pub cluster: LocalCluster,
    _folder: TempDir,
}

/// How the nodes are started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    Plain,
    /// With a soft and a hard limit of 1,024 open files.
    FewFiles,
    /// Without TLS and without a token between the nodes.
    Insecure,
}

/// The most that any node held while it was watched.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    pub memory_mib: u64,
    pub disk_mib: u64,
}

/// What is looked at: processes and their folders.
pub struct Watched(Vec<(Option<u32>, PathBuf)>);

impl Load {
    pub fn take(&mut self, watched: &Watched) {
        for (pid, folder) in &watched.0 {
            self.memory_mib = self.memory_mib.max(pid.map_or(0, resident_mib));
            self.disk_mib = self.disk_mib.max(folder_bytes(folder) >> 20);
        }
    }
}

impl Site {
    pub async fn open(troupe: PathBuf, ground: Ground, port: u16) -> Result<Site> {
        let folder = tempfile::tempdir()?;
        let token = local::new_token(&troupe)?;
        let binary = if ground == Ground::FewFiles { limited(folder.path(), &troupe)? } else { troupe };
        // Every loopback address is a party of its own here, with no more than any other.
        let mut settings = vec![("drain.seconds", "2"), ("limits.loopback_factor", "1")];
        let mut environment = Vec::new();
        if ground == Ground::Insecure {
            settings.push(("cluster.insecure", "true"));
            environment.push(("TROUPE_CLUSTER_TOKEN".to_owned(), String::new()));
        }
        let options = local::Options {
            binary,
            dir: folder.path().join("cluster"),
            nodes: 3,
            settings: settings.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            environment,
            ports: (port, port + 100, port + 200),
        };
        let mut cluster = LocalCluster::plan(options, || token)?;
        cluster.start_all()?;
        cluster.wait_ready(&[0, 1, 2], START).await.context("the cluster does not start")?;
        Ok(Site { cluster, _folder: folder })
    }

    pub fn watcher(&self) -> Watched {
        Watched((0..self.cluster.len()).map(|i| (self.cluster.pid(i), self.cluster.data_dir(i))).collect())
    }

    pub async fn watch(&self, time: Duration, load: &mut Load) {
        let watched = self.watcher();
        let until = Instant::now() + time;
        while Instant::now() < until {
            load.take(&watched);
            sleep(SAMPLE.min(until - Instant::now())).await;
        }
        load.take(&watched);
    }

    pub fn node(&self, index: usize) -> &str {
        &self.cluster.addresses(index % self.cluster.len()).client
    }

    /// Nodes that have ended, and nodes that say they are not ready.
    pub async fn unwell(&mut self) -> Vec<String> {
        let mut unwell = Vec::new();
        for index in 0..self.cluster.len() {
            match self.cluster.exited(index) {
                Ok(Some(status)) => unwell.push(format!("node {} ended with {status}", index + 1)),
                Ok(None) => match self.cluster.readiness(index).await {
                    Ok((true, _)) => {}
                    Ok((false, why)) => unwell.push(format!("node {} is not ready: {why}", index + 1)),
                    Err(error) => unwell.push(format!("node {}: {error:#}", index + 1)),
                },
                Err(error) => unwell.push(format!("node {}: {error:#}", index + 1)),
            }
        }
        unwell
    }

    pub async fn close(mut self) -> Result<()> {
        self.cluster.stop_all(Duration::from_secs(10)).await
    }
}

/// Loopback addresses stand for the addresses of the world: the nodes tell them apart like any
/// others.
pub fn address(network: u8, host: u16) -> IpAddr {
    let [high, low] = (host + 1).to_be_bytes();
    Ipv4Addr::new(127, network, high, low).into()
}

/// Where the attacker comes from, unless the attack uses more addresses.
pub fn attacker() -> IpAddr {
    address(66, 0)
}

/// A bare socket from the attacker's address.
pub async fn socket(from: IpAddr, node: &str) -> Result<Box<dyn Stream>> {
    let mut ctx = Platform::production();
    ctx.net = std::sync::Arc::new(TcpNetFrom(from));
    Ok(ctx.net.connect(node).await?)
}

pub async fn connect(from: IpAddr, node: &str) -> Result<(Connection, Pushes), Error> {
    let mut ctx = Platform::production();
    ctx.net = std::sync::Arc::new(TcpNetFrom(from));
    Connection::open(&*ctx.net, node).await
}

/// Registers an account and logs it in; waits as told where the node is busy.
pub async fn user(from: IpAddr, node: &str, name: &str) -> Result<User> {
    let request = Platform::production().rng.bytes::<16>();
    let until = Instant::now() + PATIENCE;
    loop {
        let attempt = async {
            let (connection, pushes) = connect(from, node).await?;
            let id = connection.register(name, PASSWORD, request).await?;
            connection.login(name, PASSWORD, "attack").await?;
            Ok::<_, Error>(User { id, connection, pushes })
        };
        let pause = match attempt.await {
            Ok(user) => return Ok(user),
            Err(Error::Overloaded { retry_after, .. }) => retry_after,
            Err(Error::Unavailable(_)) => Duration::from_millis(200),
            Err(error) => return Err(error).with_context(|| format!("{name} from {from}")),
        };
        anyhow::ensure!(Instant::now() < until, "{name} from {from} found no place within {PATIENCE:?}");
        sleep(pause.max(Duration::from_millis(20))).await;
    }
}

pub struct User {
    pub id: u64,
    pub connection: Connection,
    pub pushes: Pushes,
}

impl User {
    pub fn direct(&self, other: u64) -> String {
        format!("d{}-{}", self.id.min(other), self.id.max(other))
    }
}

pub fn random_id() -> Bytes {
    Bytes::copy_from_slice(&Platform::production().rng.bytes::<16>())
}

/// A program that starts `troupe` with few open files allowed.
fn limited(folder: &Path, troupe: &Path) -> Result<PathBuf> {
    let script = folder.join("troupe-few-files");
    std::fs::write(&script, format!("#!/bin/sh\nulimit -n {FILES}\nexec '{}' \"$@\"\n", troupe.display()))?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    Ok(script)
}

fn resident_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() >> 10
}

/// Files come and go while this looks; one that is gone has no bytes.
fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let bytes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => folder_bytes(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    bytes.sum()
}
