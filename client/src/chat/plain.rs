//! The line mode: one line for each input and output, plain text, with colour and a prompt if the
//! output is a terminal.

use std::io;

use anyhow::Result;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};
use troupe_core::text::{clean, clean_name};
use troupe_core::{ConversationId, Seq, Timestamp};

use super::editor::{Editor, Entered, Key};
use super::said::{Message, Said, What};
use super::screen::{Input, Mark, Screen, Wish, state_in_words};
use super::{LINE_BYTES, TimeOfDay};
use crate::client::State;

/// Lines shown of one message. `troupe msg tail` prints the rest.
const MESSAGE_LINES: usize = 200;

pub(super) enum Step {
    Entered(Entered),
    /// A line of so many bytes is not entered.
    TooLong(usize),
    /// Nothing is entered yet; the prompt shows the typed text.
    Typing(String),
}

/// Lines from a pipe, or keys from a terminal.
pub(super) struct PlainInput<R> {
    lines: Lines<R>,
    editor: Option<Editor>,
}

impl<R: AsyncBufRead + Unpin> PlainInput<R> {
    pub fn new(input: R, terminal: bool) -> PlainInput<R> {
        PlainInput { lines: Lines::new(input), editor: terminal.then(Editor::default) }
    }
}

impl<R: AsyncBufRead + Unpin + Send> Input<Step> for PlainInput<R> {
    async fn next(&mut self) -> Result<Option<Step>> {
        let Some(editor) = &mut self.editor else {
            return Ok(self.lines.next().await?.map(|line| Step::Entered(Entered::typed(line))));
        };
        let available = self.lines.input.fill_buf().await?;
        if available.is_empty() {
            return Ok(None);
        }
        let (mut taken, mut key) = (0, None);
        for byte in available {
            taken += 1;
            key = editor.feed(*byte);
            if key.is_some() {
                break;
            }
        }
        self.lines.input.consume(taken);
        Ok(match key {
            None => Some(Step::Typing(editor.shown())),
            Some(Key::Enter(entered)) => Some(Step::Entered(entered)),
            Some(Key::TooLong(bytes)) => Some(Step::TooLong(bytes)),
            Some(Key::End) => None,
        })
    }
}

/// Bounded lines, cancel-safe.
pub(super) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub fn new(input: R) -> Lines<R> {
        Lines { input, buffer: Vec::new() }
    }

    pub async fn next(&mut self) -> Result<Option<String>> {
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

pub(super) struct PlainScreen<W> {
    output: W,
    terminal: bool,
    time_of_day: Option<TimeOfDay>,
    typed: String,
    /// The last line holds the prompt.
    prompted: bool,
}

impl<W: AsyncWrite + Unpin + Send> PlainScreen<W> {
    pub fn new(output: W, terminal: bool, time_of_day: Option<TimeOfDay>) -> PlainScreen<W> {
        PlainScreen { output, terminal, time_of_day, typed: String::new(), prompted: false }
    }

    /// Continuation lines are marked, so that none of them looks like another message.
    async fn message(&mut self, label: &str, said: &Said, text: &str) -> io::Result<()> {
        let (who, mut time) = (clean_name(&said.who), self.time(said.time));
        let mut lines = text.lines().map(clean);
        let first = lines.next().unwrap_or_default();
        if !time.is_empty() {
            time.push(' ');
        }
        if self.terminal {
            self.line(&format!("\x1b[2m{time}[{label}]\x1b[0m \x1b[1m{who}\x1b[0m: {first}")).await?;
        } else {
            self.line(&format!("{time}[{label}] {who}: {first}")).await?;
        }
        for line in lines.take(MESSAGE_LINES) {
            self.line(&format!("  | {line}")).await?;
        }
        Ok(())
    }

    async fn mark(&mut self, mark: Mark, number: u64, text: &str) -> io::Result<()> {
        self.line(format!("  {} #{number} {}", mark.symbol(), clean(text)).trim_end()).await
    }

    async fn line(&mut self, text: &str) -> io::Result<()> {
        if std::mem::take(&mut self.prompted) {
            self.output.write_all(b"\r\x1b[K").await?;
        }
        self.output.write_all(text.as_bytes()).await?;
        self.output.write_all(b"\n").await
    }
}

impl<W: AsyncWrite + Unpin + Send> Screen for PlainScreen<W> {
    type Step = Step;

    fn time(&self, time: Timestamp) -> String {
        self.time_of_day.as_ref().map_or_else(String::new, |of_day| (of_day.0)(time))
    }

    fn take(&mut self, step: Step) -> Wish {
        match step {
            Step::Entered(entered) => {
                self.typed.clear();
                Wish::Enter(entered)
            }
            Step::TooLong(bytes) => {
                self.typed.clear();
                Wish::Remark(format!("not sent: a line has at most {LINE_BYTES} bytes, and this one {bytes}"))
            }
            Step::Typing(typed) => {
                self.typed = typed;
                Wish::Nothing
            }
        }
    }

    async fn said(&mut self, _conversation: ConversationId, label: &str, said: &Said) -> io::Result<()> {
        match &said.what {
            What::Message(message) => self.message(label, said, &message.text).await,
            What::Change { words, .. } | What::Fact(words) => {
                let line = format!("{} [{label}] {} {words}", self.time(said.time), said.who);
                self.notice(line.trim_start()).await
            }
        }
    }

    async fn notice(&mut self, text: &str) -> io::Result<()> {
        let text = clean(text);
        if self.terminal {
            self.line(&format!("\x1b[2m* {text}\x1b[0m")).await
        } else {
            self.line(&format!("* {text}")).await
        }
    }

    async fn sending(
        &mut self,
        number: u64,
        _conversation: ConversationId,
        label: &str,
        message: &Message,
    ) -> io::Result<()> {
        self.mark(Mark::Sending, number, &format!("[{label}] {}", message.text)).await
    }

    async fn outcome(&mut self, number: u64, mark: Mark, _seq: Option<Seq>, text: &str) -> io::Result<()> {
        self.mark(mark, number, text).await
    }

    async fn prompt(&mut self, place: &str) -> io::Result<()> {
        if self.terminal {
            let prompt = format!("\r\x1b[K\x1b[1m{place}>\x1b[0m {}", clean(&self.typed));
            self.output.write_all(prompt.as_bytes()).await?;
            self.prompted = true;
        }
        self.output.flush().await
    }

    /// The typed text is kept.
    async fn end_prompt(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.prompted) {
            self.output.write_all(b"\r\x1b[K").await?;
        }
        self.output.flush().await
    }

    async fn state(&mut self, state: &State) -> io::Result<()> {
        match state_in_words(state) {
            Some(text) => self.notice(&text).await,
            None => Ok(()),
        }
    }
}
