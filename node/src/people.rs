//! `troupe chat` and `troupe msg`: connects chat and message commands of the client library to the
//! terminal or the pipes of this process.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use tokio::io::{BufReader, stderr, stdin, stdout};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use troupe_client::chat::{self, Account, PASTE_MARKS_OFF, PASTE_MARKS_ON};
use troupe_client::{Fingerprint, Trust, msg};
use troupe_runtime::private;

use crate::trace;

#[derive(Args, Clone)]
pub struct Chat {
    /// Your user name
    #[arg(long = "as", value_name = "NAME")]
    pub name: String,
    /// Any nodes of the cluster, comma-separated; uses TLS except for loopback addresses and
    /// tcp://host:port
    #[arg(long, default_value = "127.0.0.1:7700", env = "TROUPE_SERVER")]
    pub server: String,
    /// Fingerprint of the cluster, as `troupe token ca` prints it on a node; without it the client
    /// trusts the first one that it sees
    #[arg(long, env = "TROUPE_FINGERPRINT")]
    pub fingerprint: Option<Fingerprint>,
    /// PEM file of authorities that verify the certificate and name of the server, instead of the
    /// fingerprint of the cluster
    #[arg(long, env = "TROUPE_CA", conflicts_with = "fingerprint")]
    pub ca: Option<PathBuf>,
    /// Prefer the variable or the prompt
    #[arg(long, env = "TROUPE_PASSWORD", hide_env_values = true)]
    pub password: Option<String>,
    /// Create the account first
    #[arg(long)]
    pub register: bool,
    /// Invitation code for --register, if the cluster requires one
    #[arg(long)]
    pub invite: Option<String>,
    /// Folder for outbox, cursors and local history; one per device
    #[arg(long)]
    pub state_dir: Option<PathBuf>,
    /// Name of this device
    #[arg(long)]
    pub device: Option<String>,
}

#[derive(Args, Clone)]
pub struct Talk {
    #[command(flatten)]
    pub who: Chat,
    /// One line for each input and output instead of the full screen
    #[arg(long)]
    pub plain: bool,
}

#[derive(Subcommand)]
pub enum Msg {
    /// Send one message, or one per line of standard input
    Send {
        #[command(flatten)]
        who: Chat,
        /// everyone, d1-2, g3, #TITLE of an own group, or a name or id of a user
        #[arg(long, default_value = "everyone")]
        to: String,
        text: Option<String>,
        #[arg(long)]
        json: bool,
    },
    /// Print messages as they arrive
    Tail {
        #[command(flatten)]
        who: Chat,
        /// Stop after this many
        #[arg(long)]
        count: Option<usize>,
        #[arg(long)]
        json: bool,
    },
    /// Show the way of one message through the cluster, hop by hop
    Trace(trace::Args),
}

/// File of the keys of known clusters.
const KNOWN: &str = "known-clusters";

pub async fn chat(args: Talk) -> Result<()> {
    let account = account(args.who, true)?;
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    // Such a terminal has no cursor to move.
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let (logged_in, is_logged_in) = oneshot::channel();
    // The password prompt comes first. It needs the terminal in its usual mode, and a signal ends
    // the process there.
    let stopped = async {
        match is_logged_in.await {
            Ok(()) => stop().await,
            Err(_) => std::future::pending().await,
        }
    };
    let chat = async {
        let logged_in = || {
            let _ = logged_in.send(());
        };
        if terminal && !dumb && !args.plain {
            return troupe_terminal::run(account, logged_in).await;
        }
        let ready = || -> Result<Option<RawTerminal>> {
            logged_in();
            terminal.then(RawTerminal::enter).transpose()
        };
        let time_of_day = terminal.then(troupe_terminal::time_of_day);
        let options = chat::Options { account, terminal, time_of_day };
        chat::run(options, ready, BufReader::new(stdin()), stdout()).await
    };
    tokio::select! {
        ended = chat => ended,
        () = stopped => Ok(()),
    }
}

pub async fn msg(verb: Msg) -> Result<()> {
    match verb {
        Msg::Send { who, to, text, json } => {
            let account = account(who, false)?;
            msg::send(msg::Send { account, to, text, json }, BufReader::new(stdin()), stdout(), stderr()).await
        }
        Msg::Tail { who, count, json } => {
            let account = account(who, false)?;
            msg::tail(msg::Tail { account, count, json }, stdout(), stderr(), stop()).await
        }
        Msg::Trace(args) => trace::run(args).await,
    }
}

/// Resolves at the first signal that asks this process to end. Before the first poll a signal ends
/// the process.
async fn stop() {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let mut signals = kinds.map(signal);
    let waiting = signals.iter_mut().flatten().map(|signal| Box::pin(signal.recv()));
    futures::future::select_all(waiting).await;
}

/// A chat keeps its state under the home directory; a script only in the folder that it names.
pub fn account(args: Chat, keep: bool) -> Result<Account> {
    let servers: Vec<String> =
        args.server.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect();
    let mut account = Account::new(args.name.clone(), servers);
    account.register = args.register;
    account.invite = args.invite;
    account.device = args.device;
    account.trust = trust(args.ca.as_deref(), args.fingerprint, args.state_dir.as_deref())?;
    account.state_dir = match args.state_dir {
        None if keep => Some(default_state_dir(&args.name)?),
        given => given,
    };
    account.password = args.password;
    account.ask = Some(Arc::new(ask_password));
    Ok(account)
}

/// Which servers are trusted. Keys are kept for all accounts of this user, or in the named folder.
fn trust(ca: Option<&Path>, fingerprint: Option<Fingerprint>, state_dir: Option<&Path>) -> Result<Trust> {
    if let Some(file) = ca {
        return Ok(Trust::authorities(file)?);
    }
    let folder = state_dir.map(Path::to_owned).or_else(|| state_home().ok());
    let trust = match folder {
        Some(folder) => Trust::kept_in(folder.join(KNOWN))?,
        // A script without a home directory trusts the cluster at each first use, unless it has the
        // fingerprint.
        None => Trust::first_use(),
    };
    let trust = trust.telling(|new| {
        eprintln!(
            "trusting the cluster at {} from now on, by its fingerprint {}; compare it with `troupe token ca` on a node",
            new.address, new.fingerprint
        );
    });
    Ok(match fingerprint {
        Some(fingerprint) => trust.require(fingerprint),
        None => trust,
    })
}

fn state_home() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_STATE_HOME") {
        Some(base) => PathBuf::from(base),
        None => {
            PathBuf::from(std::env::var_os("HOME").context("HOME is not set: use --state-dir")?).join(".local/state")
        }
    };
    Ok(base.join("troupe"))
}

fn default_state_dir(name: &str) -> Result<PathBuf> {
    // A typed name may contain any character.
    let plain: String = name.to_lowercase().chars().map(|c| if matches!(c, '/' | '\0') { '_' } else { c }).collect();
    let folder = if plain.starts_with('.') { format!("_{plain}") } else { plain };
    let dir = state_home()?.join(folder);
    private::create_dir(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    // An earlier version, or another umask, may have left the folder readable for others.
    private::tighten(&state_home()?).with_context(|| format!("cannot make {} private", dir.display()))?;
    Ok(dir)
}

/// Asks on the terminal, without echo.
pub fn ask_password(prompt: &str) -> Result<String> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        bail!("no password: set TROUPE_PASSWORD, or run in a terminal");
    }
    eprint!("{prompt}");
    std::io::stderr().flush()?;
    let silent = Changed::enter(LocalFlags::ECHO)?;
    let mut line = String::new();
    let read = input.read_line(&mut line);
    drop(silent);
    eprintln!();
    read?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Turns flags of the terminal off until it is dropped.
struct Changed {
    before: Termios,
}

impl Changed {
    fn enter(off: LocalFlags) -> Result<Changed> {
        let input = std::io::stdin();
        let before = tcgetattr(&input)?;
        let mut changed = before.clone();
        changed.local_flags.remove(off);
        tcsetattr(&input, SetArg::TCSANOW, &changed)?;
        Ok(Changed { before })
    }
}

impl Drop for Changed {
    fn drop(&mut self) {
        // No further remedy exists if this fails.
        let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &self.before);
    }
}

/// The terminal delivers each key at once and marks pasted text. Ctrl-C still works.
struct RawTerminal {
    _changed: Changed,
}

impl RawTerminal {
    fn enter() -> Result<RawTerminal> {
        let changed = Changed::enter(LocalFlags::ECHO | LocalFlags::ICANON)?;
        write_now(PASTE_MARKS_ON)?;
        Ok(RawTerminal { _changed: changed })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        drop(write_now(&format!("{PASTE_MARKS_OFF}\r\x1b[K")));
    }
}

fn write_now(text: &str) -> std::io::Result<()> {
    let mut output = std::io::stdout();
    output.write_all(text.as_bytes())?;
    output.flush()
}
