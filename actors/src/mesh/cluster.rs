//! The mesh of a production node, over ractor_cluster.
//!
//! A node exposes three remote actors to its peers: the [`LaneReceiver`]s of two lanes and of the
//! control lane. A frame is one cast to the peer's receiver. The cluster port opens and
//! authenticates the sockets, and ractor's node server gets them as external streams. Its own
//! listener is on loopback, and sessions that come that way are closed.
//!
//! The mesh never `call`s a remote actor, because there is no negative reply, and never stops one,
//! because that ends the whole session. ractor's registries are statics of the process, so names
//! have node id and incarnation. [`session`] turns a stream into a session of ractor and ends it.

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
use troupe_runtime::{Platform, Stream};

use self::session::{Sessions, Socket};
use super::frame::{self, CONTROL, Frame, LANES};
use super::link::Link;
use super::links::Links;
use super::peers::{Carrier, PeerLinks, Running};
use super::{Envelope, Gauge, Inbox, Mesh, MeshError};

/// The process group of ractor that has the receivers.
const SCOPE: &str = "troupe";
const GROUP: &str = "mesh";
/// Receivers of a node: its lanes and the control lane.
const RECEIVERS: usize = LANES as usize + 1;
/// For actors to stop.
const STOP_WITHIN: Duration = Duration::from_secs(2);

pub struct ClusterMesh {
    peer_links: Arc<PeerLinks>,
    running: Running,
}

impl ClusterMesh {
    /// Starts to dial and accept. The inbox gets the events.
    pub async fn start(
        platform: &Platform,
        links: Arc<dyn Links>,
        inbox: Inbox,
        gauge: Arc<Gauge>,
    ) -> Result<ClusterMesh, SpawnErr> {
        let me = links.me();
        let peer_links = PeerLinks::new(me, platform.clone(), inbox, gauge);
        let incarnation = format!("{:016x}", platform.rng.u64());

        let mut receivers = Vec::with_capacity(RECEIVERS);
        for lane in 0..=CONTROL {
            let name = receiver_name(me, &incarnation, lane);
            let (receiver, _) = Actor::spawn(Some(name), LaneReceiver, peer_links.clone()).await?;
            receivers.push(receiver);
        }
        pg::join_scoped(SCOPE.into(), GROUP.into(), receivers.iter().map(ActorRef::get_cell).collect());

        // Both names are unique per run, so that ractor does not take a peer for itself.
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

        let carrier = Arc::new(Clustered { peer_links: peer_links.clone(), server, sessions, receivers });
        let running = Running::start(peer_links.clone(), links, carrier);
        Ok(ClusterMesh { peer_links, running })
    }

    /// Closes all links. The inbox is not called after it.
    pub async fn stop(&self) {
        self.running.stop().await;
    }
}

impl Mesh for ClusterMesh {
    fn send(&self, to: NodeId, lane_key: u32, envelope: Envelope) -> Result<(), MeshError> {
        self.peer_links.send(to, lane_key, envelope)
    }

    fn peers(&self) -> Vec<NodeId> {
        self.peer_links.peers()
    }
}

/// Separates clusters on one machine. It is not a secret: the cluster port authenticates streams.
fn cookie(cluster: [u8; 16]) -> String {
    cluster.iter().fold("troupe-mesh-".to_owned(), |cookie, byte| cookie + &format!("{byte:02x}"))
}

fn receiver_name(node: NodeId, incarnation: &str, lane: u32) -> String {
    format!("mesh/{node}/{incarnation}/{lane}")
}

/// The only message that ractor carries to another node.
pub struct RemoteFrame(Frame);

impl ractor::Message for RemoteFrame {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        Ok(SerializedMessage::Cast { variant: String::new(), args: self.0.encode_to_vec(), metadata: None })
    }

    fn deserialize(message: SerializedMessage) -> Result<RemoteFrame, BoxedDowncastErr> {
        match message {
            SerializedMessage::Cast { args, .. } => {
                frame::decode(args.into()).map(RemoteFrame).map_err(|_| BoxedDowncastErr)
            }
            SerializedMessage::Call { .. } | SerializedMessage::CallReply(..) => Err(BoxedDowncastErr),
        }
    }
}

/// Receives the frames of one lane from all peers.
struct LaneReceiver;

impl Actor for LaneReceiver {
    type Msg = RemoteFrame;
    type State = Arc<PeerLinks>;
    type Arguments = Arc<PeerLinks>;

    async fn pre_start(
        &self,
        _me: ActorRef<RemoteFrame>,
        peer_links: Arc<PeerLinks>,
    ) -> Result<Arc<PeerLinks>, ActorProcessingErr> {
        Ok(peer_links)
    }

    async fn handle(
        &self,
        _me: ActorRef<RemoteFrame>,
        RemoteFrame(frame): RemoteFrame,
        peer_links: &mut Arc<PeerLinks>,
    ) -> Result<(), ActorProcessingErr> {
        let from = NodeId(frame.from);
        if let Some(link) = peer_links.link(from)
            && let Err(malformed) = peer_links.receive(&link, frame)
        {
            tracing::warn!(peer = %from, error = %malformed, "mesh frame refused");
        }
        Ok(())
    }
}

struct Clustered {
    peer_links: Arc<PeerLinks>,
    server: ActorRef<NodeServerMessage>,
    sessions: Arc<Sessions>,
    receivers: Vec<ActorRef<RemoteFrame>>,
}

/// Why the carrier ended a link.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("ractor's session ended")]
    Session,
    #[error("the peer exposes no receivers of lanes")]
    NoReceivers,
}

impl Carrier for Clustered {
    fn carry(&self, link: Arc<Link>, stream: Box<dyn Stream>) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let (label, ready) = self.sessions.open(link.peer, link.number()).await;
            let (socket, guard) = Socket::new(stream, link.clone(), label);
            let is_server = link.peer < link.me;
            let opened = NodeServerMessage::ConnectionOpenedExternal { stream: Box::new(socket), is_server };
            if self.server.cast(opened).is_err() {
                return;
            }
            tokio::select! {
                biased;
                ended = link.keep(self.peer_links.beat()) => tracing::info!(peer = %link.peer, reason = %ended, "mesh link ended"),
                () = guard.ended() => tracing::info!(peer = %link.peer, reason = "the stream ended", "mesh link ended"),
                lost = self.send_frames(&link, ready) => tracing::info!(peer = %link.peer, reason = %lost, "mesh link ended"),
            }
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let mut stopped = vec![self.server.stop_and_wait(None, Some(STOP_WITHIN)).await.is_ok()];
            for receiver in &self.receivers {
                stopped.push(receiver.stop_and_wait(None, Some(STOP_WITHIN)).await.is_ok());
            }
            if stopped.contains(&false) {
                tracing::warn!("an actor of the mesh did not stop in time");
            }
        })
    }
}

impl Clustered {
    /// Casts the frames of the link, lane by lane, until the session ends.
    async fn send_frames(&self, link: &Link, ready: oneshot::Receiver<u64>) -> Lost {
        let Ok(session) = ready.await else { return Lost::Session };
        let Some([first, second, control]) = peer_receivers(link.peer, session) else { return Lost::NoReceivers };
        let gauge = &*self.peer_links.gauge;
        tokio::select! {
            biased;
            () = async { while control.cast(RemoteFrame(link.next_control().await)).is_ok() {} } => {}
            () = async { while first.cast(RemoteFrame(link.next_of_lane(0, gauge).await)).is_ok() {} } => {}
            () = async { while second.cast(RemoteFrame(link.next_of_lane(1, gauge).await)).is_ok() {} } => {}
        }
        Lost::Session
    }
}

/// The peer's receivers in this session, in the order of their lanes.
fn peer_receivers(peer: NodeId, session: u64) -> Option<[ActorRef<RemoteFrame>; RECEIVERS]> {
    let prefix = format!("mesh/{peer}/");
    let mut receivers: [Option<ActorRef<RemoteFrame>>; RECEIVERS] = Default::default();
    for cell in pg::get_scoped_members(&SCOPE.into(), &GROUP.into()) {
        let here = matches!(cell.get_id(), ActorId::Remote { node_id, .. } if node_id == session);
        let name = cell.get_name().filter(|name| here && name.starts_with(&prefix));
        let lane = name.and_then(|name| name.rsplit('/').next().and_then(|lane| lane.parse::<usize>().ok()));
        if let Some(receiver) = lane.and_then(|lane| receivers.get_mut(lane)) {
            *receiver = Some(cell.into());
        }
    }
    let [Some(first), Some(second), Some(control)] = receivers else { return None };
    Some([first, second, control])
}
