//! How things look: one line each, plain text, a little colour where a terminal is known to be there.

use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::client::State;
use crate::msg::clean;

pub(super) const SENDING: &str = "…";
pub(super) const SENT: &str = "✓";
pub(super) const DELIVERED: &str = "✓✓";
pub(super) const FAILED: &str = "✗";

pub(super) struct Screen<W> {
    output: W,
    colours: bool,
}

impl<W: AsyncWrite + Unpin> Screen<W> {
    pub fn new(output: W, colours: bool) -> Screen<W> {
        Screen { output, colours }
    }

    /// What somebody says.
    pub async fn message(&mut self, place: &str, who: &str, text: &str) -> std::io::Result<()> {
        let (place, who, text) = (clean(place), clean(who), clean(text));
        if self.colours {
            self.line(&format!("\x1b[2m[{place}]\x1b[0m \x1b[1m{who}\x1b[0m: {text}")).await
        } else {
            self.line(&format!("[{place}] {who}: {text}")).await
        }
    }

    /// What this client has to say.
    pub async fn notice(&mut self, text: &str) -> std::io::Result<()> {
        let text = clean(text);
        if self.colours {
            self.line(&format!("\x1b[2m* {text}\x1b[0m")).await
        } else {
            self.line(&format!("* {text}")).await
        }
    }

    /// What became of the message with this number.
    pub async fn mark(&mut self, mark: &str, number: u64, text: &str) -> std::io::Result<()> {
        self.line(format!("  {mark} #{number} {}", clean(text)).trim_end()).await
    }

    pub async fn flush(&mut self) -> std::io::Result<()> {
        self.output.flush().await
    }

    async fn line(&mut self, text: &str) -> std::io::Result<()> {
        self.output.write_all(text.as_bytes()).await?;
        self.output.write_all(b"\n").await
    }
}

/// A state in words; `None` for one that passes.
pub(super) fn state(state: &State) -> Option<String> {
    match state {
        State::Connecting => None,
        State::Online { node, address } => Some(format!("online at node {node} ({address})")),
        State::Offline { reason } => Some(format!("offline: {reason}; looking for another node, nothing is lost")),
        State::Kicked { text, .. } => Some(format!("this session has ended: {text}")),
    }
}
