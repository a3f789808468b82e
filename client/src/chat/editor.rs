//! The line editor for a terminal in raw mode. No IO.
//!
//! It tells typed text from pasted text (bracketed paste). Pasted text never ends a line and never
//! is a command.

use troupe_core::text::clean;

use super::LINE_BYTES;

/// Visible columns of the line, counted from its end. With the prompt they fit into 80 columns.
const COLUMNS: usize = 48;
/// Bytes of one control sequence. A longer one is dropped.
const SEQUENCE_BYTES: usize = 32;

/// Turns bracketed paste on and off.
pub const PASTE_MARKS_ON: &str = "\x1b[?2004h";
pub const PASTE_MARKS_OFF: &str = "\x1b[?2004l";

/// An entered line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entered {
    pub text: String,
    /// Bytes of `text` that were typed before the first paste.
    pub typed: usize,
}

impl Entered {
    pub fn typed(text: impl Into<String>) -> Entered {
        let text = text.into();
        Entered { typed: text.len(), text }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Enter(Entered),
    /// A line of so many bytes, which is more than one holds. Nothing of it is entered.
    TooLong(usize),
    End,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Text,
    Escape,
    Sequence(Vec<u8>),
    /// The sequence has one more byte.
    Single,
}

#[derive(Debug, Default)]
pub(super) struct Editor {
    line: String,
    /// Start of the first pasted text.
    pasted_at: Option<usize>,
    pasting: bool,
    /// Bytes that the line had no room for.
    beyond: usize,
    state: State,
    /// Bytes of an incomplete character.
    partial: Vec<u8>,
    after_return: bool,
}

impl Editor {
    /// Takes one byte. Returns the completed action, if any.
    pub fn feed(&mut self, byte: u8) -> Option<Key> {
        match std::mem::take(&mut self.state) {
            State::Text => return self.text(byte),
            State::Escape => match byte {
                b'[' => self.state = State::Sequence(Vec::new()),
                b'O' => self.state = State::Single,
                _ => {}
            },
            State::Single => {}
            State::Sequence(mut sequence) => match byte {
                0x40..=0x7e => self.sequence(&sequence, byte),
                _ if sequence.len() < SEQUENCE_BYTES => {
                    sequence.push(byte);
                    self.state = State::Sequence(sequence);
                }
                _ => {}
            },
        }
        None
    }

    /// The visible end of the line.
    pub fn shown(&self) -> String {
        let line: String = self.line.chars().map(|c| if c == '\n' { '⏎' } else { c }).collect();
        let line = clean(&line.replace('\t', " "));
        let (mut start, mut columns) = (line.len(), 0);
        for (at, c) in line.char_indices().rev() {
            columns += width(c);
            if columns > COLUMNS {
                return format!("…{}", &line[start..]);
            }
            start = at;
        }
        line
    }

    fn text(&mut self, byte: u8) -> Option<Key> {
        let newline = byte == b'\r' || (byte == b'\n' && !self.after_return);
        let second_half = byte == b'\n' && self.after_return;
        self.after_return = byte == b'\r';
        match byte {
            0x1b => self.state = State::Escape,
            _ if second_half => {}
            _ if newline && self.pasting => self.push('\n'),
            _ if newline => return Some(self.enter()),
            b'\t' => self.push('\t'),
            _ if self.pasting && byte < 0x20 => {}
            0x7f | 0x08 => self.delete(1),
            // ^U, ^W
            0x15 => {
                self.beyond = 0;
                self.delete(usize::MAX);
            }
            0x17 => {
                let kept = self.line.trim_end();
                let kept = kept.rfind(char::is_whitespace).map_or(0, |at| at + 1);
                self.delete(self.line[kept..].chars().count());
            }
            // ^D
            0x04 if self.line.is_empty() => return Some(Key::End),
            0x20..=0xff => self.character(byte),
            _ => {}
        }
        None
    }

    fn character(&mut self, byte: u8) {
        self.partial.push(byte);
        match std::str::from_utf8(&self.partial) {
            Ok(text) => {
                let c = text.chars().next();
                self.partial.clear();
                c.into_iter().filter(|c| !c.is_control()).for_each(|c| self.push(c));
            }
            Err(error) if error.error_len().is_none() && self.partial.len() < 4 => {}
            Err(_) => self.partial.clear(),
        }
    }

    fn sequence(&mut self, sequence: &[u8], last: u8) {
        match (sequence, last) {
            (b"200", b'~') => {
                self.pasting = true;
                self.pasted_at.get_or_insert(self.line.len());
            }
            (b"201", b'~') => self.pasting = false,
            // Arrow keys and similar.
            _ => {}
        }
    }

    /// A line at its limit counts further characters, and is then refused as a whole.
    fn push(&mut self, c: char) {
        if self.line.len() + c.len_utf8() <= LINE_BYTES {
            self.line.push(c);
        } else {
            self.beyond += c.len_utf8();
        }
    }

    fn enter(&mut self) -> Key {
        let entered = self.take();
        match std::mem::take(&mut self.beyond) {
            0 => Key::Enter(entered),
            beyond => Key::TooLong(entered.text.len() + beyond),
        }
    }

    fn delete(&mut self, characters: usize) {
        let keep = self.line.chars().count().saturating_sub(characters);
        let keep = self.line.char_indices().nth(keep).map_or(self.line.len(), |(at, _)| at);
        self.line.truncate(keep);
        if self.pasted_at.is_some_and(|at| at >= self.line.len()) {
            self.pasted_at = None;
        }
    }

    fn take(&mut self) -> Entered {
        let text = std::mem::take(&mut self.line);
        let typed = self.pasted_at.take().unwrap_or(text.len());
        Entered { text, typed }
    }
}

/// Columns of a character on most terminals.
fn width(c: char) -> usize {
    match c {
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> (Vec<Key>, Editor) {
        let mut editor = Editor::default();
        let keys = bytes.iter().filter_map(|byte| editor.feed(*byte)).collect();
        (keys, editor)
    }

    fn entered(text: &str, typed: usize) -> Key {
        Key::Enter(Entered { text: text.into(), typed })
    }

    #[test]
    fn lines_are_typed_and_mended() {
        let typed = |text: &str| Key::Enter(Entered::typed(text));
        assert_eq!(keys(b"hello\rone\r\ntwo\n").0, [typed("hello"), typed("one"), typed("two")]);
        assert_eq!(keys("grü\x7fün 张三\x7f\r".as_bytes()).0, [typed("grün 张")]);
        assert_eq!(keys(b"all of it\x15rest\r").0, [typed("rest")]);
        assert_eq!(keys(b"one two  \x17three\r").0, [typed("one three")]);
        assert_eq!(keys(b"a\x1b[Db\x1bOAc\x1b[1;5Cd\x07\x01\r").0, [typed("abcd")], "arrows change nothing");
        assert_eq!(keys(b"\x04").0, [Key::End]);
        assert_eq!(keys(b"a\x04\r").0, [typed("a")]);
        assert_eq!(keys(b"\xff\xc3(\xf0\x9f\r").0.len(), 1, "garbage is dropped");
    }

    #[test]
    fn what_is_pasted_is_text() {
        let block = b"\x1b[200~:leave\r:to bob\rsecret\x1b[201~";
        let (none, mut editor) = keys(block);
        assert_eq!(none, [], "a paste enters nothing by itself");
        assert_eq!(editor.shown(), ":leave⏎:to bob⏎secret");
        assert_eq!(editor.feed(b'\r'), Some(entered(":leave\n:to bob\nsecret", 0)));
        assert_eq!(keys(b":q \x1b[200~needle\x1b[201~\r").0, [entered(":q needle", 3)]);
        assert_eq!(keys(b"x\x7f\x1b[200~:leave\x1b[201~\r").0, [entered(":leave", 0)]);
        assert_eq!(keys(b"\x1b[200~a\r\nb\x1b[31mc\x15\x04\td\x1b[201~\r").0, [entered("a\nbc\td", 0)]);
        assert_eq!(keys(b"\x1b[200~gone\x1b[201~\x15:who\r").0, [Key::Enter(Entered::typed(":who"))]);
    }

    #[test]
    fn the_end_of_a_long_line_is_shown() {
        let (_, editor) = keys("张".repeat(100).as_bytes());
        assert_eq!(editor.shown(), format!("…{}", "张".repeat(COLUMNS / 2)));
        let (_, mut editor) = keys(&vec![b'x'; LINE_BYTES + 10]);
        assert_eq!(editor.feed(b'\r'), Some(Key::TooLong(LINE_BYTES + 10)), "nothing is cut silently");
        assert_eq!(editor.feed(b'\r'), Some(Key::Enter(Entered::default())));
    }
}
