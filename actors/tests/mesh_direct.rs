//! The shared logic of both meshes, over cables in memory that can be cut and frozen.

mod mesh;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, copy_bidirectional, duplex};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use troupe_actors::mesh::direct::DirectMesh;
use troupe_actors::mesh::links::{Inbound, Links, PeerSet};
use troupe_actors::mesh::{Gauge, Inbox, Mesh, MeshError, MeshEvent, Permit};
use troupe_core::{NodeId, limits};
use troupe_runtime::net::BoxFuture;
use troupe_runtime::{Platform, Rng, Stream};

use self::mesh::{Events, mailbox, nodes, push, send};

const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);

/// Connects nodes of one process by cables.
struct Patchbay {
    ports: Mutex<BTreeMap<NodeId, mpsc::Sender<Inbound>>>,
    peers: watch::Sender<PeerSet>,
    weather: watch::Sender<Weather>,
}

/// Faults of the cables; new cables have none.
#[derive(Clone, Copy, Default, PartialEq)]
struct Weather {
    cuts: u32,
    freezes: u32,
}

impl Patchbay {
    fn of(ids: &[u64]) -> Arc<Patchbay> {
        Arc::new(Patchbay {
            ports: Mutex::default(),
            peers: watch::Sender::new(nodes(ids)),
            weather: watch::Sender::new(Weather::default()),
        })
    }

    fn cut(&self) {
        self.weather.send_modify(|weather| weather.cuts += 1);
    }

    fn freeze(&self) {
        self.weather.send_modify(|weather| weather.freezes += 1);
    }

    fn plug(self: &Arc<Self>, me: NodeId) -> Arc<dyn Links> {
        let (port, incoming) = mpsc::channel(8);
        self.ports.lock().insert(me, port);
        Arc::new(Plug { me, bay: self.clone(), incoming: Mutex::new(Some(incoming)) })
    }

    async fn connect(&self, from: NodeId, to: NodeId) -> io::Result<DuplexStream> {
        let port = self.ports.lock().get(&to).cloned().ok_or(io::ErrorKind::ConnectionRefused)?;
        let (near, mut near_end) = duplex(64 * 1024);
        let (far, mut far_end) = duplex(64 * 1024);
        let mut weather = self.weather.subscribe();
        let born = *weather.borrow();
        tokio::spawn(async move {
            let mut over = false;
            tokio::select! {
                _ = copy_bidirectional(&mut near_end, &mut far_end) => over = true,
                _ = weather.wait_for(|now| *now != born) => {}
            }
            if !over && weather.borrow().freezes != born.freezes {
                // Both ends stay open and nothing moves.
                std::future::pending::<()>().await;
            }
        });
        let inbound = Inbound { from, peer: ([127, 0, 0, 1], 7).into(), stream: Box::new(far) };
        port.send(inbound).await.map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(near)
    }
}

struct Plug {
    me: NodeId,
    bay: Arc<Patchbay>,
    incoming: Mutex<Option<mpsc::Receiver<Inbound>>>,
}

impl Links for Plug {
    fn me(&self) -> NodeId {
        self.me
    }

    fn dial(&self, to: NodeId) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move { Ok(Box::new(self.bay.connect(self.me, to).await?) as Box<dyn Stream>) })
    }

    fn incoming(&self) -> mpsc::Receiver<Inbound> {
        self.incoming.lock().take().expect("taken once")
    }

    fn peers(&self) -> watch::Receiver<PeerSet> {
        self.bay.peers.subscribe()
    }

    fn cluster_id(&self) -> [u8; 16] {
        [7; 16]
    }
}

fn start(bay: &Arc<Patchbay>, me: NodeId, inbox: Inbox, gauge: Arc<Gauge>) -> DirectMesh {
    let platform = Platform { rng: Arc::new(Rng::from_seed(me.0)), ..Platform::production() };
    DirectMesh::start(&platform, bay.plug(me), inbox, gauge)
}

fn node(bay: &Arc<Patchbay>, me: NodeId) -> (DirectMesh, Events) {
    let (inbox, events) = mailbox();
    (start(bay, me, inbox, Gauge::new(usize::MAX)), events)
}

async fn pair(bay: &Arc<Patchbay>) -> ((DirectMesh, Events), (DirectMesh, Events)) {
    let (mut a, mut b) = (node(bay, A), node(bay, B));
    a.1.expect(MeshEvent::Up(B)).await;
    b.1.expect(MeshEvent::Up(A)).await;
    (a, b)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_lane_keeps_its_order_under_load() {
    const EACH: u64 = 50_000;
    let bay = Patchbay::of(&[1, 2]);
    let ((a, _a_events), (_b, mut events)) = pair(&bay).await;
    let a = Arc::new(a);
    let began = Instant::now();
    for lane in 0..2 {
        let a = a.clone();
        tokio::spawn(async move {
            for number in 0..EACH {
                // The length of the body names the lane.
                send(&*a, B, lane, push(number, lane as usize + 100)).await.unwrap();
            }
        });
    }
    let mut next = [0, 0];
    while next != [EACH, EACH] {
        let envelope = events.envelope().await;
        let lane = envelope.body.len() - 100;
        assert_eq!(envelope.correlation, next[lane]);
        next[lane] += 1;
    }
    let rate = 2.0 * EACH as f64 / began.elapsed().as_secs_f64();
    println!("direct mesh: {} envelopes, {rate:.0} envelopes/s", 2 * EACH);
}

#[tokio::test]
async fn three_nodes_are_up_with_each_other_and_a_node_that_leaves_goes_down() {
    let bay = Patchbay::of(&[1, 2]);
    let ((a, mut a_events), (b, _b_events)) = pair(&bay).await;
    bay.peers.send_replace(nodes(&[1, 2, 3]));
    let (_c, mut c_events) = node(&bay, NodeId(3));
    a_events.expect(MeshEvent::Up(NodeId(3))).await;
    let mut up = [c_events.next().await, c_events.next().await];
    up.sort_by_key(|event| format!("{event:?}"));
    assert_eq!(up, [MeshEvent::Up(A), MeshEvent::Up(B)]);
    assert_eq!(a.peers(), [B, NodeId(3)]);

    bay.peers.send_replace(nodes(&[1, 3]));
    a_events.expect(MeshEvent::Down(B)).await;
    assert_eq!(a.peers(), [NodeId(3)]);
    assert_eq!(a.send(B, 0, push(0, 0)), Err(MeshError::Down));
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_receiver_fills_the_sender_and_nothing_beyond_the_bounds() {
    const BODY: usize = 10 * 1024;
    let bay = Patchbay::of(&[1, 2]);
    let (a_inbox, mut a_events) = mailbox();
    let a = start(&bay, A, a_inbox, Gauge::new(usize::MAX));

    let gauge = Gauge::new(100);
    let (inbox, mut events) = mailbox();
    let held: Arc<Mutex<Vec<Permit>>> = Arc::default();
    let received = Arc::new(AtomicUsize::new(0));
    let counting: Inbox = {
        let (held, gauge, received) = (held.clone(), gauge.clone(), received.clone());
        Arc::new(move |event| {
            if matches!(event, MeshEvent::Received { .. }) {
                held.lock().push(gauge.enter());
                received.fetch_add(1, Ordering::Relaxed);
            }
            inbox(event);
        })
    };
    let _b = start(&bay, B, counting, gauge.clone());
    a_events.expect(MeshEvent::Up(B)).await;
    events.expect(MeshEvent::Up(A)).await;

    // More than lane, window and the receiver's limit hold together. After the first refusal the
    // test waits for frames in flight, until the lane takes no more.
    let most = (limits::LANE_BYTES + 2 * limits::NODE_FRAME_BYTES) / BODY + 1_000;
    let mut accepted = 0;
    let mut refused_since: Option<Instant> = None;
    while refused_since.is_none_or(|since| since.elapsed() < Duration::from_millis(500)) {
        match a.send(B, 0, push(accepted, BODY)) {
            Ok(()) => (accepted, refused_since) = (accepted + 1, None),
            Err(MeshError::Full) => {
                refused_since.get_or_insert_with(Instant::now);
                tokio::task::yield_now().await;
            }
            Err(other) => panic!("{other}"),
        }
        assert!(accepted <= most as u64, "the sender was never stopped");
    }
    let got = received.load(Ordering::Relaxed);
    assert!((100..=100 + 2 * limits::NODE_FRAME_BYTES / BODY).contains(&got), "{got} received");

    // Room again: everything accepted arrives, in order.
    for number in 0..accepted {
        assert_eq!(events.envelope().await.correlation, number);
        held.lock().pop();
    }
    drop(a);
}

#[tokio::test]
async fn a_killed_peer_is_down_at_once_and_up_after_its_return() {
    let bay = Patchbay::of(&[1, 2]);
    for killed in [A, B] {
        let ((a, mut a_events), (b, mut b_events)) = pair(&bay).await;
        let (killed_mesh, other, other_events) =
            if killed == A { (a, b, &mut b_events) } else { (b, a, &mut a_events) };
        let began = Instant::now();
        drop(killed_mesh);
        other_events.expect(MeshEvent::Down(killed)).await;
        assert!(began.elapsed() < Duration::from_secs(1));
        assert_eq!(other.send(killed, 0, push(0, 0)), Err(MeshError::Down));

        let (_returned, mut returned_events) = node(&bay, killed);
        other_events.expect(MeshEvent::Up(killed)).await;
        let other_id = if killed == A { B } else { A };
        returned_events.expect(MeshEvent::Up(other_id)).await;
        other.send(killed, 1, push(9, 0)).unwrap();
        assert_eq!(returned_events.envelope().await, push(9, 0));
    }
}

#[tokio::test]
async fn a_silent_peer_is_down_after_three_seconds() {
    let bay = Patchbay::of(&[1, 2]);
    let ((a, mut a_events), (_b, mut b_events)) = pair(&bay).await;
    let began = Instant::now();
    bay.freeze();
    a_events.expect(MeshEvent::Down(B)).await;
    b_events.expect(MeshEvent::Down(A)).await;
    let took = began.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(5)).contains(&took), "{took:?}");
    a_events.expect(MeshEvent::Up(B)).await;
    assert_eq!(a.peers(), [B]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_comes_twice_or_out_of_order_over_reconnects() {
    let bay = Patchbay::of(&[1, 2]);
    let ((a, mut a_events), (_b, mut b_events)) = pair(&bay).await;
    let mut number = 0;
    let mut last = None;
    let mut arrived = 0;
    for round in 0..5 {
        let until = number + 20_000;
        while number < until {
            if send(&a, B, 0, push(number, 50)).await == Err(MeshError::Down) {
                break;
            }
            number += 1;
            if number == until - 10_000 {
                bay.cut();
            }
        }
        a_events.expect(MeshEvent::Down(B)).await;
        a_events.expect(MeshEvent::Up(B)).await;
        let before = b_events.until(MeshEvent::Down(A)).await;
        b_events.expect(MeshEvent::Up(A)).await;
        arrived += before.len();
        for envelope in before {
            assert!(last < Some(envelope.correlation), "{} after {last:?} in round {round}", envelope.correlation);
            last = Some(envelope.correlation);
        }
    }
    assert!(arrived > 0 && arrived <= number as usize);
}

#[tokio::test]
async fn an_oversized_envelope_is_refused_and_the_largest_arrives() {
    let bay = Patchbay::of(&[1, 2]);
    let ((a, _a_events), (_b, mut events)) = pair(&bay).await;
    assert_eq!(a.send(B, 0, push(0, limits::NODE_FRAME_BYTES)), Err(MeshError::TooLarge));
    let largest = push(1, limits::NODE_FRAME_BYTES - 1024);
    a.send(B, 0, largest.clone()).unwrap();
    assert_eq!(events.envelope().await, largest);
}

#[tokio::test]
async fn garbage_is_hung_up_on() {
    let bay = Patchbay::of(&[1, 2]);
    let (_b, mut events) = node(&bay, B);
    let frames: [&[u8]; 4] = [
        &[0xff, 0xff, 0xff, 0xff],                // larger than any frame
        &[0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff],    // not protobuf
        &[0, 0, 0, 2, 0x08, 0x63],                // from node 99
        &[0, 0, 0, 6, 0x08, 1, 0x32, 2, 0x0a, 0], // a hello of version 0
    ];
    for garbage in frames {
        let mut stream = bay.connect(A, B).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        let mut said = Vec::new();
        // Sooner than a peer that sends nothing.
        timeout(Duration::from_secs(4), stream.read_to_end(&mut said)).await.expect("hung up").unwrap();
    }
    assert_eq!(events.drain(), []);
}
