//! All files of the book by their paths below `/docs/`. Each is made once, at the first request for
//! it, also its compressed forms, so their number and size are fixed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{LazyLock, OnceLock};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use crate::link::as_html;
use crate::summary::{Part, parse};
use crate::{FILES, SUMMARY, layout, pages, text};

/// A file as it is served.
#[derive(Debug)]
pub struct File {
    pub kind: &'static str,
    pub text: Cow<'static, str>,
    /// The text in the forms `gzip` and `zstd` of `Accept-Encoding`. Empty: it has no such form.
    pub gzip: Vec<u8>,
    pub zstd: Vec<u8>,
    /// Changes with the text.
    pub tag: String,
}

/// A page takes some milliseconds in this, once; higher levels save a few percent more.
const ZSTD_LEVEL: i32 = 12;

enum Source {
    /// The page at this path, as HTML.
    Html(&'static str),
    /// A text as it is.
    Plain(&'static str, &'static str),
}

struct Slot {
    source: Source,
    made: OnceLock<File>,
}

const MARKDOWN: &str = "text/markdown; charset=utf-8";

static PARTS: LazyLock<Vec<Part>> = LazyLock::new(|| {
    let summary = FILES.iter().find(|(name, _)| *name == SUMMARY);
    parse(summary.map_or("", |(_, text)| text))
});

static SHELF: LazyLock<BTreeMap<String, Slot>> = LazyLock::new(|| {
    let slot = |source| Slot { source, made: OnceLock::new() };
    let mut shelf = BTreeMap::new();
    shelf.insert("book.css".to_owned(), slot(Source::Plain("text/css; charset=utf-8", include_str!("book.css"))));
    for (path, text) in pages() {
        shelf.insert(as_html(path), slot(Source::Html(path)));
        shelf.insert(path.to_owned(), slot(Source::Plain(MARKDOWN, text)));
    }
    shelf
});

static LLMS: LazyLock<File> = LazyLock::new(|| file_of("text/plain; charset=utf-8", list(&PARTS).into()));

/// The file at a path below `/docs/`. A folder stands for the `index.html` in it.
pub fn file(path: &str) -> Option<&'static File> {
    let slot = match path.is_empty() || path.ends_with('/') {
        true => SHELF.get(&format!("{path}index.html"))?,
        false => SHELF.get(path)?,
    };
    Some(slot.made.get_or_init(|| match slot.source {
        Source::Html(page) => {
            file_of("text/html; charset=utf-8", layout::page(&PARTS, page, text(page).unwrap_or_default()).into())
        }
        Source::Plain(kind, text) => file_of(kind, text.into()),
    }))
}

/// All paths.
pub fn paths() -> impl Iterator<Item = &'static str> {
    SHELF.keys().map(String::as_str)
}

/// The list of all pages, for programs that read text: `/llms.txt`.
pub fn llms() -> &'static File {
    &LLMS
}

fn file_of(kind: &'static str, text: Cow<'static, str>) -> File {
    let tag = Sha256::digest(text.as_bytes()).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    let zstd = zstd::bulk::compress(text.as_bytes(), ZSTD_LEVEL).unwrap_or_default();
    File { kind, gzip: gzip(text.as_bytes()).unwrap_or_default(), zstd, text, tag }
}

fn gzip(text: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text)?;
    encoder.finish()
}

fn list(parts: &[Part]) -> String {
    let mut out = String::from(
        "# Troupe\n\n\
         > Troupe is a chat server that is its own cluster: one binary, and no database, cache or message queue beside it.\n\n\
         Each address below is a page in Markdown; with `.html` in the place of `.md` it is the same page for browsers.\n\
         The HTTP API is described at /v1/openapi.json.\n",
    );
    for part in parts {
        let title = if part.title.is_empty() { "Start" } else { &part.title };
        out.push_str(&format!("\n## {title}\n\n"));
        for chapter in &part.chapters {
            let about = text(&chapter.path).and_then(about).map(|about| format!(": {about}")).unwrap_or_default();
            out.push_str(&format!("- [{}](/docs/{}){about}\n", chapter.title, chapter.path));
        }
    }
    out
}

/// The first sentence of a page that can stand in a list.
fn about(text: &str) -> Option<&str> {
    let prose = |line: &&str| line.starts_with(|c: char| c.is_alphabetic()) && !line.contains("](");
    text.lines()
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .find(prose)
        .filter(|line| line.ends_with(['.', '。']))
}
