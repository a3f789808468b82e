//! The way from a leader to the receivers of hooks. The node has the one over HTTP, and the
//! simulation has its own.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use troupe_core::{Body, ClientMessageId, ConversationId, Event, Seq, Timestamp, UserId, limits};
use troupe_runtime::net::BoxFuture;

use crate::push::Pushing;

/// Connects to receivers.
pub trait Receivers: Debug + Send + Sync {
    /// Whether a hook may have this URL.
    fn permits(&self, url: &str) -> bool;

    /// One attempt, in bounded time.
    fn deliver(&self, delivery: Delivery) -> BoxFuture<'static, Heard>;

    /// One question to a hook that is asked before a message, within [`limits::HOOK_ASK_MS`]. It
    /// never waits for another question.
    fn ask(&self, _: Question) -> BoxFuture<'static, Verdict> {
        Box::pin(async { Verdict::Silent("this node asks no hook".to_owned()) })
    }

    /// The way to push services. `None`: the operator has not set it up.
    fn pushing(&self) -> Option<Arc<dyn Pushing>> {
        None
    }

    fn patience(&self) -> Patience {
        Patience::default()
    }
}

/// One event for a receiver.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub conversation: ConversationId,
    pub hook: u64,
    /// The member that made it.
    pub by: UserId,
    pub url: String,
    /// The secret to sign with.
    pub key: String,
    pub event: Event,
    /// 1: the first.
    pub attempt: u32,
    pub now: Timestamp,
}

impl Delivery {
    /// The hook as its URL and the header have it.
    pub fn hook_name(&self) -> String {
        format!("{}.{}", self.conversation, self.hook)
    }
}

/// The outcome of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Taken,
    /// `status` zero: no answer.
    Not {
        status: u32,
        why: String,
    },
}

/// Whether something that a member says may have its place.
#[derive(Clone, Debug)]
pub struct Question {
    pub conversation: ConversationId,
    pub hook: u64,
    pub url: String,
    /// The secret to sign with.
    pub key: String,
    pub sender: UserId,
    /// Of the message or the edit. A piece has none.
    pub id: Option<ClientMessageId>,
    pub about: About,
    pub body: Body,
    pub now: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    Message,
    Edit { to: Seq },
    Piece { message: Seq, index: u64 },
    End { message: Seq },
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    /// With a reason for the sender, which may be empty.
    Refused(String),
    /// There was no answer, or none that is one.
    Silent(String),
    /// Too many questions are in flight.
    Busy,
}

/// How often, and at which pace, an event is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    pub attempts: u32,
    pub first: Duration,
    pub longest: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        let (first, longest) = (Duration::from_millis(500), Duration::from_secs(300));
        Patience { attempts: limits::HOOK_ATTEMPTS, first, longest }
    }
}

/// A node without a way to receivers: it permits no outgoing hook.
#[derive(Debug)]
struct NoReceivers;

impl Receivers for NoReceivers {
    fn permits(&self, _: &str) -> bool {
        false
    }

    fn deliver(&self, _: Delivery) -> BoxFuture<'static, Heard> {
        Box::pin(async { Heard::Not { status: 0, why: "this node delivers to no hook".to_owned() } })
    }
}

pub fn no_receivers() -> Arc<dyn Receivers> {
    Arc::new(NoReceivers)
}

const BLOCK: usize = 64;

/// HMAC-SHA256 (RFC 2104) over `time`, a dot and the body.
pub fn signature(key: &str, time: u64, body: &[u8]) -> [u8; 32] {
    let mut secret = [0u8; BLOCK];
    let bytes = key.as_bytes();
    let hashed: [u8; 32] = Sha256::digest(bytes).into();
    let bytes = if bytes.len() > BLOCK { &hashed[..] } else { bytes };
    secret.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    let pad = |with: u8| secret.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(format!("{time}.")).chain_update(body).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_an_hmac_over_time_and_body() {
        // python3: hmac.new(b"a secret of 16 b", b"1700000000.{}", "sha256").hexdigest()
        let shown: String =
            signature("a secret of 16 b", 1_700_000_000, b"{}").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(shown, "2f27fbe1cb68e829e409fed79b076ce2325d95a56c391a0e7416f015b2f0738e");
        assert_ne!(signature("another secret 1", 1, b"{}"), signature("a secret of 16 b", 1, b"{}"));
    }
}
