//! `troupe demo --check`: a story played on a cluster of its own. Prints the exchange and a PASS
//! line per point; the first FAIL ends it.
//!
//! The cluster refuses second logins, as CIM does, so that this can be shown too.

mod api;
mod by_http;
mod features;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::time::{Instant, timeout_at};
use troupe_chaos::local::LocalCluster;
use troupe_client::{Acked, Client, Events, Incoming, StartAt};
use troupe_core::{Body, ConversationId, EventKind, Seq};

use super::{Account, START, accounts};
use crate::cluster::{plan, tempdir};

const PATIENCE: Duration = Duration::from_secs(30);
/// Messages sent while a node is killed.
const THROUGH_THE_KILL: usize = 60;

pub async fn run(nodes: usize, troupe: &Path) -> Result<ExitCode> {
    ensure!(nodes >= 3, "the check kills a node: it wants --nodes 3 or more");
    let temporary = tempdir()?;
    let mut cluster = plan(troupe, temporary.0.clone(), nodes, &[("cluster.login_policy", "refuse")])?;
    let outcome = story(&mut cluster).await;
    if outcome.is_err() {
        for index in 0..cluster.len() {
            eprintln!("--- node {}\n{}", index + 1, cluster.last_log_lines(index));
        }
    }
    cluster.stop_all(Duration::from_secs(15)).await?;
    match outcome {
        Ok(()) => {
            println!("\nPASS everything");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            println!("FAIL {error:#}");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn pass(what: &str) {
    println!("PASS {what}");
}

async fn story(cluster: &mut LocalCluster) -> Result<()> {
    let begun = Instant::now();
    cluster.start_all()?;
    let all: Vec<usize> = (0..cluster.len()).collect();
    cluster.wait_ready(&all, START).await?;
    pass(&format!("{} nodes formed one cluster in {:.1} s", cluster.len(), begun.elapsed().as_secs_f64()));

    let accounts = accounts(cluster, &["alice", "bob", "carol"]).await?;
    let mut alice = Person::log_in(cluster, &accounts[0], 0).await?;
    let mut bob = Person::log_in(cluster, &accounts[1], 1).await?;
    pass("alice and bob are logged in on different nodes");

    private(&mut alice, &mut bob).await?;
    let carol = cluster_user(&alice, "carol").await?;
    let group = group(&mut alice, &mut bob, carol).await?;
    everyone(&mut alice, &mut bob).await?;
    offline(cluster, &accounts[2], &mut alice, &mut bob, group).await?;
    second_login(cluster, &accounts[0]).await?;
    by_http::walk(cluster, &mut alice).await?;
    features::walk(cluster).await?;
    kill(cluster, &mut alice, &mut bob).await?;
    alice.client.close().await;
    bob.client.close().await;
    Ok(())
}

async fn private(alice: &mut Person, bob: &mut Person) -> Result<()> {
    let direct = ConversationId::direct(alice.id(), bob.id()).context("two users")?;
    alice.say(direct, "hello bob").await?;
    bob.hears(direct, "hello bob").await?;
    bob.say(direct, "hello alice").await?;
    alice.hears(direct, "hello alice").await?;
    pass("private messages, both ways, over two nodes");
    Ok(())
}

async fn cluster_user(asker: &Person, name: &str) -> Result<troupe_core::UserId> {
    let found = asker.client.get_users(&[], &[name.to_owned()]).await?;
    Ok(found.first().with_context(|| format!("{name} is not found"))?.user)
}

async fn group(alice: &mut Person, bob: &mut Person, carol: troupe_core::UserId) -> Result<ConversationId> {
    let group = alice.client.create_group("climbers", false, &[bob.id(), carol]).await?;
    alice.say(group, "who comes along?").await?;
    bob.hears(group, "who comes along?").await?;
    bob.say(group, "I do").await?;
    alice.hears(group, "I do").await?;
    let members = alice.client.members(group).await?;
    ensure!(members.len() == 3, "the group has {} members instead of 3", members.len());
    pass("a group of three");
    Ok(group)
}

async fn everyone(alice: &mut Person, bob: &mut Person) -> Result<()> {
    alice.say(ConversationId::Everyone, "good morning, all").await?;
    bob.hears(ConversationId::Everyone, "good morning, all").await?;
    pass("everyone");
    Ok(())
}

/// carol has never been online; she logs in and finds what was said.
async fn offline(
    cluster: &LocalCluster,
    account: &Account,
    alice: &mut Person,
    bob: &mut Person,
    group: ConversationId,
) -> Result<()> {
    bob.say(group, "carol will read this later").await?;
    alice.hears(group, "carol will read this later").await?;
    let mut carol = Person::log_in(cluster, account, 2).await?;
    for text in ["who comes along?", "I do", "carol will read this later"] {
        carol.hears(group, text).await?;
    }
    carol.client.close().await;
    pass("offline messages arrive at login, in order");
    Ok(())
}

async fn second_login(cluster: &LocalCluster, account: &Account) -> Result<()> {
    let second = Client::builder()
        .nodes(cluster.client_addresses())
        .credentials(&account.name, &account.password)
        .device("another-device")
        .connect()
        .await;
    match second {
        Ok(_) => bail!("a second login of {} was let in", account.name),
        Err(error) => {
            ensure!(error.code() == Some("already_online"), "the second login failed otherwise: {error}");
            println!("  {} on a second device: {error}", account.name);
        }
    }
    pass("a second login is refused");
    Ok(())
}

/// alice keeps talking while the node that she is connected to is killed.
async fn kill(cluster: &mut LocalCluster, alice: &mut Person, bob: &mut Person) -> Result<()> {
    let direct = ConversationId::direct(alice.id(), bob.id()).context("two users")?;
    let mut handles = Vec::new();
    let mut slowest = Duration::ZERO;
    for number in 0..THROUGH_THE_KILL {
        if number == THROUGH_THE_KILL / 3 {
            println!("  SIGKILL node 1, which alice is connected to");
            cluster.kill(0).await?;
        }
        let sent = Instant::now();
        let handle = alice.client.send(direct, Body::text(&format!("message {number}")))?;
        if number.is_multiple_of(3) {
            // Every third waits for its ack, so that sends are spread over the failover.
            let acked = timeout_at(Instant::now() + PATIENCE, handle).await.context("no ack after the kill")??;
            slowest = slowest.max(sent.elapsed());
            alice.acked.push(acked);
        } else {
            handles.push(handle);
        }
    }
    for handle in handles {
        alice.acked.push(timeout_at(Instant::now() + PATIENCE, handle).await.context("no ack after the kill")??);
    }
    for number in 0..THROUGH_THE_KILL {
        bob.hears(direct, &format!("message {number}")).await?;
    }
    println!("  {THROUGH_THE_KILL} messages, the slowest ack took {:.2} s", slowest.as_secs_f64());
    let mut seqs: Vec<Seq> = alice.acked.iter().map(|acked| acked.seq).collect();
    seqs.sort();
    seqs.dedup();
    ensure!(seqs.len() == alice.acked.len(), "two acknowledged messages share a place");
    pass("a node was killed in the middle: nothing lost, doubled or out of order");

    cluster.start(0)?;
    cluster.wait_ready(&[0], START).await?;
    alice.say(direct, "are you still there?").await?;
    bob.hears(direct, "are you still there?").await?;
    pass("the killed node is back and serves");
    Ok(())
}

/// A logged-in person, and how far they have heard.
struct Person {
    name: String,
    client: Client,
    events: Events,
    heard: BTreeMap<ConversationId, Seq>,
    acked: Vec<Acked>,
}

impl Person {
    async fn log_in(cluster: &LocalCluster, account: &Account, first: usize) -> Result<Person> {
        let nodes = cluster.client_addresses();
        let rotated = (0..nodes.len()).map(|i| nodes[(first + i) % nodes.len()].clone());
        let (client, events) = Client::builder()
            .nodes(rotated)
            .credentials(&account.name, &account.password)
            .device("terminal")
            .start_at(StartAt::Beginning)
            .connect()
            .await
            .with_context(|| format!("{} cannot log in", account.name))?;
        Ok(Person { name: account.name.clone(), client, events, heard: BTreeMap::new(), acked: Vec::new() })
    }

    fn id(&self) -> troupe_core::UserId {
        self.client.user().unwrap_or_default()
    }

    async fn say(&mut self, to: ConversationId, text: &str) -> Result<()> {
        let handle = self.client.send(to, Body::text(text))?;
        let acked = timeout_at(Instant::now() + PATIENCE, handle)
            .await
            .with_context(|| format!("{}: no ack for \"{text}\"", self.name))??;
        println!("  {:<6}→ {to} #{}  {text}", self.name, acked.seq);
        Ok(())
    }

    /// The next message of somebody else in this conversation must be this text, right behind what
    /// was heard before.
    async fn hears(&mut self, wanted: ConversationId, text: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let next = timeout_at(deadline, self.events.next()).await;
            let incoming = next.with_context(|| format!("{} never heard \"{text}\"", self.name))?;
            let incoming = incoming.with_context(|| format!("{} was disconnected for good", self.name))?;
            let Incoming::Event { conversation, event } = incoming else { continue };
            // A member's first event is the one that made them a member; from there on there is no
            // gap.
            let before = self.heard.insert(conversation, event.seq);
            let follows = before.is_none_or(|before| event.seq == before.next());
            ensure!(follows, "{}: {conversation} #{} came after #{before:?}", self.name, event.seq);
            let EventKind::Message(body) = &event.kind else { continue };
            if conversation != wanted || event.sender == self.id() {
                continue;
            }
            let heard = body.as_text().unwrap_or_default();
            ensure!(heard == text, "{} heard \"{heard}\" where \"{text}\" belongs", self.name);
            println!("  {:<6}← {conversation} #{}  {heard}", self.name, event.seq);
            return Ok(());
        }
    }
}
