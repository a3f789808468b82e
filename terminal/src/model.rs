//! The state of the screen: conversations, their rows, and the keys. No IO.

use std::collections::BTreeMap;

use troupe_client::State;
use troupe_client::chat::{Entered, LINE_BYTES, Listed, Mark, Message, Said, What, Wish, state_in_words};
use troupe_core::text::clean;
use troupe_core::{ConversationId, Seq, Timestamp};

use crate::complete::Completion;
use crate::line::{History, Line};
use crate::question::{Answer, Question};
use crate::room::{Anchor, Place, Room};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    Char(char),
    Paste(String),
    Enter,
    /// A new line within the message.
    Newline,
    Backspace,
    Delete,
    DeleteWord,
    DeleteToStart,
    DeleteToEnd,
    Left,
    Right,
    WordLeft,
    WordRight,
    Home,
    End,
    Up,
    Down,
    PageUp,
    PageDown,
    /// To the newest row.
    Newest,
    Complete,
    NextConversation,
    PreviousConversation,
    NextUnread,
    /// Ends the chat if the line is empty.
    EndOfInput,
    /// Clears the line; ends the chat if it is empty.
    Interrupt,
    /// Back to the line from a question.
    Escape,
    /// The size has changed, or a key without a meaning.
    Redraw,
}

#[derive(Debug, Default)]
pub struct Model {
    /// The name of this user.
    pub me: String,
    /// `None` is the place outside of all conversations.
    pub rooms: BTreeMap<Option<ConversationId>, Room>,
    pub current: Option<ConversationId>,
    pub state: Option<State>,
    /// The label of the current conversation, or a question.
    pub place: String,
    /// A remark about the last key, until the next one.
    pub hint: Option<String>,
    pub now: Timestamp,
    /// A long paste that waits for an answer.
    pub question: Option<Question>,
    history: History,
    completion: Option<Completion>,
    /// Lines of the message area and places of its rows, as they were last drawn.
    pub drawn: Drawn,
}

/// Rows and their heights at the present width, from the lower edge up.
#[derive(Debug, Default)]
pub struct Drawn {
    pub lines: usize,
    pub heights: Vec<(Place, usize)>,
}

impl Model {
    pub fn new(me: String) -> Model {
        Model { me, ..Model::default() }
    }

    pub fn room(&self) -> Option<&Room> {
        self.rooms.get(&self.current)
    }

    pub fn here(&mut self) -> &mut Room {
        self.rooms.entry(self.current).or_default()
    }

    /// Conversations in the order of the list: the newest first, then by label.
    pub fn listed(&self) -> Vec<(ConversationId, &Room)> {
        let mut listed: Vec<_> = self.rooms.iter().filter_map(|(id, room)| id.map(|id| (id, room))).collect();
        listed.sort_by(|(_, a), (_, b)| b.time.cmp(&a.time).then_with(|| a.label.cmp(&b.label)));
        listed
    }

    pub fn said(&mut self, conversation: ConversationId, label: &str, said: &Said) {
        let seen = self.sees(conversation);
        let named = matches!(&said.what, What::Message(message) if self.is_named_by(message));
        let room = self.rooms.entry(Some(conversation)).or_default();
        label.clone_into(&mut room.label);
        if !said.mine && !seen && matches!(said.what, What::Message(_)) {
            room.unread += 1;
            room.mentions += u64::from(named);
        }
        if said.mine {
            room.read = room.read.max(said.seq);
        }
        let mut said = said.clone();
        // The row of the message shows the change. Without that row, the change has its own.
        if let What::Change { to, change, words } = &said.what
            && !room.change(*to, change, said.seq, said.mine)
        {
            said.what = What::Fact(words.clone());
        }
        room.add(said);
    }

    pub fn refreshed(&mut self, conversation: ConversationId, message: Said) {
        if let Some(room) = self.rooms.get_mut(&Some(conversation)) {
            room.refreshed(message);
        }
    }

    /// Whether the rows have this message.
    pub fn holds(&self, conversation: ConversationId, message: Seq) -> bool {
        self.rooms.get(&Some(conversation)).is_some_and(|room| room.message(message).is_some())
    }

    /// Whether the user has the newest rows of this conversation before their eyes.
    pub fn sees(&self, conversation: ConversationId) -> bool {
        self.current == Some(conversation) && self.room().is_some_and(|room| room.anchor.is_none())
    }

    pub fn is_named_by(&self, message: &Message) -> bool {
        message.names_me || self.is_named_in(&message.text)
    }

    fn is_named_in(&self, text: &str) -> bool {
        let (text, name) = (text.to_lowercase(), self.me.to_lowercase());
        text.match_indices('@').any(|(at, _)| {
            let named = text[at + 1..].strip_prefix(name.as_str());
            !name.is_empty() && named.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        })
    }

    pub fn notice(&mut self, text: &str) {
        self.here().notice(clean(text));
    }

    pub fn sending(&mut self, number: u64, conversation: ConversationId, label: &str, message: &Message) {
        let (now, who, what) = (self.now, self.me.clone(), What::Message(message.clone()));
        let said = Said { seq: Seq::ZERO, time: now, who, mine: true, what, as_of: Seq::ZERO };
        let room = self.rooms.entry(Some(conversation)).or_default();
        label.clone_into(&mut room.label);
        room.time = room.time.max(now);
        room.sending(number, said);
    }

    pub fn outcome(&mut self, number: u64, mark: Mark, seq: Option<Seq>, why: &str) {
        let known = self.rooms.values_mut().any(|room| room.outcome(number, mark, seq, why));
        if !known && mark == Mark::Failed {
            self.notice(&format!("message {number} failed: {why}"));
        }
    }

    pub fn opened(&mut self, conversation: Option<ConversationId>, label: &str) {
        // Typed text goes with the user where no conversation was: nothing typed is ever lost.
        let stray = match self.current {
            None => std::mem::take(&mut self.here().line),
            Some(_) => Line::default(),
        };
        self.current = conversation;
        let room = self.here();
        label.clone_into(&mut room.label);
        if room.line.is_empty() {
            room.line = stray;
        }
        room.opened();
        self.completion = None;
    }

    /// The list as the servers know it. Conversations that are no longer in it go, with their rows.
    pub fn overview(&mut self, conversations: Vec<Listed>) {
        let current = self.current;
        let stays = |id: &Option<ConversationId>| {
            id.is_none() || *id == current || conversations.iter().any(|listed| Some(listed.conversation) == *id)
        };
        self.rooms.retain(|id, _| stays(id));
        for listed in conversations {
            let room = self.rooms.entry(Some(listed.conversation)).or_default();
            room.label = listed.label;
            room.time = room.time.max(listed.time);
            if Some(listed.conversation) != current {
                (room.unread, room.mentions) = (listed.unread, listed.mentions);
                room.read = listed.read;
            }
        }
    }

    pub fn page(&mut self, conversation: ConversationId, page: Vec<Said>, more: bool) {
        self.rooms.entry(Some(conversation)).or_default().page(page, more);
    }

    pub fn changed(&mut self, state: &State) {
        let before = self.state.replace(state.clone());
        if before.as_ref() != Some(state)
            && let State::Kicked { .. } = state
            && let Some(words) = state_in_words(state)
        {
            self.notice(&words);
        }
    }

    /// Takes a key.
    pub fn key(&mut self, key: Key) -> Wish {
        self.hint = None;
        if let Some(question) = &mut self.question {
            return match question.key(&key, self.drawn.lines) {
                Answer::None => Wish::Nothing,
                Answer::Yes => self.answered("y"),
                Answer::No => {
                    let text = question.text.clone();
                    let line = &mut self.here().line;
                    // Nothing that was pasted or typed is lost.
                    line.restore(text);
                    self.answered("n")
                }
            };
        }
        if key != Key::Complete {
            self.completion = None;
        }
        let line = &mut self.rooms.entry(self.current).or_default().line;
        match key {
            Key::Char(c) => self.hint = full(line.insert(c)),
            Key::Newline => self.hint = full(line.insert('\n')),
            Key::Paste(text) if line.paste(&text) => {}
            Key::Paste(text) => {
                let bytes = text.len();
                self.hint = Some(format!("nothing was pasted: it has {bytes} bytes, and a line {LINE_BYTES}"));
            }
            Key::Enter => {
                let entered = line.take();
                self.history.push(&entered);
                return Wish::Enter(entered);
            }
            Key::Backspace => line.backspace(),
            Key::Delete => line.delete(),
            Key::DeleteWord => line.delete_word(),
            Key::DeleteToStart => line.delete_to_start(),
            Key::DeleteToEnd => line.delete_to_end(),
            Key::Left => line.left(),
            Key::Right => line.right(),
            Key::WordLeft => line.word_left(),
            Key::WordRight => line.word_right(),
            Key::Home => line.home(),
            Key::End => line.end(),
            Key::Up => self.history.older(line),
            Key::Down => self.history.newer(line),
            Key::PageUp => return self.scroll_up(),
            Key::PageDown => self.scroll_down(),
            Key::Newest => self.here().anchor = None,
            Key::Complete => self.complete(),
            Key::NextConversation => return self.neighbour(1),
            Key::PreviousConversation => return self.neighbour(-1),
            Key::NextUnread => return self.next_unread(),
            Key::EndOfInput if line.is_empty() => return Wish::Quit,
            Key::Interrupt if line.is_empty() => return Wish::Quit,
            Key::Interrupt => drop(line.take()),
            Key::EndOfInput | Key::Redraw | Key::Escape => {}
        }
        Wish::Nothing
    }

    fn answered(&mut self, answer: &str) -> Wish {
        self.question = None;
        Wish::Enter(Entered::typed(answer))
    }

    /// One screenful up, but for a line. Fetches what comes before the first row.
    fn scroll_up(&mut self) -> Wish {
        let step = self.drawn.lines.saturating_sub(1).max(1);
        let mut left = step;
        let mut anchor = None;
        for (at, (place, height)) in self.drawn.heights.iter().enumerate() {
            // The row at the edge may be partly below it already.
            let hidden =
                if at == 0 { self.room().and_then(|room| room.anchor).map_or(0, |edge| edge.hidden) } else { 0 };
            let shown = height.saturating_sub(hidden);
            if left < shown {
                anchor = Some(Anchor { place: *place, hidden: hidden + left });
                break;
            }
            left -= shown;
        }
        let current = self.current;
        let room = self.here();
        if let Some(anchor) = anchor {
            room.anchor = Some(anchor);
        }
        let at_top = anchor.is_none_or(|anchor| room.rows.range(..anchor.place).count() < step);
        match (current, room.oldest()) {
            (Some(conversation), Some(oldest)) if at_top && room.more && !room.fetching => {
                room.fetching = true;
                Wish::Older(conversation, oldest)
            }
            _ => Wish::Nothing,
        }
    }

    fn scroll_down(&mut self) {
        let step = self.drawn.lines.saturating_sub(1).max(1);
        let heights: BTreeMap<Place, usize> = self.drawn.heights.iter().copied().collect();
        let room = self.here();
        let Some(edge) = room.anchor else { return };
        let mut left = step;
        if left <= edge.hidden {
            room.anchor = Some(Anchor { hidden: edge.hidden - left, ..edge });
            return;
        }
        left -= edge.hidden;
        let mut anchor = None;
        for place in room.rows.range(edge.place..).skip(1).map(|(place, _)| *place) {
            // A row below the edge was not drawn: it counts as one line, and the view settles it.
            let height = heights.get(&place).copied().unwrap_or(1);
            if left < height {
                anchor = Some(Anchor { place, hidden: height - left });
                break;
            }
            left -= height;
        }
        room.anchor = anchor;
        if anchor.is_none() {
            (room.unread, room.mentions) = (0, 0);
        }
    }

    fn neighbour(&mut self, by: isize) -> Wish {
        // By label: the order by time would change under the user's fingers.
        let mut listed: Vec<_> = self.rooms.iter().filter_map(|(id, room)| id.map(|id| (&room.label, id))).collect();
        listed.sort();
        let Some(count) = isize::try_from(listed.len()).ok().filter(|count| *count > 0) else { return Wish::Nothing };
        let at = listed.iter().position(|(_, id)| Some(*id) == self.current).and_then(|at| isize::try_from(at).ok());
        let next = at.map_or(0, |at| (at + by).rem_euclid(count));
        listed.get(next.unsigned_abs()).map_or(Wish::Nothing, |(_, id)| Wish::Open(*id))
    }

    fn next_unread(&mut self) -> Wish {
        let listed = self.listed();
        let unread = listed.iter().filter(|(id, room)| room.unread > 0 && Some(*id) != self.current);
        // Those that name the user come first.
        let next = unread.max_by_key(|(_, room)| (room.mentions > 0, room.time)).map(|(id, _)| *id);
        next.map_or(Wish::Nothing, Wish::Open)
    }

    fn complete(&mut self) {
        let mut completion = match self.completion.take() {
            Some(completion) => completion,
            None => {
                let before = self.room().map_or("", |room| room.line.before_cursor()).to_owned();
                match Completion::of(&before, self) {
                    Some(completion) => completion,
                    None => return,
                }
            }
        };
        let (from, with) = completion.next();
        self.here().line.complete(from, &with);
        self.hint = completion.others();
        self.completion = Some(completion);
    }
}

fn full(taken: bool) -> Option<String> {
    (!taken).then(|| "the line is full".to_owned())
}

#[cfg(test)]
mod tests;
