//! Bodies in JSON, read within a cap and refused with what is wrong.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, header};
use bytes::BytesMut;
use http_body_util::BodyExt;
use serde::Deserializer;
use serde::de::{DeserializeOwned, Error, Unexpected, Visitor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use troupe_actors::message::Refusal;
use troupe_actors::ops::cost::Cost;
use troupe_core::limits;

use crate::api::Api;
use crate::asker::Guest;
use crate::fair::Receiving;
use crate::problem::{Problem, not_json};
use crate::query::GREATEST;

/// Bytes of a registration or a login. Above it: `too_large`.
pub const GREETING: usize = 8 * 1024;
/// Bytes of the bodies that one connection sends at once before they are verified, and after.
/// Above it a body waits, and its bytes stay with the client.
const GREETINGS: usize = 8 * GREETING;
const BODIES: usize = 2 * MESSAGE;
/// For a registration or a login to come: a slow one must not hold up the others.
const GREETING_TIME: Duration = Duration::from_secs(10);
/// Bytes of a body, unless it carries a message. Above it: `too_large`.
pub const SMALL: usize = 16 * 1024;
/// Bytes of a body with a message: JSON may write a byte as six. Above it: `too_large`.
pub const MESSAGE: usize = 6 * limits::MESSAGE_BYTES + SMALL;
/// Bytes of a body that cost its address a unit, above the price of its operation.
const BYTES_PER_UNIT: u64 = 16 * 1024;
/// Characters of a name that an error repeats.
const REPEATED: usize = 64;

/// A body. It is the last argument of a handler, so that a caller is verified before it is read.
pub struct Json<T, const CAP: usize = SMALL>(pub T);

impl<T: DeserializeOwned, const CAP: usize> FromRequest<Api> for Json<T, CAP> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        is_json(&parts.headers)?;
        let guest = Guest::from_request_parts(&mut parts, api).await?;
        let length = announced(&parts.headers, CAP)?;
        let bodies = parts.extensions.get::<Bodies>().cloned().unwrap_or_default();
        let _room = bodies.room(CAP, length).await;
        let reading = read(body, CAP, api.shares.receive(guest.address));
        let bytes = if CAP == GREETING {
            let slow = |_| Problem::bad_request("the body took too long: send it at once");
            timeout(GREETING_TIME, reading).await.map_err(slow)??
        } else {
            reading.await?
        };
        // Also a body that is refused was read.
        let units = bytes.len() as u64 / BYTES_PER_UNIT;
        if units > 0 {
            guest.pay(Cost::Units(units)).await?;
        }
        parse(&bytes).map(Json)
    }
}

/// The bodies that one connection may send at once. HTTP/2 has many requests on a connection, and
/// a server gives each connection its own as an extension of its requests.
#[derive(Clone)]
pub struct Bodies {
    greetings: Arc<Semaphore>,
    others: Arc<Semaphore>,
}

impl Default for Bodies {
    fn default() -> Bodies {
        let room = |bytes| Arc::new(Semaphore::new(bytes));
        Bodies { greetings: room(GREETINGS), others: room(BODIES) }
    }
}

impl Bodies {
    /// Waits until there is room for a body. `None` cannot be, as the room is never closed.
    async fn room(self, cap: usize, length: usize) -> Option<OwnedSemaphorePermit> {
        let of = if cap == GREETING { self.greetings } else { self.others };
        of.acquire_many_owned(length as u32).await.ok()
    }
}

/// Pages of other origins cannot send this type without asking first.
fn is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(not_json())
}

/// The bytes that a body may have. One that announces more than its cap is refused before a byte of
/// it is kept.
fn announced(headers: &HeaderMap, cap: usize) -> Result<usize, Problem> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    match length {
        Some(length) if length > cap as u64 => Err(Problem::too_large(cap)),
        Some(length) => Ok(length as usize),
        None => Ok(cap),
    }
}

async fn read(mut body: Body, cap: usize, mut receiving: Receiving) -> Result<BytesMut, Problem> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::bad_request("the body did not come to its end: send it again"))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > cap {
            return Err(Problem::too_large(cap));
        }
        if !receiving.takes(data.len()) {
            return Err(Refusal::OVERLOADED.into());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        match inner.classify() {
            serde_json::error::Category::Data => Problem::bad_request(explain(&path, &inner.to_string())),
            _ => Problem::bad_request(format!("the body is not JSON: {inner}")),
        }
    })?;
    json.end().map_err(|error| Problem::bad_request(format!("the body goes on behind its JSON: {error}")))?;
    Ok(value)
}

/// A whole number, also as `7.0`: JSON has one kind of numbers.
pub fn whole<'de, T: TryFrom<u64>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    struct Whole<T>(PhantomData<T>);

    impl<T: TryFrom<u64>> Visitor<'_> for Whole<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number in its range")
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
            T::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
        }

        fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
            if number.fract() != 0.0 || !(0.0..=GREATEST as f64).contains(&number) {
                return Err(E::invalid_value(Unexpected::Float(number), &self));
            }
            self.visit_u64(number as u64)
        }
    }
    from.deserialize_u64(Whole(PhantomData))
}

/// The same for a field that may be absent, and is not `null`.
pub fn whole_given<'de, T: TryFrom<u64>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    whole(from).map(Some)
}

/// The error of a field, with the nearest name for one that is unknown.
pub fn explain(path: &str, error: &str) -> String {
    if let Some((field, known)) = unknown_field(error) {
        let shown: String = field.chars().take(REPEATED).collect();
        let nearest = known.iter().min_by_key(|known| strsim::damerau_levenshtein(known, &shown));
        return match nearest {
            Some(nearest) => format!("unknown field {shown:?}: did you mean \"{nearest}\"?"),
            None => format!("unknown field {shown:?}: nothing is expected here"),
        };
    }
    let shown: String = error.chars().take(4 * REPEATED).collect();
    if path.is_empty() || path == "." {
        shown
    } else {
        format!("{}: {shown}", path.chars().take(REPEATED).collect::<String>())
    }
}

/// The name of an unknown field in an error of serde, and the names that are known.
fn unknown_field(error: &str) -> Option<(&str, Vec<&str>)> {
    let (_, rest) = error.split_once("unknown field `")?;
    // A name of the request may hold anything; the known ones behind it do not.
    let (field, known) = rest.rsplit_once("`, expected ").or_else(|| rest.rsplit_once("`, there are no fields"))?;
    Some((field, known.split('`').skip(1).step_by(2).collect()))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Login {
        name: String,
        #[allow(dead_code, reason = "only its name is needed")]
        password: Option<String>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct One {
        #[allow(dead_code, reason = "only its name is needed")]
        seq: u64,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    #[derive(Debug, Deserialize)]
    struct Number {
        #[serde(deserialize_with = "whole")]
        many: u32,
    }

    #[test]
    fn a_whole_number_may_have_a_point() {
        let read = |text: &str| parse::<Number>(format!(r#"{{"many":{text}}}"#).as_bytes()).ok().map(|read| read.many);
        assert_eq!(
            (read("7"), read("7.0"), read("7e2"), read("4294967295.0")),
            (Some(7), Some(7), Some(700), Some(u32::MAX))
        );
        for wrong in ["7.5", "-1", "-1.0", "4294967296", "4294967296.0", "1e300", "\"7\"", "null", "[7]"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    fn refused<T: DeserializeOwned + std::fmt::Debug>(text: &str) -> String {
        let problem = parse::<T>(text.as_bytes()).expect_err("refused");
        serde_json::to_value(problem).expect("JSON")["detail"].as_str().unwrap_or_default().to_owned()
    }

    #[test]
    fn an_unknown_field_is_refused_with_the_nearest_name() {
        let nearest =
            |text, name: &str| assert!(refused::<Login>(text).ends_with(&format!("did you mean \"{name}\"?")));
        nearest(r#"{"nmae":"ann"}"#, "name");
        nearest(r#"{"name":"ann","pasword":"x"}"#, "password");
        nearest(r#"{"a`, expected `b`":1}"#, "name");
        assert!(refused::<One>(r#"{"sec":1}"#).ends_with("did you mean \"seq\"?"));
        assert!(refused::<Nothing>(r#"{"name":1}"#).ends_with("nothing is expected here"));
        let long = format!(r#"{{"{}":1}}"#, "x".repeat(10_000));
        assert!(refused::<Login>(&long).len() < 200);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(refused::<Login>(r#"{"name":7}"#).starts_with("name: invalid type"));
        assert!(refused::<One>(r#"{"seq":99999999999999999999999}"#).starts_with("seq: "));
        assert!(refused::<One>(r#"{"seq":1,"seq":2}"#).contains("duplicate field"));
        for text in ["", "{", "nothing", "\u{feff}{}", r#"{"name":"\ud800"}"#] {
            assert!(refused::<Login>(text).starts_with("the body is not JSON"), "{text}");
        }
        assert!(
            refused::<Login>(&"[".repeat(100_000)).contains("recursion limit")
                || refused::<Login>("[[").contains("invalid")
        );
        assert!(refused::<Login>(r#"{"name":"ann"} x"#).contains("goes on"));
        assert!(parse::<Login>(b"{\"name\":\"\xff\"}").is_err());
        assert_eq!(parse::<Login>(br#"{"name":"ann"}"#).expect("good").name, "ann");
    }
}
