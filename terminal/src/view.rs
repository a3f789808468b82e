//! Draws the model.

use jiff::tz::TimeZone;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line as Text, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph};
use troupe_client::State;
use troupe_client::chat::state_in_words;

use crate::model::Model;
use crate::room::Room;
use crate::wrap::{cut, width};

mod question;
mod rows;

pub use rows::{clock, when};

/// Columns of the list of conversations, in a terminal of at least [`WIDE`].
const LIST: u16 = 26;
const WIDE: u16 = 72;
/// Rows of the input line before it scrolls.
const INPUT_ROWS: usize = 6;

const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
pub fn draw(frame: &mut Frame, model: &mut Model, zone: &TimeZone) {
    let area = frame.area();
    let (list, main) = if area.width >= WIDE {
        let [list, main] = Layout::horizontal([Constraint::Length(LIST), Constraint::Fill(1)]).areas(area);
        (Some(list), main)
    } else {
        (None, area)
    };
    let input = input_lines(model, main.width);
    let input_height = u16::try_from(input.lines.len()).unwrap_or(1);
    let [title, rows, line, status] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(input_height),
        Constraint::Length(1),
    ])
    .areas(main);
    frame.render_widget(Clear, area);
    if let Some(list) = list {
        draw_list(frame, model, list);
    }
    let unread: u64 = model.rooms.iter().filter(|(id, _)| **id != model.current).map(|(_, room)| room.unread).sum();
    draw_title(frame, model, title, list.is_none().then_some(unread));
    rows::draw(frame, model, rows, zone);
    if let Some(question) = &mut model.question {
        question::draw(frame, question, rows);
    }
    frame.render_widget(Paragraph::new(input.lines), line);
    frame.set_cursor_position(Position::new(line.x + input.cursor.0, line.y + input.cursor.1));
    draw_status(frame, model, status);
}

fn draw_list(frame: &mut Frame, model: &Model, area: Rect) {
    let block = Block::new().borders(Borders::RIGHT).border_style(DIM);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let columns = usize::from(inner.width).saturating_sub(1);
    let listed = model.listed();
    let lines = listed.iter().map(|(id, room)| list_line(room, Some(*id) == model.current, columns));
    // The current conversation stays in view.
    let at = listed.iter().position(|(id, _)| Some(*id) == model.current).unwrap_or(0);
    let first = (at + 1).saturating_sub(usize::from(inner.height));
    frame.render_widget(Paragraph::new(lines.skip(first).collect::<Vec<_>>()), inner);
}

fn list_line(room: &Room, current: bool, columns: usize) -> Text<'static> {
    let count = match (room.unread, room.mentions) {
        (0, _) => String::new(),
        (unread, 0) => format!(" {unread}"),
        (unread, mentions) => format!(" {unread} @{mentions}"),
    };
    let label = cut(&room.label, columns.saturating_sub(width(&count)));
    let gap = columns.saturating_sub(width(&label) + width(&count));
    let style = match (current, room.unread > 0) {
        (true, _) => Style::new().add_modifier(Modifier::REVERSED),
        (false, true) => BOLD,
        (false, false) => Style::new(),
    };
    Text::from(vec![
        Span::styled(format!("{label}{}", " ".repeat(gap)), style),
        Span::styled(count, if room.mentions > 0 { BOLD.fg(Color::Yellow) } else { BOLD }),
    ])
}

fn draw_title(frame: &mut Frame, model: &Model, area: Rect, unread: Option<u64>) {
    let label = model.room().map_or("", |room| room.label.as_str());
    let below = model.room().is_some_and(|room| room.anchor.is_some());
    let mut right = String::new();
    if below {
        right.push_str("earlier messages; Ctrl-End goes to the newest");
    }
    if let Some(unread) = unread.filter(|unread| *unread > 0) {
        right.push_str(&format!("  {unread} unread elsewhere"));
    }
    let columns = usize::from(area.width);
    let label = cut(label, columns.saturating_sub(width(&right) + 1).max(8));
    let gap = columns.saturating_sub(width(&label) + width(&right));
    let title = Text::from(vec![
        Span::styled(label, BOLD),
        Span::raw(" ".repeat(gap)),
        Span::styled(right, DIM.fg(Color::Yellow)),
    ]);
    frame.render_widget(Paragraph::new(title), area);
}

struct InputLines {
    lines: Vec<Text<'static>>,
    cursor: (u16, u16),
}

fn input_lines(model: &Model, columns: u16) -> InputLines {
    let prompt = format!("{}> ", cut(&model.place, usize::from(columns) / 3));
    let indent = width(&prompt);
    let room = usize::from(columns).saturating_sub(indent + 1);
    let shown = |text: &str| text.replace('\t', " ");
    let (text, before) = model.room().map_or(("", ""), |room| (room.line.text(), room.line.before_cursor()));
    let rows = wrap_exact(&shown(text), room);
    let (mut row, mut column) = (0, 0);
    if let Some((at, last)) = wrap_exact(&shown(before), room).into_iter().enumerate().next_back() {
        (row, column) = (at, width(&last));
    }
    // The row of the cursor stays in view.
    let first = (row + 1).saturating_sub(INPUT_ROWS);
    let line = |(at, text): (usize, String)| {
        let lead = if at == 0 { prompt.clone() } else { " ".repeat(indent) };
        Text::from(vec![Span::styled(lead, BOLD), Span::raw(text)])
    };
    let lines: Vec<Text> = rows.into_iter().enumerate().map(line).skip(first).take(INPUT_ROWS).collect();
    let cursor = (u16::try_from(indent + column).unwrap_or(0), u16::try_from(row - first).unwrap_or(0));
    InputLines { lines, cursor }
}

/// Breaks at the last column only, so that the cursor is where the text ends.
fn wrap_exact(text: &str, columns: usize) -> Vec<String> {
    use unicode_segmentation::UnicodeSegmentation;
    let columns = columns.max(2);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for cluster in text.graphemes(true) {
        let cluster_width = width(cluster);
        if cluster == "\n" || used + cluster_width > columns {
            lines.push(String::new());
            used = 0;
        }
        if cluster != "\n"
            && let Some(line) = lines.last_mut()
        {
            line.push_str(cluster);
            used += cluster_width;
        }
    }
    lines
}

fn draw_status(frame: &mut Frame, model: &Model, area: Rect) {
    let (dot, style) = match &model.state {
        Some(State::Online { .. }) => ("●", Style::new().fg(Color::Green)),
        Some(State::Kicked { .. }) => ("✗", Style::new().fg(Color::Red)),
        _ => ("○", Style::new().fg(Color::Yellow)),
    };
    let words = match (&model.hint, &model.state) {
        (Some(hint), _) => hint.clone(),
        (None, Some(state)) => state_in_words(state).unwrap_or_else(|| "connecting".to_owned()),
        (None, None) => "connecting".to_owned(),
    };
    let keys = "  :all commands  Ctrl-N/P conversation  Alt-A unread  PgUp earlier";
    let columns = usize::from(area.width).saturating_sub(2);
    let words = cut(&words, columns);
    let keys = if width(&words) + width(keys) <= columns { keys } else { "" };
    let line = Text::from(vec![Span::styled(format!("{dot} "), style), Span::raw(words), Span::styled(keys, DIM)]);
    frame.render_widget(Paragraph::new(line), area);
}

fn ruled(word: &str, columns: usize) -> String {
    let rest = columns.saturating_sub(width(word) + 6);
    format!("──── {word} {}", "─".repeat(rest))
}

/// Whether terminals disagree about the columns of a symbol: a sequence of several characters.
pub fn is_ambiguous(symbol: &str) -> bool {
    symbol.chars().any(|c| matches!(c, '\u{200d}' | '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{1f1e6}'..='\u{1f1ff}'))
}
