//! The listener: accepts client connections, keeps one edge per connection, and knows when the node
//! drains.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ractor::{Actor, ActorProcessingErr, ActorRef, ActorRuntime, SupervisionEvent};
use tokio::sync::watch;
use tokio::task::JoinSet;
use troupe_proto::client::{EndReason, push_frame};
use troupe_runtime::log_limiter::LogLimiter;
use troupe_runtime::{Listener as Socket, Stream};

use crate::address::Address;
use crate::budgets::Payer;
use crate::connection::Outbox;
use crate::edge::{Edge, EdgeArgs, EdgeContext, EdgeMsg};
use crate::message::wire;
use crate::places::Place;
use crate::service::Service;
use crate::sink::ConnectionId;

/// After a failed accept (no file descriptors left, for instance).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Between two lines about connections that were not taken.
const LOG_EVERY: Duration = Duration::from_secs(10);

pub enum ListenerMsg {
    Accepted(Accepted),
    Ended {
        id: ConnectionId,
    },
    /// Sends clients to other nodes, also those that still come: they are greeted, and open no
    /// session here.
    Drain {
        nodes: Vec<String>,
    },
    /// The node is to be emptied, or cut off: who is here or comes is sent to these nodes, and
    /// served until it goes. `None`: it is welcome again.
    TurnAway {
        nodes: Option<Vec<String>>,
    },
    /// The fan-out was lost, and with it who follows what: clients connect again and resume.
    HangUp,
}

impl ractor::Message for ListenerMsg {}

/// A connection that has its place.
pub struct Accepted {
    pub stream: Box<dyn Stream>,
    pub address: Address,
    pub outbox: Arc<Outbox>,
    pub place: Place,
}

impl Accepted {
    /// `None`: there is no place, and the stream is closed unread.
    pub fn new(service: &Service, stream: Box<dyn Stream>, address: Address) -> Option<Accepted> {
        let outbox = Arc::new(Outbox::new(service.output.clone()));
        let place = service.places.enter(address, outbox.clone());
        if place.is_err() {
            service.world.stats.connections_refused.up();
        }
        Some(Accepted { stream, address, outbox, place: place.ok()? })
    }
}

pub struct Listener;

pub struct ListenerArgs {
    pub context: Arc<EdgeContext>,
    pub socket: Arc<dyn Socket>,
    /// How many connections there are.
    pub open: watch::Sender<usize>,
}

pub struct ListenerState {
    context: Arc<EdgeContext>,
    open: watch::Sender<usize>,
    edges: BTreeMap<ConnectionId, Live>,
    next_id: ConnectionId,
    /// Set while the node drains, is to be emptied or is cut off: what a client that still comes is
    /// told.
    go_away: Option<Bytes>,
    /// Accepts; aborted with this actor.
    accepting: JoinSet<()>,
}

struct Live {
    edge: ActorRef<EdgeMsg>,
    outbox: Arc<Outbox>,
}

impl Actor for Listener {
    type Msg = ListenerMsg;
    type State = ListenerState;
    type Arguments = ListenerArgs;

    async fn pre_start(
        &self,
        myself: ActorRef<ListenerMsg>,
        args: ListenerArgs,
    ) -> Result<ListenerState, ActorProcessingErr> {
        let ListenerArgs { context, socket, open } = args;
        context.service.world.stats.actors.up();
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(context.service.clone(), socket, myself));
        let mut state = ListenerState { context, open, edges: BTreeMap::new(), next_id: 1, go_away: None, accepting };
        if *state.context.service.draining.borrow() {
            state.turn_away(Some(state.context.service.world.router.routing().elsewhere()));
        }
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<ListenerMsg>,
        message: ListenerMsg,
        state: &mut ListenerState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            ListenerMsg::Accepted(accepted) => state.accepted(&myself, accepted),
            ListenerMsg::Ended { id } => state.ended(id),
            // A node that drains stays away, whatever the cluster means with it meanwhile.
            ListenerMsg::TurnAway { nodes } if !*state.context.service.draining.borrow() => state.turn_away(nodes),
            ListenerMsg::TurnAway { .. } => {}
            ListenerMsg::Drain { nodes } => state.turn_away(Some(nodes)),
            ListenerMsg::HangUp => {
                for live in state.edges.values() {
                    live.outbox.finish(None);
                }
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<ListenerMsg>,
        event: SupervisionEvent,
        state: &mut ListenerState,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(who, error) = event {
            tracing::error!(%error, "an edge failed, its connection is closed");
            let failed = state.edges.iter().find(|(_, live)| live.edge.get_id() == who.get_id());
            if let Some((id, live)) = failed.map(|(id, live)| (*id, live.outbox.clone())) {
                live.finish(None);
                state.context.service.world.router.tell_fanout(crate::protocol::FanoutMsg::Detach { id });
                state.ended(id);
            }
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<ListenerMsg>, state: &mut ListenerState) -> Result<(), ActorProcessingErr> {
        state.accepting.abort_all();
        for live in state.edges.values() {
            live.outbox.end(&EndReason::ShuttingDown);
            live.edge.stop(None);
        }
        state.context.service.world.stats.actors.down();
        Ok(())
    }
}

impl ListenerState {
    fn accepted(&mut self, myself: &ActorRef<ListenerMsg>, accepted: Accepted) {
        let Accepted { stream, address, outbox, place } = accepted;
        let id = self.next_id;
        self.next_id += 1;
        let args = EdgeArgs {
            context: self.context.clone(),
            id,
            stream,
            listener: myself.clone(),
            place,
            payer: Arc::new(Payer::new(self.context.service.budgets.clone(), address)),
            outbox: outbox.clone(),
            go_away: self.go_away.clone(),
        };
        match ActorRuntime::spawn_linked_instant(None, Edge, args, myself.get_cell()) {
            Ok((edge, _)) => {
                self.edges.insert(id, Live { edge, outbox });
                self.open.send_replace(self.edges.len());
            }
            Err(error) => tracing::error!(%error, "an edge does not start"),
        }
    }

    fn ended(&mut self, id: ConnectionId) {
        self.edges.remove(&id);
        self.open.send_replace(self.edges.len());
    }

    fn turn_away(&mut self, nodes: Option<Vec<String>>) {
        self.go_away = nodes.map(|nodes| push_frame(wire::server_frame::Message::GoAway(wire::GoAway { nodes })));
        for live in self.edges.values() {
            let _ = live.edge.send_message(EdgeMsg::TurnAway { go_away: self.go_away.clone() });
        }
    }
}

async fn accept(service: Service, socket: Arc<dyn Socket>, listener: ActorRef<ListenerMsg>) {
    let (mut refused, mut failed) = (LogLimiter::new(LOG_EVERY), LogLimiter::new(LOG_EVERY));
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => {
                let address = Address::of(peer);
                let Some(accepted) = Accepted::new(&service, stream, address) else {
                    if let Some(others) = refused.due() {
                        tracing::warn!(%address, others, "no place for a client connection: see limits.connections");
                    }
                    continue;
                };
                if listener.send_message(ListenerMsg::Accepted(accepted)).is_err() {
                    return;
                }
            }
            Err(error) => {
                if let Some(others) = failed.due() {
                    tracing::warn!(%error, others, "a client connection was not accepted");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
