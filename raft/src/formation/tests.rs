//! Nodes on a network and disks in memory. The clock is paused, so waits cost no time and need no
//! guesses.

mod admission;
mod refusals;
pub(crate) mod test_net;

use test_net::{Node, Start, TestNet, address};
use troupe_core::level::Range;
use troupe_core::{Level, NodeId};
use troupe_runtime::Rng;
use troupe_store::engine::{Batch, Durability, Engine, Family};
use troupe_store::key::node;

use super::Established;
use super::bootstrap::Bootstrap;
use super::identity::Identity;
use crate::api::StartError;
use crate::transport::token::Token;

const A: &str = "127.0.0.1:1";
const B: &str = "127.0.0.1:2";
const C: &str = "127.0.0.1:3";

fn three(test_net: &TestNet) -> [Node; 3] {
    // The order of the list must not matter, nor whether a node names itself.
    [Node::new(test_net, 1, &[C, A, B]), Node::new(test_net, 2, &[A, C]), Node::new(test_net, 3, &[B, A, C, B])]
}

async fn up(start: Start) -> Established {
    start.await.expect("it does not panic").expect("it gets a place")
}

async fn refusal(start: Start) -> String {
    match start.await.expect("it does not panic") {
        Err(StartError::Refused(text)) => text,
        Err(error) => panic!("refused for another reason: {error}"),
        Ok(established) => panic!("got a place: {established:?}"),
    }
}

async fn form(nodes: &mut [Node]) -> Vec<Established> {
    let starts: Vec<Start> = nodes.iter_mut().map(Node::start).collect();
    let mut formed = Vec::new();
    for start in starts {
        formed.push(up(start).await);
    }
    formed
}

fn assert_one_birth(formed: &[Established]) {
    for (expected, node) in (1..).zip(formed) {
        assert_eq!(node.cluster_id, formed[0].cluster_id);
        assert_eq!(node.me, NodeId(expected));
        assert!(node.founders.is_some());
        assert_eq!(node.founders, formed[0].founders);
    }
}

fn token(seed: u64) -> String {
    Token::generate(&Rng::from_seed(seed)).reveal()
}

#[tokio::test(start_paused = true)]
async fn three_nodes_form_one_cluster_whatever_the_order() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let test_net = TestNet::default();
        let mut nodes = three(&test_net);
        let mut starts: [Option<Start>; 3] = [None, None, None];
        for (turn, place) in order.into_iter().enumerate() {
            starts[place] = Some(nodes[place].start());
            if turn < 2 {
                // It has looked for the others and continues to wait.
                let absent = address(order[2] as u16 + 1);
                test_net.dialed(&address(place as u16 + 1), &absent, 3).await;
                assert!(starts.iter().flatten().all(|start| !start.is_finished()));
            }
        }
        let mut formed = Vec::new();
        for start in starts.into_iter().flatten() {
            formed.push(up(start).await);
        }
        assert_one_birth(&formed);
        let founders = formed[0].founders.as_ref().unwrap();
        assert_eq!(founders.iter().map(|founder| founder.address.as_str()).collect::<Vec<_>>(), [A, B, C]);
        assert_eq!(founders[2].client_address, "client-3");
        assert_eq!(founders[1].http_address, "http-2");
        assert_eq!(formed[1].seeds, [A, C]);
    }
}

#[tokio::test(start_paused = true)]
async fn nodes_form_over_tls_and_can_dial_each_other_by_id() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net).map(|node| node.with_token(&token(1)));
    let formed = form(&mut nodes).await;
    assert_one_birth(&formed);
    let mut streams = formed[2].port.mesh_streams();
    formed[0].port.dial(NodeId(3), crate::transport::port::Protocol::Mesh).await.unwrap();
    assert_eq!(streams.recv().await.unwrap().from, NodeId(1));
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_fails_while_another_node_is_noted_stops_the_node() {
    use super::boot::{Boot, Start};
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    let formed = form(&mut nodes).await;
    nodes[0].disk.fail_next_write("no such disk");
    let told = Start { boot: Boot { number: 9, mark: [9; 16] }, before: Vec::new() };
    assert!(formed[0].boots.note(NodeId(2), &told).await.is_err());
    assert!(formed[0].boots.fatal().wait().await.contains("no such disk"));
}

#[tokio::test(start_paused = true)]
async fn whoever_meets_a_disk_that_was_put_back_tells_it_however_often_it_has_started() {
    use super::boot_history::BootExchange;
    use crate::transport::link::Introduction;
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    let formed = form(&mut nodes).await;
    let Established { boots, port, cluster_id, me, .. } = &formed[0];
    let (boots, port, address) = (boots.clone(), port.clone(), A.to_owned());
    let exchange = BootExchange {
        boots,
        port,
        cluster_id: *cluster_id,
        me: *me,
        address,
        levels: Range::OURS,
        level: Default::default(),
    };
    let copy = nodes[2].disk.copy();
    nodes[2].crash();
    up(nodes[2].start()).await;
    exchange.exchange(NodeId(3)).await.unwrap();

    nodes[2].crash();
    nodes[2].disk = copy;
    for _ in 0..3 {
        up(nodes[2].start()).await;
        nodes[2].crash();
    }
    let back = up(nodes[2].start()).await;
    assert!(exchange.exchange(NodeId(3)).await.is_err());
    assert!(back.boots.fatal().wait().await.contains("an earlier copy replaced it"));
    assert!(nodes[2].disk.damage_mark().is_some());
}

#[tokio::test(start_paused = true)]
async fn nodes_come_back_as_who_they_were_even_alone() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    let formed = form(&mut nodes).await;
    nodes.iter_mut().for_each(Node::crash);
    let back = up(nodes[1].start()).await;
    assert_eq!((back.cluster_id, back.me), (formed[1].cluster_id, NodeId(2)));
    // It may have to initialize the meta group, if no founder has done so yet.
    assert_eq!(back.founders, formed[0].founders);
}

#[tokio::test(start_paused = true)]
async fn a_founder_that_crashed_after_writing_the_birth_resumes_it() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    let disk = nodes[0].disk.clone();
    // The founder reaches the others until its own promise is on disk.
    test_net.allow(move |from, _| from != A || disk.get_identity().is_none());
    let first = nodes[0].start();
    let others = [nodes[1].start(), nodes[2].start()];
    while !nodes[0].has_identity() {
        test_net.dialed(A, B, 1).await;
    }
    // It tries in vain to have its bootstrap promised.
    test_net.dialed(A, B, 1).await;
    assert!(!nodes[1].has_identity() && !nodes[2].has_identity());
    let begun = Identity::decode(&nodes[0].disk.get_identity().unwrap()).unwrap();
    first.abort();
    nodes[0].crash();
    test_net.allow_all();
    let mut formed = vec![up(nodes[0].start()).await];
    for other in others {
        formed.push(up(other).await);
    }
    assert_one_birth(&formed);
    assert_eq!(formed[0].cluster_id, begun.cluster_id);
}

#[tokio::test(start_paused = true)]
async fn nobody_takes_part_before_all_have_promised() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    let disk = nodes[0].disk.clone();
    // The founder cannot reach C once its promise is on disk; B promises.
    test_net.allow(move |from, to| (from, to) != (A, C) || disk.get_identity().is_none());
    let starts: Vec<Start> = nodes.iter_mut().map(Node::start).collect();
    while !nodes[1].has_identity() {
        test_net.dialed(A, C, 1).await;
    }
    test_net.dialed(A, C, 3).await;
    assert!(starts.iter().all(|start| !start.is_finished()));

    // B is wiped now: nothing that counts is lost, and the same bootstrap continues.
    nodes[1].wipe();
    starts[1].abort();
    let again = nodes[1].start();
    test_net.dialed(A, C, 3).await;
    test_net.allow_all();
    let mut starts = starts.into_iter();
    let (first, third) = (starts.next().unwrap(), starts.nth(1).unwrap());
    assert_one_birth(&[up(first).await, up(again).await, up(third).await]);
}

#[tokio::test(start_paused = true)]
async fn a_founder_wiped_before_the_confirmation_goes_on_with_the_promised_birth() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    let disk = nodes[0].disk.clone();
    test_net.allow(move |from, to| (from, to) != (A, C) || disk.get_identity().is_none());
    let mut starts: Vec<Start> = nodes.iter_mut().map(Node::start).collect();
    while !nodes[1].has_identity() {
        test_net.dialed(A, C, 1).await;
    }
    let begun = Identity::decode(&nodes[1].disk.get_identity().unwrap()).unwrap();
    starts[0].abort();
    nodes[0].wipe();
    test_net.allow_all();
    starts[0] = nodes[0].start();
    let mut formed = Vec::new();
    for start in starts {
        formed.push(up(start).await);
    }
    assert_one_birth(&formed);
    assert_eq!(formed[0].cluster_id, begun.cluster_id);
}

#[tokio::test(start_paused = true)]
async fn a_node_promises_one_birth_only() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    // The founder's bootstrap is on disk; B has promised another one with the same list.
    for (place, cluster_id) in [(0, [1; 16]), (1, [2; 16])] {
        let founders = [A, B, C].map(|address| super::Addresses {
            cluster: address.into(),
            client: String::new(),
            http: String::new(),
        });
        let identity = Identity {
            cluster_id,
            me: NodeId(place as u64 + 1),
            bootstrap: Some(Bootstrap::new(cluster_id, Level::NEWEST, founders.to_vec())),
            confirmed: false,
            nodes: Default::default(),
        };
        let mut batch = Batch::default();
        batch.put(Family::Node, node::IDENTITY, identity.encode());
        nodes[place].disk.write(batch, Durability::Synced).unwrap();
    }
    let _second = nodes[1].start();
    let text = refusal(nodes[0].start()).await;
    assert!(text.contains(B) && text.contains("promises no other"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_of_one_is_born_at_once_and_makes_its_token_once() {
    let test_net = TestNet::default();
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::new(&test_net, 1, &[]);
    node.config.insecure = false;
    node.config.data_dir = Some(folder.path().to_owned());
    let born = up(node.start()).await;
    assert_eq!(born.me, NodeId(1));
    assert_eq!(born.founders.as_ref().map(Vec::len), Some(1));
    assert!(born.seeds.is_empty());
    let kept = || std::fs::read_to_string(folder.path().join("token")).expect("the token is kept");
    let made = kept();
    assert_eq!(node.disk.get_row(node::TOKEN), None, "not in the database");
    node.crash();
    let back = up(node.start()).await;
    assert_eq!((back.cluster_id, back.me), (born.cluster_id, born.me));
    // A holder of that token can connect to the node.
    let mut other = Node::new(&test_net, 2, &[A]).with_token(&made);
    let waiting = other.start();
    test_net.dialed(B, A, 3).await;
    assert!(!waiting.is_finished(), "it is heard, and waits to be admitted");
    assert_eq!(kept(), made);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_an_earlier_version_kept_in_the_database_moves_into_a_file() {
    let test_net = TestNet::default();
    let folder = tempfile::tempdir().unwrap();
    let mut node = Node::new(&test_net, 1, &[]);
    node.config.insecure = false;
    node.config.data_dir = Some(folder.path().to_owned());
    let mut batch = Batch::default();
    batch.put(Family::Node, node::TOKEN, token(7).into_bytes());
    node.disk.write(batch, Durability::Synced).unwrap();
    up(node.start()).await;
    assert_eq!(node.disk.get_row(node::TOKEN), None);
    assert_eq!(std::fs::read_to_string(folder.path().join("token")).unwrap().trim(), token(7));
    node.crash();
    up(node.start()).await;
    assert_eq!(std::fs::read_to_string(folder.path().join("token")).unwrap().trim(), token(7));
}

/// Rows by name.
trait Rows {
    fn get_row(&self, key: &[u8]) -> Option<Vec<u8>>;

    fn get_identity(&self) -> Option<Vec<u8>> {
        self.get_row(node::IDENTITY)
    }
}

impl Rows for troupe_store::memory::Memory {
    fn get_row(&self, key: &[u8]) -> Option<Vec<u8>> {
        troupe_store::engine::Reader::get(self, Family::Node, key).expect("memory can be read")
    }
}
