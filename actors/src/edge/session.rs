//! What a connection becomes by a login, and how it ends by a logout.

use std::sync::Arc;

use ractor::ActorRef;
use tokio::sync::OwnedSemaphorePermit;
use troupe_core::ConversationId;
use troupe_core::effect::Ending;

use super::sink::TcpSink;
use super::{EdgeMsg, EdgeState, Phase};
use crate::message::{Refusal, ServerMessage, wire};
use crate::ops::Entry;
use crate::ops::login::Entered;
use crate::protocol::FanoutMsg;
use crate::service::Caller;

impl EdgeState {
    pub(super) fn enter<E: Entry<Entered = Entered>>(
        &mut self,
        myself: &ActorRef<EdgeMsg>,
        request_id: u64,
        place: OwnedSemaphorePermit,
        entry: E,
    ) {
        self.phase = Phase::Entering;
        let entering = self.context.service.enter(self.payer.address(), entry);
        let myself = myself.clone();
        tokio::spawn(async move {
            let message = match entering.await {
                Ok(entered) => EdgeMsg::LoggedIn { request_id, entered },
                Err(refusal) => EdgeMsg::LoginFailed { request_id, refusal },
            };
            drop(place);
            let _ = myself.send_message(message);
        });
    }

    pub(super) fn logged_in(&mut self, myself: &ActorRef<EdgeMsg>, request_id: u64, entered: Entered) {
        let Entered { caller, name, token } = entered;
        let session = caller.session.clone();
        let stats = &self.context.service.world.stats;
        self.outbox.set_logged_in();
        self.place.logged_in();
        self.payer.logged_in(session.user);
        if !std::mem::replace(&mut self.logged_in, true) {
            stats.unauthenticated.down();
            stats.sessions.up();
        }
        self.phase = Phase::In(caller);
        let device = session.device.to_string();
        // First the answer, then whatever the fan-out pushes.
        let logged_in = wire::LoggedIn { user_id: session.user.0, name, device, token: token.into() };
        self.reply(request_id).send(ServerMessage::LoggedIn(logged_in));
        let sink = Arc::new(TcpSink { outbox: self.outbox.clone(), edge: myself.clone() });
        let attach = FanoutMsg::Attach { id: self.id, session, sink };
        self.context.service.world.router.tell_fanout(attach);
        // The fan-out finds the conversations of its users by itself; the channel is everybody's.
        let everyone = FanoutMsg::Follow { id: self.id, conversations: vec![ConversationId::Everyone] };
        self.context.service.world.router.tell_fanout(everyone);
    }

    pub(super) fn log_out(
        &mut self,
        myself: &ActorRef<EdgeMsg>,
        request_id: u64,
        place: OwnedSemaphorePermit,
        caller: Caller,
        logout: wire::Logout,
    ) {
        let leaving = self.context.service.perform(&caller, logout);
        self.phase = Phase::Leaving(caller);
        let myself = myself.clone();
        tokio::spawn(async move {
            let outcome = leaving.await.map(drop);
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
                if let Phase::Leaving(caller) = &self.phase {
                    self.phase = Phase::In(caller.clone());
                }
                self.reply(request_id).fail(&refusal);
            }
        }
    }
}
