//! Signals from one device to another: typing, and words between two devices.

use bytes::Bytes;
use troupe_core::{limits, signal};
use troupe_proto::wire::client as wire;
use troupe_raft::api::LoginPolicy;

use crate::harness::{Ask, Client, ServerMessage, direct, one_node, three_nodes};

fn signal(conversation: &str, kind: u32, payload: &'static [u8], device: u64) -> Ask {
    let (conversation, payload) = (conversation.to_owned(), Bytes::from_static(payload));
    Ask::Signal(wire::Signal { conversation, kind, payload, device })
}

fn typing(conversation: &str) -> Ask {
    signal(conversation, signal::TYPING, b"", 0)
}

async fn passes(client: &mut Client, ask: Ask) {
    assert!(matches!(client.ask(ask).await, ServerMessage::Done(_)));
}

async fn heard(client: &mut Client) -> wire::SignalPush {
    client
        .push(|said| match said {
            ServerMessage::Signal(push) => Some(push.clone()),
            _ => None,
        })
        .await
}

/// The client gets this event of the conversation, and no signal before it.
async fn hears_no_signal_before(client: &mut Client, conversation: &str, seq: u64) {
    let first = client.push(|said| match said {
        ServerMessage::Signal(push) => Some(Err(push.clone())),
        ServerMessage::Event(push) if push.conversation == conversation => {
            push.event.as_ref().filter(|event| event.seq == seq).map(|_| Ok(()))
        }
        _ => None,
    });
    assert_eq!(first.await, Ok(()));
}

#[tokio::test]
async fn a_signal_reaches_each_device_of_the_other_user_once_or_the_one_it_names() {
    let nodes = three_nodes().await;
    let (mut ann, mut bob) = (nodes[0].user("ann").await, nodes[1].user("bob").await);
    let mut tablet = nodes[2].greeted().await;
    tablet.log_in("bob", "tablet").await;
    let conversation = direct(ann.user, bob.user);
    assert_eq!(ann.fails(typing(&conversation)).await.code, "not_member", "neither has written to the other");
    let seq = ann.send_until_acked(&conversation, "hello").await.seq;
    for client in [&mut ann, &mut bob, &mut tablet] {
        client.hears_of(&conversation, seq).await;
    }

    passes(&mut ann, typing(&conversation)).await;
    let (phone, other) = (heard(&mut bob).await, heard(&mut tablet).await);
    assert_eq!((phone.user_id, phone.kind, phone.seq, &phone.conversation), (ann.user, 1, seq, &conversation));
    assert_eq!(phone, other);
    passes(&mut bob, signal(&conversation, signal::DESCRIPTION, b"v=0", phone.device)).await;
    let answer = heard(&mut ann).await;
    assert_eq!((answer.user_id, answer.kind, &answer.payload[..]), (bob.user, signal::DESCRIPTION, &b"v=0"[..]));
    assert_ne!(answer.device, phone.device);
    passes(&mut ann, signal(&conversation, signal::CANDIDATE, b"udp", answer.device)).await;
    assert_eq!(heard(&mut bob).await.kind, signal::CANDIDATE);

    // Each came once, and only where it belongs: the log goes on without them.
    let last = ann.send_until_acked(&conversation, "bye").await.seq;
    assert_eq!(last, seq + 1);
    for client in [&mut ann, &mut bob, &mut tablet] {
        hears_no_signal_before(client, &conversation, last).await;
    }
}

#[tokio::test]
async fn a_removed_member_neither_sends_nor_gets_signals() {
    let nodes = three_nodes().await;
    let (mut ann, mut bob, mut eve) =
        (nodes[0].user("ann").await, nodes[1].user("bob").await, nodes[2].user("eve").await);
    let group = ann.create_group("team", &[bob.user, eve.user]).await;
    for client in [&mut ann, &mut bob, &mut eve] {
        client.follows(&group).await;
    }
    let seq = ann.send_until_acked(&group, "hello").await.seq;
    for client in [&mut ann, &mut bob, &mut eve] {
        client.hears_of(&group, seq).await;
    }
    passes(&mut eve, typing(&group)).await;
    assert_eq!((heard(&mut ann).await.user_id, heard(&mut bob).await.user_id), (eve.user, eve.user));
    assert_eq!(ann.fails(signal(&group, 1, b"", 5)).await.code, "bad_request", "a group has no single receiver");

    let request = ann.fresh_id();
    let change = Some(wire::change_group::Change::Remove(eve.user));
    let remove = Ask::ChangeGroup(wire::ChangeGroup { request, conversation: group.clone(), change });
    let ServerMessage::SendAck(removed) = ann.ask(remove).await else { panic!("she is not removed") };
    for client in [&mut ann, &mut bob, &mut eve] {
        client.hears_of(&group, removed.seq).await;
    }
    assert_eq!(eve.fails(typing(&group)).await.code, "not_member");
    passes(&mut ann, typing(&group)).await;
    assert_eq!(heard(&mut bob).await.seq, removed.seq);
    let last = ann.send_until_acked("everyone", "all").await.seq;
    hears_no_signal_before(&mut eve, "everyone", last).await;
}

#[tokio::test]
async fn signals_are_small_few_and_not_to_a_crowd() {
    let node = one_node(LoginPolicy::Replace).await;
    let (mut ann, bob) = (node.user("ann").await, node.user("bob").await);
    let conversation = direct(ann.user, bob.user);
    ann.send_until_acked(&conversation, "hello").await;
    assert_eq!(ann.fails(typing("everyone")).await.code, "too_many_receivers");
    for (kind, bytes) in [(0, 0), (999, 0), (1, limits::SIGNAL_BYTES + 1)] {
        let (conversation, payload) = (conversation.clone(), vec![0; bytes].into());
        let wrong = Ask::Signal(wire::Signal { conversation, kind, payload, device: 0 });
        assert_eq!(ann.fails(wrong).await.code, "bad_request", "{kind} with {bytes} bytes");
    }
    let (_, at_once) = limits::SIGNALS;
    let mut limited = 0;
    for _ in 0..2 * at_once {
        match ann.ask(typing(&conversation)).await {
            ServerMessage::Done(_) => {}
            ServerMessage::Failure(failure) if failure.code == "rate_limited" => limited += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(limited > 0, "one user sends so many at once");
    node.stop().await;
}
