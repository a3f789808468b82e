//! One run: start a cluster, let people chat while things break, heal, drain, read everything back, judge.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::Instant;
use troupe_runtime::Rng;

use crate::checkers;
use crate::history::History;
use crate::local::{self, LocalCluster, Options};
use crate::nemesis::Nemesis;
use crate::recorder::Recorder;
use crate::replicas;
use crate::report::{Report, Run};
use crate::scenario::Scenario;
use crate::workload::Workload;

#[derive(Clone, Debug)]
pub struct RunOptions {
    pub binary: PathBuf,
    pub scenario: Scenario,
    pub seconds: u64,
    pub seed: u64,
    /// Sends per second, all devices together.
    pub rate: u64,
    /// Where the cluster and the history are kept; a temporary folder if not given.
    pub keep: Option<PathBuf>,
    /// A deliberate bug for the nodes to carry.
    pub plant: Option<String>,
    pub verbose: bool,
    /// First port to try.
    pub port: u16,
}

const NODES: usize = 3;
const START: Duration = Duration::from_secs(60);
/// After healing, everything must be settled and delivered within this.
const DRAIN: Duration = Duration::from_secs(60);

pub async fn run(options: RunOptions) -> Result<Report> {
    let temporary = tempfile::tempdir()?;
    let dir = options.keep.clone().unwrap_or_else(|| temporary.path().to_owned());
    let token = local::new_token(&options.binary)?;
    let settings = [("debug.replica", "true"), ("drain.seconds", "5")];
    let mut cluster = LocalCluster::plan(
        Options {
            binary: options.binary.clone(),
            dir: dir.clone(),
            nodes: NODES,
            settings: settings.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
            environment: options.plant.iter().map(|plant| ("TROUPE_PLANT".to_owned(), plant.clone())).collect(),
            ports: (options.port, options.port + 100, options.port + 200),
        },
        || token,
    )?;
    cluster.start_all()?;
    let everybody: Vec<usize> = (0..NODES).collect();
    cluster.wait_ready(&everybody, START).await.context("the cluster does not start")?;

    let outcome = play(&options, &mut cluster).await;
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
    let violations = checkers::check(&played.history);
    Ok(Report::new(Run {
        scenario: options.scenario,
        seed: options.seed,
        seconds: options.seconds,
        faults: played.faults,
        history: &played.history,
        violations: &violations,
        span: played.span,
        reasons: played.reasons,
    }))
}

/// What the run did, before judging.
struct Played {
    history: History,
    faults: u64,
    /// When the workload began and ended, on the recorder's clock.
    span: (u64, u64),
    reasons: Vec<String>,
}

async fn play(options: &RunOptions, cluster: &mut LocalCluster) -> Result<Played> {
    let recorder = Arc::new(Recorder::new(options.verbose));
    let rng = Arc::new(Rng::from_seed(options.seed));
    let nemesis_rng = Rng::from_seed(options.seed ^ 0x006e_656d_6573_6973);
    let workload = Workload::set_up(&cluster.client_addresses(), recorder.clone(), rng).await.context("set up")?;

    let begin = recorder.now();
    let until = Instant::now() + Duration::from_secs(options.seconds);
    let mut nemesis = Nemesis::new(cluster, &recorder, &nemesis_rng);
    let (faults, ()) = tokio::join!(nemesis.run(options.scenario, until), workload.run(options.rate, until));
    let faults = faults?;
    let end = recorder.now();

    let everybody: Vec<usize> = (0..cluster.len()).collect();
    cluster.wait_ready(&everybody, START).await.context("the healed cluster is not ready")?;
    let mut reasons = Vec::new();
    let pending = workload.settle(DRAIN).await;
    if pending > 0 {
        reasons.push(format!("{pending} sends have no outcome {DRAIN:?} after healing"));
    }
    let finals = replicas::collect(cluster, DRAIN).await?;
    let heads: BTreeMap<String, u64> =
        finals.values().flatten().fold(BTreeMap::new(), |mut heads, (conversation, log)| {
            let head = heads.entry(conversation.clone()).or_insert(0);
            *head = log.head.max(*head);
            heads
        });
    let behind = workload.drain(&heads, DRAIN).await;
    reasons.extend(behind);

    let cursors = workload.final_positions();
    workload.stop().await;
    let history = History { records: recorder.take(), finals, cursors };
    Ok(Played { history, faults, span: (begin, end), reasons })
}
