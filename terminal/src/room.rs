//! The rows of one conversation on the screen. No IO.

use std::collections::BTreeMap;

use troupe_client::chat::{Change, ERASED, Mark, Said, What};
use troupe_core::{Seq, Timestamp};

use crate::line::Line;

/// Rows kept per conversation. The oldest give way; scrolling up fetches them again.
pub const ROWS: usize = 2_000;

/// The order of rows: events by their place in the log, remarks of this client behind the event
/// that they followed, and messages without a place at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub seq: Seq,
    /// Zero is the event itself.
    pub behind: u64,
}

impl Place {
    pub fn of(seq: Seq) -> Place {
        Place { seq, behind: 0 }
    }

    fn unsent(number: u64) -> Place {
        Place { seq: Seq(u64::MAX), behind: number }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    Said(Said),
    /// A message of this device in this run. It has no seq before it is sent.
    Mine {
        said: Said,
        mark: Mark,
        /// Why it failed.
        detail: String,
    },
    Notice(String),
}

/// The row at the lower edge. Rows that arrive behind it do not move the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    pub place: Place,
    /// Lines of this row below the edge.
    pub hidden: usize,
}

#[derive(Debug, Default)]
pub struct Room {
    pub label: String,
    pub unread: u64,
    /// Unread messages that name this user.
    pub mentions: u64,
    pub time: Timestamp,
    pub rows: BTreeMap<Place, Row>,
    /// There are events before the first row.
    pub more: bool,
    /// A page before the first row was requested.
    pub fetching: bool,
    /// `None`: the newest row is at the lower edge.
    pub anchor: Option<Anchor>,
    /// The first event that the user had not seen when the conversation was opened.
    pub first_unread: Option<Seq>,
    /// The user's last read event when the list was fetched.
    pub read: Seq,
    pub line: Line,
    notices: u64,
}

impl Room {
    pub fn add(&mut self, said: Said) {
        self.time = self.time.max(said.time);
        match self.message_mut(said.seq) {
            // The row of a message of this run knows how far it has come.
            Some(_) => self.refreshed(said),
            None => drop(self.rows.insert(Place::of(said.seq), Row::Said(said))),
        }
        self.trim();
    }

    /// A message with this seq, or any other event.
    pub fn message(&self, seq: Seq) -> Option<&Said> {
        match self.rows.get(&Place::of(seq)) {
            Some(Row::Said(said) | Row::Mine { said, .. }) => Some(said),
            Some(Row::Notice(_)) | None => None,
        }
    }

    fn message_mut(&mut self, seq: Seq) -> Option<&mut Said> {
        match self.rows.get_mut(&Place::of(seq)) {
            Some(Row::Said(said) | Row::Mine { said, .. }) => Some(said),
            Some(Row::Notice(_)) | None => None,
        }
    }

    /// A later state of an event. An earlier one is ignored.
    pub fn refreshed(&mut self, new: Said) {
        if let Some(said) = self.message_mut(new.seq)
            && new.as_of > said.as_of
        {
            (said.what, said.as_of) = (new.what, new.as_of);
        }
    }

    /// The change of a message by the event at `at`. `mine`: by this user. Whether the message is
    /// here.
    pub fn change(&mut self, to: Seq, change: &Change, at: Seq, mine: bool) -> bool {
        let Some(said) = self.message_mut(to) else { return false };
        // Its state was fetched after that event.
        if said.as_of >= at {
            return true;
        }
        match (change, &mut said.what) {
            // The servers count votes: their answer moves the state.
            (Change::Voted, _) => return true,
            (Change::Erased, what) => *what = What::Fact(ERASED.to_owned()),
            (Change::Reacted { emoji, removed }, What::Message(message)) => message.react(emoji, *removed, mine),
            (Change::Edited { text }, What::Message(message)) => {
                message.text.clone_from(text);
                message.edited = true;
            }
            _ => {}
        }
        said.as_of = at;
        true
    }

    pub fn notice(&mut self, text: String) {
        self.notices += 1;
        let newest = self.rows.keys().rev().map(|place| place.seq).find(|seq| seq.0 != u64::MAX);
        let place = Place { seq: newest.unwrap_or(Seq::ZERO), behind: self.notices };
        self.rows.insert(place, Row::Notice(text));
        self.trim();
    }

    pub fn sending(&mut self, number: u64, said: Said) {
        let row = Row::Mine { said, mark: Mark::Sending, detail: String::new() };
        self.rows.insert(Place::unsent(number), row);
        // A user wants to see the message that they write.
        self.anchor = None;
    }

    /// Whether the message with this number is one of this room.
    pub fn outcome(&mut self, number: u64, new: Mark, seq: Option<Seq>, why: &str) -> bool {
        let unsent = Place::unsent(number);
        let at = if self.rows.contains_key(&unsent) { Some(unsent) } else { seq.map(Place::of) };
        let Some(Row::Mine { mark, detail, .. }) = at.and_then(|at| self.rows.get_mut(&at)) else { return false };
        (*mark, *detail) = (new, why.to_owned());
        if let Some(seq) = seq
            && let Some(mut row) = self.rows.remove(&unsent)
        {
            if let Row::Mine { said, .. } = &mut row {
                (said.seq, said.as_of) = (seq, seq);
            }
            self.rows.insert(Place::of(seq), row);
        }
        true
    }

    pub fn page(&mut self, page: Vec<Said>, more: bool) {
        self.fetching = false;
        let first = self.oldest();
        let older = page.first().is_none_or(|said| first.is_none_or(|first| said.seq < first));
        if older {
            self.more = more;
        }
        page.into_iter().for_each(|said| self.add(said));
    }

    pub fn oldest(&self) -> Option<Seq> {
        self.rows.keys().map(|place| place.seq).find(|seq| *seq > Seq::ZERO && seq.0 != u64::MAX)
    }

    /// The first page below the unread line, when the user opens the conversation.
    pub fn opened(&mut self) {
        self.first_unread = (self.unread > 0).then(|| self.read.next());
        (self.unread, self.mentions) = (0, 0);
    }

    fn trim(&mut self) {
        while self.rows.len() > ROWS && self.anchor.is_none() {
            self.rows.pop_first();
            self.more = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use troupe_client::chat::Message;

    fn said(seq: u64) -> Said {
        let what = What::Message(Message::text(format!("text {seq}")));
        Said { seq: Seq(seq), time: Timestamp(seq), who: "bob".into(), mine: false, what, as_of: Seq(seq) }
    }

    fn text(said: &Said) -> String {
        match &said.what {
            What::Message(message) => message.text.clone(),
            What::Change { words, .. } | What::Fact(words) => words.clone(),
        }
    }

    fn order(room: &Room) -> Vec<String> {
        let words = |row: &Row| match row {
            Row::Said(said) => said.seq.to_string(),
            Row::Mine { said, mark, .. } => format!("{}{}", text(said), mark.symbol()),
            Row::Notice(text) => text.clone(),
        };
        room.rows.values().map(words).collect()
    }

    #[test]
    fn a_message_takes_its_place_when_it_has_one() {
        let mut room = Room::default();
        room.add(said(1));
        let what = What::Message(Message::text("mine"));
        room.sending(7, Said { seq: Seq::ZERO, mine: true, what, as_of: Seq::ZERO, ..said(5) });
        room.notice("hint".into());
        room.add(said(2));
        assert_eq!(order(&room), ["1", "hint", "2", "mine…"]);
        assert!(room.outcome(7, Mark::Sent, Some(Seq(3)), ""));
        room.add(said(4));
        room.page(vec![said(2), said(3), said(4)], true);
        assert_eq!(order(&room), ["1", "hint", "2", "mine✓", "4"], "an event that comes back changes nothing");
        assert!(room.outcome(7, Mark::Delivered, Some(Seq(3)), ""));
        assert!(!room.outcome(8, Mark::Sent, Some(Seq(9)), ""), "another room's");
        assert_eq!(order(&room)[3], "mine✓✓");
    }

    #[test]
    fn pages_come_before_and_rows_are_bounded() {
        let mut room = Room::default();
        room.page((11..=20).map(said).collect(), true);
        room.page((1..=10).map(said).collect(), false);
        assert_eq!((room.oldest(), room.more, room.rows.len()), (Some(Seq(1)), false, 20));
        (21..=3_000).for_each(|seq| room.add(said(seq)));
        assert_eq!((room.rows.len(), room.more), (ROWS, true));
        room.anchor = Some(Anchor { place: Place::of(Seq(1_500)), hidden: 0 });
        (3_001..=3_010).for_each(|seq| room.add(said(seq)));
        assert_eq!(room.rows.len(), ROWS + 10, "nothing vanishes from under a reader");
    }

    #[test]
    fn a_change_counts_once_whichever_way_it_comes() {
        let mut room = Room::default();
        room.add(said(1));
        let react = Change::Reacted { emoji: "👍".into(), removed: false };
        let users = |room: &Room| match &room.message(Seq(1)).expect("it is there").what {
            What::Message(message) => message.reactions.first().map_or(0, |reaction| reaction.users),
            _ => 0,
        };
        assert!(room.change(Seq(1), &react, Seq(2), false));
        assert!(room.change(Seq(1), &react, Seq(2), false));
        assert_eq!(users(&room), 1, "the same event again");
        let mut message = Message::text("text 1");
        (0..3).for_each(|_| message.react("👍", false, false));
        room.page(vec![Said { what: What::Message(message), as_of: Seq(4), ..said(1) }], false);
        assert_eq!(users(&room), 3, "the page counts up to its head");
        room.change(Seq(1), &react, Seq(4), false);
        assert_eq!(users(&room), 3, "so a later push of that event does not");
        room.change(Seq(1), &react, Seq(5), false);
        room.refreshed(Said { as_of: Seq(4), ..said(1) });
        assert_eq!(users(&room), 4, "an earlier state does not win");
        room.change(Seq(1), &Change::Edited { text: "better".into() }, Seq(6), false);
        assert_eq!(text(room.message(Seq(1)).expect("it is there")), "better");
        room.change(Seq(1), &Change::Erased, Seq(7), false);
        assert_eq!(text(room.message(Seq(1)).expect("it is there")), ERASED);
        assert!(!room.change(Seq(9), &react, Seq(10), false), "not here");
    }
}
