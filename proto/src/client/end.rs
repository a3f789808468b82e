//! Why a connection ends: the last frame that the server sends on it.

use std::fmt;

use troupe_core::effect::Ending;

use crate::wire::client::Kicked;

/// Why the server ends a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Its session ended.
    Session(Ending),
    /// The same session has resumed on a newer connection.
    Moved,
    /// Too many bytes waited for the client.
    SlowConsumer,
    /// No login came in time.
    NoLogin,
    /// The node stops.
    ShuttingDown,
    /// Nothing was received from the client for too long.
    Idle,
    /// A code that a later version sends.
    Later(String),
}

impl EndReason {
    /// All that this version knows, in the order of docs/protocol.md.
    pub fn known() -> impl Iterator<Item = EndReason> {
        let of_connections =
            [EndReason::Moved, EndReason::SlowConsumer, EndReason::Idle, EndReason::NoLogin, EndReason::ShuttingDown];
        Ending::ALL.into_iter().map(EndReason::Session).chain(of_connections)
    }

    /// A code of a later version is kept, so that a node passes it on unchanged.
    pub fn of_code(code: &str) -> EndReason {
        EndReason::known().find(|reason| reason.code() == code).unwrap_or_else(|| EndReason::Later(code.to_owned()))
    }

    /// Stable, for programs.
    pub fn code(&self) -> &str {
        match self {
            EndReason::Session(ending) => ending.code(),
            EndReason::Moved => "moved",
            EndReason::SlowConsumer => "slow_consumer",
            EndReason::NoLogin => "no_login",
            EndReason::ShuttingDown => "shutting_down",
            EndReason::Idle => "idle",
            EndReason::Later(code) => code,
        }
    }

    /// A sentence for people: the cause and the next step.
    pub fn text(&self) -> &'static str {
        match self {
            EndReason::Session(Ending::Replaced) => "this device has logged in again elsewhere",
            EndReason::Session(Ending::TooManySessions) => {
                "you have logged in on too many devices, and this session was the oldest: log in again"
            }
            EndReason::Session(Ending::LoggedOut) => "you have logged out",
            EndReason::Session(Ending::Revoked) => {
                "this session was ended from another device or by an administrator: log in again"
            }
            EndReason::Session(Ending::PasswordChanged) => "the password was changed: log in with the new one",
            EndReason::Session(Ending::PasswordReset) => {
                "an administrator has reset the password: log in with the one-time password"
            }
            EndReason::Session(Ending::Disabled) => "this account was disabled: ask an administrator",
            EndReason::Session(Ending::Deleted) => "this account was deleted",
            EndReason::Session(Ending::Expired) => "this session was not used for too long: log in again",
            EndReason::Moved => "this session goes on over a newer connection",
            EndReason::SlowConsumer => "this connection did not read fast enough: connect again and resume",
            EndReason::NoLogin => "no login came in time: connect again to log in",
            EndReason::ShuttingDown => "this node stops: connect to another one and resume",
            EndReason::Idle => "nothing was heard from this connection: connect again and resume",
            EndReason::Later(_) => "the connection ends: connect again",
        }
    }

    /// Whether only the connection ends: the client connects again and resumes its session. A code
    /// of a later version ends the session, because a client that resumes in vain would do so
    /// forever.
    pub fn session_continues(&self) -> bool {
        match self {
            EndReason::Moved
            | EndReason::SlowConsumer
            | EndReason::NoLogin
            | EndReason::ShuttingDown
            | EndReason::Idle => true,
            EndReason::Session(_) | EndReason::Later(_) => false,
        }
    }
}

impl From<Ending> for EndReason {
    fn from(ending: Ending) -> EndReason {
        EndReason::Session(ending)
    }
}

impl From<&EndReason> for Kicked {
    fn from(reason: &EndReason) -> Kicked {
        Kicked { code: reason.code().to_owned(), text: reason.text().to_owned() }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_reason_is_found_by_its_code() {
        for reason in EndReason::known() {
            assert_eq!(EndReason::of_code(reason.code()), reason);
        }
        assert_eq!(EndReason::known().map(|reason| reason.code().to_owned()).collect::<BTreeSet<_>>().len(), 14);
    }

    #[test]
    fn a_code_of_a_later_version_is_passed_on_and_ends_the_session() {
        let later = EndReason::of_code("too_loud");
        assert_eq!((later.code(), later.session_continues()), ("too_loud", false));
    }

    #[test]
    fn every_reason_is_documented() {
        let protocol = include_str!("../../../docs/protocol.md");
        for reason in EndReason::known() {
            assert!(protocol.contains(&format!("| `{}` |", reason.code())), "{reason} is not in docs/protocol.md");
        }
    }
}
