//! One page as HTML.

use std::collections::BTreeMap;

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

use crate::escape;
use crate::link::{Target, anchor, as_html, target};

/// The page `from` as HTML.
pub fn render(from: &str, text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    html::push_html(&mut out, events(from, text).into_iter());
    out
}

/// The anchors of a page.
#[cfg(test)]
pub fn anchors(text: &str) -> Vec<String> {
    let ids = events("README.md", text).into_iter().filter_map(|event| match event {
        Event::Start(Tag::Heading { id, .. }) => id.map(|id| id.to_string()),
        _ => None,
    });
    ids.collect()
}

/// The targets of links, as the text has them.
#[cfg(test)]
pub fn links(text: &str) -> Vec<String> {
    let links = parser(text).filter_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. }) => Some(dest_url.to_string()),
        _ => None,
    });
    links.collect()
}

fn parser(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES)
}

/// The events of a page, with anchors of headings, links between pages as HTML, and no HTML of the
/// text itself.
fn events<'a>(from: &str, text: &'a str) -> Vec<Event<'a>> {
    let mut events: Vec<Event<'a>> = Vec::new();
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    // The place of an open heading, and its text until now.
    let mut heading: Option<(usize, String)> = None;
    // Whether the open link leads to a file of the source, which is no page.
    let mut outside = false;
    let mut comment = false;
    for event in parser(text) {
        let event = match event {
            Event::Start(Tag::Heading { .. }) => {
                heading = Some((events.len(), String::new()));
                event
            }
            Event::End(TagEnd::Heading(_)) => {
                if let Some((at, title)) = heading.take() {
                    put_anchor(&mut events, at, unique(&mut used, anchor(&title)));
                }
                event
            }
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => match new_target(from, &dest_url) {
                Ok(dest) => Event::Start(Tag::Link { link_type, dest_url: dest.into(), title, id }),
                Err(source) => {
                    outside = true;
                    let source = escape(&source);
                    Event::InlineHtml(format!("<span class=\"source\" title=\"{source} in the source\">").into())
                }
            },
            Event::End(TagEnd::Link) if std::mem::take(&mut outside) => Event::InlineHtml("</span>".into()),
            Event::Html(text) | Event::InlineHtml(text) => {
                comment |= text.trim_start().starts_with("<!--");
                if comment {
                    comment = !text.contains("-->");
                    continue;
                }
                Event::Text(text)
            }
            // Between two Chinese sentences a line break is no space.
            Event::SoftBreak if events.last().is_some_and(ends_wide) => continue,
            Event::Text(_) | Event::Code(_) => {
                if let (Some((_, title)), Event::Text(text) | Event::Code(text)) = (&mut heading, &event) {
                    title.push_str(text);
                }
                event
            }
            event => event,
        };
        events.push(event);
    }
    events
}

/// The target as the page as HTML has it, or the file of the source.
fn new_target(from: &str, link: &str) -> Result<String, String> {
    match target(from, link, |page| crate::text(page).is_some()) {
        Target::Source(source) => Err(source),
        // The page as HTML is in the folder of the page, so the way to others is the same.
        Target::Page { .. } => {
            let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
            let path = as_html(path);
            Ok(anchor.map_or(path.clone(), |anchor| format!("{path}#{anchor}")))
        }
        Target::Here(_) | Target::Node(_) | Target::Site(_) => Ok(link.to_owned()),
    }
}

fn put_anchor<'a>(events: &mut [Event<'a>], at: usize, anchor: String) {
    if let Some(Event::Start(Tag::Heading { id, .. })) = events.get_mut(at) {
        *id = Some(CowStr::from(anchor));
    }
}

/// The second heading of a name has the suffix `-1`, the third `-2`.
fn unique(used: &mut BTreeMap<String, usize>, anchor: String) -> String {
    let count = used.entry(anchor.clone()).or_default();
    *count += 1;
    if *count == 1 { anchor } else { format!("{anchor}-{}", *count - 1) }
}

fn ends_wide(event: &Event<'_>) -> bool {
    matches!(event, Event::Text(text) if text.ends_with(['。', '，', '；', '：', '？', '！', '、', '）']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_have_anchors_that_are_unique() {
        let text = "# The `x` page\n\n## Limits\n\n## Limits\n";
        assert_eq!(anchors(text), ["the-x-page", "limits", "limits-1"]);
        assert!(render("README.md", text).contains("<h2 id=\"limits-1\">Limits</h2>"));
    }

    #[test]
    fn links_lead_to_html_and_files_of_the_source_are_none() {
        let page = render("README.md", "[a](protocol.md#limits) [b](../Cargo.toml) [c](https://a.example/x.md)\n");
        assert!(page.contains("href=\"protocol.html#limits\""), "{page}");
        assert!(page.contains("<span class=\"source\" title=\"Cargo.toml in the source\">b</span>"), "{page}");
        assert!(page.contains("href=\"https://a.example/x.md\""), "{page}");
    }

    #[test]
    fn html_of_a_text_is_text_and_comments_are_dropped() {
        let page =
            render("README.md", "<!-- one\ntwo -->\n\n<script>alert(1)</script>\n\nand <b>this</b> <!-- x --> end\n");
        assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains("one"), "{page}");
        assert!(page.contains("&lt;script&gt;") && page.contains("end"), "{page}");
    }

    #[test]
    fn chinese_lines_are_joined_without_a_space() {
        assert_eq!(render("README.md", "第一句。\n第二句。\n"), "<p>第一句。第二句。</p>\n");
        assert_eq!(render("README.md", "One.\nTwo.\n"), "<p>One.\nTwo.</p>\n");
    }
}
