//! The web client, as a browser loads it.

use axum::body::Body;
use axum::http::Method;
use troupe_raft::api::LoginPolicy;

use crate::harness::one_node;
use crate::http::Http;

#[tokio::test]
async fn the_client_is_served_without_a_session_in_the_form_that_was_asked_for() {
    let node = one_node(LoginPolicy::Replace).await;
    let guest = Http::of(&node);
    for (path, kind) in [
        ("/", "text/html"),
        ("/console", "text/html"),
        ("/console.js", "text/javascript"),
        ("/app.js", "text/javascript"),
        ("/more.js", "text/javascript"),
        ("/app.css", "text/css"),
        ("/sw.js", "text/javascript"),
    ] {
        let plain = guest.get(path).await;
        assert_eq!((plain.status, plain.header("content-encoding")), (200, ""), "{path}");
        assert!(plain.header("content-type").starts_with(kind), "{path}");
        assert_eq!((plain.header("x-content-type-options"), plain.header("vary")), ("nosniff", "Accept-Encoding"));
        let mut tags = vec![plain.header("etag").to_owned()];
        for encoding in ["gzip", "br"] {
            let asked = [("accept-encoding", encoding)];
            let packed = guest.ask(Method::GET, path, &asked, Body::empty()).await;
            assert_eq!((packed.status, packed.header("content-encoding")), (200, encoding), "{path}");
            assert!(packed.body.len() < plain.body.len(), "{path} in {encoding}");
            let tag = packed.header("etag").to_owned();
            let again = [("accept-encoding", encoding), ("if-none-match", tag.as_str())];
            let known = guest.ask(Method::GET, path, &again, Body::empty()).await;
            assert_eq!((known.status, known.body.len(), known.header("etag")), (304, 0, tag.as_str()), "{path}");
            tags.push(tag);
        }
        tags.sort();
        tags.dedup();
        assert_eq!(tags.len(), 3, "each form of {path} has a tag of its own");
    }
    node.stop().await;
}

#[tokio::test]
async fn the_page_may_run_its_own_script_and_reach_its_own_cluster_only() {
    let node = one_node(LoginPolicy::Replace).await;
    let page = Http::of(&node).get("/").await;
    let policy = page.header("content-security-policy");
    assert_eq!(Http::of(&node).get("/console").await.header("content-security-policy"), policy);
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.split("; ").any(|one| one == rule), "{rule} is missing: {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    let sources = policy.split("connect-src 'self'").nth(1).expect("where it connects");
    for source in sources.split_whitespace() {
        assert!(source.starts_with("ws://127.0.0.1:") || source.starts_with("wss://"), "{source}");
    }
    let text = String::from_utf8(page.body).expect("UTF-8");
    assert!(!text.contains("<style") && !text.contains("onload="), "{text}");
    assert!(!text.contains("src=\"http") && !text.contains("href=\"http"), "{text}");
    node.stop().await;
}
