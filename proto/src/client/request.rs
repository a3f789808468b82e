//! Requests of clients as commands of core.
//!
//! The actor never comes from the request: the session says it.

use troupe_core::command::{Append, CreateGroup, Intent, Schedule, WritePiece};
use troupe_core::feature::code_hash;
use troupe_core::{Body, Seq, Timestamp, TokenHash, UserId};

use super::body::role;
use crate::field;
pub use crate::field::{client_message_id, conversation, device, file_hash, optional_client_message_id, user};
use crate::wire::client as wire;
use crate::wire::client::change_group::Change;
use troupe_core::form::DecodeError;

/// A message of `sender`. Core validates the body.
pub fn send(sender: UserId, send: wire::Send) -> Result<Append, DecodeError> {
    Ok(Append {
        conversation: conversation("send.conversation", &send.conversation)?,
        actor: sender,
        client_message_id: client_message_id("send.client_message_id", &send.client_message_id)?,
        after: field::optional_client_message_id("send.after", &send.after)?,
        intent: Intent::Message(field::required("send.body", send.body)?.into()),
    })
}

/// Core validates it.
pub fn body(name: &'static str, body: Option<wire::Body>) -> Result<Body, DecodeError> {
    field::required(name, body).map(Body::from)
}

/// A message of `sender` that waits for its time.
pub fn schedule(sender: UserId, schedule: wire::Schedule) -> Result<Schedule, DecodeError> {
    Ok(Schedule {
        conversation: conversation("schedule.conversation", &schedule.conversation)?,
        sender,
        client_message_id: client_message_id("schedule.client_message_id", &schedule.client_message_id)?,
        at: Timestamp(schedule.deliver_at_ms),
        body: field::required("schedule.body", schedule.body)?.into(),
    })
}

/// Another body for a message of `actor`. Core validates the body.
pub fn edit_message(actor: UserId, edit: wire::EditMessage) -> Result<Append, DecodeError> {
    let body = field::required("edit_message.body", edit.body)?.into();
    Ok(Append {
        conversation: conversation("edit_message.conversation", &edit.conversation)?,
        actor,
        client_message_id: client_message_id("edit_message.request", &edit.request)?,
        after: None,
        intent: Intent::Edit { to: Seq(edit.seq), body },
    })
}

/// The cluster's setting is the time in which a sender may recall a message.
pub fn recall_message(actor: UserId, recall: &wire::RecallMessage, within_ms: u64) -> Result<Append, DecodeError> {
    Ok(Append {
        conversation: conversation("recall_message.conversation", &recall.conversation)?,
        actor,
        client_message_id: client_message_id("recall_message.request", &recall.request)?,
        after: None,
        intent: Intent::Recall { to: Seq(recall.seq), within_ms },
    })
}

/// A vote of `actor` in a poll, or one that it takes back.
pub fn vote(actor: UserId, vote: wire::Vote) -> Result<Append, DecodeError> {
    Ok(Append {
        conversation: conversation("vote.conversation", &vote.conversation)?,
        actor,
        client_message_id: client_message_id("vote.request", &vote.request)?,
        after: None,
        intent: Intent::Vote { to: Seq(vote.seq), options: vote.options, remove: vote.remove },
    })
}

/// A piece of a stream of `sender`.
pub fn write_piece(sender: UserId, piece: wire::WritePiece) -> Result<WritePiece, DecodeError> {
    Ok(WritePiece {
        conversation: conversation("write_piece.conversation", &piece.conversation)?,
        sender,
        message: Seq(piece.seq),
        index: piece.index,
        text: piece.text,
    })
}

pub fn end_stream(actor: UserId, end: wire::EndStream) -> Result<Append, DecodeError> {
    Ok(Append {
        conversation: conversation("end_stream.conversation", &end.conversation)?,
        actor,
        client_message_id: client_message_id("end_stream.request", &end.request)?,
        after: None,
        intent: Intent::EndStream { to: Seq(end.seq), text: end.text, aborted: end.aborted },
    })
}

pub fn close_poll(actor: UserId, close: &wire::ClosePoll) -> Result<Append, DecodeError> {
    Ok(Append {
        conversation: conversation("close_poll.conversation", &close.conversation)?,
        actor,
        client_message_id: client_message_id("close_poll.request", &close.request)?,
        after: None,
        intent: Intent::ClosePoll { to: Seq(close.seq) },
    })
}

pub fn create_group(creator: UserId, create: wire::CreateGroup) -> Result<CreateGroup, DecodeError> {
    Ok(CreateGroup {
        creator,
        request: client_message_id("create_group.request", &create.request)?,
        name: create.name,
        open: create.open,
        members: users("create_group.members", create.members)?,
    })
}

pub fn change_group(actor: UserId, change: wire::ChangeGroup) -> Result<Append, DecodeError> {
    Ok(Append {
        conversation: conversation("change_group.conversation", &change.conversation)?,
        actor,
        client_message_id: client_message_id("change_group.request", &change.request)?,
        after: None,
        intent: field::required("change_group.change", change.change)?.try_into()?,
    })
}

impl TryFrom<Change> for Intent {
    type Error = DecodeError;

    fn try_from(change: Change) -> Result<Self, DecodeError> {
        Ok(match change {
            Change::Rename(name) => Intent::Rename { name },
            Change::Add(add) => Intent::Add { users: users("change_group.add.users", add.users)? },
            Change::Remove(number) => Intent::Remove { user: user("change_group.remove", number)? },
            Change::Leave(wire::Done {}) => Intent::Leave,
            Change::Join(wire::Done {}) => Intent::Join,
            Change::SetRole(set) => Intent::SetRole {
                user: user("change_group.set_role.user", set.user)?,
                role: role("change_group.set_role.role", set.role)?,
            },
            Change::Set(settings) => Intent::Set(Box::new((*settings).into())),
            Change::Mute(mute) => {
                Intent::Mute { user: user("change_group.mute.user", mute.user)?, until: Timestamp(mute.until_ms) }
            }
            Change::Ban(ban) => Intent::Ban { user: user("change_group.ban.user", ban.user)?, lift: ban.lifted },
            Change::Transfer(to) => Intent::Transfer { to: user("change_group.transfer", to)? },
            Change::Disband(wire::Done {}) => Intent::Disband,
            Change::MakeLink(link) => Intent::MakeLink {
                hash: code_hash(&link.code).ok_or(BAD_CODE)?,
                uses: link.uses,
                expires: Timestamp(link.expires_ms),
            },
            Change::RevokeLink(link) => Intent::RevokeLink { link },
            Change::AskToJoin(text) => Intent::AskToJoin { text },
            Change::AnswerRequest(answer) => Intent::AnswerRequest {
                user: user("change_group.answer_request.user", answer.user)?,
                accept: answer.accept,
            },
            Change::Withdraw(wire::Done {}) => Intent::Withdraw,
            // A text that is no code is that of no link.
            Change::JoinLink(code) => Intent::JoinByLink { hash: code_hash(&code).unwrap_or(TokenHash([0; 32])) },
        })
    }
}

const BAD_CODE: DecodeError = DecodeError::Invalid {
    field: "change_group.make_link.code",
    why: "a code has 12 to 64 letters, digits and dashes",
};

/// The change of a group that says it; `None`: it changes no group.
pub fn change(intent: &Intent) -> Option<Change> {
    Some(match intent {
        Intent::Rename { name } => Change::Rename(name.clone()),
        Intent::Add { users } => Change::Add(wire::AddMembers { users: users.iter().map(|user| user.0).collect() }),
        Intent::Remove { user } => Change::Remove(user.0),
        Intent::Leave => Change::Leave(wire::Done {}),
        Intent::Join => Change::Join(wire::Done {}),
        Intent::SetRole { user, role } => {
            Change::SetRole(wire::RoleChanged { user: user.0, role: wire::Role::from(*role).into() })
        }
        Intent::Set(settings) => Change::Set(Box::new(settings.as_ref().into())),
        Intent::Mute { user, until } => Change::Mute(wire::Muted { user: user.0, until_ms: until.0 }),
        Intent::Ban { user, lift } => Change::Ban(wire::Banned { user: user.0, lifted: *lift }),
        Intent::Transfer { to } => Change::Transfer(to.0),
        Intent::Disband => Change::Disband(wire::Done {}),
        Intent::AskToJoin { text } => Change::AskToJoin(text.clone()),
        Intent::AnswerRequest { user, accept } => {
            Change::AnswerRequest(wire::AnswerRequest { user: user.0, accept: *accept })
        }
        Intent::Withdraw => Change::Withdraw(wire::Done {}),
        _ => return None,
    })
}

fn users(field: &'static str, numbers: Vec<u64>) -> Result<Vec<UserId>, DecodeError> {
    numbers.into_iter().map(|number| user(field, number)).collect()
}
