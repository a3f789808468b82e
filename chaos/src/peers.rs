//! Controls: other systems under the faults that our nodes get, so that the harness itself is
//! measured. Run by `scripts/controls`, outside of any test.
//!
//! NATS JetStream as it comes is the negative control: it acknowledges before it syncs, and a power
//! loss that does not show this shows nothing of us either. RabbitMQ's quorum queues are the
//! positive one: they sync before they confirm, and a harness that sees a loss there invents it.
//! Three servers on loopback, each with a disk of its own; six publishers send one message at a
//! time and count those that were acknowledged; the fault; then every message that the servers
//! still hold is read.

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
/// One question to a server, or one connection.
const REQUEST: Duration = Duration::from_secs(5);
/// Servers must form a cluster, and come back after the fault, within this.
const PATIENCE: Duration = Duration::from_secs(120);
/// What is missing after this stays missing.
const SETTLED: Duration = Duration::from_secs(60);
/// Between two tries of anything that is not there yet.
const PAUSE: Duration = Duration::from_millis(200);
/// Acknowledgements are flowing again when the last one is no older.
const FLOWING: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Peer {
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
    pub control: Peer,
    /// What the server says of itself.
    pub version: String,
    pub fault: Fault,
    pub seconds: u64,
    pub acked: usize,
    pub lost: usize,
    /// The longest time without an acknowledgement since a leader's fault. None without power:
    /// nobody publishes then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap_ms: Option<u64>,
}

impl Report {
    /// Whether the control did what it is there for. One that does not makes every other result of
    /// the harness doubtful.
    pub fn as_expected(&self) -> bool {
        let expected = match (self.control, self.fault) {
            (Peer::Nats, Fault::PowerLossAll) => self.lost > 0,
            // Nothing rests on what it does here.
            (Peer::Nats, Fault::KillLeader | Fault::FreezeLeader) => true,
            (Peer::RabbitMq, _) => self.lost == 0,
        };
        self.acked > 0 && expected
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |value: Option<clap::builder::PossibleValue>| value.map(|v| v.get_name().to_owned());
        let (peer, fault) = (name(self.control.to_possible_value()), name(self.fault.to_possible_value()));
        write!(f, "{} {}, {}: ", peer.unwrap_or_default(), self.version, fault.unwrap_or_default())?;
        write!(f, "{} acknowledged, {} lost", self.acked, self.lost)?;
        match self.gap_ms {
            Some(gap) => write!(f, ", {gap} ms without an acknowledgement"),
            None => Ok(()),
        }
    }
}

/// `at` is the nats-server program, or the folder that RabbitMQ's packages were unpacked into (`/`
/// if they are installed).
pub async fn run(peer: Peer, at: &Path, fault: Fault, seconds: u64) -> Result<Report> {
    if let Some(why) = disk::impossible() {
        bail!("the control wants power loss: {why}");
    }
    let folder = tempfile::tempdir()?;
    let (version, tally) = match peer {
        Peer::Nats => play(&nats::Nats::new(at), folder.path(), fault, seconds).await?,
        Peer::RabbitMq => play(&rabbitmq::RabbitMq::new(at, folder.path())?, folder.path(), fault, seconds).await?,
    };
    let Tally { acked, lost, gap } = tally;
    Ok(Report { control: peer, version, fault, seconds, acked, lost, gap_ms: gap.map(|gap| gap.as_millis() as u64) })
}

/// What a control has to know of a system.
trait System {
    type Client: Client;
    /// Runs server `node`, which keeps everything in `data`; the process that starts must be the
    /// server itself.
    fn server(&self, node: usize, data: &Path) -> Command;
    /// Once all servers were started: awaits the cluster and makes what is published to, on all
    /// three.
    async fn prepare(&self) -> Result<()>;
    async fn connect(&self, node: usize) -> Result<Self::Client>;
    /// The server that leads what is published to.
    async fn leader(&self) -> Result<usize>;
    /// Every message that is held; an error if that cannot be told now.
    async fn read(&self) -> Result<BTreeSet<String>>;
}

trait Client {
    fn version(&self) -> &str;
    /// Whether the servers said that they have it; an error is the connection's end.
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
        // Dropped when the fault is done with: what is under way then was not acknowledged.
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
    let lost = lost(system, &acked).await.context("the cluster does not come back")?;
    Ok((version, Tally { acked: acked.len(), lost, gap }))
}

/// What is still missing when the servers had time to settle: one that was frozen takes itself for
/// the leader at first, and shows what it knows.
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

/// Lets people publish for a while. The leader's faults happen while they do, and it ends when they
/// can again.
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
    eprintln!("  the leader is gone");
    // As long again, because a gap may begin late, and then until they flow.
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

/// Does not end. One message at a time, each with a body of its own, on the next server when one
/// goes away.
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
                // Refusals may come at once, and asking again does not hasten an election.
                Ok(false) => sleep(PAUSE / 10).await,
                Err(_) => break,
            }
        }
    }
}

/// Tries until it works or patience ends; the last error tells why.
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

/// Ends its process before its disk is taken away: fields are dropped in order.
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

    /// Undoes whatever was done to it.
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
            control: Peer::RabbitMq,
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
        report.control = Peer::Nats;
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
