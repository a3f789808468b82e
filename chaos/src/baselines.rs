//! Controls: other systems under the same faults as our nodes, to validate the harness itself. Run
//! by `scripts/controls`, outside of any test.
//!
//! NATS JetStream with defaults is the negative control: it acknowledges before it syncs, so a
//! power loss test that finds no loss there proves nothing. RabbitMQ's quorum queues are the
//! positive control: they sync before they confirm, so a loss found there is a harness error. Three
//! servers run on loopback with a disk each. Six publishers send one message at a time and count
//! acknowledgements. After the fault, all messages that the servers hold are read.

mod nats;
mod rabbitmq;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use futures::future::join_all;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::disk::{self, Disk};

const NODES: usize = 3;
const PUBLISHERS: usize = 6;
/// Limit for one request or one connection.
const REQUEST: Duration = Duration::from_secs(5);
/// Limit for the servers to form a cluster, and to return after the fault.
const PATIENCE: Duration = Duration::from_secs(120);
/// A message that is missing after this time is lost.
const SETTLED: Duration = Duration::from_secs(60);
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(200);
/// Acknowledgements flow again if the last one is at most this old.
const FLOWING: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Baseline {
    /// JetStream, file storage, three replicas, its own fsync interval
    Nats,
    /// One quorum queue, publisher confirms
    #[value(name = "rabbitmq")]
    RabbitMq,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// All three servers lose power at once
    PowerLossAll,
    /// SIGKILL to the server that leads
    KillLeader,
    /// SIGSTOP to the server that leads
    FreezeLeader,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub control: Baseline,
    /// The version that the server reports.
    pub version: String,
    pub fault: Fault,
    pub seconds: u64,
    pub acked: usize,
    pub lost: usize,
    /// The longest time without an acknowledgement after a leader fault. None for power loss, when
    /// no publisher runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap_ms: Option<u64>,
}

impl Report {
    /// Whether the control behaved as expected. If not, all other results of the harness are
    /// doubtful.
    pub fn as_expected(&self) -> bool {
        let expected = match (self.control, self.fault) {
            (Baseline::Nats, Fault::PowerLossAll) => self.lost > 0,
            // No conclusion depends on this case.
            (Baseline::Nats, Fault::KillLeader | Fault::FreezeLeader) => true,
            (Baseline::RabbitMq, _) => self.lost == 0,
        };
        self.acked > 0 && expected
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |value: Option<clap::builder::PossibleValue>| value.map(|v| v.get_name().to_owned());
        let (baseline, fault) = (name(self.control.to_possible_value()), name(self.fault.to_possible_value()));
        write!(f, "{} {}, {}: ", baseline.unwrap_or_default(), self.version, fault.unwrap_or_default())?;
        write!(f, "{} acknowledged, {} lost", self.acked, self.lost)?;
        match self.gap_ms {
            Some(gap) => write!(f, ", {gap} ms without an acknowledgement"),
            None => Ok(()),
        }
    }
}

/// `at` is the nats-server program, or the folder with RabbitMQ's unpacked packages (`/` if they
/// are installed).
pub async fn run(baseline: Baseline, at: &Path, fault: Fault, seconds: u64) -> Result<Report> {
    if let Some(why) = disk::impossible() {
        bail!("the control needs power loss: {why}");
    }
    let folder = tempfile::tempdir()?;
    let (version, tally) = match baseline {
        Baseline::Nats => play(&nats::Nats::new(at), folder.path(), fault, seconds).await?,
        Baseline::RabbitMq => play(&rabbitmq::RabbitMq::new(at, folder.path())?, folder.path(), fault, seconds).await?,
    };
    let Tally { acked, lost, gap } = tally;
    Ok(Report {
        control: baseline,
        version,
        fault,
        seconds,
        acked,
        lost,
        gap_ms: gap.map(|gap| gap.as_millis() as u64),
    })
}

/// Interface of a system under control.
trait System {
    type Client: Client;
    /// The command of server `node`, with its data in `data`. The process must be the server
    /// itself.
    fn server(&self, node: usize, data: &Path) -> Command;
    /// After all servers have started: waits for the cluster, and creates the stream or queue on
    /// all three.
    async fn prepare(&self) -> Result<()>;
    async fn connect(&self, node: usize) -> Result<Self::Client>;
    /// The server that leads the stream or queue.
    async fn leader(&self) -> Result<usize>;
    /// Every stored message. An error if this is unavailable now.
    async fn read(&self) -> Result<BTreeSet<String>>;
}

trait Client {
    fn version(&self) -> &str;
    /// Whether the servers acknowledged the message. An error ends the connection.
    async fn publish(&mut self, body: &str) -> Result<bool>;
}

struct Tally {
    acked: usize,
    lost: usize,
    gap: Option<Duration>,
}

type Acks = Mutex<Vec<(Instant, String)>>;

async fn play<S: System>(system: &S, folder: &Path, fault: Fault, seconds: u64) -> Result<(String, Tally)> {
    let mut servers = Vec::new();
    for node in 0..NODES {
        servers.push(Server::new(folder, node)?);
    }
    for server in &mut servers {
        server.start(system)?;
    }
    let prepared = timeout(2 * PATIENCE, system.prepare()).await;
    prepared.context("the cluster does not form in time")?.context("the cluster does not form")?;
    let version = system.connect(0).await?.version().to_owned();

    let acks = Acks::default();
    let publishers = join_all((0..PUBLISHERS).map(|number| publish(system, number, &acks)));
    let gap = tokio::select! {
        // Dropped after the fault: messages in flight then were not acknowledged.
        _ = publishers => bail!("publishers do not end by themselves"),
        gap = disturb(system, &mut servers, &acks, fault, seconds) => gap?,
    };
    let acked: BTreeSet<String> = acks.into_inner().into_iter().map(|(_, body)| body).collect();
    eprintln!("  {} messages acknowledged", acked.len());
    if fault == Fault::PowerLossAll {
        for server in &servers {
            server.disk.lose_power()?;
        }
        for server in &mut servers {
            server.kill().await?;
        }
        for server in &mut servers {
            server.disk.power_up()?;
        }
    }
    for server in &mut servers {
        server.come_back(system)?;
    }
    let lost = lost(system, &acked).await.context("the cluster does not return")?;
    Ok((version, Tally { acked: acked.len(), lost, gap }))
}

/// Messages missing after the servers had time to settle. A server that was frozen still believes
/// to be the leader at first.
async fn lost(system: &impl System, acked: &BTreeSet<String>) -> Result<usize> {
    let deadline = Instant::now() + SETTLED;
    loop {
        let held = within(PATIENCE, async || system.read().await).await?;
        let lost = acked.difference(&held).count();
        eprintln!("  {} messages held, {lost} missing", held.len());
        if lost == 0 || Instant::now() > deadline {
            return Ok(lost);
        }
        sleep(REQUEST).await;
    }
}

/// Runs the publishers for a while. Leader faults happen meanwhile, and this returns when
/// acknowledgements flow again.
async fn disturb<S: System>(
    system: &S,
    servers: &mut [Server],
    acks: &Acks,
    fault: Fault,
    seconds: u64,
) -> Result<Option<Duration>> {
    let span = Duration::from_secs(seconds);
    sleep(span).await;
    if fault == Fault::PowerLossAll {
        return Ok(None);
    }
    let leader = servers.get_mut(system.leader().await?).context("a leader beyond the servers")?;
    let begin = Instant::now();
    match fault {
        Fault::FreezeLeader => leader.freeze()?,
        _ => leader.kill().await?,
    }
    eprintln!("  the leader has failed");
    // As long again, because a gap may begin late, and then until acknowledgements flow.
    sleep(span).await;
    while acks.lock().last().is_none_or(|(at, _)| at.elapsed() > FLOWING) && begin.elapsed() < span + PATIENCE {
        sleep(PAUSE).await;
    }
    Ok(Some(longest_gap(begin, Instant::now(), acks.lock().iter().map(|(at, _)| *at))))
}

fn longest_gap(begin: Instant, end: Instant, acks: impl Iterator<Item = Instant>) -> Duration {
    let (mut last, mut longest) = (begin, Duration::ZERO);
    for at in acks.filter(|at| *at > begin).chain([end]) {
        longest = longest.max(at - last);
        last = at;
    }
    longest
}

/// Runs forever. Publishes one message at a time, each with a unique body, and moves to the next
/// server when a connection ends.
async fn publish<S: System>(system: &S, number: usize, acks: &Acks) {
    let mut count = 0u64;
    for node in (0..NODES).cycle().skip(number) {
        let Ok(mut client) = system.connect(node).await else {
            sleep(PAUSE).await;
            continue;
        };
        loop {
            count += 1;
            let body = format!("{number}-{count}");
            match client.publish(&body).await {
                Ok(true) => acks.lock().push((Instant::now(), body)),
                // Refusals may be immediate, and retries do not speed up an election.
                Ok(false) => sleep(PAUSE / 10).await,
                Err(_) => break,
            }
        }
    }
}

/// Retries until success or the end of the patience. Returns the last error.
async fn within<T>(patience: Duration, mut what: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        match what().await {
            Ok(done) => return Ok(done),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// The process ends before its disk is unmounted: fields are dropped in order.
struct Server {
    node: usize,
    child: Option<Child>,
    frozen: bool,
    disk: Disk,
    data: PathBuf,
}

impl Server {
    fn new(folder: &Path, node: usize) -> Result<Server> {
        let data = folder.join(format!("data-{node}"));
        let disk = Disk::mount(&folder.join(format!("disk-{node}.img")), &data, disk::BYTES)?;
        Ok(Server { node, child: None, frozen: false, disk, data })
    }

    fn start(&mut self, system: &impl System) -> Result<()> {
        let mut command = system.server(self.node, &self.data);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("cannot run {:?}", command.as_std().get_program()))?;
        self.child = Some(child);
        Ok(())
    }

    async fn kill(&mut self) -> Result<()> {
        self.child.take().context("no server")?.kill().await.context("a server")
    }

    fn freeze(&mut self) -> Result<()> {
        self.frozen = true;
        self.signal(Signal::SIGSTOP)
    }

    /// Undoes the fault.
    fn come_back(&mut self, system: &impl System) -> Result<()> {
        match self.child {
            None => self.start(system),
            Some(_) if self.frozen => self.signal(Signal::SIGCONT),
            Some(_) => Ok(()),
        }
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.child.as_ref().and_then(Child::id).context("the server has ended by itself")?;
        kill(Pid::from_raw(pid as i32), signal).context("a signal to a server")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_for_each_control() {
        let mut report = Report {
            control: Baseline::RabbitMq,
            version: "3.10.8".into(),
            fault: Fault::PowerLossAll,
            seconds: 20,
            acked: 5_794,
            lost: 0,
            gap_ms: None,
        };
        let line =
            r#"{"control":"rabbitmq","version":"3.10.8","fault":"power-loss-all","seconds":20,"acked":5794,"lost":0}"#;
        assert_eq!(serde_json::to_string(&report).expect("JSON"), line);
        assert!(report.as_expected());
        report.lost = 1;
        assert!(!report.as_expected());
        report.control = Baseline::Nats;
        assert!(report.as_expected());
        report.acked = 0;
        assert!(!report.as_expected());
    }

    #[test]
    fn a_gap_at_either_end_counts() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let gap = |acks: &[u64]| longest_gap(begin, at(100), acks.iter().map(|ms| at(*ms))).as_millis();
        assert_eq!(gap(&[]), 100);
        assert_eq!(gap(&[70, 80]), 70);
        assert_eq!(gap(&[10, 50]), 50);
        assert_eq!(gap(&[10, 60, 90]), 50);
    }
}
