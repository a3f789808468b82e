//! The cluster that a bench measures, and the form of its figures.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;
use troupe_chaos::local::LocalCluster;
use troupe_client::load::{Edge, Target};
use troupe_runtime::Platform;

use super::{Common, START, disk, whole};
use crate::cluster::{TempDir, plan, plan_known, tempdir};

/// Few users make all the load of a bench. They pay like others, out of budgets that they cannot
/// use up.
const LIMITS: &[(&str, &str)] = &[
    ("limits.user_rate", "1000000"),
    ("limits.user_burst", "1000000"),
    ("limits.address_rate", "1000000"),
    ("limits.address_burst", "1000000"),
    ("limits.messages_per_day", "0"),
    ("limits.bytes_per_day", "0"),
    ("limits.groups_per_day", "0"),
    ("limits.members_per_day", "0"),
    ("limits.address_connections", "65536"),
];

/// The cluster under measurement, and the disk's figures from before the load.
pub struct Bed {
    edge: Edge,
    pub cluster: Option<LocalCluster>,
    servers: Vec<String>,
    baseline: disk::Baseline,
    _dir: TempDir,
}

impl Bed {
    pub async fn new(common: &Common, troupe: &Path) -> Result<Bed> {
        let edge = common.edge.into();
        let Some(server) = &common.server else { return Ok(Bed { edge, ..Bed::local(troupe).await? }) };
        let dir = tempdir()?;
        let baseline = disk::measure(&dir.0, Duration::from_secs(1))?;
        let servers = server.split(',').map(|s| s.trim().to_owned()).collect();
        Ok(Bed { cluster: None, servers, edge, baseline, _dir: dir })
    }

    /// Three nodes with data of their own on the temporary folder's disk.
    pub async fn local(troupe: &Path) -> Result<Bed> {
        Bed::prepared(troupe, |_| Ok(())).await
    }

    /// The same, with something put under them before they start.
    pub async fn prepared(troupe: &Path, prepare: impl FnOnce(&mut LocalCluster) -> Result<()>) -> Result<Bed> {
        let dir = tempdir()?;
        let mut cluster = plan(troupe, dir.0.join("cluster"), 3, LIMITS)?;
        prepare(&mut cluster)?;
        Bed::start(dir, cluster).await
    }

    /// Nodes of any version, without the settings that it does not have.
    pub async fn of_version(troupe: &Path) -> Result<Bed> {
        let dir = tempdir()?;
        let cluster = plan_known(troupe, dir.0.join("cluster"), 3, LIMITS)?;
        Bed::start(dir, cluster).await
    }

    async fn start(dir: TempDir, mut cluster: LocalCluster) -> Result<Bed> {
        let baseline = disk::measure(&dir.0, Duration::from_secs(1))?;
        cluster.start_all()?;
        cluster.wait_ready(&[0, 1, 2], START).await?;
        let servers = cluster.client_addresses();
        Ok(Bed { cluster: Some(cluster), servers, edge: Edge::Tcp, baseline, _dir: dir })
    }

    pub fn target(&self) -> Target {
        Target { context: Platform::production(), nodes: self.servers.clone(), edge: self.edge }
    }

    /// Resident memory of all nodes together; unknown for a cluster that is not ours.
    pub fn resident_bytes(&self) -> Result<Option<u64>> {
        let Some(cluster) = &self.cluster else { return Ok(None) };
        let mut total = 0;
        for index in 0..cluster.len() {
            let pid = cluster.pid(index).context("a node has ended")?;
            let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
            let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
            let kib: u64 = line.split_whitespace().nth(1).context("VmRSS has no number")?.parse()?;
            total += kib * 1024;
        }
        Ok(Some(total))
    }

    /// Terms of all shards together, where this bench has its own cluster: each election begins
    /// another.
    pub async fn terms(&self) -> Result<Option<u64>> {
        let Some(cluster) = &self.cluster else { return Ok(None) };
        whole::terms(cluster).await.map(Some)
    }

    pub async fn stop(&mut self) -> Result<()> {
        match &mut self.cluster {
            Some(cluster) => cluster.stop_all(Duration::from_secs(15)).await,
            None => Ok(()),
        }
    }

    pub async fn finish(mut self, report: &impl Serialize, as_json: bool, more: Value) -> Result<()> {
        self.stop().await?;
        let mut all = serde_json::to_value(report)?;
        for part in [more, serde_json::to_value(&self.baseline)?] {
            if let (Value::Object(all), Value::Object(part)) = (&mut all, part) {
                all.extend(part);
            }
        }
        print(all, as_json)
    }
}

pub fn print(figures: Value, as_json: bool) -> Result<()> {
    if as_json {
        println!("{figures}");
        return Ok(());
    }
    for (name, value) in figures.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::Number(number) if number.is_f64() => {
                println!("{name:<26}{:>14.2}", number.as_f64().unwrap_or_default())
            }
            Value::String(text) => println!("{name:<26}{text}"),
            other => println!("{name:<26}{:>14}", other.to_string()),
        }
    }
    Ok(())
}
