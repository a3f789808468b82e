//! Weak points that the code of CIM has, as tests that this edge does not have them.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::json;
use troupe_edge_cim::frame::{Command, Frame};

use crate::harness::{ELSEWHERE, HERE, code, one_node};

/// In CIM a login on the socket binds any user to it, and takes its messages over.
#[tokio::test]
async fn no_channel_without_a_login_and_none_takes_over_another() {
    let node = one_node().await;
    let (ann, mut bob) = (node.client("ann").await, node.client("bob").await);
    let carl = node.register("carl").await;
    // No login by HTTP, or one that was used.
    for (user, name) in [(carl, "carl"), (bob.user, "bob"), (0, ""), (carl, "bob"), (u64::MAX / 2, "nobody")] {
        let mut eve = node.channel(HERE, user, name).await;
        assert_eq!(eve.ends().await, 0, "{user} {name}");
    }
    // A login by HTTP from another address, or under another name.
    assert_eq!(node.log_in(HERE, carl, "carl").await, "9000");
    for (from, name) in [(ELSEWHERE, "carl"), (HERE, "bob"), (HERE, "")] {
        let mut eve = node.channel(from, carl, name).await;
        assert_eq!(eve.ends().await, 0, "{from} {name}");
    }
    // A channel stays with its user.
    let mut channel = node.channel(HERE, carl, "carl").await;
    channel.is_quiet().await;
    channel.send(&Frame { user: bob.user as i64, text: "bob".into(), ..Frame::default() }).await;
    assert_eq!(channel.ends().await, 0);
    // No other address sends in the name of ann.
    let forged = json!({ "userId": ann.user, "receiveUserId": bob.user, "msg": "forged" }).to_string();
    assert_eq!(node.ask(ELSEWHERE, "POST", "/p2pRoute", &forged).await.0, 403);
    node.p2p(ann.user, bob.user, "for bob alone").await;
    assert_eq!(bob.texts(1).await, ["for bob alone"]);
    bob.is_quiet().await;
    node.stop().await;
}

/// In CIM offline messages count as delivered also when the channel is gone.
#[tokio::test]
async fn messages_are_delivered_to_a_live_channel_or_not_at_all() {
    let node = one_node().await;
    let ann = node.client("ann").await;
    let bob = node.register("bob").await;
    node.p2p(ann.user, bob, "one").await;
    let fetch = || node.post("/fetchOfflineMsgs", json!({ "receiveUserId": bob }));
    // Without a channel, also after a login by HTTP.
    assert_eq!(code(&fetch().await), "9000");
    assert_eq!(node.log_in(HERE, bob, "bob").await, "9000");
    assert_eq!(code(&fetch().await), "9000");
    // Channels that break at once, each with another message on its way.
    for round in 0..5 {
        node.p2p(ann.user, bob, &format!("round {round}")).await;
        if round > 0 {
            node.log_out(bob).await;
            assert_eq!(node.log_in(HERE, bob, "bob").await, "9000");
        }
        let broken = node.channel(HERE, bob, "bob").await;
        drop(broken);
        fetch().await;
    }
    node.p2p(ann.user, bob, "last").await;
    node.log_out(bob).await;
    let mut back = node.client("bob").await;
    let mut texts = Vec::new();
    while texts.last().map(String::as_str) != Some("last") {
        texts.extend(back.texts(1).await);
    }
    // A socket may have taken a message before it broke. None is missing behind the first that the
    // client gets, and none comes twice.
    let all = ["one", "round 0", "round 1", "round 2", "round 3", "round 4", "last"];
    assert!(all.ends_with(&texts.iter().map(String::as_str).collect::<Vec<_>>()), "{texts:?}");
    node.stop().await;
}

/// In CIM a message to a user whose route is stale is lost, and the sender learns of success.
#[tokio::test]
async fn a_message_to_a_channel_that_has_just_died_is_kept() {
    let node = one_node().await;
    let (ann, bob) = (node.client("ann").await, node.client("bob").await);
    let user = bob.user;
    drop(bob);
    // The server may still take it for online; the answer does not matter.
    let answers = join_all((0..20).map(|number| {
        let node = &node;
        async move { node.p2p(ann.user, user, &format!("{number}")).await }
    }));
    assert!(answers.await.iter().all(|code| code == "9000" || code == "7000"));
    node.log_out(user).await;
    let mut bob = node.client("bob").await;
    node.p2p(ann.user, user, "end").await;
    let mut texts = Vec::new();
    while texts.last().map(String::as_str) != Some("end") {
        texts.extend(bob.texts(1).await);
    }
    let unique: BTreeSet<_> = texts.iter().collect();
    assert_eq!(unique.len(), texts.len(), "nothing comes twice: {texts:?}");
    node.stop().await;
}

/// In CIM a batch of offline messages names the first sender for all, and a batch to an offline
/// user is not kept.
#[tokio::test]
async fn each_missed_message_has_its_own_sender_and_a_batch_is_kept() {
    let node = one_node().await;
    let (ann, carl) = (node.client("ann").await, node.client("carl").await);
    let bob = node.register("bob").await;
    for round in 0..3 {
        node.p2p(ann.user, bob, &format!("ann {round}")).await;
        node.p2p(carl.user, bob, &format!("carl {round}")).await;
    }
    for (sender, name) in [(ann.user, "ann"), (carl.user, "carl")] {
        let batch = [format!("{name} 3"), format!("{name} 4")];
        let body = json!({ "userId": sender, "receiveUserId": bob, "msg": "", "batchMsg": batch });
        assert_eq!(code(&node.post("/p2pRoute", body).await), "7000");
        node.group(sender, &format!("{name} 5")).await;
    }
    let mut client = node.client("bob").await;
    let mut said: Vec<(String, String)> = Vec::new();
    for (command, sender, text) in client.messages(12).await {
        assert_eq!(command, Command::Offline);
        said.push((sender, text));
    }
    for name in ["ann", "carl"] {
        let mut of: Vec<&str> =
            said.iter().filter(|(sender, _)| sender == name).map(|(_, text)| text.as_str()).collect();
        // The private ones are in order; the channel is another conversation.
        of.sort_by_key(|text| text.ends_with('5'));
        assert_eq!(of, (0..6).map(|number| format!("{name} {number}")).collect::<Vec<_>>());
    }
    node.stop().await;
}

/// In CIM a crash of the server leaves its users logged in without a bound.
#[tokio::test]
async fn a_user_logs_in_again_after_its_client_or_its_server_is_lost() {
    let node = one_node().await;
    let ann = node.client("ann").await;
    let user = ann.user;
    // The client is lost without a word.
    drop(ann);
    let again = async { while node.log_in(HERE, user, "ann").await != "9000" {} };
    crate::harness::within(again).await;
    // A client is lost between its login and its channel.
    assert_eq!(node.log_in(HERE, user, "ann").await, "9000");
    let mut ann = node.channel(HERE, user, "ann").await;
    ann.is_quiet().await;
    // The server is lost.
    let node = node.restarted().await;
    let again = async {
        loop {
            let body = json!({ "userId": user, "userName": "ann" }).to_string();
            let (status, answer) = node.ask(HERE, "POST", "/login", &body).await;
            if status == 200 && answer.contains(r#""code":"9000""#) {
                return;
            }
        }
    };
    crate::harness::within(again).await;
    let mut ann = node.channel(HERE, user, "ann").await;
    ann.is_quiet().await;
    node.stop().await;
}

/// In CIM a message to all is one request per user, and users see different orders.
#[tokio::test]
async fn all_see_the_messages_to_all_in_one_order() {
    let node = one_node().await;
    let mut clients = Vec::new();
    for name in ["ann", "bob", "carl"] {
        clients.push(node.client(name).await);
    }
    let senders = [node.register("dora").await, node.register("emil").await];
    for (user, name) in senders.into_iter().zip(["dora", "emil"]) {
        assert_eq!(node.log_in(HERE, user, name).await, "9000");
    }
    let node_of_all = &node;
    join_all((0..60).map(|number| async move {
        node_of_all.group(senders[number % 2], &number.to_string()).await;
    }))
    .await;
    let seen = join_all(clients.iter_mut().map(|client| client.texts(60))).await;
    assert!(seen.iter().all(|texts| *texts == seen[0]), "{seen:?}");
    let unique: BTreeSet<_> = seen[0].iter().collect();
    assert_eq!(unique.len(), 60);
    node.stop().await;
}
