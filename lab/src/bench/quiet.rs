//! An idle cluster, without connections and with idle ones: processor time, context switches and
//! syncs of all nodes together.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use tokio::time::sleep;
use troupe_chaos::local::LocalCluster;
use troupe_client::load::{Target, idle};

use super::usage::{Sample, Usage};

/// After logins, until the actors of their users are passive and the last syncs are done.
const SETTLES: Duration = Duration::from_secs(60);
/// After the start of a cluster, until its last leadership has moved.
const STARTS: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, Serialize)]
pub struct Quiet {
    pub connections: usize,
    pub cpu_cores: f64,
    pub context_switches_per_s: f64,
    pub fsyncs_per_s: f64,
    pub calls_per_s: Option<f64>,
}

impl Quiet {
    fn of(connections: usize, usage: Usage) -> Quiet {
        Quiet {
            connections,
            cpu_cores: usage.cpu_cores(),
            context_switches_per_s: usage.context_switches as f64 / usage.seconds,
            fsyncs_per_s: usage.fsyncs / usage.seconds,
            calls_per_s: usage.calls.map(|calls| calls / usage.seconds),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub seconds: u64,
    /// Those of the first run.
    pub cpu_cores: f64,
    pub context_switches_per_s: f64,
    pub fsyncs_per_s: f64,
    pub runs: Vec<Quiet>,
}

/// Measures an idle cluster with as many connections as each entry says, which grow.
pub async fn run(cluster: &LocalCluster, target: &Target, connections: &[usize], seconds: u64) -> Result<Report> {
    let (mut runs, mut held, mut open) = (Vec::new(), Vec::new(), 0);
    sleep(STARTS).await;
    for &wanted in connections {
        if wanted > open {
            let options = idle::Options { target: target.clone(), connections: wanted - open, hold: Duration::ZERO };
            let opened = idle::open(&options).await?;
            open += opened.opened();
            held.push(opened);
            sleep(SETTLES).await;
        }
        let before = Sample::of(cluster).await?;
        sleep(Duration::from_secs(seconds)).await;
        runs.push(Quiet::of(open, Sample::of(cluster).await? - before));
    }
    let first = runs.first();
    Ok(Report {
        seconds,
        cpu_cores: first.map_or(0.0, |run| run.cpu_cores),
        context_switches_per_s: first.map_or(0.0, |run| run.context_switches_per_s),
        fsyncs_per_s: first.map_or(0.0, |run| run.fsyncs_per_s),
        runs,
    })
}
