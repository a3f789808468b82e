//! Whether a repeated request asks for the event that its first attempt has placed.
//!
//! The log keeps the first content under a client message id. An edge that promises to refuse
//! another content under the same id compares them here.

use std::collections::BTreeSet;

use troupe_core::event::ContentHash;
use troupe_core::feature::{CallAnswer, CallOutcome};
use troupe_core::planted::Bug;
use troupe_core::{ConversationId, Event, EventKind, Intent, Rejection, Seq, UserId};
use troupe_proto::client;

use super::admin::accounts::resolve;
use super::list_conversations::summaries;
use crate::address::Address;
use crate::message::{Account, Answer, Refusal, Request, wire};
use crate::service::{Caller, Service};

/// `seq`: the place of the event, as its acknowledgement says. The caller's own event is compared
/// even if the caller is no longer a member, because its first acknowledgement is repeated too.
pub(crate) async fn asks_the_same(
    service: &Service,
    caller: &Caller,
    conversation: ConversationId,
    seq: Seq,
    intent: &Intent,
) -> Result<bool, Refusal> {
    if service.context.platform.planted.is(Bug::ReusedKeyAnswered) {
        return Ok(true);
    }
    let request = Request::Fill { conversation, after: Seq(seq.0.saturating_sub(1)), limit: 1 };
    let Answer::Page(page) = service.ask(conversation.slot(), request).await? else {
        return Err(Refusal::Unavailable);
    };
    let event = page.events.into_iter().next().and_then(|event| Event::try_from(event).ok());
    // Invariant: private. Only the caller's own event is looked at.
    Ok(event.filter(|event| event.seq == seq && event.sender == caller.user()).is_none_or(|event| says(&event, intent)))
}

/// Whether a request that has found this group is the one that made it: its name, its first members
/// and whether it is open.
pub(crate) async fn makes_the_same(
    service: &Service,
    caller: &Caller,
    group: &str,
    asked: &wire::CreateGroup,
) -> Result<bool, Refusal> {
    let conversation = client::conversation("create_group.conversation", group)?;
    let request = Request::Fill { conversation, after: Seq::ZERO, limit: 2 };
    let Answer::Page(page) = service.ask(conversation.slot(), request).await? else {
        return Err(Refusal::Unavailable);
    };
    let events: Vec<Event> = page.events.into_iter().filter_map(|event| Event::try_from(event).ok()).collect();
    let Some(created) = events.first().filter(|event| event.sender == caller.user()) else { return Ok(true) };
    let mut members: BTreeSet<UserId> = asked.members.iter().copied().map(UserId).collect();
    members.remove(&caller.user());
    // The first members were added by the same command, so at the same time.
    let first = events.get(1).filter(|event| event.time == created.time && event.sender == caller.user());
    let added: BTreeSet<UserId> = first.and_then(added).unwrap_or_default().iter().copied().collect();
    if created.kind != (EventKind::Created { name: asked.name.clone() }) || added != members {
        return Ok(false);
    }
    let (rows, _) = summaries(service, caller.user(), &[conversation]).await?;
    // A caller that has left sees no row any more.
    Ok(rows.get(&conversation).is_none_or(|row| row.open == asked.open))
}

/// Refuses a repeated request whose first attempt has set another password than this one. It counts
/// as a login, and a wrong password as a failed login.
pub(crate) async fn sets_the_same(
    service: &Service,
    address: Address,
    account: Account,
    password: String,
) -> Result<(), Refusal> {
    let who = account.user.to_string();
    service.budgets.login(address, &who)?;
    let same = service.passwords.verify(address, password, Some(account.password_hash)).await?;
    if !same {
        service.budgets.login_failed(address, &who);
        return Err(Rejection::RequestReused.into());
    }
    Ok(())
}

/// After the creation of an account: refuses a repeat with another password, which would otherwise
/// be answered by the account of the first attempt. A password that was set since then is not
/// compared.
pub(crate) async fn made_with(
    service: &Service,
    address: Address,
    user: UserId,
    hash: &str,
    password: String,
) -> Result<Account, Refusal> {
    let account = resolve(service, &user.to_string()).await?;
    if account.password_hash != hash && account.standing.revision == 0 {
        sets_the_same(service, address, account.clone(), password).await?;
    }
    Ok(account)
}

/// Whether the intent of the sender became this event.
fn says(event: &Event, intent: &Intent) -> bool {
    let kind = match intent {
        Intent::Message(body) | Intent::Bundle(body) => EventKind::Message(body.clone()),
        Intent::Rename { name } => EventKind::Renamed { name: name.clone() },
        Intent::Join => EventKind::Added { users: vec![event.sender] },
        Intent::Leave => EventKind::Removed { user: event.sender },
        Intent::Remove { user } => EventKind::Removed { user: *user },
        Intent::SetRole { user, role } => EventKind::RoleChanged { user: *user, role: *role },
        Intent::React { to, emoji, remove } => EventKind::Reacted { to: *to, emoji: emoji.clone(), removed: *remove },
        Intent::Edit { to, body } => EventKind::Edited { to: *to, body: body.clone() },
        Intent::Recall { to, .. } => EventKind::Recalled { to: *to },
        // The event of an anonymous poll does not have the options.
        Intent::Vote { to, options, remove } => match &event.kind {
            EventKind::Voted { options: held, .. } if held.is_empty() => {
                EventKind::Voted { to: *to, options: Vec::new(), removed: *remove }
            }
            _ => EventKind::Voted { to: *to, options: options.clone(), removed: *remove },
        },
        Intent::ClosePoll { to } => {
            return matches!(&event.kind, EventKind::PollClosed { to: closed, .. } if closed == to);
        }
        Intent::Set(settings) => EventKind::SettingsChanged(settings.clone()),
        Intent::Mute { user, until } => EventKind::Muted { user: *user, until: *until },
        Intent::Ban { user, lift } => EventKind::Banned { user: *user, lifted: *lift },
        Intent::Transfer { to } => EventKind::Transferred { to: *to },
        Intent::Disband => EventKind::Disbanded,
        Intent::MakeLink { hash, uses, expires } => EventKind::LinkMade { hash: *hash, uses: *uses, expires: *expires },
        Intent::RevokeLink { link } => EventKind::LinkRevoked { link: *link },
        Intent::Pin { to, remove } => EventKind::Pinned { to: *to, removed: *remove },
        // The text is in no event.
        Intent::AskToJoin { .. } => EventKind::JoinAsked,
        Intent::AnswerRequest { user, accept: true } => EventKind::Added { users: vec![*user] },
        Intent::AnswerRequest { user, accept: false } => EventKind::JoinClosed { user: *user },
        Intent::Withdraw => EventKind::JoinClosed { user: event.sender },
        // The event does not say which link let its sender in.
        Intent::JoinByLink { .. } => EventKind::Added { users: vec![event.sender] },
        // A repeat may come from a later login of the device.
        Intent::StartCall { video, .. } => {
            return matches!(&event.kind, EventKind::CallStarted { video: started, .. } if started == video);
        }
        Intent::AnswerCall { call, answer, .. } => return answers(event, *call, *answer),
        Intent::EndCall { call } => {
            return matches!(&event.kind, EventKind::CallEnded { call: ended, .. } if ended == call);
        }
        // Without a text the event has what was streamed.
        Intent::EndStream { to, text, aborted } => {
            return matches!(&event.kind, EventKind::StreamEnded { to: ended, body, aborted: broken }
                if ended == to && broken == aborted && (text.is_empty() || body.as_text() == Some(text)))
                || event.kind.number() == EventKind::STREAM_ENDED && event.is_erased();
        }
        // The event names only those that were no members then.
        Intent::Add { users } => {
            return added(event).is_some_and(|added| added.iter().all(|user| users.contains(user)));
        }
    };
    if event.kind == kind || without_expiry(&event.kind) == without_expiry(&kind) {
        return true;
    }
    // An erased event has the hash of its content only.
    let erased = matches!(&event.kind, EventKind::Unknown { kind: number, content }
        if *number == kind.number() && content.is_empty());
    erased && event.seal.is_some_and(|seal| seal.content == ContentHash::of(&kind.content()))
}

/// The retention of the conversation may have shortened the time of a message, and an edit has that
/// of its message.
fn without_expiry(kind: &EventKind) -> EventKind {
    let mut kind = kind.clone();
    if let EventKind::Message(body) | EventKind::Edited { body, .. } = &mut kind {
        body.context.iter_mut().for_each(|context| context.expires_in_ms = 0);
        body.context.take_if(|context| **context == Default::default());
    }
    kind
}

fn answers(event: &Event, call: Seq, answer: CallAnswer) -> bool {
    match &event.kind {
        EventKind::CallAnswered { call: answered, .. } => *answered == call && answer == CallAnswer::Accept,
        EventKind::CallEnded { call: ended, outcome: CallOutcome::Refused, .. } => {
            *ended == call && answer == CallAnswer::Refuse
        }
        EventKind::CallEnded { call: ended, outcome: CallOutcome::Busy, .. } => {
            *ended == call && answer == CallAnswer::Busy
        }
        _ => false,
    }
}

fn added(event: &Event) -> Option<&[UserId]> {
    match &event.kind {
        EventKind::Added { users } => Some(users),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use troupe_core::{Body, ClientMessageId, Timestamp};

    use super::*;

    fn event(kind: EventKind) -> Event {
        let (seq, time, sender) = (Seq(4), Timestamp(9), UserId(7));
        Event { seq, time, sender, client_message_id: ClientMessageId([1; 16]), kind, seal: None }.sealed()
    }

    #[test]
    fn a_repeat_says_the_same_and_another_content_does_not() {
        let text = |text| Intent::Message(Body::text(text));
        let sent = event(EventKind::Message(Body::text("one")));
        assert!(says(&sent, &text("one")) && !says(&sent, &text("two")));
        assert!(!says(&sent, &Intent::Rename { name: "one".to_owned() }));
        let erased = sent.erased().expect("it is sealed");
        assert!(says(&erased, &text("one")) && !says(&erased, &text("two")), "the hash is left");
        let joined = event(EventKind::Added { users: vec![UserId(7)] });
        assert!(says(&joined, &Intent::Join) && !says(&joined, &Intent::Leave));
    }

    #[test]
    fn members_that_were_there_already_are_in_no_event() {
        let add = |users: &[u64]| Intent::Add { users: users.iter().copied().map(UserId).collect() };
        let added = event(EventKind::Added { users: vec![UserId(5)] });
        assert!(says(&added, &add(&[5])) && says(&added, &add(&[5, 6])));
        assert!(!says(&added, &add(&[6])) && !says(&added, &Intent::Join));
    }
}
