//! A long paste, over the messages, before it is sent.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::Line as Text;
use ratatui::widgets::{Clear, Paragraph};
use troupe_core::text::clean;

use super::{BOLD, DIM, ruled};
use crate::question::Question;
use crate::wrap::{cut, wrap};

const KEYS: &str = "y sends it as one message; n takes it back to the line; PgUp, PgDn read it";

pub fn draw(frame: &mut Frame, question: &mut Question, area: Rect) {
    let columns = usize::from(area.width);
    let lines = wrap(&question.text.lines().map(clean).collect::<Vec<_>>().join("\n"), columns.saturating_sub(2));
    // The heading and the keys have a line each.
    let shown = lines.len().min(usize::from(area.height).saturating_sub(2));
    question.above = question.above.min(lines.len() - shown);
    let height = u16::try_from(shown + 2).unwrap_or(u16::MAX).min(area.height);
    let panel = Rect { y: area.bottom() - height, height, ..area };
    let size = format!("pasted: {} lines, {} bytes", question.text.lines().count(), question.text.len());
    let more = match (question.above, lines.len() - shown - question.above) {
        (0, 0) => String::new(),
        (above, below) => format!(", {above} above and {below} below these"),
    };
    let mut rows = vec![Text::styled(cut(&ruled(&format!("{size}{more}"), columns), columns), BOLD.fg(Color::Yellow))];
    let text = lines.into_iter().skip(question.above).take(shown);
    rows.extend(text.map(|line| Text::styled(format!("│ {line}"), Style::new())));
    rows.push(Text::styled(cut(KEYS, columns), DIM));
    frame.render_widget(Clear, panel);
    frame.render_widget(Paragraph::new(rows), panel);
}
