//! `troupe chat`: a chat in any terminal, one line at a time.
//!
//! [`run`] joins a line of input to the SDK and the SDK's stream to lines of output; it works over pipes as it does in a terminal, and
//! never repaints. Commands are CIM's, so that its users are at home, and a few for groups: see [`command`] for the grammar,
//! `session` for what the commands do, `screen` for what is printed.

mod command;
mod emoji;
mod screen;
mod session;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite};
use troupe_runtime::NodeCtx;

use crate::client::{Client, Events, Incoming, State};
use crate::store::FileStore;
use session::Session;

/// Longest line taken from the input: a message of the largest size and a command before it.
const LINE_BYTES: usize = troupe_core::limits::MESSAGE_BYTES + 1024;

/// Who chats, from where. Shared by everything that logs in from a command line.
#[derive(Clone)]
pub struct Account {
    pub context: NodeCtx,
    pub name: String,
    /// Not needed where a session is kept in `state_dir`.
    pub password: Option<String>,
    /// Create the account first. One that exists already with this password is as good.
    pub register: bool,
    pub servers: Vec<String>,
    /// Where outbox, cursors and history are kept; in memory if `None`.
    pub state_dir: Option<PathBuf>,
    pub device: Option<String>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("name", &self.name).field("servers", &self.servers).finish_non_exhaustive()
    }
}

impl Account {
    pub fn new(name: impl Into<String>, servers: impl IntoIterator<Item = String>) -> Account {
        Account {
            context: NodeCtx::production(),
            name: name.into(),
            password: None,
            register: false,
            servers: servers.into_iter().collect(),
            state_dir: None,
            device: None,
        }
    }

    /// Whether a session is kept, so that no password need be asked for.
    pub fn remembered(&self) -> bool {
        self.store_path().is_some_and(|path| path.exists())
    }

    pub async fn connect(&self) -> Result<(Client, Events)> {
        let mut builder = Client::builder().context(self.context.clone()).nodes(self.servers.iter().cloned());
        if let Some(password) = &self.password {
            builder = builder.credentials(self.name.clone(), password.clone());
        }
        if let Some(device) = &self.device {
            builder = builder.device(device.clone());
        }
        if let Some(path) = self.store_path() {
            builder = builder.store(FileStore::open(&path).with_context(|| format!("opening {}", path.display()))?);
        }
        if self.register
            && let Err(error) = builder.register().await
            && error.code() != Some(troupe_core::Rejection::NameTaken.code())
        {
            return Err(error).context("registering");
        }
        builder.connect().await.with_context(|| format!("logging in as {}", self.name))
    }

    /// One file per user and device. A name has no path separators, but who types it may.
    fn store_path(&self) -> Option<PathBuf> {
        let plain = |text: &str| -> String {
            text.chars().map(|c| if c.is_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' }).collect()
        };
        let device = self.device.as_deref().map(|device| format!("-{}", plain(device))).unwrap_or_default();
        let file = format!("{}{device}.troupe", plain(&troupe_core::fold(&self.name)));
        Some(self.state_dir.as_ref()?.join(file))
    }
}

#[derive(Clone, Debug)]
pub struct Options {
    pub account: Account,
    /// Colours and bells, for a real terminal.
    pub terminal: bool,
}

/// Chats until the input ends or `:q!` is typed. What is not sent by then stays in the outbox of the state folder; without
/// one, the last messages get a moment to be sent.
pub async fn run(options: Options, input: impl AsyncBufRead + Unpin, output: impl AsyncWrite + Unpin) -> Result<()> {
    let (client, mut events) = options.account.connect().await?;
    let mut session = Session::new(client, options, output);
    session.greet().await?;
    let mut lines = Lines::new(input);
    loop {
        let more = tokio::select! {
            biased;
            incoming = events.next() => match incoming {
                Some(incoming) => {
                    let over = matches!(incoming, Incoming::State(State::Kicked { .. }));
                    session.incoming(incoming).await?;
                    !over
                }
                None => false,
            },
            work = session.next_work() => {
                session.worked(work).await?;
                true
            }
            line = lines.next() => match line? {
                Some(line) => session.line(&line).await?,
                None => false,
            },
        };
        session.flush().await?;
        if !more {
            break;
        }
    }
    session.finish(&mut events).await
}

/// Lines with a bound, cancel-safe.
struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    fn new(input: R) -> Lines<R> {
        Lines { input, buffer: Vec::new() }
    }

    async fn next(&mut self) -> Result<Option<String>> {
        loop {
            let available = self.input.fill_buf().await?;
            if available.is_empty() && self.buffer.is_empty() {
                return Ok(None);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(available.len(), |at| at + 1);
            let keep = end.unwrap_or(taken).min((LINE_BYTES + 1).saturating_sub(self.buffer.len()));
            self.buffer.extend_from_slice(&available[..keep]);
            let ended = end.is_some() || available.is_empty();
            self.input.consume(taken);
            if ended {
                let line = std::mem::take(&mut self.buffer);
                anyhow::ensure!(line.len() <= LINE_BYTES, "a line has more than {LINE_BYTES} bytes");
                return Ok(Some(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned()));
            }
        }
    }
}
