//! Requests that are well formed and wrong: each is refused with its code, changes nothing, and the
//! connection goes on.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use troupe_client::connection::{Message, Request};
use troupe_proto::wire::client as wire;

use crate::person::{Person, code, connect, fresh_id, password};
use crate::server::{PATIENCE, Server};

#[tokio::test]
async fn a_wrong_name_or_password_does_not_say_which_and_may_be_corrected() {
    let server = Server::started(1).await;
    let ann = server.person("ann").await;
    let (stranger, _pushes) = connect(&server.addresses().client).await;
    let id = ann.user.to_string();
    let mut texts = Vec::new();
    for (name, pass) in [("ann", "not her password"), (&id, "not her password"), ("nobody", "any password"), ("?", "")]
    {
        let refused = stranger.login(name, pass, "phone").await;
        texts.push(refused.as_ref().expect_err("refused").to_string());
        assert_eq!(code(refused), "wrong_credentials", "{name}");
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    for taken in ["ann", "ANN", "Ann"] {
        assert_eq!(code(stranger.register(taken, &password("eve"), fresh_id()).await), "name_taken");
    }
    assert_eq!(code(stranger.login("ann", &password("eve"), "phone").await), "wrong_credentials");
    assert_eq!(stranger.login("ann", &password("ann"), "laptop").await.expect("her own password").user_id, ann.user);
    ann.send("everyone", "still logged in").await.expect("sent");
}

#[tokio::test]
async fn a_token_that_is_over_is_refused_and_a_login_helps() {
    let mut server = Server::started(1).await;
    let address = server.addresses().client.clone();
    let ann = server.person("ann").await;
    let mut revoked = ann.also_on("laptop").await;
    let mut logged_out = ann.also_on("tablet").await;
    let mut replaced = ann.also_on("watch").await;
    let newer = ann.also_on("watch").await;
    assert_eq!(replaced.is_kicked().await, "replaced");
    ann.ask(Request::RevokeSession(wire::RevokeSession { device: "laptop".into() })).await.expect("revoked");
    assert_eq!(revoked.is_kicked().await, "revoked");
    logged_out.ask(Request::Logout(wire::Logout {})).await.expect("logged out");
    assert_eq!(logged_out.is_kicked().await, "logged_out");

    let mut bent = newer.token.to_vec();
    *bent.last_mut().expect("not empty") ^= 1;
    let invented = vec![7; 40];
    let over: [(&str, bytes::Bytes); 6] = [
        ("revoked", revoked.token.clone()),
        ("logged out", logged_out.token.clone()),
        ("replaced", replaced.token.clone()),
        ("bent", bent.into()),
        ("invented", invented.into()),
        ("empty", bytes::Bytes::new()),
    ];
    // A restart brings none of them back.
    for restarted in [false, true] {
        if restarted {
            server.stop().await;
            server.start().await;
        }
        for (what, token) in &over {
            let (stranger, _pushes) = connect(&address).await;
            assert_eq!(code(stranger.resume(token.clone()).await), "expired_token", "{what}");
            // A connection without a login gets that answer, and may log in afterwards.
            let list = stranger.request(Request::ListSessions(wire::ListSessions {})).await;
            assert_eq!(code(list), "not_logged_in");
            stranger.login("ann", &password("ann"), "laptop").await.expect("a login");
        }
        let (again, _pushes) = connect(&address).await;
        assert_eq!(again.resume(newer.token.clone()).await.expect("a token that holds").device, "watch");
    }
}

#[tokio::test]
async fn nobody_writes_or_reads_where_they_are_not_in() {
    let server = Server::started(1).await;
    let (ann, bob, eve) = (server.person("ann").await, server.person("bob").await, server.person("eve").await);
    let group = ann.new_group("team", &[bob.user]).await;
    let (low, high) = (ann.user.min(bob.user), ann.user.max(bob.user));
    let direct = format!("d{low}-{high}");
    ann.send(&direct, "between us").await.expect("sent");
    let before = [ann.fetch(&group, 0).await.expect("a page"), ann.fetch(&direct, 0).await.expect("a page")];
    for conversation in [&group, &direct] {
        assert_eq!(code(eve.send(conversation, "let me in").await), "not_member");
        assert_eq!(code(eve.fetch(conversation, 0).await), "not_member");
        // Not even how long it is may be found out.
        for seq in [0, 1, u64::MAX] {
            assert_eq!(code(eve.mark_read(conversation, seq).await), "not_member");
        }
    }
    let change = Some(wire::change_group::Change::Join(wire::Done {}));
    let join = wire::ChangeGroup { request: fresh_id().to_vec().into(), conversation: group.clone(), change };
    assert_eq!(code(eve.ask(Request::ChangeGroup(join)).await), "not_open");
    assert_eq!(code(eve.send("g999999", "hello?").await), "not_member");
    assert_eq!(code(eve.mark_read("g999999", 1).await), "not_member");
    let no_one = format!("d{}-{}", eve.user.min(999_424), eve.user.max(999_424));
    assert_eq!(code(eve.send(&no_one, "hello?").await), "no_such_user");
    for text in ["", "d2-1", "g0", "everybody", "d1-1"] {
        assert_eq!(code(eve.send(text, "hello?").await), "bad_request", "{text:?}");
    }
    let after = [ann.fetch(&group, 0).await.expect("a page"), ann.fetch(&direct, 0).await.expect("a page")];
    assert_eq!(before, after);
    eve.send("everyone", "then I talk to all").await.expect("sent");
}

#[tokio::test]
async fn a_seq_of_the_future_moves_no_cursor() {
    let server = Server::started(1).await;
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let group = ann.new_group("team", &[bob.user]).await;
    let head = ann.send(&group, "the last so far").await.expect("sent");
    for future in [head + 1, u64::from(u32::MAX), u64::MAX] {
        assert_eq!(code(bob.fetch(&group, future).await), "seq_beyond_head");
        assert_eq!(code(bob.mark_read(&group, future).await), "seq_beyond_head");
        acknowledge(&bob, &group, future);
    }
    assert_eq!(cursor(&ann, &group, bob.user).await, (0, 0));
    // From the head on there is nothing yet, and that is no mistake.
    assert_eq!(bob.fetch(&group, head).await.expect("a page").events, []);

    // Had one of them been kept, the cursor could not come to stand at the head.
    acknowledge(&bob, &group, head);
    let deadline = Instant::now() + PATIENCE;
    while cursor(&ann, &group, bob.user).await != (head, 0) {
        assert!(Instant::now() < deadline, "{:?}", cursor(&ann, &group, bob.user).await);
        sleep(Duration::from_millis(20)).await;
    }
    bob.mark_read(&group, head).await.expect("read");
    let next = ann.send(&group, "and one more").await.expect("sent");
    assert_eq!(next, head + 1);
    assert_eq!(cursor(&ann, &group, bob.user).await, (head, head));
}

/// Has no answer.
fn acknowledge(who: &Person, conversation: &str, seq: u64) {
    let acknowledge = wire::Acknowledge { conversation: conversation.to_owned(), seq };
    who.connection.tell(Request::Acknowledge(acknowledge)).expect("told");
}

/// The positions of a member of a conversation, as the others see them.
async fn cursor(asker: &Person, conversation: &str, user: u64) -> (u64, u64) {
    let list = wire::ListMembers { conversation: conversation.to_owned(), ..Default::default() };
    let Ok(Message::Members(page)) = asker.ask(Request::ListMembers(list)).await else { panic!("no members") };
    let member = page.members.iter().find(|member| member.user_id == user).expect("a member");
    (member.delivered, member.read)
}
