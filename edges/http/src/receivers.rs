//! The way from a node to the receivers of hooks: one POST per event, or per question. Push
//! services are reached the same way.
//!
//! A hook is a URL that any admin of any group chooses, so it must not reach what only the node
//! reaches. Its address is checked when the hook is made, if it is one, and at each connection
//! behind the lookup of its name: the connection goes to the address that was checked. Redirects
//! are answers like any other. Time and the size of the answer are bounded.

mod asks;
mod places;
mod pushing;
mod way;
pub mod webpush;

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::time::timeout;
use troupe_actors::hooks::{Delivery, Heard, Patience, Question, Receivers, Verdict, signature};
use troupe_actors::message::wire;
use troupe_actors::push::Pushing;
use troupe_core::Timestamp;
use troupe_runtime::net::{BoxFuture, Net};

use self::asks::Asks;
use self::places::Places;
use self::pushing::PushServices;
use self::way::{Target, Way};
use crate::routes::event::Event;

/// For the lookup, the connection and the answer together.
const WITHIN: Duration = Duration::from_secs(10);
/// Of an answer that is read. Above it the rest is dropped: the status is enough.
const ANSWER_BYTES: usize = 16 * 1024;

/// The operator's settings.
#[derive(Clone, Debug, Default)]
pub struct ReceiversConfig {
    /// Whether hooks may reach loopback, private and link-local addresses: for tests, and for
    /// receivers inside of the operator's network.
    pub private: bool,
    pub patience: Patience,
    pub push: PushConfig,
}

/// Of Web Push.
#[derive(Clone, Debug, Default)]
pub struct PushConfig {
    /// The operator, for push services: `mailto:` or `https:`. Empty: no push is sent.
    pub subject: String,
    /// Whether a push shows the first characters of a message.
    pub preview: bool,
}

/// Receivers over HTTP/1.1, with TLS for `https`.
pub struct HttpReceivers {
    config: ReceiversConfig,
    way: Way,
    places: Arc<Places>,
    asks: Arc<Asks>,
}

impl std::fmt::Debug for HttpReceivers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpReceivers").field("config", &self.config).finish_non_exhaustive()
    }
}

impl HttpReceivers {
    /// `authorities`: a file of certificates in PEM.
    pub fn new(net: Arc<dyn Net>, config: ReceiversConfig, authorities: &Path) -> Arc<HttpReceivers> {
        let way = Way::new(net, config.private, authorities);
        Arc::new(HttpReceivers { config, way, places: Places::new(), asks: Asks::new() })
    }
}

impl Receivers for HttpReceivers {
    fn permits(&self, url: &str) -> bool {
        Target::of(url).is_some_and(|target| self.config.private || target.is_public())
    }

    fn deliver(&self, delivery: Delivery) -> BoxFuture<'static, Heard> {
        let (way, places) = (self.way.clone(), self.places.clone());
        Box::pin(async move {
            let Some(_place) = places.take(delivery.by).await else {
                return Heard::Not { status: 0, why: "too many deliveries wait at this node".to_owned() };
            };
            match timeout(WITHIN, attempt(&way, delivery)).await {
                Ok(Ok(status)) if (200..300).contains(&status) => Heard::Taken,
                Ok(Ok(status)) => Heard::Not { status: status.into(), why: "the answer is no success".to_owned() },
                Ok(Err(why)) => Heard::Not { status: 0, why },
                Err(_) => Heard::Not { status: 0, why: "no answer within 10 seconds".to_owned() },
            }
        })
    }

    fn ask(&self, question: Question) -> BoxFuture<'static, Verdict> {
        asks::ask(self.way.clone(), self.asks.clone(), question)
    }

    fn pushing(&self) -> Option<Arc<dyn Pushing>> {
        let config = self.config.push.clone();
        let services = || PushServices::new(self.way.clone(), config.clone(), self.config.private);
        (!config.subject.is_empty()).then(|| Arc::new(services()) as Arc<dyn Pushing>)
    }

    fn patience(&self) -> Patience {
        self.config.patience
    }
}

/// The body of a delivery.
#[derive(Serialize)]
struct Posted<'a> {
    hook: &'a str,
    conversation: String,
    event: Event,
}

async fn attempt(way: &Way, delivery: Delivery) -> Result<u16, String> {
    let hook = delivery.hook_name();
    let event = Event::from(wire::Event::from(&delivery.event));
    let conversation = delivery.conversation.to_string();
    let body = serde_json::to_vec(&Posted { hook: &hook, conversation, event }).map_err(|error| error.to_string())?;
    let mut headers = signed(&hook, &delivery.key, delivery.now, &body);
    headers.push(("troupe-seq", delivery.event.seq.to_string()));
    headers.push(("troupe-attempt", delivery.attempt.to_string()));
    Ok(way.post(&delivery.url, headers, body, ANSWER_BYTES).await?.status)
}

/// The headers of each request to a receiver.
fn signed(hook: &str, key: &str, now: Timestamp, body: &[u8]) -> Vec<(&'static str, String)> {
    let time = now.0 / 1_000;
    let signature = signature(key, time, body).iter().fold(String::from("v1="), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    });
    vec![
        ("content-type", "application/json".to_owned()),
        ("troupe-hook", hook.to_owned()),
        ("troupe-timestamp", time.to_string()),
        ("troupe-signature", signature),
    ]
}

#[cfg(test)]
mod tests {
    use troupe_runtime::net::TcpNet;

    use super::*;

    #[tokio::test]
    async fn a_hook_has_a_public_url_also_behind_the_lookup_of_its_name() {
        let (net, nothing) = (Arc::new(TcpNet), Path::new("/dev/null"));
        let guarded = HttpReceivers::new(net.clone(), ReceiversConfig::default(), nothing);
        for wrong in [
            "",
            "a.example",
            "ftp://a.example/",
            "http://",
            "http://localhost/",
            "http://a.localhost:80/",
            "http://127.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:7f00:1]:80/",
            "https://10.0.0.1/x",
            "http://user@a.example/",
            "http://a.example/#x",
            "http://169.254.169.254/latest/meta-data",
        ] {
            assert!(!guarded.permits(wrong), "{wrong}");
        }
        for right in ["https://a.example/hook?x=1", "http://a.example:8080/", "https://93.184.215.14/"] {
            assert!(guarded.permits(right), "{right}");
        }
        let private = HttpReceivers::new(net, ReceiversConfig { private: true, ..Default::default() }, nothing);
        assert!(private.permits("http://127.0.0.1:9/"));
    }
}
