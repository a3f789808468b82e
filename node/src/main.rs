//! The `troupe` binary: parses the command line and calls the verb. Each verb lives in a file of
//! the library.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use troupe::cli::{self, Cli, ClusterVerb, ConfigVerb, Verb};
use troupe::config::{self, Config, Settings};
use troupe::reload::Reload;
use troupe::{accounts, backup, lab, logging, operator, people, recover, start, status, token, upgrade};
use troupe_core::text::clean_lines;

/// One allocator that returns memory after bursts and keeps small connections small.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    let failed = live() != ExitCode::SUCCESS;
    // Nobody may be listening any more, and that is no failure.
    let _ = std::io::stdout().flush();
    // What threads still use must not be destroyed under them: RocksDB aborts the process then.
    // Nothing is lost, since what was promised is on disk. SAFETY: ends the process at once and
    // touches nothing of it.
    #[expect(unsafe_code)]
    unsafe {
        nix::libc::_exit(i32::from(failed))
    }
}

fn live() -> ExitCode {
    let cli = Cli::parse();
    if cli.verb.keeps_secrets() {
        // Before any thread: whatever this process creates is for its owner only.
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(run(cli));
    // A blocked read of standard input must not keep the process.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => code,
        Err(error) => {
            // Printing panics where standard error is on a full disk; the status still says it.
            let _ = writeln!(std::io::stderr(), "error: {}", clean_lines(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.verb {
        Verb::Start(args) => {
            let (file, keys) = (args.config, args.keys);
            let read = move || Ok(settings(file.as_deref(), &keys)?);
            let running = read()?;
            let config = Config::from_settings(&running)?;
            let set_filter = logging::start(&config.log_filter, config.log_format).map_err(anyhow::Error::msg)?;
            running.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
            start::run(
                config,
                args.exit_with_parent,
                Reload { read: Box::new(read), running, set_filter, most_connections: usize::MAX },
            )
            .await?;
        }
        Verb::Demo(args) => return Err(lab::run("demo", &args.arguments)),
        Verb::Bench(args) => return Err(lab::run("bench", &args.arguments)),
        Verb::Chaos(args) => return Err(lab::run("chaos", &args.arguments)),
        Verb::Chat(args) => people::chat(args).await?,
        Verb::Msg(verb) => people::msg(verb).await?,
        Verb::Cluster(ClusterVerb::Status { http, output }) => status::run(&http, output).await?,
        Verb::Cluster(ClusterVerb::Settings(args)) => accounts::settings(*args).await?,
        Verb::Cluster(ClusterVerb::Upgrade(verb)) => upgrade::run(verb).await?,
        Verb::User(verb) => accounts::user(verb).await?,
        Verb::Invite(verb) => accounts::invite(verb).await?,
        Verb::Audit(args) => accounts::audit(args).await?,
        Verb::Passwd(args) => accounts::change_password(args).await?,
        Verb::Backup(args) => backup::run(args).await?,
        Verb::Restore(args) => backup::restore(args).await?,
        Verb::Recover(args) => recover::run(&args)?,
        Verb::Node(verb) => operator::run(verb).await?,
        Verb::Token(verb) => token::run(verb).await?,
        Verb::Config(ConfigVerb::Explain { key, config, keys }) => {
            let settings = settings(config.as_deref(), &keys)?;
            settings.warnings().iter().for_each(|warning| eprintln!("warning: {warning}"));
            print!("{}", config::explain(&settings, key.as_deref())?);
        }
        Verb::Config(ConfigVerb::Check { config, keys }) => {
            let settings = settings(config.as_deref(), &keys)?;
            Config::from_settings(&settings)?;
            settings.warnings().iter().for_each(|warning| eprintln!("warning: {warning}"));
            println!("the configuration is good");
        }
        Verb::Version => println!("{}", troupe::version()),
    }
    Ok(ExitCode::SUCCESS)
}

fn settings(file: Option<&Path>, keys: &cli::Keys) -> Result<Settings, config::ConfigError> {
    Settings::gather(file, std::env::vars(), &keys.0)
}
