//! The mesh over ractor_cluster: what a node runs.
//!
//! A node shows its peers three remotable actors and nothing else: the [`Ear`]s of two lanes and of
//! the control lane. A frame is one cast to the peer's ear. The sockets are ours, opened and
//! authenticated by the cluster port, and given to ractor's node server as external streams; its
//! own listener is on loopback and whoever comes that way is hung up on.
//!
//! We never `call` a remote actor (there is no negative reply) and never stop one (it would end the
//! whole session). Its registries are statics of the process, so names carry node id and
//! incarnation. See [`session`] for how a stream becomes a session of ractor and how it ends.

mod session;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use ractor::message::{BoxedDowncastErr, SerializedMessage};
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SpawnErr, pg};
use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::{NodeServer, NodeServerMessage};
use tokio::sync::oneshot;
use troupe_core::{NodeId, limits};
use troupe_runtime::net::BoxFuture;
use troupe_runtime::{NodeCtx, Stream};

use self::session::{Sessions, Socket};
use super::frame::{self, CONTROL, Frame, LANES};
use super::link::Link;
use super::links::Links;
use super::peers::{Carrier, Hub, Running};
use super::{Envelope, Gauge, Inbox, Mesh, MeshError};

/// Where ears are found in ractor's process groups.
const SCOPE: &str = "troupe";
const GROUP: &str = "mesh";
/// Ears of a node: its lanes and the control lane.
const EARS: usize = LANES as usize + 1;
/// For actors that are told to stop.
const STOP_WITHIN: Duration = Duration::from_secs(2);

pub struct ClusterMesh {
    hub: Arc<Hub>,
    running: Running,
}

impl ClusterMesh {
    /// Dials and accepts at once; the inbox hears of it.
    pub async fn start(
        ctx: &NodeCtx,
        links: Arc<dyn Links>,
        inbox: Inbox,
        gauge: Arc<Gauge>,
    ) -> Result<ClusterMesh, SpawnErr> {
        let me = links.me();
        let hub = Hub::new(me, ctx.rng.clone(), inbox, gauge);
        let incarnation = format!("{:016x}", ctx.rng.u64());

        let mut ears = Vec::with_capacity(EARS);
        for lane in 0..=CONTROL {
            let name = ear_name(me, &incarnation, lane);
            let (ear, _) = Actor::spawn(Some(name), Ear, hub.clone()).await?;
            ears.push(ear);
        }
        pg::join_scoped(SCOPE.into(), GROUP.into(), ears.iter().map(ActorRef::get_cell).collect());

        // Both names are unique per run, or ractor might take a peer for itself.
        let name = format!("{me}-{incarnation}");
        let server = NodeServer::new(
            0,
            cookie(links.cluster_id()),
            name.clone(),
            name,
            None,
            Some(NodeConnectionMode::Isolated),
        )
        .with_listen_addr(IpAddr::V4(Ipv4Addr::LOCALHOST))
        .with_max_inbound_frame_size(limits::NODE_FRAME_BYTES as u64);
        let (server, _) = Actor::spawn(None, server, ()).await?;
        let sessions = Sessions::follow(&server);

        let carrier = Arc::new(Clustered { hub: hub.clone(), server, sessions, ears });
        let running = Running::start(hub.clone(), links, carrier);
        Ok(ClusterMesh { hub, running })
    }

    /// Hangs up. After it the inbox is not called any more.
    pub async fn stop(&self) {
        self.running.stop().await;
    }
}

impl Mesh for ClusterMesh {
    fn send(&self, to: NodeId, lane_key: u32, envelope: Envelope) -> Result<(), MeshError> {
        self.hub.send(to, lane_key, envelope)
    }

    fn peers(&self) -> Vec<NodeId> {
        self.hub.peers()
    }
}

/// Keeps apart clusters that share a machine. It is no secret: the cluster port has authenticated
/// the stream before.
fn cookie(cluster: [u8; 16]) -> String {
    cluster.iter().fold("troupe-mesh-".to_owned(), |cookie, byte| cookie + &format!("{byte:02x}"))
}

fn ear_name(node: NodeId, incarnation: &str, lane: u32) -> String {
    format!("mesh/{node}/{incarnation}/{lane}")
}

/// The only message of Troupe that ractor may carry to another node.
pub struct Parcel(Frame);

impl ractor::Message for Parcel {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        Ok(SerializedMessage::Cast { variant: String::new(), args: self.0.encode_to_vec(), metadata: None })
    }

    fn deserialize(message: SerializedMessage) -> Result<Parcel, BoxedDowncastErr> {
        match message {
            SerializedMessage::Cast { args, .. } => {
                frame::decode(args.into()).map(Parcel).map_err(|_| BoxedDowncastErr)
            }
            SerializedMessage::Call { .. } | SerializedMessage::CallReply(..) => Err(BoxedDowncastErr),
        }
    }
}

/// Listens on one lane to every peer.
struct Ear;

impl Actor for Ear {
    type Msg = Parcel;
    type State = Arc<Hub>;
    type Arguments = Arc<Hub>;

    async fn pre_start(&self, _me: ActorRef<Parcel>, hub: Arc<Hub>) -> Result<Arc<Hub>, ActorProcessingErr> {
        Ok(hub)
    }

    async fn handle(
        &self,
        _me: ActorRef<Parcel>,
        Parcel(frame): Parcel,
        hub: &mut Arc<Hub>,
    ) -> Result<(), ActorProcessingErr> {
        let from = NodeId(frame.from);
        if let Some(link) = hub.link(from)
            && let Err(malformed) = hub.receive(&link, frame)
        {
            tracing::warn!(peer = %from, error = %malformed, "mesh frame refused");
        }
        Ok(())
    }
}

struct Clustered {
    hub: Arc<Hub>,
    server: ActorRef<NodeServerMessage>,
    sessions: Arc<Sessions>,
    ears: Vec<ActorRef<Parcel>>,
}

/// Why a link ended that was not ended by its own keeping.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("ractor's session ended")]
    Session,
    #[error("the peer has not shown its lanes")]
    NoEars,
}

impl Carrier for Clustered {
    fn carry(&self, link: Arc<Link>, stream: Box<dyn Stream>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let (label, ready) = self.sessions.open(link.peer, link.number()).await;
            let (socket, line) = Socket::new(stream, link.clone(), label);
            let is_server = link.peer < link.me;
            let opened = NodeServerMessage::ConnectionOpenedExternal { stream: Box::new(socket), is_server };
            if self.server.cast(opened).is_err() {
                return;
            }
            tokio::select! {
                biased;
                ended = link.keep() => tracing::info!(peer = %link.peer, reason = %ended, "mesh link ended"),
                () = line.cut() => tracing::info!(peer = %link.peer, reason = "the stream ended", "mesh link ended"),
                lost = self.speak(&link, ready) => tracing::info!(peer = %link.peer, reason = %lost, "mesh link ended"),
            }
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let mut stopped = vec![self.server.stop_and_wait(None, Some(STOP_WITHIN)).await.is_ok()];
            for ear in &self.ears {
                stopped.push(ear.stop_and_wait(None, Some(STOP_WITHIN)).await.is_ok());
            }
            if stopped.contains(&false) {
                tracing::warn!("an actor of the mesh did not stop in time");
            }
        })
    }
}

impl Clustered {
    /// Casts what the link has to say, lane by lane, until the session is gone.
    async fn speak(&self, link: &Link, ready: oneshot::Receiver<u64>) -> Lost {
        let Ok(session) = ready.await else { return Lost::Session };
        let Some([first, second, control]) = peer_ears(link.peer, session) else { return Lost::NoEars };
        let gauge = &*self.hub.gauge;
        tokio::select! {
            biased;
            () = async { while control.cast(Parcel(link.next_control().await)).is_ok() {} } => {}
            () = async { while first.cast(Parcel(link.next_of_lane(0, gauge).await)).is_ok() {} } => {}
            () = async { while second.cast(Parcel(link.next_of_lane(1, gauge).await)).is_ok() {} } => {}
        }
        Lost::Session
    }
}

/// The peer's ears as this session shows them, in the order of their lanes.
fn peer_ears(peer: NodeId, session: u64) -> Option<[ActorRef<Parcel>; EARS]> {
    let prefix = format!("mesh/{peer}/");
    let mut ears: [Option<ActorRef<Parcel>>; EARS] = Default::default();
    for cell in pg::get_scoped_members(&SCOPE.into(), &GROUP.into()) {
        let here = matches!(cell.get_id(), ActorId::Remote { node_id, .. } if node_id == session);
        let name = cell.get_name().filter(|name| here && name.starts_with(&prefix));
        let lane = name.and_then(|name| name.rsplit('/').next().and_then(|lane| lane.parse::<usize>().ok()));
        if let Some(ear) = lane.and_then(|lane| ears.get_mut(lane)) {
            *ear = Some(cell.into());
        }
    }
    let [Some(first), Some(second), Some(control)] = ears else { return None };
    Some([first, second, control])
}
