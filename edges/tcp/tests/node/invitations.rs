//! Groups of strangers: invited, accepted, declined, and never more than the bounds.

use crate::harness::{Ask, Client, ServerMessage, direct, one_node_that_invites, within};
use troupe_core::record::Author;
use troupe_core::{UserId, limits};
use troupe_proto::wire::client as wire;
use troupe_raft::api::Strangers;
use wire::admin::Operation;

async fn new_group(owner: &mut Client, name: &str, members: &[u64]) -> String {
    let create =
        wire::CreateGroup { request: owner.fresh_id(), name: name.into(), open: false, members: members.to_vec() };
    match owner.ask(Ask::CreateGroup(create)).await {
        ServerMessage::GroupCreated(group) => group.conversation,
        other => panic!("no group: {other:?}"),
    }
}

async fn invitations(client: &mut Client) -> Vec<wire::Invitation> {
    match client.ask(Ask::ListInvitations(wire::ListInvitations {})).await {
        ServerMessage::Invitations(list) => list.invitations,
        other => panic!("no invitations: {other:?}"),
    }
}

async fn listed(client: &mut Client) -> Vec<String> {
    match client.ask(Ask::ListConversations(wire::ListConversations::default())).await {
        ServerMessage::Conversations(list) => list.conversations.into_iter().map(|line| line.conversation).collect(),
        other => panic!("no list: {other:?}"),
    }
}

async fn members(client: &mut Client, group: &str) -> Vec<u64> {
    match client.ask(Ask::ListMembers(wire::ListMembers { conversation: group.into(), ..Default::default() })).await {
        ServerMessage::Members(members) => members.members.into_iter().map(|member| member.user_id).collect(),
        other => panic!("no members: {other:?}"),
    }
}

async fn change(client: &mut Client, group: &str, change: wire::change_group::Change) {
    let request = client.fresh_id();
    let change = wire::ChangeGroup { request, conversation: group.into(), change: Some(change) };
    let said = client.ask(Ask::ChangeGroup(change)).await;
    assert!(matches!(said, ServerMessage::SendAck(_)), "{said:?}");
}

/// Waits for the push, and returns who invites to what.
async fn invited(client: &mut Client) -> (String, u64) {
    client
        .push(|said| match said {
            ServerMessage::Invitation(push) => Some((push.conversation.clone(), push.invited_by)),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn a_group_of_a_stranger_is_entered_by_accepting() {
    let node = one_node_that_invites().await;
    let (mut ann, mut bob) = (node.user("ann").await, node.user("bob").await);
    bob.follows("everyone").await;
    let group = new_group(&mut ann, "team", &[bob.user]).await;
    assert_eq!(invited(&mut bob).await, (group.clone(), ann.user));
    assert_eq!(listed(&mut bob).await, ["everyone"], "no list has it before");
    let pending = invitations(&mut bob).await;
    let [invitation] = pending.as_slice() else { panic!("one invitation: {pending:?}") };
    assert_eq!((invitation.conversation.as_str(), invitation.name.as_str()), (group.as_str(), "team"));
    assert_eq!(invitation.invited_by, ann.user);
    // Nothing is pushed: what bob hears of next is the channel.
    ann.send(&group, "before he is in").await;
    let fence = ann.send("everyone", "a fence").await.seq;
    let pushed = bob.push(|said| match said {
        ServerMessage::Event(push) if push.conversation == group => Some(true),
        ServerMessage::Event(push) if push.event.as_ref().is_some_and(|event| event.seq == fence) => Some(false),
        _ => None,
    });
    assert!(!pushed.await);

    let accept = wire::AcceptInvitation { conversation: group.clone(), seq: invitation.seq, decline: false };
    let late = wire::AcceptInvitation { seq: invitation.seq + 1, ..accept.clone() };
    assert_eq!(bob.fails(Ask::AcceptInvitation(late)).await.code, "no_such_invitation");
    for _ in 0..2 {
        assert!(matches!(bob.ask(Ask::AcceptInvitation(accept.clone())).await, ServerMessage::Done(_)));
    }
    bob.follows(&group).await;
    assert_eq!(listed(&mut bob).await, ["everyone", group.as_str()]);
    assert!(invitations(&mut bob).await.is_empty());
    let seq = ann.send(&group, "now he is").await.seq;
    bob.hears_of(&group, seq).await;
    // Whose invitation was accepted is known.
    let second = new_group(&mut ann, "second", &[bob.user]).await;
    bob.follows(&second).await;
    node.stop().await;
}

#[tokio::test]
async fn a_user_that_was_written_to_is_no_stranger_but_one_that_only_wrote_is() {
    let node = one_node_that_invites().await;
    let (mut ann, mut bob) = (node.user("ann").await, node.user("bob").await);
    let talk = direct(ann.user, bob.user);
    ann.send(&talk, "hello").await;
    bob.event(&talk).await;
    let first = new_group(&mut ann, "first", &[bob.user]).await;
    assert_eq!(invited(&mut bob).await, (first.clone(), ann.user));
    let second = new_group(&mut bob, "second", &[ann.user]).await;
    ann.follows(&second).await;

    bob.send(&talk, "hello yourself").await;
    // Rows for bob's shard arrive in order per conversation, not overall:
    // try until it has.
    let mut entered = false;
    for number in 0..50 {
        let group = new_group(&mut ann, &format!("try {number}"), &[bob.user]).await;
        entered = bob
            .push(|said| match said {
                ServerMessage::Conversation(push) if push.present && push.conversation == group => Some(true),
                ServerMessage::Invitation(push) if push.conversation == group => Some(false),
                _ => None,
            })
            .await;
        if entered {
            break;
        }
        change(&mut bob, &group, wire::change_group::Change::Leave(wire::Done {})).await;
    }
    assert!(entered, "bob knows ann, because he has written to her");
    node.stop().await;
}

#[tokio::test]
async fn whether_strangers_invite_is_a_setting_of_the_cluster() {
    let node = one_node_that_invites().await;
    let (mut ann, mut bob) = (node.user("ann").await, node.user("bob").await);
    let group = new_group(&mut ann, "invited", &[bob.user]).await;
    assert_eq!(invited(&mut bob).await, (group, ann.user));
    let by = Author { user: UserId(0), name: "operator".into(), address: String::new() };
    let set = async |strangers: &str| {
        let change = wire::ChangeSettings { strangers: Some(strangers.into()), ..Default::default() };
        node.handle.operate(by.clone(), Operation::ChangeSettings(change)).await
    };
    assert_eq!(set("maybe").await.expect_err("no such word").code, "bad_request");
    set("add").await.expect("set");
    let mut routing = node.cluster.routing();
    within(routing.wait_for(|table| table.settings.strangers == Strangers::Add)).await.expect("it lives");
    let group = new_group(&mut ann, "added", &[bob.user]).await;
    bob.follows(&group).await;
    node.stop().await;
}

#[tokio::test]
async fn declining_is_leaving() {
    let node = one_node_that_invites().await;
    let (mut ann, mut bob) = (node.user("ann").await, node.user("bob").await);
    let group = new_group(&mut ann, "team", &[bob.user]).await;
    invited(&mut bob).await;
    change(&mut bob, &group, wire::change_group::Change::Leave(wire::Done {})).await;
    bob.push(|said| match said {
        ServerMessage::Conversation(push) if !push.present && push.conversation == group => Some(()),
        _ => None,
    })
    .await;
    assert!(invitations(&mut bob).await.is_empty());
    assert_eq!(members(&mut ann, &group).await, [ann.user]);
    node.stop().await;
}

#[tokio::test]
async fn invitations_are_bounded_and_who_cannot_be_invited_is_no_member() {
    let node = one_node_that_invites().await;
    let (mut ann, mut bob, mut carl) = (node.user("ann").await, node.user("bob").await, node.user("carl").await);
    bob.follows("everyone").await;
    for number in 0..limits::INVITATIONS_PENDING_OF_ONE {
        new_group(&mut ann, &format!("flood {number}"), &[bob.user]).await;
        invited(&mut bob).await;
    }
    let over = new_group(&mut ann, "one more", &[bob.user]).await;
    // The group's shard takes bob out again, as if he had left.
    let bob_left = format!("removed {}", bob.user);
    while ann.event(&over).await.1 != bob_left {}
    assert_eq!(members(&mut ann, &over).await, [ann.user]);
    assert_eq!(invitations(&mut bob).await.len(), limits::INVITATIONS_PENDING_OF_ONE);
    // The flood of one leaves room for another.
    let group = new_group(&mut carl, "another", &[bob.user]).await;
    assert_eq!(invited(&mut bob).await, (group, carl.user));
    node.stop().await;
}
