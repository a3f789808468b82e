//! A disk that gets full under load. Below the low-space mark sends are refused and everything else
//! goes on; where there is no mark the node stops and says so, and every message it has
//! acknowledged is there afterwards.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use futures::future::join_all;
use troupe_client::connection::{Connection, Message, Request};
use troupe_client::{Error, Result};
use troupe_fetch as fetch;
use troupe_proto::wire::client as wire;

use crate::person::{Person, connect, fresh_id};
use crate::server::{PATIENCE, Server, within};

/// Enough for a node's first files, and full within some hundred messages.
const SMALL: &str = "size=48m";
/// Half of it is below the low-space mark, which is more than is written between two looks at the
/// disk.
const MEDIUM: &str = "size=400m";
const GROWN: &str = "size=512m";
const LARGE: &str = "size=1500m";
/// Senders at once, so that some are always on their way when it happens.
const SENDERS: usize = 4;
const MESSAGE_BYTES: usize = 48 * 1024;
/// By then the disk must be full; a bound for the case that it is not.
const MESSAGES: usize = 5_000;

/// A small disk; unmounted at the end, even if somebody still uses it.
struct Disk(PathBuf);

impl Disk {
    /// `Err` says why there is none: only root may mount.
    fn mount(path: &Path, size: &str) -> Result<Disk, String> {
        std::fs::create_dir_all(path).expect("a folder");
        mount(&["-t", "tmpfs", "-o", size, "none"], path)?;
        Ok(Disk(path.to_owned()))
    }

    fn grow(&self, size: &str) {
        mount(&["-o", &format!("remount,{size}")], &self.0).expect("grown");
    }
}

fn mount(how: &[&str], path: &Path) -> Result<(), String> {
    let output = Command::new("mount").args(how).arg(path).output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A failure leaves a small mount behind, which is nothing to fail for.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// One message, as it was sent and acknowledged.
struct Acked {
    seq: u64,
    id: [u8; 16],
    content: Vec<u8>,
}

#[tokio::test]
async fn a_full_disk_stops_the_node_and_loses_nothing_that_was_acknowledged() {
    // As before there was a low-space mark, which keeps a disk from getting full.
    let mut server = Server::planned_with(1, &[("storage.low_mark", "0")]);
    let disk = match Disk::mount(&server.data_dir(), SMALL) {
        Ok(disk) => disk,
        Err(why) => return eprintln!("SKIPPED: a small disk cannot be mounted, which only root may do: {why}"),
    };
    server.start().await;
    let mut senders = Vec::new();
    let mut token = None;
    for number in 0..SENDERS {
        // The pushes are not read, so they are not kept.
        let Person { connection, token: one, .. } = server.person(&format!("sender{number}")).await;
        token = Some(one);
        senders.push(connection);
    }
    let acked: Vec<Acked> = join_all(senders.iter().map(fill)).await.into_iter().flatten().collect();
    assert!(acked.len() > SENDERS, "only {} messages had room", acked.len());

    let (success, text) = server.ends().await;
    assert!(!success, "{text}");
    says_full(&server, &text);
    // Until there is room, a start reports the same instead of serving half of it.
    server.cluster.start(0).expect("started");
    let (success, text) = server.ends().await;
    assert!(!success, "{text}");
    says_full(&server, &text);

    disk.grow(GROWN);
    server.start().await;
    let (reader, _pushes) = connect(&server.addresses().client).await;
    reader.resume(token.expect("a session")).await.expect("the session is there as well");
    let held = everything(&server).await;
    for Acked { seq, id, content } in &acked {
        let event = held.iter().find(|event| event.seq == *seq).unwrap_or_else(|| panic!("{seq} is lost"));
        assert_eq!(event.client_message_id, id[..], "{seq} is another message");
        let Some(body) = event.body() else { panic!("{seq} is no message") };
        assert_eq!(&body.content, content, "{seq} has another content");
    }
    let seqs: Vec<u64> = held.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=held.len() as u64).collect::<Vec<_>>());
    let next = server.person("latecomer").await.send("everyone", "room again").await.expect("sent");
    assert_eq!(next, held.len() as u64 + 1);
}

#[tokio::test]
async fn below_the_mark_sends_are_refused_long_before_the_node_has_to_stop() {
    let mut server = Server::planned(1);
    let disk = match Disk::mount(&server.data_dir(), MEDIUM) {
        Ok(disk) => disk,
        Err(why) => return eprintln!("SKIPPED: a small disk cannot be mounted, which only root may do: {why}"),
    };
    server.start().await;
    let writer = server.person("writer").await.deaf();
    let acked = fill_to_the_mark(&writer.connection).await;
    assert!(!acked.is_empty());
    // The node has not stopped: it says what is low, takes who logs in, and shows what it has.
    assert_eq!(server.cluster.exited(0).expect("a child").map(|status| status.code()), None);
    let again = Person::again(&server.addresses().client, "writer").await;
    let page = again.fetch("everyone", 0).await.expect("a page");
    assert_eq!(page.events.first().map(|event| event.client_message_id.to_vec()), Some(acked[0].id.to_vec()));
    let (_, metrics) = fetch::get(&server.addresses().http, "/metrics", PATIENCE).await.expect("metrics");
    let metrics = String::from_utf8_lossy(&metrics).into_owned();
    assert!(metrics.lines().any(|line| line == "troupe_storage_low{node=\"1\"} 1"), "{metrics}");
    let (code, verbose) = fetch::get_json(&server.addresses().http, "/readyz?verbose", PATIENCE).await.expect("ready");
    assert_eq!((code, verbose["detail"]["storage_low"].to_string()), (200, "[1]".to_owned()), "{verbose}");
    let remark = "the disk of node 1 is almost full: growing commands are refused with storage_low";
    assert!(verbose["remarks"].as_array().is_some_and(|told| told.contains(&remark.into())), "{verbose}");
    let (_, seen) = fetch::get_json(&server.addresses().http, "/v1/cluster", PATIENCE).await.expect("status");
    assert_eq!(seen["remarks"], verbose["remarks"], "as `cluster status` shows them");

    disk.grow(LARGE);
    let sent = within(async {
        loop {
            match again.send("everyone", "room again").await {
                Ok(seq) => return seq,
                Err(Error::Overloaded { .. }) => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(other) => panic!("{other:?}"),
            }
        }
    });
    assert_eq!(sent.await, acked.len() as u64 + 1);
}

/// Sends until that is refused because the disk is almost full.
async fn fill_to_the_mark(sender: &Connection) -> Vec<Acked> {
    let mut acked = Vec::new();
    for number in 0..MESSAGES {
        let id = fresh_id();
        match sender.request(Request::Send(large(id))).await {
            Ok(Message::SendAck(ack)) => acked.push(Acked { seq: ack.seq, id, content: incompressible(id) }),
            Err(Error::Overloaded { code, .. }) if code == "storage_low" => return acked,
            Err(Error::Overloaded { retry_after, .. }) => tokio::time::sleep(retry_after).await,
            other => panic!("message {number}: {other:?}"),
        }
    }
    panic!("the disk does not get low");
}

fn large(id: [u8; 16]) -> wire::Send {
    let body = wire::Body { kind: 1_000, content: incompressible(id).into(), context: None };
    let client_message_id = id.to_vec().into();
    wire::Send { conversation: "everyone".into(), client_message_id, body: Some(body), ..Default::default() }
}

fn says_full(server: &Server, text: &str) {
    let path = server.data_dir().join("db").display().to_string();
    let last = text.lines().last().unwrap_or_default();
    for part in ["error: ", "is full", &path, "make room and start the node again"] {
        assert!(last.contains(part), "{part:?} is missing in:\n{text}");
    }
}

/// Sends until the server is gone.
async fn fill(sender: &Connection) -> Vec<Acked> {
    let mut acked = Vec::new();
    for number in 0..MESSAGES {
        let id = fresh_id();
        match sender.request(Request::Send(large(id))).await {
            Ok(Message::SendAck(ack)) => acked.push(Acked { seq: ack.seq, id, content: incompressible(id) }),
            Err(Error::Unavailable(_)) => return acked,
            // A disk that stalls first makes the queues full.
            Err(Error::Overloaded { retry_after, .. }) => tokio::time::sleep(retry_after).await,
            other => panic!("message {number}: {other:?}"),
        }
    }
    panic!("the disk does not get full");
}

/// Different for each id, so that no page of the disk is saved.
fn incompressible(id: [u8; 16]) -> Vec<u8> {
    let mut state = u64::from_be_bytes([id[8], id[9], id[10], id[11], id[12], id[13], id[14], id[15]]) | 1 << 63;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(MESSAGE_BYTES).collect()
}

/// The whole history of `everyone`.
async fn everything(server: &Server) -> Vec<wire::Event> {
    let reader = server.person("reader").await;
    let mut events: Vec<wire::Event> = Vec::new();
    loop {
        let after = events.last().map_or(0, |event| event.seq);
        let page = reader.fetch("everyone", after).await.expect("a page");
        events.extend(page.events);
        if !page.more {
            return events;
        }
    }
}
