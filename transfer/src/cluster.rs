//! The cluster at the other end.

use std::fmt;
use std::future::Future;

use bytes::Bytes;
use troupe_proto::wire::client as wire;
use wire::admin::Operation;
use wire::admin_answer::Answer;

use crate::{Error, Result};

/// A definite refusal, or the end of the patience with a cluster that does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub code: String,
    pub text: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.code)
    }
}

impl Refused {
    /// The cluster does not answer in time.
    pub const UNAVAILABLE: &str = "unavailable";
    /// The key is not the one of the cluster.
    pub const NOT_PERMITTED: &str = "not_permitted";
    /// The cluster is of another version.
    pub const BAD_ANSWER: &str = "bad_answer";

    /// Whether every other request is refused alike.
    pub fn is_of_the_connection(&self) -> bool {
        [Refused::UNAVAILABLE, Refused::NOT_PERMITTED, Refused::BAD_ANSWER].contains(&self.code.as_str())
    }

    /// Of this side, not of the cluster.
    pub fn here(code: &str, text: impl Into<String>) -> Refused {
        Refused { code: code.to_owned(), text: text.into() }
    }
}

/// Performs operations with the key of the cluster. It repeats a request, under the same id, until
/// its outcome is known.
pub trait Cluster {
    fn perform(&self, admin: wire::Admin) -> impl Future<Output = std::result::Result<Answer, Refused>> + Send;

    /// The id of the cluster in hex.
    fn id(&self) -> String;
}

pub(crate) async fn ask(
    cluster: &impl Cluster,
    request: [u8; 16],
    operation: Operation,
) -> std::result::Result<Answer, Refused> {
    let request = Bytes::copy_from_slice(&request);
    cluster.perform(wire::Admin { request, operation: Some(operation) }).await
}

/// A page of the content of a cluster.
pub(crate) async fn page(
    cluster: &impl Cluster,
    request: [u8; 16],
    part: wire::export::Part,
    doing: &str,
) -> Result<wire::exported::Part> {
    let operation = Operation::Export(wire::Export { part: Some(part) });
    match ask(cluster, request, operation).await.map_err(Error::refused(doing))? {
        Answer::Exported(wire::Exported { part: Some(part) }) => Ok(part),
        _ => Err(other_answer(doing)),
    }
}

pub(crate) fn other_answer(doing: &str) -> Error {
    Error::invalid(doing, "the cluster gives another answer: is it of an earlier version?")
}
