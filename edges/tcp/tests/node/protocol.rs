//! Rules of `docs/protocol.md` about connections, policies and stops, over a real socket.

use crate::harness::{Ask, ServerMessage, direct, message, one_node, password};
use bytes::BytesMut;
use troupe_proto::frame::encode_frame;
use troupe_proto::wire::client as wire;
use troupe_proto::wire::client::failure::Kind;
use troupe_raft::api::LoginPolicy;

#[tokio::test]
async fn a_policy_that_refuses_second_logins_refuses_second_resumes() {
    let node = one_node(LoginPolicy::Refuse).await;
    let mut phone = node.greeted().await;
    phone.register("ann").await;
    let phone_token = phone.log_in("ann", "phone").await.token;
    drop(phone);
    let mut laptop = node.greeted().await;
    // The end of the first connection is noticed in its own time.
    loop {
        let login = wire::Login {
            name: "ann".into(),
            password: password("ann"),
            device: "laptop".into(),
            ..Default::default()
        };
        match laptop.ask(Ask::Login(login)).await {
            ServerMessage::LoggedIn(_) => break,
            ServerMessage::Failure(failure) => assert_eq!(failure.code, "already_online"),
            other => panic!("neither in nor refused: {other:?}"),
        }
    }
    let mut again = node.greeted().await;
    let resume = Ask::Resume(wire::Resume { token: phone_token.clone() });
    assert_eq!(again.fails(resume.clone()).await.code, "already_online");
    assert!(matches!(laptop.ask(Ask::Logout(wire::Logout {})).await, ServerMessage::Done(_)));
    assert!(matches!(again.ask(resume).await, ServerMessage::LoggedIn(_)));
    // The same session on a newer connection is no second login.
    let mut moved = node.greeted().await;
    assert!(matches!(moved.ask(Ask::Resume(wire::Resume { token: phone_token })).await, ServerMessage::LoggedIn(_)));
    node.stop().await;
}

#[tokio::test]
async fn request_id_zero_ends_the_connection() {
    let node = one_node(LoginPolicy::Replace).await;
    let mut client = node.greeted().await;
    let mut bytes = BytesMut::new();
    let ping = Ask::Ping(wire::Ping { nonce: 1 });
    encode_frame(&wire::ClientFrame { request_id: 0, request: Some(ping) }, &mut bytes);
    client.write(&bytes).await;
    assert!(matches!(client.end().await, Some(ServerMessage::Failure(failure)) if failure.code == "bad_frame"));
    node.stop().await;
}

#[tokio::test]
async fn a_page_of_conversations_is_no_longer_than_its_limit() {
    let node = one_node(LoginPolicy::Replace).await;
    let (mut ann, bob) = (node.user("ann").await, node.user("bob").await);
    let both = direct(ann.user, bob.user);
    ann.send(&both, "hello").await;
    ann.follows(&both).await;
    let (mut after, mut listed) = (String::new(), Vec::new());
    loop {
        let list = wire::ListConversations { after: after.clone(), limit: 1 };
        let ServerMessage::Conversations(page) = ann.ask(Ask::ListConversations(list)).await else { panic!("no list") };
        assert!(page.conversations.len() <= 1, "{page:?}");
        listed.extend(page.conversations.into_iter().map(|line| line.conversation));
        if !page.more {
            break;
        }
        after = listed.last().expect("a page that has more has one").clone();
    }
    assert_eq!(listed, ["everyone".to_owned(), both]);
    node.stop().await;
}

#[tokio::test]
async fn a_missing_predecessor_is_a_precondition() {
    let node = one_node(LoginPolicy::Replace).await;
    let mut ann = node.user("ann").await;
    let first = ann.fresh_id();
    let mut second = message("everyone", "second", ann.fresh_id());
    second.after = first.clone();
    let failure = ann.fails(Ask::Send(second.clone())).await;
    assert_eq!((failure.kind(), failure.code.as_str()), (Kind::FailedPrecondition, "out_of_order"));
    ann.send_as("everyone", "first", first).await;
    // The same again, as it is.
    assert!(matches!(ann.ask(Ask::Send(second)).await, ServerMessage::SendAck(ack) if ack.seq == 2));
    node.stop().await;
}

#[tokio::test]
async fn a_node_that_stops_greets_sends_away_and_says_farewell() {
    let node = one_node(LoginPolicy::Replace).await;
    let mut ann = node.user("ann").await;
    let handle = node.handle.clone();
    let drain = tokio::spawn(async move { handle.drain(std::time::Duration::from_secs(60)).await });
    ann.push(|said| matches!(said, ServerMessage::GoAway(_)).then_some(())).await;
    // A connection that is here is still served; one that comes is greeted, and finds no session.
    ann.send("everyone", "still here").await;
    let mut late = node.greeted().await;
    late.push(|said| matches!(said, ServerMessage::GoAway(_)).then_some(())).await;
    let login =
        wire::Login { name: "ann".into(), password: password("ann"), device: "late".into(), ..Default::default() };
    let failure = late.fails(Ask::Login(login)).await;
    assert_eq!((failure.kind(), failure.code.as_str()), (Kind::Overloaded, "shutting_down"));
    drain.abort();
    node.stop().await;
    assert!(matches!(ann.end().await, Some(ServerMessage::Kicked(kicked)) if kicked.code == "shutting_down"));
    assert!(matches!(late.end().await, Some(ServerMessage::Kicked(kicked)) if kicked.code == "shutting_down"));
}
