//! Web Push to a push service on this machine: its content as the browser reads it, and the proof
//! of the sender.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::signature::{self, ECDSA_P256_SHA256_FIXED};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use troupe_edge_http::{HttpReceivers, PushConfig, ReceiversConfig};
use troupe_runtime::net::TcpNet;

use crate::harness::{Node, one_node_with_hooks};
use crate::hooks::{Got, Receiver};
use crate::http::Http;

const SUBJECT: &str = "mailto:admin@a.example";

async fn node(private: bool, preview: bool) -> Node {
    let push = PushConfig { subject: SUBJECT.to_owned(), preview };
    let config = ReceiversConfig { private, push, ..ReceiversConfig::default() };
    one_node_with_hooks(HttpReceivers::new(Arc::new(TcpNet), config, Path::new("/dev/null"))).await
}

/// A browser with one subscription.
struct Browser {
    own: PrivateKey,
    auth: [u8; 16],
    service: Receiver,
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn part(prk: &Prk, info: &[&[u8]], length: usize) -> Vec<u8> {
    let mut out = vec![0; length];
    prk.expand(info, Length(length)).expect("a length").fill(&mut out).expect("the length");
    out
}

fn bytes(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

impl Browser {
    async fn open() -> Browser {
        let own = PrivateKey::generate(&ECDH_P256).expect("a key");
        Browser { own, auth: [7; 16], service: Receiver::listen().await }
    }

    fn point(&self) -> Vec<u8> {
        self.own.compute_public_key().expect("a point").as_ref().to_vec()
    }

    fn subscription(&self) -> Value {
        let keys = json!({ "p256dh": URL_SAFE_NO_PAD.encode(self.point()), "auth": URL_SAFE_NO_PAD.encode(self.auth) });
        json!({ "endpoint": self.service.url, "expirationTime": null, "keys": keys })
    }

    /// By the steps of RFC 8188 and RFC 8291, from the side of the receiver.
    fn read(&self, body: &[u8]) -> Value {
        let (salt, rest) = body.split_at(16);
        assert_eq!(rest[..5], [0, 0, 16, 0, 65], "a record of 4096 bytes, and a key of 65");
        let (sender, content) = rest[5..].split_at(65);
        let point = self.point();
        let material = agree(&self.own, UnparsedPublicKey::new(&ECDH_P256, sender), (), |secret| {
            let info = [b"WebPush: info\0".as_slice(), &point, sender];
            Ok(part(&Salt::new(HKDF_SHA256, &self.auth).extract(secret), &info, 32))
        });
        let prk = Salt::new(HKDF_SHA256, salt).extract(&material.expect("a shared secret"));
        let key = part(&prk, &[b"Content-Encoding: aes128gcm\0"], 16);
        let nonce: [u8; 12] = part(&prk, &[b"Content-Encoding: nonce\0"], 12).try_into().expect("12 bytes");
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).expect("a key"));
        let mut content = content.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let plain = key.open_in_place(nonce, Aad::empty(), &mut content).expect("sealed for this browser");
        let (last, plain) = plain.split_last().expect("a delimiter");
        assert_eq!(*last, 2, "the last record");
        serde_json::from_slice(plain).expect("JSON")
    }
}

/// Verifies the proof of the sender (RFC 8292).
fn verified(got: &Got, public: &str, audience: &str) {
    let proof = got.header("authorization").strip_prefix("vapid t=").expect("the scheme");
    let (token, key) = proof.split_once(", k=").expect("a key");
    assert_eq!(key, public);
    let (signed, proof) = token.rsplit_once('.').expect("a signature");
    let (header, claims) = signed.split_once('.').expect("two parts");
    let key = signature::UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes(public));
    key.verify(signed.as_bytes(), &bytes(proof)).expect("the signature of the key");
    let json = |part: &str| serde_json::from_slice::<Value>(&bytes(part)).expect("JSON");
    assert_eq!(json(header), json!({ "typ": "JWT", "alg": "ES256" }));
    let claims = json(claims);
    assert_eq!((&claims["aud"], &claims["sub"]), (&json!(audience), &json!(SUBJECT)));
    #[allow(clippy::disallowed_methods, reason = "it is outside of the node")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs();
    let expires = claims["exp"].as_u64().expect("a time");
    assert!((now..=now + 24 * 3_600).contains(&expires), "{expires}");
}

#[tokio::test]
async fn a_push_of_a_message_reaches_the_browser_that_alone_can_read_it() {
    let node = node(true, true).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let public = ann.get("/v1/push").await.good()["public_key"].as_str().expect("a key").to_owned();
    assert_eq!(bob.get("/v1/push").await.good()["public_key"], json!(public), "the cluster has one key");
    assert_eq!(bytes(&public).len(), 65);
    let mut browser = Browser::open().await;
    let subscribed = bob.post("/v1/push/subscriptions", browser.subscription()).await;
    assert_eq!(subscribed.status, 204);

    let direct = ann.direct(&bob);
    let long = "word ".repeat(40);
    let seq = ann.send(&direct, &long).await;
    let got = browser.service.next().await;
    let audience = browser.service.url.strip_suffix("/events?x=1").expect("a path");
    verified(&got, &public, audience);
    let headers = ["content-encoding", "ttl", "urgency"].map(|name| got.header(name));
    assert_eq!(headers, ["aes128gcm", "86400", "normal"]);
    let shown = browser.read(&got.body);
    assert_eq!((&shown["conversation"], &shown["seq"], &shown["kind"]), (&json!(direct), &json!(seq), &json!(1)));
    assert_eq!(shown["sender"], json!(ann.user));
    assert_eq!(shown["preview"].as_str().map(|text| text.chars().count()), Some(100));

    // A newer push of the conversation has the same topic, another one has another.
    let topic = got.header("topic").to_owned();
    assert_eq!(topic.len(), 32);
    ann.send(&direct, "again").await;
    assert_eq!(browser.service.next().await.header("topic"), topic);
    let group = ann.group("Team", &[bob.user.as_str()]).await;
    ann.send(&group, "hello").await;
    let got = browser.service.next().await;
    assert_ne!(got.header("topic"), topic);
    assert_eq!(browser.read(&got.body)["conversation"], json!(group));
    // The sender gets none of its own, and a muted conversation none at all.
    let muted = json!({ "muted_until_ms": 9_000_000_000_000_u64 });
    bob.patch(&format!("/v1/conversations/{group}/me"), muted).await.good();
    ann.send(&group, "unheard").await;
    bob.send(&direct, "own").await;
    ann.send(&direct, "heard").await;
    let next = browser.service.next().await;
    assert_eq!(browser.read(&next.body)["preview"], json!("heard"));
    node.stop().await;
}

#[tokio::test]
async fn a_subscription_ends_with_its_session_and_when_its_service_says_so() {
    let node = node(true, false).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let direct = ann.direct(&bob);
    let (mut gone, mut busy) = (Browser::open().await, Browser::open().await);
    gone.service.answers.lock().extend(["410 Gone"]);
    busy.service.answers.lock().extend(["429 Slow Down", "201 Created"]);
    for browser in [&gone, &busy] {
        assert_eq!(bob.post("/v1/push/subscriptions", browser.subscription()).await.status, 204);
    }
    ann.send(&direct, "one").await;
    let pushed = gone.service.next().await;
    assert_eq!(gone.read(&pushed.body).get("preview"), None, "the setting is off");
    // A busy service is tried again.
    busy.service.next().await;
    busy.service.next().await;
    ann.send(&direct, "two").await;
    busy.service.next().await;
    assert!(gone.service.is_quiet(), "the service has ended it");
    assert_eq!(bob.post("/v1/logout", json!({})).await.status / 100, 2);
    ann.send(&direct, "three").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(busy.service.is_quiet(), "the session has ended");

    let again = bob.logged_in("bob", "another").await;
    assert_eq!(again.post("/v1/push/subscriptions", busy.subscription()).await.status, 204);
    ann.send(&direct, "four").await;
    busy.service.next().await;
    let path = format!("/v1/push/subscriptions?endpoint={}", busy.service.url.replace('?', "%3F").replace('=', "%3D"));
    assert_eq!(again.delete(&path).await.status, 204);
    assert_eq!(again.delete(&path).await.status, 204, "it is over already");
    ann.send(&direct, "five").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(busy.service.is_quiet());
    node.stop().await;
}

#[tokio::test]
async fn a_connected_user_gets_no_push_and_wrong_subscriptions_are_refused() {
    let node = node(true, false).await;
    let (ann, bob) = (Http::user(&node, "ann").await, Http::user(&node, "bob").await);
    let mut browser = Browser::open().await;
    assert_eq!(bob.post("/v1/push/subscriptions", browser.subscription()).await.status, 204);
    let _connected = bob.stream("").await;
    ann.send(&ann.direct(&bob), "seen").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(browser.service.is_quiet());
    for (at, wrong) in [("endpoint", json!("ftp://x/")), ("endpoint", json!("x".repeat(2_000)))] {
        let mut subscription = browser.subscription();
        subscription[at] = wrong;
        assert_eq!(bob.post("/v1/push/subscriptions", subscription).await.code(422), "bad_push_endpoint");
    }
    for (at, wrong) in [("auth", "AA"), ("p256dh", "AA"), ("p256dh", "not base64!")] {
        let mut subscription = browser.subscription();
        subscription["keys"][at] = json!(wrong);
        assert_eq!(bob.post("/v1/push/subscriptions", subscription).await.code(422), "bad_push_keys");
    }
    for number in 1..20 {
        let mut subscription = browser.subscription();
        subscription["endpoint"] = json!(format!("http://127.0.0.1:9/{number}"));
        assert_eq!(bob.post("/v1/push/subscriptions", subscription).await.status, 204);
    }
    let mut subscription = browser.subscription();
    subscription["endpoint"] = json!("http://127.0.0.1:9/more");
    assert_eq!(bob.post("/v1/push/subscriptions", subscription).await.code(409), "too_many_subscriptions");
    node.stop().await;
}

#[tokio::test]
async fn endpoints_are_public_and_encrypted_and_a_node_without_the_setting_has_no_push() {
    let guarded = node(false, false).await;
    let ann = Http::user(&guarded, "ann").await;
    let browser = Browser::open().await;
    for endpoint in ["http://push.example/1", "https://127.0.0.1/1", "https://localhost/1", "https://[fc00::1]/"] {
        let mut subscription = browser.subscription();
        subscription["endpoint"] = json!(endpoint);
        let said = ann.post("/v1/push/subscriptions", subscription).await;
        assert_eq!(said.code(422), "bad_push_endpoint", "{endpoint}");
    }
    let mut subscription = browser.subscription();
    subscription["endpoint"] = json!("https://push.example/1");
    assert_eq!(ann.post("/v1/push/subscriptions", subscription.clone()).await.status, 204);
    guarded.stop().await;
    let without = crate::hooks::node().await;
    let ann = Http::user(&without, "ann").await;
    assert_eq!(ann.get("/v1/push").await.code(409), "push_off");
    assert_eq!(ann.post("/v1/push/subscriptions", subscription).await.code(409), "push_off");
    without.stop().await;
}
