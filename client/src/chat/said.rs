//! Events as a screen shows them.

use troupe_core::content::Poll;
use troupe_core::event::Content;
use troupe_core::{Body, Event, EventKind, Seq, Timestamp, UserId};

use crate::requests::{HistoryPage, PollState, Reaction};

/// An event in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub seq: Seq,
    pub time: Timestamp,
    /// Name of the sender.
    pub who: String,
    /// By this user, on any device.
    pub mine: bool,
    pub what: What,
    /// The state of a message counts all events up to this one.
    pub as_of: Seq,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Message(Message),
    /// A change of an earlier message. A screen that shows that message shows its new state.
    Change {
        to: Seq,
        change: Change,
        words: String,
    },
    /// Any other event.
    Fact(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub text: String,
    /// The message that it answers.
    pub reply_to: Option<Seq>,
    /// It mentions this user, or everyone.
    pub names_me: bool,
    pub edited: bool,
    pub reactions: Vec<Reaction>,
    pub poll: Option<Box<ShownPoll>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShownPoll {
    pub poll: Poll,
    pub state: PollState,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Reacted {
        emoji: String,
        removed: bool,
    },
    Edited {
        text: String,
    },
    /// It was recalled, or its time has come.
    Erased,
    /// The votes of a poll: the servers know their counts.
    Voted,
}

/// In place of the content of a recalled message.
pub const ERASED: &str = "(message whose content was erased)";

impl Message {
    pub fn text(text: impl Into<String>) -> Message {
        Message { text: text.into(), ..Message::default() }
    }

    /// A message in its present state. `me` is this user.
    pub(super) fn of(body: &Body, me: Option<UserId>) -> Message {
        let context = body.context.as_deref();
        let mentions = |context: &troupe_core::event::Context| {
            context.mentions_everyone || me.is_some_and(|me| context.mentions.contains(&me.0))
        };
        Message {
            text: words(body),
            reply_to: context.map(|context| Seq(context.reply_to)).filter(|seq| *seq > Seq::ZERO),
            names_me: context.is_some_and(mentions),
            edited: false,
            reactions: Vec::new(),
            poll: match body.typed() {
                Some(Content::Poll(poll)) => Some(Box::new(ShownPoll { poll, state: PollState::default() })),
                _ => None,
            },
        }
    }

    /// By this user, if `mine`.
    pub fn react(&mut self, emoji: &str, removed: bool, mine: bool) {
        let at = self.reactions.iter().position(|reaction| reaction.emoji == emoji);
        match (at, removed) {
            (Some(at), false) => {
                let reaction = &mut self.reactions[at];
                (reaction.users, reaction.mine) = (reaction.users + 1, reaction.mine || mine);
            }
            (Some(at), true) if self.reactions[at].users <= 1 => drop(self.reactions.remove(at)),
            (Some(at), true) => {
                let reaction = &mut self.reactions[at];
                (reaction.users, reaction.mine) = (reaction.users - 1, reaction.mine && !mine);
            }
            (None, false) => self.reactions.push(Reaction { emoji: emoji.to_owned(), users: 1, mine }),
            (None, true) => {}
        }
    }
}

impl Said {
    /// An event as it came.
    pub(super) fn of(event: &Event, who: String, me: Option<UserId>) -> Said {
        let change = |to: Seq, change| What::Change { to, change, words: event.kind.words() };
        let what = match &event.kind {
            EventKind::Message(body) => What::Message(Message::of(body, me)),
            EventKind::Reacted { to, emoji, removed } => {
                change(*to, Change::Reacted { emoji: emoji.clone(), removed: *removed })
            }
            EventKind::Edited { to, body } => change(*to, Change::Edited { text: words(body) }),
            EventKind::Recalled { to } | EventKind::Vanished { to } => change(*to, Change::Erased),
            EventKind::Voted { to, .. } | EventKind::PollClosed { to, .. } => change(*to, Change::Voted),
            kind => What::Fact(kind.words()),
        };
        Said { seq: event.seq, time: event.time, who, mine: Some(event.sender) == me, what, as_of: event.seq }
    }

    /// An event of a page, in its state as of the head of the page.
    pub(super) fn on_page(event: &Event, page: &HistoryPage, who: String, me: Option<UserId>) -> Said {
        let mut said = Said::of(event, who, me);
        said.as_of = page.head.max(event.seq);
        if let What::Message(message) = &mut said.what {
            message.reactions = page.reactions.get(&event.seq).cloned().unwrap_or_default();
            if let Some(edited) = page.edited.get(&event.seq) {
                (message.text, message.edited) = (words(&edited.body), true);
            }
            if let (Some(poll), Some(state)) = (&mut message.poll, page.polls.get(&event.seq)) {
                poll.state = state.clone();
            }
        }
        said
    }
}

/// A text as it is, and any other body in words.
fn words(body: &Body) -> String {
    match body.as_text() {
        Some(text) => text.to_owned(),
        None => EventKind::Message(body.clone()).words(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reactions_are_counted_as_the_servers_count_them() {
        let mut message = Message::text("hello");
        let shown = |message: &Message| -> Vec<(String, u64, bool)> {
            message.reactions.iter().map(|one| (one.emoji.clone(), one.users, one.mine)).collect()
        };
        message.react("👍", false, false);
        message.react("👍", false, true);
        message.react("❤", true, false);
        assert_eq!(shown(&message), [("👍".to_owned(), 2, true)]);
        message.react("👍", true, true);
        assert_eq!(shown(&message), [("👍".to_owned(), 1, false)]);
        message.react("👍", true, false);
        assert_eq!(shown(&message), []);
    }

    #[test]
    fn a_body_becomes_a_message_with_its_references() {
        let body = Body::text("yes").replying_to(Seq(7)).mentioning(&[UserId(3)]);
        let message = Message::of(&body, Some(UserId(3)));
        assert_eq!((message.reply_to, message.names_me), (Some(Seq(7)), true));
        assert!(!Message::of(&body, Some(UserId(4))).names_me);
        let poll = Poll { question: "Lunch?".into(), options: vec!["Yes".into(), "No".into()], ..Poll::default() };
        let message = Message::of(&Body::from(poll.clone()), None);
        assert_eq!(message.poll.map(|shown| shown.poll), Some(poll));
    }
}
