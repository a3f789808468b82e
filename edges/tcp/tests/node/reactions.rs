//! Reactions from the request to the push and the page.

use bytes::Bytes;
use troupe_core::{Event, EventKind, Seq};
use troupe_proto::wire::client as wire;
use troupe_raft::api::LoginPolicy;

use crate::harness::{Ask, Client, ServerMessage, one_node, three_nodes};
use crate::reading::unread;

fn react(request: Bytes, conversation: &str, seq: u64, emoji: &str, remove: bool) -> Ask {
    Ask::React(wire::React { request, conversation: conversation.into(), seq, emoji: emoji.into(), remove })
}

/// Repeats without an answer, under one id.
async fn placed(client: &mut Client, ask: Ask) -> wire::SendAck {
    loop {
        match client.ask(ask.clone()).await {
            ServerMessage::SendAck(ack) => return ack,
            ServerMessage::Failure(failure) if failure.kind() != wire::failure::Kind::Rejected => {}
            other => panic!("it is not placed: {other:?}"),
        }
    }
}

/// The reactions of a page: seq, emoji, users, whether the caller's own.
async fn counts(client: &mut Client, fetch: wire::Fetch) -> (u64, Vec<(u64, String, u64, bool)>) {
    let ServerMessage::Page(page) = client.ask(Ask::Fetch(fetch)).await else { panic!("no page") };
    let of =
        |of: wire::Reactions| of.counts.into_iter().map(move |count| (of.seq, count.emoji, count.users, count.mine));
    (page.head, page.reactions.into_iter().flat_map(of).collect())
}

fn whole(conversation: &str) -> wire::Fetch {
    wire::Fetch { conversation: conversation.into(), ..Default::default() }
}

#[tokio::test]
async fn a_reaction_is_placed_once_pushed_to_all_and_counted_in_history() {
    let nodes = three_nodes().await;
    let (mut ann, mut bob, mut carl) =
        (nodes[0].user("ann").await, nodes[1].user("bob").await, nodes[2].user("carl").await);
    let group = ann.create_group("team", &[bob.user, carl.user]).await;
    for client in [&mut ann, &mut bob, &mut carl] {
        client.follows(&group).await;
    }
    let message = ann.send_until_acked(&group, "done").await.seq;
    let like = react(bob.fresh_id(), &group, message, "👍", false);
    let first = placed(&mut bob, like.clone()).await;
    assert_eq!((first.seq, first.duplicate), (message + 1, false));
    let again = placed(&mut bob, like.clone()).await;
    assert_eq!((again.seq, again.time_ms, again.duplicate), (first.seq, first.time_ms, true), "exactly once");
    let second = react(bob.fresh_id(), &group, message, "👍", false);
    assert_eq!(bob.fails(second).await.code, "already_reacted");
    let like_too = react(carl.fresh_id(), &group, message, "👍", false);
    placed(&mut carl, like_too).await;
    let cheer = react(carl.fresh_id(), &group, message, "🎉", false);
    let last = placed(&mut carl, cheer).await.seq;

    // Each member gets each change, in order.
    for client in [&mut ann, &mut bob, &mut carl] {
        let mut seen = Vec::new();
        while seen.len() < 3 {
            let conversation = group.clone();
            let event = client.push(|said| match said {
                ServerMessage::Event(push) if push.conversation == conversation => push.event.clone(),
                _ => None,
            });
            let event = Event::try_from(event.await).expect("an event");
            if let EventKind::Reacted { to, emoji, removed: false } = event.kind {
                assert_eq!(to, Seq(message));
                seen.push((event.seq.0, emoji));
            }
        }
        assert_eq!(seen, [(first.seq, "👍".into()), (first.seq + 1, "👍".into()), (last, "🎉".into())]);
    }
    let expected = |thumb, cheer| vec![(message, "👍".into(), 2, thumb), (message, "🎉".into(), 1, cheer)];
    assert_eq!(counts(&mut ann, whole(&group)).await, (last, expected(false, false)));
    assert_eq!(counts(&mut bob, whole(&group)).await, (last, expected(true, false)));
    assert_eq!(counts(&mut carl, whole(&group)).await, (last, expected(true, true)));
    let behind = wire::Fetch { seq: message, ..whole(&group) };
    assert_eq!(counts(&mut carl, behind).await, (last, vec![]), "only of the messages of the page");
    let before = wire::Fetch { seq: message + 1, backward: true, limit: 1, ..whole(&group) };
    assert_eq!(counts(&mut carl, before).await, (last, expected(true, true)));
    assert_eq!(unread(&mut bob, &group).await, 1, "a reaction does not count");

    let back = react(carl.fresh_id(), &group, message, "👍", true);
    let end = placed(&mut carl, back).await.seq;
    let none = react(carl.fresh_id(), &group, message, "👍", true);
    assert_eq!(carl.fails(none).await.code, "no_such_reaction");
    let (head, left) = counts(&mut carl, whole(&group)).await;
    assert_eq!((head, left), (end, vec![(message, "👍".into(), 1, false), (message, "🎉".into(), 1, true)]));
    // A late repeat of what was taken back since has its place, and changes nothing.
    assert!(placed(&mut bob, like).await.duplicate);
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_bad_reaction_is_refused_with_its_reason() {
    let node = one_node(LoginPolicy::Replace).await;
    let (mut ann, mut bob) = (node.user("ann").await, node.user("bob").await);
    let group = ann.create_group("team", &[]).await;
    ann.send(&group, "before bob").await;
    let add = wire::change_group::Change::Add(wire::AddMembers { users: vec![bob.user] });
    let change = wire::ChangeGroup { request: ann.fresh_id(), conversation: group.clone(), change: Some(add) };
    assert!(matches!(ann.ask(Ask::ChangeGroup(change)).await, ServerMessage::SendAck(_)));
    for (seq, emoji, remove, code) in [
        (2, "👍", false, "no_such_message"),
        (3, "👍", false, "no_such_message"),
        (99, "👍", false, "no_such_message"),
        (0, "👍", false, "no_such_message"),
        (u64::MAX, "👍", true, "no_such_message"),
        (2, "", false, "bad_emoji"),
        (2, "nice", false, "bad_emoji"),
        (2, "👍👍", false, "bad_emoji"),
        (2, "\u{202e}👍", false, "bad_emoji"),
        (2, "\u{7}", true, "bad_emoji"),
    ] {
        let ask = react(bob.fresh_id(), &group, seq, emoji, remove);
        assert_eq!(bob.fails(ask).await.code, code, "{emoji:?} to {seq}");
    }
    let long = react(bob.fresh_id(), &group, 2, &"👍\u{200d}".repeat(1_000), false);
    assert_eq!(bob.fails(long).await.code, "bad_emoji");
    for (request, conversation) in [(Bytes::from_static(b"short"), group.as_str()), (bob.fresh_id(), "g01")] {
        let ask = react(request, conversation, 2, "👍", false);
        assert_eq!(bob.fails(ask).await.code, "bad_request");
    }
    let (head, none) = counts(&mut ann, whole(&group)).await;
    assert_eq!((head, none), (3, vec![]), "a refusal leaves no trace");
    // A former member can neither react nor take back.
    ann.send(&group, "after bob").await;
    let like = react(bob.fresh_id(), &group, 4, "👍", false);
    placed(&mut bob, like).await;
    let remove = wire::change_group::Change::Remove(bob.user);
    let change = wire::ChangeGroup { request: ann.fresh_id(), conversation: group.clone(), change: Some(remove) };
    assert!(matches!(ann.ask(Ask::ChangeGroup(change)).await, ServerMessage::SendAck(_)));
    for remove in [false, true] {
        let ask = react(bob.fresh_id(), &group, 4, "👍", remove);
        assert_eq!(bob.fails(ask).await.code, "not_member");
    }
    let (_, left) = counts(&mut ann, whole(&group)).await;
    assert_eq!(left, [(4, "👍".into(), 1, false)]);
    node.stop().await;
}
