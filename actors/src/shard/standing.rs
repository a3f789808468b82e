//! Tasks that applied state settles, so that they wake no entity and propose nothing.
//!
//! The rules are those of core. The shard checks them against the state at hand, and again behind a
//! read barrier before it refuses: a fresh leader may not have applied the command that lets the
//! user in. `apply` judges each task that passes.

use troupe_core::command::{Append, CancelScheduled, CloseSession, CreateGroup, Register, Schedule};
use troupe_core::feature::{ALREADY_SENT, GroupLink, Intent, JoinRequest, NO_SUCH_SCHEDULED, Scheduled, link_id};
use troupe_core::machine::contact::NOT_TAKEN;
use troupe_core::record::Gate;
use troupe_core::{Command, ConversationId, Rejection, Seq, Signal, TokenHash, UserId};
use troupe_proto::client;
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use crate::message::{Answer, Outcome};
use crate::protocol::{Cursor, Task};
use crate::visible::is_in;

/// `None`: the conversation or the log has to decide.
type Settled = Result<Option<Outcome>, EngineError>;

impl Task {
    /// The user who asks something of a conversation's actor.
    pub fn asker(&self) -> Option<(ConversationId, UserId)> {
        match self {
            Task::Commit(Command::Append(append)) => Some((append.conversation, append.actor)),
            Task::Commit(Command::Schedule(c)) => Some((c.conversation, c.sender)),
            Task::Commit(_) => None,
            Task::Move(cursor) => Some((cursor.conversation, cursor.user)),
            Task::Signal(signal) => Some((signal.conversation, signal.from)),
        }
    }

    /// Whether membership is all that applied state could refuse it for, so that a known member
    /// needs no look.
    pub fn is_for_members(&self) -> bool {
        !matches!(self, Task::Signal(_))
    }

    /// Whether it could be settled at all; else there is no need to look.
    pub fn may_be_settled(&self) -> bool {
        match self {
            Task::Move(_) | Task::Signal(_) => true,
            Task::Commit(Command::Append(append)) => append.conversation != ConversationId::Everyone,
            Task::Commit(Command::Schedule(c)) => c.conversation != ConversationId::Everyone,
            Task::Commit(
                Command::CreateGroup(_) | Command::Register(_) | Command::CloseSession(_) | Command::CancelScheduled(_),
            ) => true,
            Task::Commit(_) => false,
        }
    }
}

pub fn settled(view: &View, task: &Task) -> Settled {
    match task {
        Task::Move(cursor) => moves(view, *cursor),
        Task::Signal(signal) => Ok(passes(view, signal)?.err().map(|why| Err(why.into()))),
        Task::Commit(Command::Append(append)) => outsider(view, append),
        Task::Commit(Command::Schedule(c)) => not_scheduled(view, c),
        Task::Commit(Command::CancelScheduled(c)) => cancelled(view, c),
        Task::Commit(Command::CreateGroup(create)) => created(view, create),
        Task::Commit(Command::Register(register)) => registered(view, register),
        Task::Commit(Command::CloseSession(close)) => closed(view, close),
        Task::Commit(_) => Ok(None),
    }
}

/// Refuses an outsider, unless this request has its place in the conversation already.
// Invariant: exactly_once. An actor that was acked once is acked again, even if removed meanwhile.
fn outsider(view: &View, append: &Append) -> Settled {
    let Append { conversation, actor, client_message_id, intent, .. } = append;
    if is_in(view, *conversation, *actor)? || view.placed(*conversation, *actor, *client_message_id)?.is_some() {
        return Ok(None);
    }
    if !intent.lets_in() {
        return Ok(Some(Err(intent.outsider().into())));
    }
    let link = match intent {
        Intent::JoinByLink { hash } => view.get::<GroupLink>(&(*conversation, link_id(hash)))?,
        _ => None,
    };
    let has = |hash: &TokenHash| link.is_some_and(|link| link.hash == *hash);
    let asked = view.get::<JoinRequest>(&(*conversation, *actor))?.is_some();
    let lets_in = view.conversation(*conversation)?.is_some_and(|row| intent.opens(&row, has, || asked));
    Ok((!lets_in).then(|| Err(intent.outsider().into())))
}

/// Refuses an outsider, unless it has scheduled this message before.
fn not_scheduled(view: &View, schedule: &Schedule) -> Settled {
    let key = (schedule.conversation, schedule.sender, schedule.client_message_id);
    if view.get::<Scheduled>(&key)?.is_some() { Ok(None) } else { outsider(view, &schedule.append()) }
}

/// Refuses to cancel what is not there. The request names the caller's own message, so its answer
/// says nothing about the conversation.
fn cancelled(view: &View, cancel: &CancelScheduled) -> Settled {
    let CancelScheduled { conversation, sender, client_message_id: id } = *cancel;
    if view.get::<Scheduled>(&(conversation, sender, id))?.is_some() {
        return Ok(None);
    }
    let is_sent = view.placed(conversation, sender, id)?.is_some();
    Ok(Some(Err(Rejection::from(if is_sent { ALREADY_SENT } else { NO_SUCH_SCHEDULED }).into())))
}

/// Refuses a cursor beyond the head.
fn moves(view: &View, Cursor { conversation, user, seq, .. }: Cursor) -> Settled {
    if !is_in(view, conversation, user)? {
        return Ok(Some(Err(Rejection::NotMember.into())));
    }
    let head = view.conversation(conversation)?.map_or(Seq::ZERO, |row| row.head);
    Ok(match seq {
        seq if seq > head => Some(Err(client::Refusal::SeqBeyondHead.into())),
        Seq::ZERO => Some(Ok(Answer::Done)),
        _ => None,
    })
}

/// The head at which a signal passes, in the same view as the membership of its sender.
pub fn passes(view: &View, signal: &Signal) -> Result<Result<Seq, Rejection>, EngineError> {
    if !is_in(view, signal.conversation, signal.from)? {
        return Ok(Err(Rejection::NotMember));
    }
    // A user that blocks the sender gets nothing of it.
    let peer = signal.conversation.peer_of(signal.from);
    let gate = peer.map(|peer| view.get::<Gate>(&(signal.conversation, peer))).transpose()?.flatten();
    if gate.is_some_and(|gate| gate.closed) {
        return Ok(Err(NOT_TAKEN.into()));
    }
    Ok(signal.passes(view.conversation(signal.conversation)?.as_ref()))
}

fn registered(view: &View, register: &Register) -> Settled {
    let Some(user) = view.user_of_name(register.name.key().as_str())? else { return Ok(None) };
    let repeated = view.user(user)?.is_some_and(|row| row.request == register.request);
    Ok(Some(if repeated { Ok(Answer::Registered(user)) } else { Err(Rejection::NameTaken.into()) }))
}

fn created(view: &View, create: &CreateGroup) -> Settled {
    let group = view.group_of_request(create.slot(), create.creator, create.request)?;
    Ok(group.map(|group| Ok(Answer::GroupCreated(group))))
}

fn closed(view: &View, close: &CloseSession) -> Settled {
    let held = view.session(close.user, &close.device)?;
    let meant = held.is_some_and(|held| close.token.is_none_or(|token| token == held.token));
    Ok((!meant).then_some(Ok(Answer::Done)))
}
