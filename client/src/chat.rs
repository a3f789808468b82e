//! `troupe chat`: the engine of a chat for any terminal.
//!
//! [`converse`] connects steps of input to the SDK and SDK events to a [`Screen`]. [`run`] does so
//! with lines, over pipes as well as in a terminal: there it repaints only the last line, the
//! prompt, which names the conversation, and the typed text. The full screen is the crate
//! `troupe-terminal`. Commands are those of CIM, with a few for groups. See [`command`] for the
//! grammar, `editor` for the typed line, `session` for the commands and `plain` for the line mode.

mod account;
mod command;
mod editor;
mod emoji;
mod plain;
mod said;
mod screen;
mod session;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use anyhow::Result;
use tokio::io::{AsyncBufRead, AsyncWrite};
use troupe_core::Timestamp;

pub use account::{Account, AskPassword, Connected};
pub use command::HELP;
pub use editor::{Entered, PASTE_MARKS_OFF, PASTE_MARKS_ON};
pub use said::{Change, ERASED, Message, Said, ShownPoll, What};
pub use screen::{Input, Listed, Mark, Screen, Wish, state_in_words};
pub use session::reactions_in_words;

use crate::client::{Incoming, State};
use plain::{PlainInput, PlainScreen};
use session::ChatSession;

/// Longest input line: a message of the largest size after a command.
pub const LINE_BYTES: usize = troupe_core::limits::MESSAGE_BYTES + 1024;

/// The time of day in words, in the zone of the user.
#[derive(Clone)]
pub struct TimeOfDay(pub Arc<dyn Fn(Timestamp) -> String + Send + Sync>);

impl fmt::Debug for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TimeOfDay")
    }
}

#[derive(Clone, Debug)]
pub struct Options {
    pub account: Account,
    /// The input is a terminal in raw mode. The output shows colours and a prompt.
    pub terminal: bool,
    /// Messages begin with their time. `None`: lines for a program, without times.
    pub time_of_day: Option<TimeOfDay>,
}

/// Chats in lines until the input ends or `:q!` is typed.
///
/// `ready` is called after the login, and its result is held until the end: a terminal prompts for
/// a password in its own mode.
pub async fn run<T>(
    options: Options,
    ready: impl FnOnce() -> Result<T>,
    input: impl AsyncBufRead + Unpin + Send,
    output: impl AsyncWrite + Unpin + Send,
) -> Result<()> {
    let Options { account, terminal, time_of_day } = options;
    let connected = account.connect().await?;
    let _ready = ready()?;
    let screen = PlainScreen::new(output, terminal, time_of_day);
    converse(account, connected, PlainInput::new(input, terminal), screen).await
}

/// Chats until the input ends or `:q!` is typed. Unsent messages stay in the outbox of the state
/// folder. Without a state folder, the last messages get a moment to be sent.
pub async fn converse<S: Screen>(
    account: Account,
    connected: Connected,
    mut input: impl Input<S::Step>,
    screen: S,
) -> Result<()> {
    let Connected { client, mut events, notices } = connected;
    let mut session = ChatSession::new(client, account, screen);
    session.greet(&notices).await?;
    let mut reading = true;
    while reading || session.is_switching() {
        session.prompt().await?;
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
            step = input.next(), if reading => match step? {
                Some(step) => session.take(step).await?,
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
