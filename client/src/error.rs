//! Errors, named by what the caller should do.

use std::sync::Arc;
use std::time::Duration;

use troupe_core::Rejection;
use troupe_core::text::clean;
use troupe_proto::wire::client::Failure;
use troupe_proto::wire::client::failure::Kind;

/// Characters kept of a server's code or text.
const SERVER_WORDS: usize = 500;

#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Definite: the request was not and never will be applied. Do not repeat it unchanged.
    #[error("{text} ({code})")]
    Rejected { code: String, text: String },
    /// Definite: the message was not applied. Send it again after its predecessor is acknowledged.
    #[error("{text} ({code})")]
    OutOfOrder { code: String, text: String },
    /// Definite: the request was not accepted. Retry after this time.
    #[error("{text} ({code})")]
    Overloaded { code: String, text: String, retry_after: Duration },
    /// Unknown: the request may have been applied. Repeat it with the same id.
    #[error("no answer: {0}")]
    Unavailable(String),
    /// The outbox is full: wait until messages are sent.
    #[error("the outbox is full: wait until some messages are sent")]
    OutboxFull,
    /// This client has ended. Log in with a new one.
    #[error("the client has stopped: {0}")]
    Stopped(String),
    /// The file of this device cannot be read or written.
    #[error("the store of this device: {0}")]
    Store(Arc<std::io::Error>),
    /// The server does not show the expected key, or does not speak TLS. Nothing was sent to it.
    #[error("{0}")]
    Untrusted(String),
    /// The peer is not a Troupe server, or has an incompatible version.
    #[error("the server does not keep the protocol: {0}")]
    Protocol(String),
}

/// The code of [`Error::Untrusted`], which no server sends.
pub const UNTRUSTED: &str = "untrusted_server";

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn closed() -> Error {
        Error::Unavailable("the connection was closed".into())
    }

    pub fn rejected(why: impl Into<Failure>) -> Error {
        Error::from(why.into())
    }

    /// Whether the request was definitely not applied.
    pub fn is_definite(&self) -> bool {
        match self {
            Error::Rejected { .. } | Error::OutOfOrder { .. } | Error::Overloaded { .. } => true,
            Error::OutboxFull | Error::Untrusted(_) => true,
            Error::Unavailable(_) | Error::Stopped(_) | Error::Store(_) | Error::Protocol(_) => false,
        }
    }

    /// Whether the same request may succeed later, possibly at another node.
    pub fn is_transient(&self) -> bool {
        matches!(self, Error::OutOfOrder { .. } | Error::Overloaded { .. } | Error::Unavailable(_))
    }

    /// The stable code of a refusal, listed in `docs/protocol.md`.
    pub fn code(&self) -> Option<&str> {
        match self {
            Error::Rejected { code, .. } | Error::OutOfOrder { code, .. } | Error::Overloaded { code, .. } => {
                Some(code)
            }
            Error::Untrusted(_) => Some(UNTRUSTED),
            _ => None,
        }
    }
}

/// A server's text, cleaned and cut: a hostile server can neither control the terminal nor fill the
/// screen.
pub(crate) fn words(text: &str) -> String {
    let shown: String = text.chars().take(SERVER_WORDS).collect();
    clean(&shown)
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        let retry_after = Duration::from_millis(failure.retry_after_ms.into());
        let (code, text) = (words(&failure.code), words(&failure.text));
        match failure.kind() {
            // Servers of earlier versions send this as rejected.
            Kind::Rejected | Kind::FailedPrecondition if code == Rejection::OutOfOrder.code() => {
                Error::OutOfOrder { code, text }
            }
            Kind::FailedPrecondition => Error::OutOfOrder { code, text },
            Kind::Rejected => Error::Rejected { code, text },
            Kind::Overloaded => Error::Overloaded { code, text, retry_after },
            // A kind of a later version: the outcome is unknown.
            Kind::Unavailable | Kind::Unspecified => Error::Unavailable(text),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        Error::Store(Arc::new(error))
    }
}
