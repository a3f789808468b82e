//! `troupe chaos`: runs scenarios on its own clusters and checks them (`list`, `run`), or injects
//! faults into a running demo (`kill`, `freeze`, `partition`, `network`, `heal`).

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use troupe_runtime::Rng;

use crate::baselines::{Baseline, Fault};
use crate::control::{self, Order, Victims};
use crate::external_cluster::{self, ExternalCluster};
use crate::html::{self, Made};
use crate::proxy::LinkConditions;
use crate::recorder::Recorder;
use crate::report::Verdict;
use crate::run::{self, Finished, RunOptions, run_watched};
use crate::scenario::Scenario;
use crate::{attack, baselines, export, judge, live};

#[derive(Subcommand)]
pub enum Chaos {
    /// One scenario per line
    List,
    /// Start a cluster, inject faults under load, and check every promise
    Run(Box<Run>),
    /// Check a history that another program recorded, one JSON object per line (see docs/chaos.md)
    Check {
        file: PathBuf,
        /// The scenario that ran
        #[arg(long, default_value = "calm")]
        scenario: String,
        /// One line of JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Run another system under the same faults (see scripts/controls)
    #[command(hide = true)]
    Control {
        baseline: Baseline,
        /// The nats-server program, or the folder with RabbitMQ's unpacked packages
        at: PathBuf,
        #[arg(long, value_enum, default_value_t = Fault::PowerLossAll)]
        fault: Fault,
        /// How long clients publish before the fault
        #[arg(long, default_value_t = 20)]
        seconds: u64,
        /// One line of JSON at the end
        #[arg(long)]
        json: bool,
    },
    /// Kill nodes of a running demo
    Kill {
        /// leader, follower, all, or numbers as in 1,3
        victims: Victims,
        #[command(flatten)]
        demo: Demo,
    },
    /// Freeze nodes of a running demo
    Freeze {
        /// leader, follower, all, or numbers as in 1,3
        victims: Victims,
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        #[command(flatten)]
        demo: Demo,
    },
    /// Partition the nodes of a running demo (started with --chaos) until `heal`
    Partition {
        /// The sides, as in `leader` or `1,2 3`; unnamed nodes form one more side
        #[arg(required = true)]
        sides: Vec<Victims>,
        /// The first side hears the others, but is not heard by them
        #[arg(long)]
        one_way: bool,
        #[command(flatten)]
        demo: Demo,
    },
    /// Degrade the network of a running demo (started with --chaos) until `heal`
    #[command(alias = "weather")]
    Network {
        #[arg(long, default_value_t = 0)]
        delay_ms: u64,
        #[arg(long, default_value_t = 0)]
        jitter_ms: u64,
        /// Packets lost, in percent
        #[arg(long, default_value_t = 0.0)]
        loss: f64,
        /// Bytes per second and connection
        #[arg(long)]
        bandwidth: Option<u64>,
        #[command(flatten)]
        demo: Demo,
    },
    /// Attack fresh clusters with one account or one address, and measure the harm to honest users
    Attack(crate::attack::Options),
    /// End partitions, network degradation and freezes of a running demo
    Heal {
        #[command(flatten)]
        demo: Demo,
    },
}

#[derive(Args)]
pub struct Demo {
    /// Folder of the demo
    #[arg(long, default_value = "./troupe-demo")]
    data_dir: PathBuf,
}

#[derive(Args)]
pub struct Run {
    #[arg(long, required_unless_present_any = ["all", "server"], conflicts_with = "all")]
    scenario: Option<String>,
    /// Do not start a cluster: use this one (client addresses, comma-separated) and check what
    /// clients observe
    #[arg(long, conflicts_with_all = ["all", "scenario"])]
    server: Option<String>,
    /// With --server: a shell command that injects a fault
    #[arg(long, requires = "server")]
    inject: Option<String>,
    /// With --inject: a shell command that heals the fault
    #[arg(long, requires = "inject")]
    heal: Option<String>,
    /// With --inject: seconds until it is healed; a pause of five seconds follows
    #[arg(long, requires = "inject", default_value_t = 5)]
    lasts: u64,
    /// Every scenario that this machine supports, one after another
    #[arg(long)]
    all: bool,
    /// How long one scenario injects faults
    #[arg(long, default_value_t = 60, conflicts_with = "all")]
    seconds: u64,
    /// With --all: total time, divided among the scenarios
    #[arg(long, default_value_t = 20, requires = "all")]
    minutes: u64,
    /// Seed of workload and faults; it is printed, so that a run can be repeated
    #[arg(long)]
    seed: Option<u64>,
    /// Sends per second, all devices together
    #[arg(long, default_value_t = 250)]
    rate: u64,
    /// Number of nodes, instead of the scenario's own
    #[arg(long)]
    nodes: Option<usize>,
    /// Keep data folders, logs and history.json here
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Write the history as EDN for Elle and Knossos into this folder
    #[arg(long)]
    export: Option<PathBuf>,
    /// Path of the HTML report
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Another version of the program, for the last node
    #[arg(long, value_name = "BINARY")]
    other: Option<PathBuf>,
    /// A planted bug for the nodes (only in builds with the feature planted-bugs)
    #[arg(long, hide = true)]
    bug: Option<String>,
    /// One line of JSON at the end of each run and no other output
    #[arg(long)]
    json: bool,
}

/// `troupe` is the program of the nodes.
pub async fn run(verb: Chaos, troupe: PathBuf) -> Result<ExitCode> {
    match verb {
        Chaos::List => {
            let capabilities = run::capabilities();
            for scenario in Scenario::ALL {
                let not_here = scenario.impossible(&capabilities).map(|why| format!(" [not here: {why}]"));
                println!("{:<20}{}{}", scenario.name(), scenario.about(), not_here.unwrap_or_default());
            }
            Ok(ExitCode::SUCCESS)
        }
        Chaos::Run(args) => play(*args, troupe).await,
        Chaos::Check { file, scenario, json } => {
            let report = judge::judge(&file, named(&scenario)?)?;
            match json {
                true => println!("{}", serde_json::to_string(&report)?),
                false => print!("{}", report.table()),
            }
            Ok(if report.verdict == Verdict::Held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Chaos::Control { baseline, at, fault, seconds, json } => {
            let report = tokio::select! {
                report = baselines::run(baseline, &at, fault, seconds) => report?,
                // Dropping it ends its processes and releases its disks.
                _ = tokio::signal::ctrl_c() => bail!("interrupted"),
            };
            match json {
                true => println!("{}", serde_json::to_string(&report)?),
                false => println!("{report}"),
            }
            Ok(if report.as_expected() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Chaos::Kill { victims, demo } => order(demo, Order::Kill { victims }).await,
        Chaos::Freeze { victims, seconds, demo } => order(demo, Order::Freeze { victims, seconds }).await,
        Chaos::Partition { sides, one_way, demo } => order(demo, Order::Partition { groups: sides, one_way }).await,
        Chaos::Network { delay_ms, jitter_ms, loss, bandwidth, demo } => {
            ensure!((0.0..100.0).contains(&loss), "--loss {loss}: expected percent, from 0 to below 100");
            let loss = (loss * 10.0) as u64;
            let conditions = LinkConditions { delay_ms, jitter_ms, loss, bandwidth, ..LinkConditions::default() };
            order(demo, Order::Network { conditions }).await
        }
        Chaos::Attack(options) => {
            let harmless = tokio::select! {
                harmless = attack::run(options, troupe) => harmless?,
                // Dropping it ends its processes.
                _ = tokio::signal::ctrl_c() => bail!("interrupted"),
            };
            Ok(if harmless { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Chaos::Heal { demo } => order(demo, Order::Heal).await,
    }
}

async fn order(demo: Demo, order: Order) -> Result<ExitCode> {
    println!("{}", control::send(&demo.data_dir, &order).await?);
    Ok(ExitCode::SUCCESS)
}

fn named(name: &str) -> Result<Scenario> {
    Scenario::named(name).with_context(|| {
        let names: Vec<&str> = Scenario::ALL.iter().map(|s| s.name()).collect();
        format!("no scenario \"{name}\"; there are {}", names.join(", "))
    })
}

async fn play(args: Run, troupe: PathBuf) -> Result<ExitCode> {
    if let Some(server) = &args.server {
        return play_elsewhere(&args, server, &troupe).await;
    }
    let capabilities = run::capabilities();
    let mut skipped = Vec::new();
    let scenarios = match &args.scenario {
        Some(name) => {
            let scenario = named(name)?;
            if let Some(why) = scenario.impossible(&capabilities) {
                eprintln!("skipped: {name}: {why}");
                return Ok(ExitCode::FAILURE);
            }
            vec![scenario]
        }
        None => {
            let (here, not): (Vec<_>, Vec<_>) =
                Scenario::ALL.into_iter().partition(|s| s.impossible(&capabilities).is_none());
            for scenario in not {
                let why = scenario.impossible(&capabilities).unwrap_or_default();
                eprintln!("skipped: {}: {why}", scenario.name());
                skipped.push((scenario.name().to_owned(), why.to_owned()));
            }
            here
        }
    };
    let seconds = match args.all {
        // Start, drain and checks take about twelve seconds per run.
        true => (args.minutes * 60 / scenarios.len().max(1) as u64).saturating_sub(OVERHEAD).max(SHORTEST),
        false => args.seconds,
    };
    let seed = args.seed.unwrap_or_else(|| Rng::from_os().u64() >> 32);
    let mut finished: Vec<Finished> = Vec::new();
    let mut failed = Vec::new();
    for scenario in &scenarios {
        let options = RunOptions {
            rate: args.rate,
            nodes: args.nodes,
            keep: args.keep.as_ref().map(|dir| if args.all { dir.join(scenario.name()) } else { dir.clone() }),
            other: args.other.clone(),
            bug: args.bug.clone(),
            ..RunOptions::new(troupe.clone(), *scenario, seconds, seed)
        };
        match watched(options, args.json).await {
            Ok(run) => {
                match args.json {
                    true => println!("{}", serde_json::to_string(&run.report)?),
                    false => println!("{}", run.report.table()),
                }
                if let Some(folder) = &args.export {
                    let folder = if args.all { folder.join(scenario.name()) } else { folder.clone() };
                    export::write(&run.history, &folder)?;
                }
                finished.push(run);
            }
            // A cluster that cannot be started or healed is a failure, but does not end the other
            // runs.
            Err(error) if args.all => {
                eprintln!("{}: {error:#}", scenario.name());
                failed.push((scenario.name().to_owned(), format!("the run failed: {error:#}")));
            }
            Err(error) => return Err(error),
        }
    }
    let html = args.html.clone().or_else(|| (!args.json).then(|| PathBuf::from(PAGE)));
    if let Some(path) = html {
        let command = |run: &Finished| {
            let report = &run.report;
            let more = args.nodes.map(|nodes| format!(" --nodes {nodes}")).unwrap_or_default();
            format!(
                "troupe chaos run --scenario {} --seconds {} --seed {} --rate {}{more}",
                report.scenario, report.seconds, report.seed, args.rate
            )
        };
        skipped.extend(failed.iter().cloned());
        std::fs::write(&path, html::page(&finished, &Made::now(&troupe), &command, &skipped))
            .with_context(|| format!("cannot write {}", path.display()))?;
        if !args.json {
            println!("report: {}", path.display());
        }
    }
    let held = finished.iter().filter(|run| run.report.verdict == Verdict::Held).count();
    if args.all && !args.json {
        let short = scenarios.len() - held;
        println!(
            "{held} of {} scenarios held, {short} did not, {} skipped",
            scenarios.len(),
            skipped.len() - failed.len()
        );
    }
    Ok(if held == scenarios.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn play_elsewhere(args: &Run, server: &str, troupe: &Path) -> Result<ExitCode> {
    let external_cluster = ExternalCluster {
        nodes: server.split(',').map(|node| node.trim().to_owned()).collect(),
        seconds: args.seconds,
        seed: args.seed.unwrap_or_else(|| Rng::from_os().u64() >> 32),
        rate: args.rate,
        inject: args.inject.clone(),
        heal: args.heal.clone(),
        lasts: Duration::from_secs(args.lasts),
        quiet: Duration::from_secs(5),
    };
    let title = format!("{server}   {} s", external_cluster.seconds);
    let run = shown(title, args.json, |recorder| external_cluster::run(external_cluster, recorder)).await?;
    match args.json {
        true => println!("{}", serde_json::to_string(&run.report)?),
        false => println!("{}", run.report.table()),
    }
    if let Some(folder) = &args.export {
        export::write(&run.history, folder)?;
    }
    let held = run.report.verdict == Verdict::Held;
    if let Some(path) = args.html.clone().or_else(|| (!args.json).then(|| PathBuf::from(PAGE))) {
        let command = |_: &Finished| std::env::args().collect::<Vec<_>>().join(" ");
        std::fs::write(&path, html::page(&[run], &Made::now(troupe), &command, &[]))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Default path of the report.
const PAGE: &str = "troupe-chaos.html";
/// Seconds of a run with --all without faults.
const OVERHEAD: u64 = 12;
/// A shorter run proves nothing.
const SHORTEST: u64 = 10;

/// Shows a live view in a terminal, and lines elsewhere.
async fn watched(options: RunOptions, quiet: bool) -> Result<Finished> {
    let title = format!("{}   seed {}   {} s", options.scenario.name(), options.seed, options.seconds);
    shown(title, quiet, |recorder| run_watched(options, recorder)).await
}

async fn shown<F: Future<Output = Result<Finished>>>(
    title: String,
    quiet: bool,
    play: impl FnOnce(Arc<Recorder>) -> F,
) -> Result<Finished> {
    let picture = !quiet && live::is_possible();
    let recorder = Arc::new(Recorder::new(!quiet && !picture));
    let drawing = async {
        match picture {
            true => live::show(title, recorder.clone()).await,
            false => std::future::pending().await,
        }
    };
    tokio::select! {
        finished = play(recorder.clone()) => finished,
        never = drawing => match never {},
        // Dropping a run ends its processes and releases its disks.
        _ = tokio::signal::ctrl_c() => bail!("interrupted, without a verdict"),
    }
}
