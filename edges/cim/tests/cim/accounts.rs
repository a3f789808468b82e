//! Which accounts a CIM client can make and use.

use bytes::Bytes;
use futures::future::join_all;
use serde_json::json;
use troupe_actors::message::wire;
use troupe_core::record::Author;
use troupe_core::{Event, EventKind};
use troupe_raft::api::{Registration, Settings};

use crate::harness::{ELSEWHERE, HERE, code, node_with, one_node, password};

#[tokio::test]
async fn simultaneous_registrations_of_a_name_make_one_account() {
    let node = one_node().await;
    let ids = join_all((0..16).map(|_| node.register("ann"))).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_ne!(node.register("bob").await, ids[0]);
    node.stop().await;
}

#[tokio::test]
async fn a_name_that_looks_like_another_is_refused() {
    let node = one_node().await;
    node.register("ann").await;
    for other in ["ANN", "Ann", "аnn"] {
        let body = json!({ "userName": other }).to_string();
        let (status, text) = node.ask(HERE, "POST", "/registerAccount", &body).await;
        assert_eq!(status, 400, "{other}: {text}");
    }
    node.stop().await;
}

#[tokio::test]
async fn an_account_with_a_password_is_out_of_reach() {
    let node = one_node().await;
    let ann = node.native("ann").await;
    let body = json!({ "userName": "ann" }).to_string();
    let (status, text) = node.ask(HERE, "POST", "/registerAccount", &body).await;
    assert_eq!(status, 400, "{text}");
    // The request that a CIM registration of this name makes is no way in either.
    let user = ann.user().0;
    assert_eq!(node.log_in(HERE, user, "ann").await, "9100");
    let mut channel = node.channel(HERE, user, "ann").await;
    assert_eq!(channel.ends().await, 0);
    for (path, body) in [
        ("/p2pRoute", json!({ "userId": user, "receiveUserId": 1, "msg": "x" })),
        ("/groupRoute", json!({ "userId": user, "msg": "x" })),
        ("/sendMsg", json!({ "userId": 1, "msg": "x", "properties": { "sendUserId": user } })),
    ] {
        let (status, text) = node.ask(HERE, "POST", path, &body.to_string()).await;
        assert_eq!(status, 403, "{path}: {text}");
    }
    let fetch = wire::Fetch { conversation: "everyone".into(), ..Default::default() };
    assert!(node.perform(&ann, fetch).await.expect("a page").events.is_empty());
    node.stop().await;
}

#[tokio::test]
async fn no_password_opens_an_account_without_one() {
    let node = one_node().await;
    node.register("ann").await;
    for tried in ["!none", "password", "", "the password of ann"] {
        assert!(node.native_login("ann", tried).await.is_err(), "{tried}");
    }
    node.stop().await;
}

#[tokio::test]
async fn an_account_that_gets_a_password_leaves_cim() {
    let node = one_node().await;
    let mut ann = node.client("ann").await;
    let reset = wire::ResetPassword { account: "ann".into(), password: "a one-time password".into() };
    let done = node.handle.operate(Author::default(), wire::admin::Operation::ResetPassword(reset)).await;
    done.expect("reset");
    assert_eq!(ann.ends().await, 0, "the session has ended");
    assert_eq!(node.log_in(HERE, ann.user, "ann").await, "9100");
    let login = wire::Login {
        name: "ann".into(),
        password: "a one-time password".into(),
        device: "phone".into(),
        new_password: password("ann"),
    };
    assert_eq!(node.enter(login).await.expect("logged in").caller.user().0, ann.user);
    node.stop().await;
}

#[tokio::test]
async fn a_disabled_account_has_no_channel() {
    let node = one_node().await;
    let mut ann = node.client("ann").await;
    let disable = wire::admin::Operation::DisableAccount("ann".into());
    node.handle.operate(Author::default(), disable).await.expect("disabled");
    assert_eq!(ann.ends().await, 0);
    assert_eq!(node.log_in(HERE, ann.user, "ann").await, "9100");
    node.stop().await;
}

#[tokio::test]
async fn a_closed_cluster_takes_no_registrations_from_cim() {
    let settings = Settings { registration: Registration::Closed, ..Settings::default() };
    let node = node_with(settings).await;
    let (status, text) = node.ask(HERE, "POST", "/registerAccount", r#"{"userName":"ann"}"#).await;
    assert_eq!(status, 400, "{text}");
    assert!(text.contains("registration"), "{text}");
    node.stop().await;
}

#[tokio::test]
async fn a_login_waits_for_its_channel_at_one_address_only() {
    let node = one_node().await;
    let ann = node.register("ann").await;
    assert_eq!(node.log_in(HERE, ann, "ann").await, "9000");
    // The client may have failed before its channel: it may log in again.
    assert_eq!(node.log_in(HERE, ann, "ann").await, "9000");
    assert_eq!(node.log_in(ELSEWHERE, ann, "ann").await, "5000");
    // Another address cannot log it out.
    let answer = node.post_from(ELSEWHERE, "/offLine", json!({ "userId": ann })).await;
    assert_eq!(code(&answer), "9000");
    let mut channel = node.channel(HERE, ann, "ann").await;
    channel.is_quiet().await;
    node.log_out(ann).await;
    assert_eq!(node.log_in(ELSEWHERE, ann, "ann").await, "9000");
    node.stop().await;
}

#[tokio::test]
async fn cim_and_native_users_talk_to_each_other() {
    let node = one_node().await;
    let native = node.native("native").await;
    let mut ann = node.client("ann").await;
    assert_eq!(node.p2p(ann.user, native.user().0, "hello from cim").await, "9000");
    let both = format!("d{}-{}", native.user().0.min(ann.user), native.user().0.max(ann.user));
    let fetch = wire::Fetch { conversation: both.clone(), ..Default::default() };
    let page = node.perform(&native, fetch).await.expect("a page");
    let event = Event::try_from(page.events[0].clone()).expect("an event");
    let EventKind::Message(body) = event.kind else { panic!("no message") };
    assert_eq!((event.sender.0, &body.content[..]), (ann.user, &b"hello from cim"[..]));
    for (number, (conversation, kind, text)) in
        [(both.as_str(), 1, "hello from troupe"), ("everyone", 1, "hello all"), ("everyone", 1_000, "binary")]
            .into_iter()
            .enumerate()
    {
        let send = wire::Send {
            conversation: conversation.into(),
            client_message_id: Bytes::from(vec![number as u8 + 1; 16]),
            after: Bytes::new(),
            body: Some(wire::Body { kind, content: Bytes::from_static(text.as_bytes()), context: None }),
        };
        node.perform(&native, send).await.expect("placed");
    }
    let mut messages = ann.messages(3).await.into_iter().map(|(_, sender, text)| (sender, text)).collect::<Vec<_>>();
    messages.sort();
    let expected = ["[a message of kind 1000: open it with a client of Troupe]", "hello all", "hello from troupe"];
    assert_eq!(messages, expected.map(|text| ("native".to_owned(), text.to_owned())));
    node.stop().await;
}
