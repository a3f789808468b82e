//! Keys of the terminal, as the model knows them.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::model::Key;

pub fn key(event: Event) -> Key {
    match event {
        Event::Paste(text) => Key::Paste(text),
        Event::Key(key) if key.kind != KeyEventKind::Release => pressed(key),
        _ => Key::Redraw,
    }
}

fn pressed(key: KeyEvent) -> Key {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    match key.code {
        KeyCode::Enter if alt => Key::Newline,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Tab => Key::Complete,
        KeyCode::Backspace if alt || control => Key::DeleteWord,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        KeyCode::Left if alt || control => Key::WordLeft,
        KeyCode::Left => Key::Left,
        KeyCode::Right if alt || control => Key::WordRight,
        KeyCode::Right => Key::Right,
        KeyCode::Up if alt || control => Key::PreviousConversation,
        KeyCode::Up => Key::Up,
        KeyCode::Down if alt || control => Key::NextConversation,
        KeyCode::Down => Key::Down,
        KeyCode::Home => Key::Home,
        KeyCode::End if control => Key::Newest,
        KeyCode::End => Key::End,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Char(c) if control => match c {
            'a' => Key::Home,
            'b' => Key::Left,
            'c' => Key::Interrupt,
            'd' => Key::EndOfInput,
            'e' => Key::End,
            'f' => Key::Right,
            'h' => Key::Backspace,
            'j' => Key::Newline,
            'k' => Key::DeleteToEnd,
            'n' => Key::NextConversation,
            'p' => Key::PreviousConversation,
            'u' => Key::DeleteToStart,
            'w' => Key::DeleteWord,
            _ => Key::Redraw,
        },
        KeyCode::Char('a') if alt => Key::NextUnread,
        KeyCode::Char('b') if alt => Key::WordLeft,
        KeyCode::Char('f') if alt => Key::WordRight,
        KeyCode::Char(_) if alt => Key::Redraw,
        KeyCode::Char(c) => Key::Char(c),
        _ => Key::Redraw,
    }
}
