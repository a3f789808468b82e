//! Names over a real socket: look-alikes are one name, and accounts of earlier versions are found
//! by theirs.

use crate::harness::{Ask, Client, Node, ServerMessage, one_node, password};
use troupe_core::command::Register;
use troupe_core::{ClientMessageId, Command, ShardMap, UserId, Username};
use troupe_proto::wire::client as wire;
use troupe_raft::api::LoginPolicy;
use troupe_store::rows::View;

fn registering(client: &mut Client, name: &str) -> Ask {
    Ask::Register(wire::Register {
        name: name.into(),
        password: password("ann"),
        request: client.fresh_id(),
        ..Default::default()
    })
}

fn login(name: &str) -> Ask {
    Ask::Login(wire::Login {
        name: name.into(),
        password: password("ann"),
        device: "phone".into(),
        ..Default::default()
    })
}

/// Registers as version 0.1 did: under the lower case of the name, with the password of ann.
async fn register_as_before(node: &Node, ann: u64, name: &str) {
    let view = View::new(node.cluster.engine().snapshot());
    let password_hash = view.user(UserId(ann)).expect("readable").expect("ann").password_hash;
    let name = Username::kept(name, None);
    let shard = ShardMap { count: node.config.shards }.shard(name.slot());
    let request = ClientMessageId([name.slot().0 as u8; 16]);
    let command = Command::Register(Register { name, password_hash, request });
    node.cluster.propose(shard, vec![command]).await.expect("committed");
}

async fn found(client: &mut Client, ask: Ask) -> Vec<String> {
    match client.ask(ask).await {
        ServerMessage::Users(users) => users.users.into_iter().map(|user| user.name).collect(),
        other => panic!("no users: {other:?}"),
    }
}

#[tokio::test]
async fn names_that_look_alike_are_taken_and_misleading_ones_are_refused() {
    let node = one_node(LoginPolicy::Replace).await;
    let mut ann = node.user("ann").await;
    let mut other = node.greeted().await;
    for name in ["张三", "हिन्दी", "ไม่รู้", "தமிழ்", "ΟΔΥΣΣΕΥΣ", "한국", "coca"]
    {
        let ask = registering(&mut other, name);
        assert!(matches!(other.ask(ask).await, ServerMessage::Registered(_)), "{name}");
    }
    for (name, code) in [
        ("οδυσσευς", "name_taken"),
        ("\u{1112}\u{1161}\u{11ab}국", "name_taken"),
        ("соса", "name_taken"),
        ("ＡＮＮ", "name_taken"),
        ("аnn", "bad_name"),
        ("an\u{200b}n", "bad_name"),
        ("everyone", "bad_name"),
        ("admin", "bad_name"),
        ("g49319", "bad_name"),
        ("李", "bad_name"),
    ] {
        let ask = registering(&mut other, name);
        let failure = other.fails(ask).await;
        assert_eq!(failure.code, code, "{name}: {}", failure.text);
    }
    let get = wire::GetUsers {
        ids: Vec::new(), names: vec!["οδυσσευς".into(), "ＣＯＣＡ".into(), "аnn".into()]
    };
    let mut names = found(&mut ann, Ask::GetUsers(get)).await;
    names.sort();
    assert_eq!(names, ["ann", "coca", "ΟΔΥΣΣΕΥΣ"]);
    let find = wire::FindUsers { prefix: "οδυ".into(), ..Default::default() };
    assert_eq!(found(&mut ann, Ask::FindUsers(find)).await, ["ΟΔΥΣΣΕΥΣ"]);
    assert!(matches!(other.ask(login("οδυσσευς")).await, ServerMessage::LoggedIn(who) if who.name == "ΟΔΥΣΣΕΥΣ"));
    node.stop().await;
}

#[tokio::test]
async fn accounts_of_earlier_versions_are_found_and_their_names_stay_taken() {
    let node = one_node(LoginPolicy::Replace).await;
    let mut ann = node.user("ann").await;
    for name in ["Привет", "соса", "admin", "g77", "ΝΙΚΗ"] {
        register_as_before(&node, ann.user, name).await;
    }
    // The key of the old account is another one, so its ASCII look-alike is free. Each is found by
    // its own name.
    let mut other = node.greeted().await;
    let ask = registering(&mut other, "coca");
    assert!(matches!(other.ask(ask).await, ServerMessage::Registered(_)));
    for (typed, name) in
        [("привет", "Привет"), ("соса", "соса"), ("coca", "coca"), ("Admin", "admin"), ("g77", "g77"), ("νικη", "ΝΙΚΗ")]
    {
        let mut device = node.greeted().await;
        assert!(matches!(device.ask(login(typed)).await, ServerMessage::LoggedIn(who) if who.name == name), "{typed}");
        let get = wire::GetUsers { ids: Vec::new(), names: vec![typed.into()] };
        assert_eq!(found(&mut ann, Ask::GetUsers(get)).await, [name]);
    }
    for name in ["ПРИВЕТ", "привет", "соса", "Νικη"] {
        let ask = registering(&mut other, name);
        assert_eq!(other.fails(ask).await.code, "name_taken", "{name}");
    }
    for prefix in ["при", "ПРИВЕТ"] {
        let find = wire::FindUsers { prefix: prefix.into(), ..Default::default() };
        assert_eq!(found(&mut ann, Ask::FindUsers(find)).await, ["Привет"]);
    }
    node.stop().await;
}

#[tokio::test]
async fn a_title_that_steers_a_terminal_is_refused() {
    let node = one_node(LoginPolicy::Replace).await;
    let mut ann = node.user("ann").await;
    let create = |name: &str, request| wire::CreateGroup { request, name: name.into(), ..Default::default() };
    for title in ["", "   ", "bob\u{202e}", "a\u{2028}b", "\u{200b}", "a\u{1b}[2Jb", "tab\tbed"] {
        let request = ann.fresh_id();
        assert_eq!(ann.fails(Ask::CreateGroup(create(title, request))).await.code, "bad_name", "{title:?}");
    }
    let request = ann.fresh_id();
    let ServerMessage::GroupCreated(group) = ann.ask(Ask::CreateGroup(create("Team ☕", request))).await else {
        panic!("no group")
    };
    let rename = wire::ChangeGroup {
        request: ann.fresh_id(),
        conversation: group.conversation,
        change: Some(wire::change_group::Change::Rename("bob\u{2066}".into())),
    };
    assert_eq!(ann.fails(Ask::ChangeGroup(rename)).await.code, "bad_name");
    node.stop().await;
}
