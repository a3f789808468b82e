//! Real processes that join, are drained, removed, wiped and recovered, while somebody talks; and
//! the operator's command line.

mod machine;

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use troupe_client::{Client, StartAt};
use troupe_core::{Body, ConversationId, EventKind, Seq};
use troupe_raft::transport::token::Token;
use troupe_runtime::Rng;

use machine::{Machine, rests, text, troupe_node, until};

const PATIENCE: Duration = Duration::from_secs(120);

async fn log_in(nodes: &[String], device: &str) -> (Client, troupe_client::Events) {
    let builder =
        || Client::builder().nodes(nodes.iter().cloned()).credentials("alice", "correct horse").device(device);
    let deadline = Instant::now() + PATIENCE;
    loop {
        match builder().start_at(StartAt::Beginning).connect().await {
            Ok(online) => return online,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    }
}

/// Says one thing after the other until told to stop; every one must be acknowledged. Gives how
/// many, and the longest wait.
fn talker(client: Client, mut stop: watch::Receiver<bool>) -> JoinHandle<(usize, Duration)> {
    tokio::spawn(async move {
        let (mut said, mut longest) = (0, Duration::ZERO);
        while !*stop.borrow_and_update() {
            let begun = Instant::now();
            let handle =
                client.send(ConversationId::Everyone, Body::text(&format!("word {said}"))).expect("it is queued");
            let acked = timeout(PATIENCE, handle).await.unwrap_or_else(|_| panic!("word {said} has no ack"));
            acked.unwrap_or_else(|error| panic!("word {said} failed: {error}"));
            longest = longest.max(begun.elapsed());
            said += 1;
        }
        client.close().await;
        (said, longest)
    })
}

/// Every word once, in order.
async fn read_back(node: &Machine, said: usize) {
    let expected: Vec<String> = (0..said).map(|number| format!("word {number}")).collect();
    assert_eq!(read_words(node).await, expected);
}

async fn read_words(node: &Machine) -> Vec<String> {
    let (client, _events) = log_in(std::slice::from_ref(&node.client), "reader").await;
    let (mut words, mut after) = (Vec::new(), Seq::default());
    loop {
        let page = client.history_after(ConversationId::Everyone, after, 100).await.expect("a page");
        let Some(last) = page.events.last() else { break };
        after = last.seq;
        let texts = page.events.iter().filter_map(|event| match &event.kind {
            EventKind::Message(body) => body.as_text().map(str::to_owned),
            _ => None,
        });
        words.extend(texts);
    }
    client.close().await;
    words
}

/// Three that form a cluster, in the order of their numbers.
async fn three(dir: &std::path::Path, token: &str) -> (Vec<Machine>, Vec<String>) {
    let mut machines: Vec<Machine> = (1..=3).map(|n| Machine::new(dir, &format!("node-{n}"))).collect();
    machines.sort_by(|a, b| a.cluster.cmp(&b.cluster));
    let join: Vec<String> = machines.iter().map(|machine| machine.cluster.clone()).collect();
    machines.iter_mut().for_each(|machine| machine.start(&join, token));
    until(&machines[0], token, "three form a cluster", |seen| rests(seen, &[(1, 12), (2, 12), (3, 12)])).await;
    (machines, join)
}

/// Registers alice and lets her talk.
async fn somebody_talks(machines: &[Machine], stopped: watch::Receiver<bool>) -> JoinHandle<(usize, Duration)> {
    let clients: Vec<String> = machines.iter().map(|machine| machine.client.clone()).collect();
    let register = Client::builder().nodes(clients.iter().cloned()).credentials("alice", "correct horse");
    timeout(PATIENCE, register.register()).await.expect("in time").expect("registered");
    let (client, mut events) = log_in(&clients, "talker").await;
    let talking = talker(client, stopped);
    tokio::spawn(async move {
        let listening = tokio::spawn(async move { while events.next().await.is_some() {} });
        let said = talking.await.expect("nothing failed");
        listening.abort();
        said
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_fails_nobody() {
    let dir = tempfile::tempdir().expect("a folder");
    let token = Token::generate(&Rng::from_os()).reveal();
    let (mut machines, join) = three(dir.path(), &token).await;
    let (stop, stopped) = watch::channel(false);
    let talking = somebody_talks(&machines, stopped).await;
    for machine in &mut machines {
        machine.stop().await;
        machine.start(&join, &token);
        until(machine, &token, "it is back", |seen| rests(seen, &[(1, 12), (2, 12), (3, 12)])).await;
    }
    stop.send_replace(true);
    let (said, longest) = talking.await.expect("nothing failed");
    eprintln!("rolling restart: {said} messages, the longest wait {longest:?}");
    for machine in &machines {
        read_back(machine, said).await;
    }
    for machine in &mut machines {
        machine.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_grows_is_drained_and_heals_while_somebody_talks() {
    let dir = tempfile::tempdir().expect("a folder");
    let token = Token::generate(&Rng::from_os()).reveal();
    let (mut machines, join) = three(dir.path(), &token).await;
    let (stop, stopped) = watch::channel(false);
    let talking = somebody_talks(&machines, stopped).await;

    let refused = troupe_node(&machines[0].http, &token, &["drain", "2"]).await;
    let why = text(&refused.stderr);
    assert!(!refused.status.success() && why.contains("add a node first"), "{why}");

    machines.push(Machine::new(dir.path(), "node-4"));
    machines[3].start(&join[..1], &token);
    until(&machines[3], &token, "the fourth has its share", |seen| rests(seen, &[(1, 9), (2, 9), (3, 9), (4, 9)]))
        .await;

    orders_are_checked(&machines[1], &token).await;
    let drained = troupe_node(&machines[1].http, &token, &["drain", "1"]).await;
    let told = text(&drained.stdout);
    assert!(drained.status.success() && told.contains("9 moves:") && told.ends_with("done\n"), "{told}");
    until(&machines[1], &token, "node 1 is empty", |seen| rests(seen, &[(1, 0), (2, 12), (3, 12), (4, 12)])).await;
    // The talker, who was connected to it, has been sent elsewhere.
    machines[0].has_no_clients().await;

    // Asked of the very node that goes.
    let removed = troupe_node(&machines[0].http, &token, &["remove", "1"]).await;
    assert!(removed.status.success(), "{}", text(&removed.stderr));
    assert!(!machines[0].ends().await.success());
    assert!(machines[0].said().contains("was removed from this cluster"), "{}", machines[0].said());

    machines[2].wipe().await;
    let join: Vec<String> = machines[1..].iter().map(|machine| machine.cluster.clone()).collect();
    machines[2].start(&join, &token);
    until(&machines[1], &token, "the wiped one is replaced", |seen| rests(seen, &[(2, 12), (4, 12), (5, 12)])).await;

    stop.send_replace(true);
    let (said, longest) = talking.await.expect("nothing failed");
    eprintln!("{said} messages, the longest wait {longest:?}");
    assert!(said > 100, "only {said} messages in all that time");
    for machine in &machines[1..] {
        read_back(machine, said).await;
    }
    for machine in &mut machines {
        machine.kill().await;
    }
}

/// Two of three disks are gone for good. The third one goes on, and gets company again.
#[tokio::test(flavor = "multi_thread")]
async fn one_surviving_copy_of_three_goes_on_and_gets_company_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let token = Token::generate(&Rng::from_os()).reveal();
    let (mut machines, join) = three(dir.path(), &token).await;
    let (stop, stopped) = watch::channel(false);
    let talking = somebody_talks(&machines, stopped).await;
    while read_words(&machines[0]).await.len() < 50 {}
    stop.send_replace(true);
    let (said, _) = talking.await.expect("nothing failed");
    for machine in &mut machines[1..] {
        machine.wipe().await;
    }
    machines[0].kill().await;

    let asked = machines[0].recover(&[]).await;
    let (shown, why) = (text(&asked.stdout), text(&asked.stderr));
    assert!(!asked.status.success() && why.contains("--yes"), "{why}");
    assert!(shown.contains("known to be committed up to") && shown.contains(&join[1]), "{shown}");
    let recovered = machines[0].recover(&["--yes"]).await;
    assert!(recovered.status.success(), "{}", text(&recovered.stderr));

    machines[0].start(&join, &token);
    until(&machines[0], &token, "it goes on alone", |seen| rests(seen, &[(1, 12)])).await;
    let words = read_words(&machines[0]).await;
    let expected: Vec<String> = (0..words.len()).map(|number| format!("word {number}")).collect();
    assert!(words == expected && !words.is_empty() && words.len() <= said, "{} of {said} words", words.len());
    let (client, _events) = log_in(&[machines[0].client.clone()], "later").await;
    let handle = client.send(ConversationId::Everyone, Body::text("and on")).expect("it is queued");
    timeout(PATIENCE, handle).await.expect("in time").expect("acknowledged");
    client.close().await;

    for machine in &mut machines[1..] {
        machine.start(&join, &token);
    }
    until(&machines[0], &token, "three copies again", |seen| rests(seen, &[(1, 12), (4, 12), (5, 12)])).await;
    machines[0].kill().await;
    assert_eq!(read_words(&machines[1]).await.last().map(String::as_str), Some("and on"));
    for machine in &mut machines {
        machine.kill().await;
    }
}

/// Wrong orders are refused with an explanation, and a dry run does nothing.
async fn orders_are_checked(machine: &Machine, token: &str) {
    let other = Token::generate(&Rng::from_os()).reveal();
    let cases: [(&str, &[&str], &str); 4] = [
        (&other, &["drain", "1"], "give the join token of this cluster"),
        (token, &["drain", "9"], "its nodes are 1, 2, 3, 4"),
        (token, &["replace", "1", "--with", "1"], "cannot replace itself"),
        (token, &["drain", "1", "--replication", "5"], "add a node first"),
    ];
    for (token, args, reason) in cases {
        let output = troupe_node(&machine.http, token, args).await;
        let why = text(&output.stderr);
        assert!(!output.status.success() && why.contains(reason), "{args:?}: {why}");
    }
    let planned = troupe_node(&machine.http, token, &["remove", "1", "--dry-run"]).await;
    let plan = text(&planned.stdout);
    assert!(planned.status.success() && plan.contains("9 moves:") && plan.contains("nothing was done"), "{plan}");
    until(machine, token, "nothing has moved", |seen| rests(seen, &[(1, 9), (2, 9), (3, 9), (4, 9)])).await;
}
