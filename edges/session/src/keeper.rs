//! The keeper: keeps one actor for each connection of an edge, and sends clients to other nodes
//! when they belong there.

use std::collections::BTreeMap;
use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, ActorRuntime, SupervisionEvent};
use tokio::sync::watch;
use tokio::task::JoinSet;
use troupe_actors::service::{Clients, Service};
use troupe_actors::sink::ConnectionId;
use troupe_proto::client::EndReason;

use crate::connection::{Edge, EdgeArgs, EdgeMsg};
use crate::outbox::Outbox;
use crate::{Guest, Opened};

pub enum KeeperMsg {
    Accepted(Guest, Opened),
    Ended {
        id: ConnectionId,
    },
    /// Present and new clients belong to other nodes, or here again.
    Clients(Clients),
    /// Fan-out and its subscriptions were lost: clients connect again and resume.
    HangUp,
}

impl ractor::Message for KeeperMsg {}

pub struct Keeper;

pub struct KeeperState {
    service: Service,
    edges: BTreeMap<ConnectionId, Live>,
    /// The nodes to which clients are sent, while they belong to other nodes.
    elsewhere: Option<Arc<[String]>>,
    /// Follows the service; aborted with this actor.
    _tasks: JoinSet<()>,
}

struct Live {
    edge: ActorRef<EdgeMsg>,
    outbox: Arc<Outbox>,
}

impl Actor for Keeper {
    type Msg = KeeperMsg;
    type State = KeeperState;
    type Arguments = Service;

    async fn pre_start(
        &self,
        myself: ActorRef<KeeperMsg>,
        service: Service,
    ) -> Result<KeeperState, ActorProcessingErr> {
        service.metrics().actors.up();
        let mut tasks = JoinSet::new();
        tasks.spawn(follow(service.clients(), service.fanout_lost(), myself));
        let mut state = KeeperState { service, edges: BTreeMap::new(), elsewhere: None, _tasks: tasks };
        let belong = state.service.clients().borrow().clone();
        state.belong(&belong);
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<KeeperMsg>,
        message: KeeperMsg,
        state: &mut KeeperState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            KeeperMsg::Accepted(guest, opened) => state.accepted(&myself, guest, opened),
            KeeperMsg::Ended { id } => drop(state.edges.remove(&id)),
            KeeperMsg::Clients(belong) => state.belong(&belong),
            KeeperMsg::HangUp => {
                for live in state.edges.values() {
                    live.outbox.finish();
                }
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<KeeperMsg>,
        event: SupervisionEvent,
        state: &mut KeeperState,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(who, error) = event {
            tracing::error!(%error, "an edge failed, its connection is closed");
            let failed = state.edges.iter().find(|(_, live)| live.edge.get_id() == who.get_id());
            if let Some((id, live)) = failed.map(|(id, live)| (*id, live.outbox.clone())) {
                live.finish();
                state.edges.remove(&id);
            }
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<KeeperMsg>, state: &mut KeeperState) -> Result<(), ActorProcessingErr> {
        for live in state.edges.values() {
            live.outbox.end(&EndReason::ShuttingDown);
            live.edge.stop(None);
        }
        state.service.metrics().actors.down();
        Ok(())
    }
}

impl KeeperState {
    fn accepted(&mut self, myself: &ActorRef<KeeperMsg>, guest: Guest, opened: Opened) {
        let Guest { outbox, connection, begun } = guest;
        let id = connection.id();
        let args = EdgeArgs {
            service: self.service.clone(),
            opened,
            begun,
            keeper: myself.clone(),
            connection,
            outbox: outbox.clone(),
            elsewhere: self.elsewhere.clone(),
        };
        match ActorRuntime::spawn_linked_instant(None, Edge, args, myself.get_cell()) {
            Ok((edge, _)) => drop(self.edges.insert(id, Live { edge, outbox })),
            Err(error) => tracing::error!(%error, "an edge does not start"),
        }
    }

    fn belong(&mut self, clients: &Clients) {
        self.elsewhere = clients.elsewhere().map(Arc::from);
        for live in self.edges.values() {
            let _ = live.edge.send_message(EdgeMsg::GoAway { nodes: self.elsewhere.clone() });
        }
    }
}

/// Passes changes that concern all connections to the keeper.
async fn follow(mut clients: watch::Receiver<Clients>, mut lost: watch::Receiver<u64>, keeper: ActorRef<KeeperMsg>) {
    loop {
        let (changed, message) = tokio::select! {
            changed = clients.changed() => (changed, KeeperMsg::Clients(clients.borrow_and_update().clone())),
            changed = lost.changed() => (changed, KeeperMsg::HangUp),
        };
        // A node that stops says nothing more.
        if changed.is_err() || keeper.send_message(message).is_err() {
            return;
        }
    }
}
