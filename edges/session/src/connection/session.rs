//! Login and logout of a connection.

use std::sync::Arc;

use ractor::ActorRef;
use tokio::sync::OwnedSemaphorePermit;
use troupe_actors::message::{Refusal, ServerMessage, wire};
use troupe_actors::ops::Entry;
use troupe_actors::ops::login::Entered;
use troupe_actors::service::Caller;
use troupe_core::effect::Ending;

use super::sink::FrameSink;
use super::{EdgeMsg, EdgeState, Phase};

impl EdgeState {
    pub(super) fn enter<E: Entry<Entered = Entered>>(
        &mut self,
        myself: &ActorRef<EdgeMsg>,
        request_id: u64,
        place: OwnedSemaphorePermit,
        entry: E,
    ) {
        self.phase = Phase::Entering;
        let entering = self.service().enter(self.connection.address(), entry);
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
        self.outbox.set_logged_in();
        self.connection.logged_in(&caller);
        // First the answer, then whatever fan-out pushes.
        self.reply(request_id).send(ServerMessage::LoggedIn(wire::LoggedIn {
            user_id: caller.user().0,
            name,
            device: caller.session.device.to_string(),
            token: token.into(),
        }));
        let sink = FrameSink { outbox: self.outbox.clone(), edge: myself.clone() };
        self.connection.attach(&caller, Arc::new(sink));
        self.phase = Phase::In(caller);
    }

    pub(super) fn log_out(
        &mut self,
        myself: &ActorRef<EdgeMsg>,
        request_id: u64,
        place: OwnedSemaphorePermit,
        caller: Caller,
        logout: wire::Logout,
    ) {
        let leaving = self.service().perform(&caller, logout);
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
