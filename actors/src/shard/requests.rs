//! What a shard does with each request: an entity's, a commit of its own, or an answer from applied
//! state.

use ractor::ActorRef;
use troupe_core::plant::Plant;
use troupe_core::{Command, ConversationId, command, limits};
use troupe_raft::api::LoginPolicy;
use troupe_runtime::trace::{At, Stage, Subject};

use super::{HEARING, ShardState, accounts, reads, standing, touch};
use crate::message::{Answer, Refusal, Request, Session};
use crate::protocol::{ConversationMsg, ShardMsg, UserMsg};
use crate::reply::ReplyTo;
use crate::world::{Asker, answer_of};

/// Rows read for one unit of cost.
const ROWS: u64 = 8;

impl ShardState {
    /// Takes a request in, or refuses it at the bound.
    pub(super) fn admit(&mut self, myself: &ActorRef<ShardMsg>, request: Request, reply: ReplyTo) {
        let Some(permit) = self.in_flight.enter() else { return reply.refuse(Refusal::OVERLOADED) };
        let reply = reply.holding(permit);
        self.world.ctx.metrics.shard_in_flight.count(self.in_flight.in_flight());
        if let Request::Commit(command) = &request
            && let Some(message) = Subject::of(command)
        {
            self.world.ctx.hop(message, Stage::Shard, At::shard(self.shard));
        }
        // What no state would allow is refused before the state is looked at.
        if let Request::Commit(command) = &request
            && let Err(refusal) = self.world.admit(self.shard, command)
        {
            return reply.refuse(refusal);
        }
        let asker = standing::asker(&request);
        let known = asker.is_some_and(|(conversation, user)| self.entities.knows(conversation, user));
        if known || !standing::may_be_settled(&request) {
            return self.dispatch(myself, request, reply);
        }
        let view = self.world.view();
        match standing::settled(&view, &request) {
            Ok(None) => {
                self.dispatch(myself, request, reply);
                // Not everybody who is let in is a member: one may be about to join, or repeat what
                // was placed before.
                if let Some((conversation, user)) = asker
                    && standing::is_in(&view, conversation, user).unwrap_or(false)
                {
                    self.entities.remember(conversation, user);
                }
            }
            Ok(Some(_)) if self.world.ctx.planted(Plant::RemovedMaySend) => self.dispatch(myself, request, reply),
            // Only a hint for others, so that the state at hand is good enough.
            Ok(Some(_)) if matches!(request, Request::Delivered { .. }) => reply.send(Ok(Answer::Done)),
            Ok(Some(_)) => {
                let asker = asker.map_or(Asker::Node, |(_, user)| Asker::User(user, 1));
                self.look_again(myself, asker, request, reply);
            }
            Err(error) => {
                tracing::error!(%error, "applied state cannot be read");
                reply.refuse(Refusal::NotOwner { hint: None });
            }
        }
    }

    /// Refused by the state at hand: settled if a majority confirms that this is the state, let in
    /// otherwise.
    // Invariant: honest_errors. A leader that was cut off, or is still applying, refuses nobody for
    // good.
    fn look_again(&self, myself: &ActorRef<ShardMsg>, asker: Asker, request: Request, reply: ReplyTo) {
        let (world, shard, myself) = (self.world.clone(), self.shard, myself.clone());
        tokio::spawn(async move {
            let asked = request.clone();
            let found = world.read(shard, asker, move |view| Ok(Ok(standing::settled(view, &asked)?)));
            match found.await {
                // If this actor has stopped, the reply is dropped with the message and the asker
                // asks again.
                Ok(None) => drop(myself.send_message(ShardMsg::LetIn { request, reply })),
                Ok(Some(settled)) => reply.send(settled),
                // Nothing was proposed: another try at the leader of now is safe.
                Err(Refusal::Unavailable) => reply.refuse(Refusal::NotOwner { hint: None }),
                Err(refusal) => reply.refuse(refusal),
            }
        });
    }

    /// Hands a request on to whom it concerns.
    pub(super) fn dispatch(&mut self, myself: &ActorRef<ShardMsg>, request: Request, reply: ReplyTo) {
        match request {
            Request::Commit(command) => self.commit(myself, command, reply),
            Request::OpenSession { session, revision } => self.open_session(myself, session, revision, reply),
            Request::Detach(session) => {
                self.presence.detach(&session);
                self.tell_user(&session);
            }
            Request::Attach { node, whole, sessions } => self.attach_all(node, whole, sessions, reply),
            Request::Subscribe { node, interests } => {
                // First the interest, then the heads: what comes between is pushed or below the
                // head.
                for (conversation, _) in &interests {
                    if self.interest.entry(*conversation).or_default().insert(node) {
                        self.tell_interest(*conversation);
                    }
                }
                self.read(reply, Asker::Node, move |view| reads::subscription_states(view, interests));
            }
            Request::Unsubscribe { node, conversations } => {
                for conversation in conversations {
                    self.lose_interest(conversation, node);
                }
            }
            Request::Delivered { conversation, user, seq } => {
                let message = |reply| ConversationMsg::Delivered { user, seq, reply };
                self.ask_conversation(myself, conversation, reply, message);
            }
            Request::Read { conversation, user, seq } => {
                let message = |reply| ConversationMsg::Read { user, seq, reply };
                self.ask_conversation(myself, conversation, reply, message);
            }
            Request::Resume(session) => self.resume(myself, session, reply),
            Request::Credentials(key) => self.read(reply, Asker::Node, move |view| reads::credentials(view, &key)),
            Request::Sessions(user) => {
                let online = self.presence.sessions(user).to_vec();
                let rest = touch::rest(&self.world);
                self.read(reply, Asker::User(user, 2), move |view| reads::sessions(view, user, &online, rest));
            }
            Request::Accounts(query) => {
                let (slots, online) = (self.slots.clone(), self.presence.online().into_iter().collect());
                self.read(reply, Asker::Node, move |view| accounts::answer(view, slots, query, &online));
            }
            Request::Invitations(user) => {
                let now = self.world.ctx.clock.now().0;
                self.read(reply, Asker::User(user, 13), move |view| reads::invitations(view, user, now));
            }
            Request::Inbox { user, after, limit } => {
                self.read(reply, Asker::User(user, 4), move |view| reads::inbox(view, user, after, limit))
            }
            Request::Users { asker, ids, names } => {
                let asker = Asker::User(asker, 1 + (ids.len() + names.len()) as u64 / ROWS);
                self.read_users(myself, reply, asker, move |view| reads::users(view, &ids, &names));
            }
            Request::Search { asker, prefix, after, limit, online } => {
                let slots = self.slots.clone();
                let who = online.then(|| (self.presence.online(), self.names.clone()));
                let searched = 2 * slots.len() + limit.min(limits::PAGE_USERS);
                let rows = who.as_ref().map_or(searched, |(online, names)| names.cost(online.len(), limit));
                let asker = Asker::User(asker, 1 + rows as u64 / ROWS);
                self.read_users(myself, reply, asker, move |view| match who {
                    Some((online, names)) => {
                        names.page(&online, after.as_deref(), limit, |user| reads::user(view, user))
                    }
                    None => reads::search(view, slots, &prefix, after.as_deref(), limit),
                });
            }
            Request::Summaries { user, conversations } => {
                let asker = Asker::User(user, 1 + 4 * conversations.len() as u64 / ROWS);
                self.read(reply, asker, move |view| reads::summaries(view, user, &conversations));
            }
            Request::Fetch { conversation, reader, seq, backward, limit } => {
                let skips = reader.is_some() && !backward && self.world.ctx.planted(Plant::PageSkipsOne);
                let seq = if skips { seq.next() } else { seq };
                let cost = 1 + limit.min(limits::PAGE_EVENTS) as u64 / ROWS;
                let asker = reader.map_or(Asker::Node, |user| Asker::User(user, cost));
                self.read(reply, asker, move |view| reads::page(view, conversation, reader, seq, backward, limit));
            }
            Request::Members { user, conversation, after, limit } => {
                let asker = Asker::User(user, 1 + 2 * limit.min(limits::PAGE_MEMBERS) as u64 / ROWS);
                self.read(reply, asker, move |view| reads::members(view, user, conversation, after, limit));
            }
        }
    }

    fn commit(&mut self, myself: &ActorRef<ShardMsg>, command: Command, reply: ReplyTo) {
        match command {
            Command::Append(_) | Command::AdvanceCursors(_) => {
                let conversation = match &command {
                    Command::Append(append) => append.conversation,
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
            | Command::SettleOutbox(_)
            | Command::CreateAccount(_)
            | Command::ChangeInvite(_)
            | Command::RecordAct(_) => self.commit_alone(command, reply),
        }
    }

    fn commit_alone(&self, command: Command, reply: ReplyTo) {
        let (world, shard) = (self.world.clone(), self.shard);
        tokio::spawn(async move {
            match world.propose(shard, vec![command]).await {
                Ok(mut outcomes) => {
                    let Some(outcome) = outcomes.pop() else { return reply.refuse(Refusal::Unavailable) };
                    reply.send(answer_of(outcome.reply));
                    if !outcome.effects.is_empty() {
                        let execute = ShardMsg::ExecuteEffects { effects: outcome.effects };
                        world.router.tell_shard(shard, execute);
                    }
                }
                Err(refusal) => reply.refuse(refusal),
            }
        });
    }

    fn refuses_second_logins(&self) -> bool {
        self.world.router.routing().login_policy == LoginPolicy::Refuse
    }

    /// A fresh leader does not know yet which users are online at the other nodes.
    fn is_hearing(&self) -> bool {
        let routing = self.world.router.routing();
        let unheard = || routing.nodes.values().any(|node| node.reachable && !self.presence.has_heard_of(node.id));
        self.since.elapsed() < HEARING && unheard()
    }

    fn resume(&mut self, myself: &ActorRef<ShardMsg>, session: Session, reply: ReplyTo) {
        if !self.refuses_second_logins() {
            let (world, shard) = (self.world.clone(), self.shard);
            tokio::spawn(async move { reply.send(touch::resume(&world, shard, session).await) });
            return;
        }
        if self.is_hearing() {
            return reply.refuse(Refusal::NotOwner { hint: None });
        }
        let user = session.user;
        self.ask_user(myself, user, reply, |reply| UserMsg::Resume { session, reply });
    }

    fn open_session(&mut self, myself: &ActorRef<ShardMsg>, session: Session, revision: u64, reply: ReplyTo) {
        let refusing = self.refuses_second_logins();
        if refusing && self.is_hearing() {
            // Definite and retried by the router: in a moment it is known who is online.
            return reply.refuse(Refusal::NotOwner { hint: None });
        }
        let user = session.user;
        let message = |reply| UserMsg::Open { session, revision, refusing, reply };
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
        user: troupe_core::UserId,
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
        work: impl FnOnce(&troupe_store::rows::View) -> reads::Read + Send + 'static,
    ) {
        let (world, shard) = (self.world.clone(), self.shard);
        tokio::spawn(async move { reply.send(world.read(shard, asker, work).await) });
    }

    /// As [`ShardState::read`], by way of this actor, which knows who is online.
    fn read_users(
        &self,
        myself: &ActorRef<ShardMsg>,
        reply: ReplyTo,
        asker: Asker,
        work: impl FnOnce(&troupe_store::rows::View) -> reads::Read + Send + 'static,
    ) {
        let (world, shard, myself) = (self.world.clone(), self.shard, myself.clone());
        tokio::spawn(async move {
            match world.read(shard, asker, work).await {
                // If this actor has stopped, the reply is dropped with the message and the asker
                // asks again.
                Ok(Answer::Users(users)) => drop(myself.send_message(ShardMsg::Users { users, reply })),
                other => reply.send(other),
            }
        });
    }
}
