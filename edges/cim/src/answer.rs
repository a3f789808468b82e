//! Answers of CIM's HTTP API: an envelope with a status of four digits.
//!
//! CIM answers most failures with HTTP 200, and its client looks at one status only: the receiver
//! is offline. A message that was not placed is therefore also an HTTP error, which the client
//! reports.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use serde::Serialize;
use troupe_actors::message::Refusal;

/// CIM's statuses, as far as this edge answers with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Success,
    InvalidArgument,
    Failure,
    RepeatedLogin,
    RequestLimit,
    Offline,
    NotAvailable,
    NoSuchAccount,
    NotFetched,
}

impl Status {
    pub fn code(self) -> &'static str {
        match self {
            Status::Success => "9000",
            Status::InvalidArgument => "3000",
            Status::Failure => "4000",
            Status::RepeatedLogin => "5000",
            Status::RequestLimit => "6000",
            Status::Offline => "7000",
            Status::NotAvailable => "7100",
            Status::NoSuchAccount => "9100",
            Status::NotFetched => "9201",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Status::Success => "Success",
            Status::InvalidArgument => "an argument is missing or wrong",
            Status::Failure => "the request failed: try again",
            Status::RepeatedLogin => "this account is logged in already: log it out first",
            Status::RequestLimit => "too many requests: try again later",
            Status::Offline => "the receiver is offline: it gets the message when it logs in",
            Status::NotAvailable => "this server takes no requests now: try again",
            Status::NoSuchAccount => "no account has this id and this name: register it first",
            Status::NotFetched => "messages were not fetched: they come with the next login",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub http: StatusCode,
    pub retry_after: Option<Duration>,
    pub body: Bytes,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a, T> {
    code: &'static str,
    message: &'a str,
    req_no: Option<&'a str>,
    data_body: Option<T>,
}

impl Answer {
    pub fn ok() -> Answer {
        Answer::status(Status::Success)
    }

    pub fn with(body: impl Serialize) -> Answer {
        Answer::made(StatusCode::OK, Status::Success, Status::Success.text(), Some(body))
    }

    /// As CIM: HTTP 200 with another status.
    pub fn status(status: Status) -> Answer {
        Answer::made(StatusCode::OK, status, status.text(), None::<()>)
    }

    pub fn error(http: StatusCode, status: Status, text: impl Into<Cow<'static, str>>) -> Answer {
        Answer::made(http, status, &text.into(), None::<()>)
    }

    fn made(http: StatusCode, status: Status, text: &str, data_body: Option<impl Serialize>) -> Answer {
        let envelope = Envelope { code: status.code(), message: text, req_no: None, data_body };
        // Texts and numbers are always JSON.
        let body = serde_json::to_vec(&envelope).unwrap_or_default();
        Answer { http, retry_after: None, body: body.into() }
    }

    pub fn invalid(text: impl Into<Cow<'static, str>>) -> Answer {
        Answer::error(StatusCode::BAD_REQUEST, Status::InvalidArgument, text)
    }

    /// The user of this request has no login from this address.
    pub fn not_logged_in() -> Answer {
        let text = "this user is not logged in from this address: POST /login first";
        Answer::error(StatusCode::FORBIDDEN, Status::NoSuchAccount, text)
    }

    pub fn limited(after: Duration) -> Answer {
        let status = Status::RequestLimit;
        let answer = Answer::error(StatusCode::TOO_MANY_REQUESTS, status, status.text());
        Answer { retry_after: Some(after), ..answer }
    }

    /// An operation was refused.
    pub fn refused(refusal: &Refusal) -> Answer {
        let later = |after_ms: u32, text: &'static str| Answer {
            retry_after: Some(Duration::from_millis(after_ms.into())),
            ..Answer::error(StatusCode::SERVICE_UNAVAILABLE, Status::NotAvailable, text)
        };
        match refusal {
            Refusal::Rejected { text, .. } => Answer::invalid(text.clone()),
            Refusal::Limited { after_ms, .. } => Answer::limited(Duration::from_millis((*after_ms).into())),
            Refusal::Overloaded { after_ms } => later(*after_ms, Status::NotAvailable.text()),
            Refusal::NotOwner { .. } => later(1_000, Status::NotAvailable.text()),
            Refusal::StorageLow => later(30_000, "disks are almost full, and nothing was done: tell the operator"),
            Refusal::Unavailable => {
                let text = "the outcome is unknown: the request may have been carried out";
                Answer::error(StatusCode::SERVICE_UNAVAILABLE, Status::Failure, text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes_have_these_bytes() {
        assert_eq!(Answer::ok().body, r#"{"code":"9000","message":"Success","reqNo":null,"dataBody":null}"#);
        #[derive(Serialize)]
        struct Body {
            msg: &'static str,
        }
        assert_eq!(
            Answer::with(Body { msg: "OK" }).body,
            r#"{"code":"9000","message":"Success","reqNo":null,"dataBody":{"msg":"OK"}}"#
        );
        let offline = Answer::status(Status::Offline);
        assert_eq!(offline.http, StatusCode::OK, "the client looks at the code");
        assert!(offline.body.starts_with(br#"{"code":"7000","message":""#));
    }

    /// CIM's client takes every status but 7000 for success, so a message that was not placed is an
    /// error of HTTP.
    #[test]
    fn a_refused_operation_is_never_a_success_for_the_client() {
        let refusals = [
            Refusal::rejected("too_large", "a message has at most 65536 bytes"),
            Refusal::Limited { limit: troupe_proto::client::Limit::Rate, after_ms: 1_500 },
            Refusal::OVERLOADED,
            Refusal::NotOwner { hint: None },
            Refusal::StorageLow,
            Refusal::Unavailable,
        ];
        for refusal in refusals {
            let answer = Answer::refused(&refusal);
            assert!(!answer.http.is_success() && answer.http != StatusCode::INTERNAL_SERVER_ERROR, "{refusal:?}");
        }
    }
}
