//! The SDK against a server that loses, repeats, cuts, freezes and drains. Time is tokio's paused
//! clock.

mod fake;
mod people;

use std::time::Duration;

use fake::{Faults, Mode, Server};
use troupe_client::{Builder, Client, Error, Events, FileStore, Incoming, StartAt, State};
use troupe_core::{Body, ConversationId};

const HERE: ConversationId = ConversationId::Everyone;
const NODES: [&str; 3] = ["n1:1", "n2:1", "n3:1"];

fn builder(server: &std::sync::Arc<Server>, name: &str, seed: u64) -> Builder {
    Client::builder()
        .context(server.context(seed))
        .nodes(NODES)
        .credentials(name, "password")
        .device("test")
        .start_at(StartAt::Beginning)
}

async fn texts(events: &mut Events, count: usize) -> Vec<(u64, String)> {
    let mut seen = Vec::new();
    while seen.len() < count {
        match events.next().await.expect("the client runs") {
            Incoming::Event { event, .. } => {
                let troupe_core::EventKind::Message(body) = &event.kind else { panic!("only messages are sent here") };
                seen.push((event.seq.0, body.as_text().expect("text").to_owned()));
            }
            _ => continue,
        }
    }
    seen
}

fn numbered(count: usize) -> Vec<(u64, String)> {
    (1..=count).map(|n| (n as u64, format!("m{n}"))).collect()
}

#[tokio::test(start_paused = true)]
async fn messages_arrive_once_and_in_order_under_every_fault() {
    for seed in 0..20 {
        let server = Server::new(&NODES, seed);
        let (alice, _silent) = builder(&server, "alice", seed + 1).connect().await.expect("a node is up");
        let (_bob, mut events) = builder(&server, "bob", seed + 2).connect().await.expect("a node is up");
        *server.faults.lock() =
            Faults { cut_after_send: 4, unavailable: 8, overloaded: 8, lose_push: 15, repeat_push: 15 };
        let handles: Vec<_> =
            (1..=100).map(|n| alice.send(HERE, Body::text(&format!("m{n}"))).expect("room")).collect();
        for (n, handle) in handles.into_iter().enumerate() {
            assert_eq!(handle.await.expect("it is acknowledged").seq.0, n as u64 + 1);
        }
        assert_eq!(server.log("everyone"), numbered(100), "seed {seed}");
        assert_eq!(texts(&mut events, 100).await, numbered(100), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_node_is_left_for_another_at_once() {
    let server = Server::new(&NODES, 1);
    let (client, mut events) = builder(&server, "alice", 7).connect().await.expect("a node is up");
    let State::Online { address, .. } = client.state() else { panic!("it is online") };
    let before = tokio::time::Instant::now();
    server.set(&address, Mode::Down);
    client.send(HERE, Body::text("m1")).expect("room").await.expect("another node takes it");
    assert!(before.elapsed() < Duration::from_millis(200), "{:?}", before.elapsed());
    assert_eq!(texts(&mut events, 1).await, numbered(1));
}

#[tokio::test(start_paused = true)]
async fn a_frozen_node_is_left_when_it_owes_an_answer_too_long() {
    let server = Server::new(&NODES, 1);
    let (client, _events) = builder(&server, "alice", 8).connect().await.expect("a node is up");
    let State::Online { address, .. } = client.state() else { panic!("it is online") };
    server.set(&address, Mode::Frozen);
    let before = tokio::time::Instant::now();
    client.send(HERE, Body::text("m1")).expect("room").await.expect("another node takes it");
    let took = before.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(4)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stranger_at_the_address_of_a_node_ends_no_session() {
    let server = Server::new(&NODES, 1);
    let (client, mut events) = builder(&server, "alice", 10).connect().await.expect("a node is up");
    let mut state = client.watch_state();
    NODES.iter().for_each(|node| server.set(node, Mode::Down));
    state.wait_for(|state| matches!(state, State::Offline { .. })).await.expect("it runs");
    NODES.iter().for_each(|node| server.set(node, Mode::Foreign));
    let sent = client.send(HERE, Body::text("m1")).expect("room");
    let offline = |state: &State| matches!(state, State::Offline { reason } if reason.contains("another cluster"));
    tokio::time::timeout(Duration::from_secs(60), state.wait_for(offline)).await.expect("it says so").expect("it runs");
    server.set(NODES[0], Mode::Up);
    sent.await.expect("its own cluster takes it");
    assert_eq!(texts(&mut events, 1).await, numbered(1));
}

#[tokio::test(start_paused = true)]
async fn a_draining_node_is_left_without_an_error() {
    let server = Server::new(&NODES, 1);
    let (client, mut events) = builder(&server, "alice", 9).connect().await.expect("a node is up");
    let State::Online { address: old, .. } = client.state() else { panic!("it is online") };
    let mut state = client.watch_state();
    state.borrow_and_update();
    server.drain(&old);
    state.changed().await.expect("the client runs");
    let State::Online { address: new, .. } = state.borrow().clone() else { panic!("it never was offline") };
    assert_ne!(old, new);
    client.send(HERE, Body::text("m1")).expect("room").await.expect("it is sent");
    assert_eq!(texts(&mut events, 1).await, numbered(1));
}

#[tokio::test(start_paused = true)]
async fn a_refused_message_fails_and_those_behind_it_go_on() {
    let server = Server::new(&NODES, 1);
    let (client, _events) = builder(&server, "alice", 10).connect().await.expect("a node is up");
    let send = |text: &str| client.send(HERE, Body::text(text)).expect("room");
    let (first, bad, last) = (send("m1"), send("poison"), send("m2"));
    first.await.expect("it is acknowledged");
    assert!(matches!(bad.await, Err(Error::Rejected { .. })));
    last.await.expect("it is acknowledged");
    assert_eq!(server.log("everyone"), numbered(2));
    assert_eq!(client.outbox_len(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_outbox_and_the_cursors_survive_a_restart() {
    let server = Server::new(&NODES, 1);
    let folder = tempfile::tempdir().expect("a folder");
    let store = || FileStore::open(folder.path().join("alice.troupe")).expect("it opens");
    let (client, mut events) = builder(&server, "alice", 11).store(store()).connect().await.expect("a node is up");
    client.send(HERE, Body::text("m1")).expect("room").await.expect("it is acknowledged");
    assert_eq!(texts(&mut events, 1).await, numbered(1));
    NODES.iter().for_each(|node| server.set(node, Mode::Down));
    client.send(HERE, Body::text("m2")).expect("room");
    drop(client);
    while events.next().await.is_some() {}
    drop(events);
    assert_eq!(server.log("everyone"), numbered(1));

    NODES.iter().for_each(|node| server.set(node, Mode::Up));
    // No password: the session is in the store.
    let again = Client::builder().context(server.context(12)).nodes(NODES).store(store());
    let (client, mut events) = again.connect().await.expect("the session is resumed");
    assert_eq!(client.name().as_deref(), Some("alice"));
    assert_eq!(texts(&mut events, 1).await, [(2, "m2".to_owned())], "m1 was handed out before");
    assert_eq!(client.search("m1", 10).expect("sound").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_application_gets_everything_and_holds_up_no_ack() {
    let server = Server::new(&NODES, 1);
    let (client, mut events) = builder(&server, "alice", 13).room(4).connect().await.expect("a node is up");
    let handles: Vec<_> = (1..=500).map(|n| client.send(HERE, Body::text(&format!("m{n}"))).expect("room")).collect();
    for handle in handles {
        handle.await.expect("acks pass by the events that the application does not take");
    }
    assert_eq!(texts(&mut events, 500).await, numbered(500));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_told_at_once() {
    let server = Server::new(&NODES, 1);
    let wrong = Client::builder().context(server.context(14)).nodes(NODES).credentials("alice", "guess");
    let error = wrong.connect().await.err().expect("it is refused");
    assert_eq!(error.code(), Some("wrong_credentials"));
}

#[tokio::test(start_paused = true)]
async fn the_terminal_client_talks_over_pipes_and_survives_its_node() {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use troupe_client::chat::{Account, Options, run};

    let server = Server::new(&NODES, 1);
    let (bob, mut events) = builder(&server, "bob", 15).connect().await.expect("a node is up");
    let mut account = Account::new("alice", NODES.map(str::to_owned));
    account.context = server.context(16);
    account.password = Some("password".into());
    account.register = true;
    let (mut keyboard, input) = tokio::io::duplex(4096);
    let (output, screen) = tokio::io::duplex(64 * 1024);
    let chat = tokio::spawn(run(
        Options { account, terminal: false, time_of_day: None },
        || Ok(()),
        BufReader::new(input),
        output,
    ));
    let mut screen = BufReader::new(screen).lines();
    let mut shown = async |what: &str| loop {
        let line = screen.next_line().await.expect("readable").unwrap_or_else(|| panic!("{what} never came"));
        if line.contains(what) {
            return line;
        }
    };
    shown("you are alice").await;
    keyboard.write_all(b"hello all\n").await.expect("it reads");
    shown("… #1").await;
    shown("✓ #1").await;
    assert_eq!(texts(&mut events, 1).await, [(1, "hello all".to_owned())]);
    bob.send(HERE, Body::text("hi\u{1b}[2J")).expect("room").await.expect("it is acknowledged");
    assert_eq!(shown("bob").await, "[everyone] bob: hi [2J", "no control characters reach the terminal");
    NODES.iter().for_each(|node| server.set(node, Mode::Down));
    shown("offline").await;
    keyboard.write_all(b"still here\n").await.expect("it reads");
    shown("… #2").await;
    NODES.iter().for_each(|node| server.set(node, Mode::Up));
    shown("✓ #2").await;
    keyboard.write_all(b":q hello\n:q!\n").await.expect("it reads");
    shown("contain 'hello'").await;
    shown("bye").await;
    chat.await.expect("no panic").expect("a good end");
    assert_eq!(server.log("everyone").last().map(|(_, text)| text.as_str()), Some("still here"));
}

/// The next item that is not a change of state.
async fn next(events: &mut Events) -> Incoming {
    loop {
        match events.next().await.expect("the client runs") {
            Incoming::State(_) | Incoming::ConversationAdded { .. } | Incoming::ConversationRemoved { .. } => continue,
            incoming => return incoming,
        }
    }
}

/// The cluster goes down, and its devices notice.
async fn down(server: &Server, client: &Client) {
    for node in NODES {
        server.set(node, Mode::Down);
    }
    let mut state = client.watch_state();
    state.wait_for(|state| !matches!(state, State::Online { .. })).await.expect("the client runs");
}

/// It is restored from a backup, and has fewer events than the device.
fn restore(server: &Server, kept: usize, history: u64) {
    server.restore(kept, history);
    for node in NODES {
        server.set(node, Mode::Up);
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_ahead_of_its_restored_cluster_says_what_is_gone_and_goes_on() {
    let server = Server::new(&NODES, 1);
    let (alice, mut events) = builder(&server, "alice", 9).connect().await.expect("a node is up");
    for (_, text) in numbered(10) {
        alice.send(HERE, Body::text(&text)).expect("room").await.expect("acknowledged");
    }
    assert_eq!(texts(&mut events, 10).await, numbered(10));
    down(&server, &alice).await;
    restore(&server, 4, 77);
    match next(&mut events).await {
        Incoming::Restored { conversation, kept, lost, .. } => {
            assert_eq!((conversation, kept.0, lost), (HERE, 4, 6));
        }
        other => panic!("{other:?}"),
    }
    let sent: Vec<_> = (0..7).map(|n| alice.send(HERE, Body::text(&format!("new {n}"))).expect("room")).collect();
    for handle in sent {
        handle.await.expect("acknowledged");
    }
    let expected: Vec<(u64, String)> = (0..7).map(|n| (n + 5, format!("new {n}"))).collect();
    assert_eq!(texts(&mut events, 7).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_restore_is_noticed_after_a_restart_once_and_the_outbox_is_sent_with_its_ids() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = async || loop {
        // The previous client releases the file shortly after it was closed.
        match FileStore::open(folder.path().join("alice")) {
            Ok(store) => return store,
            Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    let server = Server::new(&NODES, 1);
    let (alice, mut events) = builder(&server, "alice", 9).store(store().await).connect().await.expect("a node is up");
    for (_, text) in numbered(10) {
        alice.send(HERE, Body::text(&text)).expect("room").await.expect("acknowledged");
    }
    assert_eq!(texts(&mut events, 10).await, numbered(10));
    down(&server, &alice).await;
    alice.send(HERE, Body::text("waits")).expect("room");
    alice.close().await;
    drop(events);
    restore(&server, 4, 77);
    let (alice, mut events) = builder(&server, "alice", 10).store(store().await).connect().await.expect("a node is up");
    let mut told = Vec::new();
    while told.len() < 3 {
        match next(&mut events).await {
            Incoming::Restored { kept, lost, .. } => told.push(format!("restored {kept} {lost}")),
            Incoming::Event { event, .. } => told.push(format!("event {}", event.seq)),
            Incoming::Settled { outcome, .. } => told.push(format!("sent {}", outcome.expect("acknowledged").seq)),
            other => panic!("{other:?}"),
        }
    }
    told.sort();
    assert_eq!(told, ["event 5", "restored 4 6", "sent 5"]);
    alice.close().await;
    drop(events);

    let (alice, mut events) = builder(&server, "alice", 11).store(store().await).connect().await.expect("a node is up");
    alice.send(HERE, Body::text("after")).expect("room").await.expect("acknowledged");
    assert_eq!(texts(&mut events, 1).await, [(6, "after".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn events_of_a_later_version_are_handed_out_and_move_the_cursor() {
    let server = Server::new(&NODES, 1);
    let folder = tempfile::tempdir().expect("a folder");
    let store = || FileStore::open(folder.path().join("alice.troupe")).expect("it opens");
    let later = |seq: u64, kind: u32, content: &[u8]| {
        (seq, troupe_core::EventKind::Unknown { kind, content: content.to_vec().into() })
    };
    let text = |seq: u64, text: &str| (seq, troupe_core::EventKind::Message(Body::text(text)));
    async fn next(events: &mut Events) -> (u64, troupe_core::EventKind) {
        loop {
            if let Incoming::Event { event, .. } = events.next().await.expect("the client runs") {
                return (event.seq.0, event.kind);
            }
        }
    }
    // In a page: among other events, with a role that this client does not know, and without any
    // kind.
    server.put("everyone", 9, 77, b"later");
    server.put("everyone", 9, troupe_core::EventKind::ROLE_CHANGED, &[8, 5, 16, 9]);
    server.put("everyone", 9, 0, b"");
    let begun = tokio::time::Instant::now();
    let (client, mut events) = builder(&server, "alice", 7).store(store()).connect().await.expect("a node is up");
    client.send(HERE, Body::text("m4")).expect("room").await.expect("it is acknowledged");
    assert_eq!(next(&mut events).await, later(1, 77, b"later"));
    assert_eq!(next(&mut events).await, later(2, 10, &[8, 5, 16, 9]));
    assert_eq!(next(&mut events).await, later(3, 0, b""));
    assert_eq!(next(&mut events).await, text(4, "m4"));
    // Pushed.
    server.put("everyone", 9, 77, b"pushed");
    client.send(HERE, Body::text("m6")).expect("room").await.expect("it is acknowledged");
    assert_eq!(next(&mut events).await, later(5, 77, b"pushed"));
    assert_eq!(next(&mut events).await, text(6, "m6"));
    // Pushed and lost: the gap is fetched.
    server.faults.lock().lose_push = 100;
    server.put("everyone", 9, 77, b"lost");
    assert_eq!(next(&mut events).await, later(7, 77, b"lost"));
    assert!(begun.elapsed() < Duration::from_secs(2), "no page was refused and asked for again");
    let page = client.history_after(HERE, troupe_core::Seq(0), 10).await.expect("a page");
    assert_eq!(page.events.len(), 7);
    client.close().await;
    drop(events);
    // The cursor is after all of them.
    *server.faults.lock() = Faults::default();
    let (client, mut events) = builder(&server, "alice", 8).store(store()).connect().await.expect("a node is up");
    client.send(HERE, Body::text("m8")).expect("room").await.expect("it is acknowledged");
    assert_eq!(next(&mut events).await, text(8, "m8"));
}
