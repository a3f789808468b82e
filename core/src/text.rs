//! Text from others on its way to a terminal or a log.
//!
//! [`clean`] is the one function for it. It removes controls, line and paragraph separators, format
//! characters (bidi overrides, invisible characters), and piles of marks, which steer a terminal or
//! reorder a line.

use unicode_normalization::char::is_combining_mark;

use crate::limits;

/// Displayed marks per character. Further ones reach into the lines above and below, and are
/// dropped.
const MARKS: usize = 8;

const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';
const ZERO_WIDTH_JOINER: char = '\u{200d}';
const FIRST_STRONG_ISOLATE: char = '\u{2068}';
const POP_DIRECTIONAL_ISOLATE: char = '\u{2069}';

/// `text` as one harmless line. A control or a separator becomes a space, a format character
/// nothing.
///
/// The two zero width joiners stay between two visible characters outside ASCII: Persian, the
/// scripts of India and emoji need them there.
pub fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut marks = 0;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\t' || (' '..='~').contains(&c) {
            marks = 0;
            cleaned.push(c);
        } else if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            marks = 0;
            cleaned.push(' ');
        } else if matches!(c, ZERO_WIDTH_NON_JOINER | ZERO_WIDTH_JOINER) {
            let before = cleaned.chars().next_back();
            if before.is_some_and(is_joinable) && chars.peek().copied().is_some_and(is_joinable) {
                cleaned.push(c);
            }
        } else if is_combining_mark(c) {
            marks += 1;
            if marks <= MARKS {
                cleaned.push(c);
            }
        } else if !is_format(c) {
            marks = 0;
            cleaned.push(c);
        }
    }
    cleaned
}

/// As [`clean`], for a text of several lines that a program has laid out.
pub fn clean_lines(text: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| line.strip_suffix('\n').map_or_else(|| clean(line), |line| clean(line) + "\n"))
        .collect()
}

/// As [`clean`], for one event of a log, which may end with a newline. With `colours`, colour codes
/// stay: the log's own.
pub fn clean_event(event: &str, colours: bool) -> String {
    let (line, end) = event.strip_suffix('\n').map_or((event, ""), |line| (line, "\n"));
    if !colours {
        return clean(line) + end;
    }
    let mut pieces = line.split('\x1b');
    let mut cleaned = clean(pieces.next().unwrap_or_default());
    for piece in pieces {
        let code = piece.strip_prefix('[').and_then(|rest| rest.find(|c: char| !(c.is_ascii_digit() || c == ';')));
        match code.filter(|at| piece[at + 1..].starts_with('m')) {
            Some(at) => {
                cleaned.push('\x1b');
                cleaned.push_str(&piece[..at + 2]);
                cleaned.push_str(&clean(&piece[at + 2..]));
            }
            None => cleaned.push_str(&clean(&format!("\x1b{piece}"))),
        }
    }
    cleaned + end
}

/// As [`clean`], for a name within a line: a right-to-left name does not reorder the text after it.
pub fn clean_name(name: &str) -> String {
    let name = clean(name);
    if name.chars().any(is_right_to_left) {
        format!("{FIRST_STRONG_ISOLATE}{name}{POP_DIRECTIONAL_ISOLATE}")
    } else {
        name
    }
}

/// Whether a group may have this title: it is visible, and [`clean`] would not change it.
pub fn is_title(title: &str) -> bool {
    let blank = title.chars().all(|c| c.is_whitespace() || is_default_ignorable(c));
    !blank && !title.contains('\t') && clean(title) == title
}

/// Whether a text of several lines is harmless as it is: [`clean_lines`] would not change it.
pub fn is_prose(text: &str) -> bool {
    clean_lines(text) == text
}

/// Whether a text may refer to a file or an image.
pub fn is_reference(text: &str) -> bool {
    text.len() <= limits::AVATAR_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_joinable(c: char) -> bool {
    let joiner = matches!(c, ZERO_WIDTH_NON_JOINER | ZERO_WIDTH_JOINER);
    !c.is_ascii() && !c.is_control() && !c.is_whitespace() && !joiner && !is_format(c)
}

/// General category Cf.
fn is_format(c: char) -> bool {
    matches!(c,
        '\u{ad}'
        | '\u{600}'..='\u{605}'
        | '\u{61c}'
        | '\u{6dd}'
        | '\u{70f}'
        | '\u{890}'..='\u{891}'
        | '\u{8e2}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{110bd}'
        | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0001}'..='\u{e007f}'
    )
}

/// Characters that show nothing by themselves (Default_Ignorable_Code_Point, and a blank filler of
/// Khitan).
pub(crate) fn is_default_ignorable(c: char) -> bool {
    matches!(c,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fff8}'
        | '\u{16fe4}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Blocks whose letters are written from right to left.
fn is_right_to_left(c: char) -> bool {
    matches!(c,
        '\u{590}'..='\u{8ff}'
        | '\u{fb1d}'..='\u{fdff}'
        | '\u{fe70}'..='\u{fefe}'
        | '\u{10800}'..='\u{10fff}'
        | '\u{1e800}'..='\u{1efff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_only_shows_itself() {
        for (text, shown) in [
            ("hello, world", "hello, world"),
            ("a\tb", "a\tb"),
            ("\x1b[2Jgone", " [2Jgone"),
            ("one\r\ntwo\u{2028}three\u{2029}four\u{85}five", "one  two three four five"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("a\u{2066}b\u{2069}c\u{200b}d\u{feff}e\u{ad}f\u{61c}g\u{e0041}h", "abcdefgh"),
            // The csi of eight bits.
            ("\u{9b}31mred", " 31mred"),
            ("\u{7f}", " "),
            ("Grüße 张三 हिन्दी ไม่รู้", "Grüße 张三 हिन्दी ไม่รู้"),
        ] {
            assert_eq!(clean(text), shown, "{text:?}");
            assert_eq!(clean(shown), shown, "cleaning again changes nothing: {text:?}");
        }
    }

    #[test]
    fn a_log_event_is_one_line_and_keeps_only_its_own_colours() {
        assert_eq!(clean_event("a\nb\x1b[2Jc\u{202e}\n", true), "a b [2Jc\n");
        assert_eq!(
            clean_event("\x1b[2m12:00\x1b[0m \x1b[32;1mINFO\x1b[m ok", true),
            "\x1b[2m12:00\x1b[0m \x1b[32;1mINFO\x1b[m ok"
        );
        assert_eq!(clean_event("\x1b[31mred\x1b\x1b[", false), " [31mred  [");
        assert_eq!(clean_event("\x1b[31", true), " [31");
        assert_eq!(clean_lines("a\tb\n\x1b[2J\r\nc"), "a\tb\n [2J \nc");
    }

    #[test]
    fn joiners_stay_where_scripts_and_emoji_need_them() {
        for text in ["می\u{200c}خواهم", "क्\u{200d}ष", "👩\u{200d}🚀", "🏴\u{200d}☠\u{fe0f}", "❤\u{fe0f}\u{200d}🔥"]
        {
            assert_eq!(clean(text), text);
        }
        assert_eq!(clean("al\u{200d}ice \u{200c}bob\u{200d}"), "alice bob");
        assert_eq!(clean("م\u{200c}\u{200c}م"), "م\u{200c}م", "a row of them is one");
    }

    #[test]
    fn marks_do_not_pile_up() {
        let pile = format!("e{}", "\u{301}".repeat(100));
        assert_eq!(clean(&pile).chars().count(), 1 + MARKS);
    }

    #[test]
    fn a_name_from_right_to_left_is_isolated() {
        assert_eq!(clean_name("alice"), "alice");
        assert_eq!(clean_name("张三"), "张三");
        assert_eq!(clean_name("דוד"), "\u{2068}דוד\u{2069}");
        assert_eq!(clean_name("\u{202e}bob"), "bob");
    }

    #[test]
    fn a_title_shows_something_and_steers_nothing() {
        for title in ["team", "Team 3: plans!", "家族", "سلام دنیا", "می\u{200c}خواهم", "❤\u{fe0f}"]
        {
            assert!(is_title(title), "{title:?}");
        }
        for title in [
            "",
            "  ",
            "\u{3164}",
            "\u{a0}\u{2003}",
            "a\tb",
            "a\nb",
            "bob\u{202e}",
            "a\u{2028}b",
            "a\u{200b}b",
            "\u{feff}bob",
            "a\u{9b}b",
        ] {
            assert!(!is_title(title), "{title:?}");
        }
    }
}
