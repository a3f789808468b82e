//! The edge: the actor of one client connection. It turns frames into operations and answers into
//! frames, and knows whether the connection has a verified caller.
//!
//! The socket is a task of its own ([`socket`]); pushes go from fan-out straight into the outbox and
//! never wake this actor. [`session`] holds what a connection becomes by a login. What requests mean
//! and cost is in [`crate::ops`], the same for every edge.

mod reply;
mod session;
mod sink;
mod socket;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::OwnedSemaphorePermit;
use troupe_proto::client::{self, EndReason};
use troupe_runtime::Stream;

use crate::budgets::Payer;
use crate::connection::Outbox;
use crate::door::Door;
use crate::edge::reply::Reply;
use crate::listener::ListenerMsg;
use crate::message::{ClientRequest, Refusal, ServerMessage, wire};
use crate::ops::acknowledge::Acknowledging;
use crate::ops::login::Entered;
use crate::ops::{self, Operation, Perform, cost};
use crate::places::Place;
use crate::protocol::FanoutMsg;
use crate::service::{Caller, Service};
use crate::sink::ConnectionId;

/// What all connections of this edge share.
pub struct EdgeContext {
    pub service: Service,
    pub door: Arc<Door>,
}

pub enum EdgeMsg {
    /// `place` is one of the send window, held until the request is answered.
    Frame {
        frame: wire::ClientFrame,
        place: OwnedSemaphorePermit,
    },
    BadFrame,
    /// A frame that its user or its address cannot pay now.
    Unpaid {
        request_id: u64,
        after: Duration,
    },
    /// An acknowledgement is no longer under way.
    Acknowledged,
    LoggedIn {
        request_id: u64,
        entered: Entered,
    },
    LoginFailed {
        request_id: u64,
        refusal: Refusal,
    },
    LoggedOut {
        request_id: u64,
        outcome: Result<(), Refusal>,
    },
    End {
        reason: EndReason,
    },
    /// A frame that sends the client elsewhere, or that it may stay after all.
    TurnAway {
        go_away: Option<Bytes>,
    },
    /// The socket has ended.
    Closed,
}

impl ractor::Message for EdgeMsg {}

pub struct Edge;

pub struct EdgeArgs {
    pub context: Arc<EdgeContext>,
    pub id: ConnectionId,
    pub stream: Box<dyn Stream>,
    pub listener: ActorRef<ListenerMsg>,
    pub place: Place,
    pub payer: Arc<Payer>,
    pub outbox: Arc<Outbox>,
    /// Sends the client elsewhere, once it is greeted.
    pub go_away: Option<Bytes>,
}

pub struct EdgeState {
    context: Arc<EdgeContext>,
    id: ConnectionId,
    outbox: Arc<Outbox>,
    /// Kept back until the client is greeted: the welcome is the first frame.
    go_away: Option<Bytes>,
    listener: ActorRef<ListenerMsg>,
    place: Place,
    payer: Arc<Payer>,
    logged_in: bool,
    phase: Phase,
    acknowledging: Acknowledging,
}

enum Phase {
    Silent,
    Greeted,
    /// One login at a time.
    Entering,
    In(Caller),
    /// The session is being closed; the connection ends with the answer.
    Leaving(Caller),
}

impl Actor for Edge {
    type Msg = EdgeMsg;
    type State = EdgeState;
    type Arguments = EdgeArgs;

    async fn pre_start(&self, myself: ActorRef<EdgeMsg>, args: EdgeArgs) -> Result<EdgeState, ActorProcessingErr> {
        let EdgeArgs { context, id, stream, listener, place, payer, outbox, go_away } = args;
        let stats = &context.service.world.stats;
        stats.actors.up();
        stats.connections.up();
        stats.unauthenticated.up();
        tokio::spawn(socket::run(stream, context.door.clone(), outbox.clone(), payer.clone(), myself));
        Ok(EdgeState {
            context,
            id,
            outbox,
            go_away,
            listener,
            place,
            payer,
            logged_in: false,
            phase: Phase::Silent,
            acknowledging: Acknowledging::default(),
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<EdgeMsg>,
        message: EdgeMsg,
        state: &mut EdgeState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            EdgeMsg::Frame { frame, place } => state.serve(&myself, frame, place),
            EdgeMsg::BadFrame => {
                state.reply(0).fail(&client::Refusal::BadFrame.into());
                state.outbox.finish(None);
            }
            EdgeMsg::Unpaid { request_id, after } => {
                let after_ms = after.as_millis().try_into().unwrap_or(u32::MAX);
                state.reply(request_id).fail(&Refusal::Limited { limit: client::Limit::Rate, after_ms });
            }
            EdgeMsg::Acknowledged => {
                state.acknowledging.ended();
                state.pass_on_acknowledged(&myself);
            }
            EdgeMsg::LoggedIn { request_id, entered } => state.logged_in(&myself, request_id, entered),
            EdgeMsg::LoginFailed { request_id, refusal } => {
                state.phase = Phase::Greeted;
                state.reply(request_id).fail(&refusal);
            }
            EdgeMsg::LoggedOut { request_id, outcome } => state.logged_out(request_id, outcome),
            EdgeMsg::End { reason } => {
                // Who is leaving gets the answer to that first.
                if !matches!(state.phase, Phase::Leaving(_)) {
                    state.outbox.end(&reason);
                }
            }
            EdgeMsg::TurnAway { go_away } => state.turn_away(go_away),
            EdgeMsg::Closed => myself.stop(None),
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<EdgeMsg>, state: &mut EdgeState) -> Result<(), ActorProcessingErr> {
        let stats = &state.context.service.world.stats;
        stats.actors.down();
        stats.connections.down();
        if state.logged_in {
            stats.sessions.down()
        } else {
            stats.unauthenticated.down()
        }
        state.outbox.finish(None);
        state.context.service.world.router.tell_fanout(FanoutMsg::Detach { id: state.id });
        let _ = state.listener.send_message(ListenerMsg::Ended { id: state.id });
        Ok(())
    }
}

impl EdgeState {
    fn serve(&mut self, myself: &ActorRef<EdgeMsg>, frame: wire::ClientFrame, place: OwnedSemaphorePermit) {
        use ClientRequest as Ask;
        let request_id = frame.request_id;
        let reply = self.reply(request_id);
        let Some(request) = frame.request else {
            return reply.fail(&Refusal::rejected("bad_request", "this server does not know the request"));
        };
        // Zero is how pushes are numbered: its answer would look like one.
        if request_id == 0 && !matches!(request, Ask::Acknowledge(_) | Ask::Pong(_)) {
            reply.fail(&client::Refusal::BadFrame.into());
            return self.outbox.finish(None);
        }
        match (&self.phase, request) {
            (Phase::Silent, Ask::Hello(hello)) => self.greet(request_id, &hello),
            (Phase::Silent, _) => reply.fail(&client::Refusal::NotLoggedIn.into()),
            (_, Ask::Hello(_)) => reply.fail(&client::Refusal::AlreadyLoggedIn.into()),
            (_, Ask::Ping(ping)) => reply.send(ServerMessage::Pong(wire::Pong { nonce: ping.nonce })),
            (_, Ask::Pong(_)) => {}
            (Phase::Greeted, Ask::Register(_) | Ask::Login(_) | Ask::Resume(_)) if self.is_draining() => {
                reply.send(ServerMessage::Failure(wire::Failure::shutting_down()));
            }
            (Phase::Greeted | Phase::In(_), Ask::Register(register)) => {
                let registered = self.context.service.enter(self.payer.address(), register);
                self.answer(request_id, place, async move { registered.await.map(ServerMessage::Registered) });
            }
            (Phase::Greeted, Ask::Login(login)) => self.enter(myself, request_id, place, login),
            (Phase::Greeted, Ask::Resume(resume)) => self.enter(myself, request_id, place, resume),
            (Phase::Entering | Phase::In(_), Ask::Login(_) | Ask::Resume(_)) => {
                reply.fail(&client::Refusal::AlreadyLoggedIn.into());
            }
            (Phase::In(caller), Ask::Logout(logout)) => {
                let caller = caller.clone();
                self.log_out(myself, request_id, place, caller, logout);
            }
            (Phase::In(_), Ask::Acknowledge(acknowledge)) => {
                self.acknowledging.push(acknowledge);
                self.pass_on_acknowledged(myself);
            }
            (Phase::In(caller), request) => {
                let asked = Asked { edge: self, caller, request_id, place };
                if ops::dispatch(request, asked).is_none() {
                    reply.fail(&client::Refusal::NotLoggedIn.into());
                }
            }
            (Phase::Greeted | Phase::Entering | Phase::Leaving(_), _) => {
                reply.fail(&client::Refusal::NotLoggedIn.into());
            }
        }
    }

    fn is_draining(&self) -> bool {
        *self.context.service.draining.borrow()
    }

    fn pass_on_acknowledged(&mut self, myself: &ActorRef<EdgeMsg>) {
        let Phase::In(caller) = &self.phase else { return };
        while let Some(acknowledge) = self.acknowledging.start() {
            let told = self.context.service.perform(caller, acknowledge);
            let myself = myself.clone();
            tokio::spawn(async move {
                // Whatever came of it: others hear of it a little later.
                let _ = told.await;
                let _ = myself.send_message(EdgeMsg::Acknowledged);
            });
        }
    }

    fn greet(&mut self, request_id: u64, hello: &wire::Hello) {
        let reply = self.reply(request_id);
        if !(hello.min_version..=hello.max_version).contains(&client::PROTOCOL_VERSION) {
            reply.fail(&client::Refusal::BadVersion.into());
            return self.outbox.finish(None);
        }
        self.phase = Phase::Greeted;
        reply.send(ServerMessage::Welcome(self.context.service.welcome()));
        let go_away = self.go_away.take();
        self.turn_away(go_away);
    }

    fn turn_away(&mut self, go_away: Option<Bytes>) {
        match (&self.phase, go_away) {
            (Phase::Silent, go_away) => self.go_away = go_away,
            (_, Some(frame)) => drop(self.outbox.push(frame)),
            (_, None) => {}
        }
    }

    /// Answers when the future does; the place in the window is free again after that.
    fn answer(
        &self,
        request_id: u64,
        place: OwnedSemaphorePermit,
        answer: impl Future<Output = Result<ServerMessage, Refusal>> + Send + 'static,
    ) {
        let (reply, payer) = (self.reply(request_id), self.payer.clone());
        tokio::spawn(async move {
            match answer.await {
                Ok(message) => reply.send(message),
                Err(refusal) => {
                    payer.owe(cost::of_refusal(&refusal));
                    reply.fail(&refusal);
                }
            }
            drop(place);
        });
    }

    fn reply(&self, request_id: u64) -> Reply {
        Reply { context: self.context.clone(), outbox: self.outbox.clone(), request_id }
    }
}

/// A request of a verified caller, on its way to its answer.
struct Asked<'a> {
    edge: &'a EdgeState,
    caller: &'a Caller,
    request_id: u64,
    place: OwnedSemaphorePermit,
}

impl Perform for Asked<'_> {
    type Output = ();

    fn perform<O: Operation>(self, operation: O) {
        let answer = self.edge.context.service.perform(self.caller, operation);
        self.edge.answer(self.request_id, self.place, async move { answer.await.map(O::message) });
    }
}
