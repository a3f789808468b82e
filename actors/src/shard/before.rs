//! Asks the hook of a group before a message is proposed.
//!
//! The leader of the shard asks, so each edge and each node comes by here. A question is a task of
//! its own: the shard and its other conversations go on. Messages of one group are proposed in the
//! order in which they came, so a device that sends without waiting keeps its order.
//!
//! A message with its place already is not asked about again, where applied state shows the place.
//! A repeat that comes while the first is in flight is asked about twice.

use std::collections::BTreeMap;

use ractor::ActorRef;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use troupe_core::command::{JudgeScheduled, Said, Vetted};
use troupe_core::feature::{HOOK_UNAVAILABLE, Intent, OpenStream, REFUSED_BY_HOOK, Scheduled};
use troupe_core::planted::Bug;
use troupe_core::record::{Hook, HookKey};
use troupe_core::{Body, ClientMessageId, Command, ConversationId, Rejection, Reply, ShardId, UserId};
use troupe_store::engine::EngineError;
use troupe_store::rows::View;

use super::ShardState;
use crate::context::NodeContext;
use crate::hooks::{About, Question, Verdict};
use crate::message::Refusal;
use crate::protocol::ShardMsg;
use crate::reply::ReplyTo;

/// For each conversation the end of its last question.
#[derive(Debug, Default)]
pub struct Questions(BTreeMap<ConversationId, oneshot::Receiver<()>>);

impl Questions {
    /// Forgets the questions that have ended.
    pub fn sweep(&mut self) {
        self.0.retain(|_, last| matches!(last.try_recv(), Err(TryRecvError::Empty)));
    }
}

/// The group that the command says something in.
fn said_in(command: &Command) -> Option<ConversationId> {
    let conversation = match command {
        Command::Append(c) if c.intent.is_asked_about() => c.conversation,
        Command::PostHook(c) => c.conversation,
        Command::WritePiece(c) => c.conversation,
        _ => return None,
    };
    conversation.is_group().then_some(conversation)
}

/// Whether a replica has refused this because the hook was not asked: the leader did not know it.
pub fn is_missed(reply: &Reply) -> bool {
    matches!(reply, Reply::Rejected(Rejection::Of(refused)) if refused.code == HOOK_UNAVAILABLE.code)
}

impl ShardState {
    /// The hook to ask about this command. `apply` refuses what passes here by an older state.
    pub(super) fn hook_to_ask(&mut self, command: &Command) -> Option<HookKey> {
        let conversation = said_in(command)?;
        let hook = match self.entities.before(conversation) {
            Some(hook) => hook,
            None => {
                let row = self.context.view().conversation(conversation).ok().flatten();
                let hook = row.map_or(0, |row| row.before);
                self.entities.remember_before(conversation, hook);
                hook
            }
        };
        (hook != 0).then_some((conversation, hook))
    }

    pub(super) fn ask_before(&mut self, myself: &ActorRef<ShardMsg>, hook: HookKey, command: Command, reply: ReplyTo) {
        let (done, turn) = oneshot::channel();
        let earlier = self.questions.0.insert(hook.0, turn);
        let (context, myself) = (self.context.clone(), myself.clone());
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(async move {
            let asked = ask(&context, hook, command).await;
            // It ends within the time of one question. A question that is dropped ends too.
            if let Some(earlier) = earlier {
                let _ = earlier.await;
            }
            match asked {
                // If this actor has stopped, the reply is dropped and the asker asks again.
                Ok(command) => drop(myself.send_message(ShardMsg::Asked { command, reply })),
                Err(refusal) => reply.refuse(refusal),
            }
            drop(done);
        });
    }

    /// The time of a scheduled message has come, and its group has a hook.
    pub(super) fn ask_scheduled(
        &mut self,
        myself: &ActorRef<ShardMsg>,
        conversation: ConversationId,
        sender: UserId,
        id: ClientMessageId,
    ) {
        let (context, shard, myself) = (self.context.clone(), self.shard, myself.clone());
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(async move {
            // A message that is not judged now is asked about when its time comes again.
            let Some(judged) = judge(&context, conversation, sender, id).await else { return };
            let Ok(outcomes) = propose(&context, shard, judged).await else { return };
            let committed_us = context.platform.clock.micros();
            let _ = myself.send_message(ShardMsg::DueRan { effects: outcomes, committed_us });
        });
    }
}

async fn propose(
    context: &NodeContext,
    shard: ShardId,
    judged: JudgeScheduled,
) -> Result<Vec<troupe_core::Effect>, Refusal> {
    let outcomes = context.propose(shard, vec![Command::from(judged)]).await?;
    Ok(outcomes.into_iter().flat_map(|outcome| outcome.effects).collect())
}

/// The command that may be proposed.
async fn ask(context: &NodeContext, key: HookKey, command: Command) -> Result<Command, Refusal> {
    let question = match question(context, key, &command) {
        Ok(question) => question,
        Err(error) => {
            tracing::error!(%error, "applied state cannot be read");
            return Err(Refusal::NotOwner { hint: None });
        }
    };
    // The rules answer it without the hook: a repeat, or a request of an outsider.
    let Some((question, closed)) = question else { return Ok(command) };
    let (conversation, hook) = key;
    let verdict = match context.platform.planted(Bug::BeforeHookSkipped) {
        true => Verdict::Allowed,
        false => context.hooks.ask(question).await,
    };
    match verdict {
        Verdict::Allowed => {}
        Verdict::Refused(why) => {
            let text = if why.is_empty() { REFUSED_BY_HOOK.text.into() } else { why.into() };
            return Err(Refusal::Rejected { code: REFUSED_BY_HOOK.code.into(), text });
        }
        verdict => {
            tracing::debug!(%conversation, hook, closed, ?verdict, "a hook has not answered about a message");
            if closed {
                return Err(Rejection::from(HOOK_UNAVAILABLE).into());
            }
        }
    }
    let said = match command {
        Command::Append(append) => Said::Append(append),
        Command::PostHook(post) => Said::Post(*post),
        Command::WritePiece(piece) => Said::Piece(*piece),
        other => return Ok(other),
    };
    Ok(Command::from(Vetted { hook, said }))
}

/// The question about a command, and the policy of the hook. `None`: nothing is to be asked.
fn question(context: &NodeContext, key: HookKey, command: &Command) -> Result<Option<(Question, bool)>, EngineError> {
    let view = context.view();
    let Some((sender, id, about, body)) = said(&view, key.0, command)? else { return Ok(None) };
    if view.member(key.0, sender)?.is_none() {
        return Ok(None);
    }
    let now = context.platform.clock.now();
    Ok(hook_of(&view, key)?.map(|row| {
        let Hook { url, key: secret, closed, .. } = row;
        let (conversation, hook) = key;
        (Question { conversation, hook, url, key: secret, sender, id, about, body, now }, closed)
    }))
}

fn hook_of(view: &View, key: HookKey) -> Result<Option<Hook>, EngineError> {
    Ok(view.get::<Hook>(&key)?.filter(|row| row.kind == Hook::BEFORE))
}

type Part = (UserId, Option<ClientMessageId>, About, Body);

/// The part of the sender. `None`: it has its place already, or it is refused in any case.
fn said(view: &View, conversation: ConversationId, command: &Command) -> Result<Option<Part>, EngineError> {
    let (sender, id, about, body) = match command {
        Command::Append(c) => {
            let (about, body) = match &c.intent {
                Intent::Message(body) | Intent::Bundle(body) => (About::Message, body.clone()),
                Intent::Edit { to, body } => (About::Edit { to: *to }, body.clone()),
                Intent::EndStream { to, text, .. } => (About::End { message: *to }, Body::text(text)),
                _ => return Ok(None),
            };
            (c.actor, c.client_message_id, about, body)
        }
        Command::PostHook(c) => {
            let row = view.get::<Hook>(&(conversation, c.hook))?;
            // Invariant: private. A wrong secret reaches no receiver.
            let row = row.filter(|row| row.kind == Hook::INCOMING && row.hash == c.hash);
            let Some(row) = row else { return Ok(None) };
            (row.by, c.id, About::Message, c.body.clone())
        }
        Command::WritePiece(c) => {
            let stream = view.get::<OpenStream>(&(conversation, c.message))?;
            let is_new = stream.is_some_and(|held| held.sender == c.sender && c.index >= held.pieces);
            let about = About::Piece { message: c.message, index: c.index };
            return Ok(is_new.then(|| (c.sender, None, about, Body::text(&c.text))));
        }
        _ => return Ok(None),
    };
    let is_placed = view.placed(conversation, sender, id)?.is_some();
    Ok((!is_placed).then_some((sender, Some(id), about, body)))
}

/// `None`: not now.
async fn judge(
    context: &NodeContext,
    conversation: ConversationId,
    sender: UserId,
    id: ClientMessageId,
) -> Option<JudgeScheduled> {
    let judged = |hook, refused: &str| {
        let refused = refused.to_owned();
        Some(JudgeScheduled { conversation, sender, client_message_id: id, hook, refused })
    };
    let (question, closed) = {
        let view = context.view();
        let hook = view.conversation(conversation).ok()??.before;
        if hook == 0 {
            return judged(0, "");
        }
        let body = view.get::<Scheduled>(&(conversation, sender, id)).ok()??.body?;
        let row = hook_of(&view, (conversation, hook)).ok()??;
        let Hook { url, key, closed, .. } = row;
        let (id, about, now) = (Some(id), About::Message, context.platform.clock.now());
        (Question { conversation, hook, url, key, sender, id, about, body, now }, closed)
    };
    let hook = question.hook;
    match context.hooks.ask(question).await {
        Verdict::Allowed => judged(hook, ""),
        Verdict::Refused(_) => judged(hook, REFUSED_BY_HOOK.code),
        Verdict::Silent(_) if closed => judged(hook, HOOK_UNAVAILABLE.code),
        Verdict::Silent(_) => judged(hook, ""),
        Verdict::Busy => None,
    }
}
