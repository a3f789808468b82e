//! The way to push services: one POST per push (RFC 8030).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use troupe_actors::push::{Push, Pushed, Pushing};
use troupe_core::limits;
use troupe_core::record::PushKey;
use troupe_runtime::net::BoxFuture;

use super::way::{Target, Way};
use super::{PushConfig, webpush};
use crate::ids::Id;

/// For the lookup, the connection and the answer together.
const WITHIN: Duration = Duration::from_secs(5);
const ANSWER_BYTES: usize = 4 * 1024;
/// Bytes of a topic: it has at most 32 characters.
const TOPIC_BYTES: usize = 24;

#[derive(Clone)]
pub struct PushServices {
    way: Way,
    config: PushConfig,
    /// Whether endpoints may be private, and without TLS.
    private: bool,
}

impl std::fmt::Debug for PushServices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PushServices").field("config", &self.config).finish_non_exhaustive()
    }
}

impl PushServices {
    pub fn new(way: Way, config: PushConfig, private: bool) -> PushServices {
        PushServices { way, config, private }
    }

    async fn attempt(&self, push: Push) -> Pushed {
        let failed = |why: &str| Pushed::Failed(why.to_owned());
        let subscription = &push.subscription;
        let Some(target) = Target::of(&subscription.endpoint) else { return failed("the endpoint is not valid") };
        let scheme = if target.tls { "https" } else { "http" };
        let audience = format!("{scheme}://{}", target.authority());
        let seconds = push.now.0 / 1_000;
        let Some(proof) = webpush::authorization(&push.key, &audience, &self.config.subject, seconds) else {
            return failed("the key of the cluster cannot be read");
        };
        let content = serde_json::to_vec(&Shown::of(&push)).ok();
        let keys = decode(&subscription.p256dh).zip(decode(&subscription.auth));
        let body = content.zip(keys).and_then(|(content, (key, auth))| webpush::encrypt(&key, &auth, &content));
        let Some(body) = body else { return failed("the keys of the subscription are none") };
        let conversation = push.notice.conversation.to_string();
        let topic = URL_SAFE_NO_PAD.encode(&Sha256::digest(conversation.as_bytes())[..TOPIC_BYTES]);
        let headers = [
            ("authorization", proof),
            ("content-encoding", "aes128gcm".to_owned()),
            ("content-type", "application/octet-stream".to_owned()),
            ("ttl", limits::PUSH_TTL_SECONDS.to_string()),
            // A newer push of a conversation replaces one that is not delivered.
            ("topic", topic),
            ("urgency", "normal".to_owned()),
        ];
        match timeout(WITHIN, self.way.post(&subscription.endpoint, headers, body, ANSWER_BYTES)).await {
            Ok(Ok(said)) => judged(said.status),
            Ok(Err(why)) => Pushed::Later(why),
            Err(_) => Pushed::Later("no answer within 5 seconds".to_owned()),
        }
    }
}

fn judged(status: u16) -> Pushed {
    match status {
        200..300 => Pushed::Taken,
        404 | 410 => Pushed::Gone,
        429 | 500.. => Pushed::Later(format!("the service answers {status}")),
        _ => Pushed::Failed(format!("the service answers {status}")),
    }
}

/// Browsers give keys without padding; some libraries add it.
fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

/// The content of a push.
#[derive(Serialize)]
struct Shown<'a> {
    conversation: String,
    sender: Id,
    seq: u64,
    /// Of the body; 1 is text.
    kind: u32,
    #[serde(skip_serializing_if = "str::is_empty")]
    preview: &'a str,
}

impl Shown<'_> {
    fn of(push: &Push) -> Shown<'_> {
        let notice = &push.notice;
        Shown {
            conversation: notice.conversation.to_string(),
            sender: Id(notice.sender.0),
            seq: notice.seq.0,
            kind: notice.kind,
            preview: &notice.preview,
        }
    }
}

impl Pushing for PushServices {
    fn previews(&self) -> bool {
        self.config.preview
    }

    fn permits(&self, endpoint: &str) -> bool {
        Target::of(endpoint).is_some_and(|target| self.private || (target.tls && target.is_public()))
    }

    fn reads(&self, p256dh: &str, auth: &str) -> bool {
        decode(p256dh).zip(decode(auth)).is_some_and(|(key, auth)| webpush::reads(&key, &auth))
    }

    fn fresh_key(&self) -> Option<PushKey> {
        webpush::fresh_key()
    }

    fn push(&self, push: Push) -> BoxFuture<'static, Pushed> {
        let services = self.clone();
        Box::pin(async move { services.attempt(push).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_a_service_decides_about_the_push() {
        assert_eq!(judged(201), Pushed::Taken);
        assert_eq!((judged(404), judged(410)), (Pushed::Gone, Pushed::Gone));
        assert!(matches!((judged(429), judged(503)), (Pushed::Later(_), Pushed::Later(_))));
        assert!(matches!((judged(400), judged(302)), (Pushed::Failed(_), Pushed::Failed(_))));
    }
}
