//! What one user, one address or one silent connection can take from the others: over a real socket, with small limits.

mod harness;

use std::time::Duration;

use harness::{Ask, Client, Said, one_node, one_node_with};
use tokio::time::Instant;
use troupe_actors::budgets::Limits;
use troupe_core::limits;
use troupe_proto::wire::client as say;
use troupe_raft::cluster::LoginPolicy;

/// Asks without waiting for answers, then counts those that were refused as `rate_limited`.
async fn flood(client: &mut Client, many: usize) -> usize {
    let mut ids = Vec::new();
    for _ in 0..many {
        ids.push(client.tell(Ask::ListSessions(say::ListSessions {})).await);
    }
    let mut limited = 0;
    for id in ids {
        match client.answer(id).await {
            Said::Failure(failure) => {
                assert_eq!((failure.code.as_str(), failure.kind()), ("rate_limited", say::failure::Kind::Overloaded));
                assert!(failure.retry_after_ms > 0);
                limited += 1;
            }
            Said::Sessions(_) => {}
            other => panic!("neither an answer nor a refusal: {other:?}"),
        }
    }
    limited
}

#[tokio::test]
async fn above_its_budget_a_user_is_slowed_down_and_others_are_not() {
    let node = one_node_with(Limits { user_rate: 20, user_burst: 50, ..Limits::default() }).await;
    let (mut ann, mut bob) = (node.user("ann").await, node.user("bob").await);
    let begun = Instant::now();
    flood(&mut ann, 75).await;
    // 50 at once, the others at 20 a second.
    assert!(begun.elapsed() > Duration::from_millis(700), "{:?}", begun.elapsed());
    // Dear requests are too much to wait for.
    let begun = Instant::now();
    let mut refused = 0;
    for _ in 0..3 {
        if let Said::Failure(failure) = ann.ask(Ask::ListOnline(say::ListOnline::default())).await {
            assert_eq!(failure.code, "rate_limited");
            refused += 1;
        }
    }
    assert!(refused > 0 && begun.elapsed() < Duration::from_secs(5));
    // Heartbeats are no requests.
    let begun = Instant::now();
    assert!(matches!(ann.ask(Ask::Ping(say::Ping { nonce: 7 })).await, Said::Pong(_)));
    assert!(begun.elapsed() < Duration::from_millis(1_500), "{:?}", begun.elapsed());
    // The address has room, and so has bob.
    let begun = Instant::now();
    assert_eq!(flood(&mut bob, 40).await, 0);
    assert!(begun.elapsed() < Duration::from_millis(700), "{:?}", begun.elapsed());
    assert!(node.handle.stats().rate_limited >= refused);
    node.stop().await;
}

#[tokio::test]
async fn all_users_of_an_address_pay_together() {
    let limits = Limits { address_rate: 20, address_burst: 20, loopback_factor: 1, ..Limits::default() };
    let node = one_node_with(limits).await;
    let (mut ann, mut bob) = (node.user("ann").await, node.user("bob").await);
    flood(&mut ann, 20).await;
    let begun = Instant::now();
    flood(&mut bob, 20).await;
    assert!(begun.elapsed() > Duration::from_millis(500), "{:?}", begun.elapsed());
    node.stop().await;
}

#[tokio::test]
async fn a_silent_connection_gives_way_to_a_newcomer() {
    let limits = Limits { address_connections: 4, loopback_factor: 1, ..Limits::default() };
    let node = one_node_with(limits).await;
    let mut ann = node.user("ann").await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(node.greeted().await);
    }
    // The oldest were closed with a word, and ann was not touched.
    assert!(matches!(silent[0].end().await, Some(Said::Kicked(kicked)) if kicked.code == "no_login"));
    let _bob = node.user("bob").await;
    assert_eq!(ann.send("everyone", "still here").await.seq, 1);
    let mut last = silent.pop().expect("the latest");
    last.log_in("ann", "laptop").await;
    // Two users, and room for two more.
    let _third = node.user("carl").await;
    let mut refused = node.connect().await;
    let hello = say::Hello { min_version: 1, max_version: 1, client: "test".into() };
    let _ = refused.tell(Ask::Hello(hello)).await;
    assert!(refused.end().await.is_none());
    assert!(node.handle.stats().connections_refused >= 1);
    node.stop().await;
}

#[tokio::test]
async fn before_the_login_a_frame_is_small() {
    let node = one_node(LoginPolicy::Replace).await;
    let mut stranger = node.greeted().await;
    // The length alone decides: nothing of such a frame is waited for or kept.
    let length = (limits::GREETING_FRAME_BYTES as u32 + 1).to_be_bytes();
    stranger.write(&length).await;
    let last = stranger.end().await;
    assert!(matches!(&last, Some(Said::Failure(failure)) if failure.code == "bad_frame"), "{last:?}");
    let mut ann = node.user("ann").await;
    ann.send("everyone", &"x".repeat(limits::MESSAGE_BYTES)).await;
    node.stop().await;
}
