//! The book: the pages of `docs/` within the program, as HTML and as Markdown.
//!
//! ```text
//! summary   the order of the pages, from docs/SUMMARY.md
//! markdown  one page as HTML, with anchors
//! link      the targets of links
//! layout    a page with its navigation
//! shelf     all files by their paths, made at the first request for each
//! ```
//!
//! `edges/http` serves it at `/docs`. The pages have no script, and nothing from elsewhere.

mod layout;
mod link;
mod markdown;
mod shelf;
mod summary;

pub use shelf::{File, file, llms, paths};

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The list of pages, which is none itself.
const SUMMARY: &str = "SUMMARY.md";

/// All that a page may load: its style, from the same node.
pub const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// The text of a page by its path below `docs/`.
fn text(path: &str) -> Option<&'static str> {
    FILES.iter().find(|(name, _)| *name == path && *name != SUMMARY).map(|(_, text)| *text)
}

/// All pages.
fn pages() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().copied().filter(|(name, _)| *name != SUMMARY)
}

/// `&`, `<`, `>` and `"` as references.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests;
