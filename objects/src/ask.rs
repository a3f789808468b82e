//! One signed request, repeated where a repetition may help: all of them have the same effect twice
//! as once.

use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes};
use hyper::header::HeaderMap;
use rusty_s3::Method;

use crate::store::Store;
use crate::wire::Answer;
use crate::{Error, Result};

/// How long something may take, and how often it is tried.
#[derive(Clone, Copy, Debug)]
pub struct Pacing {
    /// Without progress between them.
    pub attempts: u32,
    /// Before the second attempt; it doubles from there.
    pub pause: Duration,
    /// For the head of an answer: a part is sent within it.
    pub answer: Duration,
    /// For the next bytes of a body.
    pub silence: Duration,
    /// A larger file goes in parts of this size.
    pub part: u64,
}

impl Default for Pacing {
    fn default() -> Pacing {
        Pacing {
            attempts: 6,
            pause: Duration::from_millis(500),
            answer: Duration::from_secs(600),
            silence: Duration::from_secs(60),
            part: 64 << 20,
        }
    }
}

/// A signed URL is valid from the beginning of an attempt to the beginning of its answer.
pub const VALID: Duration = Duration::from_secs(900);
/// Of a body that is no object: a page of a list is the largest.
const TEXT_BYTES: usize = 8 << 20;
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A request. Each attempt signs it again.
pub struct Ask<'a> {
    /// For people: without a URL.
    pub what: String,
    pub method: Method,
    pub sign: &'a (dyn Fn() -> String + Sync),
    pub headers: &'a [(&'static str, String)],
    pub body: Bytes,
}

/// A complete answer of a store.
pub struct Said {
    pub headers: HeaderMap,
    pub body: Bytes,
}

pub enum Failure {
    Final(Error),
    Again(String),
}

impl Store {
    /// Answered with success, with the body of the answer.
    pub(crate) async fn ask(&self, ask: &Ask<'_>) -> Result<Said> {
        let mut tries = Tries::new(&self.pacing);
        loop {
            let attempt = async {
                let answer = self.attempt(ask).await?;
                let (head, body) = answer.response.into_parts();
                let body = within(self.pacing.answer, Limited::new(body, TEXT_BYTES).collect()).await?;
                Ok::<_, Failure>(Said { headers: head.headers, body: body.to_bytes() })
            };
            match attempt.await {
                Ok(said) => return Ok(said),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Again(why)) => tries.pause(&ask.what, why).await?,
            }
        }
    }

    /// Once, with the head of a successful answer.
    pub(crate) async fn attempt(&self, ask: &Ask<'_>) -> std::result::Result<Answer, Failure> {
        let url = (ask.sign)();
        let sent = self.wire.send(ask.method.to_str(), &url, ask.headers, ask.body.clone(), self.pacing.answer);
        let answer = sent.await.map_err(Failure::Again)?;
        let status = answer.response.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = within(self.pacing.silence, Limited::new(answer.response.into_body(), TEXT_BYTES).collect()).await;
        let text = text.map(|text| String::from_utf8_lossy(&text.to_bytes()).into_owned()).unwrap_or_default();
        let code = code(&text).unwrap_or_default();
        if status.is_server_error() || matches!(status.as_u16(), 408 | 429) {
            return Err(Failure::Again(format!("the store answers with status {} {code}", status.as_u16())));
        }
        Err(Failure::Final(Error::Refused { what: ask.what.clone(), status: status.as_u16(), code }))
    }
}

/// The rest of a body, which must not take longer.
pub async fn within<T, E: std::fmt::Display>(
    limit: Duration,
    work: impl Future<Output = std::result::Result<T, E>>,
) -> std::result::Result<T, Failure> {
    match tokio::time::timeout(limit, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Failure::Again(format!("the answer broke off: {error}"))),
        Err(_) => Err(Failure::Again(format!("the answer stopped for {limit:?}"))),
    }
}

/// The next bytes of a body; `None` at its end.
pub async fn next<B>(body: &mut B, silence: Duration) -> std::result::Result<Option<Bytes>, Failure>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    loop {
        let frame = async { body.frame().await.transpose() };
        match within(silence, frame).await? {
            None => return Ok(None),
            // Trailers are no content.
            Some(frame) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

/// Attempts without progress.
pub struct Tries {
    attempts: u32,
    most: u32,
    first: Duration,
    pause: Duration,
}

impl Tries {
    pub fn new(pacing: &Pacing) -> Tries {
        Tries { attempts: 0, most: pacing.attempts, first: pacing.pause, pause: pacing.pause }
    }

    /// There was progress: the count begins again.
    pub fn progress(&mut self) {
        (self.attempts, self.pause) = (0, self.first);
    }

    /// Waits before the next attempt, or fails after the last one.
    pub async fn pause(&mut self, what: &str, why: String) -> Result<()> {
        self.attempts += 1;
        if self.attempts >= self.most {
            return Err(Error::Later { what: what.to_owned(), why, attempts: self.attempts });
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

/// The code within an error of S3. A stranger may answer, so it is a word and nothing else.
pub fn code(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let is_word = code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    is_word.then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_word() {
        let text =
            |code: &str| format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>m</Message></Error>");
        assert_eq!(code(&text("AccessDenied")).as_deref(), Some("AccessDenied"));
        for other in ["a b", "\u{1b}[2J", &"a".repeat(65), "<b>"] {
            assert_eq!(code(&text(other)), None, "{other}");
        }
        assert_eq!(code("not found"), None);
    }
}
