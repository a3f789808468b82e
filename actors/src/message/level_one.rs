//! Operations and their answers in the form that nodes of 0.1 use.
//!
//! This form is written while the first feature level is in force, and always read. This file and
//! the messages that it names are deleted together with that level.

use troupe_core::{Level, UserId, limits};
use troupe_proto::wire::mesh::{self, answer, request};

use super::encoding::Garbled;
use super::{Answer, ClientRequest, Request, ServerMessage, page_limit, wire};

/// `None`: another level is in force, or nodes of 0.1 do not know the operation.
pub fn request_out(caller: UserId, operation: &ClientRequest, level: Level) -> Option<request::What> {
    use request::What;
    if level > Level::FIRST {
        return None;
    }
    let user = caller.0;
    let cursor = |conversation: &str, seq| mesh::CursorTo { conversation: conversation.to_owned(), user, seq };
    let search = |prefix: &str, after: &str, limit, online| mesh::UserSearch {
        prefix: prefix.to_owned(),
        after: after.to_owned(),
        limit: page_limit(limit, limits::PAGE_USERS) as u32,
        online,
        asker: user,
    };
    Some(match operation {
        ClientRequest::Acknowledge(to) => What::Delivered(cursor(&to.conversation, to.seq)),
        ClientRequest::MarkRead(to) => What::Read(cursor(&to.conversation, to.seq)),
        ClientRequest::ListSessions(wire::ListSessions {}) => What::Sessions(user),
        ClientRequest::ListInvitations(wire::ListInvitations {}) => What::Invitations(user),
        ClientRequest::FindUsers(find) => What::Search(search(&find.prefix, &find.after, find.limit, false)),
        ClientRequest::ListOnline(list) => What::Search(search("", &list.after, list.limit, true)),
        ClientRequest::Fetch(fetch) => What::Fetch(mesh::Fetch {
            conversation: fetch.conversation.clone(),
            reader: user,
            seq: fetch.seq,
            backward: fetch.backward,
            limit: limit(fetch.limit),
        }),
        ClientRequest::ListMembers(list) => What::Members(mesh::MemberPage {
            user,
            conversation: list.conversation.clone(),
            after: list.after,
            limit: limit(list.limit),
        }),
        _ => return None,
    })
}

/// Nodes of 0.1 take a limit of zero for one.
fn limit(asked: u32) -> u32 {
    if asked == 0 { u32::MAX } else { asked }
}

pub fn request_in(what: request::What) -> Option<Request> {
    use request::What;
    let operation = |user, request| Some(Request::Operation { caller: UserId(user), request });
    match what {
        What::Delivered(mesh::CursorTo { conversation, user, seq }) => {
            operation(user, ClientRequest::Acknowledge(wire::Acknowledge { conversation, seq }))
        }
        What::Read(mesh::CursorTo { conversation, user, seq }) => {
            operation(user, ClientRequest::MarkRead(wire::MarkRead { conversation, seq }))
        }
        What::Sessions(user) => operation(user, ClientRequest::ListSessions(wire::ListSessions {})),
        What::Invitations(user) => operation(user, ClientRequest::ListInvitations(wire::ListInvitations {})),
        What::Search(mesh::UserSearch { prefix: _, after, limit, online: true, asker }) => {
            operation(asker, ClientRequest::ListOnline(wire::ListOnline { after, limit: least(limit) }))
        }
        What::Search(mesh::UserSearch { prefix, after, limit, online: false, asker }) => {
            operation(asker, ClientRequest::FindUsers(wire::FindUsers { prefix, after, limit: least(limit) }))
        }
        What::Fetch(mesh::Fetch { conversation, reader, seq, backward, limit }) => {
            let limit = least(limit);
            operation(reader, ClientRequest::Fetch(wire::Fetch { conversation, seq, backward, limit }))
        }
        What::Members(mesh::MemberPage { user, conversation, after, limit }) => {
            let limit = least(limit);
            operation(user, ClientRequest::ListMembers(wire::ListMembers { conversation, after, limit }))
        }
        _ => None,
    }
}

fn least(limit: u32) -> u32 {
    limit.max(1)
}

/// `None`: another level is in force, or no request of nodes of 0.1 has this answer.
pub fn answer_out(message: &ServerMessage, level: Level) -> Option<answer::What> {
    use answer::What;
    if level > Level::FIRST {
        return None;
    }
    Some(match message {
        ServerMessage::Sessions(sessions) => What::Sessions(sessions.clone()),
        ServerMessage::Users(users) => What::Users(users.clone()),
        ServerMessage::Page(page) => What::Page(page.clone()),
        ServerMessage::Members(members) => What::Members(members.clone()),
        ServerMessage::Invitations(invitations) => What::Invitations(invitations.clone()),
        _ => return None,
    })
}

pub fn answer_in(what: answer::What) -> Result<Answer, Garbled> {
    use answer::What;
    Ok(Answer::message(match what {
        What::Sessions(sessions) => ServerMessage::Sessions(sessions),
        What::Members(members) => ServerMessage::Members(members),
        What::Invitations(invitations) => ServerMessage::Invitations(invitations),
        _ => return Err(Garbled("answer")),
    }))
}

/// The answers that have one form for operations and for requests of nodes.
pub fn message_of(answer: Answer) -> Option<ServerMessage> {
    match answer {
        Answer::Users(users) => Some(ServerMessage::Users(users)),
        Answer::Page(page) => Some(ServerMessage::Page(page)),
        _ => None,
    }
}
