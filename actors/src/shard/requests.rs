//! Requests to a shard: it passes them to an entity, commits them itself, or reads applied state.

use ractor::ActorRef;
use troupe_core::command::Said;
use troupe_core::planted::Bug;
use troupe_core::{Command, ConversationId, ShardId, UserId, command};
use troupe_raft::api::LoginPolicy;
use troupe_runtime::trace::{At, Stage, Subject};
use troupe_store::rows::View;

use super::leading::Leading;
use super::{HEARING, ShardState, before, standing, touch};
use crate::context::{Asker, NodeContext, answer_of};
use crate::message::{Answer, Refusal, Request, Session};
use crate::ops::{self, Found, Plan, fetch, get_users, list_conversations, login, subscribe_push};
use crate::presence::Presence;
use crate::protocol::{ConversationMsg, ShardMsg, Task, UserMsg};
use crate::reply::ReplyTo;
use crate::visible::is_in;

impl ShardState {
    /// Takes a request, or refuses it at the bound.
    pub(super) fn admit(&mut self, myself: &ActorRef<ShardMsg>, request: Request, reply: ReplyTo) {
        let Some(permit) = self.in_flight.enter() else { return reply.refuse(Refusal::OVERLOADED) };
        let reply = reply.holding(permit);
        self.context.platform.metrics.shard_in_flight.count(self.in_flight.in_flight());
        if let Request::Commit(command) = &request
            && let Some(message) = Subject::of(command)
        {
            self.context.platform.hop(message, Stage::Shard, At::shard(self.shard));
        }
        match request {
            // Refuses without reading state where no state would allow the command.
            Request::Commit(command) => match self.context.admit(self.shard, &command) {
                Ok(()) => self.take_in(myself, Task::Commit(command), reply),
                Err(refusal) => reply.refuse(refusal),
            },
            Request::Operation { caller, request } => {
                let leading = Leading { shard: self, myself, caller, reply };
                if let Err(Leading { reply, .. }) = ops::lead(request, leading) {
                    reply.refuse(Refusal::rejected("bad_request", "no leader performs this as it is"));
                }
            }
            Request::Signal(signal) => match signal.check() {
                Ok(()) => self.take_in(myself, Task::Signal(signal), reply),
                Err(why) => reply.refuse(why.into()),
            },
            Request::OpenSession { session, revision, from } => {
                self.open_session(myself, session, revision, from, reply)
            }
            Request::Detach(session) => {
                self.presence.detach(&session);
                self.tell_user(&session);
            }
            Request::Watch { session, users } => {
                self.watch(session, users);
                reply.send(Ok(Answer::Done));
            }
            Request::Watches { node, watches } => self.name_watchers(node, watches, reply),
            Request::Attach { node, whole, sessions } => self.attach_all(node, whole, sessions, reply),
            Request::Subscribe { node, interests } => self.subscribe(node, interests, reply),
            Request::Unsubscribe { node, conversations } => {
                for conversation in conversations {
                    self.lose_interest(conversation, node);
                }
            }
            Request::Resume(session) => self.resume(myself, session, reply),
            Request::Verify(session) => {
                let (context, shard) = (self.context.clone(), self.shard);
                tokio::spawn(async move { reply.send(touch::resume(&context, shard, session).await) });
            }
            Request::Credentials(key) => self.read(reply, Asker::Node, move |view| login::credentials(view, &key)),
            Request::Inbox { user, after, limit } => {
                let asker = Asker::user(user, INBOX_ROWS);
                self.read(reply, asker, move |view| list_conversations::inbox(view, user, after, limit));
            }
            Request::Users { asker, ids, names } => {
                let rows = ids.len() + names.len();
                let plan = Plan::read(asker, rows, move |view| get_users::users(view, asker, &ids, &names));
                self.follow(myself, plan.completed(get_users::show_online), reply, Answer::Users);
            }
            Request::Summaries { user, conversations } => {
                let asker = Asker::user(user, SUMMARY_ROWS * conversations.len());
                self.read(reply, asker, move |view| list_conversations::rows_of(view, user, &conversations));
            }
            Request::Absent(absent) => {
                reply.send(Ok(Answer::Done));
                self.push_to_absent(absent);
            }
            Request::PushKey(fresh) => {
                let (context, shard) = (self.context.clone(), self.shard);
                tokio::spawn(async move { reply.send(subscribe_push::kept_key(&context, shard, fresh).await) });
            }
            Request::Fill { conversation, after, limit } => {
                let now = self.context.cluster.time();
                self.read(reply, Asker::Node, move |view| {
                    Ok(fetch::page(view, conversation, None, after, false, limit, now)?.map(Answer::Page))
                });
            }
        }
    }

    /// Settles a task from applied state, or passes it on.
    fn take_in(&mut self, myself: &ActorRef<ShardMsg>, task: Task, reply: ReplyTo) {
        let asker = task.asker();
        let known = asker.is_some_and(|(conversation, user)| self.entities.knows(conversation, user));
        let known = known && task.is_for_members();
        if known || !task.may_be_settled() {
            return self.dispatch(myself, task, reply);
        }
        let view = self.context.view();
        match standing::settled(&view, &task) {
            Ok(None) => {
                self.dispatch(myself, task, reply);
                // A user who passes need not be a member: it may join, or repeat a placed request.
                if let Some((conversation, user)) = asker
                    && is_in(&view, conversation, user).unwrap_or(false)
                {
                    self.entities.remember(conversation, user);
                }
            }
            Ok(Some(_)) if self.context.platform.planted(Bug::RemovedMaySend) => self.dispatch(myself, task, reply),
            Ok(Some(_)) if self.context.platform.planted(Bug::SignalUnchecked) && !task.is_for_members() => {
                self.dispatch(myself, task, reply)
            }
            // A delivered position is a hint, so the state at hand is good enough.
            Ok(Some(_)) if matches!(task, Task::Move(cursor) if !cursor.read) => reply.send(Ok(Answer::Done)),
            Ok(Some(_)) => {
                let asker = asker.map_or(Asker::Node, |(_, user)| Asker::User(user, 1));
                self.look_again(myself, asker, task, reply);
            }
            Err(error) => {
                tracing::error!(%error, "applied state cannot be read");
                reply.refuse(Refusal::NotOwner { hint: None });
            }
        }
    }

    /// Reads again behind a barrier what the state at hand refuses.
    // Invariant: honest_errors. A leader that was cut off, or has not applied its log, refuses
    // nothing for good.
    fn look_again(&self, myself: &ActorRef<ShardMsg>, asker: Asker, task: Task, reply: ReplyTo) {
        let (context, shard, myself) = (self.context.clone(), self.shard, myself.clone());
        tokio::spawn(async move {
            let asked = task.clone();
            let found = context.read(shard, asker, move |view| Ok(Ok(standing::settled(view, &asked)?)));
            match found.await {
                // If this actor has stopped, the reply is dropped with the message and the asker
                // asks again.
                Ok(None) => drop(myself.send_message(ShardMsg::LetIn { task, reply })),
                Ok(Some(settled)) => reply.send(settled),
                // Nothing was proposed: another try at the leader of now is safe.
                Err(Refusal::Unavailable) => reply.refuse(Refusal::NotOwner { hint: None }),
                Err(refusal) => reply.refuse(refusal),
            }
        });
    }

    pub(super) fn dispatch(&mut self, myself: &ActorRef<ShardMsg>, task: Task, reply: ReplyTo) {
        match task {
            Task::Commit(Command::Vetted(_)) => {
                reply.refuse(Refusal::rejected("bad_request", "only a leader proposes this"));
            }
            Task::Commit(command) => match self.hook_to_ask(&command) {
                Some(hook) => self.ask_before(myself, hook, command, reply),
                None => self.commit(myself, command, reply),
            },
            Task::Move(cursor) => {
                let message = |reply| ConversationMsg::Move { cursor, reply };
                self.ask_conversation(myself, cursor.conversation, reply, message);
            }
            Task::Signal(signal) => reply.send(self.signal(signal)),
        }
    }

    pub(super) fn commit(&mut self, myself: &ActorRef<ShardMsg>, command: Command, reply: ReplyTo) {
        match command {
            Command::Vetted(ref vetted) if !matches!(vetted.said, Said::Piece(_)) => {
                let conversation = vetted.said.conversation();
                let message = |reply| ConversationMsg::Propose { command, reply };
                self.ask_conversation(myself, conversation, reply, message);
            }
            Command::Append(_) | Command::PostHook(_) | Command::AdvanceCursors(_) => {
                let conversation = match &command {
                    Command::Append(append) => append.conversation,
                    Command::PostHook(post) => post.conversation,
                    Command::AdvanceCursors(advance) => advance.conversation,
                    _ => return reply.refuse(Refusal::Unavailable),
                };
                let message = |reply| ConversationMsg::Propose { command, reply };
                self.ask_conversation(myself, conversation, reply, message);
            }
            // In their order among the user's logins.
            Command::CloseSession(command::CloseSession { user, .. })
            | Command::TouchSession(command::TouchSession { user, .. }) => {
                let message = |reply| UserMsg::Propose { command, reply };
                self.ask_user(myself, user, reply, message);
            }
            Command::ChangeAccount(ref change) => {
                let user = change.user;
                let message = |reply| UserMsg::Propose { command, reply };
                self.ask_user(myself, user, reply, message);
            }
            Command::OpenSession(_) => {
                reply.refuse(Refusal::rejected("bad_request", "a session is opened by its own request"));
            }
            // These have no actor yet, or need none: their order among each other does not matter.
            Command::Register(_)
            | Command::CreateGroup(_)
            | Command::UpdateInbox(_)
            | Command::AcceptInvitation(_)
            | Command::ChangeProfile(_)
            | Command::ChangeBot(_)
            | Command::NoteSeen(_)
            | Command::ShowPresence(_)
            | Command::ChangeContact(_)
            | Command::HearContact(_)
            | Command::SettleContacts(_)
            | Command::SetGate(_)
            | Command::FileReport(_)
            | Command::CloseReport(_)
            | Command::SettleOutbox(_)
            | Command::ChangePersonal(_)
            | Command::DeleteForMe(_)
            | Command::ChangeFavourite(_)
            | Command::CreateAccount(_)
            | Command::ChangeInvite(_)
            | Command::RecordAct(_)
            | Command::Import(_)
            | Command::Schedule(_)
            | Command::CancelScheduled(_)
            | Command::CreateUpload(_)
            | Command::ChangeHook(_)
            | Command::CancelUpload(_)
            | Command::KeepPreview(_)
            | Command::ReserveRoom(_)
            | Command::HearRoom(_)
            | Command::SettleRooms(_)
            | Command::ChangePush(_)
            | Command::Vetted(_)
            | Command::WritePiece(_) => self.commit_alone(command, reply),
            Command::RunDue(_) | Command::AdvanceHook(_) | Command::JudgeScheduled(_) | Command::MakePushKey(_) => {
                reply.refuse(Refusal::rejected("bad_request", "only a leader proposes this"))
            }
            Command::WriteChunk(_) => self.commit_in_turn(command, reply),
        }
    }

    fn commit_alone(&self, command: Command, reply: ReplyTo) {
        tokio::spawn(commit(self.context.clone(), self.shard, command, reply));
    }

    /// Commits a chunk when the one before it has left the log.
    fn commit_in_turn(&self, command: Command, reply: ReplyTo) {
        let Some(waiting) = self.chunks.enter() else { return reply.refuse(Refusal::OVERLOADED) };
        let committing = commit(self.context.clone(), self.shard, command, reply.holding(waiting));
        let turn = self.chunk_turn.clone();
        tokio::spawn(async move {
            // The semaphore is never closed.
            let _turn = turn.acquire_owned().await;
            committing.await;
        });
    }

    fn refuses_second_logins(&self) -> bool {
        self.context.router.routing().login_policy == LoginPolicy::Refuse
    }

    /// A fresh leader does not know yet which users are online at the other nodes.
    pub(super) fn is_hearing(&self) -> bool {
        let routing = self.context.router.routing();
        let unheard = || routing.nodes.values().any(|node| node.reachable && !self.presence.has_heard_of(node.id));
        self.since.elapsed() < HEARING && unheard()
    }

    fn resume(&mut self, myself: &ActorRef<ShardMsg>, session: Session, reply: ReplyTo) {
        if !self.refuses_second_logins() {
            let (context, shard) = (self.context.clone(), self.shard);
            tokio::spawn(async move { reply.send(touch::resume(&context, shard, session).await) });
            return;
        }
        if self.is_hearing() {
            return reply.refuse(Refusal::NotOwner { hint: None });
        }
        let user = session.user;
        self.ask_user(myself, user, reply, |reply| UserMsg::Resume { session, reply });
    }

    fn open_session(
        &mut self,
        myself: &ActorRef<ShardMsg>,
        session: Session,
        revision: u64,
        from: String,
        reply: ReplyTo,
    ) {
        let refusing = self.refuses_second_logins();
        if refusing && self.is_hearing() {
            // Definite and retried by the router: in a moment it is known who is online.
            return reply.refuse(Refusal::NotOwner { hint: None });
        }
        let user = session.user;
        let message = |reply| UserMsg::Open { session, revision, from, refusing, reply };
        self.ask_user(myself, user, reply, message);
    }

    fn ask_conversation(
        &mut self,
        myself: &ActorRef<ShardMsg>,
        conversation: ConversationId,
        reply: ReplyTo,
        message: impl FnOnce(ReplyTo) -> ConversationMsg,
    ) {
        let interest = || self.interest.get(&conversation).cloned().unwrap_or_default();
        self.entities.ask_conversation(myself, conversation, interest, reply, message);
    }

    fn ask_user(
        &mut self,
        myself: &ActorRef<ShardMsg>,
        user: UserId,
        reply: ReplyTo,
        message: impl FnOnce(ReplyTo) -> UserMsg,
    ) {
        let online = || self.presence.sessions(user).to_vec();
        self.entities.ask_user(myself, user, online, reply, message);
    }

    pub(super) fn read(
        &self,
        reply: ReplyTo,
        asker: Asker,
        work: impl FnOnce(&View) -> Found<Answer> + Send + 'static,
    ) {
        let (context, shard) = (self.context.clone(), self.shard);
        tokio::spawn(async move { reply.send(context.read(shard, asker, work).await) });
    }

    /// Follows the plan of an operation. `answer` gives the result its form between nodes.
    pub(super) fn follow<A: Send + 'static>(
        &mut self,
        myself: &ActorRef<ShardMsg>,
        plan: Plan<A>,
        reply: ReplyTo,
        answer: fn(A) -> Answer,
    ) {
        let reading = match plan {
            Plan::Read(reading) => reading,
            Plan::Move(cursor) => return self.take_in(myself, Task::Move(cursor), reply),
        };
        let (context, shard, myself) = (self.context.clone(), self.shard, myself.clone());
        tokio::spawn(async move {
            match (context.read(shard, reading.asker, reading.work).await, reading.complete) {
                (Ok(mut found), Some(complete)) => {
                    let complete = move |presence: &Presence| {
                        complete(&mut found, presence);
                        reply.send(Ok(answer(found)));
                    };
                    // If this actor has stopped, the reply is dropped with the message and the
                    // asker asks again.
                    let _ = myself.send_message(ShardMsg::Complete(Box::new(complete)));
                }
                (found, _) => reply.send(found.map(answer)),
            }
        });
    }
}

async fn commit(context: NodeContext, shard: ShardId, command: Command, reply: ReplyTo) {
    let conversation = match &command {
        Command::WritePiece(piece) => Some(piece.conversation),
        Command::Vetted(vetted) => Some(vetted.said.conversation()),
        _ => None,
    };
    match context.propose(shard, vec![command]).await {
        Ok(mut outcomes) => {
            let Some(outcome) = outcomes.pop() else { return reply.refuse(Refusal::Unavailable) };
            if let (Some(conversation), true) = (conversation, before::is_missed(&outcome.reply)) {
                context.router.tell_shard(shard, ShardMsg::HookMissed { conversation });
            }
            reply.send(answer_of(outcome.reply));
            if !outcome.effects.is_empty() {
                let execute = ShardMsg::ExecuteEffects { effects: outcome.effects };
                context.router.tell_shard(shard, execute);
            }
        }
        Err(refusal) => reply.refuse(refusal),
    }
}

/// Rows read for a page of a user's list, about.
const INBOX_ROWS: usize = 24;
/// Rows read for a conversation of such a page.
const SUMMARY_ROWS: usize = 5;
