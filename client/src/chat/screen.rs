//! Output of the chat: one line each, plain text, with colour if the output is a terminal.

use tokio::io::{AsyncWrite, AsyncWriteExt};
use troupe_core::text::{clean, clean_name};

use crate::client::State;

pub(super) const SENDING: &str = "…";
pub(super) const SENT: &str = "✓";
pub(super) const DELIVERED: &str = "✓✓";
pub(super) const FAILED: &str = "✗";

/// Lines shown of one message. `troupe msg tail` prints the rest.
const MESSAGE_LINES: usize = 200;

pub(super) struct Screen<W> {
    output: W,
    terminal: bool,
    /// The last line holds the prompt.
    prompted: bool,
}

impl<W: AsyncWrite + Unpin> Screen<W> {
    pub fn new(output: W, terminal: bool) -> Screen<W> {
        Screen { output, terminal, prompted: false }
    }

    /// A message. `place` is the label of its conversation. Continuation lines are marked, so that
    /// none of them looks like another message.
    pub async fn message(&mut self, place: &str, who: &str, text: &str) -> std::io::Result<()> {
        let who = clean_name(who);
        let mut lines = text.lines().map(clean);
        let first = lines.next().unwrap_or_default();
        if self.terminal {
            self.line(&format!("\x1b[2m[{place}]\x1b[0m \x1b[1m{who}\x1b[0m: {first}")).await?;
        } else {
            self.line(&format!("[{place}] {who}: {first}")).await?;
        }
        for line in lines.take(MESSAGE_LINES) {
            self.line(&format!("  | {line}")).await?;
        }
        Ok(())
    }

    /// A notice of this client.
    pub async fn notice(&mut self, text: &str) -> std::io::Result<()> {
        let text = clean(text);
        if self.terminal {
            self.line(&format!("\x1b[2m* {text}\x1b[0m")).await
        } else {
            self.line(&format!("* {text}")).await
        }
    }

    /// The outcome of the message with this number.
    pub async fn mark(&mut self, mark: &str, number: u64, text: &str) -> std::io::Result<()> {
        self.line(format!("  {mark} #{number} {}", clean(text)).trim_end()).await
    }

    /// Shows the prompt and the typed text. Only in a terminal.
    pub async fn prompt(&mut self, place: &str, typed: &str) -> std::io::Result<()> {
        if self.terminal {
            let prompt = format!("\r\x1b[K\x1b[1m{place}>\x1b[0m {}", clean(typed));
            self.output.write_all(prompt.as_bytes()).await?;
            self.prompted = true;
        }
        self.output.flush().await
    }

    /// Removes the prompt. The typed text is kept.
    pub async fn end_prompt(&mut self) -> std::io::Result<()> {
        if std::mem::take(&mut self.prompted) {
            self.output.write_all(b"\r\x1b[K").await?;
        }
        self.output.flush().await
    }

    async fn line(&mut self, text: &str) -> std::io::Result<()> {
        if std::mem::take(&mut self.prompted) {
            self.output.write_all(b"\r\x1b[K").await?;
        }
        self.output.write_all(text.as_bytes()).await?;
        self.output.write_all(b"\n").await
    }
}

/// A state in words. `None` for a transient one.
pub(super) fn state(state: &State) -> Option<String> {
    match state {
        State::Connecting => None,
        State::Online { node, address } => Some(format!("online at node {node} ({address})")),
        State::Offline { reason } => Some(format!("offline: {reason}; looking for another node, nothing is lost")),
        State::Kicked { text, .. } => Some(format!("this session has ended: {text}")),
    }
}
