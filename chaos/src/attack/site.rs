//! The attacked cluster: three processes, their cost, and connections from other addresses.

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

/// Sampling interval of memory and disk.
pub const SAMPLE: Duration = Duration::from_millis(250);
/// A common default of the open-file limit.
const FILES: u32 = 1_024;
pub const PASSWORD: &str = "a long password";
const START: Duration = Duration::from_secs(60);
/// How long a newcomer waits for a connection. It reconnects with a pause, as the SDK does.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Site {
    pub cluster: LocalCluster,
    /// Figures that an attack adds to its report.
    pub notes: Vec<String>,
    _folder: TempDir,
}

/// Start options of the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    Plain,
    /// With a soft and a hard limit of 1,024 open files.
    FewFiles,
    /// Without TLS and without a token between the nodes.
    Insecure,
    /// Hooks reach receivers on loopback.
    LocalReceivers,
    /// Pushes are on, and reach services on loopback.
    LocalPushServices,
}

/// The peak of any node during the observation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load {
    pub memory_mib: u64,
    pub disk_mib: u64,
}

/// The observed processes and their folders.
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
    pub async fn open(troupe: PathBuf, setup: Setup, port: u16) -> Result<Site> {
        let folder = tempfile::tempdir()?;
        let token = local::new_token(&troupe)?;
        let binary = if setup == Setup::FewFiles { limited(folder.path(), &troupe)? } else { troupe };
        // Every loopback address counts as a separate address here, with the limits of any other.
        let mut settings = vec![("drain.seconds", "2"), ("limits.loopback_factor", "1")];
        let mut environment = Vec::new();
        if setup == Setup::Insecure {
            settings.push(("cluster.insecure", "true"));
            environment.push(("TROUPE_CLUSTER_TOKEN".to_owned(), String::new()));
        }
        if matches!(setup, Setup::LocalReceivers | Setup::LocalPushServices) {
            settings.push(("hooks.private", "true"));
        }
        if setup == Setup::LocalPushServices {
            settings.push(("push.subject", "mailto:admin@chat.example"));
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
        Ok(Site { cluster, notes: Vec::new(), _folder: folder })
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

    /// Bytes that the nodes have read from files since they started, including reads from the page
    /// cache.
    pub fn bytes_read(&self) -> u64 {
        (0..self.cluster.len()).filter_map(|index| self.cluster.pid(index)).map(file_bytes_read).sum()
    }

    pub fn node(&self, index: usize) -> &str {
        &self.cluster.addresses(index % self.cluster.len()).client
    }

    /// Nodes that have ended, and nodes that report not to be ready.
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

/// Loopback addresses stand for foreign addresses. The nodes treat them like any others.
pub fn address(network: u8, host: u16) -> IpAddr {
    let [high, low] = (host + 1).to_be_bytes();
    Ipv4Addr::new(127, network, high, low).into()
}

/// The attacker's address, unless the attack uses more.
pub fn attacker() -> IpAddr {
    address(66, 0)
}

/// A bare socket from the attacker's address.
pub async fn socket(from: IpAddr, node: &str) -> Result<Box<dyn Stream>> {
    let mut platform = Platform::production();
    platform.net = std::sync::Arc::new(TcpNetFrom(from));
    Ok(platform.net.connect(node).await?)
}

pub async fn connect(from: IpAddr, node: &str) -> Result<(Connection, Pushes), Error> {
    let mut platform = Platform::production();
    platform.net = std::sync::Arc::new(TcpNetFrom(from));
    Connection::open(&*platform.net, node).await
}

/// Registers an account and logs it in. Waits as requested if the node is busy.
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
        anyhow::ensure!(Instant::now() < until, "{name} from {from} was refused for {PATIENCE:?}");
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

/// A program that starts `troupe` with a low open-file limit.
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

/// Sockets do not count: they are read by `recv`.
fn file_bytes_read(pid: u32) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("rchar:"));
    line.and_then(|rest| rest.trim().parse().ok()).unwrap_or_default()
}

/// Files may disappear during the scan. A missing file has no bytes.
fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let bytes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => folder_bytes(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    bytes.sum()
}
