//! What a connection becomes by a login, and how it ends by a logout.

use std::future::Future;
use std::sync::Arc;

use ractor::ActorRef;
use tokio::sync::OwnedSemaphorePermit;
use troupe_core::ConversationId;
use troupe_core::effect::Ending;

use super::sink::TcpSink;
use super::{EdgeMsg, EdgeState, Phase, ServerMessage, login, requests, wire};
use crate::message::{Refusal, Session};
use crate::protocol::FanoutMsg;

impl EdgeState {
    pub(super) fn enter(
        &self,
        myself: &ActorRef<EdgeMsg>,
        request_id: u64,
        place: OwnedSemaphorePermit,
        entering: impl Future<Output = Result<login::Entered, Refusal>> + Send + 'static,
    ) {
        let myself = myself.clone();
        tokio::spawn(async move {
            let message = match entering.await {
                Ok(login::Entered { session, name, token }) => EdgeMsg::LoggedIn { request_id, session, name, token },
                Err(refusal) => EdgeMsg::LoginFailed { request_id, refusal },
            };
            drop(place);
            let _ = myself.send_message(message);
        });
    }

    pub(super) fn logged_in(
        &mut self,
        myself: &ActorRef<EdgeMsg>,
        request_id: u64,
        session: Session,
        name: String,
        token: Vec<u8>,
    ) {
        let stats = &self.front.world.stats;
        self.outbox.set_logged_in();
        self.place.logged_in();
        self.payer.logged_in(session.user);
        if !std::mem::replace(&mut self.logged_in, true) {
            stats.unauthenticated.down();
            stats.sessions.up();
        }
        self.phase = Phase::In(session.clone());
        let device = session.device.to_string();
        // First the answer, then whatever the fan-out pushes.
        let logged_in = wire::LoggedIn { user_id: session.user.0, name, device, token: token.into() };
        self.reply(request_id).send(ServerMessage::LoggedIn(logged_in));
        let sink = Arc::new(TcpSink { outbox: self.outbox.clone(), edge: myself.clone() });
        let attach = FanoutMsg::Attach { id: self.id, session, sink };
        self.front.world.router.tell_fanout(attach);
        // The fan-out finds the conversations of its users by itself; the channel is everybody's.
        let everyone = FanoutMsg::Follow { id: self.id, conversations: vec![ConversationId::Everyone] };
        self.front.world.router.tell_fanout(everyone);
    }

    pub(super) fn log_out(
        &mut self,
        myself: &ActorRef<EdgeMsg>,
        request_id: u64,
        place: OwnedSemaphorePermit,
        session: Session,
    ) {
        self.phase = Phase::Leaving(session.clone());
        let (front, myself) = (self.front.clone(), myself.clone());
        tokio::spawn(async move {
            let outcome = requests::close(&front, session.user, session.device, Some(session.token)).await;
            drop(place);
            let _ = myself.send_message(EdgeMsg::LoggedOut { request_id, outcome });
        });
    }

    pub(super) fn logged_out(&mut self, request_id: u64, outcome: Result<(), Refusal>) {
        match outcome {
            Ok(()) => {
                self.reply(request_id).send(ServerMessage::Done(wire::Done {}));
                self.outbox.end(&Ending::LoggedOut.into());
            }
            Err(refusal) => {
                if let Phase::Leaving(session) = &self.phase {
                    self.phase = Phase::In(session.clone());
                }
                self.reply(request_id).fail(&refusal);
            }
        }
    }
}
