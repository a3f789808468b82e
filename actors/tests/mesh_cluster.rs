//! The mesh over ractor_cluster between two processes: ractor's registries are statics, so each
//! node needs its own.
//!
//! The test is node 1, the dialler. Node 2 is this binary again, running [`node_process`].

mod mesh;

use std::collections::BTreeMap;
use std::io;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use troupe_actors::mesh::cluster::ClusterMesh;
use troupe_actors::mesh::links::{Inbound, Links, PeerSet};
use troupe_actors::mesh::{Envelope, Gauge, Inbox, Kind, Mesh, MeshError, MeshEvent, Permit};
use troupe_core::{NodeId, limits};
use troupe_runtime::net::BoxFuture;
use troupe_runtime::{Net, Platform, Stream};

use self::mesh::{Events, PATIENCE, mailbox, nodes, push, send};

const PARENT: NodeId = NodeId(1);
const CHILD: NodeId = NodeId(2);
/// Makes a process node 2, and limits its envelopes in flight.
const GAUGE: &str = "TROUPE_TEST_MESH_GAUGE";
/// The child never finishes the envelopes that it receives.
const HOLD: u32 = 7;

/// Loopback streams that begin with the dialler's id.
struct Loopback {
    me: NodeId,
    net: Arc<dyn Net>,
    addresses: Mutex<BTreeMap<NodeId, String>>,
    incoming: Mutex<Option<mpsc::Receiver<Inbound>>>,
    peers: watch::Sender<PeerSet>,
}

impl Loopback {
    /// Listens, and returns the address.
    async fn listen(me: NodeId, net: Arc<dyn Net>) -> (Arc<Loopback>, String) {
        let listener = net.bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (accepted, incoming) = mpsc::channel(8);
        tokio::spawn(async move {
            while let Ok((mut stream, peer)) = listener.accept().await {
                let from = NodeId(stream.read_u64().await.unwrap());
                if accepted.send(Inbound { from, peer, stream }).await.is_err() {
                    return;
                }
            }
        });
        let peers = watch::Sender::new(nodes(&[1, 2]));
        let incoming = Mutex::new(Some(incoming));
        (Arc::new(Loopback { me, net, addresses: Mutex::default(), incoming, peers }), address)
    }
}

impl Links for Loopback {
    fn me(&self) -> NodeId {
        self.me
    }

    fn dial(&self, to: NodeId) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        let address = self.addresses.lock().get(&to).cloned();
        Box::pin(async move {
            let mut stream = self.net.connect(&address.ok_or(io::ErrorKind::NotFound)?).await?;
            stream.write_u64(self.me.0).await?;
            Ok(stream)
        })
    }

    fn incoming(&self) -> mpsc::Receiver<Inbound> {
        self.incoming.lock().take().expect("taken once")
    }

    fn peers(&self) -> watch::Receiver<PeerSet> {
        self.peers.subscribe()
    }

    fn cluster_id(&self) -> [u8; 16] {
        [9; 16]
    }
}

/// Answers requests with their body, holds those that ask for it, and runs until its standard input
/// ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the other tests as a process of its own"]
async fn node_process() {
    let Ok(limit) = std::env::var(GAUGE) else { return };
    let gauge = Gauge::new(limit.parse().unwrap());
    let platform = Platform::production();
    let (links, address) = Loopback::listen(CHILD, platform.net.clone()).await;
    let mesh: Arc<OnceLock<ClusterMesh>> = Arc::default();
    let held: Mutex<Vec<Permit>> = Mutex::default();
    let (answers, mut answering) = mpsc::unbounded_channel::<Envelope>();
    let inbox: Inbox = {
        let gauge = gauge.clone();
        Arc::new(move |event| {
            let MeshEvent::Received { envelope, .. } = event else { return };
            if envelope.deadline_ms == HOLD {
                held.lock().push(gauge.enter());
            } else if envelope.kind == Kind::Request {
                answers.send(envelope).unwrap();
            }
        })
    };
    let started = ClusterMesh::start(&platform, links, inbox, gauge).await.unwrap();
    assert!(mesh.set(started).is_ok());
    println!("address={address}");

    let answer = async {
        let mesh = mesh.get().unwrap();
        while let Some(request) = answering.recv().await {
            let lane = request.shard.map_or(0, |shard| shard.0);
            let reply = Envelope { kind: Kind::Reply, ..request };
            // The link may have ended since, and the requester with it.
            let _ = send(mesh, PARENT, lane, reply).await;
        }
    };
    let mut input = tokio::io::stdin();
    let mut rest = Vec::new();
    tokio::select! {
        () = answer => {}
        _ = input.read_to_end(&mut rest) => {}
    }
}

struct Node2 {
    child: Child,
    address: String,
}

impl Node2 {
    async fn spawn(gauge: usize) -> Node2 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "node_process", "--nocapture", "--test-threads=1"])
            .env(GAUGE, gauge.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = timeout(PATIENCE, async {
            loop {
                let line = lines.next_line().await.unwrap().expect("the child says its address");
                // The test harness writes to the same line.
                if let Some((_, address)) = line.split_once("address=") {
                    return address.to_owned();
                }
            }
        });
        let address = address.await.expect("the child starts in time");
        Node2 { child, address }
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().expect("not waited for").to_string();
        let status = std::process::Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(status.success());
    }
}

struct Node1 {
    mesh: ClusterMesh,
    links: Arc<Loopback>,
    events: Events,
}

impl Node1 {
    async fn start() -> Node1 {
        let platform = Platform::production();
        let (links, _) = Loopback::listen(PARENT, platform.net.clone()).await;
        let (inbox, events) = mailbox();
        let mesh = ClusterMesh::start(&platform, links.clone(), inbox, Gauge::new(usize::MAX)).await.unwrap();
        Node1 { mesh, links, events }
    }

    fn follow(&self, other: &Node2) {
        self.links.addresses.lock().insert(CHILD, other.address.clone());
    }

    async fn echo(&mut self, number: u64) {
        let request = Envelope { kind: Kind::Request, ..push(number, 3) };
        self.mesh.send(CHILD, 0, request.clone()).unwrap();
        assert_eq!(self.events.envelope().await, Envelope { kind: Kind::Reply, ..request });
    }
}

/// Tests of one process share ractor's statics.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_lanes_are_remotable_and_they_are_gone_after_stop() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let remotable = || {
        let pids = ractor::registry::pid_registry::get_all_pids();
        let mut names: Vec<_> =
            pids.into_iter().filter(|pid| pid.supports_remoting()).filter_map(|pid| pid.get_name()).collect();
        names.sort();
        names
    };
    let mut one = Node1::start().await;
    let two = Node2::spawn(usize::MAX).await;
    one.follow(&two);
    one.events.expect(MeshEvent::Up(CHILD)).await;
    one.echo(1).await;
    let names = remotable();
    assert_eq!(names.len(), 3, "{names:?}");
    for (lane, name) in names.iter().enumerate() {
        assert!(name.starts_with("mesh/1/") && name.ends_with(&format!("/{lane}")), "{name}");
    }
    one.mesh.stop().await;
    one.events.expect(MeshEvent::Down(CHILD)).await;
    assert_eq!(remotable(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_answered_in_the_order_of_their_lane() {
    let _alone = ONE_AT_A_TIME.lock().await;
    const EACH: u64 = 50_000;
    let mut one = Node1::start().await;
    let two = Node2::spawn(usize::MAX).await;
    one.follow(&two);
    one.events.expect(MeshEvent::Up(CHILD)).await;
    assert_eq!(one.mesh.peers(), [CHILD]);

    let began = Instant::now();
    let mesh = &one.mesh;
    let events = &mut one.events;
    let sends = |lane: u32| async move {
        for number in 0..EACH {
            let shard = Some(troupe_core::ShardId(lane));
            let request = Envelope { kind: Kind::Request, shard, ..push(number, 200) };
            send(mesh, CHILD, lane, request).await.unwrap();
            if number % 256 == 0 {
                tokio::task::yield_now().await;
            }
        }
    };
    let receives = async {
        let mut next = [0, 0];
        while next != [EACH, EACH] {
            let reply = events.envelope().await;
            let lane = reply.shard.unwrap().0 as usize;
            assert_eq!((reply.kind, reply.correlation), (Kind::Reply, next[lane]));
            next[lane] += 1;
        }
    };
    tokio::join!(sends(0), sends(1), receives);
    let rate = 2.0 * EACH as f64 / began.elapsed().as_secs_f64();
    println!("cluster mesh: {} round trips of 200 bytes, {rate:.0} round trips/s", 2 * EACH);

    assert_eq!(mesh.send(CHILD, 0, push(0, limits::NODE_FRAME_BYTES)), Err(MeshError::TooLarge));
    let largest = Envelope { kind: Kind::Request, ..push(5, limits::NODE_FRAME_BYTES - 1024) };
    mesh.send(CHILD, 0, largest.clone()).unwrap();
    assert_eq!(events.envelope().await, Envelope { kind: Kind::Reply, ..largest });
    one.mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_or_frozen_process_is_down_and_comes_back() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let mut one = Node1::start().await;
    let mut two = Node2::spawn(usize::MAX).await;
    one.follow(&two);
    one.events.expect(MeshEvent::Up(CHILD)).await;
    one.echo(1).await;

    let began = Instant::now();
    two.child.start_kill().unwrap();
    one.events.expect(MeshEvent::Down(CHILD)).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(one.mesh.send(CHILD, 0, push(0, 0)), Err(MeshError::Down));

    two = Node2::spawn(usize::MAX).await;
    one.follow(&two);
    one.events.expect(MeshEvent::Up(CHILD)).await;
    one.echo(2).await;

    let began = Instant::now();
    two.signal("-STOP");
    one.events.expect(MeshEvent::Down(CHILD)).await;
    let took = began.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(5)).contains(&took), "{took:?}");
    two.signal("-CONT");
    one.events.expect(MeshEvent::Up(CHILD)).await;
    one.echo(3).await;
    one.mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_process_stops_its_sender() {
    let _alone = ONE_AT_A_TIME.lock().await;
    const BODY: usize = 10 * 1024;
    let mut one = Node1::start().await;
    let two = Node2::spawn(50).await;
    one.follow(&two);
    one.events.expect(MeshEvent::Up(CHILD)).await;

    let most = (limits::LANE_BYTES + 2 * limits::NODE_FRAME_BYTES) / BODY + 1_000;
    let accepted = AtomicUsize::new(0);
    let mut refused_since: Option<Instant> = None;
    while refused_since.is_none_or(|since| since.elapsed() < Duration::from_millis(500)) {
        match one.mesh.send(CHILD, 0, Envelope { deadline_ms: HOLD, ..push(0, BODY) }) {
            Ok(()) => {
                refused_since = None;
                assert!(accepted.fetch_add(1, Ordering::Relaxed) <= most, "the sender was never stopped");
            }
            Err(MeshError::Full) => {
                refused_since.get_or_insert_with(Instant::now);
                tokio::task::yield_now().await;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(accepted.into_inner() > 50);
    // The link itself works.
    assert_eq!(one.mesh.peers(), [CHILD]);
    assert_eq!(one.events.drain(), []);
    one.mesh.stop().await;
}
