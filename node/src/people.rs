//! The verbs for people: joins the client library's chat and message commands to this process's terminal or pipes.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use tokio::io::{BufReader, stdin, stdout};
use troupe_client::chat::{self, Account};
use troupe_client::msg;

use crate::cli::{Chat, Msg};

pub async fn chat(args: Chat) -> Result<()> {
    let account = account(args, true)?;
    let terminal = std::io::stdin().is_terminal();
    chat::run(chat::Options { account, terminal }, BufReader::new(stdin()), stdout()).await
}

pub async fn msg(verb: Msg) -> Result<()> {
    match verb {
        Msg::Send { who, to, text, json } => {
            let account = account(who, false)?;
            msg::send(msg::Send { account, to, text, json }, BufReader::new(stdin()), stdout()).await
        }
        Msg::Tail { who, count, json } => {
            let account = account(who, false)?;
            msg::tail(msg::Tail { account, count, json }, stdout()).await
        }
    }
}

/// A chat keeps its state under the home directory; scripts keep one only where they name a folder.
fn account(args: Chat, keep: bool) -> Result<Account> {
    let servers: Vec<String> =
        args.server.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect();
    let mut account = Account::new(args.name.clone(), servers);
    account.register = args.register;
    account.device = args.device;
    account.state_dir = match args.state_dir {
        None if keep => Some(default_state_dir(&args.name)?),
        given => given,
    };
    account.password = args.password;
    if account.password.is_none() && (account.register || !account.remembered()) {
        account.password = Some(ask_password(&args.name)?);
    }
    Ok(account)
}

fn default_state_dir(name: &str) -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_STATE_HOME") {
        Some(base) => PathBuf::from(base),
        None => {
            PathBuf::from(std::env::var_os("HOME").context("HOME is not set: use --state-dir")?).join(".local/state")
        }
    };
    let dir = base.join("troupe").join(name.to_lowercase());
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    Ok(dir)
}

/// Asks on the terminal, without echo.
fn ask_password(name: &str) -> Result<String> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        bail!("no password: set TROUPE_PASSWORD, or run in a terminal to be asked");
    }
    eprint!("password of {name}: ");
    std::io::stderr().flush()?;
    let before = tcgetattr(&input)?;
    let mut silent = before.clone();
    silent.local_flags.remove(LocalFlags::ECHO);
    tcsetattr(&input, SetArg::TCSANOW, &silent)?;
    let mut line = String::new();
    let read = input.read_line(&mut line);
    // Restored whatever happened; a terminal without echo is a trap.
    tcsetattr(&input, SetArg::TCSANOW, &before)?;
    eprintln!();
    read?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
