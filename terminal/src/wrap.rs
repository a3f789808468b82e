//! Text in columns. A column holds half of a wide character.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Lines of at most `columns`, broken between words where that is possible, and between grapheme
/// clusters elsewhere.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(2);
    text.split('\n').flat_map(|row| wrap_row(row, columns)).collect()
}

fn wrap_row(row: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut line, mut used) = (String::new(), 0);
    for word in row.split_word_bounds() {
        let word_width = width(word);
        if used + word_width <= columns {
            line.push_str(word);
            used += word_width;
            continue;
        }
        // The space at which a line breaks is not shown.
        if word.trim().is_empty() {
            lines.push(std::mem::take(&mut line));
            used = 0;
            continue;
        }
        if word_width <= columns {
            lines.push(std::mem::replace(&mut line, word.to_owned()).trim_end().to_owned());
            used = word_width;
            continue;
        }
        for cluster in word.graphemes(true) {
            let cluster_width = width(cluster);
            if used + cluster_width > columns {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push_str(cluster);
            used += cluster_width;
        }
    }
    lines.push(line);
    lines
}

/// The beginning of a text, in at most `columns`.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut used = 1;
    for cluster in text.graphemes(true) {
        used += width(cluster);
        if used > columns {
            break;
        }
        cut.push_str(cluster);
    }
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_where_they_fit() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("a\n\nb", 4), ["a", "", "b"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn wide_characters_take_two_columns_and_are_not_split() {
        assert_eq!(wrap("你好世界", 5), ["你好", "世界"]);
        assert_eq!(wrap("👩🏽\u{200d}🚀👩🏽\u{200d}🚀", 3), ["👩🏽\u{200d}🚀", "👩🏽\u{200d}🚀"]);
        for columns in 0..20 {
            for line in wrap("mixed 混合 text 🇩🇪 and a-very-long-word-indeed", columns) {
                assert!(width(&line) <= columns.max(2), "{line:?} in {columns}");
            }
        }
        assert_eq!((cut("你好世界", 5), cut("你好", 4)), ("你好…".into(), "你好".into()));
    }
}
