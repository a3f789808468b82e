//! The interface of this crate: the actors of one node, from binding the client port to the
//! shutdown.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use ractor::{Actor, ActorRef};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use troupe_core::record::Author;
use troupe_core::{ClientMessageId, Slot, limits};
use troupe_raft::Cluster;
use troupe_runtime::net::BoxFuture;
use troupe_runtime::{Lane, Platform};
use troupe_store::rows::View;

use crate::address::Address;
use crate::admission::Bound;
use crate::birth::{self, Born};
use crate::budgets::{Budgets, Limits};
use crate::context::NodeContext;
use crate::directory::Directory;
use crate::failed_logins::FailedLogins;
use crate::hooks::Receivers;
use crate::mesh::cluster::ClusterMesh;
use crate::mesh::direct::DirectMesh;
use crate::mesh::links::ClusterLinks;
use crate::mesh::{Gauge, Inbox, MeshEvent};
use crate::message::wire::{self, admin::Operation};
use crate::message::{Outcome, Refusal, Request};
use crate::ops::admin::{audit, operate};
use crate::output::Output;
use crate::passwords::{Hashing, Passwords};
use crate::pictures::Pictures;
use crate::places::Places;
use crate::push::Pushes;
use crate::root::{Root, RootArgs, RootMsg};
use crate::router::{PATIENCE, Router};
use crate::service::{Clients, Service, Shared};
use crate::turns::Turns;

/// For actors to stop.
const STOP_WITHIN: Duration = Duration::from_secs(2);
/// Between two attempts to record an act.
const RECORD_AGAIN: Duration = Duration::from_millis(200);

#[derive(Clone, Debug)]
pub struct NodeConfig {
    pub hashing: Hashing,
    /// Limits of users and addresses.
    pub limits: Limits,
    /// The way to the receivers of hooks.
    pub hooks: Arc<dyn Receivers>,
}

/// The transport of the mesh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MeshKind {
    /// ractor_cluster.
    #[default]
    Cluster,
    /// The same frames over plain streams, for many nodes in one process.
    Direct,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The operator has to change what the text names.
    #[error("{0}")]
    Refused(String),
}

/// A shared handle, cheap to clone.
#[derive(Clone)]
pub struct NodeHandle(Arc<Inner>);

struct Inner {
    service: Service,
    root: ActorRef<RootMsg>,
    joined: Mutex<Option<JoinHandle<()>>>,
    clients: Arc<watch::Sender<Clients>>,
    born: watch::Receiver<Option<Born>>,
    tasks: Mutex<JoinSet<()>>,
    mesh: Carrier,
}

enum Carrier {
    Cluster(Arc<ClusterMesh>),
    Direct(Arc<DirectMesh>),
}

impl NodeHandle {
    pub async fn start(platform: Platform, cluster: Cluster, config: NodeConfig) -> Result<NodeHandle, StartError> {
        NodeHandle::start_with(platform, cluster, config, MeshKind::Cluster).await
    }

    /// Boxed, so that the actors are compiled once here and not in every program that starts them.
    pub fn start_with(
        platform: Platform,
        cluster: Cluster,
        config: NodeConfig,
        mesh: MeshKind,
    ) -> BoxFuture<'static, Result<NodeHandle, StartError>> {
        Box::pin(NodeHandle::open(platform, cluster, config, mesh))
    }

    async fn open(
        platform: Platform,
        cluster: Cluster,
        config: NodeConfig,
        mesh: MeshKind,
    ) -> Result<NodeHandle, StartError> {
        let NodeConfig { hashing, limits: allowed, hooks } = config;
        let gauge = Gauge::new(limits::NODE_RECEIVED);
        let router = Arc::new(Router::new(cluster.me(), cluster.routing(), gauge.clone(), &platform));
        let reading = {
            // One read runs and one is next, so that the lane is never idle while reads wait, and a
            // read that bypasses the turns waits for two at most.
            let lanes = vec![Lane::Read; 2];
            Turns::new(platform.executor.clone(), lanes, limits::READS_WAITING, limits::READS_WAITING_OF_USER)
        };
        let entities = Bound::new(allowed.active_entities);
        let context = NodeContext {
            platform: platform.clone(),
            cluster: cluster.clone(),
            router: router.clone(),
            entities,
            pushes: hooks.pushing().map(Pushes::new),
            hooks,
            reading,
        };
        let (clients, clients_now) = watch::channel(Clients::Here);
        let (fanout_lost, fanout_lost_now) = watch::channel(0);
        let clients = Arc::new(clients);
        let service = Service::new(Shared {
            context: context.clone(),
            passwords: Passwords::new(platform.clone(), hashing),
            pictures: Pictures::new(&platform),
            directory: Directory::default(),
            output: Arc::new(Output::new(allowed.output_bytes, platform.metrics.clone())),
            places: Places::new(allowed.clone()),
            budgets: Arc::new(Budgets::new(allowed)),
            clients: clients_now,
            fanout_lost: fanout_lost_now,
            failed_logins: FailedLogins::default(),
            unchecked: Mutex::default(),
        });
        let (born, born_now) = watch::channel(None);
        let mut tasks = JoinSet::new();
        let args = RootArgs { context, clients: clients.clone(), fanout_lost };
        let started = Root::spawn(None, Root, args).await;
        let (root, joined) = started.map_err(|error| StartError::Refused(error.to_string()))?;

        let links = Arc::new(ClusterLinks::new(cluster));
        let inbox = inbox(router.clone(), root.clone());
        let mesh = match mesh {
            MeshKind::Cluster => {
                let started = ClusterMesh::start(&platform, links, inbox, gauge).await;
                let mesh = Arc::new(started.map_err(|error| StartError::Refused(error.to_string()))?);
                router.join(mesh.clone());
                Carrier::Cluster(mesh)
            }
            MeshKind::Direct => {
                let mesh = Arc::new(DirectMesh::start(&platform, links, inbox, gauge));
                router.join(mesh.clone());
                Carrier::Direct(mesh)
            }
        };
        // Its first request goes through the mesh.
        tasks.spawn(birth::run(service.clone(), born));
        let inner = Inner {
            service,
            root,
            joined: Mutex::new(Some(joined)),
            clients,
            born: born_now,
            tasks: Mutex::new(tasks),
            mesh,
        };
        Ok(NodeHandle(Arc::new(inner)))
    }

    /// The service for edges of this node.
    pub fn service(&self) -> &Service {
        &self.0.service
    }

    /// The first administrator, if this node has just created it. The operator sees it once.
    pub fn born(&self) -> watch::Receiver<Option<Born>> {
        self.0.born.clone()
    }

    /// Performs an administrator's operation for a holder of the cluster's key.
    pub async fn operate(&self, by: Author, operation: Operation) -> Result<wire::AdminAnswer, wire::Failure> {
        let request = Bytes::copy_from_slice(&self.0.service.context.platform.rng.bytes::<16>());
        self.operate_as_asked(by, wire::Admin { request, operation: Some(operation) }).await
    }

    /// The same under a request id that the operator has chosen.
    pub async fn operate_as_asked(&self, by: Author, asked: wire::Admin) -> Result<wire::AdminAnswer, wire::Failure> {
        operate(&self.0.service, Address::LOCAL, by, asked).await.map_err(|refusal| refusal.failure())
    }

    /// Records an act that changes no shard in the audit log. It retries while the outcome is
    /// unknown; the caller bounds the time.
    pub async fn record(&self, by: Author, action: &str, target: &str, detail: &str) -> Result<(), wire::Failure> {
        let request = ClientMessageId(self.0.service.context.platform.rng.bytes());
        loop {
            match audit::record(&self.0.service, by.clone(), request, action, target, detail).await {
                Ok(()) => return Ok(()),
                Err(refusal @ Refusal::Rejected { .. }) => return Err(refusal.failure()),
                Err(_) => tokio::time::sleep(RECORD_AGAIN).await,
            }
        }
    }

    /// The platform of the node, with its metrics and its trace.
    pub fn platform(&self) -> &Platform {
        &self.0.service.context.platform
    }

    /// Applied state of this node's replicas, for checkers.
    pub fn local_view(&self) -> View {
        self.0.service.context.view()
    }

    /// Asks the leader of a slot as an edge does, without the checks of an edge. For tests.
    pub fn ask(&self, slot: Slot, request: Request) -> impl Future<Output = Outcome> + Send + use<> {
        self.0.service.context.router.ask(slot, request, PATIENCE)
    }

    /// Changes the limits of users and addresses.
    pub fn set_limits(&self, limits: Limits) {
        let service = &self.0.service;
        service.output.set_limit(limits.output_bytes);
        service.places.set_limits(limits.clone());
        service.budgets.set_limits(limits);
    }

    /// Has all edges send their clients to other nodes, and waits until they have gone or the time
    /// is over. Requests that were made are still answered.
    pub async fn drain(&self, within: Duration) {
        let nodes = self.0.service.context.router.routing().elsewhere();
        self.0.clients.send_replace(Clients::Draining { nodes });
        // The edges end the connections that stay, and their clients resume elsewhere.
        let _ = tokio::time::timeout(within, self.0.service.places.empty()).await;
    }

    /// Stops all actors and tasks. The edges stop before.
    pub async fn shutdown(&self) {
        self.0.tasks.lock().abort_all();
        self.0.root.stop(None);
        let joined = self.0.joined.lock().take();
        if let Some(joined) = joined {
            let _ = tokio::time::timeout(STOP_WITHIN, joined).await;
        }
        match &self.0.mesh {
            Carrier::Cluster(mesh) => mesh.stop().await,
            Carrier::Direct(mesh) => mesh.stop().await,
        }
    }
}

fn inbox(router: Arc<Router>, root: ActorRef<RootMsg>) -> Inbox {
    Arc::new(move |event| match event {
        MeshEvent::Received { from, envelope } => router.received(from, envelope),
        MeshEvent::Down(node) => {
            router.node_down(node);
            let _ = root.send_message(RootMsg::NodeDown(node));
        }
        // Fan-out retries its subscriptions at the leaders of that node by itself.
        MeshEvent::Up(_) => {}
    })
}
