//! Processes of a peer: started on loopback in a folder of their own, ended by their own ids, their
//! processor time.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// Servers of each system.
pub const NODES: usize = 3;
/// Limit for the servers to form a cluster.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// Pause between two attempts.
const ATTEMPT: Duration = Duration::from_millis(200);
/// Ports are taken from here on, below the range of outgoing connections.
const FIRST_PORT: u16 = 29_400;
const LAST_PORT: u16 = 32_000;
/// The unit of `/proc/<pid>/stat`, on every architecture of Linux that has tier 1 support.
const TICKS_PER_S: f64 = 100.0;
/// Bytes of one append of the baseline, as in `troupe bench disk`.
const APPEND_BYTES: usize = 512;
/// Time of the baseline.
const BASELINE: Duration = Duration::from_secs(1);

/// The servers of one system. [`Servers::end`] ends them, and so does the end of this process.
#[derive(Default)]
pub struct Servers {
    children: Vec<Child>,
    /// Daemons that the servers need. Their work does not count.
    helpers: Vec<Child>,
}

impl Servers {
    pub fn start(&mut self, command: Command, log: &Path) -> Result<()> {
        self.children.push(spawn(command, log)?);
        Ok(())
    }

    pub fn start_helper(&mut self, command: Command, log: &Path) -> Result<()> {
        self.helpers.push(spawn(command, log)?);
        Ok(())
    }

    /// Process ids of the servers.
    pub fn pids(&self) -> Result<Vec<u32>> {
        let pids: Option<Vec<u32>> = self.children.iter().map(Child::id).collect();
        pids.context("a server has ended by itself")
    }

    /// Fails when a server has ended by itself.
    pub fn check(&mut self) -> Result<()> {
        for child in self.children.iter_mut().chain(&mut self.helpers) {
            if let Some(status) = child.try_wait()? {
                bail!("a server ended with {status}");
            }
        }
        Ok(())
    }

    /// SIGKILL, because nothing of the data is needed again; returns when all have ended.
    pub async fn end(&mut self) -> Result<()> {
        for mut child in self.children.drain(..).chain(self.helpers.drain(..)) {
            // One that has ended by itself cannot be killed again.
            if child.try_wait()?.is_none() {
                child.kill().await.context("a server does not end")?;
            }
        }
        Ok(())
    }
}

/// The servers end with this process, even if it is killed.
pub fn bound_to_us(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

fn spawn(mut command: Command, log: &Path) -> Result<Child> {
    let log = std::fs::File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
    command.spawn().with_context(|| format!("cannot run {:?}", command.as_std()))
}

/// Retries until success or the end of the patience. Fails at once when a server has ended.
pub async fn within<T>(servers: &mut Servers, mut what: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        servers.check()?;
        match what().await {
            Ok(done) => return Ok(done),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => sleep(ATTEMPT).await,
        }
    }
}

/// Free ports of loopback.
#[allow(clippy::disallowed_methods, reason = "probes for servers that are not ours")]
pub fn ports(count: usize) -> Result<Vec<u16>> {
    let mut held = Vec::new();
    for port in FIRST_PORT..=LAST_PORT {
        if held.len() == count {
            break;
        }
        if let Ok(listener) = std::net::TcpListener::bind(("127.0.0.1", port)) {
            held.push((port, listener));
        }
    }
    ensure!(
        held.len() == count,
        "fewer than {count} of the ports {FIRST_PORT} to {LAST_PORT} are free: end other servers"
    );
    Ok(held.into_iter().map(|(port, _)| port).collect())
}

/// User and system time of these processes together, in seconds.
pub fn cpu_s(pids: &[u32]) -> Result<f64> {
    let mut total = 0.0;
    for pid in pids {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("a server has ended by itself")?;
        total += processor_time(&stat)?;
    }
    Ok(total)
}

fn processor_time(stat: &str) -> Result<f64> {
    // The name of the program, in parentheses, may have spaces.
    let (_, rest) = stat.rsplit_once(')').context("no name in stat")?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut next = || fields.next().and_then(|ticks| ticks.parse::<f64>().ok()).context("no times in stat");
    Ok((next()? + next()?) / TICKS_PER_S)
}

/// Median and 99th percentile of append plus fdatasync in this folder, in milliseconds. Blocks for
/// a second, so nothing else may be measured meanwhile.
pub fn fsync_ms(folder: &Path) -> Result<(f64, f64)> {
    let mut histogram = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?;
    let path = folder.join("fsync-probe");
    let mut file = std::fs::File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let start = Instant::now();
    while start.elapsed() < BASELINE {
        let before = Instant::now();
        file.write_all(&[7u8; APPEND_BYTES])?;
        file.sync_data()?;
        histogram.saturating_record(before.elapsed().as_micros() as u64);
    }
    std::fs::remove_file(path)?;
    let ms = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
    Ok((ms(0.5), ms(0.99)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stand_behind_the_name() {
        let stat = "42 (beam smp) S 1 1 1 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 9 0 1 1 1";
        assert_eq!(processor_time(stat).ok(), Some(3.0));
        assert!(processor_time("42 (beam) S 1").is_err());
    }

    #[test]
    fn ports_differ_and_are_free() {
        let ports = ports(5).expect("free ports");
        let distinct: std::collections::BTreeSet<_> = ports.iter().collect();
        assert_eq!(distinct.len(), 5);
    }

    #[tokio::test]
    async fn a_server_that_has_ended_is_noticed_and_others_are_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut servers = Servers::default();
        let mut sleeper = bound_to_us("sleep");
        sleeper.arg("60");
        servers.start(sleeper, &folder.path().join("log")).expect("sleep runs");
        let pid = servers.pids().expect("it runs")[0];
        servers.check().expect("it runs");
        servers.end().await.expect("it ends");
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
        servers.start(bound_to_us("true"), &folder.path().join("log")).expect("true runs");
        let noticed = within(&mut servers, async || -> Result<()> { bail!("not yet") }).await;
        assert!(noticed.expect_err("it has ended").to_string().contains("ended with"));
        servers.end().await.expect("none is left");
    }
}
