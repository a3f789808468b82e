//! The listener: accepts connections, keeps one actor for each, and sends clients to other nodes
//! when they belong there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ractor::{Actor, ActorProcessingErr, ActorRef, ActorRuntime, SupervisionEvent};
use tokio::sync::watch;
use tokio::task::JoinSet;
use troupe_actors::address::Address;
use troupe_actors::connection::Connection;
use troupe_actors::message::{ServerMessage, wire};
use troupe_actors::service::{Clients, Service};
use troupe_actors::sink::ConnectionId;
use troupe_proto::client::{EndReason, push_frame};
use troupe_runtime::log_limiter::LogLimiter;
use troupe_runtime::{Listener as Socket, Stream};

use crate::Context;
use crate::connection::{Edge, EdgeArgs, EdgeMsg};
use crate::outbox::Outbox;

/// After a failed accept (no file descriptors left, for instance).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Between two lines about connections that were not taken.
const LOG_EVERY: Duration = Duration::from_secs(10);

pub enum ListenerMsg {
    Accepted(Accepted),
    Ended {
        id: ConnectionId,
    },
    /// Present and new clients belong to other nodes, or here again.
    Clients(Clients),
    /// Fan-out and its subscriptions were lost: clients connect again and resume.
    HangUp,
}

impl ractor::Message for ListenerMsg {}

/// A connection that has its place.
pub struct Accepted {
    stream: Box<dyn Stream>,
    outbox: Arc<Outbox>,
    connection: Connection,
}

pub struct Listener;

pub struct ListenerState {
    context: Arc<Context>,
    edges: BTreeMap<ConnectionId, Live>,
    /// The frame for clients while they belong to other nodes.
    go_away: Option<Bytes>,
    /// Accept, and follow the service; aborted with this actor.
    _tasks: JoinSet<()>,
}

struct Live {
    edge: ActorRef<EdgeMsg>,
    outbox: Arc<Outbox>,
}

impl Actor for Listener {
    type Msg = ListenerMsg;
    type State = ListenerState;
    type Arguments = (Arc<Context>, Arc<dyn Socket>);

    async fn pre_start(
        &self,
        myself: ActorRef<ListenerMsg>,
        (context, socket): Self::Arguments,
    ) -> Result<ListenerState, ActorProcessingErr> {
        context.service.metrics().actors.up();
        let mut tasks = JoinSet::new();
        let (clients, lost) = (context.service.clients(), context.service.fanout_lost());
        tasks.spawn(accept(context.service.clone(), socket, myself.clone()));
        tasks.spawn(follow(clients, lost, myself));
        let mut state = ListenerState { context, edges: BTreeMap::new(), go_away: None, _tasks: tasks };
        let belong = state.context.service.clients().borrow().clone();
        state.belong(&belong);
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
            ListenerMsg::Ended { id } => drop(state.edges.remove(&id)),
            ListenerMsg::Clients(belong) => state.belong(&belong),
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
                state.edges.remove(&id);
            }
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<ListenerMsg>, state: &mut ListenerState) -> Result<(), ActorProcessingErr> {
        for live in state.edges.values() {
            live.outbox.end(&EndReason::ShuttingDown);
            live.edge.stop(None);
        }
        state.context.service.metrics().actors.down();
        Ok(())
    }
}

impl ListenerState {
    fn accepted(&mut self, myself: &ActorRef<ListenerMsg>, accepted: Accepted) {
        let Accepted { stream, outbox, connection } = accepted;
        let id = connection.id();
        let args = EdgeArgs {
            context: self.context.clone(),
            stream,
            listener: myself.clone(),
            connection,
            outbox: outbox.clone(),
            go_away: self.go_away.clone(),
        };
        match ActorRuntime::spawn_linked_instant(None, Edge, args, myself.get_cell()) {
            Ok((edge, _)) => drop(self.edges.insert(id, Live { edge, outbox })),
            Err(error) => tracing::error!(%error, "an edge does not start"),
        }
    }

    fn belong(&mut self, clients: &Clients) {
        let go_away = |nodes: &[String]| push_frame(ServerMessage::GoAway(wire::GoAway { nodes: nodes.to_vec() }));
        self.go_away = clients.elsewhere().map(go_away);
        for live in self.edges.values() {
            let _ = live.edge.send_message(EdgeMsg::GoAway { frame: self.go_away.clone() });
        }
    }
}

/// Passes changes that concern all connections to the listener.
async fn follow(
    mut clients: watch::Receiver<Clients>,
    mut lost: watch::Receiver<u64>,
    listener: ActorRef<ListenerMsg>,
) {
    loop {
        let (changed, message) = tokio::select! {
            changed = clients.changed() => (changed, ListenerMsg::Clients(clients.borrow_and_update().clone())),
            changed = lost.changed() => (changed, ListenerMsg::HangUp),
        };
        // A node that stops says nothing more.
        if changed.is_err() || listener.send_message(message).is_err() {
            return;
        }
    }
}

async fn accept(service: Service, socket: Arc<dyn Socket>, listener: ActorRef<ListenerMsg>) {
    let (mut refused, mut failed) = (LogLimiter::new(LOG_EVERY), LogLimiter::new(LOG_EVERY));
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => {
                let address = Address::of(peer);
                let outbox = Arc::new(Outbox::new(service.output().clone()));
                let Some(connection) = Connection::open(&service, address, outbox.clone()) else {
                    if let Some(others) = refused.due() {
                        tracing::warn!(%address, others, "no place for a client connection: see limits.connections");
                    }
                    continue;
                };
                let accepted = Accepted { stream, outbox, connection };
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
