//! The messages for an operator whose node cannot join.

use super::test_net::{Node, TestNet};
use super::{A, B, C, form, refusal, three, token, up};
use crate::api::StartError;

#[tokio::test(start_paused = true)]
async fn different_lists_are_refused_with_both_named() {
    let test_net = TestNet::default();
    let mut one = Node::new(&test_net, 1, &[A, B]);
    let mut two = Node::new(&test_net, 2, &[A, B, C]);
    let _waiting = two.start();
    test_net.dialed(B, A, 1).await;
    let text = refusal(one.start()).await;
    assert!(text.contains(&format!("{A} was started for {A}, {B},")), "{text}");
    assert!(text.contains(&format!("the other side for {A}, {B}, {C};")), "{text}");
    assert!(!one.has_identity() && !two.has_identity());
}

#[tokio::test(start_paused = true)]
async fn a_peer_under_another_name_is_refused() {
    let test_net = TestNet::default();
    let mut one = Node::new(&test_net, 1, &[B]);
    let mut two = Node::new(&test_net, 2, &[A]);
    two.config.advertise = "two.example:2".into();
    let _waiting = two.start();
    test_net.dialed("two.example:2", A, 1).await;
    let text = refusal(one.start()).await;
    assert!(text.contains(B) && text.contains("calls itself two.example:2"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_token_is_refused_in_words() {
    for insecure in [false, true] {
        let test_net = TestNet::default();
        let mut one = Node::new(&test_net, 1, &[A, B]).with_token(&token(1));
        let mut two = Node::new(&test_net, 2, &[A, B]).with_token(&token(2));
        (one.config.insecure, two.config.insecure) = (insecure, insecure);
        let _waiting = one.start();
        test_net.dialed(A, B, 1).await;
        let text = refusal(two.start()).await;
        assert!(text.contains(&format!("{A} does not accept our token")), "{text}");
        assert!(!one.has_identity() && !two.has_identity());
    }
}

#[tokio::test(start_paused = true)]
async fn one_node_with_a_wrong_token_does_not_stop_the_others() {
    let test_net = TestNet::default();
    let [one, two, three] = three(&test_net);
    let mut wrong = one.with_token(&token(9));
    let mut right = [two.with_token(&token(1)), three.with_token(&token(1))];
    let starts: Vec<_> = right.iter_mut().map(Node::start).collect();
    test_net.dialed(B, C, 2).await;
    test_net.dialed(C, B, 2).await;
    let text = refusal(wrong.start()).await;
    assert!(text.contains(B) && text.contains(C), "{text}");
    let mut corrected = Node::new(&test_net, 1, &[A, B, C]).with_token(&token(1));
    up(corrected.start()).await;
    for start in starts {
        up(start).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_malformed_or_missing_token_is_refused() {
    let test_net = TestNet::default();
    let text = refusal(Node::new(&test_net, 1, &[A, B]).with_token("troupe1.typo").start()).await;
    assert!(text.contains("join token"), "{text}");
    let mut without = Node::new(&test_net, 1, &[A, B]);
    without.config.insecure = false;
    let text = refusal(without.start()).await;
    assert!(text.contains("needs the cluster's join token"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn insecure_is_refused_off_loopback() {
    let test_net = TestNet::default();
    let mut node = Node::new(&test_net, 1, &[]);
    node.config.listen = "0.0.0.0:1".into();
    node.config.data_dir = Some("unused".into());
    let text = refusal(node.start()).await;
    assert!(text.contains("--insecure is refused on 0.0.0.0:1"), "{text}");
    node.config.listen = A.into();
    up(node.start()).await;
}

#[tokio::test(start_paused = true)]
async fn a_data_directory_of_another_cluster_is_refused() {
    let test_net = TestNet::default();
    let mut here = Node::new(&test_net, 1, &[]);
    let mut there = Node::new(&test_net, 2, &[]);
    let (ours, theirs) = (up(here.start()).await, up(there.start()).await);
    here.crash();
    here.config.join = vec![B.into()];
    let text = refusal(here.start()).await;
    assert!(text.contains(&super::super::hex(ours.cluster_id)), "{text}");
    assert!(text.contains(&format!("{B} belongs to cluster {}", super::super::hex(theirs.cluster_id))), "{text}");
    // A refused start releases the address.
    here.config.join.clear();
    up(here.start()).await;
}

#[tokio::test(start_paused = true)]
async fn a_list_over_two_clusters_is_refused() {
    let test_net = TestNet::default();
    up(Node::new(&test_net, 1, &[]).start()).await;
    up(Node::new(&test_net, 2, &[]).start()).await;
    let text = refusal(Node::new(&test_net, 3, &[A, B]).start()).await;
    assert!(text.contains("two clusters") && text.contains(A) && text.contains(B), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_begun_birth_does_not_change_its_list() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    let disk = nodes[0].disk.clone();
    test_net.allow(move |from, _| from != A || super::Rows::get_identity(&disk).is_none());
    let starts: Vec<_> = nodes.iter_mut().map(Node::start).collect();
    while !nodes[0].has_identity() {
        test_net.dialed(A, B, 1).await;
    }
    starts[0].abort();
    nodes[0].crash();
    nodes[0].config.join = vec![B.into()];
    let text = refusal(nodes[0].start()).await;
    assert!(text.contains(&format!("{A}, {B}, {C}")) && text.contains(&format!("started for {A}, {B}:")), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_port_in_use_is_refused() {
    let test_net = TestNet::default();
    up(Node::new(&test_net, 1, &[]).start()).await;
    let text = refusal(Node::new(&test_net, 1, &[]).start()).await;
    assert!(text.starts_with(&format!("cluster port {A} is in use: ")), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_failing_disk_stops_the_start() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    nodes[1].disk.fail_next_write("the disk is gone");
    let starts: Vec<_> = nodes.iter_mut().map(Node::start).collect();
    let mut starts = starts.into_iter();
    let (first, second) = (starts.next().unwrap(), starts.next().unwrap());
    let failed = second.await.unwrap();
    assert!(matches!(failed, Err(StartError::Engine(_))), "{failed:?}");
    assert!(!first.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_founder_meets_a_full_cluster_again_after_a_restart_of_all() {
    let test_net = TestNet::default();
    let mut nodes = three(&test_net);
    let formed = form(&mut nodes).await;
    nodes.iter_mut().for_each(Node::crash);
    let again = form(&mut nodes).await;
    super::assert_one_birth(&again);
    assert_eq!(again[0].cluster_id, formed[0].cluster_id);
}
