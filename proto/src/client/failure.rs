//! Refusals in the form for clients: definite or unknown, a stable code, a sentence.

use std::fmt;

use troupe_core::Rejection;
use troupe_core::feature::HOOK_UNAVAILABLE;

use crate::wire::client::Failure;
use crate::wire::client::failure::Kind;
use troupe_core::form::DecodeError;

/// Definite refusals by the connection. [`Rejection`] has those of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    BadFrame,
    BadVersion,
    NotLoggedIn,
    AlreadyLoggedIn,
    WrongCredentials,
    ExpiredToken,
    AlreadyOnline,
    BadPassword,
    SeqBeyondHead,
    /// Plain text at a port that speaks TLS only.
    TlsRequired,
    NotAdmin,
    /// An auditor asks for a change.
    ReadOnlyRole,
    SamePassword,
    RegistrationClosed,
    InviteRequired,
    /// Some node of the cluster may not support the request.
    UpgradePending,
    /// Holders of the cluster's key may do it, administrators may not.
    NotOperator,
    /// A signed link to a file that is wrong or over, or whose session has ended.
    BadFileLink,
}

impl Refusal {
    pub const ALL: [Refusal; 18] = [
        Refusal::BadFrame,
        Refusal::BadVersion,
        Refusal::NotLoggedIn,
        Refusal::AlreadyLoggedIn,
        Refusal::WrongCredentials,
        Refusal::ExpiredToken,
        Refusal::AlreadyOnline,
        Refusal::BadPassword,
        Refusal::SeqBeyondHead,
        Refusal::TlsRequired,
        Refusal::NotAdmin,
        Refusal::ReadOnlyRole,
        Refusal::SamePassword,
        Refusal::RegistrationClosed,
        Refusal::InviteRequired,
        Refusal::UpgradePending,
        Refusal::NotOperator,
        Refusal::BadFileLink,
    ];

    pub fn code(self) -> &'static str {
        match self {
            Refusal::BadFrame => "bad_frame",
            Refusal::BadVersion => "bad_version",
            Refusal::NotLoggedIn => "not_logged_in",
            Refusal::AlreadyLoggedIn => "already_logged_in",
            Refusal::WrongCredentials => "wrong_credentials",
            Refusal::ExpiredToken => "expired_token",
            Refusal::AlreadyOnline => "already_online",
            Refusal::BadPassword => "bad_password",
            Refusal::SeqBeyondHead => "seq_beyond_head",
            Refusal::TlsRequired => "tls_required",
            Refusal::NotAdmin => "not_admin",
            Refusal::ReadOnlyRole => "read_only_role",
            Refusal::SamePassword => "same_password",
            Refusal::RegistrationClosed => "registration_closed",
            Refusal::InviteRequired => "invite_required",
            Refusal::UpgradePending => "upgrade_pending",
            Refusal::NotOperator => "not_operator",
            Refusal::BadFileLink => "bad_file_link",
        }
    }
}

/// Budgets that a request may exceed. Nothing was done; the same may be sent again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Requests of this user, or of its address.
    Rate,
    /// The daily sends and creations of one user.
    Quota,
}

impl Limit {
    pub const ALL: [Limit; 2] = [Limit::Rate, Limit::Quota];

    pub fn code(self) -> &'static str {
        match self {
            Limit::Rate => "rate_limited",
            Limit::Quota => "quota_exceeded",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::BadFrame => {
                "this frame is too large or cannot be read: the connection is closed; frames are described in docs/protocol.md"
            },
            Refusal::BadVersion => "no common version of the protocol: update the older of client and server",
            Refusal::NotLoggedIn => "say hello, then log in or resume, before anything else",
            Refusal::AlreadyLoggedIn => "this connection has done that already: open another one",
            Refusal::WrongCredentials => "name or password is wrong",
            Refusal::ExpiredToken => "this session has ended: log in again",
            Refusal::AlreadyOnline => {
                "this user is online already: log out there first, or wait until that connection has ended"
            }
            Refusal::BadPassword => "a password has at least 8 characters and at most 256 bytes",
            Refusal::NotAdmin => "only administrators may do this: ask one",
            Refusal::ReadOnlyRole => "auditors read and change nothing: ask an administrator to do this",
            Refusal::NotOperator => {
                "only an operator with the cluster's key may do this: use troupe export or troupe import on a node"
            }
            Refusal::SamePassword => "the new password is the old one: choose another",
            Refusal::RegistrationClosed => "registration is closed: ask an administrator for an account",
            Refusal::InviteRequired => "registering here wants an invitation code: ask an administrator for one",
            Refusal::UpgradePending => {
                "the cluster is being upgraded and does not do this yet: ask its operator (troupe cluster upgrade status)"
            }
            Refusal::SeqBeyondHead => "there is no such event yet: give a seq up to the head",
            Refusal::BadFileLink => "this link to a file is wrong or over: ask for another one",
            Refusal::TlsRequired => "this port speaks TLS 1.3 only: connect with TLS (tls://host:port)",
        })
    }
}

impl std::error::Error for Refusal {}

/// The code for requests that a stopping node does not accept.
pub const SHUTTING_DOWN: &str = "shutting_down";
/// Until a message is sent again that the hook of its group has not answered about.
const HOOK_AGAIN_MS: u32 = 2_000;
pub const OVERLOADED: &str = "overloaded";
pub const STORAGE_LOW: &str = "storage_low";
pub const UNAVAILABLE: &str = "unavailable";
/// The code for requests whose shard has no leader with a majority.
pub const NO_LEADER: &str = "no_leader";

impl Failure {
    /// Definite: the machine refused it.
    pub fn rejected(why: &Rejection) -> Failure {
        Failure::coded(why.code(), why.to_string())
    }

    /// Definite, with a code of this program or of another node; the code determines the kind.
    pub fn coded(code: &str, text: String) -> Failure {
        let (kind, retry_after_ms) = match code {
            code if code == Rejection::OutOfOrder.code() => (Kind::FailedPrecondition, 0),
            // Nothing was done, and the hook may answer the next time.
            code if code == HOOK_UNAVAILABLE.code => (Kind::Overloaded, HOOK_AGAIN_MS),
            _ => (Kind::Rejected, 0),
        };
        Failure { kind: kind.into(), code: code.to_owned(), text, retry_after_ms }
    }

    /// Definite: the state of the connection does not allow it.
    pub fn refused(why: Refusal) -> Failure {
        Failure::coded(why.code(), why.to_string())
    }

    /// Definite: a field of the request is wrong. An undecodable frame is [`Refusal::BadFrame`].
    pub fn bad_request(why: &DecodeError) -> Failure {
        let code = match why {
            DecodeError::Malformed(_) | DecodeError::Version { .. } => Refusal::BadFrame.code(),
            DecodeError::Missing { .. } | DecodeError::Invalid { .. } => Rejection::BadRequest("").code(),
        };
        Failure::coded(code, why.to_string())
    }

    /// Definite: not accepted; try again.
    pub fn overloaded(retry_after_ms: u32) -> Failure {
        Failure {
            kind: Kind::Overloaded.into(),
            code: OVERLOADED.to_owned(),
            text: format!("the server is busy: try again in {retry_after_ms} ms"),
            retry_after_ms,
        }
    }

    /// Definite: not accepted, because the caller has used its budget.
    pub fn limited(limit: Limit, retry_after_ms: u32) -> Failure {
        let text = match limit {
            Limit::Rate => format!("too much at once: try again in {retry_after_ms} ms"),
            Limit::Quota => format!("the quota of today is used up: try again in {} s", retry_after_ms.div_ceil(1_000)),
        };
        Failure { kind: Kind::Overloaded.into(), code: limit.code().to_owned(), text, retry_after_ms }
    }

    /// Definite: not accepted, because no leader of the shard could accept it in time.
    pub fn no_leader(retry_after_ms: u32) -> Failure {
        Failure {
            kind: Kind::Overloaded.into(),
            code: NO_LEADER.to_owned(),
            text: format!("no majority of this shard's nodes can be reached now: try again in {retry_after_ms} ms"),
            retry_after_ms,
        }
    }

    /// Definite: not accepted; try again when an administrator has made room.
    pub fn storage_low() -> Failure {
        Failure {
            kind: Kind::Overloaded.into(),
            code: STORAGE_LOW.to_owned(),
            text:
                "the cluster's disks are almost full: reading goes on, sending waits until an administrator makes room"
                    .to_owned(),
            retry_after_ms: 10_000,
        }
    }

    /// Definite: not accepted here; any other node may accept it at once.
    pub fn shutting_down() -> Failure {
        Failure {
            kind: Kind::Overloaded.into(),
            code: SHUTTING_DOWN.to_owned(),
            text: "this node is about to stop: connect to another".to_owned(),
            retry_after_ms: 0,
        }
    }

    /// Unknown: it may have been applied.
    pub fn unavailable(retry_after_ms: u32) -> Failure {
        Failure {
            kind: Kind::Unavailable.into(),
            code: UNAVAILABLE.to_owned(),
            text: "no answer in time: try again with the same id".to_owned(),
            retry_after_ms,
        }
    }

    /// Whether the request certainly was not applied.
    pub fn is_definite(&self) -> bool {
        matches!(self.kind(), Kind::Rejected | Kind::Overloaded | Kind::FailedPrecondition)
    }
}

impl From<&Rejection> for Failure {
    fn from(why: &Rejection) -> Failure {
        Failure::rejected(why)
    }
}

impl From<Refusal> for Failure {
    fn from(why: Refusal) -> Failure {
        Failure::refused(why)
    }
}
