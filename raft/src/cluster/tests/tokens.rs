//! Changes of the cluster's token at runtime.

use tempfile::TempDir;
use troupe_runtime::Rng;
use troupe_store::engine::Family;

use super::*;
use crate::formation::ask_to_rotate;
use crate::transport::port::dial::Why;
use crate::transport::port::{Port, Protocol, Security};
use crate::transport::token::Token;

fn old() -> Token {
    Token::generate(&Rng::from_seed(1))
}

/// Three nodes over TLS, each with a data directory.
fn secured(test_net: &TestNet, folder: &TempDir) -> Vec<Node> {
    let secure = |(number, node): (usize, Node)| secured_one(node, folder, number);
    three(test_net).into_iter().enumerate().map(secure).collect()
}

fn secured_one(node: Node, folder: &TempDir, number: usize) -> Node {
    let mut node = node.with_token(&old().reveal());
    let directory = folder.path().join(format!("node-{}", number + 1));
    std::fs::create_dir_all(&directory).unwrap();
    node.config.data_dir = Some(directory);
    node
}

fn holder(test_net: &TestNet, token: &Token) -> Port {
    Port::dialer(&test_net.platform("an operator", 77), Security::Token(token.clone())).unwrap()
}

async fn rotate(test_net: &TestNet, token: &Token, at: u16) -> Result<Token, String> {
    ask_to_rotate(&holder(test_net, token), &address(at), PATIENCE).await.expect("it answers")
}

/// Whether a holder of that token is accepted by each of them.
async fn opens(test_net: &TestNet, token: &Token, nodes: u16) -> bool {
    let port = holder(test_net, token);
    let mut opened = Vec::new();
    for node in 1..=nodes {
        for protocol in [Protocol::Formation, Protocol::Backup] {
            opened.push(match port.dial_as_holder(&address(node), protocol).await {
                Ok(_) => true,
                Err(error) => {
                    assert!(matches!(error.why, Why::BadToken), "{error}");
                    false
                }
            });
        }
    }
    assert!(opened.iter().all(|open| *open == opened[0]), "{opened:?}");
    opened[0]
}

fn holds(node: &Node, secret: &[u8]) -> bool {
    let all = || (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
    let rows = Family::ALL.iter().flat_map(|family| node.disk.scan(*family, all(), false, usize::MAX).unwrap());
    rows.into_iter().any(|(_, value)| value.windows(secret.len()).any(|window| window == secret))
}

async fn reached(clusters: &[Cluster]) {
    for cluster in clusters {
        until(cluster, "all are reached", |table| {
            table.nodes.values().all(|node| node.id == table.me || node.reachable)
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_changed_while_the_cluster_works_and_the_old_one_opens_nothing() {
    let (test_net, folder) = (TestNet::default(), tempfile::tempdir().unwrap());
    let mut nodes = secured(&test_net, &folder);
    let mut clusters = start_all(&nodes, LogLimits::default()).await;
    settled(&clusters.iter().collect::<Vec<_>>()).await;
    commit(&clusters.iter().collect::<Vec<_>>(), "before").await;

    let new = rotate(&test_net, &old(), 2).await.unwrap();
    assert_ne!(new, old());
    assert!(opens(&test_net, &new, 3).await);
    assert!(!opens(&test_net, &old(), 3).await);
    for node in &nodes {
        let file = std::fs::read_to_string(node.config.data_dir.as_ref().unwrap().join("token")).unwrap();
        assert_eq!(Token::parse(&file), Ok(new.clone()));
        assert!(!holds(node, new.reveal().as_bytes()), "it is not in the database");
    }
    commit(&clusters.iter().collect::<Vec<_>>(), "after").await;
    reached(&clusters).await;

    // Its configuration still has the old one.
    clusters.pop().unwrap().shutdown().await;
    nodes[2].crash();
    clusters.push(start(&nodes[2]).await);
    reached(&clusters).await;
    let newer = rotate(&test_net, &new, 3).await.unwrap();
    assert!(opens(&test_net, &newer, 3).await && !opens(&test_net, &new, 3).await);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_down_holds_up_a_change_which_is_gone_on_with_later() {
    let (test_net, folder) = (TestNet::default(), tempfile::tempdir().unwrap());
    let mut nodes = secured(&test_net, &folder);
    let mut clusters = start_all(&nodes, LogLimits::default()).await;
    settled(&clusters.iter().collect::<Vec<_>>()).await;
    clusters.pop().unwrap().shutdown().await;
    nodes[2].crash();

    let refused = rotate(&test_net, &old(), 1).await.unwrap_err();
    assert!(refused.contains("node 3 does not take part") && refused.contains("troupe node remove 3"), "{refused}");
    commit(&clusters.iter().collect::<Vec<_>>(), "meanwhile").await;
    assert!(opens(&test_net, &old(), 2).await);
    clusters.push(start(&nodes[2]).await);
    reached(&clusters).await;
    let new = rotate(&test_net, &old(), 1).await.unwrap();
    assert!(opens(&test_net, &new, 3).await && !opens(&test_net, &old(), 3).await);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_broke_off_between_two_steps_is_ended_by_asking_again() {
    use crate::formation::token_store::kept;
    let (test_net, folder) = (TestNet::default(), tempfile::tempdir().unwrap());
    let mut nodes = secured(&test_net, &folder);
    let clusters = start_all(&nodes, LogLimits::default()).await;
    settled(&clusters.iter().collect::<Vec<_>>()).await;
    for cluster in &clusters {
        cluster.shutdown().await;
    }
    // All accepted the new one besides the old one, and one of them shows it.
    let new = Token::generate(&Rng::from_seed(2));
    for (number, node) in nodes.iter_mut().enumerate() {
        node.crash();
        let file = match number {
            0 => format!("current {}\nprevious {}\nreplaced {}\n", new.reveal(), old().reveal(), old().fingerprint()),
            _ => format!("current {}\nnext {}\n", old().reveal(), new.reveal()),
        };
        std::fs::write(node.config.data_dir.as_ref().unwrap().join("tokens"), file).unwrap();
    }
    let clusters = start_all(&nodes, LogLimits::default()).await;
    settled(&clusters.iter().collect::<Vec<_>>()).await;
    // By either token, at a node that shows it.
    assert_eq!(rotate(&test_net, &old(), 3).await, Ok(new.clone()));
    assert!(opens(&test_net, &new, 3).await && !opens(&test_net, &old(), 3).await);
    reached(&clusters).await;
    let tokens = kept(nodes[1].config.data_dir.as_ref().unwrap()).unwrap().unwrap();
    assert_eq!((tokens.current, tokens.next), (new, None));
}

#[tokio::test(start_paused = true)]
async fn a_removed_node_never_gets_the_new_token() {
    let (test_net, folder) = (TestNet::default(), tempfile::tempdir().unwrap());
    let nodes = secured(&test_net, &folder);
    let clusters = start_all(&nodes, LogLimits::default()).await;
    settled(&clusters.iter().collect::<Vec<_>>()).await;
    let list = [address(1)];
    let fourth = secured_one(Node::new(&test_net, 4, &[&list[0]]), &folder, 3);
    let gone = start(&fourth).await;
    clusters[0].order(&Order { node: NodeId(4), verb: Verb::Remove, replication: None }).await.unwrap();
    until(&clusters[0], "node 4 is out", |table| !table.nodes.contains_key(&NodeId(4))).await;
    gone.shutdown().await;
    let new = rotate(&test_net, &old(), 1).await.unwrap();
    assert!(opens(&test_net, &new, 3).await && !opens(&test_net, &old(), 3).await);
    assert!(!fourth.config.data_dir.unwrap().join("tokens").exists());
}
