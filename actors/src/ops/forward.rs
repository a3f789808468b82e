//! `forward`: sends messages that the caller sees to other conversations, singly or as one bundle.
//!
//! The ids of the messages follow from the request and the conversation. A repeat after a crash
//! finds what the first attempt has placed, and sends the rest. The first content under an id
//! stays, even if its origin was edited or recalled since.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::future::{join_all, try_join_all};
use prost::Message;
use troupe_core::content::{Bundle, Bundled};
use troupe_core::error::Refused;
use troupe_core::feature::{BAD_FORWARD, ERASED, FILE_ELSEWHERE, NO_SUCH_MESSAGE, forwarded, forwarded_id};
use troupe_core::machine::file::NO_SUCH_FILE;
use troupe_core::planted::Bug;
use troupe_core::{Append, Body, ClientMessageId, ConversationId, Event, EventKind, Rejection, limits};
use troupe_proto::client;

use super::cost::{BYTES_PER_UNIT, Cost, NAMED, READ};
use super::send::deliver;
use super::{Answered, Operation};
use crate::message::{Refusal, wire};
use crate::service::{Caller, Service};

impl Operation for wire::Forward {
    /// Each message is read, and each conversation gets all of them. Their bytes are paid when they
    /// are known.
    fn cost(&self) -> Cost {
        let (seqs, to) = (self.seqs.len().min(limits::FORWARDED), self.to.len().min(limits::FORWARD_TO));
        Cost::Units(READ * 4 * seqs as u64 + (NAMED + sends(self) as u64) * to as u64)
    }

    async fn perform(self, service: Service, caller: Caller) -> Answered<Self> {
        let request = client::client_message_id("forward.request", &self.request)?;
        let from = client::conversation("forward.from", &self.from)?;
        let to = destinations(&self)?;
        let seen = self.seqs.iter().map(|seq| seen(&service, &caller, &self.from, *seq));
        let seen = try_join_all(seen).await?;
        let mut bodies = if self.bundle { vec![bundle(self.from.clone(), seen)?] } else { alone(&seen) };
        if !self.text.is_empty() {
            bodies.push(Body::text(&self.text));
        }
        let bytes = bodies.iter().map(Body::bytes).sum::<usize>() * to.len();
        if bytes > limits::FORWARD_BYTES {
            return Err(Rejection::TooLarge.into());
        }
        service.budgets.forward(caller.user(), bytes as u64 / BYTES_PER_UNIT)?;
        let outcomes = to.into_iter().map(|to| send_all(&service, &caller, request, Some(from), to, &bodies));
        Ok(wire::Forwarded { outcomes: join_all(outcomes).await, next: 0 })
    }
}

/// Messages for one conversation.
fn sends(forward: &wire::Forward) -> usize {
    let messages = if forward.bundle { 1 } else { forward.seqs.len().min(limits::FORWARDED) };
    messages + usize::from(!forward.text.is_empty())
}

/// The numbers are checked before any of the names.
fn destinations(forward: &wire::Forward) -> Result<Vec<ConversationId>, Refusal> {
    let bad = || Err(Refusal::from(Rejection::from(BAD_FORWARD)));
    let (seqs, to) = (&forward.seqs, &forward.to);
    let is_some = (1..=limits::FORWARDED).contains(&seqs.len()) && (1..=limits::FORWARD_TO).contains(&to.len());
    if !is_some || sends(forward) * to.len() > limits::FORWARD_SENDS {
        return bad();
    }
    let to = to.iter().map(|text| client::conversation("forward.to", text)).collect::<Result<Vec<_>, _>>()?;
    let distinct_to = to.iter().collect::<BTreeSet<_>>().len() == to.len();
    if distinct_to && seqs.iter().collect::<BTreeSet<_>>().len() == seqs.len() { Ok(to) } else { bad() }
}

/// A message as the caller sees it now, in its present state.
// Invariant: private. It is read like a page of history.
async fn seen(service: &Service, caller: &Caller, from: &str, seq: u64) -> Result<Bundled, Refusal> {
    let refused = |refused: Refused| Err(Refusal::from(Rejection::from(refused)));
    let Some(before) = seq.checked_sub(1) else { return refused(NO_SUCH_MESSAGE) };
    let fetch = wire::Fetch { conversation: from.to_owned(), seq: before, backward: false, limit: 1 };
    let page = match service.perform(caller, fetch).await {
        Err(Refusal::Rejected { code, .. }) if code == client::Refusal::SeqBeyondHead.code() => {
            return refused(NO_SUCH_MESSAGE);
        }
        page => page?,
    };
    let event = page.events.into_iter().next().and_then(|event| Event::try_from(event).ok());
    let Some(event) = event.filter(|event| event.seq.0 == seq && event.kind.number() == EventKind::MESSAGE) else {
        return refused(NO_SUCH_MESSAGE);
    };
    let EventKind::Message(first) = event.kind else { return refused(ERASED) };
    let edited = page.states.into_iter().find(|state| state.seq == seq).and_then(|state| state.body);
    let body = edited.map_or(first, Body::from);
    let (sender, time_ms) = (event.sender.0, event.time.0);
    Ok(Bundled { seq, sender, time_ms, kind: body.kind, content: body.content })
}

/// Without what they refer to, which is elsewhere.
fn alone(seen: &[Bundled]) -> Vec<Body> {
    seen.iter().map(Bundled::body).collect()
}

/// A bundle within a bundle is refused by its check.
fn bundle(from: String, messages: Vec<Bundled>) -> Result<Body, Refusal> {
    let bundle = Bundle { from, messages };
    if bundle.encoded_len() > limits::MESSAGE_BYTES {
        return Err(Rejection::TooLarge.into());
    }
    Ok(bundle.into())
}

/// The messages in their order, up to the first that is refused. `from` has their files.
pub async fn send_all(
    service: &Service,
    caller: &Caller,
    request: ClientMessageId,
    from: Option<ConversationId>,
    to: ConversationId,
    bodies: &[Body],
) -> wire::ForwardOutcome {
    let mut outcome = wire::ForwardOutcome { conversation: to.to_string(), ..Default::default() };
    if from != Some(to)
        && let Err(refusal) = has_files(service, caller, to, bodies).await
    {
        outcome.failure = Some(refusal.failure());
        return outcome;
    }
    for (number, body) in (0..).zip(bodies) {
        let client_message_id = match service.context.platform.planted(Bug::ForwardFreshIds) {
            true => ClientMessageId(service.fresh_id()),
            false => forwarded_id(request, to, number),
        };
        let intent = forwarded(body.clone());
        let append = Append { conversation: to, actor: caller.user(), client_message_id, after: None, intent };
        match deliver(service.clone(), Ok(append)).await {
            Ok(ack) => outcome.acks.push(ack),
            Err(refusal) => {
                outcome.failure = Some(refusal.failure());
                break;
            }
        }
    }
    outcome
}

/// A file belongs to a conversation, whose members read it.
async fn has_files(service: &Service, caller: &Caller, to: ConversationId, bodies: &[Body]) -> Result<(), Refusal> {
    let files: BTreeSet<Bytes> = bodies.iter().filter_map(Body::typed).flat_map(|content| content.files()).collect();
    for hash in files {
        match service.perform(caller, wire::ShowFile { conversation: to.to_string(), hash }).await {
            Err(Refusal::Rejected { code, .. }) if code == NO_SUCH_FILE.code => {
                return Err(Rejection::from(FILE_ELSEWHERE).into());
            }
            found => drop(found?),
        }
    }
    Ok(())
}
