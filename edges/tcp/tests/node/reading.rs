//! Read positions: the figure in the list, and the pushes to the user's other devices.

use crate::harness::{Ask, Client, ServerMessage, direct, one_node};
use troupe_core::limits;
use troupe_proto::wire::client as wire;
use troupe_raft::api::LoginPolicy;

pub async fn unread(client: &mut Client, conversation: &str) -> u64 {
    match client.ask(Ask::ListConversations(wire::ListConversations::default())).await {
        ServerMessage::Conversations(list) => {
            let line = list.conversations.into_iter().find(|line| line.conversation == conversation);
            line.expect("the conversation is in the list").unread
        }
        other => panic!("no list: {other:?}"),
    }
}

async fn mark(client: &mut Client, conversation: &str, seq: u64) {
    let mark = wire::MarkRead { conversation: conversation.into(), seq };
    assert!(matches!(client.ask(Ask::MarkRead(mark)).await, ServerMessage::Done(_)));
}

async fn new_group(owner: &mut Client, open: bool, members: &[u64]) -> String {
    let create = wire::CreateGroup { request: owner.fresh_id(), name: "team".into(), open, members: members.to_vec() };
    match owner.ask(Ask::CreateGroup(create)).await {
        ServerMessage::GroupCreated(group) => group.conversation,
        other => panic!("no group: {other:?}"),
    }
}

async fn change(client: &mut Client, group: &str, change: wire::change_group::Change) {
    let request = client.fresh_id();
    let change = wire::ChangeGroup { request, conversation: group.into(), change: Some(change) };
    assert!(matches!(client.ask(Ask::ChangeGroup(change)).await, ServerMessage::SendAck(_)));
}

#[tokio::test]
async fn unread_are_visible_messages_of_others_behind_the_read_position() {
    let node = one_node(LoginPolicy::Replace).await;
    let (mut ann, mut bob) = (node.user("ann").await, node.user("bob").await);
    let group = new_group(&mut ann, true, &[]).await;
    for number in 0..50 {
        ann.send(&group, &format!("before bob {number}")).await;
    }
    assert_eq!(unread(&mut ann, &group).await, 0, "own messages and the group's creation do not count");
    change(&mut bob, &group, wire::change_group::Change::Join(wire::Done {})).await;
    bob.follows(&group).await;
    assert_eq!(unread(&mut bob, &group).await, 0, "nothing from before joining, nor the joining");
    let first = ann.send(&group, "one").await.seq;
    change(&mut ann, &group, wire::change_group::Change::Rename("crew".into())).await;
    bob.send(&group, "mine").await;
    let last = ann.send(&group, "two").await.seq;
    assert_eq!(unread(&mut bob, &group).await, 2);
    assert_eq!(unread(&mut ann, &group).await, 1);
    mark(&mut bob, &group, first).await;
    assert_eq!(unread(&mut bob, &group).await, 1);
    mark(&mut bob, &group, last).await;
    assert_eq!(unread(&mut bob, &group).await, 0);

    let talk = direct(ann.user, bob.user);
    ann.send(&talk, "hello").await;
    bob.event(&talk).await;
    bob.send(&talk, "hello yourself").await;
    assert_eq!((unread(&mut ann, &talk).await, unread(&mut bob, &talk).await), (1, 1));
    node.stop().await;
}

#[tokio::test]
async fn what_is_read_on_one_device_is_told_to_the_others_whatever_the_size() {
    let node = one_node(LoginPolicy::Replace).await;
    let mut ann = node.user("ann").await;
    let mut tablet = node.greeted().await;
    tablet.log_in("ann", "tablet").await;
    let mut bob = node.user("bob").await;
    let crowd = limits::MEMBERS_SEEING_CURSORS as u64 + 8;
    let mut others = vec![bob.user];
    for number in 0..crowd {
        others.push(ann.register(&format!("member{number}")).await);
    }
    let group = new_group(&mut ann, false, &others).await;
    for client in [&mut ann, &mut tablet, &mut bob] {
        client.follows("everyone").await;
        client.follows(&group).await;
    }
    for place in [group.as_str(), "everyone"] {
        let seq = bob.send(place, "read me").await.seq;
        ann.hears_of(place, seq).await;
        // Delivered positions are not pushed in large groups; a read position is pushed to the
        // reader's own devices.
        let acknowledge = wire::Acknowledge { conversation: place.into(), seq };
        ann.tell(Ask::Acknowledge(acknowledge)).await;
        mark(&mut ann, place, seq).await;
        let cursor = |said: &ServerMessage| match said {
            ServerMessage::Cursor(cursor) if cursor.conversation == place => Some((cursor.user_id, cursor.read)),
            _ => None,
        };
        assert_eq!(tablet.push(cursor).await, (ann.user, seq), "{place}");
    }
    // Pushes of one conversation come in order: bob gets the fence, and no cursor before it.
    let after = ann.send("everyone", "a fence").await.seq;
    let cursor = bob.push(|said| match said {
        ServerMessage::Cursor(_) => Some(true),
        ServerMessage::Event(push) if push.event.as_ref().is_some_and(|event| event.seq == after) => Some(false),
        _ => None,
    });
    assert!(!cursor.await, "the cursor of another came");
    node.stop().await;
}
