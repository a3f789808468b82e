//! One run: starts a cluster, runs workload and faults, heals, drains, reads all replicas, and
//! checks the promises.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use troupe_runtime::{Platform, Rng};

use crate::checkers::{self, Violation};
use crate::history::History;
use crate::local::{self, LocalCluster, Options};
use crate::nemesis::Nemesis;
use crate::recorder::{Recorder, Window};
use crate::report::{Report, Run};
pub use crate::scenario::Capabilities;
use crate::scenario::Scenario;
use crate::workload::Workload;
use crate::workload::edges::{self, Done};
use crate::{disk, proxy, replicas, shim};

#[derive(Clone, Debug)]
pub struct RunOptions {
    pub binary: PathBuf,
    pub scenario: Scenario,
    pub seconds: u64,
    pub seed: u64,
    /// Sends per second, all devices together.
    pub rate: u64,
    /// The default is the scenario's own number.
    pub nodes: Option<usize>,
    /// Folder of cluster and history. The default is a temporary folder.
    pub keep: Option<PathBuf>,
    /// Another version, for the last node.
    pub other: Option<PathBuf>,
    /// A planted bug for the nodes.
    pub bug: Option<String>,
    pub verbose: bool,
    /// First port to try.
    pub port: u16,
    /// Limit for all sends and deliveries to complete after healing.
    pub drain: Duration,
}

impl RunOptions {
    pub fn new(binary: PathBuf, scenario: Scenario, seconds: u64, seed: u64) -> RunOptions {
        let (nodes, keep, other, bug) = (None, None, None, None);
        RunOptions {
            binary,
            scenario,
            seconds,
            seed,
            rate: 250,
            nodes,
            keep,
            other,
            bug,
            verbose: true,
            port: 27_000,
            drain: DRAIN,
        }
    }
}

/// The complete result of a run.
pub struct Finished {
    pub report: Report,
    pub history: History,
    pub windows: Vec<Window>,
    pub violations: Vec<Violation>,
    /// Start and end of the workload, on the recorder's clock.
    pub span: (u64, u64),
}

const START: Duration = Duration::from_secs(60);
/// The default of a run.
pub const DRAIN: Duration = Duration::from_secs(60);

/// The fault injection that this machine supports.
pub fn capabilities() -> Capabilities {
    Capabilities { proxies: proxy::is_possible(), shims: shim::is_possible(), disks: disk::impossible().is_none() }
}

pub async fn run(options: RunOptions) -> Result<Report> {
    let recorder = Arc::new(Recorder::new(options.verbose));
    Ok(run_watched(options, recorder).await?.report)
}

/// Runs with a recorder that a live view can read.
pub async fn run_watched(options: RunOptions, recorder: Arc<Recorder>) -> Result<Finished> {
    let temporary = tempfile::tempdir()?;
    let dir = options.keep.clone().unwrap_or_else(|| temporary.path().to_owned());
    let token = local::new_token(&options.binary)?;
    // The users of a workload share groups without earlier messages between them.
    let settings = [("debug.replica", "true"), ("drain.seconds", "5"), ("contacts.strangers", "add")];
    let requirements = options.scenario.requirements();
    let mut cluster = LocalCluster::plan(
        Options {
            binary: options.binary.clone(),
            dir: dir.clone(),
            nodes: options.nodes.unwrap_or(requirements.nodes),
            settings: settings.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
            environment: options.bug.iter().map(|bug| ("TROUPE_PLANTED_BUG".to_owned(), bug.clone())).collect(),
            ports: (options.port, options.port + 100, options.port + 200),
        },
        || token,
    )?;
    if let Some(other) = &options.other {
        cluster.mix(other.clone());
    }
    let capabilities = capabilities();
    let mixed = options.scenario == Scenario::Mixed;
    // Only the required parts: each costs a little, and plain scenarios should measure plain nodes.
    if requirements.proxies || (mixed && capabilities.proxies) {
        cluster.put_proxies(options.seed).await?;
    }
    if requirements.disks || (mixed && capabilities.disks) {
        cluster.put_disks(disk::BYTES)?;
    }
    if requirements.shims || (mixed && capabilities.shims) {
        cluster.put_shims()?;
    }
    cluster.start_all()?;
    let everybody: Vec<usize> = (0..cluster.len()).collect();
    cluster.wait_ready(&everybody, START).await.context("the cluster does not start")?;

    let outcome = play(&options, capabilities, &mut cluster, recorder.clone()).await;
    let stopped = cluster.stop_all(Duration::from_secs(10)).await;
    let played = match outcome {
        Ok(played) => played,
        Err(error) => {
            let logs: Vec<String> = everybody.iter().map(|i| cluster.last_log_lines(*i)).collect();
            return Err(error.context(format!("the last log lines of the nodes:\n{}", logs.join("\n--\n"))));
        }
    };
    stopped?;
    if let Some(dir) = &options.keep {
        std::fs::write(dir.join("history.json"), serde_json::to_vec(&played.history)?)?;
    }
    let mut violations = checkers::check(&played.history);
    violations.extend(played.missing);
    let windows = recorder.windows();
    let report = Report::new(Run {
        scenario: options.scenario,
        seed: options.seed,
        seconds: options.seconds,
        faults: played.faults,
        history: &played.history,
        violations: &violations,
        windows: &windows,
        span: played.span,
        reasons: played.reasons,
        edges: played.edges,
    });
    Ok(Finished { report, history: played.history, windows, violations, span: played.span })
}

/// The result of a run before the checks.
struct Played {
    history: History,
    missing: Vec<Violation>,
    faults: u64,
    /// Start and end of the workload, on the recorder's clock.
    span: (u64, u64),
    reasons: Vec<String>,
    edges: BTreeMap<&'static str, Done>,
}

async fn play(
    options: &RunOptions,
    capabilities: Capabilities,
    cluster: &mut LocalCluster,
    recorder: Arc<Recorder>,
) -> Result<Played> {
    let rng = Arc::new(Rng::from_seed(options.seed));
    let nemesis_rng = Rng::from_seed(options.seed ^ 0x006e_656d_6573_6973);
    // An earlier version may lack an edge, and tells checkers nothing of reactions.
    let all_edges = options.scenario.uses_all_edges() && options.other.is_none();
    let nodes = cluster.client_addresses();
    let mut workload = Workload::set_up(&nodes, recorder.clone(), rng, all_edges).await.context("set up")?;
    if options.scenario == Scenario::Mixed && all_edges {
        workload.add_people(&nodes).await.context("add people")?;
    }

    recorder.start_gaps();
    let begin = recorder.now();
    let until = Instant::now() + Duration::from_secs(options.seconds);
    let mut nemesis = Nemesis::new(cluster, &recorder, &nemesis_rng, capabilities, &workload);
    // The workload continues until the last fault is healed, because progress is measured during
    // each fault.
    let ended = CancellationToken::new();
    let breaking = async {
        let faults = nemesis.run(options.scenario, until).await;
        ended.cancel();
        faults
    };
    let (faults, ()) = tokio::join!(breaking, workload.run(options.rate, &ended));
    let faults = faults?;
    let end = recorder.now();

    let everybody: Vec<usize> = (0..cluster.len()).collect();
    cluster.wait_ready(&everybody, START).await.context("the healed cluster is not ready")?;
    let mut reasons = workload.turned_away();
    let pending = workload.settle(options.drain).await;
    if pending > 0 {
        reasons.push(format!("{pending} sends have no outcome {:?} after healing", options.drain));
    }
    let read_ms = Some(Platform::production().clock.now().0);
    let replicas::Collected { finals, mut missing } = replicas::collect(cluster, options.drain).await?;
    let heads: BTreeMap<String, u64> =
        finals.values().flatten().fold(BTreeMap::new(), |mut heads, (conversation, log)| {
            let head = heads.entry(conversation.clone()).or_insert(0);
            *head = log.head.max(*head);
            heads
        });
    let behind = workload.drain(&heads, options.drain).await;
    reasons.extend(behind);

    let cursors = workload.final_positions();
    let edges = workload.edges().clone();
    missing.extend(workload.wrong());
    workload.stop().await;
    let history = History { records: recorder.take(), finals, cursors, read_ms, ..History::default() };
    let edges = edges::done(&history, &edges);
    if all_edges {
        reasons.extend(edges::idle(&edges));
    }
    Ok(Played { history, missing, faults, span: (begin, end), reasons, edges })
}
