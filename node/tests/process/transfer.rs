//! Export and import on real nodes: a round trip that is equal, one more import, one that is killed
//! half way, and the data of another system.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::person::{Person, connect, password};
use crate::server::{Server, binary, within};

const MESSAGES: usize = 400;

fn verb(server: &Server, words: &[&str]) -> Command {
    let all: Vec<&str> = (0..server.cluster.len()).map(|node| server.cluster.addresses(node).http.as_str()).collect();
    let mut command = Command::new(binary());
    command.args(words).env("TROUPE_HTTP", all.join(",")).env("TROUPE_CLUSTER_TOKEN", server.cluster.token());
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Whether it succeeded, its standard output, and all that it said.
async fn run(server: &Server, words: &[&str]) -> (bool, String, String) {
    let output = within(verb(server, words).output()).await.expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let all = format!("{said}{}", String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said, all)
}

fn manifest(bundle: &Path) -> Value {
    let text = fs::read(bundle.join("manifest.json")).expect("a manifest");
    serde_json::from_slice(&text).expect("JSON")
}

fn shown(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_trip_over_real_nodes_is_equal() {
    let folder = tempfile::tempdir().expect("a folder");
    let [first, second, third] = ["first", "second", "third"].map(|name| folder.path().join(name));
    let from = Server::started(3).await;
    let alice = from.person("alice").await.deaf();
    let bob = from.person("bob").await.deaf();
    let group = alice.new_group("plans", &[bob.user]).await;
    for number in 0..MESSAGES {
        let who = if number % 2 == 0 { &alice } else { &bob };
        who.says(&group, &format!("number {number}")).await;
    }
    alice.says("everyone", "hello, all").await;
    // It is taken while people talk: everything acknowledged before it begins must be in it.
    let words = ["export", shown(&first), "--password-hashes"];
    let (taken, ()) = tokio::join!(run(&from, &words), async {
        for number in 0..50 {
            alice.says(&group, &format!("meanwhile {number}")).await;
        }
    });
    assert!(taken.0, "{}", taken.2);
    let before = manifest(&first);
    assert!(before["events"].as_u64().is_some_and(|events| events >= MESSAGES as u64 + 3), "{before}");
    let again = run(&from, &words).await;
    assert!(!again.0 && again.2.contains("is not empty"), "{}", again.2);
    let own = run(&from, &["import", shown(&first)]).await;
    assert!(!own.0 && own.2.contains("of this very cluster"), "{}", own.2);

    // The operator is killed half way; the next run completes it.
    let to = Server::started(1).await;
    let mut killed = verb(&to, &["import", shown(&first)]).spawn().expect("it starts");
    let reader = to.cluster.addresses(0).http.clone();
    within(async {
        while imports(&reader, &to).await == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    killed.kill().await.expect("killed");
    for _ in 0..2 {
        let done = run(&to, &["import", shown(&first), "-o", "json"]).await;
        assert!(done.0, "{}", done.2);
        let report: Value = serde_json::from_str(&done.1).expect("JSON");
        assert_eq!(report["report"]["failed"], 0);
    }
    let last = run(&to, &["import", shown(&first)]).await;
    assert!(last.0 && last.2.contains("there already") && !last.2.contains("taken:"), "{}", last.2);
    let taken = run(&to, &["export", shown(&second), "--password-hashes"]).await;
    assert!(taken.0, "{}", taken.2);
    let after = manifest(&second);
    assert_eq!(before["parts"], after["parts"]);
    assert_ne!(before["source"], after["source"]);

    // Users come in with their old passwords, and the cluster goes on.
    let (connection, _pushes) = connect(&to.addresses().client).await;
    connection.login("bob", &password("bob"), "phone").await.expect("with the old password");
    Person::again(&to.addresses().client, "alice").await.deaf().says("everyone", "here we are").await;
    let taken = run(&to, &["export", shown(&third)]).await;
    assert!(taken.0 && manifest(&third)["events"].as_u64() > after["events"].as_u64(), "{}", taken.2);
    let text = fs::read_to_string(third.join("accounts.jsonl")).expect("accounts");
    assert!(!text.contains("argon2"), "hashes only where they were asked for");

    let wrong = within(
        verb(&from, &["export", shown(&folder.path().join("x"))])
            .env("TROUPE_CLUSTER_TOKEN", to.cluster.token())
            .output(),
    )
    .await
    .expect("it runs");
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(!wrong.status.success() && said.contains("not this cluster's"), "{said}");
}

/// Imports in the audit log, which the holder of the key reads at the port of orders.
async fn imports(http: &str, server: &Server) -> usize {
    use prost::Message;
    use troupe_proto::wire::client as wire;
    let token = troupe_raft::transport::token::Token::parse(server.cluster.token()).expect("a token");
    let read = wire::admin::Operation::ReadAudit(wire::ReadAudit::default());
    let admin = wire::Admin { request: vec![1; 16].into(), operation: Some(read) };
    let key = token.operator_key();
    let asked = troupe_fetch::post(
        http,
        "/v1/operate",
        Some(key.reveal()),
        admin.encode_to_vec().into(),
        crate::server::PATIENCE,
    );
    let Ok((200, body)) = asked.await else { return 0 };
    match wire::AdminAnswer::decode(body).ok().and_then(|answer| answer.answer) {
        Some(wire::admin_answer::Answer::Audit(page)) => {
            page.rows.iter().filter(|row| row.action == "conversation.import").count()
        }
        _ => 0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_tinode_come_in_with_one_time_passwords() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, secrets) = (folder.path().join("data.json"), folder.path().join("secrets"));
    let text = r#"{"users": [{"createdAt": "-140h", "username": "erin", "passhash": "erin123"},
                             {"createdAt": "-139h", "username": "frank"}],
                   "grouptopics": [{"createdAt": "-120h", "name": "*EF", "owner": "erin", "public": {"fn": "Travel"}}],
                   "groupsubs": [{"createdAt": "-110h", "topic": "*EF", "user": "frank"}],
                   "messages": ["Outlook good"]}"#;
    fs::write(&data, text).expect("written");
    let server = Server::started(1).await;
    let dry = run(&server, &["import", "tinode", shown(&data), "--dry-run"]).await;
    assert!(dry.0 && dry.2.contains("dropped: 1 texts") && dry.2.contains("dry run"), "{}", dry.2);
    let words = ["import", "tinode", shown(&data), "--one-time-passwords", shown(&secrets)];
    for _ in 0..2 {
        let done = run(&server, &words).await;
        assert!(done.0, "{}", done.2);
    }
    let secrets = fs::read_to_string(&secrets).expect("secrets");
    assert_eq!(secrets.lines().count(), 2, "a repeat makes no others: {secrets}");
    let secret = secrets.lines().find_map(|line| line.strip_prefix("frank\t")).expect("frank's");
    let (connection, _pushes) = connect(&server.addresses().client).await;
    connection.login_with_new("frank", secret, &password("frank"), "phone").await.expect("logged in");
    let list = troupe_client::connection::Request::ListConversations(Default::default());
    let troupe_client::connection::Message::Conversations(list) = connection.request(list).await.expect("a list")
    else {
        panic!("no list")
    };
    assert!(list.conversations.iter().any(|it| it.name == "Travel" && it.members == 2), "{list:?}");
}
