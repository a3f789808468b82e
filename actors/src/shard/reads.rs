//! Answers composed from applied state. No actor here, no waiting: functions of a view.

use std::collections::BTreeMap;
use std::ops::Range;

use subtle::ConstantTimeEq;
use troupe_core::event::Role;
use troupe_core::machine::inbox;
use troupe_core::machine::session::{has_expired, is_due};
use troupe_core::record::{self, Status};
use troupe_core::{ConversationId, NameKey, Seq, UserId, fold, limits, unread};
use troupe_proto::client;
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use crate::message::{Account, Answer, Outcome, Refusal, Session, SubscriptionState, UserKey, wire};

pub type Read = Result<Outcome, EngineError>;

pub fn credentials(view: &View, key: &UserKey) -> Read {
    let id = match key {
        UserKey::Name(name) => view.user_of_name(name.as_str())?,
        UserKey::Id(id) => Some(*id),
    };
    let Some(user) = id.map(|id| view.user(id)).transpose()?.flatten() else {
        return Ok(Err(troupe_core::Rejection::NoSuchUser.into()));
    };
    Ok(Ok(Answer::Account(Account::with_password(user))))
}

/// How long sessions may rest, judged by the leader's clock.
#[derive(Clone, Copy, Debug)]
pub struct Rest {
    pub now: u64,
    /// Zero: for any time.
    pub idle_ms: u64,
}

/// Whether this is still the session of that device, compared in constant time.
pub fn resume(view: &View, session: &Session, rest: Rest) -> Read {
    let user = view.user(session.user)?.filter(|user| user.standing.status == Status::Active);
    let held = held(view, session)?.filter(|held| !has_expired(held, rest.now, rest.idle_ms));
    match (user, held) {
        (Some(user), Some(_)) => Ok(Ok(Answer::Account(Account::without_password(user)))),
        _ => Ok(Err(client::Refusal::ExpiredToken.into())),
    }
}

fn held(view: &View, session: &Session) -> Result<Option<record::Session>, EngineError> {
    let held = view.session(session.user, &session.device)?;
    Ok(held.filter(|held| bool::from(held.token.0.ct_eq(&session.token.0))))
}

/// Of these, those that should be written as in use, or ended because they rested for too long.
pub fn to_touch(view: &View, sessions: Vec<Session>, rest: Rest) -> Result<Vec<Session>, EngineError> {
    let mut due = Vec::new();
    for session in sessions {
        if held(view, &session)?.is_some_and(|held| is_due(&held, rest.now, rest.idle_ms)) {
            due.push(session);
        }
    }
    Ok(due)
}

/// Which of these are no sessions any more.
pub fn ended(view: &View, sessions: Vec<Session>) -> Read {
    let mut ended = Vec::new();
    for session in sessions {
        if held(view, &session)?.is_none() {
            ended.push(session);
        }
    }
    Ok(Ok(Answer::Ended(ended)))
}

pub fn sessions(view: &View, user: UserId, online: &[Session], rest: Rest) -> Read {
    let sessions = view.sessions(user)?;
    let open = sessions.into_iter().filter(|session| !has_expired(session, rest.now, rest.idle_ms));
    let sessions = open.map(|session| wire::Session {
        device: session.device.to_string(),
        created_ms: session.created.0,
        used_ms: session.last_used().0,
        online: online.iter().any(|live| live.device == session.device),
        current: false,
    });
    Ok(Ok(Answer::Sessions(wire::Sessions { sessions: sessions.collect() })))
}

pub fn inbox(view: &View, user: UserId, after: Option<ConversationId>, limit: usize) -> Read {
    let limit = limit.clamp(1, limits::PAGE_CONVERSATIONS);
    let (mut conversations, mut from) = (Vec::new(), after);
    // Entries that were left behind are passed over, so that a page is only short at the end.
    let next = loop {
        let rows = view.inbox(user, from, limit)?;
        let end = rows.len() < limit;
        from = rows.last().map(|row| row.conversation).or(from);
        conversations.extend(rows.into_iter().filter(|row| row.present).map(|row| row.conversation));
        if conversations.len() > limit {
            conversations.truncate(limit);
            break conversations.last().copied();
        }
        if end {
            break None;
        }
    };
    Ok(Ok(Answer::Inbox { conversations, next }))
}

/// Without the names of the groups, which their shards know.
pub fn invitations(view: &View, user: UserId, now: u64) -> Read {
    let open = view.invitations(user)?.into_iter().filter(|invitation| !inbox::has_expired(invitation, now));
    let invitations = open.map(|invitation| wire::Invitation {
        conversation: invitation.conversation.to_string(),
        name: String::new(),
        invited_by: invitation.by.0,
        seq: invitation.version.0,
        created_ms: invitation.created.0,
    });
    Ok(Ok(Answer::Invitations(wire::Invitations { invitations: invitations.collect() })))
}

pub fn users(view: &View, ids: &[UserId], names: &[NameKey]) -> Read {
    let mut users = Vec::new();
    for id in ids.iter().take(limits::PAGE_USERS * 2) {
        users.extend(user(view, *id)?);
    }
    for name in names.iter().take(limits::PAGE_USERS * 2 * NameKey::CANDIDATES) {
        if let Some(id) = view.user_of_name(name.as_str())? {
            users.extend(user(view, id)?);
        }
    }
    Ok(Ok(Answer::Users(wire::Users { users, more: false })))
}

/// A page of the users whose name begins so, in order of their keys.
pub fn search(view: &View, slots: Range<u16>, prefix: &str, after: Option<&str>, limit: usize) -> Read {
    let limit = limit.clamp(1, limits::PAGE_USERS);
    if prefix.len() > limits::USERNAME_MAX_BYTES {
        return Ok(Ok(Answer::Users(wire::Users::default())));
    }
    let (prefix, folded) = (NameKey::of(prefix), fold(prefix));
    let after = after.map(NameKey::of);
    let from = after.as_ref().map_or("", NameKey::as_str);
    let mut found = view.names_with_prefix(slots.clone(), prefix.as_str(), from, limit + 1)?;
    let mut more = found.len() > limit;
    found.truncate(limit);
    if folded != prefix.as_str() {
        // Accounts of versions before 0.2 have other keys. One page of them takes part in each
        // answer.
        found.extend(view.names_with_prefix(slots, &folded, "", limit)?);
    }
    let mut users = BTreeMap::new();
    for (_, id) in found {
        if let Some(user) = user(view, id)? {
            users.insert((NameKey::of(&user.name), id), user);
        }
    }
    let behind = |key: &NameKey| after.as_ref().is_none_or(|after| key > after);
    let mut users: Vec<wire::User> =
        users.into_iter().filter(|((key, _), _)| behind(key)).map(|(_, user)| user).collect();
    more |= users.len() > limit;
    users.truncate(limit);
    Ok(Ok(Answer::Users(wire::Users { users, more })))
}

pub fn user(view: &View, id: UserId) -> Result<Option<wire::User>, EngineError> {
    Ok(view.user(id)?.map(|user| wire::User {
        user_id: user.id.0,
        name: user.name,
        online: false,
        deleted: user.standing.status == Status::Deleted,
    }))
}

pub fn subscription_states(view: &View, interests: Vec<(ConversationId, Vec<UserId>)>) -> Read {
    let mut states = Vec::with_capacity(interests.len());
    for (conversation, users) in interests {
        let head = view.conversation(conversation)?.map_or(Seq::ZERO, |row| row.head);
        let mut refused = Vec::new();
        for user in users {
            if visible_from(view, conversation, user)?.is_none() {
                refused.push(user);
            }
        }
        states.push(SubscriptionState { conversation, head, refused });
    }
    Ok(Ok(Answer::Subscribed(states)))
}

/// The first event that this user may see; `None` for who may see nothing.
// Invariant: private. A member sees from the event on that made them one.
fn visible_from(view: &View, conversation: ConversationId, user: UserId) -> Result<Option<Seq>, EngineError> {
    Ok(match conversation {
        ConversationId::Everyone => Some(Seq(1)),
        ConversationId::Direct { .. } => conversation.peer_of(user).map(|_| Seq(1)),
        ConversationId::Group(_) => view.member(conversation, user)?.map(|member| member.since),
    })
}

/// How far a conversation goes, for one who may know: an outsider learns neither its length nor
/// that it exists.
// Invariant: private.
pub fn head_for(view: &View, conversation: ConversationId, user: UserId) -> Result<Result<Seq, Refusal>, EngineError> {
    if visible_from(view, conversation, user)?.is_none() {
        return Ok(Err(troupe_core::Rejection::NotMember.into()));
    }
    Ok(Ok(view.conversation(conversation)?.map_or(Seq::ZERO, |row| row.head)))
}

pub fn page(
    view: &View,
    conversation: ConversationId,
    reader: Option<UserId>,
    seq: Seq,
    backward: bool,
    limit: usize,
) -> Read {
    let limit = limit.clamp(1, limits::PAGE_EVENTS);
    let row = view.conversation(conversation)?;
    let first = match reader {
        Some(user) => match visible_from(view, conversation, user)? {
            Some(first) => first,
            None => return Ok(Err(troupe_core::Rejection::NotMember.into())),
        },
        None => Seq(1),
    };
    let head = row.map_or(Seq::ZERO, |row| row.head);
    // A fan-out may have heard of an event that a fresh leader is still applying; a client's cursor
    // cannot be ahead of its leader.
    if reader.is_some() && !backward && seq > head {
        return Ok(Err(client::Refusal::SeqBeyondHead.into()));
    }
    let (events, more) = if backward {
        let before = Some(seq).filter(|seq| *seq != Seq::ZERO);
        let mut events = view.events_before(conversation, before, limit, limits::PAGE_BYTES)?;
        events.retain(|event| event.seq >= first);
        let more = events.first().is_some_and(|event| event.seq > first);
        (events, more)
    } else {
        let after = seq.max(Seq(first.0.saturating_sub(1)));
        let events = view.events(conversation, after, limit, limits::PAGE_BYTES)?;
        let more = events.last().is_some_and(|event| event.seq < head);
        (events, more)
    };
    Ok(Ok(Answer::Page(wire::Page {
        conversation: conversation.to_string(),
        events: events.iter().map(wire::Event::from).collect(),
        head: head.0,
        more,
    })))
}

/// What a conversation list shows; conversations that this user may not see are left out.
pub fn summaries(view: &View, user: UserId, conversations: &[ConversationId]) -> Read {
    let mut rows = Vec::new();
    for &id in conversations.iter().take(limits::PAGE_CONVERSATIONS + 1) {
        let Some(first) = visible_from(view, id, user)? else { continue };
        let row = view.conversation(id)?;
        let role = view.member(id, user)?.map_or(Role::Member, |member| member.role);
        let cursor = view.cursor(id, user)?;
        let head = row.as_ref().map_or(Seq::ZERO, |row| row.head);
        let direct = matches!(id, ConversationId::Direct { .. });
        let unread = unread::unread(user, head, cursor.read, first, |of, seq| view.numbered_up_to(id, of, seq))?;
        rows.push(wire::Conversation {
            conversation: id.to_string(),
            head: head.0,
            time_ms: row.as_ref().map_or(0, |row| row.time.0),
            delivered: cursor.delivered.0,
            read: cursor.read.0,
            unread,
            members: if direct { 2 } else { row.as_ref().map_or(0, |row| row.members) },
            role: wire::Role::from(role) as i32,
            open: row.as_ref().is_some_and(|row| row.open),
            kept: view.kept(id)?.unwrap_or_default().0,
            name: row.map(|row| row.name).unwrap_or_default(),
        });
    }
    Ok(Ok(Answer::Summaries(rows)))
}

pub fn members(view: &View, user: UserId, conversation: ConversationId, after: Option<UserId>, limit: usize) -> Read {
    let limit = limit.clamp(1, limits::PAGE_MEMBERS);
    if visible_from(view, conversation, user)?.is_none() {
        return Ok(Err(troupe_core::Rejection::NotMember.into()));
    }
    let mut rows: Vec<(UserId, Role)> = match conversation {
        ConversationId::Everyone => Vec::new(),
        ConversationId::Direct { low, high } => {
            let ends = [low, high].into_iter().filter(|end| after.is_none_or(|after| *end > after));
            ends.map(|end| (end, Role::Member)).collect()
        }
        ConversationId::Group(_) => {
            let rows = view.members(conversation, after, limit + 1)?;
            rows.into_iter().map(|(user, member)| (user, member.role)).collect()
        }
    };
    let more = rows.len() > limit;
    rows.truncate(limit);
    let mut members = Vec::with_capacity(rows.len());
    for (user, role) in rows {
        let cursor = view.cursor(conversation, user)?;
        members.push(wire::Member {
            user_id: user.0,
            role: wire::Role::from(role) as i32,
            delivered: cursor.delivered.0,
            read: cursor.read.0,
        });
    }
    Ok(Ok(Answer::Members(wire::Members { members, more })))
}
