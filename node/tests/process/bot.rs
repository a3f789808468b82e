//! The bot of `examples/bot` against real nodes: it answers each question once, although it is
//! killed and its node is lost.

use std::path::Path;
use std::sync::Arc;

use tokio::task::JoinHandle;
use troupe_client::{Client, FileStore, Incoming};
use troupe_core::{Body, ConversationId, EventKind, Seq};

use crate::person::password;
use crate::server::{Server, within};

const NAME: &str = "echo";

/// Runs until the task is aborted, which is how a process ends that is killed.
fn bot(server: &Server, store: &Path) -> JoinHandle<()> {
    let builder = Client::builder()
        .nodes(server.cluster.client_addresses())
        .credentials(NAME, password(NAME))
        .device("bot")
        .store(FileStore::open(store).expect("a store"));
    tokio::spawn(async move {
        let (client, mut events) = builder.start().expect("started");
        troupe_bot::run(&client, &mut events).await.expect("a session");
    })
}

#[tokio::test]
async fn the_bot_answers_each_question_once_over_its_own_end_and_that_of_a_node() {
    let mut server = Server::started(3).await;
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(folder.path().join("store"));
    let account = || Client::builder().nodes(server.cluster.client_addresses());
    let bot_user = account().credentials(NAME, password(NAME)).register().await.expect("registered");
    let builder = account().credentials("alice", password("alice"));
    builder.register().await.expect("registered");
    let (alice, mut events) = builder.connect().await.expect("online");
    let private = ConversationId::direct(alice.user().expect("logged in"), bot_user).expect("two users");

    let running = bot(&server, &store);
    let mut answers = Vec::new();
    let mut ask = async |question: &str, count: usize, answers: &mut Vec<String>| {
        let sent = alice.send(private, Body::text(question)).expect("in the outbox");
        within(sent).await.expect("acknowledged");
        while answers.len() < count {
            let incoming = within(events.next()).await.expect("the client goes on");
            let Incoming::Event { event, .. } = incoming else { continue };
            if let EventKind::Message(body) = event.kind
                && event.sender == bot_user
            {
                answers.push(body.as_text().expect("a text").to_owned());
            }
        }
    };
    ask("one", 1, &mut answers).await;
    running.abort();
    drop(running.await);

    // Asked while there is no bot, and answered when it returns to the other nodes.
    within(alice.send(private, Body::text("two")).expect("in the outbox")).await.expect("acknowledged");
    server.cluster.kill(0).await.expect("killed");
    let running = bot(&server, &store);
    ask("three", 3, &mut answers).await;
    assert_eq!(answers, ["echo: one", "echo: two", "echo: three"]);
    running.abort();

    let page = alice.history_after(private, Seq::ZERO, 100).await.expect("a page");
    assert_eq!(page.events.len(), 6, "{:?}", page.events);
}
