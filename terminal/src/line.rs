//! The input line of one conversation. No IO.
//!
//! The cursor moves by grapheme clusters, so that no key splits a character with its marks. The
//! line tells typed text from pasted text: pasted text never enters a line and never is a command.

use std::collections::VecDeque;

use troupe_client::chat::{Entered, LINE_BYTES};
use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

/// Entered lines that the arrow keys bring back. The oldest gives way.
const HISTORY: usize = 200;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    text: String,
    /// A byte position between two grapheme clusters.
    cursor: usize,
    /// Start of the first pasted text.
    pasted_at: Option<usize>,
}

impl From<Entered> for Line {
    fn from(entered: Entered) -> Line {
        let pasted_at = (entered.typed < entered.text.len()).then_some(entered.typed);
        Line { cursor: entered.text.len(), text: entered.text, pasted_at }
    }
}

impl Line {
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn before_cursor(&self) -> &str {
        &self.text[..self.cursor]
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// `false`: the line is full.
    pub fn insert(&mut self, c: char) -> bool {
        let is_text = c == '\n' || c == '\t' || !c.is_control();
        !is_text || self.put(c.encode_utf8(&mut [0; 4]))
    }

    /// `false`: the line has no room for all of it, and took nothing.
    pub fn paste(&mut self, text: &str) -> bool {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let text: String = text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect();
        let at = self.cursor;
        let fits = self.put(&text);
        if self.cursor > at {
            self.pasted_at = Some(self.pasted_at.map_or(at, |pasted| pasted.min(at)));
        }
        fits
    }

    /// Brings a pasted text back to an empty line.
    pub fn restore(&mut self, text: String) {
        if self.text.is_empty() {
            *self = Entered { text, typed: 0 }.into();
        }
    }

    /// Replaces the text between `from` and the cursor.
    pub fn complete(&mut self, from: usize, with: &str) {
        self.cut(from, self.cursor);
        self.put(with);
    }

    pub fn left(&mut self) {
        self.cursor = self.previous(self.cursor);
    }

    pub fn right(&mut self) {
        self.cursor = self.next(self.cursor);
    }

    pub fn word_left(&mut self) {
        self.cursor = self.word_start();
    }

    pub fn word_right(&mut self) {
        let mut words = self.text[self.cursor..].split_word_bound_indices();
        let end = words.find(|(_, word)| !word.trim().is_empty()).map(|(at, word)| at + word.len());
        self.cursor += end.unwrap_or(self.text.len() - self.cursor);
    }

    pub fn home(&mut self) {
        self.cursor = self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1);
    }

    pub fn end(&mut self) {
        self.cursor += self.text[self.cursor..].find('\n').unwrap_or(self.text.len() - self.cursor);
    }

    pub fn backspace(&mut self) {
        self.cut(self.previous(self.cursor), self.cursor);
    }

    pub fn delete(&mut self) {
        self.cut(self.cursor, self.next(self.cursor));
    }

    pub fn delete_word(&mut self) {
        self.cut(self.word_start(), self.cursor);
    }

    pub fn delete_to_start(&mut self) {
        self.cut(0, self.cursor);
    }

    pub fn delete_to_end(&mut self) {
        self.cut(self.cursor, self.text.len());
    }

    pub fn take(&mut self) -> Entered {
        let line = std::mem::take(self);
        Entered { typed: line.pasted_at.unwrap_or(line.text.len()), text: line.text }
    }

    /// All of it, or nothing.
    fn put(&mut self, text: &str) -> bool {
        if self.text.len() + text.len() > LINE_BYTES {
            return false;
        }
        self.text.insert_str(self.cursor, text);
        if let Some(pasted) = &mut self.pasted_at
            && *pasted >= self.cursor
        {
            *pasted += text.len();
        }
        self.cursor += text.len();
        true
    }

    fn cut(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.pasted_at = self.pasted_at.map(|at| if at >= to { at - (to - from) } else { at.min(from) });
        self.pasted_at = self.pasted_at.filter(|at| *at < self.text.len());
        self.cursor = from;
    }

    fn word_start(&self) -> usize {
        let words = self.text[..self.cursor].split_word_bound_indices();
        words.rev().find(|(_, word)| !word.trim().is_empty()).map_or(0, |(at, _)| at)
    }

    fn previous(&self, at: usize) -> usize {
        let mut cursor = GraphemeCursor::new(at, self.text.len(), true);
        cursor.prev_boundary(&self.text, 0).ok().flatten().unwrap_or(0)
    }

    fn next(&self, at: usize) -> usize {
        let mut cursor = GraphemeCursor::new(at, self.text.len(), true);
        cursor.next_boundary(&self.text, 0).ok().flatten().unwrap_or(self.text.len())
    }
}

/// Entered lines, oldest first.
#[derive(Debug, Default)]
pub struct History {
    lines: VecDeque<Entered>,
    /// Steps back from the newest; `None` in a line that is new.
    back: Option<usize>,
    /// The new line, while an earlier one is shown.
    set_aside: Line,
}

impl History {
    pub fn push(&mut self, entered: &Entered) {
        self.back = None;
        if entered.text.trim().is_empty() || self.lines.back() == Some(entered) {
            return;
        }
        if self.lines.len() == HISTORY {
            self.lines.pop_front();
        }
        self.lines.push_back(entered.clone());
    }

    pub fn older(&mut self, line: &mut Line) {
        let back = self.back.map_or(0, |back| back + 1);
        let Some(entered) = self.lines.iter().rev().nth(back) else { return };
        let shown = std::mem::replace(line, entered.clone().into());
        if self.back.is_none() {
            self.set_aside = shown;
        }
        self.back = Some(back);
    }

    pub fn newer(&mut self, line: &mut Line) {
        *line = match self.back {
            None => return,
            Some(0) => {
                self.back = None;
                std::mem::take(&mut self.set_aside)
            }
            Some(back) => {
                self.back = Some(back - 1);
                self.lines.iter().rev().nth(back - 1).cloned().unwrap_or_default().into()
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Line {
        let mut line = Line::default();
        text.chars().for_each(|c| assert!(line.insert(c), "room"));
        line
    }

    #[test]
    fn no_key_splits_a_character() {
        let mut line = typed("你好👩🏽\u{200d}🚀e\u{301}");
        for left in ["你好👩🏽\u{200d}🚀", "你好", "你", ""] {
            line.backspace();
            assert_eq!(line.text(), left);
        }
        line.backspace();
        let mut line = typed("a🇩🇪b");
        line.left();
        line.left();
        line.delete();
        assert_eq!((line.text(), line.before_cursor()), ("ab", "a"));
    }

    #[test]
    fn words_and_rows_are_units() {
        let mut line = typed("one two  ");
        line.delete_word();
        assert_eq!(line.text(), "one ");
        let mut line = typed("one two\nthree");
        line.word_left();
        assert_eq!(line.before_cursor(), "one two\n");
        line.home();
        line.left();
        line.home();
        assert_eq!(line.before_cursor(), "");
        line.word_right();
        assert_eq!(line.before_cursor(), "one");
        line.delete_to_end();
        assert_eq!(line.text(), "one");
        line.left();
        line.delete_to_start();
        assert_eq!(line.text(), "e");
    }

    #[test]
    fn pasted_text_stays_known_as_pasted() {
        let mut line = Line::default();
        assert!(line.paste(":leave\r\nnow\u{1b}[2J"));
        assert_eq!(line.clone().take(), Entered { text: ":leave\nnow[2J".into(), typed: 0 });
        line.home();
        line.left();
        line.home();
        assert!(line.insert('x'));
        assert_eq!(line.clone().take().typed, 1, "typed before it");
        line.delete_to_end();
        assert_eq!(line.take(), Entered::typed("x"), "nothing pasted is left");
    }

    #[test]
    fn a_line_without_room_takes_nothing_and_says_so() {
        let mut line = typed("half");
        assert!(!line.paste(&"张".repeat(LINE_BYTES)));
        assert_eq!(line.text(), "half", "no part of a paste is sent for the whole");
        assert!(line.paste(&"x".repeat(LINE_BYTES - 5)));
        assert!(!line.insert('张'));
        assert!(line.insert('x'));
        assert!(!line.insert('x'));
        assert_eq!(line.text().len(), LINE_BYTES);
    }

    #[test]
    fn arrows_bring_entered_lines_back_and_the_new_one_too() {
        let mut history = History::default();
        for text in ["one", "two", "two", "  "] {
            history.push(&Entered::typed(text));
        }
        let mut line = typed("half");
        for expected in ["two", "one", "one"] {
            history.older(&mut line);
            assert_eq!(line.text(), expected);
        }
        for expected in ["two", "half", "half"] {
            history.newer(&mut line);
            assert_eq!(line.text(), expected);
        }
    }
}
