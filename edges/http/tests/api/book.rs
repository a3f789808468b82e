//! The book at `/docs`, as the router serves it.

use axum::body::Body;
use axum::http::Method;
use troupe_raft::api::LoginPolicy;

use crate::harness::one_node;
use crate::http::Http;

#[tokio::test]
async fn every_page_is_served_with_its_policy_and_has_a_twin() {
    let node = one_node(LoginPolicy::Replace).await;
    let guest = Http::of(&node);
    for path in troupe_book::paths() {
        let said = guest.get(&format!("/docs/{path}")).await;
        assert_eq!(said.status, 200, "{path}");
        assert_eq!(said.header("content-security-policy"), troupe_book::POLICY, "{path}");
        assert_eq!((said.header("x-content-type-options"), said.header("referrer-policy")), ("nosniff", "no-referrer"));
        let kind = match path.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("md") => "text/markdown; charset=utf-8",
            _ => "text/css; charset=utf-8",
        };
        assert_eq!(said.header("content-type"), kind, "{path}");
    }
    assert!(!troupe_book::POLICY.contains("script-src") && troupe_book::POLICY.starts_with("default-src 'none'"));
    let first = guest.get("/docs/").await;
    assert_eq!(first.body, guest.get("/docs/index.html").await.body);
    let known = guest.ask(Method::GET, "/docs/", &[("if-none-match", first.header("etag"))], Body::empty()).await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    node.stop().await;
}

#[tokio::test]
async fn a_page_is_sent_in_a_form_that_the_browser_accepts() {
    let node = one_node(LoginPolicy::Replace).await;
    let guest = Http::of(&node);
    let plain = guest.get("/docs/operations.html").await;
    let mut tags = vec![plain.header("etag").to_owned()];
    for (accepted, encoding) in [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "gzip"),
        ("zstd;q=0, gzip;q=0.5", "gzip"),
        ("br", ""),
    ] {
        let said =
            guest.ask(Method::GET, "/docs/operations.html", &[("accept-encoding", accepted)], Body::empty()).await;
        assert_eq!((said.status, said.header("content-encoding")), (200, encoding), "{accepted}");
        assert_eq!(
            (said.header("vary"), said.header("content-type")),
            ("Accept-Encoding", plain.header("content-type"))
        );
        match encoding {
            "" => assert!(said.body == plain.body && said.header("etag") == tags[0]),
            _ => assert!(said.body.len() * 2 < plain.body.len(), "{accepted}: {} bytes", said.body.len()),
        }
        let (tag, headers) = (said.header("etag").to_owned(), [("accept-encoding", accepted)]);
        let known = [headers[0], ("if-none-match", tag.as_str())];
        let known = guest.ask(Method::GET, "/docs/operations.html", &known, Body::empty()).await;
        assert_eq!((known.status, known.header("etag")), (304, tag.as_str()), "{accepted}");
        tags.push(tag);
    }
    assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2], "{tags:?}");
    let twin = guest.ask(Method::GET, "/llms.txt", &[("accept-encoding", "gzip")], Body::empty()).await;
    assert_eq!((twin.status, twin.header("content-encoding")), (200, "gzip"));
    node.stop().await;
}

#[tokio::test]
async fn the_list_has_all_pages_and_other_paths_are_not_found() {
    let node = one_node(LoginPolicy::Replace).await;
    let guest = Http::of(&node);
    let list = guest.get("/llms.txt").await;
    let text = String::from_utf8(list.body.clone()).expect("UTF-8");
    assert_eq!((list.status, list.header("content-type")), (200, "text/plain; charset=utf-8"));
    let pages = troupe_book::paths().filter(|path| path.ends_with(".md"));
    pages.for_each(|page| assert!(text.contains(&format!("](/docs/{page})")), "{page}"));
    let start = guest.get("/docs").await;
    assert_eq!((start.status, start.header("location")), (308, "/docs/"));
    // The description of the API has its own page.
    assert!(guest.get("/docs/api").await.header("content-security-policy").contains("connect-src 'self'"));
    for path in
        ["..", "../Cargo.toml", "..%2fCargo.toml", "%2e%2e/Cargo.toml", "zh/..%2f../README.md", "SUMMARY.md", "x.html"]
    {
        assert_eq!(guest.get(&format!("/docs/{path}")).await.code(404), "not_found", "{path}");
    }
    node.stop().await;
}
