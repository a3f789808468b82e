//! Imports by an operator: an administrator may not, users find their conversations with places and
//! times, and no one is asked again about strangers.

use bytes::Bytes;
use troupe_core::record::Author;
use troupe_core::{Body, ClientMessageId, Event, EventKind, Seq, Timestamp, UserId};
use troupe_proto::wire::client as wire;
use wire::admin::Operation;
use wire::admin_answer::Answer;

use crate::harness::{Ask, Client, Node, ServerMessage, direct, one_node_that_invites};

const KEY: Bytes = Bytes::from_static(&[5; 16]);

async fn operate(node: &Node, operation: Operation) -> Result<Answer, String> {
    let by = Author { name: "operator".into(), ..Author::default() };
    match node.handle.operate(by, operation).await {
        Ok(wire::AdminAnswer { answer: Some(answer) }) => Ok(answer),
        Ok(other) => panic!("no answer: {other:?}"),
        Err(failure) => Err(failure.code),
    }
}

fn event(seq: u64, time: u64, sender: u64, kind: EventKind) -> wire::Event {
    let client_message_id = ClientMessageId([seq as u8; 16]);
    let (seq, time, sender) = (Seq(seq), Timestamp(time), UserId(sender));
    wire::Event::from(&Event { seq, time, sender, client_message_id, kind, seal: None })
}

fn said(text: &str) -> EventKind {
    EventKind::Message(Body::text(text))
}

fn into_group(events: Vec<wire::Event>, positions: Vec<wire::ImportPosition>) -> Operation {
    let (conversation, source) = (String::new(), "a test".to_owned());
    Operation::ImportEvents(wire::Import { conversation, group_key: KEY, open: false, source, events, positions })
}

async fn listed(client: &mut Client) -> Vec<wire::Conversation> {
    match client.ask(Ask::ListConversations(wire::ListConversations::default())).await {
        ServerMessage::Conversations(page) => page.conversations,
        other => panic!("no list: {other:?}"),
    }
}

#[tokio::test]
async fn an_imported_group_is_there_for_its_members() {
    let node = one_node_that_invites().await;
    let (mut ann, mut bob) = (node.user("ann").await, node.user("bob").await);
    let (a, b) = (ann.user, bob.user);
    let log = vec![
        event(1, 1_000, a, EventKind::Created { name: "Team".into() }),
        event(2, 1_000, a, EventKind::Added { users: vec![UserId(b)] }),
        event(3, 2_000, a, said("from long ago")),
        event(4, 3_000, b, said("from yesterday")),
        event(5, 3_000, a, EventKind::Reacted { to: Seq(4), emoji: "👍".into(), removed: false }),
    ];
    let positions = vec![wire::ImportPosition { user_id: b, delivered: 5, read: 3 }];
    let import = into_group(log.clone(), positions);
    let Ok(Answer::Imported(done)) = operate(&node, import.clone()).await else { panic!("not imported") };
    assert_eq!((done.head, done.placed), (5, 5));
    let Ok(Answer::Imported(again)) = operate(&node, import).await else { panic!("not repeated") };
    assert_eq!((again.conversation.as_str(), again.head, again.placed), (done.conversation.as_str(), 5, 0));

    // In the list of both, although bob did not know ann, and with the number of unread messages.
    assert_eq!(bob.follows(&done.conversation).await, 5);
    let of_bob = listed(&mut bob).await.into_iter().find(|it| it.conversation == done.conversation);
    let of_bob = of_bob.expect("the group is in the list");
    assert_eq!((of_bob.name.as_str(), of_bob.read, of_bob.unread, of_bob.time_ms), ("Team", 3, 0, 3_000));
    ann.follows(&done.conversation).await;
    let of_ann = listed(&mut ann).await.into_iter().find(|it| it.conversation == done.conversation);
    assert_eq!(of_ann.expect("the group is in the list").unread, 1, "bob's message");
    let ServerMessage::Invitations(asked) = bob.ask(Ask::ListInvitations(wire::ListInvitations {})).await else {
        panic!("no invitations")
    };
    assert_eq!(asked.invitations, Vec::new());
    let fetch = wire::Fetch { conversation: done.conversation.clone(), ..Default::default() };
    let ServerMessage::Page(page) = bob.ask(Ask::Fetch(fetch)).await else { panic!("no page") };
    // From the event that added him on, as ever.
    let times: Vec<(u64, u64)> = page.events.iter().map(|event| (event.seq, event.time_ms)).collect();
    assert_eq!(times, [(2, 1_000), (3, 2_000), (4, 3_000), (5, 3_000)]);
    assert_eq!(page.reactions.len(), 1);

    // The log goes on.
    assert_eq!(bob.send(&done.conversation, "and now").await.seq, 6);
    let more = vec![event(6, 4_000, a, said("too late"))];
    assert_eq!(operate(&node, into_group(more, Vec::new())).await, Err("import_differs".to_owned()));
    node.stop().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let node = one_node_that_invites().await;
    let (ann, bob) = (node.user("ann").await, node.user("bob").await);
    let (a, b) = (ann.user, bob.user);
    let into_direct = |events| {
        let (conversation, source) = (direct(a, b), "a test".to_owned());
        Operation::ImportEvents(wire::Import { conversation, events, source, ..Default::default() })
    };
    let first = event(1, 1_000, a, said("psst"));
    operate(&node, into_direct(vec![first.clone()])).await.expect("imported");
    for (events, code) in [
        (vec![event(1, 1_000, a, said("pst"))], "import_differs"),
        (vec![event(3, 1_000, a, said("a gap"))], "import_gap"),
        (vec![event(2, 999, a, said("time goes back"))], "import_time"),
        (vec![event(2, u64::MAX, a, said("time of the future"))], "import_time"),
        (vec![event(2, 1_000, 1 << 40, said("no one"))], "no_such_user"),
        (vec![first.clone(), event(3, 1_000, a, said("not consecutive"))], "bad_request"),
        (vec![wire::Event { client_message_id: Bytes::new(), ..first.clone() }], "bad_request"),
        (vec![event(2, 1_000, a, EventKind::Created { name: "x".into() })], "import_not_decided"),
        (vec![event(2, 1_000, a, said(&"x".repeat(70_000)))], "too_large"),
        ((0..300).map(|seq| event(seq + 2, 1_000, a, said("many"))).collect(), "too_many"),
    ] {
        assert_eq!(operate(&node, into_direct(events)).await, Err(code.to_owned()), "{code}");
    }
    let twice = wire::Event { client_message_id: first.client_message_id.clone(), ..event(2, 1_000, a, said("twice")) };
    assert_eq!(operate(&node, into_direct(vec![twice])).await, Err("import_second_place".to_owned()));
    let account = |name: &str, hash: &str| {
        let (name, password_hash) = (name.to_owned(), hash.to_owned());
        Operation::ImportAccount(wire::ImportAccount { name, password_hash, created_ms: 7, ..Default::default() })
    };
    assert_eq!(operate(&node, account("ann", "")).await, Err("name_taken".to_owned()));
    assert_eq!(operate(&node, account("x", "")).await, Err("bad_name".to_owned()));
    assert_eq!(operate(&node, account("carol", "no hash")).await, Err("bad_request".to_owned()));
    let Ok(Answer::Accounts(made)) = operate(&node, account("carol", "")).await else { panic!("not made") };
    assert_eq!(made.accounts.first().map(|it| (it.created_ms, it.status.as_str())), Some((7, "active")));
    let login =
        wire::Login { name: "carol".into(), password: "!unset".into(), device: "d".into(), ..Default::default() };
    assert_eq!(node.greeted().await.fails(Ask::Login(login)).await.code, "wrong_credentials");
    node.stop().await;
}

#[tokio::test]
async fn an_administrator_neither_exports_nor_imports() {
    let node = one_node_that_invites().await;
    let mut ann = node.user("ann").await;
    let set = Operation::SetAdmin(wire::SetAdmin { account: "ann".into(), admin: true });
    operate(&node, set).await.expect("an administrator");
    let accounts = wire::export::Part::Accounts(wire::ExportAccounts::default());
    let export = Operation::Export(wire::Export { part: Some(accounts) });
    let import_account = Operation::ImportAccount(wire::ImportAccount { name: "bob".into(), ..Default::default() });
    for operation in [export.clone(), into_group(Vec::new(), Vec::new()), import_account] {
        let request = ann.fresh_id();
        let asked = Ask::Admin(wire::Admin { request, operation: Some(operation) });
        assert_eq!(ann.fails(asked).await.code, "not_operator");
    }
    let Ok(Answer::Exported(page)) = operate(&node, export).await else { panic!("not exported") };
    let Some(wire::exported::Part::Accounts(page)) = page.part else { panic!("other content") };
    assert!(page.accounts.iter().any(|account| account.name == "ann"));
    assert!(page.accounts.iter().all(|account| account.password_hash.is_empty()));
    let read = Operation::ReadAudit(wire::ReadAudit::default());
    let Ok(Answer::Audit(audit)) = operate(&node, read).await else { panic!("no audit log") };
    let exports = audit.rows.iter().filter(|row| row.action == "cluster.export" && row.by_name == "operator");
    assert_eq!(exports.count(), 1);
    node.stop().await;
}
