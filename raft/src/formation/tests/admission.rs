//! Newcomers, and nodes that were wiped.

use std::sync::Arc;

use parking_lot::Mutex;
use troupe_core::NodeId;
use troupe_runtime::net::BoxFuture;

use super::test_net::{Node, TestNet};
use super::{A, B, C, Rows, form, refusal, three, up};
use crate::api::{JoinRefusal, JoinRequest, MemberRegistry};
use crate::formation::Established;
use crate::formation::identity::Identity;

/// A meta group of one: allocates ids, and refuses on demand.
struct Register {
    cluster: [u8; 16],
    requests: Mutex<Vec<JoinRequest>>,
    /// Answers before the first admission, taken from the end.
    refusals: Mutex<Vec<JoinRefusal>>,
    refused: Mutex<Vec<JoinRequest>>,
}

const FIRST_NEW: u64 = 4;

impl Register {
    fn new(cluster: [u8; 16], refusals: Vec<JoinRefusal>) -> Arc<Register> {
        Arc::new(Register {
            cluster,
            requests: Mutex::default(),
            refusals: Mutex::new(refusals),
            refused: Mutex::default(),
        })
    }
}

impl MemberRegistry for Register {
    fn cluster_id(&self) -> [u8; 16] {
        self.cluster
    }

    fn admit(&self, who: JoinRequest) -> BoxFuture<'_, Result<NodeId, JoinRefusal>> {
        Box::pin(async move {
            if let Some(refusal) = self.refusals.lock().pop() {
                self.refused.lock().push(who);
                return Err(refusal);
            }
            let mut requests = self.requests.lock();
            let known = requests.iter().position(|known| known.request == who.request);
            let place = known.unwrap_or_else(|| {
                requests.push(who);
                requests.len() - 1
            });
            Ok(NodeId(FIRST_NEW + place as u64))
        })
    }

    fn addresses(&self) -> Vec<(NodeId, String)> {
        vec![(NodeId(1), A.into()), (NodeId(2), B.into()), (NodeId(3), C.into())]
    }
}

fn serve(formed: &[Established], register: &Arc<Register>) {
    for node in formed {
        node.port.serve_formation(Arc::clone(register) as Arc<dyn MemberRegistry>);
    }
}

#[tokio::test(start_paused = true)]
async fn nodes_that_lost_their_data_wait_for_their_cluster_and_found_none() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    let formed = form(&mut nodes).await;
    nodes.iter_mut().for_each(Node::crash);
    for lost in &mut nodes[..2] {
        lost.lose_data();
    }
    let starts = [nodes[0].start(), nodes[1].start()];
    test_net.dialed(A, B, 20).await;
    test_net.dialed(B, A, 20).await;
    assert!(starts.iter().all(|start| !start.is_finished()), "two of three are no cluster");

    let register = Register::new(formed[0].cluster_id, Vec::new());
    serve(&[up(nodes[2].start()).await], &register);
    for start in starts {
        let joined = up(start).await;
        assert_eq!(joined.cluster_id, formed[0].cluster_id);
        assert!(joined.me >= NodeId(FIRST_NEW));
    }
}

#[tokio::test(start_paused = true)]
async fn even_all_of_them_together_found_no_second_cluster() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    form(&mut nodes).await;
    nodes.iter_mut().for_each(Node::crash);
    nodes.iter_mut().for_each(Node::lose_data);
    let starts: Vec<_> = nodes.iter_mut().map(Node::start).collect();
    for (from, to) in [(A, B), (B, C), (C, A)] {
        test_net.dialed(from, to, 20).await;
    }
    assert!(starts.iter().all(|start| !start.is_finished()));
    assert!(nodes.iter().all(|node| !node.has_identity()));
}

#[tokio::test(start_paused = true)]
async fn a_wiped_node_waits_alone_and_joins_as_a_new_one() {
    for wiped in 0..3 {
        let test_net = TestNet::default();
        let mut nodes = three(&test_net);
        let formed = form(&mut nodes).await;
        nodes.iter_mut().for_each(Node::crash);
        nodes[wiped].wipe();
        let others = [0, 1, 2].into_iter().filter(|place| *place != wiped).collect::<Vec<_>>();
        let start = nodes[wiped].start();
        for other in &others {
            test_net.dialed(&nodes[wiped].config.advertise, &nodes[*other].config.advertise, 20).await;
        }
        assert!(!start.is_finished() && !nodes[wiped].has_identity(), "it founds no second cluster");

        let register = Register::new(formed[0].cluster_id, Vec::new());
        let back = [up(nodes[others[0]].start()).await, up(nodes[others[1]].start()).await];
        serve(&back, &register);
        let joined = up(start).await;
        assert_eq!((joined.cluster_id, joined.me), (formed[0].cluster_id, NodeId(FIRST_NEW)));
        assert_eq!(joined.founders, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_follows_hints_and_asks_again_until_it_is_admitted() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    let formed = form(&mut nodes).await;
    let follower = Register::new(
        formed[0].cluster_id,
        vec![
            JoinRefusal::NotLeader { hint: Some(C.into()) },
            JoinRefusal::NotLeader { hint: None },
            JoinRefusal::Unavailable,
        ],
    );
    let leader = Register::new(formed[0].cluster_id, vec![JoinRefusal::Unavailable]);
    formed[0].port.serve_formation(Arc::clone(&follower) as Arc<dyn MemberRegistry>);
    formed[2].port.serve_formation(Arc::clone(&leader) as Arc<dyn MemberRegistry>);
    // It knows one of the three only.
    let mut newcomer = Node::new(&test_net, 4, &[A]);
    let joined = up(newcomer.start()).await;
    assert_eq!(joined.me, NodeId(FIRST_NEW));
    let asked = [leader.requests.lock().clone(), follower.requests.lock().clone()].concat();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].address, newcomer.config.advertise);
    assert_eq!((asked[0].client_address.as_str(), asked[0].http_address.as_str()), ("client-4", "http-4"));
    // It can reach the nodes from its admission.
    let mut streams = formed[1].port.mesh_streams();
    joined.port.dial(NodeId(2), crate::transport::port::Protocol::Mesh).await.unwrap();
    assert_eq!(streams.recv().await.unwrap().from, NodeId(FIRST_NEW));

    newcomer.crash();
    let back = up(newcomer.start()).await;
    assert_eq!((back.me, back.cluster_id, back.founders), (NodeId(FIRST_NEW), formed[0].cluster_id, None));
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_joins_although_another_one_is_empty_and_was_started_for_others() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    let formed = form(&mut nodes).await;
    serve(&formed[..2], &Register::new(formed[0].cluster_id, Vec::new()));
    // Just wiped, and about to return.
    nodes[2].wipe();
    test_net.allow(|from, _| from != C);
    let _waits = nodes[2].start();
    test_net.dialed(C, A, 1).await;
    let joined = up(Node::new(&test_net, 4, &[C, B]).start()).await;
    assert_eq!((joined.cluster_id, joined.me), (formed[0].cluster_id, NodeId(FIRST_NEW)));
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_that_has_heard_of_a_cluster_waits_for_it_whoever_else_is_empty() {
    for restarts in [false, true] {
        let test_net = TestNet::default();
        let mut nodes = three(&test_net);
        let formed = form(&mut nodes).await;
        // No leader: the newcomer finds the cluster and is not admitted yet.
        let mut newcomer = Node::new(&test_net, 4, &[A, C]);
        let address = newcomer.config.advertise.clone();
        let mut start = newcomer.start();
        while newcomer.disk.get_row(troupe_store::key::node::JOIN).is_none() {
            test_net.dialed(&address, A, 1).await;
        }
        // Then the nodes that it meets are empty, and were started with another list.
        nodes.iter_mut().for_each(Node::crash);
        nodes[2].wipe();
        let _waits = nodes[2].start();
        test_net.dialed(C, A, 1).await;
        if restarts {
            start.abort();
            newcomer.crash();
            start = newcomer.start();
        }
        test_net.dialed(&address, C, 20).await;
        assert!(!start.is_finished() && !newcomer.has_identity());

        serve(&[up(nodes[0].start()).await], &Register::new(formed[0].cluster_id, Vec::new()));
        assert_eq!(up(start).await.cluster_id, formed[0].cluster_id);
    }
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_waits_for_a_cluster_it_cannot_reach_yet_although_one_that_it_meets_was_started_for_others() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    let formed = form(&mut nodes).await;
    nodes.iter_mut().for_each(Node::crash);
    nodes[2].wipe();
    let _waits = nodes[2].start();
    test_net.dialed(C, A, 1).await;
    let mut newcomer = Node::new(&test_net, 4, &[A, C]);
    let start = newcomer.start();
    test_net.dialed(&newcomer.config.advertise, C, 20).await;
    assert!(!start.is_finished() && !newcomer.has_identity());

    serve(&[up(nodes[0].start()).await], &Register::new(formed[0].cluster_id, Vec::new()));
    assert_eq!(up(start).await.cluster_id, formed[0].cluster_id);
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_that_meets_only_nodes_that_wait_for_their_cluster_waits_too() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    form(&mut nodes).await;
    nodes.iter_mut().for_each(Node::crash);
    nodes[2].lose_data();
    let _waits = nodes[2].start();
    test_net.dialed(C, A, 1).await;
    let mut newcomer = Node::new(&test_net, 4, &[C]);
    let start = newcomer.start();
    test_net.dialed(&newcomer.config.advertise, C, 20).await;
    assert!(!start.is_finished() && !newcomer.has_identity());
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_that_never_heard_the_answer_is_the_same_node() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    let formed = form(&mut nodes).await;
    let register = Register::new(formed[0].cluster_id, Vec::new());
    let mut newcomer = Node::new(&test_net, 4, &[A]);
    // The request is sent, then the power fails before the answer is written down.
    let first = newcomer.start();
    while newcomer.disk.get_row(troupe_store::key::node::JOIN).is_none() {
        test_net.dialed(&newcomer.config.advertise, A, 1).await;
    }
    first.abort();
    newcomer.crash();
    let kept = newcomer.disk.get_row(troupe_store::key::node::JOIN).expect("written before it was sent");
    let who = JoinRequest {
        request: kept.try_into().unwrap(),
        address: newcomer.config.advertise.clone(),
        client_address: String::new(),
        http_address: String::new(),
        levels: troupe_core::level::Range::OURS,
    };
    assert_eq!(register.admit(who).await, Ok(NodeId(FIRST_NEW)));
    serve(&formed, &register);
    assert_eq!(up(newcomer.start()).await.me, NodeId(FIRST_NEW));

    // Wiped, it is another node.
    newcomer.wipe();
    assert_eq!(up(newcomer.start()).await.me, NodeId(FIRST_NEW + 1));
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_that_was_removed_before_it_came_asks_as_another_one() {
    let test_net = TestNet::default();
    let formed = [up(Node::new(&test_net, 1, &[]).start()).await];
    let register = Register::new(formed[0].cluster_id, vec![JoinRefusal::Removed]);
    serve(&formed, &register);
    assert_eq!(up(Node::new(&test_net, 2, &[A]).start()).await.me, NodeId(FIRST_NEW));
    let refused = register.refused.lock().clone();
    let admitted = register.requests.lock().clone();
    assert_ne!(refused[0].request, admitted[0].request);
}

#[tokio::test(start_paused = true)]
async fn a_refused_newcomer_hears_why() {
    let test_net = TestNet::default();
    let formed = [up(Node::new(&test_net, 1, &[]).start()).await];
    serve(&formed, &Register::new(formed[0].cluster_id, vec![JoinRefusal::Refused("too many nodes".into())]));
    let mut newcomer = Node::new(&test_net, 2, &[A]);
    let text = refusal(newcomer.start()).await;
    assert!(text.contains(A) && text.contains("too many nodes"), "{text}");
    assert!(!newcomer.has_identity());
}

#[tokio::test(start_paused = true)]
async fn a_member_keeps_what_it_was_told_at_admission() {
    let test_net = TestNet::default();
    let formed = [up(Node::new(&test_net, 1, &[]).start()).await];
    serve(&formed, &Register::new(formed[0].cluster_id, Vec::new()));
    let mut newcomer = Node::new(&test_net, 2, &[A]);
    up(newcomer.start()).await;
    let kept = Identity::decode(&newcomer.disk.get_identity().unwrap()).unwrap();
    assert_eq!(kept.nodes.get(&NodeId(1)).map(String::as_str), Some(A));
    assert!(kept.confirmed && kept.bootstrap.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_at_the_address_of_another_node_is_refused_by_who_admits() {
    let test_net = TestNet::default();
    let formed = form(&mut three(&test_net)).await;
    let register = Register::new(formed[0].cluster_id, Vec::new());
    serve(&formed, &register);
    let mut newcomer = Node::new(&test_net, 4, &[B]);
    newcomer.config.advertise = A.into();
    // It cannot detect that by itself.
    test_net.allow(|from, to| (from, to) != (A, A));
    let text = refusal(newcomer.start()).await;
    assert!(text.contains(&format!("{B} does not admit this node: {A} is taken: node 1 answers there")), "{text}");
    assert!(register.requests.lock().is_empty() && !newcomer.has_identity());
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_that_does_not_answer_at_its_address_waits_and_hears_why() {
    let test_net = TestNet::default();
    let formed = form(&mut three(&test_net)).await;
    let register = Register::new(formed[0].cluster_id, Vec::new());
    serve(&formed, &register);
    let mut newcomer = Node::new(&test_net, 4, &[B]);
    newcomer.config.advertise = "127.0.0.1:99".into();
    let start = newcomer.start();
    test_net.dialed(B, "127.0.0.1:99", 3).await;
    assert!(!start.is_finished() && register.requests.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn loopback_is_never_advertised_to_a_peer_elsewhere() {
    let test_net = TestNet::default();
    let formed = form(&mut three(&test_net)).await;
    let register = Register::new(formed[0].cluster_id, Vec::new());
    serve(&formed, &register);
    // The cluster is on loopback, and the newcomer is on another host.
    let mut newcomer = Node::new(&test_net, 4, &[B]);
    newcomer.config.advertise = "10.0.0.4:7800".into();
    let text = refusal(newcomer.start()).await;
    assert!(text.contains("127.0.0.1:1 is on loopback") && text.contains("10.0.0.4:7800"), "{text}");
    // The newcomer is on loopback, and the cluster is not.
    let text = refusal(Node::new(&test_net, 5, &["10.0.0.1:7800"]).start()).await;
    assert!(text.contains("127.0.0.1:5 is on loopback") && text.contains("--cluster-advertise"), "{text}");
    let mut anywhere = Node::new(&test_net, 6, &[B]);
    anywhere.config.advertise = "0.0.0.0:6".into();
    let text = refusal(anywhere.start()).await;
    assert!(text.contains("0.0.0.0:6 means all addresses"), "{text}");
    assert!(register.requests.lock().is_empty());
}
