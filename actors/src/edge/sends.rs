//! What a user says and has read, on its way to the router. What is meant for somebody of whom this
//! node knows nothing yet waits until it is known whether they exist.

use ractor::ActorRef;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use troupe_core::{Append, Command, ConversationId, Rejection, Seq, UserId, machine};
use troupe_proto::client;
use troupe_runtime::trace::{At, Stage, Subject};

use super::{EdgeMsg, EdgeState, ServerMessage, requests};
use crate::message::{Refusal, Request, wire};
use crate::router::PATIENCE;

pub(super) struct Waiting {
    request_id: u64,
    /// When it was received.
    begin: Instant,
    append: Append,
    place: OwnedSemaphorePermit,
}

impl EdgeState {
    /// Sends of one connection reach the router in the order in which they came.
    pub(super) fn send(
        &mut self,
        myself: &ActorRef<EdgeMsg>,
        request_id: u64,
        place: OwnedSemaphorePermit,
        user: UserId,
        send: wire::Send,
    ) {
        self.front.world.stats.sends.up();
        let append = match client::send(user, send) {
            Ok(append) => append,
            Err(error) => return self.reply(request_id).fail(&error.into()),
        };
        if let Err(refusal) = self.front.budgets.message(user, append.intent.cost()) {
            return self.reply(request_id).fail(&refusal);
        }
        let conversation = append.conversation;
        let message = Subject::message(conversation, user, append.client_message_id);
        self.front.world.ctx.hop(message, Stage::Edge, At::default());
        let command = Command::Append(append);
        if let Err(rejection) = machine::check(&command) {
            return self.reply(request_id).fail(&rejection.into());
        }
        let Command::Append(append) = command else { return };
        let waiting = Waiting { request_id, begin: Instant::now(), append, place };
        if let ConversationId::Direct { .. } = conversation {
            let Some(peer) = conversation.peer_of(user) else {
                return self.reply(request_id).fail(&Rejection::NotMember.into());
            };
            if let Some(before) = self.checking.get_mut(&conversation) {
                return before.push(waiting);
            }
            if !self.front.directory.knows(peer) {
                self.checking.insert(conversation, vec![waiting]);
                let (front, myself) = (self.front.clone(), myself.clone());
                tokio::spawn(async move {
                    let outcome = front.directory.all_exist(&front.world, user, &[peer], PATIENCE).await;
                    let _ = myself.send_message(EdgeMsg::PeerChecked { conversation, outcome });
                });
                return;
            }
        }
        self.dispatch(waiting);
    }

    pub(super) fn peer_checked(&mut self, conversation: ConversationId, outcome: Result<(), Refusal>) {
        for waiting in self.checking.remove(&conversation).unwrap_or_default() {
            match &outcome {
                Ok(()) => self.dispatch(waiting),
                // Only the other user was looked for: whatever came of it, nothing was sent.
                Err(Refusal::Unavailable) => self.reply(waiting.request_id).fail(&Refusal::OVERLOADED),
                Err(refusal) => self.reply(waiting.request_id).fail(refusal),
            }
        }
    }

    fn dispatch(&self, waiting: Waiting) {
        let Waiting { request_id, begin, append, place } = waiting;
        let (id, conversation) = (append.client_message_id, append.conversation);
        let message = Subject::message(conversation, append.actor, id);
        let world = &self.front.world;
        let request = Request::Commit(Command::Append(append));
        let answer = world.router.ask(conversation.slot(), request, PATIENCE);
        let ctx = world.ctx.clone();
        self.answer(request_id, place, async move {
            let ack = requests::placed(answer.await?, conversation, id)?;
            ctx.metrics.acks.up();
            ctx.metrics.ack.since(begin);
            ctx.hop(message, Stage::Acknowledged, At::default());
            Ok(ack)
        });
    }

    pub(super) fn mark_read(&self, request_id: u64, place: OwnedSemaphorePermit, user: UserId, mark: &wire::MarkRead) {
        match client::conversation("mark_read.conversation", &mark.conversation) {
            Ok(conversation) => {
                let request = Request::Read { conversation, user, seq: Seq(mark.seq) };
                let answer = self.front.world.router.ask(conversation.slot(), request, PATIENCE);
                self.answer(request_id, place, async move { answer.await.map(|_| ServerMessage::Done(wire::Done {})) });
            }
            Err(error) => self.reply(request_id).fail(&error.into()),
        }
    }
}
