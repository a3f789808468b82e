//! The edge: the actor of one client connection. It turns frames into requests and answers into
//! frames, and knows who the connection is.
//!
//! The socket is a task of its own ([`socket`]); pushes go from the fan-out straight into the
//! outbox and never wake this actor. [`login`] holds the way in, [`session`] what a connection
//! becomes by it, [`sends`] what a user says, [`requests`] what else a logged-in user may ask,
//! [`cost`] what each frame is worth.

mod acknowledging;
pub mod admin;
pub mod cost;
pub mod directory;
mod invitations;
mod login;
mod register;
mod reply;
mod requests;
mod sends;
mod session;
mod sink;
mod socket;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::{OwnedSemaphorePermit, watch};
use troupe_core::{ConversationId, UserId};
use troupe_proto::client::{self, EndReason};
use troupe_runtime::Stream;

use crate::budgets::{Budgets, Payer};
use crate::connection::{Outbox, Output};
use crate::door::Door;
use crate::edge::acknowledging::Acknowledging;
use crate::edge::directory::Directory;
use crate::edge::reply::Reply;
use crate::edge::sends::Waiting;
use crate::failed_logins::FailedLogins;
use crate::listener::ListenerMsg;
use crate::message::{Answer, Refusal, Session, wire};
use crate::passwords::Passwords;
use crate::places::{Place, Places};
use crate::protocol::FanoutMsg;
use crate::sink::ConnectionId;
use crate::world::World;

use wire::client_frame::Request as ClientRequest;
use wire::server_frame::Message as ServerMessage;

/// What all connections of a node share.
pub struct Front {
    pub world: World,
    pub passwords: Passwords,
    pub directory: Directory,
    pub places: Places,
    pub budgets: Arc<Budgets>,
    pub output: Arc<Output>,
    /// The node is about to stop: sessions are opened and resumed elsewhere.
    pub draining: watch::Receiver<bool>,
    pub door: Arc<Door>,
    pub failed_logins: FailedLogins,
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
    Acknowledged {
        user: UserId,
    },
    LoggedIn {
        request_id: u64,
        session: Session,
        name: String,
        token: Vec<u8>,
    },
    LoginFailed {
        request_id: u64,
        refusal: Refusal,
    },
    /// Whether the other end of a direct conversation exists.
    PeerChecked {
        conversation: ConversationId,
        outcome: Result<(), Refusal>,
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
    pub front: Arc<Front>,
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
    front: Arc<Front>,
    id: ConnectionId,
    outbox: Arc<Outbox>,
    /// Kept back until the client is greeted: the welcome is the first frame.
    go_away: Option<Bytes>,
    listener: ActorRef<ListenerMsg>,
    place: Place,
    payer: Arc<Payer>,
    logged_in: bool,
    phase: Phase,
    /// Sends that wait until it is known whether their peer exists, in order.
    checking: BTreeMap<ConversationId, Vec<Waiting>>,
    acknowledging: Acknowledging,
}

enum Phase {
    Silent,
    Greeted,
    /// One login at a time.
    Entering,
    In(Session),
    /// The session is being closed; the connection ends with the answer.
    Leaving(Session),
}

impl Actor for Edge {
    type Msg = EdgeMsg;
    type State = EdgeState;
    type Arguments = EdgeArgs;

    async fn pre_start(&self, myself: ActorRef<EdgeMsg>, args: EdgeArgs) -> Result<EdgeState, ActorProcessingErr> {
        let EdgeArgs { front, id, stream, listener, place, payer, outbox, go_away } = args;
        front.world.stats.actors.up();
        front.world.stats.connections.up();
        front.world.stats.unauthenticated.up();
        tokio::spawn(socket::run(stream, front.door.clone(), outbox.clone(), payer.clone(), myself));
        Ok(EdgeState {
            front,
            id,
            outbox,
            go_away,
            listener,
            place,
            payer,
            logged_in: false,
            phase: Phase::Silent,
            checking: BTreeMap::new(),
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
            EdgeMsg::Acknowledged { user } => {
                state.acknowledging.ended();
                state.say_acknowledged(&myself, user);
            }
            EdgeMsg::LoggedIn { request_id, session, name, token } => {
                state.logged_in(&myself, request_id, session, name, token);
            }
            EdgeMsg::LoginFailed { request_id, refusal } => {
                state.phase = Phase::Greeted;
                state.reply(request_id).fail(&refusal);
            }
            EdgeMsg::PeerChecked { conversation, outcome } => state.peer_checked(conversation, outcome),
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
        let stats = &state.front.world.stats;
        stats.actors.down();
        stats.connections.down();
        if state.logged_in {
            stats.sessions.down()
        } else {
            stats.unauthenticated.down()
        }
        state.outbox.finish(None);
        state.front.world.router.tell_fanout(FanoutMsg::Detach { id: state.id });
        let _ = state.listener.send_message(ListenerMsg::Ended { id: state.id });
        Ok(())
    }
}

impl EdgeState {
    fn serve(&mut self, myself: &ActorRef<EdgeMsg>, frame: wire::ClientFrame, place: OwnedSemaphorePermit) {
        let request_id = frame.request_id;
        let reply = self.reply(request_id);
        let Some(request) = frame.request else {
            return reply.fail(&Refusal::rejected("bad_request", "this server does not know the request"));
        };
        // Zero is how pushes are numbered: its answer would look like one.
        if request_id == 0 && !matches!(request, ClientRequest::Acknowledge(_) | ClientRequest::Pong(_)) {
            reply.fail(&client::Refusal::BadFrame.into());
            return self.outbox.finish(None);
        }
        let user = match (&self.phase, request) {
            (Phase::Silent, ClientRequest::Hello(hello)) => return self.greet(request_id, &hello),
            (Phase::Silent, _) => return reply.fail(&client::Refusal::NotLoggedIn.into()),
            (_, ClientRequest::Hello(_)) => return reply.fail(&client::Refusal::AlreadyLoggedIn.into()),
            (_, ClientRequest::Ping(ping)) => return reply.send(ServerMessage::Pong(wire::Pong { nonce: ping.nonce })),
            (_, ClientRequest::Pong(_)) => return,
            (Phase::Greeted, ClientRequest::Register(_) | ClientRequest::Login(_) | ClientRequest::Resume(_))
                if *self.front.draining.borrow() =>
            {
                return reply.send(ServerMessage::Failure(wire::Failure::shutting_down()));
            }
            (Phase::Greeted | Phase::In(_), ClientRequest::Register(register)) => {
                let answer = register::register(self.front.clone(), self.payer.address(), register);
                return self.answer(request_id, place, answer);
            }
            (Phase::Greeted, ClientRequest::Login(login)) => {
                self.phase = Phase::Entering;
                let entering = login::login(self.front.clone(), self.payer.address(), login);
                return self.enter(myself, request_id, place, entering);
            }
            (Phase::Greeted, ClientRequest::Resume(resume)) => {
                self.phase = Phase::Entering;
                let entering = login::resume(self.front.clone(), resume);
                return self.enter(myself, request_id, place, entering);
            }
            (Phase::Entering | Phase::In(_), ClientRequest::Login(_) | ClientRequest::Resume(_)) => {
                return reply.fail(&client::Refusal::AlreadyLoggedIn.into());
            }
            (Phase::In(session), ClientRequest::Logout(_)) => {
                let session = session.clone();
                return self.log_out(myself, request_id, place, session);
            }
            (Phase::In(session), ClientRequest::ChangePassword(change)) => {
                let (front, session, address) = (self.front.clone(), session.clone(), self.payer.address());
                return self.answer(request_id, place, admin::change_password(front, session, address, change));
            }
            (Phase::In(session), ClientRequest::Admin(asked)) => {
                let (front, session, address) = (self.front.clone(), session.clone(), self.payer.address());
                return self.answer(request_id, place, admin::admin(front, session, address, asked));
            }
            (Phase::In(session), request) => (session.user, session.device.clone(), request),
            (Phase::Greeted | Phase::Entering | Phase::Leaving(_), _) => {
                return reply.fail(&client::Refusal::NotLoggedIn.into());
            }
        };
        let (user, device, request) = user;
        let front = self.front.clone();
        match request {
            ClientRequest::Send(send) => self.send(myself, request_id, place, user, send),
            ClientRequest::Acknowledge(acknowledge) => self.acknowledge(myself, user, &acknowledge),
            ClientRequest::MarkRead(mark) => self.mark_read(request_id, place, user, &mark),
            ClientRequest::ListSessions(_) => self.answer(request_id, place, requests::sessions(front, user, device)),
            ClientRequest::RevokeSession(revoke) => {
                self.answer(request_id, place, requests::revoke(front, user, revoke));
            }
            ClientRequest::Fetch(fetch) => self.answer(request_id, place, requests::fetch(front, user, fetch)),
            ClientRequest::ListConversations(list) => {
                self.answer(request_id, place, requests::conversations(front, user, list));
            }
            ClientRequest::CreateGroup(create) => {
                self.answer(request_id, place, requests::create_group(front, user, create));
            }
            ClientRequest::ChangeGroup(change) => {
                self.answer(request_id, place, requests::change_group(front, user, change));
            }
            ClientRequest::ListMembers(list) => self.answer(request_id, place, requests::members(front, user, list)),
            ClientRequest::ListInvitations(_) => self.answer(request_id, place, invitations::list(front, user)),
            ClientRequest::AcceptInvitation(accept) => {
                self.answer(request_id, place, invitations::accept(front, user, accept));
            }
            ClientRequest::FindUsers(find) => self.answer(request_id, place, requests::find_users(front, user, find)),
            ClientRequest::ListOnline(list) => self.answer(request_id, place, requests::list_online(front, user, list)),
            ClientRequest::GetUsers(get) => self.answer(request_id, place, requests::get_users(front, user, get)),
            // Handled above, whatever the phase.
            ClientRequest::Hello(_)
            | ClientRequest::Register(_)
            | ClientRequest::Login(_)
            | ClientRequest::Resume(_)
            | ClientRequest::Logout(_)
            | ClientRequest::ChangePassword(_)
            | ClientRequest::Admin(_)
            | ClientRequest::Ping(_)
            | ClientRequest::Pong(_) => {}
        }
    }

    fn greet(&mut self, request_id: u64, hello: &wire::Hello) {
        let reply = self.reply(request_id);
        if !(hello.min_version..=hello.max_version).contains(&client::PROTOCOL_VERSION) {
            reply.fail(&client::Refusal::BadVersion.into());
            return self.outbox.finish(None);
        }
        self.phase = Phase::Greeted;
        reply.send(ServerMessage::Welcome(login::welcome(&self.front.world)));
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
        Reply { front: self.front.clone(), outbox: self.outbox.clone(), request_id }
    }
}

/// An answer of the wrong kind comes from a node of another version: nobody knows what it did.
fn done(answer: Answer) -> Result<(), Refusal> {
    if matches!(answer, Answer::Done) { Ok(()) } else { Err(Refusal::Unavailable) }
}
