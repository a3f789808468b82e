//! The question before a long paste is sent. No IO.

use crate::model::Key;

/// A paste that waits for an answer. The whole of it can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    pub text: String,
    /// Lines above the first one that is shown. The view keeps it within the text.
    pub above: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    None,
    Yes,
    No,
}

impl Question {
    pub fn new(text: &str) -> Question {
        Question { text: text.to_owned(), above: 0 }
    }

    /// `screenful`: lines that a page key moves by.
    pub fn key(&mut self, key: &Key, screenful: usize) -> Answer {
        let page = screenful.saturating_sub(3).max(1);
        match key {
            Key::Char('y' | 'Y') => return Answer::Yes,
            Key::Char('n' | 'N') | Key::Escape | Key::Interrupt => return Answer::No,
            Key::Up => self.above = self.above.saturating_sub(1),
            Key::Down => self.above = self.above.saturating_add(1),
            Key::PageUp => self.above = self.above.saturating_sub(page),
            Key::PageDown => self.above = self.above.saturating_add(page),
            _ => {}
        }
        Answer::None
    }
}
