//! `troupe chat` in a terminal: the full-screen client.
//!
//! The engine of `troupe_client::chat` runs commands and follows the cluster. This crate is its
//! screen: [`model`] holds what the user sees and takes the keys, without IO; `view` draws it;
//! [`run`] connects both to the terminal. Nothing that arrives moves the typed text or the rows
//! that the user has scrolled to.

mod complete;
mod keys;
mod line;
mod mode;
mod model;
mod question;
mod room;
mod view;
mod wrap;

use std::io::{self, stdout};
use std::sync::Arc;

use anyhow::{Context, Result};
use crossterm::event::{Event, EventStream};
use futures::StreamExt;
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::layout::{Position, Rect};
use troupe_client::State;
use troupe_client::chat::{Account, Connected, Input, Listed, Mark, Message, Said, Screen, TimeOfDay, Wish, converse};
use troupe_core::{ConversationId, Seq, Timestamp};

use keys::key;
use mode::Mode;
use model::{Key, Model};
use question::Question;

/// Chats on the full screen until the user quits.
///
/// `logged_in` is called after the login: the terminal prompts for a password in its own mode.
pub async fn run(account: Account, logged_in: impl FnOnce()) -> Result<()> {
    let connected = account.connect().await?;
    logged_in();
    let screen = FullScreen::new(&account, &connected)?;
    let keys = Keys { stream: EventStream::new() };
    converse(account, connected, keys, screen).await
}

/// The time of day in the zone of this terminal, for the line mode.
pub fn time_of_day() -> TimeOfDay {
    let zone = TimeZone::system();
    TimeOfDay(Arc::new(move |time| view::clock(time, &zone)))
}

struct Keys {
    stream: EventStream,
}

impl Input<Event> for Keys {
    async fn next(&mut self) -> Result<Option<Event>> {
        self.stream.next().await.transpose().context("reading the terminal")
    }
}

struct FullScreen<B: Backend> {
    model: Model,
    terminal: Terminal<B>,
    zone: TimeZone,
    account: Account,
    /// The last frame has a symbol of which terminals disagree.
    ambiguous: bool,
    _mode: Mode,
}

impl FullScreen<CrosstermBackend<io::Stdout>> {
    fn new(account: &Account, connected: &Connected) -> Result<FullScreen<CrosstermBackend<io::Stdout>>> {
        let mode = Mode::enter().context("the terminal has no full-screen mode: use --plain")?;
        let name = connected.client.name().unwrap_or_else(|| account.name.clone());
        let mut model = Model::new(name);
        model.state = Some(connected.client.state());
        let terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
        let (zone, account) = (TimeZone::system(), account.clone());
        Ok(FullScreen { model, terminal, zone, account, ambiguous: false, _mode: mode })
    }
}

impl<B: Backend<Error = io::Error>> FullScreen<B> {
    /// Clears the screen, so that the next frame is drawn as a whole.
    ///
    /// `Terminal::clear` would ask the terminal for its cursor, and wait for an answer that the
    /// stream of keys takes: after two seconds the chat would end.
    fn begin_again(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(Rect::from((Position::ORIGIN, size)))
    }

    fn draw(&mut self) -> io::Result<()> {
        // Behind a symbol of another width than expected, the cells of this row are not where they
        // should be, so the difference to the last frame is not enough.
        if self.ambiguous {
            self.begin_again()?;
        }
        let (model, zone) = (&mut self.model, &self.zone);
        let drawn = self.terminal.draw(|frame| view::draw(frame, model, zone))?;
        self.ambiguous = drawn.buffer.content().iter().any(|cell| view::is_ambiguous(cell.symbol()));
        Ok(())
    }
}

impl<B> Screen for FullScreen<B>
where
    B: Backend<Error = io::Error> + Send,
{
    type Step = Event;

    fn take(&mut self, event: Event) -> Wish {
        let key = key(event);
        if key == Key::Redraw {
            // A terminal that changed its size, or that another program wrote to, is drawn again.
            self.model.hint = self.begin_again().err().map(|error| error.to_string());
        }
        self.model.key(key)
    }

    fn shows(&self, conversation: ConversationId) -> bool {
        self.model.sees(conversation)
    }

    fn holds(&self, conversation: ConversationId, message: Seq) -> bool {
        self.model.holds(conversation, message)
    }

    fn time(&self, time: Timestamp) -> String {
        view::when(time, Timestamp(self.account.context.clock.now().0), &self.zone)
    }

    fn has_overview(&self) -> bool {
        true
    }

    async fn said(&mut self, conversation: ConversationId, label: &str, said: &Said) -> io::Result<()> {
        self.model.said(conversation, label, said);
        Ok(())
    }

    async fn notice(&mut self, text: &str) -> io::Result<()> {
        self.model.notice(text);
        Ok(())
    }

    async fn sending(
        &mut self,
        number: u64,
        conversation: ConversationId,
        label: &str,
        message: &Message,
    ) -> io::Result<()> {
        self.model.now = Timestamp(self.account.context.clock.now().0);
        self.model.sending(number, conversation, label, message);
        Ok(())
    }

    async fn outcome(&mut self, number: u64, mark: Mark, seq: Option<Seq>, text: &str) -> io::Result<()> {
        self.model.outcome(number, mark, seq, text);
        Ok(())
    }

    async fn prompt(&mut self, place: &str) -> io::Result<()> {
        place.clone_into(&mut self.model.place);
        self.draw()
    }

    async fn end_prompt(&mut self) -> io::Result<()> {
        self.draw()
    }

    fn opened(&mut self, conversation: Option<ConversationId>, label: &str) {
        self.model.opened(conversation, label);
    }

    fn overview(&mut self, conversations: Vec<Listed>) {
        self.model.overview(conversations);
    }

    fn page(&mut self, conversation: ConversationId, page: Vec<Said>, more: bool) {
        self.model.page(conversation, page, more);
    }

    fn refreshed(&mut self, conversation: ConversationId, message: Said) {
        self.model.refreshed(conversation, message);
    }

    fn confirming(&mut self, text: Option<&str>) {
        self.model.question = text.map(Question::new);
    }

    async fn state(&mut self, state: &State) -> io::Result<()> {
        self.model.changed(state);
        Ok(())
    }
}
