//! The form of requests, answers and pushes between nodes. Decoding is total: any bytes give a
//! value or an error.
//!
//! At the first feature level an operation has the form that nodes of 0.1 understand
//! ([`level_one`]).

use bytes::Bytes;
use mesh::{answer, request, user_key};
use prost::Message;
use troupe_core::form;
use troupe_core::record::PushKey;
use troupe_core::{GroupId, Level, NameKey, NodeId, Seq, Timestamp, UserId};
use troupe_proto::Record;
use troupe_proto::wire::mesh;

use self::parts::*;
use super::{Absent, Account, Answer, ClientRequest, Outcome, Request, UserKey, level_one, wire};

use crate::push::Notice;

mod parts;
mod pushes;

pub use pushes::{decode_push, encode_push};

/// The other node said something that this program does not understand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a payload of this version: {0}")]
pub struct Garbled(pub &'static str);

type Decoded<T> = Result<T, Garbled>;

/// Whether every node of that level can perform the operation.
pub fn is_known_at(level: Level, operation: &ClientRequest) -> bool {
    level > Level::FIRST || level_one::request_out(UserId(0), operation, level).is_some()
}

/// `level`: the one in force.
pub fn encode_request(request: &Request, level: Level) -> Bytes {
    use request::What;
    let what = match request {
        Request::Commit(command) => What::Commit(command.encode().into()),
        Request::OpenSession { session, revision, from } => What::OpenSession(mesh::OpenSession {
            session: Some(session_out(session)),
            revision: *revision,
            from: from.clone(),
        }),
        Request::Credentials(key) => What::Credentials(mesh::UserKey {
            key: Some(match key {
                UserKey::Name(name) => user_key::Key::Name(name.as_str().to_owned()),
                UserKey::Id(id) => user_key::Key::Id(id.0),
            }),
        }),
        Request::Resume(session) => What::Resume(session_out(session)),
        // Nodes of 0.1 know the other one only.
        Request::Verify(session) if level == Level::FIRST => What::Resume(session_out(session)),
        Request::Verify(session) => What::Verify(session_out(session)),
        Request::Operation { caller, request } => match level_one::request_out(*caller, request, level) {
            Some(what) => what,
            None => {
                let frame = wire::ClientFrame { request_id: 0, request: Some(request.clone()) };
                What::Operation(mesh::Operation { caller: caller.0, frame: Some(frame) })
            }
        },
        Request::Signal(signal) => What::Signal(signal_out(signal)),
        Request::Attach { node, whole, sessions } => What::Attach(mesh::Attach {
            node: node.0,
            whole: *whole,
            sessions: sessions.iter().map(session_out).collect(),
        }),
        Request::Detach(session) => What::Detach(mesh::Detach { session: Some(session_out(session)) }),
        Request::Watch { session, users } => What::Watch(session_watch_out(session, users)),
        Request::Watches { node, watches } => What::Watches(watches_out(*node, watches)),
        Request::Inbox { user, after, limit } => {
            What::Inbox(mesh::InboxPage { user: user.0, after: optional_out(after), limit: *limit as u32 })
        }
        Request::Users { asker, ids, names } => What::Users(mesh::UserLookup {
            asker: asker.0,
            ids: ids.iter().map(|id| id.0).collect(),
            names: names.iter().map(|name| name.as_str().to_owned()).collect(),
        }),
        Request::Subscribe { node, interests } => What::Subscribe(mesh::Subscribe {
            node: node.0,
            interests: interests
                .iter()
                .map(|(conversation, users)| mesh::Interest {
                    conversation: conversation.to_string(),
                    users: users.iter().map(|user| user.0).collect(),
                })
                .collect(),
        }),
        Request::Unsubscribe { node, conversations } => {
            What::Unsubscribe(mesh::Unsubscribe { node: node.0, conversations: texts(conversations) })
        }
        Request::Summaries { user, conversations } => {
            What::Summaries(mesh::Summaries { user: user.0, conversations: texts(conversations) })
        }
        Request::Absent(Absent { users, notice }) => What::Absent(mesh::Absent {
            conversation: notice.conversation.to_string(),
            users: users.iter().map(|user| user.0).collect(),
            seq: notice.seq.0,
            sender: notice.sender.0,
            kind: notice.kind,
            preview: notice.preview.clone(),
        }),
        Request::PushKey(key) => What::PushKey(push_key_out(key)),
        Request::Fill { conversation, after, limit } => What::Fetch(mesh::Fetch {
            conversation: conversation.to_string(),
            reader: 0,
            seq: after.0,
            backward: false,
            limit: *limit as u32,
        }),
    };
    mesh::Request { what: Some(what) }.encode_to_vec().into()
}

pub fn decode_request(body: Bytes) -> Decoded<Request> {
    use request::What;
    let request = mesh::Request::decode(body).map_err(|_| Garbled("request"))?;
    Ok(match request.what.ok_or(Garbled("request"))? {
        What::Commit(bytes) => Request::Commit(Record::decode(&bytes).map_err(|_| Garbled("command"))?),
        What::OpenSession(open) => {
            Request::OpenSession { session: session_in(open.session)?, revision: open.revision, from: open.from }
        }
        What::Credentials(key) => Request::Credentials(match key.key.ok_or(Garbled("user key"))? {
            user_key::Key::Name(name) => UserKey::Name(NameKey::kept(&name)),
            user_key::Key::Id(id) => UserKey::Id(UserId(id)),
        }),
        What::Resume(session) => Request::Resume(session_in(Some(session))?),
        What::Verify(session) => Request::Verify(session_in(Some(session))?),
        What::Operation(mesh::Operation { caller, frame }) => Request::Operation {
            caller: UserId(caller),
            request: frame.and_then(|frame| frame.request).ok_or(Garbled("operation"))?,
        },
        What::Signal(signal) => Request::Signal(signal_in(signal)?),
        What::Attach(attach) => {
            Request::Attach { node: NodeId(attach.node), whole: attach.whole, sessions: sessions_in(attach.sessions)? }
        }
        What::Detach(detach) => Request::Detach(session_in(detach.session)?),
        What::Watch(watch) => {
            let (session, users) = session_watch_in(watch)?;
            Request::Watch { session, users }
        }
        What::Watches(watches) => Request::Watches { node: NodeId(watches.node), watches: watches_in(watches) },
        What::Inbox(page) => {
            Request::Inbox { user: UserId(page.user), after: optional_in(&page.after)?, limit: page.limit as usize }
        }
        What::Users(lookup) => Request::Users {
            asker: UserId(lookup.asker),
            ids: lookup.ids.into_iter().map(UserId).collect(),
            names: lookup.names.iter().map(|name| NameKey::kept(name)).collect(),
        },
        What::Subscribe(subscribe) => Request::Subscribe {
            node: NodeId(subscribe.node),
            interests: subscribe
                .interests
                .into_iter()
                .map(|interest| {
                    let users = interest.users.into_iter().map(UserId).collect();
                    Ok((conversation_in(&interest.conversation)?, users))
                })
                .collect::<Decoded<_>>()?,
        },
        What::Unsubscribe(unsubscribe) => Request::Unsubscribe {
            node: NodeId(unsubscribe.node),
            conversations: conversations_in(&unsubscribe.conversations)?,
        },
        What::Summaries(summaries) => Request::Summaries {
            user: UserId(summaries.user),
            conversations: conversations_in(&summaries.conversations)?,
        },
        What::Absent(absent) => Request::Absent(Absent {
            users: absent.users.into_iter().map(UserId).collect(),
            notice: Notice {
                conversation: conversation_in(&absent.conversation)?,
                seq: Seq(absent.seq),
                sender: UserId(absent.sender),
                kind: absent.kind,
                preview: absent.preview,
            },
        }),
        What::PushKey(mesh::PushKey { private, public }) => Request::PushKey(PushKey { private, public }),
        What::Fetch(fetch) if fetch.reader == 0 => Request::Fill {
            conversation: conversation_in(&fetch.conversation)?,
            after: Seq(fetch.seq),
            limit: fetch.limit as usize,
        },
        other => level_one::request_in(other).ok_or(Garbled("request"))?,
    })
}

fn push_key_out(key: &PushKey) -> mesh::PushKey {
    mesh::PushKey { private: key.private.clone(), public: key.public.clone() }
}

/// `level`: the one in force.
pub fn encode_outcome(outcome: &Outcome, level: Level) -> Bytes {
    use answer::What;
    let what = match outcome {
        Err(refusal) => What::Refusal(refusal_out(refusal)),
        Ok(Answer::Done) => What::Done(mesh::Nothing {}),
        Ok(Answer::Registered(user)) => What::Registered(user.0),
        Ok(Answer::Placed { seq, time, duplicate }) => {
            What::Placed(mesh::Placed { seq: seq.0, time_ms: time.0, duplicate: *duplicate })
        }
        Ok(Answer::GroupCreated(group)) => What::GroupCreated(group.0),
        Ok(Answer::Account(account)) => What::Account(mesh::Account {
            user: account.user.0,
            name: account.name.clone(),
            password_hash: account.password_hash.clone(),
            standing: form::Record::encode(&account.standing).into(),
            bot: account.bot.as_ref().map(form::Record::encode).unwrap_or_default().into(),
        }),
        Ok(Answer::Ended(sessions)) => {
            What::Ended(mesh::Ended { sessions: sessions.iter().map(session_out).collect() })
        }
        Ok(Answer::Inbox { conversations, next }) => {
            What::Inbox(mesh::InboxEntries { conversations: texts(conversations), next: optional_out(next) })
        }
        Ok(Answer::Subscribed(states)) => {
            What::Subscribed(mesh::Subscribed { standings: states.iter().map(subscription_state_out).collect() })
        }
        Ok(Answer::Summaries(rows)) => What::Summaries(mesh::Summarised { conversations: rows.clone() }),
        Ok(Answer::Users(users)) => What::Users(users.clone()),
        Ok(Answer::Page(page)) => What::Page(page.clone()),
        Ok(Answer::PushKey(key)) => What::PushKey(push_key_out(key)),
        Ok(Answer::Presences(news)) => What::Presences(presences_out(news)),
        Ok(Answer::Message(message)) => match level_one::answer_out(message, level) {
            Some(what) => what,
            None => What::Operation(wire::ServerFrame { request_id: 0, message: Some(message.as_ref().clone()) }),
        },
    };
    mesh::Answer { what: Some(what) }.encode_to_vec().into()
}

pub fn decode_outcome(body: Bytes) -> Decoded<Outcome> {
    use answer::What;
    let answer = mesh::Answer::decode(body).map_err(|_| Garbled("answer"))?;
    Ok(Ok(match answer.what.ok_or(Garbled("answer"))? {
        What::Refusal(refusal) => return Ok(Err(refusal_in(refusal)?)),
        What::Done(_) => Answer::Done,
        What::Registered(user) => Answer::Registered(UserId(user)),
        What::Placed(placed) => {
            Answer::Placed { seq: Seq(placed.seq), time: Timestamp(placed.time_ms), duplicate: placed.duplicate }
        }
        What::GroupCreated(group) => Answer::GroupCreated(GroupId(group)),
        What::Account(account) => Answer::Account(Account {
            user: UserId(account.user),
            name: account.name,
            password_hash: account.password_hash,
            standing: match account.standing.is_empty() {
                true => Default::default(),
                false => form::Record::decode(&account.standing).map_err(|_| Garbled("standing"))?,
            },
            bot: match account.bot.is_empty() {
                true => None,
                false => Some(form::Record::decode(&account.bot).map_err(|_| Garbled("bot"))?),
            },
        }),
        What::Ended(ended) => Answer::Ended(sessions_in(ended.sessions)?),
        What::Inbox(inbox) => {
            Answer::Inbox { conversations: conversations_in(&inbox.conversations)?, next: optional_in(&inbox.next)? }
        }
        What::Subscribed(subscribed) => {
            Answer::Subscribed(subscribed.standings.into_iter().map(subscription_state_in).collect::<Decoded<_>>()?)
        }
        What::Summaries(rows) => Answer::Summaries(rows.conversations),
        What::Users(users) => Answer::Users(users),
        What::Page(page) => Answer::Page(page),
        What::PushKey(mesh::PushKey { private, public }) => Answer::PushKey(PushKey { private, public }),
        What::Presences(presences) => Answer::Presences(presences_in(presences)),
        What::Operation(frame) => Answer::message(frame.message.ok_or(Garbled("answer to an operation"))?),
        other => level_one::answer_in(other)?,
    }))
}

#[cfg(test)]
mod tests;
