//! The order of the pages: `docs/SUMMARY.md`, in the form of mdBook.

/// A heading of the list with its chapters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Empty before the first heading.
    pub title: String,
    pub chapters: Vec<Chapter>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// 0 for a chapter of the part itself.
    pub depth: usize,
    pub title: String,
    /// Below `docs/`.
    pub path: String,
}

/// A line is a heading, or a link that is alone or an item of a list. The first heading is the
/// title of the list itself.
pub fn parse(text: &str) -> Vec<Part> {
    let mut parts = vec![Part::default()];
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("# ") {
            if title != "Summary" {
                parts.push(Part { title: title.to_owned(), chapters: Vec::new() });
            }
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let item = line.trim_start().trim_start_matches("- ");
        if let Some((title, path)) = item.strip_prefix('[').and_then(|item| item.split_once("](")) {
            let path = path.trim_end().trim_end_matches(')');
            let chapter = Chapter { depth: indent / 2, title: title.to_owned(), path: path.to_owned() };
            if let Some(part) = parts.last_mut() {
                part.chapters.push(chapter);
            }
        }
    }
    parts.retain(|part| !part.chapters.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_chapters_and_depths_are_read() {
        let text = "# Summary\n\n[Start](README.md)\n\n# Guides\n\n- [One](a.md)\n  - [Two](b/c.md)\n";
        let parts = parse(text);
        let chapter = |depth, title: &str, path: &str| Chapter { depth, title: title.into(), path: path.into() };
        assert_eq!(
            parts,
            [
                Part { title: String::new(), chapters: vec![chapter(0, "Start", "README.md")] },
                Part { title: "Guides".into(), chapters: vec![chapter(0, "One", "a.md"), chapter(1, "Two", "b/c.md")] },
            ]
        );
    }
}
