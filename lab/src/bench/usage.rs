//! The work of a cluster's nodes over a time: processor time, context switches, writes to the disk,
//! syncs and calls between nodes. The load generator is a process of its own and does not count.

use std::ops::Sub;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::Instant;
use troupe_chaos::local::LocalCluster;
use troupe_client::load::sends;
use troupe_fetch as fetch;

/// The unit of `/proc/<pid>/stat`, on every architecture of Linux that has tier 1 support.
const TICKS_PER_S: f64 = 100.0;
const ANSWER: Duration = Duration::from_secs(2);

/// Counters of all nodes together.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    at: Instant,
    user_s: f64,
    system_s: f64,
    context_switches: u64,
    write_bytes: u64,
    fsyncs: f64,
    /// `None` for a version that does not count them.
    calls: Option<f64>,
}

/// The difference of two samples.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Usage {
    pub seconds: f64,
    pub cpu_user_s: f64,
    pub cpu_system_s: f64,
    pub context_switches: u64,
    pub write_bytes: u64,
    pub fsyncs: f64,
    pub calls: Option<f64>,
}

impl Sample {
    pub async fn of(cluster: &LocalCluster) -> Result<Sample> {
        let mut sample = Sample {
            at: Instant::now(),
            user_s: 0.0,
            system_s: 0.0,
            context_switches: 0,
            write_bytes: 0,
            fsyncs: 0.0,
            calls: None,
        };
        for index in 0..cluster.len() {
            let pid = cluster.pid(index).context("a node has ended")?;
            let (user_s, system_s) = processor_time(&std::fs::read_to_string(format!("/proc/{pid}/stat"))?)?;
            sample.user_s += user_s;
            sample.system_s += system_s;
            sample.context_switches += context_switches(pid)?;
            let io = std::fs::read_to_string(format!("/proc/{pid}/io"))?;
            sample.write_bytes += field(&io, "write_bytes:").context("no write_bytes")?;
            let (_, page) = fetch::get(&cluster.addresses(index).http, "/metrics", ANSWER).await?;
            let page = String::from_utf8_lossy(&page);
            sample.fsyncs += metric(&page, "troupe_fsync_seconds_count").unwrap_or_default();
            if let Some(calls) = metric(&page, "troupe_node_calls_total") {
                sample.calls = Some(sample.calls.unwrap_or_default() + calls);
            }
        }
        Ok(sample)
    }
}

impl Sub for Sample {
    type Output = Usage;

    fn sub(self, before: Sample) -> Usage {
        Usage {
            seconds: (self.at - before.at).as_secs_f64(),
            cpu_user_s: self.user_s - before.user_s,
            cpu_system_s: self.system_s - before.system_s,
            context_switches: self.context_switches.saturating_sub(before.context_switches),
            write_bytes: self.write_bytes.saturating_sub(before.write_bytes),
            fsyncs: self.fsyncs - before.fsyncs,
            calls: self.calls.zip(before.calls).map(|(after, before)| after - before),
        }
    }
}

impl Usage {
    pub fn cpu_s(&self) -> f64 {
        self.cpu_user_s + self.cpu_system_s
    }

    /// Processors in use on average.
    pub fn cpu_cores(&self) -> f64 {
        self.cpu_s() / self.seconds
    }
}

/// Runs a load, and measures the cluster during the time that counts.
pub async fn beside(cluster: &LocalCluster, mut options: sends::Options) -> Result<(sends::Report, Usage)> {
    let (marks, mut marked) = mpsc::channel(2);
    options.marks = Some(marks);
    let measuring = async {
        marked.recv().await.context("the load has not begun")?;
        let before = Sample::of(cluster).await?;
        marked.recv().await.context("the load has not ended")?;
        anyhow::Ok(Sample::of(cluster).await? - before)
    };
    tokio::try_join!(sends::run(options), measuring)
}

/// User and system time of a process, in seconds.
fn processor_time(stat: &str) -> Result<(f64, f64)> {
    // The name of the program, in parentheses, may have spaces.
    let (_, rest) = stat.rsplit_once(')').context("no name in stat")?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut next = || fields.next().and_then(|ticks| ticks.parse::<f64>().ok()).context("no times in stat");
    Ok((next()? / TICKS_PER_S, next()? / TICKS_PER_S))
}

/// Of all threads that run now. A thread that ends in between takes its own along, and threads of a
/// node do not end.
fn context_switches(pid: u32) -> Result<u64> {
    let mut total = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let Ok(status) = std::fs::read_to_string(thread?.path().join("status")) else { continue };
        total += field(&status, "voluntary_ctxt_switches:").unwrap_or_default();
        total += field(&status, "nonvoluntary_ctxt_switches:").unwrap_or_default();
    }
    Ok(total)
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn metric(page: &str, name: &str) -> Option<f64> {
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
    page.lines().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stand_behind_the_name() {
        let stat = "42 (tro upe) S 1 1 1 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 9 0 1 1 1";
        assert_eq!(processor_time(stat).ok(), Some((2.5, 0.5)));
        assert!(processor_time("42 (troupe) S 1").is_err());
    }

    #[test]
    fn fields_and_metrics_are_found_by_their_whole_name() {
        let status = "Name:\ttroupe\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n";
        assert_eq!(field(status, "voluntary_ctxt_switches:"), Some(12));
        assert_eq!(field(status, "nonvoluntary_ctxt_switches:"), Some(3));
        let page = "# HELP a b\ntroupe_fsync_seconds_count_x 1\ntroupe_fsync_seconds_count 7\n";
        assert_eq!(metric(page, "troupe_fsync_seconds_count"), Some(7.0));
        assert_eq!(metric(page, "troupe_node_calls_total"), None);
    }
}
