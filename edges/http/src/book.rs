//! The book at `/docs`: pages, their twins in Markdown, and `/llms.txt`.

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use troupe_book::{File, POLICY};

use crate::api::Api;
use crate::problem;
use crate::web::{accepts, names};

pub fn routes() -> Router<Api> {
    Router::new()
        .route("/docs", get(|| async { Redirect::permanent("/docs/") }))
        .route("/docs/", get(|headers: HeaderMap| async move { page("", &headers).await }))
        .route(
            "/docs/{*page}",
            get(|Path(path): Path<String>, headers: HeaderMap| async move { page(&path, &headers).await }),
        )
        .route("/llms.txt", get(|headers: HeaderMap| async move { answer(troupe_book::llms(), &headers) }))
}

/// Paths are names in a list, never those of files on a disk.
async fn page(path: &str, asked: &HeaderMap) -> Response {
    match troupe_book::file(path) {
        Some(file) => answer(file, asked),
        None => problem::no_such_path().await.into_response(),
    }
}

fn answer(file: &'static File, asked: &HeaderMap) -> Response {
    let accepted = |name| asked.get_all(header::ACCEPT_ENCODING).iter().any(|value| accepts(value, name));
    let (bytes, encoding) = match () {
        () if accepted("zstd") && !file.zstd.is_empty() => (&*file.zstd, "zstd"),
        () if accepted("gzip") && !file.gzip.is_empty() => (&*file.gzip, "gzip"),
        () => (file.text.as_bytes(), ""),
    };
    // A form of a file is a file of its own for caches.
    let tag = match encoding {
        "" => format!("\"{}\"", file.tag),
        encoding => format!("\"{}-{encoding}\"", file.tag),
    };
    let known = asked.get_all(header::IF_NONE_MATCH).iter().any(|value| names(value, &tag));
    let mut response = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Body::from(bytes).into_response(),
    };
    let headers = response.headers_mut();
    let mut put = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    put(header::CONTENT_TYPE, file.kind);
    put(header::ETAG, &tag);
    put(header::CACHE_CONTROL, "no-cache");
    put(header::VARY, "Accept-Encoding");
    if !encoding.is_empty() {
        put(header::CONTENT_ENCODING, encoding);
    }
    put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(header::REFERRER_POLICY, "no-referrer");
    put(header::CONTENT_SECURITY_POLICY, POLICY);
    response
}
