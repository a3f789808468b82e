//! Questions to hooks that are asked before a message: none waits for another one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use troupe_actors::hooks::{About, Question, Verdict};
use troupe_core::limits;
use troupe_core::record::HookKey;
use troupe_core::text::clean;
use troupe_runtime::net::BoxFuture;

use super::signed;
use super::way::Way;
use crate::ids::Id;
use crate::routes::bodies::MessageBody;

/// The questions of a node that are in flight.
pub struct Asks(Mutex<InFlight>);

#[derive(Default)]
struct InFlight {
    all: usize,
    of_hook: BTreeMap<HookKey, usize>,
}

/// Of one question, until it is dropped.
struct Place {
    asks: Arc<Asks>,
    hook: HookKey,
}

impl Asks {
    pub fn new() -> Arc<Asks> {
        Arc::new(Asks(Mutex::new(InFlight::default())))
    }

    fn enter(self: &Arc<Asks>, hook: HookKey) -> Option<Place> {
        let mut held = self.0.lock();
        let of_hook = held.of_hook.get(&hook).copied().unwrap_or(0);
        if held.all >= limits::HOOK_ASKS || of_hook >= limits::HOOK_ASKS_EACH {
            return None;
        }
        held.all += 1;
        held.of_hook.insert(hook, of_hook + 1);
        Some(Place { asks: self.clone(), hook })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.asks.0.lock();
        held.all = held.all.saturating_sub(1);
        if let Some(of_hook) = held.of_hook.get_mut(&self.hook) {
            *of_hook = of_hook.saturating_sub(1);
            if *of_hook == 0 {
                held.of_hook.remove(&self.hook);
            }
        }
    }
}

pub fn ask(way: Way, asks: Arc<Asks>, question: Question) -> BoxFuture<'static, Verdict> {
    Box::pin(async move {
        let Some(_place) = asks.enter((question.conversation, question.hook)) else { return Verdict::Busy };
        match timeout(Duration::from_millis(limits::HOOK_ASK_MS), attempt(&way, question)).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(why)) => Verdict::Silent(why),
            Err(_) => Verdict::Silent("no answer in time".to_owned()),
        }
    })
}

/// The body of a question.
#[derive(Serialize)]
struct Asked<'a> {
    hook: &'a str,
    conversation: String,
    ask: Ask,
}

#[derive(Serialize)]
struct Ask {
    /// `message`, `edit`, `piece` or `end`.
    kind: &'static str,
    sender: Id,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_message_id: Option<String>,
    /// Of the message that is edited, or that grows.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<u64>,
    /// Of a piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    body: MessageBody,
}

/// An answer. Later versions may have more fields.
#[derive(Deserialize)]
struct Answer {
    allow: bool,
    #[serde(default)]
    reason: Option<String>,
}

async fn attempt(way: &Way, question: Question) -> Result<Verdict, String> {
    let hook = format!("{}.{}", question.conversation, question.hook);
    let (kind, to, index) = match question.about {
        About::Message => ("message", None, None),
        About::Edit { to } => ("edit", Some(to.0), None),
        About::Piece { message, index } => ("piece", Some(message.0), Some(index)),
        About::End { message } => ("end", Some(message.0), None),
    };
    let client_message_id = question.id.map(|id| id.to_string());
    let body = MessageBody::from(&question.body);
    let ask = Ask { kind, sender: Id(question.sender.0), client_message_id, to, index, body };
    let asked = Asked { hook: &hook, conversation: question.conversation.to_string(), ask };
    let body = serde_json::to_vec(&asked).map_err(|error| error.to_string())?;
    let headers = signed(&hook, &question.key, question.now, &body);
    let said = way.post(&question.url, headers, body, limits::HOOK_ANSWER_BYTES).await?;
    if said.status != 200 {
        return Err(format!("the answer has the status {}", said.status));
    }
    judged(&said.body.ok_or("the answer is too long")?)
}

fn judged(body: &[u8]) -> Result<Verdict, String> {
    let answer: Answer = serde_json::from_slice(body).map_err(|error| format!("the answer is no verdict: {error}"))?;
    Ok(match answer.allow {
        true => Verdict::Allowed,
        false => {
            let reason = answer.reason.unwrap_or_default();
            Verdict::Refused(clean(&reason).chars().take(limits::HOOK_WHY_CHARS).collect())
        }
    })
}

#[cfg(test)]
mod tests {
    use troupe_core::{ConversationId, GroupId};

    use super::*;

    #[test]
    fn an_answer_is_a_verdict_or_none() {
        assert_eq!(judged(br#"{"allow":true}"#), Ok(Verdict::Allowed));
        assert_eq!(judged(br#"{"allow":true,"body":{"text":"x"}}"#), Ok(Verdict::Allowed));
        assert_eq!(judged(br#"{"allow":false}"#), Ok(Verdict::Refused(String::new())));
        assert_eq!(judged(br#"{"allow":false,"reason":"no links"}"#), Ok(Verdict::Refused("no links".into())));
        let long = format!(r#"{{"allow":false,"reason":"{}"}}"#, "x".repeat(1_000));
        assert_eq!(judged(long.as_bytes()), Ok(Verdict::Refused("x".repeat(limits::HOOK_WHY_CHARS))));
        for wrong in ["", "ok", "{}", r#"{"allow":"yes"}"#, r#"{"allow":1}"#, "[]"] {
            assert!(judged(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_hook_has_a_share_of_the_questions_in_flight() {
        let asks = Asks::new();
        let hook = |group, hook| (ConversationId::Group(GroupId(group)), hook);
        let mut held: Vec<_> = (0..limits::HOOK_ASKS_EACH).map(|_| asks.enter(hook(1, 1)).expect("a place")).collect();
        assert!(asks.enter(hook(1, 1)).is_none());
        for other in 2.. {
            match asks.enter(hook(other / 8, other)) {
                Some(place) => held.push(place),
                None => break,
            }
        }
        assert_eq!(held.len(), limits::HOOK_ASKS);
        drop(held);
        assert!(asks.enter(hook(1, 1)).is_some());
        assert!(asks.0.lock().of_hook.is_empty());
    }
}
