//! The targets of links between pages.

/// The target of a link, as a page has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Another page, below `docs/`, and an anchor in it.
    Page { path: String, anchor: Option<String> },
    /// An anchor of the same page.
    Here(String),
    /// A path of the node itself, such as `/docs/api`.
    Node(String),
    /// Another site.
    Site(String),
    /// A file of the source that is no page, by its path in the source.
    Source(String),
}

/// Reads the target of a link in the page `from`. `known` says which pages there are.
pub fn target(from: &str, link: &str, known: impl Fn(&str) -> bool) -> Target {
    if let Some(anchor) = link.strip_prefix('#') {
        return Target::Here(anchor.to_owned());
    }
    if link.starts_with("https://") || link.starts_with("http://") || link.starts_with("mailto:") {
        return Target::Site(link.to_owned());
    }
    if link.starts_with('/') && !link.starts_with("//") {
        return Target::Node(link.to_owned());
    }
    let (path, anchor) = match link.split_once('#') {
        Some((path, anchor)) => (path, Some(anchor.to_owned())),
        None => (link, None),
    };
    let source = resolved(from, path);
    match source.strip_prefix("docs/").filter(|page| known(page)) {
        Some(page) => Target::Page { path: page.to_owned(), anchor },
        None => Target::Source(source),
    }
}

/// A relative path of the page `from` as a path in the source.
fn resolved(from: &str, path: &str) -> String {
    let mut parts: Vec<&str> = std::iter::once("docs").chain(from.split('/')).collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The place of a page as HTML: `a/README.md` is `a/index.html`.
pub fn as_html(path: &str) -> String {
    let Some(stem) = path.strip_suffix(".md") else { return path.to_owned() };
    match stem.strip_suffix("README") {
        Some(folder) if folder.is_empty() || folder.ends_with('/') => format!("{folder}index.html"),
        _ => format!("{stem}.html"),
    }
}

/// The way from the page `from` to the root of the book: one `../` for each folder.
pub fn to_root(from: &str) -> String {
    "../".repeat(from.matches('/').count())
}

/// The anchor of a heading, as GitHub and mdBook make it.
pub fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(from: &str, link: &str) -> Target {
        target(from, link, |page| ["README.md", "api.md", "zh/README.md"].contains(&page))
    }

    #[test]
    fn links_are_pages_anchors_paths_sites_or_files_of_the_source() {
        let page =
            |path: &str, anchor: Option<&str>| Target::Page { path: path.into(), anchor: anchor.map(Into::into) };
        for (from, link, wanted) in [
            ("README.md", "api.md", page("api.md", None)),
            ("README.md", "api.md#a-b", page("api.md", Some("a-b"))),
            ("zh/README.md", "../api.md", page("api.md", None)),
            ("README.md", "zh/README.md", page("zh/README.md", None)),
            ("README.md", "#rules", Target::Here("rules".into())),
            ("README.md", "/docs/api", Target::Node("/docs/api".into())),
            ("README.md", "https://a.example/b#c", Target::Site("https://a.example/b#c".into())),
            ("README.md", "../Cargo.toml", Target::Source("Cargo.toml".into())),
            ("README.md", "missing.md", Target::Source("docs/missing.md".into())),
            ("README.md", "../../../etc/passwd", Target::Source("etc/passwd".into())),
        ] {
            assert_eq!(read(from, link), wanted, "{from}: {link}");
        }
    }

    #[test]
    fn paths_and_anchors_of_pages() {
        assert_eq!(as_html("README.md"), "index.html");
        assert_eq!(as_html("zh/README.md"), "zh/index.html");
        assert_eq!(as_html("a/b.md"), "a/b.html");
        assert_eq!(as_html("NOTREADME.md"), "NOTREADME.html");
        assert_eq!((to_root("a.md"), to_root("a/b.md")), (String::new(), "../".into()));
        assert_eq!(anchor("Changing a running node: SIGHUP"), "changing-a-running-node-sighup");
        assert_eq!(anchor("`troupe top`, and 中文"), "troupe-top-and-中文");
    }
}
