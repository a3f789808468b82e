//! An outsider gets one answer for a conversation, whether it exists or not, over all operations.

use crate::harness::{Ask, Client, Node, ServerMessage, direct, message, one_node};
use bytes::Bytes;
use prost::Message as _;
use troupe_proto::wire::client as wire;
use troupe_raft::api::LoginPolicy;

/// Operations that name a conversation, each with the same ids for every conversation.
fn operations(conversation: &str, salt: u8, insider: u64) -> Vec<(&'static str, Ask)> {
    use wire::change_group::Change;
    let id = |n: u8| Bytes::from(vec![salt ^ n; 16]);
    let fetch = |seq, backward| {
        Ask::Fetch(wire::Fetch { conversation: conversation.into(), seq, backward, ..Default::default() })
    };
    let mark = |seq| Ask::MarkRead(wire::MarkRead { conversation: conversation.into(), seq });
    let change = |n, change| {
        let conversation = conversation.to_owned();
        Ask::ChangeGroup(wire::ChangeGroup { request: id(n), conversation, change: Some(change) })
    };
    let react = |n, remove| {
        let (request, conversation) = (id(n), conversation.to_owned());
        Ask::React(wire::React { request, conversation, seq: 1, emoji: "👍".into(), remove })
    };
    let edit = |n| {
        let (request, conversation) = (id(n), conversation.to_owned());
        let body = Some(wire::Body { kind: 1, content: Bytes::from_static(b"mine"), ..Default::default() });
        Ask::EditMessage(wire::EditMessage { request, conversation, seq: 1, body })
    };
    let recall = |n| {
        let (request, conversation) = (id(n), conversation.to_owned());
        Ask::RecallMessage(wire::RecallMessage { request, conversation, seq: 1 })
    };
    let mut late = message(conversation, "let me in", id(2));
    late.after = id(3);
    let role = wire::RoleChanged { user: insider, role: wire::Role::Owner.into() };
    let list = wire::ListMembers { conversation: conversation.into(), ..Default::default() };
    let mut all = vec![
        ("fetch", fetch(0, false)),
        ("fetch beyond the head", fetch(u64::MAX, false)),
        ("fetch backward", fetch(0, true)),
        ("mark_read nothing", mark(0)),
        ("mark_read", mark(1)),
        ("mark_read beyond the head", mark(u64::MAX)),
        ("list_members", Ask::ListMembers(list)),
        ("send", Ask::Send(message(conversation, "let me in", id(1)))),
        ("send after another", Ask::Send(late)),
        ("react", react(10, false)),
        ("take a reaction back", react(11, true)),
        ("signal", Ask::Signal(wire::Signal { conversation: conversation.into(), kind: 1, ..Default::default() })),
        ("edit", edit(12)),
        ("recall", recall(13)),
    ];
    if conversation.starts_with('g') {
        all.extend([
            ("rename", change(4, Change::Rename("mine".into()))),
            ("add", change(5, Change::Add(wire::AddMembers { users: vec![insider] }))),
            ("remove", change(6, Change::Remove(insider))),
            ("leave", change(7, Change::Leave(wire::Done {}))),
            ("join", change(8, Change::Join(wire::Done {}))),
            ("set_role", change(9, Change::SetRole(role))),
        ]);
    }
    all
}

/// The bytes of every answer; request ids are left out, because they count on.
async fn answers(eve: &mut Client, conversation: &str, salt: u8, insider: u64) -> Vec<(&'static str, Vec<u8>)> {
    let mut answers = Vec::new();
    for (operation, ask) in operations(conversation, salt, insider) {
        let said = eve.ask(ask).await;
        assert!(matches!(said, ServerMessage::Failure(_)), "{operation} in {conversation}: {said:?}");
        // Without an answer; what it might tell would come before the next one.
        let acknowledge = wire::Acknowledge { conversation: conversation.into(), seq: 1 };
        eve.tell(Ask::Acknowledge(acknowledge)).await;
        answers.push((operation, wire::ServerFrame { request_id: 0, message: Some(said) }.encode_to_vec()));
    }
    answers
}

async fn new_group(owner: &mut Client, open: bool, members: &[u64]) -> String {
    let create = wire::CreateGroup { request: owner.fresh_id(), name: "team".into(), open, members: members.to_vec() };
    match owner.ask(Ask::CreateGroup(create)).await {
        ServerMessage::GroupCreated(group) => group.conversation,
        other => panic!("no group: {other:?}"),
    }
}

async fn listed(client: &mut Client) -> Vec<String> {
    match client.ask(Ask::ListConversations(wire::ListConversations::default())).await {
        ServerMessage::Conversations(list) => list.conversations.into_iter().map(|line| line.conversation).collect(),
        other => panic!("no list: {other:?}"),
    }
}

#[tokio::test]
async fn an_outsider_cannot_tell_a_foreign_conversation_from_a_missing_one() {
    let node: Node = one_node(LoginPolicy::Replace).await;
    let (mut ann, mut bob, mut eve) = (node.user("ann").await, node.user("bob").await, node.user("eve").await);
    let closed = new_group(&mut ann, false, &[bob.user]).await;
    ann.send(&closed, "to the team").await;
    let emptied = new_group(&mut ann, true, &[]).await;
    let change = Some(wire::change_group::Change::Leave(wire::Done {}));
    let leave = wire::ChangeGroup { request: ann.fresh_id(), conversation: emptied.clone(), change };
    assert!(matches!(ann.ask(Ask::ChangeGroup(leave)).await, ServerMessage::SendAck(_)));
    let talk = direct(ann.user, bob.user);
    ann.send(&talk, "between us").await;
    let silent = direct(bob.user, bob.user + 1_024);

    let salt = 0x40;
    let insider = ann.user;
    let missing = answers(&mut eve, "g999999424", salt, insider).await;
    assert!(missing.len() >= 15);
    for group in [&closed, &emptied] {
        assert_eq!(answers(&mut eve, group, salt, insider).await, missing, "{group}");
    }
    let never = answers(&mut eve, &silent, salt, insider).await;
    assert_eq!(answers(&mut eve, &talk, salt, insider).await, never);
    // A group and a direct conversation are refused alike too, as far as both know the operation.
    assert_eq!(missing[..never.len()], never);

    // It has left no trace: neither with the members nor in the outsider's list.
    let texts: Vec<String> = bob.history(&talk).await.into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["between us"]);
    assert_eq!(ann.history(&closed).await.len(), 3);
    assert_eq!(listed(&mut eve).await, ["everyone"]);

    // An open group is joined by its id as before, and then it is no secret.
    let open = new_group(&mut ann, true, &[]).await;
    let change = Some(wire::change_group::Change::Join(wire::Done {}));
    let join = wire::ChangeGroup { request: eve.fresh_id(), conversation: open.clone(), change };
    assert!(matches!(eve.ask(Ask::ChangeGroup(join.clone())).await, ServerMessage::SendAck(_)));
    let again = wire::ChangeGroup { request: eve.fresh_id(), ..join };
    assert_eq!(eve.fails(Ask::ChangeGroup(again)).await.code, "already_member");
    node.stop().await;
}

#[tokio::test]
async fn a_group_name_of_blanks_is_refused() {
    let node = one_node(LoginPolicy::Replace).await;
    let mut ann = node.user("ann").await;
    for name in ["", " ", "\u{3000} \u{a0}"] {
        let create = wire::CreateGroup { request: ann.fresh_id(), name: name.into(), ..Default::default() };
        assert_eq!(ann.fails(Ask::CreateGroup(create)).await.code, "bad_name", "{name:?}");
    }
    let group = new_group(&mut ann, false, &[]).await;
    let change = Some(wire::change_group::Change::Rename("  ".into()));
    let rename = wire::ChangeGroup { request: ann.fresh_id(), conversation: group, change };
    assert_eq!(ann.fails(Ask::ChangeGroup(rename)).await.code, "bad_name");
    node.stop().await;
}
