//! The OpenAPI document, made of the routes themselves.

use std::sync::LazyLock;

use axum::Router;
use bytes::Bytes;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::Tag;
use utoipa::openapi::{ContentBuilder, OpenApi, PathItem, Ref, RefOr, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

use crate::api::Api;
use crate::ids::Id;
use crate::key;
use crate::problem::{self, Shown};
use crate::routes;

const ABOUT: &str = "Troupe's HTTP API. Ids are strings. Each refusal is a problem (RFC 9457) with a stable code. \
    A request that changes a conversation takes an `Idempotency-Key`, which is its client message id: repeat the \
    request with the same key until there is an answer.";
const PROBLEM: &str = "Problem";
const TAGS: &[(&str, &str)] = &[
    ("accounts", "Registration, login and logout"),
    ("me", "The caller's own account and sessions"),
    ("messages", "Send and history"),
    ("calls", "Calls between two users"),
    ("signals", "Typing, and what devices tell each other without a log"),
    ("files", "Uploads and files of conversations"),
    ("events", "What happens, as it happens"),
    ("conversations", "The conversation list, groups, positions and invitations"),
    ("members", "Members of a conversation"),
    ("users", "Other users"),
    ("contacts", "Contacts, their requests, blocked users, and reports"),
    ("push", "Web Push to browsers of users that are not connected"),
    ("bots", "Accounts without a password, with tokens of scopes"),
    ("nodes", "Nodes to spread over"),
    ("administration", "For administrators; each change is in the audit log"),
];

/// The routes, and the document that is made of them.
pub fn parts() -> (Router<Api>, OpenApi) {
    let (router, mut document) = routes::all().split_for_parts();
    document.info.title = "Troupe".to_owned();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document.info.description = Some(ABOUT.to_owned());
    document.info.license = None;
    document.info.contact = None;
    let tag = |(name, about): &(&str, &str)| {
        let mut tag = Tag::new(*name);
        tag.description = Some((*about).to_owned());
        tag
    };
    document.tags = Some(TAGS.iter().map(tag).collect());
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
    let bearer = bearer.description(Some("The `token` of a login.")).build();
    components.security_schemes.insert("session".to_owned(), SecurityScheme::Http(bearer).into());
    components.schemas.insert(PROBLEM.to_owned(), Shown::schema());
    components.schemas.insert(Id::name().into_owned(), Id::schema());
    document.security = Some(vec![SecurityRequirement::new("session", [] as [&str; 0])]);
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            operation.operation_id = Some(name(method, path));
            refuses(operation);
            shows_keys(operation);
        }
    }
    let problems = serde_json::to_value(problem::known()).unwrap_or_default();
    document.extensions = Some(ExtensionsBuilder::new().add("x-problems", problems).build());
    (router, document)
}

/// The document as it is served.
pub fn document() -> &'static Bytes {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
        let (_, document) = parts();
        serde_json::to_vec(&document).expect("a document is JSON").into()
    });
    &DOCUMENT
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, head, options, .. } = item;
    let all = [
        ("get", get),
        ("put", put),
        ("post", post),
        ("delete", delete),
        ("patch", patch),
        ("head", head),
        ("options", options),
    ];
    all.into_iter().filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
}

/// `get_me_sessions`: a method and a path have one operation, so this is unique.
fn name(method: &str, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty() && *word != "v1");
    words.fold(method.to_owned(), |name, word| name + "_" + word)
}

/// The form of a key, where an operation takes one.
fn shows_keys(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && parameter.name.eq_ignore_ascii_case(key::HEADER)
        {
            let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(key::PATTERN));
            parameter.schema = Some(Schema::from(text).into());
        }
    }
}

/// Every operation may be refused, with a problem.
fn refuses(operation: &mut Operation) {
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name(PROBLEM))).build();
    let refused = ResponseBuilder::new().description("A refusal").content("application/problem+json", problem);
    operation.responses.responses.insert("default".to_owned(), refused.build().into());
}
