//! The verbs for people: joins the client library's chat and message commands to this process's
//! terminal or pipes.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use tokio::io::{BufReader, stderr, stdin, stdout};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use troupe_client::chat::{self, Account, PASTE_MARKS_OFF, PASTE_MARKS_ON};
use troupe_client::{Fingerprint, Trust, msg};
use troupe_runtime::private;

use crate::cli::{Chat, Msg};

/// The keys of clusters that this person's clients have met.
const KNOWN: &str = "known-clusters";

pub async fn chat(args: Chat) -> Result<()> {
    let account = account(args, true)?;
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let options = chat::Options { account, terminal };
    let (logged_in, is_logged_in) = oneshot::channel();
    // The prompt for a password comes before. It wants the terminal as it was, and a signal ends
    // it.
    let ready = move || -> Result<Option<RawTerminal>> {
        let _ = logged_in.send(());
        terminal.then(RawTerminal::enter).transpose()
    };
    let stopped = async {
        match is_logged_in.await {
            Ok(()) => stop().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        ended = chat::run(options, ready, BufReader::new(stdin()), stdout()) => ended,
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
    }
}

/// Ends with the first signal that asks this process to end. Before it is polled, a signal ends the
/// process.
async fn stop() {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let mut signals = kinds.map(signal);
    let waiting = signals.iter_mut().flatten().map(|signal| Box::pin(signal.recv()));
    futures::future::select_all(waiting).await;
}

/// A chat keeps its state under the home directory; scripts keep one only where they name a folder.
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

/// Which servers are believed: keys are kept for all of this person's accounts, or in the folder
/// that was named.
fn trust(ca: Option<&Path>, fingerprint: Option<Fingerprint>, state_dir: Option<&Path>) -> Result<Trust> {
    if let Some(file) = ca {
        return Ok(Trust::authorities(file)?);
    }
    let folder = state_dir.map(Path::to_owned).or_else(|| state_home().ok());
    let trust = match folder {
        Some(folder) => Trust::kept_in(folder.join(KNOWN))?,
        // A script without a home meets the cluster for the first time each time, unless it has the
        // fingerprint.
        None => Trust::first_use(),
    };
    let trust = trust.telling(|new| {
        eprintln!(
            "the cluster at {} is new here; from now on it is known by its fingerprint {}; `troupe token ca` on a node prints the same one",
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
    // A name may be typed with anything in it.
    let plain: String = name.to_lowercase().chars().map(|c| if matches!(c, '/' | '\0') { '_' } else { c }).collect();
    let folder = if plain.starts_with('.') { format!("_{plain}") } else { plain };
    let dir = state_home()?.join(folder);
    private::create_dir(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    // What an earlier version, or another umask, has left open.
    private::tighten(&state_home()?).with_context(|| format!("cannot make {} private", dir.display()))?;
    Ok(dir)
}

/// Asks on the terminal, without echo.
pub fn ask_password(prompt: &str) -> Result<String> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        bail!("a password is needed: set TROUPE_PASSWORD, or run in a terminal to be asked");
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

/// Flags of the terminal that are off until this is dropped: a terminal without echo is a trap.
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
        // There is nothing left to do where even this fails.
        let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &self.before);
    }
}

/// The terminal gives each key at once, and says what is pasted. Interrupting it still works.
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
