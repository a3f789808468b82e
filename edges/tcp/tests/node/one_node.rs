//! One node as a client sees it: every kind of request over a real socket.

use crate::harness::{self, Ask, ServerMessage, Stalling, direct, message, one_node, password};
use troupe_core::command::OpenSession;
use troupe_core::{Command, DeviceId, ShardMap, TokenHash, UserId, limits};
use troupe_proto::wire::client as wire;
use troupe_raft::api::LoginPolicy;

#[tokio::test]
async fn a_private_message_is_acked_pushed_and_fetched() {
    let node = one_node(LoginPolicy::Replace).await;
    let (mut ann, mut bob) = (node.user("ann").await, node.user("bob").await);
    let both = direct(ann.user, bob.user);
    let id = ann.fresh_id();
    let ack = ann.send_as(&both, "hello", id.clone()).await;
    assert_eq!((ack.seq, ack.duplicate, ack.conversation.as_str()), (1, false, both.as_str()));
    // The first message is pushed like any other: the device learns of the conversation as it was
    // before it.
    for client in [&mut ann, &mut bob] {
        assert_eq!(client.follows(&both).await, 0);
        assert_eq!(client.event(&both).await, (1, "hello".to_owned()));
    }
    assert_eq!(bob.history(&both).await, [(1, "hello".to_owned())]);
    let again = ann.send_as(&both, "hello", id).await;
    assert_eq!((again.seq, again.duplicate), (1, true));
    ann.send(&both, "second").await;
    assert_eq!(bob.event(&both).await, (2, "second".to_owned()));
    assert_eq!(ann.event(&both).await, (2, "second".to_owned()));

    let mark = wire::MarkRead { conversation: both.clone(), seq: 2 };
    assert!(matches!(bob.ask(Ask::MarkRead(mark)).await, ServerMessage::Done(_)));
    let reader = bob.user;
    let read = ann.push(|said| match said {
        ServerMessage::Cursor(cursor) if cursor.user_id == reader => Some(cursor.read),
        _ => None,
    });
    assert_eq!(read.await, 2);
    let beyond = wire::MarkRead { conversation: both.clone(), seq: 9 };
    assert_eq!(bob.fails(Ask::MarkRead(beyond)).await.code, "seq_beyond_head");
    node.stop().await;
}

#[tokio::test]
async fn a_group_is_private_to_its_members() {
    let node = one_node(LoginPolicy::Replace).await;
    let (mut ann, mut bob, mut eve) = (node.user("ann").await, node.user("bob").await, node.user("eve").await);
    let request = ann.fresh_id();
    let create = wire::CreateGroup { request, name: "team".into(), open: false, members: vec![bob.user] };
    let ServerMessage::GroupCreated(group) = ann.ask(Ask::CreateGroup(create.clone())).await else {
        panic!("no group")
    };
    let ServerMessage::GroupCreated(again) = ann.ask(Ask::CreateGroup(create)).await else { panic!("no group") };
    assert_eq!(group, again);
    let group = group.conversation;
    ann.follows(&group).await;
    bob.follows(&group).await;

    let first = ann.send(&group, "to the team").await.seq;
    assert_eq!(bob.event(&group).await, (first, "to the team".to_owned()));
    let id = eve.fresh_id();
    assert_eq!(eve.fails(Ask::Send(message(&group, "let me in", id))).await.code, "not_member");
    let fetch = wire::Fetch { conversation: group.clone(), ..Default::default() };
    assert_eq!(eve.fails(Ask::Fetch(fetch.clone())).await.code, "not_member");

    // The last that a removed member gets is the removal.
    let request = ann.fresh_id();
    let change = Some(wire::change_group::Change::Remove(bob.user));
    let remove = wire::ChangeGroup { request, conversation: group.clone(), change };
    let ServerMessage::SendAck(ack) = ann.ask(Ask::ChangeGroup(remove)).await else { panic!("not removed") };
    assert_eq!(bob.event(&group).await, (ack.seq, format!("removed {}", bob.user)));
    let after = ann.send(&group, "without bob").await.seq;
    assert_eq!(ann.event(&group).await.0, first);
    assert_eq!(ann.event(&group).await.0, ack.seq);
    assert_eq!(ann.event(&group).await.0, after);
    assert_eq!(bob.fails(Ask::Fetch(fetch)).await.code, "not_member");
    // A fence: ann has got the message, so the hub has handed it to all, and pushes keep order.
    assert_eq!(bob.send("everyone", "still here").await.seq, 1);
    let fence = bob.push(|said| match said {
        ServerMessage::Event(push) if push.conversation == group => panic!("pushed after the removal: {push:?}"),
        ServerMessage::Event(push) if push.conversation == "everyone" => Some(()),
        _ => None,
    });
    fence.await;
    node.stop().await;
}

#[tokio::test]
async fn everyone_hears_the_channel_and_who_was_away_catches_up() {
    let node = one_node(LoginPolicy::Replace).await;
    let mut ann = node.user("ann").await;
    let mut bob = node.greeted().await;
    let bob_id = bob.register("bob").await;
    ann.follows("everyone").await;
    ann.send("everyone", "hello world").await;
    let both = direct(ann.user, bob_id);
    ann.send(&both, "while you were away").await;
    assert_eq!(ann.event("everyone").await, (1, "hello world".to_owned()));

    let logged_in = bob.log_in("bob", "laptop").await;
    assert_eq!(bob.follows("everyone").await, 1);
    assert_eq!(bob.history("everyone").await, [(1, "hello world".to_owned())]);
    // The list of a user is written by another shard, soon after the message.
    let row = loop {
        let list = wire::ListConversations::default();
        let ServerMessage::Conversations(page) = bob.ask(Ask::ListConversations(list)).await else { panic!("no list") };
        assert!(page.unavailable.is_empty());
        assert_eq!(page.conversations[0].conversation, "everyone");
        if let Some(row) = page.conversations.into_iter().find(|row| row.conversation == both) {
            break row;
        }
    };
    assert_eq!((row.name.as_str(), row.head, row.unread, row.members), ("ann", 1, 1, 2));
    assert_eq!(bob.history(&both).await, [(1, "while you were away".to_owned())]);

    // Any connection continues the session by its token.
    drop(bob);
    let mut bob = node.greeted().await;
    let resume = wire::Resume { token: logged_in.token };
    let ServerMessage::LoggedIn(resumed) = bob.ask(Ask::Resume(resume)).await else { panic!("not resumed") };
    assert_eq!((resumed.user_id, resumed.name.as_str(), resumed.device.as_str()), (bob_id, "bob", "laptop"));
    let bad = wire::Resume { token: vec![1; 40].into() };
    assert_eq!(node.greeted().await.fails(Ask::Resume(bad)).await.code, "expired_token");
    node.stop().await;
}

#[tokio::test]
async fn a_second_login_replaces_or_is_refused_as_the_cluster_says() {
    let node = one_node(LoginPolicy::Replace).await;
    let mut first = node.user("ann").await;
    let mut second = node.greeted().await;
    second.log_in("ann", "phone").await;
    assert!(matches!(first.end().await, Some(ServerMessage::Kicked(kicked)) if kicked.code == "replaced"));
    let mut third = node.greeted().await;
    third.log_in("ann", "laptop").await;
    let ServerMessage::Sessions(list) = third.ask(Ask::ListSessions(wire::ListSessions {})).await else {
        panic!("no list")
    };
    let devices: Vec<_> = list.sessions.iter().map(|s| (s.device.as_str(), s.online, s.current)).collect();
    assert_eq!(devices, [("laptop", true, true), ("phone", true, false)]);
    let revoke = wire::RevokeSession { device: "phone".into() };
    assert!(matches!(third.ask(Ask::RevokeSession(revoke)).await, ServerMessage::Done(_)));
    assert!(matches!(second.end().await, Some(ServerMessage::Kicked(kicked)) if kicked.code == "revoked"));
    assert!(matches!(third.ask(Ask::Logout(wire::Logout {})).await, ServerMessage::Done(_)));
    assert!(matches!(third.end().await, Some(ServerMessage::Kicked(kicked)) if kicked.code == "logged_out"));
    node.stop().await;

    let node = one_node(LoginPolicy::Refuse).await;
    let mut first = node.user("ann").await;
    let mut second = node.greeted().await;
    let login =
        wire::Login { name: "ann".into(), password: password("ann"), device: "laptop".into(), ..Default::default() };
    assert_eq!(second.fails(Ask::Login(login)).await.code, "already_online");
    assert!(matches!(first.ask(Ask::Logout(wire::Logout {})).await, ServerMessage::Done(_)));
    second.log_in("ann", "laptop").await;
    node.stop().await;
}

/// The device of the oldest session gets the true reason: there was no login on it.
#[tokio::test]
async fn a_session_too_many_ends_the_oldest_with_its_reason() {
    let node = one_node(LoginPolicy::Replace).await;
    let mut oldest = node.user("ann").await;
    let user = UserId(oldest.user);
    let shard = ShardMap { count: node.config.shards }.shard(user.slot());
    let opened = (1..limits::SESSIONS_PER_USER as u8).map(|n| {
        // Of sessions of one millisecond the first by device is the oldest: the phone, also then.
        let device = DeviceId::new(&format!("tablet-{n}")).expect("a device");
        Command::OpenSession(OpenSession { user, device, token: TokenHash([n; 32]), revision: 0, from: String::new() })
    });
    node.cluster.propose(shard, opened.collect()).await.expect("committed");
    let mut newest = node.greeted().await;
    newest.log_in("ann", "laptop").await;
    assert!(matches!(oldest.end().await, Some(ServerMessage::Kicked(kicked)) if kicked.code == "too_many_sessions"));
    let ServerMessage::Sessions(list) = newest.ask(Ask::ListSessions(wire::ListSessions {})).await else {
        panic!("no list")
    };
    assert_eq!(list.sessions.len(), limits::SESSIONS_PER_USER);
    node.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_its_code() {
    let node = one_node(LoginPolicy::Replace).await;
    let mut ann = node.user("ann").await;
    let mut stranger = node.greeted().await;
    for (name, pass) in [("ann", "not her password"), ("no_one", "not her password"), ("?", "x")] {
        let login =
            wire::Login { name: name.into(), password: pass.into(), device: "phone".into(), ..Default::default() };
        assert_eq!(stranger.fails(Ask::Login(login)).await.code, "wrong_credentials");
    }
    let request = stranger.fresh_id();
    let taken =
        wire::Register { name: "ANN".into(), password: password("x"), request: request.clone(), ..Default::default() };
    assert_eq!(stranger.fails(Ask::Register(taken)).await.code, "name_taken");
    let short = wire::Register { name: "carl".into(), password: "short".into(), request, ..Default::default() };
    assert_eq!(stranger.fails(Ask::Register(short)).await.code, "bad_password");
    assert_eq!(stranger.fails(Ask::ListSessions(wire::ListSessions {})).await.code, "not_logged_in");

    let id = ann.fresh_id();
    let to_no_one = message(&direct(ann.user, 5 * 1024), "hello?", id);
    assert_eq!(ann.fails(Ask::Send(to_no_one)).await.code, "no_such_user");
    let id = ann.fresh_id();
    assert_eq!(ann.fails(Ask::Send(message("d5-7", "not mine", id))).await.code, "not_member");
    let id = ann.fresh_id();
    let large = message("everyone", &"x".repeat(64 * 1024 + 1), id);
    assert_eq!(ann.fails(Ask::Send(large)).await.code, "too_large");
    let mut unordered = message("everyone", "before its time", ann.fresh_id());
    unordered.after = ann.fresh_id();
    assert_eq!(ann.fails(Ask::Send(unordered)).await.code, "out_of_order");
    node.stop().await;
}

#[tokio::test]
async fn garbage_is_answered_and_hung_up_on() {
    let node = one_node(LoginPolicy::Replace).await;
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0, 0, 0, 0], &[0, 0, 0, 3, 0xff, 0xff, 0xff]] {
        let mut client = node.connect().await;
        client.write(garbage).await;
        let last = client.end().await;
        assert!(matches!(&last, Some(ServerMessage::Failure(failure)) if failure.code == "bad_frame"), "{last:?}");
    }
    let mut silent = node.connect().await;
    let early = wire::Ping { nonce: 1 };
    assert_eq!(silent.fails(Ask::Ping(early)).await.code, "not_logged_in");
    let hello = wire::Hello { min_version: 7, max_version: 9, client: String::new() };
    assert_eq!(silent.fails(Ask::Hello(hello)).await.code, "bad_version");
    assert!(node.handle.platform().metrics.rejected.get() >= 5);
    node.stop().await;
}

#[tokio::test]
async fn users_are_found_by_prefix_and_by_being_online() {
    let node = one_node(LoginPolicy::Replace).await;
    let mut ann = node.user("Ann").await;
    let mut annabel = node.greeted().await;
    annabel.register("annabel").await;
    let bob = node.user("bob").await;
    let names = |said: ServerMessage| match said {
        ServerMessage::Users(users) => users.users.into_iter().map(|user| (user.name, user.online)).collect::<Vec<_>>(),
        other => panic!("no users: {other:?}"),
    };
    let find = wire::FindUsers { prefix: "AN".into(), ..Default::default() };
    assert_eq!(names(ann.ask(Ask::FindUsers(find)).await), [("Ann".into(), true), ("annabel".into(), false)]);
    let online = wire::ListOnline::default();
    assert_eq!(names(ann.ask(Ask::ListOnline(online)).await), [("Ann".into(), true), ("bob".into(), true)]);
    let page = wire::ListOnline { after: "ann".into(), limit: 1 };
    assert_eq!(names(ann.ask(Ask::ListOnline(page)).await), [("bob".into(), true)]);
    let get = wire::GetUsers { ids: vec![bob.user], names: vec!["annabel".into(), "no_one".into()] };
    let mut got = names(ann.ask(Ask::GetUsers(get)).await);
    got.sort();
    assert_eq!(got, [("annabel".into(), false), ("bob".into(), true)]);
    node.stop().await;
}

#[tokio::test]
async fn what_is_committed_after_its_sender_has_given_up_is_told_without_another_word() {
    let disk = Stalling::new();
    let node = harness::one_node_on(disk.clone()).await;
    let mut ann = node.user("ann").await;
    let mut bob = node.user("bob").await;
    bob.follows("everyone").await;
    let placed = ann.send("everyone", "first").await.seq;
    bob.hears_of("everyone", placed).await;

    disk.hold();
    let id = ann.fresh_id();
    let register = wire::Register {
        name: "carl".into(),
        password: password("carl"),
        request: ann.fresh_id(),
        ..Default::default()
    };
    // By the time that the second has waited in vain, everybody has long given up the first.
    for request in [Ask::Send(message("everyone", "late", id)), Ask::Register(register)] {
        assert_eq!(ann.fails(request).await.kind(), wire::failure::Kind::Unavailable);
    }
    disk.release();
    bob.hears_of("everyone", placed + 1).await;
    node.stop().await;
}

#[tokio::test]
async fn a_drain_sends_clients_away_and_waits_for_them() {
    let node = one_node(LoginPolicy::Replace).await;
    let mut ann = node.user("ann").await;
    let handle = node.handle.clone();
    let drain = tokio::spawn(async move { handle.drain(std::time::Duration::from_secs(15)).await });
    ann.push(|said| matches!(said, ServerMessage::GoAway(_)).then_some(())).await;
    // Requests in flight are still answered.
    ann.send("everyone", "a last word").await;
    drop(ann);
    harness::within(drain).await.expect("drained");
    assert_eq!(node.handle.platform().metrics.connections.get(), 0);
    node.stop().await;
}
