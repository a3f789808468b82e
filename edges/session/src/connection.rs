//! The actor of one client connection. It turns frames into operations and answers into frames, and
//! knows whether the connection has a verified caller.
//!
//! The socket is a task of its own ([`socket`]); pushes go from fan-out straight into the outbox
//! and never wake this actor. [`session`] holds what a connection becomes by a login.

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
use tokio::time::Instant;
use troupe_actors::connection::Connection;
use troupe_actors::message::{ClientRequest, Refusal, ServerMessage, wire};
use troupe_actors::ops::acknowledge::Acknowledging;
use troupe_actors::ops::login::Entered;
use troupe_actors::ops::{self, Operation, Perform, cost};
use troupe_actors::service::{Caller, Service};
use troupe_proto::client::{self, EndReason};

use self::reply::Reply;
use crate::Opened;
use crate::keeper::KeeperMsg;
use crate::outbox::Outbox;

pub enum EdgeMsg {
    /// `place` is in the send window until the request is answered.
    Frame {
        frame: wire::ClientFrame,
        place: OwnedSemaphorePermit,
    },
    /// Nothing more can be read: `tells` has a failure go before the last bytes.
    BadFrame {
        tells: bool,
        goodbye: Bytes,
    },
    /// A request that cannot be understood.
    Refused {
        request_id: u64,
        text: String,
    },
    /// A frame above the budget of its user or its address.
    Unpaid {
        request_id: u64,
        after: Duration,
    },
    /// An acknowledgement is no longer in flight.
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
    /// The client is to go to these nodes. `None`: it may stay after all.
    GoAway {
        nodes: Option<Arc<[String]>>,
    },
    /// The socket has ended.
    Closed,
}

impl ractor::Message for EdgeMsg {}

pub struct Edge;

pub struct EdgeArgs {
    pub service: Service,
    pub opened: Opened,
    pub begun: Instant,
    pub keeper: ActorRef<KeeperMsg>,
    pub connection: Connection,
    pub outbox: Arc<Outbox>,
    /// Nodes to which the client is sent after the greeting.
    pub elsewhere: Option<Arc<[String]>>,
}

pub struct EdgeState {
    service: Service,
    outbox: Arc<Outbox>,
    /// Waits for the greeting: the welcome is the first frame.
    elsewhere: Option<Arc<[String]>>,
    keeper: ActorRef<KeeperMsg>,
    connection: Connection,
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
        let EdgeArgs { service, opened, begun, keeper, connection, outbox, elsewhere } = args;
        service.metrics().actors.up();
        let payer = connection.payer().clone();
        tokio::spawn(socket::run(opened, begun, outbox.clone(), payer, myself));
        Ok(EdgeState {
            service,
            outbox,
            elsewhere,
            keeper,
            connection,
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
            EdgeMsg::BadFrame { tells, goodbye } => {
                if tells {
                    state.reply(0).fail(&client::Refusal::BadFrame.into());
                }
                state.outbox.finish_with(goodbye);
            }
            EdgeMsg::Refused { request_id, text } => {
                let refusal = Refusal::Rejected { code: "bad_request".into(), text: text.into() };
                state.reply(request_id).fail(&refusal);
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
                // A client that logs out gets that answer first.
                if !matches!(state.phase, Phase::Leaving(_)) {
                    state.outbox.end(&reason);
                }
            }
            EdgeMsg::GoAway { nodes } => state.go_away(nodes),
            EdgeMsg::Closed => myself.stop(None),
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<EdgeMsg>, state: &mut EdgeState) -> Result<(), ActorProcessingErr> {
        state.service.metrics().actors.down();
        state.outbox.finish();
        let _ = state.keeper.send_message(KeeperMsg::Ended { id: state.connection.id() });
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
        // Pushes have the number zero, so an answer with it would look like one.
        if request_id == 0 && !matches!(request, Ask::Acknowledge(_) | Ask::Pong(_)) {
            reply.fail(&client::Refusal::BadFrame.into());
            return self.outbox.finish();
        }
        match (&self.phase, request) {
            (Phase::Silent, Ask::Hello(hello)) => self.greet(request_id, &hello),
            (Phase::Silent, _) => reply.fail(&client::Refusal::NotLoggedIn.into()),
            (_, Ask::Hello(_)) => reply.fail(&client::Refusal::AlreadyLoggedIn.into()),
            (_, Ask::Ping(ping)) => reply.send(ServerMessage::Pong(wire::Pong { nonce: ping.nonce })),
            (_, Ask::Pong(_)) => {}
            (Phase::Greeted, Ask::Register(_) | Ask::Login(_) | Ask::Resume(_)) if self.service().is_draining() => {
                reply.send(ServerMessage::Failure(wire::Failure::shutting_down()));
            }
            (Phase::Greeted | Phase::In(_), Ask::Register(register)) => {
                let registered = self.service().enter(self.connection.address(), register);
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

    fn service(&self) -> &Service {
        &self.service
    }

    fn pass_on_acknowledged(&mut self, myself: &ActorRef<EdgeMsg>) {
        let Phase::In(caller) = &self.phase else { return };
        while let Some(acknowledge) = self.acknowledging.start() {
            let told = self.service().perform(caller, acknowledge);
            let myself = myself.clone();
            tokio::spawn(async move {
                // On a failure the next acknowledgement carries the position.
                let _ = told.await;
                let _ = myself.send_message(EdgeMsg::Acknowledged);
            });
        }
    }

    fn greet(&mut self, request_id: u64, hello: &wire::Hello) {
        let reply = self.reply(request_id);
        if !(hello.min_version..=hello.max_version).contains(&client::PROTOCOL_VERSION) {
            reply.fail(&client::Refusal::BadVersion.into());
            return self.outbox.finish();
        }
        self.phase = Phase::Greeted;
        reply.send(ServerMessage::Welcome(self.service().welcome()));
        let elsewhere = self.elsewhere.take();
        self.go_away(elsewhere);
    }

    fn go_away(&mut self, nodes: Option<Arc<[String]>>) {
        match (&self.phase, nodes) {
            (Phase::Silent, nodes) => self.elsewhere = nodes,
            (_, Some(nodes)) => {
                self.outbox.say(0, ServerMessage::GoAway(wire::GoAway { nodes: nodes.to_vec() }));
            }
            (_, None) => {}
        }
    }

    /// Answers when the future does, and then frees the place in the send window.
    fn answer(
        &self,
        request_id: u64,
        place: OwnedSemaphorePermit,
        answer: impl Future<Output = Result<ServerMessage, Refusal>> + Send + 'static,
    ) {
        let (reply, payer) = (self.reply(request_id), self.connection.payer().clone());
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
        Reply { service: self.service.clone(), outbox: self.outbox.clone(), request_id }
    }
}

/// A request of a verified caller.
struct Asked<'a> {
    edge: &'a EdgeState,
    caller: &'a Caller,
    request_id: u64,
    place: OwnedSemaphorePermit,
}

impl Perform for Asked<'_> {
    type Output = ();

    fn perform<O: Operation>(self, operation: O) {
        let cost = operation.cost();
        let answer = self.edge.service().perform(self.caller, operation);
        let payer = self.edge.connection.payer().clone();
        let paid = async move {
            let answered = answer.await;
            payer.settle(cost, O::worth(&answered));
            answered.map(O::message)
        };
        self.edge.answer(self.request_id, self.place, paid);
    }
}
