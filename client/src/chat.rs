//! `troupe chat`: a line-based chat for any terminal.
//!
//! [`run`] connects lines of input to the SDK and SDK events to lines of output, over pipes as well
//! as in a terminal. In a terminal it repaints only the last line: the prompt, which names the
//! conversation, and the typed text. Commands are those of CIM, with a few for groups. See
//! [`command`] for the grammar, `editor` for the typed line, `session` for the commands and
//! `screen` for the output.

mod account;
mod command;
mod editor;
mod emoji;
mod screen;
mod session;
#[cfg(test)]
mod tests;

use anyhow::Result;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite};

pub use account::{Account, AskPassword, Connected};
pub use editor::{PASTE_MARKS_OFF, PASTE_MARKS_ON};

use crate::client::{Incoming, State};
use editor::{Editor, Entered, Key};
use session::ChatSession;

/// Longest input line: a message of the largest size after a command.
const LINE_BYTES: usize = troupe_core::limits::MESSAGE_BYTES + 1024;

#[derive(Clone, Debug)]
pub struct Options {
    pub account: Account,
    /// The input is a terminal in raw mode. The output shows colours and a prompt.
    pub terminal: bool,
}

/// Chats until the input ends or `:q!` is typed. Unsent messages stay in the outbox of the state
/// folder. Without a state folder, the last messages get a moment to be sent.
///
/// `ready` is called after the login, and its result is held until the end: a terminal prompts for
/// a password in its own mode.
pub async fn run<T>(
    options: Options,
    ready: impl FnOnce() -> Result<T>,
    input: impl AsyncBufRead + Unpin,
    output: impl AsyncWrite + Unpin,
) -> Result<()> {
    let Connected { client, mut events, notices } = options.account.connect().await?;
    let _ready = ready()?;
    let mut input = Input { lines: Lines::new(input), editor: options.terminal.then(Editor::default) };
    let mut session = ChatSession::new(client, options, output);
    session.greet(&notices).await?;
    let mut reading = true;
    while reading || session.is_switching() {
        session.prompt(&input.shown()).await?;
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
            work = session.next_work() => session.worked(work).await?,
            entered = input.next(), if reading => match entered? {
                Some(Read::Entered(entered)) => session.line(entered).await?,
                Some(Read::Typing) => true,
                None => {
                    reading = false;
                    true
                }
            },
        };
        if !more {
            break;
        }
    }
    session.finish(&mut events).await
}

enum Read {
    Entered(Entered),
    /// Nothing is entered yet; the prompt shows the typed text.
    Typing,
}

/// Lines from a pipe, or keys from a terminal.
struct Input<R> {
    lines: Lines<R>,
    editor: Option<Editor>,
}

impl<R: AsyncBufRead + Unpin> Input<R> {
    /// The next entered line, or `None` at the end. Cancel-safe.
    async fn next(&mut self) -> Result<Option<Read>> {
        let Some(editor) = &mut self.editor else {
            return Ok(self.lines.next().await?.map(|line| Read::Entered(Entered::typed(line))));
        };
        let available = self.lines.input.fill_buf().await?;
        if available.is_empty() {
            return Ok(None);
        }
        let (mut taken, mut read) = (0, Some(Read::Typing));
        for byte in available {
            taken += 1;
            match editor.feed(*byte) {
                None => continue,
                Some(Key::Enter(entered)) => read = Some(Read::Entered(entered)),
                Some(Key::End) => read = None,
            }
            break;
        }
        self.lines.input.consume(taken);
        Ok(read)
    }

    fn shown(&self) -> String {
        self.editor.as_ref().map(Editor::shown).unwrap_or_default()
    }
}

/// Bounded lines, cancel-safe.
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
