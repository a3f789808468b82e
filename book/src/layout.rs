//! A page with its navigation. Without a script: on a narrow screen the list stands behind the
//! text.

use crate::escape;
use crate::link::{as_html, to_root};
use crate::markdown::render;
use crate::summary::{Chapter, Part};

/// The folder of the pages in Chinese.
const CHINESE: &str = "zh/";

struct Words {
    lang: &'static str,
    contents: &'static str,
    markdown: &'static str,
    api: &'static str,
}

const ENGLISH_WORDS: Words =
    Words { lang: "en", contents: "Contents", markdown: "Markdown", api: "HTTP API, path by path" };
const CHINESE_WORDS: Words =
    Words { lang: "zh-CN", contents: "目录", markdown: "Markdown", api: "HTTP API 逐条说明" };

/// The page `path` with the text `text` in the book `parts`.
pub fn page(parts: &[Part], path: &str, text: &str) -> String {
    let is_chinese = path.starts_with(CHINESE);
    let words = if is_chinese { CHINESE_WORDS } else { ENGLISH_WORDS };
    let root = to_root(path);
    // Each language has its own list.
    let own = |chapter: &&Chapter| chapter.path.starts_with(CHINESE) == is_chinese;
    let chapters: Vec<&Chapter> = parts.iter().flat_map(|part| &part.chapters).filter(own).collect();
    let at = chapters.iter().position(|chapter| chapter.path == path);
    let title = at.map_or(path, |at| chapters[at].title.as_str());
    let near = |at: Option<usize>, rel: &str, arrows: [&str; 2]| {
        let chapter = at.and_then(|at| chapters.get(at))?;
        let (before, after) = (arrows[0], arrows[1]);
        let (href, title) = (as_html(&chapter.path), escape(&chapter.title));
        Some(format!("<a rel=\"{rel}\" href=\"{root}{href}\">{before}{title}{after}</a>"))
    };
    let previous = near(at.and_then(|at| at.checked_sub(1)), "prev", ["← ", ""]).unwrap_or_default();
    let next = near(at.map(|at| at + 1), "next", ["", " →"]).unwrap_or_default();

    let mut out = format!(
        "<!doctype html>\n<html lang=\"{lang}\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} · Troupe</title>\n<link rel=\"stylesheet\" href=\"{root}book.css\">\n\
         <link rel=\"alternate\" type=\"text/markdown\" href=\"{twin}\">\n\
         <header><a class=\"home\" href=\"{root}{home}\">Troupe</a> <a class=\"jump\" href=\"#contents\">{contents}</a>\n",
        lang = words.lang,
        title = escape(title),
        twin = file_name(path),
        home = if is_chinese { "zh/index.html" } else { "index.html" },
        contents = words.contents,
    );
    out.push_str(&format!(
        "<span class=\"ways\">{}<a href=\"{}\">{}</a></span></header>\n<main>\n",
        other_language(path, is_chinese),
        file_name(path),
        words.markdown
    ));
    out.push_str(&render(path, text));
    out.push_str(&format!("<p class=\"near\">{previous} {next}</p>\n</main>\n"));
    out.push_str(&navigation(parts, path, is_chinese, &words));
    out.push_str("</html>\n");
    out
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A link to the same page in the other language, or to the beginning of the book there.
fn other_language(path: &str, is_chinese: bool) -> String {
    let root = to_root(path);
    let (lang, word, other) = match path.strip_prefix(CHINESE) {
        Some(english) => ("en", "English", english.to_owned()),
        None => ("zh-CN", "中文", format!("{CHINESE}{path}")),
    };
    let start = if is_chinese { "README.md".to_owned() } else { format!("{CHINESE}README.md") };
    let other = if crate::text(&other).is_some() { other } else { start };
    match crate::text(&other) {
        Some(_) => format!("<a lang=\"{lang}\" hreflang=\"{lang}\" href=\"{root}{}\">{word}</a> ", as_html(&other)),
        None => String::new(),
    }
}

fn navigation(parts: &[Part], path: &str, is_chinese: bool, words: &Words) -> String {
    let root = to_root(path);
    let mut out = format!("<nav id=\"contents\" aria-label=\"{}\">\n", words.contents);
    for part in parts {
        let own: Vec<&Chapter> =
            part.chapters.iter().filter(|chapter| chapter.path.starts_with(CHINESE) == is_chinese).collect();
        if own.is_empty() {
            continue;
        }
        if !part.title.is_empty() {
            out.push_str(&format!("<h2>{}</h2>\n", escape(&part.title)));
        }
        out.push_str("<ul>\n");
        for chapter in own {
            let current = if chapter.path == path { " aria-current=\"page\"" } else { "" };
            out.push_str(&format!(
                "<li class=\"d{}\"><a href=\"{root}{}\"{current}>{}</a></li>\n",
                chapter.depth.min(3),
                as_html(&chapter.path),
                escape(&chapter.title)
            ));
        }
        out.push_str("</ul>\n");
    }
    out.push_str(&format!("<ul>\n<li class=\"d0\"><a href=\"{root}api\">{}</a></li>\n</ul>\n</nav>\n", words.api));
    out
}
