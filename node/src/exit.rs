//! The ways in which a command ends: its exit code, and the code that an error carries for
//! `troupe explain`.

use std::io::ErrorKind;

use serde_json::Value;
use troupe_raft::transport::port::dial::{DialError, Why};

use crate::config::ConfigError;

/// The exit codes of `troupe`; docs/errors.md lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done,
    Failed,
    /// The parser of the command line ends the process itself.
    Usage,
    NoAnswer,
    Unwell,
}

impl Exit {
    pub const ALL: [Exit; 5] = [Exit::Done, Exit::Failed, Exit::Usage, Exit::NoAnswer, Exit::Unwell];

    pub fn number(self) -> i32 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::NoAnswer => 3,
            Exit::Unwell => 4,
        }
    }

    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "done; of an order with `--no-wait`: given",
            Exit::Failed => "failed or refused: standard error says why",
            Exit::Usage => "the command line is wrong: nothing was done",
            Exit::NoAnswer => "no node answers, or none that has its place in a cluster; an order may have been given",
            Exit::Unwell => "`troupe doctor` has at least one finding of the level fail",
        }
    }
}

/// An error with a code of [`crate::catalogue`].
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Coded {
    pub code: &'static str,
    text: String,
}

pub fn coded(code: &'static str, text: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Coded { code, text: text.into() })
}

/// The error of an order that a node answers with this status.
pub fn refused(status: u16, answer: &Value) -> anyhow::Error {
    let code = match status {
        401 => "operator_key",
        403 | 421 => "wrong_host",
        _ => "order_refused",
    };
    coded(code, answer["error"].as_str().unwrap_or("the order was refused"))
}

/// The code of an error, if it has one, and the exit code of the command.
pub fn judge(error: &anyhow::Error) -> (Option<String>, Exit) {
    if let Some(Coded { code, .. }) = error.downcast_ref::<Coded>() {
        let silent = matches!(*code, "no_answer" | "node_starts");
        return (Some((*code).to_owned()), if silent { Exit::NoAnswer } else { Exit::Failed });
    }
    if error.downcast_ref::<ConfigError>().is_some() {
        return (Some("config_invalid".to_owned()), Exit::Failed);
    }
    if let Some(failed) = error.downcast_ref::<troupe_client::Error>() {
        return match failed {
            troupe_client::Error::Unavailable(_) => no_answer(),
            _ => (failed.code().map(str::to_owned), Exit::Failed),
        };
    }
    if let Some(failed) = error.downcast_ref::<troupe_objects::Error>() {
        return match failed {
            troupe_objects::Error::Refused { .. } => (Some("store_refused".to_owned()), Exit::Failed),
            troupe_objects::Error::Later { .. } => (Some("store_silent".to_owned()), Exit::Failed),
            troupe_objects::Error::Wrong(_) | troupe_objects::Error::File { .. } => (None, Exit::Failed),
        };
    }
    if let Some(dial) = error.downcast_ref::<DialError>() {
        return match dial.why {
            Why::Unreachable(_) | Why::Timeout | Why::Closed(_) => no_answer(),
            Why::NotReady | Why::Busy => (Some("node_starts".to_owned()), Exit::NoAnswer),
            Why::BadToken => (Some("peer_token".to_owned()), Exit::Failed),
            Why::WithoutTls | Why::ExpectsTls => (Some("peer_tls".to_owned()), Exit::Failed),
            _ => (None, Exit::Failed),
        };
    }
    match error.chain().find_map(of_system) {
        Some("no_answer") => no_answer(),
        code => (code.map(str::to_owned), Exit::Failed),
    }
}

fn no_answer() -> (Option<String>, Exit) {
    (Some("no_answer".to_owned()), Exit::NoAnswer)
}

fn of_system(cause: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    if cause.is::<tokio::time::error::Elapsed>() {
        return Some("no_answer");
    }
    match cause.downcast_ref::<std::io::Error>()?.kind() {
        ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::TimedOut => Some("no_answer"),
        ErrorKind::AddrInUse => Some("port_taken"),
        ErrorKind::AddrNotAvailable => Some("address_foreign"),
        _ => None,
    }
}

/// The last line of a command that failed. An error of the client library names its code itself.
pub fn line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    match judge(error).0 {
        Some(code) if !text.contains(&format!("({code})")) => format!("error: {text} ({code})"),
        _ => format!("error: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;
    use serde_json::json;

    use super::*;
    use crate::catalogue;

    fn io(kind: ErrorKind) -> anyhow::Error {
        anyhow::Error::new(std::io::Error::from(kind)).context("nothing answers at a:1")
    }

    #[test]
    fn an_error_has_its_code_through_all_contexts() {
        let wrong = || anyhow::Error::new(ConfigError("cluster.join: no".into())).context("not started");
        for (error, code, exit) in [
            (io(ErrorKind::ConnectionRefused), Some("no_answer"), Exit::NoAnswer),
            (io(ErrorKind::AddrInUse).context("cannot listen"), Some("port_taken"), Exit::Failed),
            (io(ErrorKind::NotFound), None, Exit::Failed),
            (wrong(), Some("config_invalid"), Exit::Failed),
            (
                coded("node_starts", "it starts").context("none of a:1, b:1 answers"),
                Some("node_starts"),
                Exit::NoAnswer,
            ),
            (refused(401, &json!({ "error": "no key" })), Some("operator_key"), Exit::Failed),
            (refused(409, &json!({})), Some("order_refused"), Exit::Failed),
            (
                troupe_objects::Error::Refused { what: "get a".into(), status: 403, code: "AccessDenied".into() }
                    .into(),
                Some("store_refused"),
                Exit::Failed,
            ),
            (anyhow::anyhow!("anything else"), None, Exit::Failed),
            (troupe_client::Error::closed().into(), Some("no_answer"), Exit::NoAnswer),
        ] {
            let judged = judge(&error);
            assert_eq!((judged.0.as_deref(), judged.1), (code, exit), "{error:#}");
            if let Some(code) = code {
                assert!(catalogue::find(code).is_some(), "{code} has no entry");
                assert!(line(&error).ends_with(&format!("({code})")), "{}", line(&error));
            }
        }
    }

    #[tokio::test]
    async fn a_limit_that_is_reached_is_no_answer() {
        let late = tokio::time::timeout(std::time::Duration::ZERO, std::future::pending::<()>()).await;
        let error = late.context("no answer within 1s").expect_err("late");
        assert_eq!(judge(&error).1, Exit::NoAnswer);
    }

    #[test]
    fn numbers_are_different_and_stay() {
        assert_eq!(Exit::ALL.map(Exit::number), [0, 1, 2, 3, 4]);
    }
}
