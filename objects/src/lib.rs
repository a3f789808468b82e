//! Objects of an S3-compatible store: put, get, list and remove, for tools.
//!
//! ```text
//! settings     where a store is, and who asks
//! wire         one HTTP request, over TLS
//! ask          one signed request, repeated where a repetition may help
//! store        objects as files and bytes
//! multipart    a large file, part by part
//! ```
//!
//! `rusty-s3` signs the requests. A signature is in the URL, so no URL is ever logged.

mod ask;
mod multipart;
mod settings;
mod store;
mod wire;

use idna_adapter as _;

pub use ask::Pacing;
pub use rusty_s3::Credentials;
pub use settings::{Settings, credentials};
pub use store::{Listing, Store};

/// Why something was not done. No text has a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Correct what was given.
    #[error("{0}")]
    Wrong(String),
    /// The store refuses it: a repetition changes nothing.
    #[error("{what}: the store refuses it with status {status} {code}")]
    Refused { what: String, status: u16, code: String },
    /// Nothing answers, or nothing that makes sense, after several attempts: try again later.
    #[error("{what}: {why}, after {attempts} attempts")]
    Later { what: String, why: String, attempts: u32 },
    /// A file of this machine.
    #[error("{path}: {error}")]
    File { path: String, error: std::io::Error },
}

impl Error {
    /// Whether the store has no such object.
    pub fn is_absent(&self) -> bool {
        matches!(self, Error::Refused { status: 404, .. })
    }
}

pub type Result<T> = std::result::Result<T, Error>;
