//! The interface between a chat and its terminal: input becomes a [`Wish`], and everything to show
//! goes through [`Screen`].

use std::future::Future;
use std::io;

use troupe_core::text::clean;
use troupe_core::{ConversationId, Seq, Timestamp};

use super::editor::Entered;
use super::said::{Message, Said};
use crate::client::State;

/// Delivers steps of input. Cancel-safe.
pub trait Input<Step> {
    /// `None`: the input has ended.
    fn next(&mut self) -> impl Future<Output = anyhow::Result<Option<Step>>> + Send;
}

/// A request of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    Nothing,
    Enter(Entered),
    /// Make this the current conversation.
    Open(ConversationId),
    /// Show events before this one.
    Older(ConversationId, Seq),
    /// Tell the user something about its input.
    Remark(String),
    Quit,
}

/// A conversation of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub conversation: ConversationId,
    pub label: String,
    pub unread: u64,
    /// Unread messages that mention this user or everyone; 100: that many or more.
    pub mentions: u64,
    /// The last event that the user has read.
    pub read: Seq,
    pub time: Timestamp,
}

/// The state of a message of this device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Sending,
    /// Acknowledged: durable on a majority.
    Sent,
    /// On a device of another user.
    Delivered,
    Failed,
}

impl Mark {
    pub fn symbol(self) -> &'static str {
        match self {
            Mark::Sending => "…",
            Mark::Sent => "✓",
            Mark::Delivered => "✓✓",
            Mark::Failed => "✗",
        }
    }
}

/// Shows a chat. All text may come from other users: an implementation cleans it of control
/// characters.
pub trait Screen: Send {
    type Step: Send;

    fn take(&mut self, step: Self::Step) -> Wish;

    /// Whether the user sees new events of this conversation.
    fn shows(&self, _conversation: ConversationId) -> bool {
        true
    }

    /// Whether the screen holds this message, and wants to know its state when that changes.
    fn holds(&self, _conversation: ConversationId, _message: Seq) -> bool {
        false
    }

    /// A time for a line in words; empty: this screen shows none.
    fn time(&self, _time: Timestamp) -> String {
        String::new()
    }

    /// Whether the chat fetches the list of conversations, and pages of the current one.
    fn has_overview(&self) -> bool {
        false
    }

    fn said(
        &mut self,
        conversation: ConversationId,
        label: &str,
        said: &Said,
    ) -> impl Future<Output = io::Result<()>> + Send;

    /// A remark of this client.
    fn notice(&mut self, text: &str) -> impl Future<Output = io::Result<()>> + Send;

    /// A message of this device. `number` counts them.
    fn sending(
        &mut self,
        number: u64,
        conversation: ConversationId,
        label: &str,
        message: &Message,
    ) -> impl Future<Output = io::Result<()>> + Send;

    /// The outcome of the message with this number, with its place in the log if it has one.
    fn outcome(
        &mut self,
        number: u64,
        mark: Mark,
        seq: Option<Seq>,
        text: &str,
    ) -> impl Future<Output = io::Result<()>> + Send;

    /// Called before each wait for input: everything is shown from now on. `place` is the label of
    /// the current conversation, or a question.
    fn prompt(&mut self, place: &str) -> impl Future<Output = io::Result<()>> + Send;

    fn end_prompt(&mut self) -> impl Future<Output = io::Result<()>> + Send;

    /// The current conversation has changed.
    fn opened(&mut self, _conversation: Option<ConversationId>, _label: &str) {}

    fn overview(&mut self, _conversations: Vec<Listed>) {}

    /// Events of a conversation, oldest first. `more`: there are events before them.
    fn page(&mut self, _conversation: ConversationId, _page: Vec<Said>, _more: bool) {}

    /// The present state of a message that the screen holds.
    fn refreshed(&mut self, _conversation: ConversationId, _message: Said) {}

    /// A long paste waits for `y`. `None`: no longer.
    fn confirming(&mut self, _text: Option<&str>) {}

    fn state(&mut self, state: &State) -> impl Future<Output = io::Result<()>> + Send;
}

/// A state in words. `None` for a transient one.
pub fn state_in_words(state: &State) -> Option<String> {
    match state {
        State::Connecting => None,
        State::Online { node, address } => Some(format!("online at node {node} ({address})")),
        State::Offline { reason } => {
            Some(format!("offline: {}; looking for another node, nothing is lost", clean(reason)))
        }
        State::Kicked { text, .. } => Some(format!("this session has ended: {}", clean(text))),
    }
}
