//! The book is whole: every page is listed, every link leads somewhere.

use std::collections::BTreeSet;
use std::path::Path;

use crate::link::{Target, as_html, target};
use crate::markdown::{anchors, links};
use crate::summary::parse;
use crate::{FILES, SUMMARY, file, llms, pages, paths, text};

fn listed() -> Vec<String> {
    let (_, summary) = FILES.iter().find(|(name, _)| *name == SUMMARY).expect("docs/SUMMARY.md");
    parse(summary).into_iter().flat_map(|part| part.chapters).map(|chapter| chapter.path).collect()
}

#[test]
fn every_page_is_listed_once_and_every_listed_page_exists() {
    let listed = listed();
    let unique: BTreeSet<&str> = listed.iter().map(String::as_str).collect();
    assert_eq!(unique.len(), listed.len(), "a page is listed twice");
    let there: BTreeSet<&str> = pages().map(|(name, _)| name).collect();
    let (missing, unlisted): (Vec<_>, Vec<_>) =
        (unique.difference(&there).collect(), there.difference(&unique).collect());
    assert!(missing.is_empty() && unlisted.is_empty(), "without a file: {missing:?}; not in the list: {unlisted:?}");
}

#[test]
fn every_link_leads_to_a_page_an_anchor_or_a_file_of_the_source() {
    let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut wrong = Vec::new();
    for (name, page) in pages() {
        for link in links(page) {
            let leads = match target(name, &link, |page| text(page).is_some()) {
                Target::Here(anchor) => anchors(page).contains(&anchor),
                Target::Page { path, anchor } => {
                    let there = text(&path).map(anchors).unwrap_or_default();
                    anchor.is_none_or(|anchor| there.contains(&anchor))
                }
                Target::Source(path) => source.join(path).exists(),
                Target::Site(site) => site.starts_with("https://"),
                // Pages that nodes serve beside the book.
                Target::Node(path) => ["/docs/api", "/v1/openapi.json", "/console", "/"].contains(&path.as_str()),
            };
            if !leads {
                wrong.push(format!("{name}: {link}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn links_of_rendered_pages_lead_to_files_of_the_book() {
    for path in paths().filter(|path| path.ends_with(".html")) {
        let page = file(path).expect("listed");
        let folder = path.rfind('/').map_or("", |at| &path[..=at]);
        for href in page.text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let href = href.split('#').next().unwrap_or_default();
            if href.is_empty() || href.starts_with("https://") || href.starts_with('/') {
                continue;
            }
            let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
            for part in href.split('/') {
                if part == ".." {
                    parts.pop();
                } else {
                    parts.push(part);
                }
            }
            let there = parts.join("/");
            assert!(file(&there).is_some() || there == "api", "{path}: {href}");
        }
    }
}

#[test]
fn pages_have_no_script_and_nothing_from_elsewhere() {
    for path in paths().filter(|path| path.ends_with(".html")) {
        let page = &file(path).expect("listed").text;
        for refused in ["<script", "<img", "<iframe", "<form", " style=\"", " onclick", "javascript:", "@import"] {
            assert!(!page.contains(refused), "{path}: {refused}");
        }
        assert_eq!(page.matches("<link rel=\"stylesheet\"").count(), 1, "{path}");
        assert!(page.contains("<nav id=\"contents\"") && page.contains("aria-current=\"page\""), "{path}");
    }
    assert!(!include_str!("book.css").contains("url("));
}

#[test]
fn each_page_has_a_twin_in_markdown_and_stands_in_the_list() {
    for (name, page) in pages() {
        assert_eq!(file(name).expect("a twin").text, page);
        let html = file(&as_html(name)).expect("a page");
        assert_eq!(html.kind, "text/html; charset=utf-8");
        assert!(llms().text.contains(&format!("](/docs/{name})")), "{name}");
    }
}

#[test]
fn every_file_has_compressed_forms_that_are_smaller_and_the_same() {
    use std::io::Read;
    let mut sizes = [0, 0, 0];
    for path in paths() {
        let file = file(path).expect("listed");
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(&*file.gzip).read_to_string(&mut unpacked).expect("gzip");
        assert_eq!(unpacked, file.text, "{path}");
        let unpacked = zstd::bulk::decompress(&file.zstd, file.text.len()).expect("zstd");
        assert_eq!(unpacked, file.text.as_bytes(), "{path}");
        sizes = [sizes[0] + file.text.len(), sizes[1] + file.gzip.len(), sizes[2] + file.zstd.len()];
    }
    let [plain, gzip, zstd] = sizes;
    assert!(gzip * 2 < plain && zstd * 2 < plain, "{sizes:?}");
}

#[test]
fn a_folder_is_its_index_and_other_paths_are_none() {
    assert_eq!(file("").map(|file| &file.tag), file("index.html").map(|file| &file.tag));
    assert_eq!(file("zh/").map(|file| &file.tag), file("zh/index.html").map(|file| &file.tag));
    for path in
        ["..", "../Cargo.toml", "zh/../README.md", "%2e%2e/README.md", "SUMMARY.md", "SUMMARY.html", "/", "zh", "a.md"]
    {
        assert!(file(path).is_none(), "{path}");
    }
}

#[test]
fn a_page_leads_to_itself_in_the_other_language() {
    let page = |path: &str| file(path).map(|file| file.text.clone()).expect("a page");
    assert!(page("tutorial.html").contains("hreflang=\"zh-CN\" href=\"zh/tutorial.html\""));
    assert!(page("zh/tutorial.html").contains("hreflang=\"en\" href=\"../tutorial.html\""));
    assert!(page("zh/tutorial.html").contains("<html lang=\"zh-CN\">"));
    // A page without a translation leads to the beginning of the other book.
    assert!(page("proof.html").contains("href=\"zh/index.html\""));
}
