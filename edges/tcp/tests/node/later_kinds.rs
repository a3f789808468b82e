//! Events that only a later version understands, in logs of nodes that do not.

use bytes::Bytes;
use troupe_core::Seq;
use troupe_core::planted::Bug;
use troupe_proto::wire::client as wire;

use crate::harness::{Ask, Client, ServerMessage, direct, message, three_nodes_with};
use crate::reading::unread;

const LATER: u32 = 77;
const CONTENT: &[u8] = b"\x08\x01\xff not a message of any kind";

/// The nodes make it an event of a later kind.
fn later(conversation: &str, id: Bytes) -> wire::Send {
    let body = wire::Body { kind: LATER, content: Bytes::from_static(CONTENT), context: None };
    wire::Send { body: Some(body), ..message(conversation, "", id) }
}

async fn place(client: &mut Client, send: wire::Send) -> wire::SendAck {
    loop {
        match client.ask(Ask::Send(send.clone())).await {
            ServerMessage::SendAck(ack) => return ack,
            ServerMessage::Failure(failure) if failure.kind() != wire::failure::Kind::Rejected => {}
            other => panic!("it is not placed: {other:?}"),
        }
    }
}

fn is_later(event: &wire::Event, seq: u64) -> bool {
    (event.seq, event.kind, &event.content[..]) == (seq, LATER, CONTENT)
}

#[tokio::test]
async fn events_of_a_later_kind_are_stored_pushed_paged_and_counted() {
    let nodes = three_nodes_with(Bug::LaterKind.into()).await;
    let (mut ann, mut bob, mut carl) =
        (nodes[0].user("ann").await, nodes[1].user("bob").await, nodes[2].user("carl").await);
    let group = ann.create_group("all", &[bob.user, carl.user]).await;
    for client in [&mut ann, &mut bob, &mut carl] {
        client.follows(&group).await;
    }
    let first = ann.send_until_acked(&group, "before").await.seq;
    let send = later(&group, ann.fresh_id());
    let ack = place(&mut ann, send.clone()).await;
    assert_eq!(ack.seq, first + 1, "it has a place like any other");
    let again = place(&mut ann, send).await;
    assert_eq!((again.seq, again.duplicate), (ack.seq, true), "exactly once");
    let last = ann.send_until_acked(&group, "behind").await.seq;

    for client in [&mut ann, &mut bob, &mut carl] {
        // Pushed through the mesh to each node, in its place and unchanged.
        let mut seqs = Vec::new();
        while seqs.last() != Some(&last) {
            let (conversation, later) = (group.clone(), ack.seq);
            let event = client.push(|said| match said {
                ServerMessage::Event(push) if push.conversation == conversation => push.event.clone(),
                _ => None,
            });
            let event = event.await;
            assert_eq!(is_later(&event, later), event.seq == later, "{event:?}");
            seqs.push(event.seq);
        }
        assert!(seqs.ends_with(&[first, ack.seq, last]), "{seqs:?}");
        // Read from a log, in both directions.
        for (backward, seq) in [(false, first), (true, last)] {
            let fetch = wire::Fetch { conversation: group.clone(), seq, backward, limit: 10 };
            let ServerMessage::Page(page) = client.ask(Ask::Fetch(fetch)).await else { panic!("no page") };
            assert!(page.events.iter().any(|event| is_later(event, ack.seq)), "{:?}", page.events);
            assert!(page.events.windows(2).all(|two| two[0].seq + 1 == two[1].seq), "{:?}", page.events);
        }
    }
    // Only messages count as unread, and cursors move over it.
    assert_eq!(unread(&mut bob, &group).await, 2);
    let mark = wire::MarkRead { conversation: group.clone(), seq: ack.seq };
    assert!(matches!(bob.ask(Ask::MarkRead(mark)).await, ServerMessage::Done(_)));
    assert_eq!(unread(&mut bob, &group).await, 1);
    let mark = wire::MarkRead { conversation: group.clone(), seq: last };
    assert!(matches!(bob.ask(Ask::MarkRead(mark)).await, ServerMessage::Done(_)));
    assert_eq!(unread(&mut bob, &group).await, 0);
    // All replicas hold it: equal chains and the same bytes.
    let id: troupe_core::ConversationId = group.parse().expect("an id");
    let mut chains = Vec::new();
    for node in &nodes {
        let view = node.handle.local_view();
        let event = view.event(id, Seq(ack.seq)).expect("readable");
        // A follower may apply it a moment later.
        if let (Some(event), Some(row)) = (event, view.conversation(id).expect("readable"))
            && row.head == Seq(last)
        {
            assert!(is_later(&wire::Event::from(&event), ack.seq), "{event:?}");
            chains.push(row.chain);
        }
    }
    assert!(!chains.is_empty() && chains.iter().all(|chain| *chain == chains[0]), "{chains:?}");
    for node in nodes {
        node.stop().await;
    }
}

/// A first message of an unknown kind begins a conversation like any other.
#[tokio::test]
async fn a_conversation_may_begin_with_a_later_kind() {
    let nodes = three_nodes_with(Bug::LaterKind.into()).await;
    let (mut ann, mut bob) = (nodes[0].user("ann").await, nodes[1].user("bob").await);
    let both = direct(ann.user, bob.user);
    let id = ann.fresh_id();
    assert_eq!(place(&mut ann, later(&both, id)).await.seq, 1);
    bob.hears_of(&both, 1).await;
    assert_eq!(bob.send_until_acked(&both, "what was that?").await.seq, 2);
    assert_eq!(unread(&mut ann, &both).await, 1);
    for node in nodes {
        node.stop().await;
    }
}
