//! `troupe msg`: sends and follows messages from scripts. Input and output are lines; with `json`,
//! each output line is one object.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};
use troupe_core::event::Fact;
use troupe_core::text::clean;
use troupe_core::{Body, ConversationId, Event, EventKind, Seq};

use crate::chat::{Account, Connected};
use crate::client::{Acked, Client, Incoming, SendHandle, State};
use crate::error::Error;

mod resolve;

pub(crate) use resolve::{NamedConversation, group_label, resolve};

/// Messages read ahead of their acks.
const PIPELINE: usize = 256;
/// How long the logout of a session without a store may take. At the limit the server ends the
/// session by its own timeout.
const LOGOUT: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
pub struct Send {
    pub account: Account,
    /// `everyone`, `d<low>-<high>`, `g<id>`, `#<title of an own group>`, or a user's name or id.
    pub to: String,
    /// `None`: one message per line of the input.
    pub text: Option<String>,
    pub json: bool,
}

#[derive(Clone, Debug)]
pub struct Tail {
    pub account: Account,
    /// Stop after this many messages.
    pub count: Option<usize>,
    pub json: bool,
}

/// Sends, and returns when every message has an outcome. Each message is reported: on `output` if
/// it was sent, on `errors` if not. An unsent message makes the command fail after all others are
/// done.
pub async fn send(
    options: Send,
    mut input: impl AsyncBufRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
    mut errors: impl AsyncWrite + Unpin,
) -> Result<()> {
    let Connected { client, events, mut notices } = options.account.connect().await?;
    drop(events);
    let kept = client.outbox_len();
    if kept > 0 {
        notices.push(format!("{kept} messages of an earlier run in the outbox are sent too"));
    }
    for notice in notices {
        print(&mut errors, &clean(&notice)).await?;
    }
    let mut sending = Sending { json: options.json, lines: 0, failed: 0, output: &mut output, errors: &mut errors };
    let sent = sending.all(&client, &options, &mut input).await;
    end(client, &options.account).await;
    sent?;
    match (sending.failed, sending.lines) {
        (0, _) => Ok(()),
        (1, 1) => bail!("the message was not sent"),
        (failed, lines) => bail!("{failed} of {lines} messages were not sent"),
    }
}

struct Sending<'a, O, E> {
    json: bool,
    lines: u64,
    failed: u64,
    output: &'a mut O,
    errors: &'a mut E,
}

/// The line number of the message, and its pending outcome.
type Waiting = VecDeque<(u64, Result<SendHandle, Error>)>;

impl<O: AsyncWrite + Unpin, E: AsyncWrite + Unpin> Sending<'_, O, E> {
    async fn all(&mut self, client: &Client, options: &Send, input: &mut (impl AsyncBufRead + Unpin)) -> Result<()> {
        let to = resolve(client, &options.to).await?.conversation;
        let mut waiting = Waiting::new();
        let read = match &options.text {
            Some(text) => {
                self.lines = 1;
                waiting.push_back((1, client.send(to, Body::text(text))));
                Ok(())
            }
            None => self.lines_of(client, to, input, &mut waiting).await,
        };
        // Every message that was read gets an outcome, even if the input failed.
        while let Some(one) = waiting.pop_front() {
            self.report(to, one).await?;
        }
        read
    }

    async fn lines_of(
        &mut self,
        client: &Client,
        to: ConversationId,
        input: &mut (impl AsyncBufRead + Unpin),
        waiting: &mut Waiting,
    ) -> Result<()> {
        let mut line = Vec::new();
        while input.read_until(b'\n', &mut line).await.context("reading the input")? > 0 {
            if waiting.len() == PIPELINE
                && let Some(one) = waiting.pop_front()
            {
                self.report(to, one).await?;
            }
            self.lines += 1;
            let text = String::from_utf8_lossy(&line);
            waiting.push_back((self.lines, client.send(to, Body::text(text.trim_end_matches(['\r', '\n'])))));
            line.clear();
        }
        Ok(())
    }

    async fn report(&mut self, to: ConversationId, (number, sent): (u64, Result<SendHandle, Error>)) -> Result<()> {
        let outcome = match sent {
            Ok(handle) => handle.await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(Acked { id, seq, time }) => {
                let line = match self.json {
                    true => as_line(&json!({
                        "conversation": to.to_string(),
                        "seq": seq.0,
                        "time_ms": time.0,
                        "client_message_id": id.to_string(),
                    })),
                    false => format!("sent {to} {seq}"),
                };
                print(self.output, &line).await?;
            }
            Err(error) => {
                self.failed += 1;
                let line = match self.json {
                    true => as_line(&json!({ "line": number, "code": error.code(), "error": error.to_string() })),
                    false => format!("line {number} was not sent to {to}: {}", clean(&error.to_string())),
                };
                print(self.errors, &line).await?;
            }
        }
        Ok(())
    }
}

/// Prints incoming events until `count` messages were printed or `stop` completes.
///
/// An event is printed first and then stored as seen. A process that is killed in between prints it
/// again next time.
pub async fn tail(
    options: Tail,
    mut output: impl AsyncWrite + Unpin,
    mut errors: impl AsyncWrite + Unpin,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let Connected { client, mut events, notices } = options.account.connect().await?;
    for notice in notices {
        print(&mut errors, &clean(&notice)).await?;
    }
    let mut stop = pin!(stop);
    let mut left = options.count;
    let mut ended = Ok(());
    while left != Some(0) && ended.is_ok() {
        let incoming = tokio::select! {
            biased;
            () = &mut stop => break,
            incoming = events.receive() => incoming,
        };
        match &incoming {
            None => ended = Err(anyhow::anyhow!("the client has ended")),
            Some(Incoming::State(State::Kicked { text, .. })) => ended = Err(anyhow::anyhow!("{text}")),
            Some(Incoming::Event { conversation, event }) => {
                let line = if options.json { as_json(*conversation, event) } else { as_text(*conversation, event) };
                if let Err(error) = print(&mut output, &line).await {
                    ended = Err(error).context("printing");
                    break;
                }
                if let Some(left) = &mut left
                    && matches!(event.kind, EventKind::Message(_))
                {
                    *left -= 1;
                }
            }
            Some(Incoming::Restored { conversation, kept, lost, .. }) => {
                let place = conversation.to_string();
                let line = match options.json {
                    true => json!({ "conversation": place, "restored": { "kept": kept.0, "lost": lost } }).to_string(),
                    false => restored(&place, *kept, *lost),
                };
                if let Err(error) = print(&mut output, &line).await {
                    ended = Err(error).context("printing");
                    break;
                }
            }
            Some(_) => {}
        }
        if let Some(incoming) = incoming {
            events.processed(&incoming);
        }
    }
    end(client, &options.account).await;
    ended
}

async fn print(output: &mut (impl AsyncWrite + Unpin), line: &str) -> std::io::Result<()> {
    output.write_all(format!("{line}\n").as_bytes()).await?;
    output.flush().await
}

/// Without a store the session cannot be used again, so it is logged out.
async fn end(client: Client, account: &Account) {
    if !account.keeps_state() && !matches!(client.state(), State::Kicked { .. }) {
        drop(tokio::time::timeout(LOGOUT, client.logout()).await);
    }
    client.close().await;
}

fn as_text(conversation: ConversationId, event: &Event) -> String {
    format!("{conversation} {} {}: {}", event.seq, event.sender, event.kind.words())
}

fn as_json(conversation: ConversationId, event: &Event) -> String {
    let mut line = json!({
        "conversation": conversation.to_string(),
        "seq": event.seq.0,
        "time_ms": event.time.0,
        "sender": event.sender.0,
        "client_message_id": event.client_message_id.to_string(),
    });
    let more = match &event.kind {
        EventKind::Message(body) => match body.as_text() {
            Some(text) => json!({ "kind": "message", "text": text }),
            None => json!({ "kind": "message", "body_kind": body.kind, "bytes": body.content.len() }),
        },
        EventKind::Unknown { kind, .. } if event.is_erased() => json!({ "kind": "erased", "number": kind }),
        EventKind::Unknown { kind, content } => {
            json!({ "kind": "unsupported", "number": kind, "bytes": content.len() })
        }
        kind => {
            let facts = kind.facts().into_iter().map(|(field, fact)| (field.to_owned(), value(fact)));
            facts.chain([("kind".to_owned(), kind.name().into())]).collect::<serde_json::Map<_, _>>().into()
        }
    };
    if let (Some(line), Value::Object(more)) = (line.as_object_mut(), more) {
        line.extend(more);
    }
    as_line(&line)
}

fn value(fact: Fact) -> Value {
    match fact {
        Fact::Number(number) => number.into(),
        Fact::Numbers(numbers) => numbers.into(),
        Fact::Text(text) => text.into(),
        Fact::Flag(flag) => flag.into(),
    }
}

/// JSON that cannot control a terminal: characters that [`clean`] would change are escaped, so the
/// value stays the same.
fn as_line(value: &Value) -> String {
    let json = value.to_string();
    let mut line = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii_graphic() || c == ' ' || clean(c.encode_utf8(&mut [0; 4])).contains(c) {
            line.push(c);
        } else {
            let mut units = [0; 2];
            line.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    line
}

/// The notice for a device whose cluster was restored with fewer events.
pub(crate) fn restored(place: &str, kept: Seq, lost: u64) -> String {
    match kept {
        Seq::ZERO => format!("the servers were restored from a backup without {place}: {lost} messages of it are gone"),
        kept => format!(
            "the cluster was restored from a backup: the last {lost} messages of {place} are lost, and it continues after number {kept}"
        ),
    }
}

#[cfg(test)]
mod tests;
