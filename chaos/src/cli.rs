//! `troupe chaos`: breaks clusters of its own and judges them (`list`, `run`), or breaks a demo
//! that runs (`kill`, `freeze`, `partition`, `weather`, `heal`).

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use troupe_runtime::Rng;

use crate::control::{self, Order, Victims};
use crate::foreign::{self, Foreign};
use crate::html::{self, Made};
use crate::peers::{Fault, Peer};
use crate::proxy::Weather;
use crate::recorder::Recorder;
use crate::report::Verdict;
use crate::run::{self, Finished, RunOptions, run_watched};
use crate::scenario::Scenario;
use crate::{attack, export, live, peers};

#[derive(Subcommand)]
pub enum Chaos {
    /// One scenario per line
    List,
    /// Start a cluster, break it while people chat, and judge what they saw
    Run(Box<Run>),
    /// Another system under the faults that our nodes get (see scripts/controls)
    #[command(hide = true)]
    Control {
        peer: Peer,
        /// The nats-server program, or the folder that RabbitMQ's packages were unpacked into
        at: PathBuf,
        #[arg(long, value_enum, default_value_t = Fault::PowerLossAll)]
        fault: Fault,
        /// How long people publish before it
        #[arg(long, default_value_t = 20)]
        seconds: u64,
        /// One line of JSON at the end
        #[arg(long)]
        json: bool,
    },
    /// Kill nodes of a running demo
    Kill {
        /// leader, follower, all, or numbers as in 1,3
        who: Victims,
        #[command(flatten)]
        demo: Demo,
    },
    /// Freeze nodes of a running demo
    Freeze {
        /// leader, follower, all, or numbers as in 1,3
        who: Victims,
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        #[command(flatten)]
        demo: Demo,
    },
    /// Part the nodes of a running demo (started with --chaos) until `heal`
    Partition {
        /// The sides, as in `leader` or `1,2 3`; nodes that are not named make one more
        #[arg(required = true)]
        sides: Vec<Victims>,
        /// The first side is not heard by the others, but hears them
        #[arg(long)]
        one_way: bool,
        #[command(flatten)]
        demo: Demo,
    },
    /// Make the network of a running demo (started with --chaos) bad everywhere, until `heal`
    Weather {
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
    /// Attack fresh clusters with one account or one address, and judge what honest users saw
    Attack(crate::attack::Options),
    /// End partitions, bad weather and freezes of a running demo
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
    /// Do not start a cluster: chat on this one (client addresses, comma-separated) and judge what
    /// clients see
    #[arg(long, conflicts_with_all = ["all", "scenario"])]
    server: Option<String>,
    /// With --server: a shell command that breaks something
    #[arg(long, requires = "server")]
    inject: Option<String>,
    /// With --inject: a shell command that heals it
    #[arg(long, requires = "inject")]
    heal: Option<String>,
    /// With --inject: seconds until it is healed; afterwards it is quiet for five
    #[arg(long, requires = "inject", default_value_t = 5)]
    lasts: u64,
    /// Every scenario that this machine can play, one after another
    #[arg(long)]
    all: bool,
    /// How long one scenario breaks things
    #[arg(long, default_value_t = 60, conflicts_with = "all")]
    seconds: u64,
    /// With --all: shared out among the scenarios
    #[arg(long, default_value_t = 20, requires = "all")]
    minutes: u64,
    /// Draws workload and faults; printed, so that a run can be repeated
    #[arg(long)]
    seed: Option<u64>,
    /// Sends per second, all devices together
    #[arg(long, default_value_t = 250)]
    rate: u64,
    /// Nodes, instead of as many as the scenario wants
    #[arg(long)]
    nodes: Option<usize>,
    /// Keep data folders, logs and history.json here
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Write the history as EDN for Elle and Knossos into this folder
    #[arg(long)]
    export: Option<PathBuf>,
    /// Where the HTML report goes
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Another version of the program, which the last node runs
    #[arg(long, value_name = "BINARY")]
    other: Option<PathBuf>,
    /// A deliberate bug for the nodes to carry (builds with the feature planted-bugs only)
    #[arg(long, hide = true)]
    plant: Option<String>,
    /// One line of JSON at the end of each run and no other output
    #[arg(long)]
    json: bool,
}

/// `troupe` is the program that the nodes run.
pub async fn run(verb: Chaos, troupe: PathBuf) -> Result<ExitCode> {
    match verb {
        Chaos::List => {
            let means = run::means();
            for scenario in Scenario::ALL {
                let not_here = scenario.impossible(&means).map(|why| format!(" [not here: {why}]"));
                println!("{:<20}{}{}", scenario.name(), scenario.about(), not_here.unwrap_or_default());
            }
            Ok(ExitCode::SUCCESS)
        }
        Chaos::Run(args) => play(*args, troupe).await,
        Chaos::Control { peer, at, fault, seconds, json } => {
            let report = tokio::select! {
                report = peers::run(peer, &at, fault, seconds) => report?,
                // Dropped, it ends its processes and gives back its disks.
                _ = tokio::signal::ctrl_c() => bail!("interrupted"),
            };
            match json {
                true => println!("{}", serde_json::to_string(&report)?),
                false => println!("{report}"),
            }
            Ok(if report.as_expected() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Chaos::Kill { who, demo } => order(demo, Order::Kill { who }).await,
        Chaos::Freeze { who, seconds, demo } => order(demo, Order::Freeze { who, seconds }).await,
        Chaos::Partition { sides, one_way, demo } => order(demo, Order::Partition { groups: sides, one_way }).await,
        Chaos::Weather { delay_ms, jitter_ms, loss, bandwidth, demo } => {
            ensure!((0.0..100.0).contains(&loss), "--loss {loss}: wants percent, from 0 to below 100");
            let loss = (loss * 10.0) as u64;
            let weather = Weather { delay_ms, jitter_ms, loss, bandwidth, ..Weather::default() };
            order(demo, Order::Weather { weather }).await
        }
        Chaos::Attack(options) => {
            let harmless = tokio::select! {
                harmless = attack::run(options, troupe) => harmless?,
                // Dropped, it ends its processes.
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

async fn play(args: Run, troupe: PathBuf) -> Result<ExitCode> {
    if let Some(server) = &args.server {
        return play_elsewhere(&args, server, &troupe).await;
    }
    let means = run::means();
    let mut skipped = Vec::new();
    let scenarios = match &args.scenario {
        Some(name) => {
            let scenario = Scenario::named(name).with_context(|| {
                let names: Vec<&str> = Scenario::ALL.iter().map(|s| s.name()).collect();
                format!("no scenario \"{name}\"; there are {}", names.join(", "))
            })?;
            if let Some(why) = scenario.impossible(&means) {
                eprintln!("skipped: {name}: {why}");
                return Ok(ExitCode::FAILURE);
            }
            vec![scenario]
        }
        None => {
            let (here, not): (Vec<_>, Vec<_>) = Scenario::ALL.into_iter().partition(|s| s.impossible(&means).is_none());
            for scenario in not {
                let why = scenario.impossible(&means).unwrap_or_default();
                eprintln!("skipped: {}: {why}", scenario.name());
                skipped.push((scenario.name().to_owned(), why.to_owned()));
            }
            here
        }
    };
    let seconds = match args.all {
        // Starting, draining and judging take about as long as twelve seconds of breaking.
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
            plant: args.plant.clone(),
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
            // One cluster that cannot be started or healed is a failure, but not the end of the
            // others.
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
    let foreign = Foreign {
        nodes: server.split(',').map(|node| node.trim().to_owned()).collect(),
        seconds: args.seconds,
        seed: args.seed.unwrap_or_else(|| Rng::from_os().u64() >> 32),
        rate: args.rate,
        inject: args.inject.clone(),
        heal: args.heal.clone(),
        lasts: Duration::from_secs(args.lasts),
        quiet: Duration::from_secs(5),
    };
    let title = format!("{server}   {} s", foreign.seconds);
    let run = shown(title, args.json, |recorder| foreign::run(foreign, recorder)).await?;
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

/// Where the report goes unless told.
const PAGE: &str = "troupe-chaos.html";
/// Of one run with --all: what is not breaking.
const OVERHEAD: u64 = 12;
/// Below this a run proves nothing.
const SHORTEST: u64 = 10;

/// With a picture where there is a terminal, and lines elsewhere.
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
        // Dropped, a run ends its processes and gives back its disks.
        _ = tokio::signal::ctrl_c() => bail!("interrupted; nothing is judged"),
    }
}
