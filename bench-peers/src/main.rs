//! `scripts/bench peers`: Troupe, RabbitMQ and NATS JetStream under one load, in turn, each with
//! three nodes on this machine and with its best settings.
//!
//! Only one system runs at a time. A machine changes from hour to hour, so each round measures all
//! of them, and only figures of one run are compared.

mod load;
mod nats;
mod rabbitmq;
mod report;
mod servers;
mod troupe;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use clap::{Parser, ValueEnum};
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::load::{Load, Peer, Shape, Step};
use self::report::{Report, Round, System};
use self::servers::Servers;

#[derive(Parser)]
#[command(
    name = "bench peers",
    about = "Troupe, RabbitMQ and NATS JetStream under one load, in turn",
    args_override_self = true
)]
struct Options {
    /// The server and its bench; `scripts/bench peers` names it
    #[arg(long, value_name = "PROGRAM")]
    troupe: Option<PathBuf>,
    /// The folder with RabbitMQ's unpacked packages; `/` where they are installed
    #[arg(long, value_name = "FOLDER", default_value = "/")]
    rabbitmq: PathBuf,
    /// The nats-server to measure; versions from 2.10 on get `sync_interval: always`
    #[arg(long, value_name = "PROGRAM")]
    nats: Option<PathBuf>,
    /// Measured systems, in this order; without troupe there are no ratios
    #[arg(long, value_enum, value_delimiter = ',', default_value = "troupe,rabbitmq,nats")]
    systems: Vec<Which>,
    /// Messages per second, one after another; saturation follows
    #[arg(long, value_delimiter = ',', default_value = "500,1000,2000", value_parser = rate)]
    rates: Vec<f64>,
    /// Each measures all systems once
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=20))]
    rounds: u64,
    /// Of each rate
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..=600))]
    seconds: u64,
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    Troupe,
    #[value(name = "rabbitmq")]
    RabbitMq,
    Nats,
}

impl Which {
    fn name(self) -> &'static str {
        match self {
            Which::Troupe => "troupe",
            Which::RabbitMq => "rabbitmq",
            Which::Nats => "nats",
        }
    }
}

/// The load of a run without Troupe, whose report has it otherwise.
const USUAL: Shape = Shape { senders: 48, in_flight: 32, window: 256, body_bytes: 128, shards: 12 };
/// Messages per second that one machine may be asked for.
const MOST: f64 = 1_000_000.0;

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| *rate >= 1.0 && *rate <= MOST);
    rate.ok_or_else(|| format!("a rate is a number from 1 to {MOST}"))
}

/// Ctrl-C or SIGTERM. To die of them would leave folders full of data.
struct Interrupted {
    int: Signal,
    term: Signal,
}

impl Interrupted {
    fn new() -> Result<Interrupted> {
        Ok(Interrupted { int: signal(SignalKind::interrupt())?, term: signal(SignalKind::terminate())? })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.int.recv() => {}
            _ = self.term.recv() => {}
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let report = run(&options, &mut Interrupted::new()?).await?;
    match options.json {
        true => println!("{}", report.json()),
        false => report.print(),
    }
    Ok(())
}

async fn run(options: &Options, interrupted: &mut Interrupted) -> Result<Report> {
    // Troupe's run tells the load of the others.
    let mut systems = options.systems.clone();
    systems.sort_by_key(|which| *which != Which::Troupe);
    let distinct: BTreeSet<&str> = systems.iter().map(|which| which.name()).collect();
    ensure!(distinct.len() == systems.len(), "--systems names a system twice");
    let mut report = Report { seconds: options.seconds, ..Report::default() };
    if !options.json {
        println!("{}", report::head());
    }
    for round in 1..=options.rounds {
        for which in &systems {
            eprintln!("round {round} of {}: {}", options.rounds, which.name());
            let measured = match which {
                Which::Troupe => measure_troupe(options, &mut report, interrupted).await,
                _ => measure_peer(*which, options, &mut report, interrupted).await,
            };
            let measured = measured.with_context(|| which.name())?;
            if !options.json {
                measured.steps.iter().for_each(|step| println!("{}", report::line(which.name(), step)));
            }
            report.systems.entry(which.name()).or_default().rounds.push(measured);
        }
    }
    Ok(report)
}

async fn measure_troupe(options: &Options, report: &mut Report, interrupted: &mut Interrupted) -> Result<Round> {
    let program = options.troupe.as_deref().context("name the program with --troupe, or leave it out of --systems")?;
    let ladder = troupe::ladder(program, &options.rates, options.seconds, interrupted).await?;
    let system = report.systems.entry(Which::Troupe.name()).or_default();
    system.version = troupe::version(program).await?;
    system.syncs_before_ack = true;
    system.settings = vec!["the defaults, with budgets of users that the load cannot use up".to_owned()];
    let load = report.load.get_or_insert(ladder.load.clone());
    ensure!(*load == ladder.load, "the load of Troupe's bench differs between rounds");
    Ok(Round { fsync_p50_ms: ladder.fsync_p50_ms, fsync_p99_ms: ladder.fsync_p99_ms, steps: ladder.steps })
}

/// Starts the servers, measures, and ends them, whatever happens.
async fn measure_peer(
    which: Which,
    options: &Options,
    report: &mut Report,
    interrupted: &mut Interrupted,
) -> Result<Round> {
    let shape = report.load.get_or_insert(USUAL).clone();
    let system = report.systems.entry(which.name()).or_default();
    let folder = tempfile::Builder::new().prefix("troupe-peers-").tempdir()?;
    let (fsync_p50_ms, fsync_p99_ms) = servers::fsync_ms(folder.path())?;
    let mut servers = Servers::default();
    let steps = tokio::select! {
        steps = use_peer(which, options, &mut servers, folder.path(), &shape, system) => steps,
        () = interrupted.wait() => Err(anyhow!("interrupted")),
    };
    servers.end().await?;
    let steps = with_logs(steps, folder.path())?;
    Ok(Round { fsync_p50_ms, fsync_p99_ms, steps })
}

async fn use_peer(
    which: Which,
    options: &Options,
    servers: &mut Servers,
    home: &Path,
    shape: &Shape,
    system: &mut System,
) -> Result<Vec<Step>> {
    match which {
        Which::RabbitMq => {
            let peer = rabbitmq::RabbitMq::start(servers, &options.rabbitmq, home, shape).await?;
            system.version = peer.version().await?;
            system.syncs_before_ack = true;
            system.settings = rabbitmq::SETTINGS.map(str::to_owned).to_vec();
            steps(&peer, shape, options).await
        }
        _ => {
            let program = options.nats.clone().unwrap_or_else(nats::default_program);
            let peer = nats::Nats::start(servers, &program, home, shape).await?;
            system.version = peer.version().to_owned();
            system.syncs_before_ack = peer.syncs();
            system.settings = peer.settings().into_iter().map(str::to_owned).collect();
            steps(&peer, shape, options).await
        }
    }
}

/// The rates one after another, then saturation, as `troupe bench ladder`.
async fn steps<P: Peer>(peer: &P, shape: &Shape, options: &Options) -> Result<Vec<Step>> {
    let mut load = Load::default();
    let mut steps = Vec::new();
    for rate in options.rates.iter().copied().map(Some).chain([None]) {
        steps.push(load.run(peer, shape, rate, Duration::from_secs(options.seconds)).await?);
    }
    Ok(steps)
}

/// Adds the ends of the servers' logs to an error, because the folder goes.
fn with_logs<T>(outcome: Result<T>, home: &Path) -> Result<T> {
    let Err(error) = outcome else { return outcome };
    let mut logs = String::new();
    let files = std::fs::read_dir(home).into_iter().flatten().flatten().map(|entry| entry.path());
    for log in files.filter(|path| path.extension().is_some_and(|it| it == "log")) {
        let text = std::fs::read(&log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(LOG_LINES).collect();
        for line in lines.into_iter().rev() {
            logs += &format!("\n{}: {line}", log.file_name().unwrap_or_default().to_string_lossy());
        }
    }
    Err(error.context(format!("the last lines of the servers:{logs}")))
}

/// Lines of each log in an error.
const LOG_LINES: usize = 12;
