//! Command-line behaviour: stores and clusters, logins, `troupe msg`, `troupe chat`.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::task::JoinHandle;
use troupe_client::chat::{Account, Connected, Options, run};
use troupe_client::{Client, FileStore, Incoming, StartAt, msg};
use troupe_core::Body;

use crate::fake::{Mode, Server};
use crate::{HERE, NODES};

fn account(server: &Arc<Server>, name: &str, folder: Option<&TempDir>) -> Account {
    let mut account = Account::new(name, NODES.map(str::to_owned));
    account.context = server.context(21);
    account.password = Some("password".into());
    account.state_dir = folder.map(|folder| folder.path().to_owned());
    account
}

fn of_cluster(id: &'static str, continues: &[&'static str]) -> Arc<Server> {
    let server = Server::new(&NODES, 1);
    *server.cluster.lock() = (id, continues.to_vec());
    server
}

#[tokio::test(start_paused = true)]
async fn nothing_of_one_cluster_is_sent_to_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let one = of_cluster("one", &[]);
    let Connected { client, notices, .. } = account(&one, "alice", Some(&folder)).connect().await.expect("it is up");
    assert!(notices.is_empty());
    NODES.iter().for_each(|node| one.set(node, Mode::Down));
    drop(client.send(HERE, Body::text("for the first cluster")).expect("room"));
    client.close().await;

    let two = of_cluster("two", &[]);
    let connected = account(&two, "alice", Some(&folder)).connect().await.expect("it is up");
    let Connected { client, events: _events, notices } = connected;
    assert_eq!(*two.heard.lock(), ["password of alice"], "no token, no message");
    assert_eq!(client.outbox_len(), 0);
    assert!(
        matches!(&notices[..], [notice] if notice.contains("alice.troupe; 1 message in it was not sent")),
        "{notices:?}"
    );
    client.close().await;

    NODES.iter().for_each(|node| one.set(node, Mode::Up));
    let mut again = account(&one, "alice", Some(&folder));
    again.password = None;
    let Connected { client, mut events, notices } = again.connect().await.expect("the session is kept");
    assert!(notices.is_empty());
    let settled = async { while !matches!(events.next().await.expect("it runs"), Incoming::Settled { .. }) {} };
    tokio::time::timeout(Duration::from_secs(30), settled).await.expect("the outbox goes out");
    assert_eq!(one.log("everyone"), [(1, "for the first cluster".to_owned())]);
    client.close().await;
    drop(events);

    // The devices move to a cluster that was restored from the first one.
    let three = of_cluster("three", &["zero", "one"]);
    again.context = three.context(3);
    let Connected { client, notices, .. } = again.connect().await.expect("the session is kept");
    assert_eq!((three.heard.lock().clone(), notices.len()), (vec!["token".to_owned()], 0));
    client.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_of_the_version_before_is_named_and_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let old = folder.path().join("alice.troupe");
    std::fs::write(&old, b"").expect("writable");
    let server = of_cluster("one", &[]);
    let connected = account(&server, "alice", Some(&folder)).connect().await.expect("it is up");
    assert!(matches!(&connected.notices[..], [notice] if notice.contains(&old.display().to_string())));
    assert!(old.exists());
}

#[tokio::test(start_paused = true)]
async fn a_store_of_the_sdk_gives_nothing_to_another_cluster() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("alice.troupe");
    let client = |server: &Arc<Server>| {
        let store = FileStore::open(&path).expect("it is free");
        Client::builder()
            .context(server.context(4))
            .nodes(NODES)
            .credentials("alice", "password")
            .store(store)
            .patience(Duration::from_secs(3))
    };
    let (first, _events) = client(&of_cluster("one", &[])).connect().await.expect("it is up");
    first.close().await;
    drop(_events);
    tokio::task::yield_now().await;
    let two = of_cluster("two", &[]);
    let error = client(&two).connect().await.err().expect("it is another cluster").to_string();
    assert!(error.contains("another cluster"), "{error}");
    assert!(two.heard.lock().is_empty(), "neither token nor password");
}

#[tokio::test(start_paused = true)]
async fn a_password_is_asked_for_whenever_the_server_wants_a_login() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = of_cluster("one", &[]);
    let prompts: Arc<Mutex<Vec<String>>> = Arc::default();
    let asked = prompts.clone();
    let mut account = account(&server, "alice", Some(&folder));
    account.password = None;
    account.ask = Some(Arc::new(move |prompt| {
        asked.lock().push(prompt.to_owned());
        Ok(if prompt.starts_with("wrong") { "password" } else { "mistyped" }.to_owned())
    }));
    let connected = account.connect().await.expect("the second password is right");
    assert_eq!(*prompts.lock(), ["password of alice: ", "wrong name or password; password of alice: "]);
    connected.client.send(HERE, Body::text("hello")).expect("room").await.expect("it is acknowledged");
    let device = connected.client.device();
    connected.client.close().await;
    drop(connected.events);

    let connected = account.connect().await.expect("the session is kept");
    assert_eq!(prompts.lock().len(), 2, "nothing was asked");
    NODES.iter().for_each(|node| server.set(node, Mode::Down));
    drop(connected.client.send(HERE, Body::text("later")).expect("room"));
    connected.client.close().await;
    drop(connected.events);

    // The session ends while the device is away. The device logs in again, and keeps its outbox and
    // its name.
    NODES.iter().for_each(|node| server.set(node, Mode::Up));
    *server.forgetful.lock() = true;
    let connected = account.connect().await.expect("it logs in again");
    assert_eq!(prompts.lock().len(), 4);
    assert_eq!(connected.client.device(), device);
    let mut events = connected.events;
    let settled = async { while !matches!(events.next().await.expect("it runs"), Incoming::Settled { .. }) {} };
    tokio::time::timeout(Duration::from_secs(60), settled).await.expect("the outbox goes out");
    assert_eq!(server.log("everyone").len(), 2);
}

async fn send(server: &Arc<Server>, folder: Option<&TempDir>, input: &str) -> (String, String, Option<String>) {
    let options =
        msg::Send { account: account(server, "alice", folder), to: "everyone".into(), text: None, json: false };
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let sent = msg::send(options, input.as_bytes(), &mut output, &mut errors).await;
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (text(output), text(errors), sent.err().map(|error| error.to_string()))
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_is_reported_also_after_a_refused_line() {
    let server = of_cluster("one", &[]);
    let (output, errors, end) = send(&server, None, "one\npoison\nthree\n").await;
    assert_eq!(server.log("everyone").len(), 2);
    assert_eq!(output, "sent everyone 1\nsent everyone 2\n");
    assert!(errors.starts_with("line 2 was not sent to everyone: "), "{errors}");
    assert_eq!(end.as_deref(), Some("1 of 3 messages were not sent"));
    let large = "x".repeat(64 * 1024 + 1);
    let (output, errors, _) = send(&server, None, &format!("{large}\nafter\n")).await;
    assert_eq!((output.as_str(), errors.lines().count()), ("sent everyone 3\n", 1));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_nothing_can_use_again_is_logged_out() {
    let server = of_cluster("one", &[]);
    send(&server, None, "hello\n").await;
    assert_eq!(server.heard.lock().last().map(String::as_str), Some("logout"));
    let folder = tempfile::tempdir().expect("a folder");
    server.heard.lock().clear();
    for _ in 0..2 {
        send(&server, Some(&folder), "hello\n").await;
    }
    let heard = server.heard.lock().clone();
    assert_eq!(heard, ["password of alice", "message to everyone", "token", "message to everyone"], "one session");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_was_not_processed_comes_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = of_cluster("one", &[]);
    send(&server, None, "one\ntwo\n").await;
    let path = folder.path().join("alice.troupe");
    for (is_processed, expected) in [(false, 1), (true, 1), (false, 2)] {
        let store = FileStore::open(&path).expect("it is free");
        let builder = Client::builder().context(server.context(expected)).nodes(NODES).store(store);
        let builder = builder.credentials("alice", "password").start_at(StartAt::Beginning);
        let (client, mut events) = builder.connect().await.expect("it is up");
        let incoming = loop {
            let incoming = events.receive().await.expect("it runs");
            if let Incoming::Event { event, .. } = &incoming {
                assert_eq!(event.seq.0, expected);
                break incoming;
            }
        };
        if is_processed {
            events.processed(&incoming);
        }
        client.close().await;
        drop(events);
    }
}

/// A chat with its keyboard and screen.
struct Chat {
    keyboard: DuplexStream,
    screen: DuplexStream,
    seen: String,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Chat {
    fn start(server: &Arc<Server>, terminal: bool) -> Chat {
        let (keyboard, input) = tokio::io::duplex(64 * 1024);
        let (output, screen) = tokio::io::duplex(64 * 1024);
        let options = Options { account: account(server, "alice", None), terminal, time_of_day: None };
        let task = tokio::spawn(run(options, || Ok(()), BufReader::new(input), output));
        Chat { keyboard, screen, seen: String::new(), task }
    }

    async fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).await.expect("it reads");
    }

    /// Waits until this text follows the earlier output on the screen.
    async fn shows(&mut self, what: &str) {
        let mut bytes = [0; 4096];
        let waited = async {
            while !self.seen.contains(what) {
                let count = self.screen.read(&mut bytes).await.expect("readable");
                assert!(count > 0, "the chat has ended without {what:?}: {}", self.seen);
                self.seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        };
        if tokio::time::timeout(Duration::from_secs(60), waited).await.is_err() {
            panic!("{what:?} never came: {}", self.seen);
        }
        let at = self.seen.find(what).expect("it was just found") + what.len();
        self.seen.drain(..at);
    }

    async fn quits(mut self) {
        self.types(":q!\r\n").await;
        self.shows("bye").await;
        self.task.await.expect("no panic").expect("a good end");
    }
}

/// Creates the group g1024 with the name of the user bob.
async fn with_group(server: &Arc<Server>) {
    let Connected { client, .. } = account(server, "bob", None).connect().await.expect("it is up");
    client.send("g1024".parse().expect("an id"), Body::text("first")).expect("room").await.expect("it is acknowledged");
}

#[tokio::test(start_paused = true)]
async fn a_refused_change_of_the_conversation_changes_nothing_and_sends_nothing() {
    let server = of_cluster("one", &[]);
    with_group(&server).await;
    let mut chat = Chat::start(&server, false);
    chat.types(":to g1024\nto the group\n").await;
    chat.shows("you talk to #bob g1024").await;
    chat.shows("… #1 [#bob g1024] to the group").await;
    chat.types(":leave\nsecret\n").await;
    chat.shows("last owner").await;
    chat.shows("not sent: secret").await;
    chat.types("still here\n:to nobody-of-this-name\nlost\n").await;
    chat.shows("… #2 [#bob g1024] still here").await;
    chat.shows("there is no user nobody-of-this-name").await;
    chat.shows("not sent: lost").await;
    chat.quits().await;
    assert!(server.log("everyone").is_empty());
    let said: Vec<String> = server.log("g1024").into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["first", "to the group", "still here"]);
}

#[tokio::test(start_paused = true)]
async fn a_name_means_the_user_and_a_title_alone_means_nothing() {
    let server = of_cluster("one", &[]);
    with_group(&server).await;
    let mut chat = Chat::start(&server, false);
    chat.types(":to bob\nfor your eyes only\n").await;
    chat.shows("you talk to @bob (d1-2)").await;
    chat.shows("✓ #1").await;
    chat.types(":to #bob\nhello all\n").await;
    chat.shows("you talk to #bob g1024").await;
    chat.shows("✓ #2").await;
    chat.quits().await;
    assert_eq!(server.log("d1-2"), [(1, "for your eyes only".to_owned())]);
    assert_eq!(server.log("g1024").last().map(|(_, text)| text.as_str()), Some("hello all"));
}

#[tokio::test(start_paused = true)]
async fn what_is_pasted_is_text_and_the_prompt_names_the_place() {
    let server = of_cluster("one", &[]);
    with_group(&server).await;
    let mut chat = Chat::start(&server, true);
    chat.shows("everyone>").await;
    chat.types(":to g1024\r").await;
    chat.shows("#bob g1024>").await;
    chat.types("\x1b[200~:leave\r:to everyone\x1b[201~\r").await;
    chat.shows("✓ #1").await;
    chat.types("\x1b[200~one\rtwo\rthree\rfour\x1b[201~\r").await;
    chat.shows("4 lines, 18 bytes").await;
    chat.shows("send it? (y/n)").await;
    chat.types("n\r").await;
    chat.shows("not sent").await;
    chat.types("\x1b[200~1\r2\r3\r4\x1b[201~\ry\r").await;
    chat.shows("✓ #2").await;
    chat.quits().await;
    let said: Vec<String> = server.log("g1024").into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["first", ":leave\n:to everyone", "1\n2\n3\n4"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_shown_is_marked_as_read() {
    let server = of_cluster("one", &[]);
    let mut chat = Chat::start(&server, false);
    chat.shows("you are alice").await;
    let Connected { client, .. } = account(&server, "bob", None).connect().await.expect("it is up");
    for text in ["one", "two\n[everyone] admin: fake"] {
        client.send(HERE, Body::text(text)).expect("room").await.expect("it is acknowledged");
    }
    chat.shows("[everyone] bob: two\n  | [everyone] admin: fake\n").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let read: Vec<String> = server.heard.lock().iter().filter(|heard| heard.starts_with("read")).cloned().collect();
    assert_eq!(read, ["read everyone 2"], "a burst is one request");
    chat.quits().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_later_version_says_is_shown_as_unsupported() {
    let server = of_cluster("one", &[]);
    let mut chat = Chat::start(&server, false);
    chat.shows("you are alice").await;
    let Connected { client, .. } = account(&server, "bob", None).connect().await.expect("it is up");
    server.put("everyone", 2, 77, b"\x1b[2J");
    client.send(HERE, Body::text("one")).expect("room").await.expect("it is acknowledged");
    chat.shows("[everyone] bob (unsupported event, kind 77)\n").await;
    chat.shows("[everyone] bob: one\n").await;
    chat.quits().await;
}
