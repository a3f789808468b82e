//! Presence that is pushed over nodes.

use std::collections::BTreeSet;

use troupe_proto::wire::client as wire;

use crate::harness::{Ask, Client, ServerMessage, three_nodes};

async fn watch(client: &mut Client, users: &[u64]) -> Vec<wire::PresencePush> {
    match client.ask(Ask::Watch(wire::Watch { user_ids: users.to_vec() })).await {
        ServerMessage::Watched(watched) => watched.users,
        other => panic!("{other:?}"),
    }
}

/// Until a push says that this user is online, or that it is not.
async fn hears(client: &mut Client, user: u64, online: bool) -> wire::PresencePush {
    client
        .push(|said| match said {
            ServerMessage::Presence(push) if push.user_id == user && push.online == online => Some(*push),
            _ => None,
        })
        .await
}

/// The next user that is said to be online.
async fn is_online(client: &mut Client) -> u64 {
    client
        .push(|said| match said {
            ServerMessage::Presence(push) if push.online => Some(push.user_id),
            _ => None,
        })
        .await
}

async fn shows(client: &mut Client, to: wire::Viewers) {
    let change = Ask::ChangePresence(wire::ChangePresence { shown_to: to.into() });
    assert!(matches!(client.ask(change).await, ServerMessage::Done(_)));
}

#[tokio::test]
async fn watchers_at_other_nodes_hear_of_each_change_and_of_nothing_that_is_hidden() {
    let mut nodes = three_nodes().await;
    let (mut ann, mut bob) = (nodes[0].user("ann").await, nodes[1].user("bob").await);
    for client in [&mut ann, &mut bob] {
        client.follows("everyone").await;
    }
    let carl = {
        let mut carl = nodes[1].user("carl").await;
        carl.follows("everyone").await;
        let watched = watch(&mut ann, &[bob.user, carl.user, 999_999]).await;
        assert_eq!(watched.len(), 2, "one does not exist");
        let mut there = BTreeSet::new();
        while there.len() < 2 {
            there.insert(is_online(&mut ann).await);
        }
        assert_eq!(there, BTreeSet::from([bob.user, carl.user]));
        carl.user
    };
    // The time follows when it is kept.
    while hears(&mut ann, carl, false).await.last_seen_ms == 0 {}
    let mut back = nodes[1].greeted().await;
    back.log_in("carl", "phone").await;
    hears(&mut ann, carl, true).await;

    // Hidden, a user looks like one that was never online, and comes back with its setting.
    shows(&mut bob, wire::Viewers::NoOne).await;
    assert_eq!(hears(&mut ann, bob.user, false).await.last_seen_ms, 0);
    shows(&mut bob, wire::Viewers::Everyone).await;
    hears(&mut ann, bob.user, true).await;

    // A node goes, and with it the leaderships that it had: the watch goes on at their next
    // leaders.
    nodes.pop().expect("three").stop().await;
    ann.send_until_acked("everyone", "still here").await;
    drop(back);
    hears(&mut ann, carl, false).await;
    let mut again = nodes[1].greeted().await;
    again.log_in("carl", "phone").await;
    hears(&mut ann, carl, true).await;

    assert!(watch(&mut ann, &[]).await.is_empty());
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_watch_has_a_bounded_number_of_users() {
    let nodes = three_nodes().await;
    let mut ann = nodes[0].user("ann").await;
    let many: Vec<u64> = (1..=201).collect();
    assert_eq!(ann.fails(Ask::Watch(wire::Watch { user_ids: many })).await.code, "too_many");
    for node in nodes {
        node.stop().await;
    }
}
