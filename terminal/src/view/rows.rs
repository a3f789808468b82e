//! The rows of the current conversation.

use jiff::tz::TimeZone;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::{Line as Text, Span};
use ratatui::widgets::Paragraph;
use troupe_client::chat::{Mark, Said, ShownPoll, What, reactions_in_words};
use troupe_core::text::{clean, clean_name};
use troupe_core::{Seq, Timestamp};

use super::{BOLD, DIM, ruled};
use crate::model::{Drawn, Model};
use crate::room::{Place, Room, Row};
use crate::wrap::{cut, width, wrap};

/// Lines shown of one message. `troupe msg tail` prints the rest.
const MESSAGE_LINES: usize = 200;
/// Columns of the number of a message. Longer ones move their own row.
const NUMBER: usize = 4;
/// Colours for names. Each terminal has them in both of its themes.
const NAMES: [Color; 6] = [Color::Cyan, Color::Green, Color::Yellow, Color::Blue, Color::Magenta, Color::Red];

/// From the anchor up, until the area is full.
pub fn draw(frame: &mut Frame, model: &mut Model, area: Rect, zone: &TimeZone) {
    let (columns, height) = (usize::from(area.width), usize::from(area.height));
    let (mut heights, mut lines): (Vec<(Place, usize)>, Vec<Text>) = (Vec::new(), Vec::new());
    if let Some(room) = model.room() {
        let edge = room.anchor.map_or(Place { seq: Seq(u64::MAX), behind: u64::MAX }, |edge| edge.place);
        let mut hidden = room.anchor.map_or(0, |edge| edge.hidden);
        let mut rows = room.rows.range(..=edge).rev();
        while let Some((place, row)) = rows.next() {
            // Remarks of this client have no time.
            let before = rows.clone().find_map(|(_, before)| time(before));
            let mut of_row = row_lines(model, room, *place, row, before, columns, zone);
            heights.push((*place, of_row.len()));
            of_row.truncate(of_row.len().saturating_sub(std::mem::take(&mut hidden)));
            lines.extend(of_row.into_iter().rev());
            if lines.len() >= height {
                break;
            }
        }
        if lines.is_empty() && !room.fetching {
            let words =
                if model.current.is_some() { "No messages yet: type one." } else { "Type :to <name>, or :all." };
            lines.push(Text::styled(words, DIM));
        }
    }
    lines.truncate(height);
    // A short conversation begins at the top.
    lines.reverse();
    frame.render_widget(Paragraph::new(lines), area);
    model.drawn = Drawn { lines: height, heights };
}

fn row_lines(
    model: &Model,
    room: &Room,
    place: Place,
    row: &Row,
    before: Option<Timestamp>,
    columns: usize,
    zone: &TimeZone,
) -> Vec<Text<'static>> {
    let mut lines = Vec::new();
    if matches!(row, Row::Said(said) if matches!(said.what, What::Change { .. })) {
        return lines;
    }
    if let Some(time) = time(row)
        && before.is_none_or(|before| day(before, zone) != day(time, zone))
    {
        lines.push(Text::styled(ruled(&day(time, zone), columns), DIM));
    }
    if place.behind == 0 && room.first_unread == Some(place.seq) {
        lines.push(Text::styled(ruled("new", columns), Style::new().fg(Color::Red)));
    }
    match row {
        Row::Said(said) => lines.extend(said_lines(model, room, said, "", columns, zone)),
        Row::Mine { said, mark, detail } => {
            let mark = match (mark, detail.as_str()) {
                (Mark::Failed, why) => format!("  {} {}", mark.symbol(), clean(why)),
                (mark, _) => format!("  {}", mark.symbol()),
            };
            lines.extend(said_lines(model, room, said, &mark, columns, zone));
        }
        Row::Notice(text) => {
            let wrapped = wrap(text, columns.saturating_sub(2));
            lines.extend(wrapped.into_iter().map(|line| Text::styled(format!("* {line}"), DIM)));
        }
    }
    lines
}

/// `behind`: how far a message of this device has come.
fn said_lines(
    model: &Model,
    room: &Room,
    said: &Said,
    behind: &str,
    columns: usize,
    zone: &TimeZone,
) -> Vec<Text<'static>> {
    let clock = clock(said.time, zone);
    let who = clean_name(&said.who);
    match &said.what {
        What::Message(message) => {
            let head = match said.seq {
                Seq::ZERO => format!("{clock} {:NUMBER$} ", ""),
                seq => format!("{clock} {:<NUMBER$} ", format!("#{seq}")),
            };
            let style = match said.mine {
                true => BOLD,
                false => BOLD.fg(colour(&who)),
            };
            let text = match &message.poll {
                Some(shown) => poll_in_words(shown),
                None => message.text.clone(),
            };
            let edited = if message.edited { "  (edited)" } else { "" };
            let behind = format!("{edited}{}{behind}", reactions_in_words(&message.reactions));
            let mut lines = message_lines(&head, (&who, style), &text, &behind, columns);
            if !said.mine && model.is_named_by(message) {
                lines
                    .iter_mut()
                    .for_each(|line| *line = std::mem::take(line).patch_style(Style::new().fg(Color::Yellow)));
            }
            if let Some(to) = message.reply_to {
                let answered = cut(&answered(room, to), columns.saturating_sub(width(&head)));
                lines.insert(0, Text::styled(format!("{}{answered}", " ".repeat(width(&head))), DIM));
            }
            lines
        }
        // The row of its message shows it.
        What::Change { .. } => Vec::new(),
        What::Fact(words) => {
            let text = format!("{clock} {:NUMBER$} {who} {}", "", clean(words));
            wrap(&text, columns).into_iter().map(|line| Text::styled(line, DIM)).collect()
        }
    }
}

/// The beginning of the message that another one answers.
fn answered(room: &Room, to: Seq) -> String {
    let words = room.message(to).map(|said| {
        let text = match &said.what {
            What::Message(message) => message.text.lines().next().map(clean).unwrap_or_default(),
            What::Change { words, .. } | What::Fact(words) => clean(words),
        };
        format!(" {}: {text}", clean_name(&said.who))
    });
    format!("↪ #{to}{}", words.unwrap_or_default())
}

fn poll_in_words(shown: &ShownPoll) -> String {
    let ShownPoll { poll, state } = shown;
    let mut lines = vec![format!("poll: {}", poll.question)];
    for (at, option) in poll.options.iter().enumerate() {
        let votes = state.counts.get(at).map_or_else(String::new, |votes| format!("  {votes}"));
        let mine = u32::try_from(at).is_ok_and(|at| state.mine.contains(&at));
        lines.push(format!("  {}. {option}{votes}{}", at + 1, if mine { " (yours)" } else { "" }));
    }
    let mut facts = vec![match state.voters {
        1 => "1 has voted".to_owned(),
        voters => format!("{voters} have voted"),
    }];
    facts.extend(poll.multiple.then(|| "several options at once".to_owned()));
    facts.extend(poll.anonymous.then(|| "anonymous".to_owned()));
    facts.extend(state.closed.then(|| "closed".to_owned()));
    lines.push(format!("  {}", facts.join(", ")));
    lines.join("\n")
}

/// Continuation lines are indented, so that none of them looks like another message.
fn message_lines(
    head: &str,
    (who, style): (&str, Style),
    text: &str,
    behind: &str,
    columns: usize,
) -> Vec<Text<'static>> {
    let indent = " ".repeat(width(head));
    let name = cut(who, columns / 3);
    let text = text.lines().map(clean).collect::<Vec<_>>().join("\n");
    let mut wrapped = wrap(&format!("{name}: {text}{behind}"), columns.saturating_sub(width(head)));
    if wrapped.len() > MESSAGE_LINES {
        wrapped.truncate(MESSAGE_LINES);
        wrapped.push("… (the rest: troupe msg tail)".to_owned());
    }
    let line = |(at, line): (usize, String)| match (at, line.strip_prefix(&name)) {
        (0, Some(rest)) => Text::from(vec![
            Span::styled(head.to_owned(), DIM),
            Span::styled(name.clone(), style),
            Span::raw(rest.to_owned()),
        ]),
        (0, None) => Text::from(vec![Span::styled(head.to_owned(), DIM), Span::raw(line)]),
        _ => Text::raw(format!("{indent}{line}")),
    };
    wrapped.into_iter().enumerate().map(line).collect()
}

fn time(row: &Row) -> Option<Timestamp> {
    match row {
        // The row of a change has no lines.
        Row::Said(said) if matches!(said.what, What::Change { .. }) => None,
        Row::Said(said) | Row::Mine { said, .. } => Some(said.time),
        Row::Notice(_) => None,
    }
}

fn zoned(time: Timestamp, zone: &TimeZone) -> Option<jiff::Zoned> {
    let millis = i64::try_from(time.0).ok()?;
    jiff::Timestamp::from_millisecond(millis).ok().map(|time| time.to_zoned(zone.clone()))
}

fn day(time: Timestamp, zone: &TimeZone) -> String {
    zoned(time, zone).map_or_else(String::new, |time| time.date().to_string())
}

/// The time of day, with the day if that is not today.
pub fn when(time: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (of, today) = (day(time, zone), day(now, zone));
    if of == today { clock(time, zone) } else { format!("{of} {}", clock(time, zone)) }
}

pub fn clock(time: Timestamp, zone: &TimeZone) -> String {
    zoned(time, zone).map_or_else(|| "--:--".to_owned(), |time| time.strftime("%H:%M").to_string())
}

/// The same name has the same colour everywhere.
fn colour(name: &str) -> Color {
    let sum = name.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    NAMES[sum % NAMES.len()]
}
