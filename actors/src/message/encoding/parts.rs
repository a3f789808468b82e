//! Parts of requests, answers and pushes.

use bytes::Bytes;
use mesh::refusal;
use troupe_core::{ConversationId, DeviceId, NodeId, Seq, Signal, Timestamp, TokenHash, UserId};
use troupe_proto::wire::mesh;

use super::super::{PresenceNews, Refusal, Session, Shown, SubscriptionState};
use super::{Decoded, Garbled};

pub(super) fn refusal_out(refusal: &Refusal) -> mesh::Refusal {
    use refusal::Why;
    let why = match refusal {
        Refusal::Rejected { code, text } => {
            Why::Rejected(mesh::Rejected { code: code.to_string(), text: text.to_string() })
        }
        // Budgets are the edge's: a limit never comes from another node, and would mean the same to
        // its asker.
        Refusal::Overloaded { after_ms } | Refusal::Limited { after_ms, .. } => Why::OverloadedAfterMs(*after_ms),
        Refusal::StorageLow => Why::StorageLow(mesh::Nothing {}),
        Refusal::NotOwner { hint } => Why::NotOwner(mesh::NotOwner { hint: hint.map_or(0, |node| node.0) }),
        Refusal::Unavailable => Why::Unavailable(mesh::Nothing {}),
    };
    mesh::Refusal { why: Some(why) }
}

pub(super) fn refusal_in(refusal: mesh::Refusal) -> Decoded<Refusal> {
    use refusal::Why;
    Ok(match refusal.why.ok_or(Garbled("refusal"))? {
        Why::Rejected(rejected) => Refusal::Rejected { code: rejected.code.into(), text: rejected.text.into() },
        Why::OverloadedAfterMs(after_ms) => Refusal::Overloaded { after_ms },
        Why::StorageLow(_) => Refusal::StorageLow,
        Why::NotOwner(not_owner) => Refusal::NotOwner { hint: Some(NodeId(not_owner.hint)).filter(|node| node.0 != 0) },
        Why::Unavailable(_) => Refusal::Unavailable,
    })
}

pub(super) fn session_out(session: &Session) -> mesh::SessionRef {
    mesh::SessionRef {
        user: session.user.0,
        device: session.device.to_string(),
        token_hash: Bytes::copy_from_slice(&session.token.0),
        node: session.node.0,
    }
}

pub(super) fn session_in(session: Option<mesh::SessionRef>) -> Decoded<Session> {
    let session = session.ok_or(Garbled("session"))?;
    Ok(Session {
        user: UserId(session.user),
        device: DeviceId::new(&session.device).ok_or(Garbled("device"))?,
        token: TokenHash(session.token_hash.as_ref().try_into().map_err(|_| Garbled("token"))?),
        node: NodeId(session.node),
    })
}

pub(super) fn signal_out(signal: &Signal) -> mesh::Signal {
    mesh::Signal {
        conversation: signal.conversation.to_string(),
        from: signal.from.0,
        device: signal.device,
        to: signal.to,
        kind: signal.kind,
        payload: signal.payload.clone(),
        at: signal.at.0,
    }
}

pub(super) fn signal_in(signal: mesh::Signal) -> Decoded<Signal> {
    let mesh::Signal { conversation, from, device, to, kind, payload, at } = signal;
    let (conversation, from, at) = (conversation_in(&conversation)?, UserId(from), Seq(at));
    Ok(Signal { conversation, from, device, to, kind, payload, at })
}

pub(super) fn session_watch_out(session: &Session, users: &[UserId]) -> mesh::SessionWatch {
    mesh::SessionWatch { session: Some(session_out(session)), users: numbers(users) }
}

pub(super) fn session_watch_in(watch: mesh::SessionWatch) -> Decoded<(Session, Vec<UserId>)> {
    Ok((session_in(watch.session)?, watch.users.into_iter().map(UserId).collect()))
}

pub(super) fn watches_out(node: NodeId, watches: &[(UserId, Vec<UserId>)]) -> mesh::Watches {
    let of = |(user, watchers): &(UserId, Vec<UserId>)| mesh::Watchers { user: user.0, watchers: numbers(watchers) };
    mesh::Watches { node: node.0, watched: watches.iter().map(of).collect() }
}

pub(super) fn watches_in(watches: mesh::Watches) -> Vec<(UserId, Vec<UserId>)> {
    let of = |of: mesh::Watchers| (UserId(of.user), of.watchers.into_iter().map(UserId).collect());
    watches.watched.into_iter().map(of).collect()
}

pub(super) fn presences_out(news: &[PresenceNews]) -> mesh::Presences {
    let of = |news: &PresenceNews| mesh::PresenceNews {
        user: news.user.0,
        online: news.shown.online,
        last_seen_ms: news.shown.last_seen.0,
        to: numbers(&news.to),
    };
    mesh::Presences { news: news.iter().map(of).collect() }
}

pub(super) fn presences_in(presences: mesh::Presences) -> Vec<PresenceNews> {
    let of = |news: mesh::PresenceNews| PresenceNews {
        user: UserId(news.user),
        shown: Shown { online: news.online, last_seen: Timestamp(news.last_seen_ms) },
        to: news.to.into_iter().map(UserId).collect(),
    };
    presences.news.into_iter().map(of).collect()
}

fn numbers(users: &[UserId]) -> Vec<u64> {
    users.iter().map(|user| user.0).collect()
}

pub(super) fn sessions_in(sessions: Vec<mesh::SessionRef>) -> Decoded<Vec<Session>> {
    sessions.into_iter().map(|session| session_in(Some(session))).collect()
}

pub(super) fn subscription_state_out(state: &SubscriptionState) -> mesh::Standing {
    mesh::Standing {
        conversation: state.conversation.to_string(),
        head: state.head.0,
        refused: state.refused.iter().map(|user| user.0).collect(),
    }
}

pub(super) fn subscription_state_in(standing: mesh::Standing) -> Decoded<SubscriptionState> {
    Ok(SubscriptionState {
        conversation: conversation_in(&standing.conversation)?,
        head: Seq(standing.head),
        refused: standing.refused.into_iter().map(UserId).collect(),
    })
}

pub(super) fn texts(conversations: &[ConversationId]) -> Vec<String> {
    conversations.iter().map(ConversationId::to_string).collect()
}

pub(super) fn conversations_in(texts: &[String]) -> Decoded<Vec<ConversationId>> {
    texts.iter().map(|text| conversation_in(text)).collect()
}

pub(super) fn conversation_in(text: &str) -> Decoded<ConversationId> {
    text.parse().map_err(|_| Garbled("conversation"))
}

pub(super) fn optional_out(conversation: &Option<ConversationId>) -> String {
    conversation.map(|conversation| conversation.to_string()).unwrap_or_default()
}

pub(super) fn optional_in(text: &str) -> Decoded<Option<ConversationId>> {
    if text.is_empty() { Ok(None) } else { conversation_in(text).map(Some) }
}

pub(super) fn somebody(number: u64) -> Option<UserId> {
    Some(UserId(number)).filter(|user| user.0 != 0)
}
