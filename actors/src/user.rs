//! The actor of one user: opens and closes sessions one after another, under the cluster's policy
//! for a second login.
//!
//! The node of the connection has verified the password, and the shard has the presence. This actor
//! decides about sessions only, and may be passivated while the user is connected.

use ractor::{Actor, ActorProcessingErr, ActorRef};
use troupe_core::command::OpenSession;
use troupe_core::{Command, Level, ShardId, UserId};
use troupe_proto::client;

use crate::context::{NodeContext, answer_of};
use crate::message::{Refusal, Session};
use crate::proposals::Proposals;
use crate::protocol::{ShardMsg, UserMsg};
use crate::reply::ReplyTo;
use crate::shard::touch;

pub struct User;

pub struct UserArgs {
    pub context: NodeContext,
    pub shard: ShardId,
    pub user: UserId,
    pub online: Vec<Session>,
}

pub struct UserState {
    context: NodeContext,
    shard: ShardId,
    user: UserId,
    online: Vec<Session>,
    /// Sessions whose opening is proposed or was just committed: they count as online.
    opening: Vec<Session>,
    proposals: Proposals<Waiter>,
}

struct Waiter {
    reply: ReplyTo,
    opens: Option<Session>,
}

impl Actor for User {
    type Msg = UserMsg;
    type State = UserState;
    type Arguments = UserArgs;

    async fn pre_start(&self, _: ActorRef<UserMsg>, args: UserArgs) -> Result<UserState, ActorProcessingErr> {
        let UserArgs { context, shard, user, online } = args;
        context.platform.metrics.actors.up();
        Ok(UserState { context, shard, user, online, opening: Vec::new(), proposals: Proposals::default() })
    }

    async fn handle(
        &self,
        myself: ActorRef<UserMsg>,
        message: UserMsg,
        state: &mut UserState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            UserMsg::Open { session, revision, from, refusing, reply } => {
                state.open(&myself, session, revision, from, refusing, reply);
            }
            UserMsg::Resume { session, reply } => state.resume(&myself, session, reply),
            UserMsg::NotResumed(session) => state.opening.retain(|opening| *opening != session),
            UserMsg::Propose { command, reply } => state.push(&myself, command, reply, None),
            UserMsg::Online(online) => {
                // A live session is no longer opening.
                state.opening.retain(|opening| !online.contains(opening));
                state.online = online;
            }
            UserMsg::Finished { failed } => {
                state.opening.retain(|opening| !failed.contains(opening));
                state.proposals.finished();
                state.propose(&myself);
            }
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<UserMsg>, state: &mut UserState) -> Result<(), ActorProcessingErr> {
        for waiter in state.proposals.abandon() {
            waiter.reply.refuse(Refusal::NotOwner { hint: None });
        }
        state.context.platform.metrics.actors.down();
        Ok(())
    }
}

impl UserState {
    fn another_is_online(&self, session: &Session) -> bool {
        self.online.iter().chain(&self.opening).any(|held| held.token != session.token)
    }

    /// The session counts as online while its row is read, so that two of them cannot both resume.
    fn resume(&mut self, myself: &ActorRef<UserMsg>, session: Session, reply: ReplyTo) {
        if self.another_is_online(&session) {
            return reply.refuse(client::Refusal::AlreadyOnline.into());
        }
        if !self.opening.contains(&session) {
            self.opening.push(session.clone());
        }
        let (context, shard, myself) = (self.context.clone(), self.shard, myself.clone());
        tokio::spawn(async move {
            let outcome = touch::resume(&context, shard, session.clone()).await;
            match &outcome {
                Ok(_) => context.router.tell_shard(shard, ShardMsg::Opened(session)),
                // A passivated actor holds no session as opening.
                Err(_) => drop(myself.send_message(UserMsg::NotResumed(session))),
            }
            reply.send(outcome);
        });
    }

    fn open(
        &mut self,
        myself: &ActorRef<UserMsg>,
        session: Session,
        revision: u64,
        from: String,
        refusing: bool,
        reply: ReplyTo,
    ) {
        if refusing && self.another_is_online(&session) {
            return reply.refuse(client::Refusal::AlreadyOnline.into());
        }
        let Session { user, device, token, .. } = session.clone();
        debug_assert_eq!(user, self.user);
        if !self.opening.contains(&session) {
            self.opening.push(session.clone());
        }
        // Replicas of the first level would apply it differently.
        let from = if self.context.cluster.level() < Level::SECOND { String::new() } else { from };
        let command = Command::OpenSession(OpenSession { user, device, token, revision, from });
        self.push(myself, command, reply, Some(session));
    }

    fn push(&mut self, myself: &ActorRef<UserMsg>, command: Command, reply: ReplyTo, opens: Option<Session>) {
        self.proposals.push(command, Waiter { reply, opens });
        self.propose(myself);
    }

    fn propose(&mut self, myself: &ActorRef<UserMsg>) {
        let Some((commands, waiters)) = self.proposals.take_batch() else { return };
        let (context, shard, myself) = (self.context.clone(), self.shard, myself.clone());
        tokio::spawn(async move {
            let mut failed = Vec::new();
            match context.propose(shard, commands).await {
                Ok(outcomes) => {
                    for (waiter, outcome) in waiters.into_iter().zip(outcomes) {
                        let answer = answer_of(outcome.reply);
                        // Endings go first: the session that replaces one has the same device.
                        if !outcome.effects.is_empty() {
                            let execute = ShardMsg::ExecuteEffects { effects: outcome.effects };
                            context.router.tell_shard(shard, execute);
                        }
                        match waiter.opens {
                            Some(session) if answer.is_ok() => {
                                // Before the answer, so that the next login finds this session
                                // online.
                                context.router.tell_shard(shard, ShardMsg::Opened(session));
                            }
                            Some(session) => failed.push(session),
                            None => {}
                        }
                        waiter.reply.send(answer);
                    }
                }
                Err(refusal) => {
                    for waiter in waiters {
                        failed.extend(waiter.opens);
                        waiter.reply.refuse(refusal.clone());
                    }
                }
            }
            // A passivated actor needs no news.
            let _ = myself.send_message(UserMsg::Finished { failed });
        });
    }
}
