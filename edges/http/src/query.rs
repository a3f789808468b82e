//! Parameters of the path and behind the question mark.

use axum::extract::{FromRequestParts, Path as AxumPath, Query as AxumQuery};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::json::explain;
use crate::problem::Problem;

/// The greatest number that JSON and JavaScript keep exact.
pub const GREATEST: u64 = (1 << 53) - 1;

/// Parameters behind the question mark; unknown ones are refused.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let parsed = AxumQuery::try_from_uri(&parts.uri);
        parsed.map(|AxumQuery(query)| Query(query)).map_err(|error| {
            let text = error.body_text();
            let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
            Problem::bad_request(explain("", text))
        })
    }
}

/// Parts of the path, percent-decoded.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let parsed = AxumPath::from_request_parts(parts, state).await;
        let refused = |_| Problem::bad_request("this path is not UTF-8 in its percent-encoded form");
        parsed.map(|AxumPath(path)| Path(path)).map_err(refused)
    }
}

/// The rows that a page should have; zero stands for the page's own limit.
pub fn limit(asked: Option<u32>, most: usize) -> Result<u32, Problem> {
    match asked {
        None => Ok(0),
        Some(asked) if (1..=most as u32).contains(&asked) => Ok(asked),
        Some(_) => Err(Problem::bad_request(format!("limit: it is 1 to {most}"))),
    }
}

pub fn seq(name: &str, asked: u64) -> Result<u64, Problem> {
    if asked <= GREATEST { Ok(asked) } else { Err(Problem::bad_request(format!("{name}: it is at most {GREATEST}"))) }
}
