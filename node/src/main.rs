//! The `troupe` binary: parses the command line and calls the verb. Each verb lives in a file of
//! the library.

use std::io::Write;
use std::path::Path;

use clap::{CommandFactory, FromArgMatches};
use serde_json::json;
use troupe::cli::{self, Cli, ClusterVerb, ConfigVerb, Verb};
use troupe::config::{self, Config, Keys, Settings};
use troupe::exit::{self, Exit};
use troupe::reload::Reload;
use troupe::{accounts, backup, contexts, debug, doctor, explain, groups, lab, logging, operator, pages, people};
use troupe::{recover, start, status, token, top, transfer, upgrade};
use troupe_core::text::clean_lines;

/// One allocator that returns memory after bursts and keeps small connections small.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    let exit = live();
    // The reader of a pipe may have gone, which is no failure.
    let _ = std::io::stdout().flush();
    // Destructors of statics must not run under threads that still use them: RocksDB then aborts
    // the process. Nothing is lost, since acknowledged data is on disk. SAFETY: ends the process at
    // once and touches no memory.
    #[expect(unsafe_code)]
    unsafe {
        nix::libc::_exit(exit.number())
    }
}

fn live() -> Exit {
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) => return failed(&error),
    };
    if cli.verb.keeps_secrets() {
        // Before any thread: only the owner may read the files that this process creates.
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::new(error).context("cannot start threads")),
    };
    let outcome = runtime.block_on(run(cli));
    // A blocked read of standard input must not keep the process.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|error| failed(&error))
}

/// The command line, with the context in use as its defaults. A mistake in it ends the process.
fn parse() -> anyhow::Result<Cli> {
    let command = Cli::command();
    // A damaged file of contexts is mended by hand, and a context that is gone by these commands.
    let early = std::env::args_os().nth(1);
    let early = early.as_deref().and_then(|verb| verb.to_str());
    let command = match early {
        Some("context" | "start" | "explain" | "version" | "--version" | "--help" | "help") => command,
        _ => contexts::fill(command)?,
    };
    Ok(Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit()))
}

fn failed(error: &anyhow::Error) -> Exit {
    // Printing panics if standard error is on a full disk; the exit code still reports it.
    let _ = writeln!(std::io::stderr(), "{}", clean_lines(&exit::line(error)));
    exit::judge(error).1
}

async fn run(cli: Cli) -> anyhow::Result<Exit> {
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
        Verb::Top(args) => top::run(&args).await?,
        Verb::User(verb) => accounts::user(verb).await?,
        Verb::Group(verb) => groups::run(verb).await?,
        Verb::Invite(verb) => accounts::invite(verb).await?,
        Verb::Audit(args) => accounts::audit(args).await?,
        Verb::Passwd(args) => accounts::change_password(args).await?,
        Verb::Backup(args) => backup::run(args).await?,
        Verb::Restore(args) => backup::restore(args).await?,
        Verb::Export(args) => transfer::run_export(args).await?,
        Verb::Import(args) => transfer::run_import(*args).await?,
        Verb::Recover(args) => recover::run(&args)?,
        Verb::Node(verb) => operator::run(verb).await?,
        Verb::Token(verb) => token::run(verb).await?,
        Verb::Config(ConfigVerb::Explain { key, output, config, keys }) => {
            let settings = settings(config.as_deref(), &keys)?;
            settings.warnings().iter().for_each(|warning| eprintln!("warning: {warning}"));
            let table = config::explain(&settings, key.as_deref())?;
            let value = config::explain_json(&settings, key.as_deref())?;
            output.print(|| value, || table);
        }
        Verb::Config(ConfigVerb::Check { config, output, keys }) => {
            let settings = settings(config.as_deref(), &keys)?;
            Config::from_settings(&settings)?;
            settings.warnings().iter().for_each(|warning| eprintln!("warning: {warning}"));
            let value = || json!({ "ok": true, "warnings": settings.warnings() });
            output.print(value, || "configuration OK\n".to_owned());
        }
        Verb::Config(ConfigVerb::Schema) => println!("{:#}", config::schema()),
        Verb::Config(ConfigVerb::Init { file }) => config::init(file.as_deref())?,
        Verb::Completion(args) => pages::completion(&args)?,
        Verb::Man(args) => pages::man(&args)?,
        Verb::Context(verb) => contexts::run(verb)?,
        Verb::Doctor(args) => return doctor::run(*args).await,
        Verb::Explain(args) => explain::run(&args)?,
        Verb::Debug(verb) => debug::run(*verb).await?,
        Verb::Version(args) => args.output.print(troupe::version_json, || troupe::version() + "\n"),
    }
    Ok(Exit::Done)
}

fn settings(file: Option<&Path>, keys: &Keys) -> Result<Settings, config::ConfigError> {
    Settings::gather(file, std::env::vars(), &keys.0, &cli::variables())
}
