//! Accounts over a real socket: passwords, administrators, invitations, idle sessions, and what the
//! audit log keeps.

use std::time::Duration;

use crate::harness::{Ask, Client, Node, ServerMessage, direct, message, node_with, password, within};
use troupe_proto::wire::client as wire;
use troupe_raft::api::{Registration, Settings};
use wire::admin::Operation;
use wire::admin_answer::Answer;

const NEW: &str = "a new password";

fn settings() -> Settings {
    Settings { first_admin: "admin".into(), ..Settings::default() }
}

async fn admin_of(node: &Node) -> Client {
    let mut born = node.handle.born();
    let born = within(born.wait_for(Option::is_some)).await.expect("it lives").clone().expect("made");
    assert_eq!(born.name, "admin");
    let mut root = node.greeted().await;
    let login = |password: &str, new: &str| {
        let (name, device) = ("admin".into(), "console".into());
        Ask::Login(wire::Login { name, password: password.into(), device, new_password: new.into() })
    };
    assert_eq!(root.fails(login("wrong password", "")).await.code, "wrong_credentials");
    assert_eq!(root.fails(login(&born.password, "")).await.code, "password_change_required");
    assert_eq!(root.fails(login(&born.password, &born.password)).await.code, "same_password");
    assert_eq!(root.fails(login(&born.password, "short")).await.code, "bad_password");
    let ServerMessage::LoggedIn(_) = root.ask(login(&born.password, NEW)).await else { panic!("not logged in") };
    // The answer was lost, and the device says it again.
    let mut again = node.greeted().await;
    let ServerMessage::LoggedIn(_) = again.ask(login(&born.password, NEW)).await else { panic!("not logged in again") };
    again
}

async fn act(root: &mut Client, operation: Operation) -> Result<Answer, String> {
    let request = root.fresh_id();
    match root.ask(Ask::Admin(wire::Admin { request, operation: Some(operation) })).await {
        ServerMessage::Admin(wire::AdminAnswer { answer: Some(answer) }) => Ok(answer),
        ServerMessage::Failure(failure) => Err(failure.code),
        other => panic!("neither an answer nor a failure: {other:?}"),
    }
}

async fn audit(root: &mut Client) -> Vec<String> {
    let read = Operation::ReadAudit(wire::ReadAudit::default());
    let Ok(Answer::Audit(page)) = act(root, read).await else { panic!("no audit log") };
    assert!(!page.more);
    page.rows.iter().map(|row| format!("{} {} by {}", row.action, row.target, row.by_name)).collect()
}

async fn logs_in(node: &Node, name: &str, password: &str) -> Result<wire::LoggedIn, String> {
    let login = wire::Login { name: name.into(), password: password.into(), device: "d".into(), ..Default::default() };
    match node.greeted().await.ask(Ask::Login(login)).await {
        ServerMessage::LoggedIn(logged_in) => Ok(logged_in),
        ServerMessage::Failure(failure) => Err(failure.code),
        other => panic!("{other:?}"),
    }
}

fn kicked(last: Option<ServerMessage>) -> String {
    match last {
        Some(ServerMessage::Kicked(kicked)) => kicked.code,
        other => panic!("not kicked: {other:?}"),
    }
}

#[tokio::test]
async fn a_password_change_ends_the_other_sessions_and_is_safe_to_repeat() {
    let node = node_with(Settings::default()).await;
    let mut ann = node.user("ann").await;
    let mut laptop = node.greeted().await;
    laptop.log_in("ann", "laptop").await;
    let request = ann.fresh_id();
    let change = |old: &str, new: &str| {
        Ask::ChangePassword(wire::ChangePassword {
            old_password: old.into(),
            new_password: new.into(),
            request: request.clone(),
        })
    };
    assert_eq!(ann.fails(change("wrong password", NEW)).await.code, "wrong_credentials");
    assert!(matches!(ann.ask(change(&password("ann"), NEW)).await, ServerMessage::Done(_)));
    assert_eq!(kicked(laptop.end().await), "password_changed");
    assert!(matches!(ann.ask(change(&password("ann"), NEW)).await, ServerMessage::Done(_)), "a repeat");
    ann.send("everyone", "this device stays").await;
    assert_eq!(logs_in(&node, "ann", &password("ann")).await.expect_err("the old one"), "wrong_credentials");
    logs_in(&node, "ann", NEW).await.expect("the new one");
    node.stop().await;
}

#[tokio::test]
async fn a_request_id_belongs_to_one_request() {
    let node = node_with(settings()).await;
    let mut root = admin_of(&node).await;
    let mut ann = node.user("ann").await;
    let request = root.fresh_id();
    let admin = |operation| Ask::Admin(wire::Admin { request: request.clone(), operation: Some(operation) });
    let answer = root.ask(admin(Operation::EnableAccount("ann".into()))).await;
    assert_eq!(root.ask(admin(Operation::EnableAccount("ann".into()))).await, answer, "a repeat");
    assert_eq!(root.fails(admin(Operation::DisableAccount("ann".into()))).await.code, "request_reused");
    ann.send("everyone", "still here").await;

    let change = |new: &str| {
        let (old_password, new_password) = (password("ann"), new.to_owned());
        Ask::ChangePassword(wire::ChangePassword { old_password, new_password, request: request.clone() })
    };
    assert_eq!(ann.fails(change(NEW)).await.code, "request_reused", "the administrator has used it on this account");
    let request = ann.fresh_id();
    let register = |password: &str| {
        let (name, password, invite) = ("bob".into(), password.into(), String::new());
        Ask::Register(wire::Register { name, password, request: request.clone(), invite })
    };
    let mut guest = node.greeted().await;
    let made = guest.ask(register(NEW)).await;
    assert_eq!(guest.ask(register(NEW)).await, made, "a repeat");
    assert_eq!(guest.fails(register("another password")).await.code, "request_reused");
    node.stop().await;
}

#[tokio::test]
async fn an_administrator_opens_and_closes_accounts_and_leaves_a_trail() {
    let node = node_with(settings()).await;
    let mut root = admin_of(&node).await;
    let mut bob = node.user("bob").await;
    let bob_id = bob.user.to_string();
    for operation in [Operation::ListAccounts(wire::ListAccounts::default()), Operation::DisableAccount("admin".into())]
    {
        assert_eq!(act(&mut bob, operation).await.expect_err("no administrator"), "not_admin");
    }
    act(&mut root, Operation::DisableAccount("bob".into())).await.expect("disabled");
    assert_eq!(kicked(bob.end().await), "account_disabled");
    assert_eq!(logs_in(&node, "bob", &password("bob")).await.expect_err("disabled"), "account_disabled");
    assert_eq!(logs_in(&node, "bob", "wrong password").await.expect_err("disabled"), "wrong_credentials");
    act(&mut root, Operation::EnableAccount(bob_id.clone())).await.expect("enabled");
    let token = logs_in(&node, "bob", &password("bob")).await.expect("enabled").token;

    let reset = wire::ResetPassword { account: "bob".into(), password: "once and never".into() };
    act(&mut root, Operation::ResetPassword(reset)).await.expect("reset");
    let resume = Ask::Resume(wire::Resume { token });
    assert_eq!(node.greeted().await.fails(resume).await.code, "expired_token");
    assert_eq!(logs_in(&node, "bob", "once and never").await.expect_err("once"), "password_change_required");

    let mut ann = node.user("ann").await;
    ann.send(&direct(ann.user, bob.user), "are you there?").await;
    act(&mut root, Operation::DeleteAccount("bob".into())).await.expect("deleted");
    // A deleted user gets no messages and joins no group; old messages stay.
    let late = Ask::Send(message(&direct(ann.user, bob.user), "and now?", ann.fresh_id()));
    assert_eq!(ann.fails(late).await.code, "no_such_user");
    let with = |request, members| wire::CreateGroup { request, name: "team".into(), members, open: false };
    let (first, second) = (ann.fresh_id(), ann.fresh_id());
    let create = Ask::CreateGroup(with(first, vec![bob.user]));
    assert_eq!(ann.fails(create).await.code, "no_such_user");
    let ServerMessage::GroupCreated(group) = ann.ask(Ask::CreateGroup(with(second, Vec::new()))).await else {
        panic!("no group")
    };
    let add = wire::change_group::Change::Add(wire::AddMembers { users: vec![bob.user] });
    let request = ann.fresh_id();
    let add = Ask::ChangeGroup(wire::ChangeGroup { request, conversation: group.conversation, change: Some(add) });
    assert_eq!(ann.fails(add).await.code, "no_such_user");
    let fetch = Ask::Fetch(wire::Fetch { conversation: direct(ann.user, bob.user), ..Default::default() });
    let ServerMessage::Page(page) = ann.ask(fetch).await else { panic!("no page") };
    assert_eq!(page.events.len(), 1);
    let register =
        wire::Register { name: "bob".into(), password: NEW.into(), request: ann.fresh_id(), ..Default::default() };
    assert_eq!(node.greeted().await.fails(Ask::Register(register)).await.code, "name_taken");
    assert_eq!(logs_in(&node, "bob", "once and never").await.expect_err("deleted"), "wrong_credentials");
    let create = wire::CreateAccount { name: "bob".into(), password: "once and never".into(), admin: false };
    assert_eq!(act(&mut root, Operation::CreateAccount(create)).await.expect_err("reserved"), "name_taken");
    assert_eq!(act(&mut root, Operation::DeleteAccount("admin".into())).await.expect_err("itself"), "own_account");

    let create = wire::CreateAccount { name: "carol".into(), password: "once and never".into(), admin: true };
    act(&mut root, Operation::CreateAccount(create)).await.expect("created");
    let Ok(Answer::Accounts(list)) = act(&mut root, Operation::ListAccounts(Default::default())).await else {
        panic!("no list")
    };
    let mut seen: Vec<_> = list.accounts.iter().map(|a| (a.name.as_str(), a.status.as_str(), a.admin)).collect();
    seen.sort();
    assert_eq!(
        seen,
        [("admin", "active", true), ("ann", "active", false), ("bob", "deleted", false), ("carol", "active", true)]
    );
    let trail = audit(&mut root).await;
    for wanted in [
        "user.create admin by cluster",
        "user.disable bob by admin",
        "user.enable bob by admin",
        "user.reset_password bob by admin",
        "user.delete bob by admin",
        "user.create carol by admin",
    ] {
        assert_eq!(trail.iter().filter(|row| row.as_str() == wanted).count(), 1, "{wanted}: {trail:?}");
    }
    node.stop().await;
}

#[tokio::test]
async fn registration_is_open_by_invitation_or_closed() {
    let node = node_with(settings()).await;
    let mut root = admin_of(&node).await;
    let mut set = async |registration: Registration| {
        let registration = Some(registration.as_str().to_owned());
        let change = wire::ChangeSettings { registration, ..Default::default() };
        act(&mut root, Operation::ChangeSettings(change)).await.expect("changed")
    };
    let register = |name: &str, invite: &str, request: u8| {
        let request = vec![request; 16].into();
        let (name, invite, password) = (name.to_owned(), invite.to_owned(), password(name));
        Ask::Register(wire::Register { name, password, request, invite })
    };
    set(Registration::Closed).await;
    let mut ann = node.greeted().await;
    within(async { while !matches!(ann.ask(register("ann", "", 1)).await, ServerMessage::Failure(_)) {} }).await;
    assert_eq!(ann.fails(register("anna", "", 2)).await.code, "registration_closed");
    set(Registration::Invite).await;
    within(async { while ann.fails(register("anna", "", 2)).await.code != "invite_required" {} }).await;
    assert_eq!(ann.fails(register("anna", "no-such-code-at-all", 2)).await.code, "bad_invite");
    let invite = wire::CreateInvite {
        code: "abcd-efgh-jkmn-pqrs".into(),
        uses: 2,
        expires_ms: u64::MAX,
        note: "for friends".into(),
    };
    let Ok(Answer::Invites(made)) = act(&mut root, Operation::CreateInvite(invite)).await else { panic!("no code") };
    // As it was copied by hand. A repeat takes no second use, and a refused registration none at
    // all.
    let code = "ABCDEFGH-JKMN-PQRS";
    for _ in 0..3 {
        assert!(matches!(ann.ask(register("dora", code, 3)).await, ServerMessage::Registered(_)));
    }
    assert_eq!(ann.fails(register("dora", code, 4)).await.code, "name_taken");
    let emil = within(async {
        loop {
            // The use comes back a moment after the refusal.
            match ann.ask(register("emil", code, 5)).await {
                ServerMessage::Registered(registered) => return registered,
                ServerMessage::Failure(failure) => assert_eq!(failure.code, "bad_invite"),
                other => panic!("{other:?}"),
            }
        }
    });
    assert_ne!(emil.await.user_id, 0);
    assert_eq!(ann.fails(register("frida", code, 6)).await.code, "bad_invite");
    act(&mut root, Operation::RevokeInvite(made.invites[0].id.clone())).await.expect("revoked");
    let Ok(Answer::Invites(list)) = act(&mut root, Operation::ListInvites(Default::default())).await else {
        panic!("no list")
    };
    let [only] = &list.invites[..] else { panic!("{list:?}") };
    assert_eq!((only.used, only.uses, only.revoked, only.note.as_str()), (2, 2, true, "for friends"));
    node.stop().await;
}

#[tokio::test]
async fn a_session_that_rests_too_long_ends_and_one_in_use_goes_on() {
    let node = node_with(Settings { session_idle: 2, ..Settings::default() }).await;
    let mut ann = node.greeted().await;
    ann.register("ann").await;
    let rests = ann.log_in("ann", "phone").await.token;
    drop(ann);
    let mut laptop = node.greeted().await;
    laptop.log_in("ann", "laptop").await;
    let begun = tokio::time::Instant::now();
    let listed = within(async {
        loop {
            let ServerMessage::Sessions(list) = laptop.ask(Ask::ListSessions(wire::ListSessions {})).await else {
                panic!()
            };
            if list.sessions.len() == 1 {
                return list.sessions;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(listed[0].device, "laptop");
    let resume = Ask::Resume(wire::Resume { token: rests });
    assert_eq!(node.greeted().await.fails(resume).await.code, "expired_token");
    // This one is connected for longer than the idle time; it stays open.
    tokio::time::sleep_until(begun + Duration::from_secs(4)).await;
    let ServerMessage::Sessions(list) = laptop.ask(Ask::ListSessions(wire::ListSessions {})).await else { panic!() };
    assert_eq!(list.sessions.len(), 1);
    laptop.send("everyone", "still here").await;
    node.stop().await;
}
