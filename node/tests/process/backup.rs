//! A cluster's content, taken home while it serves and brought into a cluster of another shape.

use std::ffi::OsStr;

use crate::person::{Person, connect, password};
use crate::server::{Server, within};
use crate::stand_in::{self, StandIn};

const MESSAGES: usize = 300;

fn os(words: [&str; 2], last: &std::path::Path) -> Vec<std::ffi::OsString> {
    words.iter().filter(|word| !word.is_empty()).map(std::ffi::OsString::from).chain([last.into()]).collect()
}

async fn asks(server: &Server, words: [&str; 2], last: &std::path::Path) -> (bool, String) {
    let words = os(words, last);
    let words: Vec<&OsStr> = words.iter().map(std::ffi::OsString::as_os_str).collect();
    server.asks(&words).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_home_comes_back_in_a_cluster_of_another_shape() {
    let folder = tempfile::tempdir().expect("a folder");
    let backup = folder.path().join("backup");
    let first = Server::started(3).await;
    let alice = first.person("alice").await.deaf();
    let bob = first.person("bob").await.deaf();
    let group = alice.new_group("plans", &[bob.user]).await;
    for number in 0..MESSAGES {
        let (who, what) = if number % 2 == 0 { (&alice, "alice") } else { (&bob, "bob") };
        who.says(&group, &format!("{what} says {number}")).await;
    }
    // It is taken while people talk: everything acknowledged before it begins must be in it.
    let (taken, ()) = tokio::join!(asks(&first, ["backup", ""], &backup), async {
        for number in 0..50 {
            alice.says("everyone", &format!("meanwhile {number}")).await;
        }
    });
    assert!(taken.0, "{}", taken.1);
    let again = asks(&first, ["backup", ""], &backup).await;
    assert!(!again.0 && again.1.contains("is not empty"), "{}", again.1);
    let verified = asks(&first, ["backup", "verify"], &backup).await;
    assert!(verified.0 && verified.1.contains("as saved"), "{}", verified.1);
    let refused = asks(&first, ["restore", ""], &backup).await;
    assert!(!refused.0 && refused.1.contains("restore into a new one"), "{}", refused.1);

    let second = {
        let mut second = Server::planned_with(1, &[("cluster.shards", "5")]);
        second.start().await;
        second
    };
    for _ in 0..2 {
        let restored = asks(&second, ["restore", ""], &backup).await;
        assert!(restored.0 && restored.1.contains("as saved"), "a repeat changes nothing: {}", restored.1);
    }
    let (connection, _pushes) = connect(&second.addresses().client).await;
    connection.login("bob", &password("bob"), "phone").await.expect("with the old password");
    let (texts, members) = history(&second, &group).await;
    let expected: Vec<String> = (0..MESSAGES)
        .map(|number| format!("{} says {number}", if number % 2 == 0 { "alice" } else { "bob" }))
        .collect();
    assert_eq!(texts, expected);
    assert!(members >= 1, "the group was created before its first message");
}

/// Texts of a group in the order of their seqs, and how many other events there are.
pub async fn history(server: &Server, group: &str) -> (Vec<String>, usize) {
    let reader = Person::again(&server.addresses().client, "alice").await.deaf();
    let (mut texts, mut others, mut seq) = (Vec::new(), 0, 0);
    loop {
        let page = reader.fetch(group, seq).await.expect("a page");
        for event in &page.events {
            assert_eq!(event.seq, seq + 1, "without gaps");
            seq = event.seq;
            match event.body() {
                Some(body) => texts.push(String::from_utf8_lossy(&body.content).into_owned()),
                None => others += 1,
            }
        }
        if seq >= page.head {
            return (texts, others);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_is_refused_before_anything_is_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let backup = folder.path().join("backup");
    let server = Server::started(1).await;
    server.person("alice").await.says("everyone", "hello").await;
    let taken = asks(&server, ["backup", ""], &backup).await;
    assert!(taken.0, "{}", taken.1);
    let largest = std::fs::read_dir(&backup)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_none())
        .max_by_key(|path| std::fs::metadata(path).expect("a file").len())
        .expect("a shard");
    let mut bytes = std::fs::read(&largest).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&largest, bytes).expect("written");
    let empty = Server::started(1).await;
    for words in [["backup", "verify"], ["restore", ""]] {
        let refused = asks(&empty, words, &backup).await;
        assert!(!refused.0 && refused.1.contains("damaged"), "{}", refused.1);
    }
    empty.person("alice").await;

    std::fs::remove_file(backup.join("manifest.json")).expect("removed");
    let refused = asks(&empty, ["backup", "verify"], &backup).await;
    assert!(!refused.0 && refused.1.contains("never finished"), "{}", refused.1);
}

/// A store of objects is a place for backups as a folder is.
#[tokio::test(flavor = "multi_thread")]
async fn backups_in_a_bucket_are_kept_verified_and_restored() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = folder.path().join("keys");
    let (key, secret) = (stand_in::signature::KEY, stand_in::signature::SECRET);
    std::fs::write(&keys, format!("aws_access_key_id = {key}\naws_secret_access_key = {secret}\n")).expect("written");
    let store = StandIn::start().await;
    let endpoint = format!("http://{}", store.address);
    let with = async |server: &Server, words: &[&str]| {
        let common = ["--s3-endpoint", endpoint.as_str(), "--s3-credentials", keys.to_str().expect("a path")];
        let words: Vec<&OsStr> = words.iter().chain(&common).map(OsStr::new).collect();
        let (done, said) = server.asks(&words).await;
        assert!(!said.contains(secret) && !said.contains("X-Amz"), "{said}");
        (done, said)
    };
    let first = Server::started(1).await;
    first.person("alice").await.says("everyone", "worth keeping").await;
    for number in 0..2 {
        let keep = ["backup", "keep", "s3://backups/chat", "--last", "1", "-o", "json"];
        let (done, said) = with(&first, &keep).await;
        assert!(done, "{said}");
        let round: serde_json::Value = serde_json::from_str(&said).expect("one line of JSON");
        assert_eq!(round["removed"].as_array().map(Vec::len), Some(number), "{said}");
    }
    let (_, said) = with(&first, &["backup", "list", "s3://backups/chat", "-o", "json"]).await;
    let listed: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{said}");
    let path = listed[0]["path"].as_str().expect("a path").to_owned();
    let (done, said) = with(&first, &["backup", "verify", &path]).await;
    assert!(done && said.contains("as saved"), "{said}");

    let second = Server::started(1).await;
    let (done, said) = with(&second, &["restore", &path]).await;
    assert!(done && said.contains("as saved"), "{said}");
    let (connection, _pushes) = connect(&second.addresses().client).await;
    connection.login("alice", &password("alice"), "phone").await.expect("with the old password");

    let object = {
        let state = store.state();
        let is_shard = |key: &&String| !key.ends_with("manifest.json");
        state.objects.keys().find(is_shard).expect("a shard").clone()
    };
    if let Some(byte) = store.state().objects.get_mut(&object).and_then(|object| object.last_mut()) {
        *byte ^= 1;
    }
    let (done, said) = with(&first, &["backup", "verify", &path]).await;
    assert!(!done && said.contains("is damaged"), "{said}");
    store.state().objects.retain(|key, _| !key.ends_with("manifest.json"));
    let (done, said) = with(&first, &["backup", "verify", &path]).await;
    assert!(!done && said.contains("never finished"), "{said}");
}

/// A device with its state on disk, as the SDK keeps it.
async fn device(server: &Server, store: &std::path::Path) -> (troupe_client::Client, troupe_client::Events) {
    let builder = troupe_client::Client::builder()
        .nodes([server.addresses().client.clone()])
        .credentials("bob", password("bob"))
        .device("laptop")
        .start_at(troupe_client::StartAt::Beginning)
        .store(troupe_client::FileStore::open(store).expect("nobody else has it"));
    within(builder.connect()).await.expect("online")
}

async fn hears(events: &mut troupe_client::Events, texts: &[String]) {
    use troupe_client::Incoming;
    for text in texts {
        let heard = within(async {
            loop {
                match events.next().await.expect("the client runs") {
                    Incoming::Event { event, .. } => return event,
                    Incoming::Restored { .. } => panic!("a restore, instead of {text}"),
                    _ => {}
                }
            }
        })
        .await;
        let troupe_core::EventKind::Message(body) = heard.kind else { panic!("{heard:?}") };
        assert_eq!(body.as_text(), Some(text.as_str()));
    }
}

/// The next seven messages after a restore used to appear on no device that had seen seven more
/// than the backup.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_ahead_of_a_restored_backup_is_told_and_hears_what_is_said_next() {
    use troupe_client::Incoming;
    let folder = tempfile::tempdir().expect("a folder");
    let (backup, store) = (folder.path().join("backup"), folder.path().join("bob"));
    let first = Server::started(1).await;
    let alice = first.person("alice").await.deaf();
    first.person("bob").await;
    let say = |what: &str| (0..7).map(|number| format!("{what} {number}")).collect::<Vec<String>>();
    let (saved, lost, next) = (say("saved"), say("lost"), say("next"));
    for text in &saved {
        alice.says("everyone", text).await;
    }
    let taken = asks(&first, ["backup", ""], &backup).await;
    assert!(taken.0, "{}", taken.1);
    for text in &lost {
        alice.says("everyone", text).await;
    }
    let (client, mut events) = device(&first, &store).await;
    hears(&mut events, &[saved.as_slice(), lost.as_slice()].concat()).await;
    client.close().await;
    drop(events);

    let second = Server::started(1).await;
    let restored = asks(&second, ["restore", ""], &backup).await;
    assert!(restored.0, "{}", restored.1);
    let (client, mut events) = device(&second, &store).await;
    let told = within(async {
        loop {
            match events.next().await.expect("the client runs") {
                Incoming::Restored { conversation, kept, lost, .. } => return (conversation.to_string(), kept.0, lost),
                Incoming::Event { event, .. } => panic!("{event:?} before the report"),
                _ => {}
            }
        }
    })
    .await;
    assert_eq!(told, ("everyone".to_owned(), 7, 7));
    let alice = Person::again(&second.addresses().client, "alice").await.deaf();
    for text in &next {
        alice.says("everyone", text).await;
    }
    hears(&mut events, &next).await;
    client.close().await;
}
