//! CIM clients of different nodes.

use serde_json::json;

use crate::harness::{HERE, code, three_nodes, within};

#[tokio::test]
async fn clients_of_different_nodes_talk_and_a_user_has_one_channel_in_the_cluster() {
    let mut nodes = three_nodes().await;
    // A fresh cluster elects its leaders.
    let ready = async {
        while nodes[0].ask(HERE, "POST", "/registerAccount", r#"{"userName":"ann"}"#).await.0 != 200 {}
        while nodes[1].ask(HERE, "POST", "/registerAccount", r#"{"userName":"bob"}"#).await.0 != 200 {}
    };
    within(ready).await;
    let (mut ann, mut bob) = (nodes[0].client("ann").await, nodes[1].client("bob").await);
    assert_eq!(nodes[0].p2p(ann.user, bob.user, "across").await, "9000");
    assert_eq!(bob.texts(1).await, ["across"]);
    nodes[0].group(ann.user, "to all").await;
    assert_eq!(bob.texts(1).await, ["to all"]);
    assert_eq!(nodes[2].log_in(HERE, bob.user, "bob").await, "5000");
    // The client reaches another node when its own is gone.
    let (user, lost) = (bob.user, nodes.remove(1));
    lost.stop().await;
    let sent = async {
        let body =
            json!({ "userId": ann.user, "receiveUserId": user, "msg": "meanwhile", "reqNo": "1", "timeStamp": 1 });
        while nodes[0].ask(HERE, "POST", "/p2pRoute", &body.to_string()).await.0 != 200 {
            ann.is_quiet().await;
        }
        loop {
            let body = json!({ "userId": user, "userName": "bob" }).to_string();
            let (status, answer) = nodes[1].ask(HERE, "POST", "/login", &body).await;
            if status == 200 && code(&serde_json::from_str(&answer).expect("JSON")) == "9000" {
                return;
            }
        }
    };
    within(sent).await;
    let mut bob = nodes[1].channel(HERE, user, "bob").await;
    while bob.texts(1).await != ["meanwhile"] {}
    for node in nodes {
        node.stop().await;
    }
}
