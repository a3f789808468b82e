//! Bounds on the share of one user, one address or one silent connection, over a real socket with
//! small limits.

use std::time::Duration;

use crate::harness::{self, Ask, Client, ServerMessage, one_node, one_node_with};
use tokio::time::Instant;
use troupe_actors::budgets::Limits;
use troupe_core::limits;
use troupe_proto::wire::client as wire;
use troupe_raft::api::LoginPolicy;

/// Asks without waiting for answers, then counts those that were refused as `rate_limited`.
async fn flood(client: &mut Client, many: usize) -> usize {
    let mut ids = Vec::new();
    for _ in 0..many {
        ids.push(client.tell(Ask::ListSessions(wire::ListSessions {})).await);
    }
    let mut limited = 0;
    for id in ids {
        match client.answer(id).await {
            ServerMessage::Failure(failure) => {
                assert_eq!((failure.code.as_str(), failure.kind()), ("rate_limited", wire::failure::Kind::Overloaded));
                assert!(failure.retry_after_ms > 0);
                limited += 1;
            }
            ServerMessage::Sessions(_) => {}
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
    let mut refused = 0;
    for _ in 0..3 {
        if let ServerMessage::Failure(failure) = ann.ask(Ask::ListOnline(wire::ListOnline::default())).await {
            assert_eq!(failure.code, "rate_limited");
            refused += 1;
        }
    }
    assert!(refused > 0);
    // Heartbeats are no requests.
    assert!(matches!(ann.ask(Ask::Ping(wire::Ping { nonce: 7 })).await, ServerMessage::Pong(_)));
    // The address has room, and so has bob: his 40 are answered while ann's 50 are read slowly.
    let slow = tokio::spawn(async move {
        flood(&mut ann, 50).await;
        Instant::now()
    });
    assert_eq!(flood(&mut bob, 40).await, 0);
    let answered = Instant::now();
    assert!(slow.await.expect("all are answered") > answered);
    assert!(node.handle.platform().metrics.rate_limited.get() >= refused);
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
    assert!(matches!(silent[0].end().await, Some(ServerMessage::Kicked(kicked)) if kicked.code == "no_login"));
    let _bob = node.user("bob").await;
    assert_eq!(ann.send("everyone", "still here").await.seq, 1);
    let mut last = silent.pop().expect("the latest");
    last.log_in("ann", "laptop").await;
    // Two users, and room for two more.
    let _third = node.user("carl").await;
    let mut refused = node.connect().await;
    let hello = wire::Hello { min_version: 1, max_version: 1, client: "test".into() };
    let _ = refused.tell(Ask::Hello(hello)).await;
    assert!(refused.end().await.is_none());
    assert!(node.handle.platform().metrics.connections_refused.get() >= 1);
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
    assert!(matches!(&last, Some(ServerMessage::Failure(failure)) if failure.code == "bad_frame"), "{last:?}");
    let mut ann = node.user("ann").await;
    ann.send("everyone", &"x".repeat(limits::MESSAGE_BYTES)).await;
    node.stop().await;
}

/// As [`logs`], once what a shard owes to others is carried: nothing is written for a moment.
async fn settled(node: &harness::Node) -> u64 {
    let mut before = logs(node).await;
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = logs(node).await;
        if now == before {
            return now;
        }
        before = now;
    }
}

/// The last index of every log of this node.
async fn logs(node: &harness::Node) -> u64 {
    node.cluster.status().await.replicas.iter().map(|replica| replica.last_log).sum()
}

#[tokio::test]
async fn what_an_outsider_asks_wakes_and_writes_nothing() {
    let node = one_node(LoginPolicy::Replace).await;
    let (mut ann, mut eve) = (node.user("ann").await, node.user("eve").await);
    let group = ann.create_group("team", &[]).await;
    ann.send(&group, "first").await;
    let missing: Vec<String> = (1..200).map(|n| format!("g{}", 1_024 * 500 + n)).collect();
    let silent: Vec<String> = (1..200).map(|n| harness::direct(eve.user, eve.user + n)).collect();
    let written = settled(&node).await;
    let awake = node.handle.platform().metrics.actors.get();

    for conversation in missing.iter().chain(&silent).chain([&group]) {
        let acknowledge = wire::Acknowledge { conversation: conversation.clone(), seq: 1 };
        eve.tell(Ask::Acknowledge(acknowledge)).await;
    }
    for conversation in missing.iter().chain([&group]) {
        let id = eve.fresh_id();
        assert_eq!(eve.fails(Ask::Send(harness::message(conversation, "hello?", id))).await.code, "not_member");
        let request = eve.fresh_id();
        let change = Some(wire::change_group::Change::Rename("mine".into()));
        let rename = wire::ChangeGroup { request, conversation: conversation.clone(), change };
        assert_eq!(eve.fails(Ask::ChangeGroup(rename)).await.code, "not_member");
        let mark = wire::MarkRead { conversation: conversation.clone(), seq: 1 };
        assert_eq!(eve.fails(Ask::MarkRead(mark)).await.code, "not_member");
    }
    for conversation in &silent {
        let mark = wire::MarkRead { conversation: conversation.clone(), seq: 1 };
        assert_eq!(eve.fails(Ask::MarkRead(mark)).await.code, "seq_beyond_head");
    }
    let request = eve.fresh_id();
    let taken = wire::Register { name: "ann".into(), password: harness::password("x"), request, ..Default::default() };
    assert_eq!(eve.fails(Ask::Register(taken)).await.code, "name_taken");
    let revoke = wire::RevokeSession { device: "never-there".into() };
    assert!(matches!(eve.ask(Ask::RevokeSession(revoke)).await, ServerMessage::Done(_)));

    assert_eq!(logs(&node).await, written);
    let now = node.handle.platform().metrics.actors.get();
    assert!(now <= awake, "{now} actors, {awake} before");
    node.stop().await;
}

#[tokio::test]
async fn a_removed_sender_still_gets_the_ack_of_before() {
    let node = one_node(LoginPolicy::Replace).await;
    let (mut ann, mut bob) = (node.user("ann").await, node.user("bob").await);
    let group = ann.create_group("team", &[bob.user]).await;
    let id = bob.fresh_id();
    let first = bob.send_as(&group, "said in time", id.clone()).await;
    let request = ann.fresh_id();
    let change = Some(wire::change_group::Change::Remove(bob.user));
    let remove = wire::ChangeGroup { request, conversation: group.clone(), change };
    assert!(matches!(ann.ask(Ask::ChangeGroup(remove)).await, ServerMessage::SendAck(_)));
    // Those who were in it a moment ago are looked up again.
    let written = settled(&node).await;
    let late = bob.fresh_id();
    assert_eq!(bob.fails(Ask::Send(harness::message(&group, "too late", late))).await.code, "not_member");
    assert_eq!(logs(&node).await, written);
    let again = bob.send_as(&group, "said in time", id).await;
    assert_eq!((again.seq, again.duplicate), (first.seq, true));
    node.stop().await;
}

#[tokio::test]
async fn active_entities_have_a_number_and_idle_ones_give_way() {
    let node = one_node_with(Limits { active_entities: 8, ..Limits::default() }).await;
    let mut ann = node.user("ann").await;
    let mut groups = Vec::new();
    for n in 0..150 {
        let group = ann.create_group(&format!("team {n}"), &[]).await;
        ann.send(&group, "first").await;
        groups.push(group);
    }
    // Four shards may each have a few beyond the number; and there are a dozen actors that are no
    // entities.
    let actors = node.handle.platform().metrics.actors.get();
    assert!(actors < 4 * 16 + 8 + 20, "{actors} actors for 150 conversations");
    for group in &groups {
        assert!(!ann.send(group, "again").await.duplicate);
    }
    node.stop().await;
}

#[tokio::test]
async fn a_guesser_is_slowed_down_before_anything_is_hashed() {
    let node = one_node(LoginPolicy::Replace).await;
    let ann = node.user("ann").await;
    let mut guesser = node.greeted().await;
    let mut limited = 0;
    for n in 0..limits::FAILED_LOGINS.0 + 5 {
        let name = if n % 2 == 0 { "ann".to_owned() } else { ann.user.to_string() };
        let login = wire::Login { name, password: "a guess".into(), device: "phone".into(), ..Default::default() };
        let failure = guesser.fails(Ask::Login(login)).await;
        match failure.code.as_str() {
            "wrong_credentials" => assert!(n < limits::FAILED_LOGINS.0, "guess {n} was hashed"),
            "rate_limited" => {
                assert!(failure.retry_after_ms > 1_000);
                limited += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(limited, 5);
    node.stop().await;
}

#[tokio::test]
async fn an_address_gets_so_many_accounts_and_a_user_so_many_groups() {
    let limits =
        Limits { accounts_per_day: 3, accounts_burst: 3, loopback_factor: 1, groups_per_day: 2, ..Limits::default() };
    let node = one_node_with(limits).await;
    let mut ann = node.user("ann").await;
    node.user("bob").await;
    node.user("carl").await;
    let request = ann.fresh_id();
    let register =
        wire::Register { name: "dave".into(), password: harness::password("dave"), request, ..Default::default() };
    let failure = ann.fails(Ask::Register(register)).await;
    assert_eq!((failure.code.as_str(), failure.kind()), ("quota_exceeded", wire::failure::Kind::Overloaded));
    ann.create_group("one", &[]).await;
    ann.create_group("two", &[]).await;
    let create = wire::CreateGroup { request: ann.fresh_id(), name: "three".into(), ..Default::default() };
    assert_eq!(ann.fails(Ask::CreateGroup(create)).await.code, "quota_exceeded");
    node.stop().await;
}

#[tokio::test]
async fn an_outsider_pays_for_what_its_refusals_cost() {
    let node = one_node_with(Limits { user_rate: 10, user_burst: 20, ..Limits::default() }).await;
    let mut eve = node.user("eve").await;
    let begun = Instant::now();
    let mut limited = false;
    for _ in 0..8 {
        let id = eve.fresh_id();
        let code = eve.fails(Ask::Send(harness::message("g512005", "hello?", id))).await.code;
        limited |= code == "rate_limited";
    }
    // Eight sends cost 8 of 20 units, their refusals 32 more.
    assert!(limited || begun.elapsed() > Duration::from_secs(1), "{:?}", begun.elapsed());
    node.stop().await;
}
