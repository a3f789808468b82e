//! The OpenAPI document, the page, and docs/api.md have what the router has.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::Value;
use troupe_raft::api::LoginPolicy;

use crate::harness::one_node;
use crate::http::Http;

const METHODS: [&str; 5] = ["get", "post", "patch", "put", "delete"];
/// They describe the others.
const DESCRIPTIONS: [&str; 4] = ["/v1/openapi.json", "/docs/api", "/docs/", "/docs/{*page}"];
/// The paths of issue 13, which others write against.
const FIXED: &[(&str, &str)] = &[
    ("post", "/v1/register"),
    ("post", "/v1/login"),
    ("post", "/v1/logout"),
    ("get", "/v1/me"),
    ("patch", "/v1/me"),
    ("post", "/v1/me/password"),
    ("get", "/v1/me/sessions"),
    ("delete", "/v1/me/sessions/{device}"),
    ("post", "/v1/conversations/{conversation}/messages"),
    ("get", "/v1/conversations/{conversation}/messages"),
    ("put", "/v1/conversations/{conversation}/messages/{seq}/reactions/{emoji}"),
    ("delete", "/v1/conversations/{conversation}/messages/{seq}/reactions/{emoji}"),
    ("get", "/v1/conversations"),
    ("get", "/v1/conversations/{conversation}"),
    ("patch", "/v1/conversations/{conversation}"),
    ("delete", "/v1/conversations/{conversation}"),
    ("post", "/v1/groups"),
    ("get", "/v1/conversations/{conversation}/members"),
    ("post", "/v1/conversations/{conversation}/members"),
    ("post", "/v1/conversations/{conversation}/members/{user}"),
    ("delete", "/v1/conversations/{conversation}/members/{user}"),
    ("post", "/v1/conversations/{conversation}/read"),
    ("get", "/v1/events"),
    ("get", "/v1/users"),
    ("get", "/v1/users/{user}"),
    ("get", "/v1/online"),
    ("get", "/v1/nodes"),
];

fn document() -> Value {
    serde_json::from_slice(troupe_edge_http::document()).expect("JSON")
}

fn described(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().expect("paths");
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = METHODS.iter().filter(|method| item.get(**method).is_some());
        methods.map(|method| (method.to_string(), path.clone()))
    });
    operations.collect()
}

#[test]
fn the_fixed_paths_are_described() {
    let described = described(&document());
    for (method, path) in FIXED {
        assert!(described.contains(&(method.to_string(), path.to_string())), "{method} {path}");
    }
}

/// The router and the document come from one list. This finds a route that was added beside it, and
/// an operation that no route answers.
#[tokio::test]
async fn every_route_is_described_and_every_description_is_a_route() {
    let node = one_node(LoginPolicy::Replace).await;
    let guest = Http::of(&node);
    let described = described(&document());
    let shown = format!("{:?}", troupe_edge_http::router(node.handle.service().clone()));
    let routed: BTreeSet<&str> =
        shown.split('"').filter(|part| part.starts_with("/v1/") || part.starts_with("/docs/")).collect();
    assert!(routed.contains("/v1/me"), "{shown}");
    for path in routed.iter().filter(|path| !DESCRIPTIONS.contains(path)) {
        assert!(described.iter().any(|(_, described)| described == path), "{path} is not described");
    }
    for path in described.iter().map(|(_, path)| path) {
        assert!(routed.contains(path.as_str()), "{path} has no route");
        let filled = path.replace(['{', '}'], "");
        for method in METHODS {
            let said =
                guest.with_key(method.to_uppercase().parse::<Method>().expect("a method"), &filled, None, None).await;
            let known = described.contains(&(method.to_owned(), path.clone()));
            assert_eq!(known, said.status != 405, "{method} {path}: {}", said.status);
        }
    }
    node.stop().await;
}

/// Whether a reference leads to something.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn the_document_is_whole() {
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 10);
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("a reference within");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let tags: BTreeSet<&str> =
        document["tags"].as_array().into_iter().flatten().filter_map(|tag| tag["name"].as_str()).collect();
    let mut ids = BTreeSet::new();
    for item in document["paths"].as_object().expect("paths").values() {
        for operation in METHODS.iter().filter_map(|method| item.get(*method)) {
            assert!(operation["tags"][0].as_str().is_some_and(|tag| tags.contains(tag)), "{operation}");
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{operation}");
            assert!(operation["responses"]["default"].is_object(), "{operation}");
            assert!(ids.insert(operation["operationId"].to_string()), "two operations have the id of {operation}");
        }
    }
}

#[tokio::test]
async fn the_page_has_everything_within() {
    let node = one_node(LoginPolicy::Replace).await;
    let guest = Http::of(&node);
    let page = guest.get("/docs/api").await;
    let text = String::from_utf8(page.body.clone()).expect("UTF-8");
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(text.contains("/v1/openapi.json") && page.header("content-security-policy").contains("connect-src 'self'"));
    for elsewhere in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!text.contains(elsewhere), "{elsewhere}");
    }
    let served = guest.get("/v1/openapi.json").await.good();
    assert_eq!(served, document());
    assert_eq!(served["openapi"], "3.1.0");
    node.stop().await;
}

#[test]
fn the_document_and_the_page_name_every_problem_of_this_edge() {
    let document = document();
    let problems = document["x-problems"].as_array().expect("a list");
    let codes: BTreeSet<&str> = problems.iter().filter_map(|problem| problem["code"].as_str()).collect();
    assert_eq!(codes.len(), problems.len());
    let (api, protocol) = (include_str!("../../../../docs/api.md"), include_str!("../../../../docs/protocol.md"));
    for code in codes {
        let row = format!("\n| `{code}` |");
        assert!(api.contains(&row) || protocol.contains(&row), "{code} has no row");
    }
}

#[test]
fn every_key_shows_its_form() {
    let document = document();
    let paths = document["paths"].as_object().expect("paths");
    let operations = paths.values().filter_map(Value::as_object).flat_map(|item| item.values());
    let parameters = operations.filter_map(|operation| operation["parameters"].as_array()).flatten();
    let keys: Vec<&Value> = parameters.filter(|parameter| parameter["name"] == "Idempotency-Key").collect();
    assert!(keys.len() > 5, "{keys:?}");
    for key in keys {
        assert!(key["schema"]["pattern"].as_str().is_some_and(|pattern| pattern.contains("{32}")), "{key}");
    }
}
