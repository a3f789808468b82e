//! The negative control: NATS JetStream as it comes (file storage, three replicas, its own fsync interval) under the same power loss as our
//! nodes. A harness that cannot show its loss cannot show the absence of ours. Run by `scripts/controls`, outside of any test.
//!
//! Six publishers send one message at a time and count those that were acknowledged; all three file systems lose power; the servers come back,
//! and every message that the stream still holds is fetched. Just enough of the protocol is spoken here: it is lines of text.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::disk::{self, Disk};

const NODES: usize = 3;
const PUBLISHERS: usize = 6;
const FIRST_PORT: u16 = 28_222;
const REQUEST: Duration = Duration::from_secs(5);
/// Servers must form a cluster, and come back after the power loss, within this.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub system: &'static str,
    pub version: String,
    pub seconds: u64,
    pub acked: usize,
    pub lost: usize,
    /// What the servers said of the stream afterwards.
    pub afterwards: String,
}

/// `server` is the program.
pub async fn run(server: &Path, seconds: u64) -> Result<Report> {
    if let Some(why) = disk::impossible() {
        bail!("the control wants power loss: {why}");
    }
    let version = Command::new(server).arg("--version").output().await.context("the version")?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let folder = tempfile::tempdir()?;
    let mut nodes = Vec::new();
    for number in 0..NODES {
        nodes.push(Node::new(folder.path(), number)?);
    }
    for node in &mut nodes {
        node.start(server)?;
    }
    create_stream().await?;

    let until = Instant::now() + Duration::from_secs(seconds);
    let publishers: Vec<_> = (0..PUBLISHERS).map(|number| tokio::spawn(publish(number, until))).collect();
    let mut acked = BTreeSet::new();
    for publisher in publishers {
        acked.extend(publisher.await??);
    }
    eprintln!("  {} messages acknowledged; power off", acked.len());
    for node in &nodes {
        node.disk.lose_power()?;
    }
    for node in &mut nodes {
        node.child.as_mut().context("a server")?.kill().await?;
    }
    for node in &mut nodes {
        node.disk.power_up()?;
        node.start(server)?;
    }
    let (held, afterwards) = read_back(acked.len()).await?;
    let lost = acked.difference(&held).count();
    Ok(Report {
        system: "NATS JetStream, file, R=3, as it comes",
        version,
        seconds,
        acked: acked.len(),
        lost,
        afterwards,
    })
}

struct Node {
    number: usize,
    child: Option<Child>,
    disk: Disk,
    data: PathBuf,
}

impl Node {
    fn new(folder: &Path, number: usize) -> Result<Node> {
        let data = folder.join(format!("data-{number}"));
        let disk = Disk::mount(&folder.join(format!("disk-{number}.img")), &data, disk::BYTES)?;
        Ok(Node { number, child: None, disk, data })
    }

    fn start(&mut self, server: &Path) -> Result<()> {
        let port = |number: usize| FIRST_PORT + number as u16;
        let routes: Vec<String> = (0..NODES).map(|n| format!("nats://127.0.0.1:{}", port(n) + 100)).collect();
        let child = Command::new(server)
            .args(["-js", "-a", "127.0.0.1", "-n", &format!("n{}", self.number), "-p", &port(self.number).to_string()])
            .args(["--cluster_name", "control", "--cluster"])
            .arg(format!("nats://127.0.0.1:{}", port(self.number) + 100))
            .args(["--routes", &routes.join(",")])
            .arg("-sd")
            .arg(&self.data)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {}", server.display()))?;
        self.child = Some(child);
        Ok(())
    }
}

/// One client connection.
struct Client {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    inbox: String,
    asked: u64,
}

impl Client {
    #[allow(clippy::disallowed_methods, reason = "speaks to another system from outside of every node")]
    async fn connect(number: usize) -> Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", FIRST_PORT + (number % NODES) as u16)).await?;
        let (read, mut write) = stream.into_split();
        let inbox = format!("_INBOX.{number}");
        let hello = "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true}\r\n";
        write.write_all(format!("{hello}SUB {inbox}.* 1\r\n").as_bytes()).await?;
        Ok(Client { read: BufReader::new(read), write, inbox, asked: 0 })
    }

    /// Sends a request and waits for its answer; late answers to earlier ones are passed over.
    async fn ask(&mut self, subject: &str, body: &str) -> Result<Value> {
        self.asked += 1;
        let reply = format!("{}.{}", self.inbox, self.asked);
        let message = format!("PUB {subject} {reply} {}\r\n{body}\r\n", body.len());
        self.write.write_all(message.as_bytes()).await?;
        timeout(REQUEST, self.answer(&reply)).await.context("no answer in time")?
    }

    async fn answer(&mut self, reply: &str) -> Result<Value> {
        loop {
            let mut line = String::new();
            ensure!(self.read.read_line(&mut line).await? > 0, "the server closed the connection");
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.first().copied() {
                Some("PING") => self.write.write_all(b"PONG\r\n").await?,
                Some("MSG" | "HMSG") => {
                    let length: usize = words.last().context("a length")?.parse()?;
                    let mut body = vec![0u8; length + 2];
                    self.read.read_exact(&mut body).await?;
                    if words.get(1) != Some(&reply) {
                        continue;
                    }
                    // A message with headers is the answer that nobody listens.
                    ensure!(words[0] == "MSG", "nobody answers");
                    return serde_json::from_slice(&body[..length]).context("not JSON");
                }
                _ => {}
            }
        }
    }
}

async fn create_stream() -> Result<()> {
    let wanted = json!({ "name": "S", "subjects": ["s"], "storage": "file", "num_replicas": NODES });
    let deadline = Instant::now() + PATIENCE;
    loop {
        let tried = async {
            let answer = Client::connect(0).await?.ask("$JS.API.STREAM.CREATE.S", &wanted.to_string()).await?;
            ensure!(answer["error"].is_null(), "{}", answer["error"]);
            Ok(())
        };
        match tried.await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => sleep(Duration::from_millis(500)).await,
        }
    }
}

/// One message at a time; answers those that were acknowledged.
async fn publish(number: usize, until: Instant) -> Result<Vec<String>> {
    let mut acked = Vec::new();
    let mut client = Client::connect(number).await?;
    let mut count = 0u64;
    while Instant::now() < until {
        count += 1;
        let body = format!("{number}-{count}");
        // Only what is said to be stored counts.
        if client.ask("s", &body).await.is_ok_and(|answer| answer["error"].is_null() && answer["seq"].is_u64()) {
            acked.push(body);
        }
    }
    Ok(acked)
}

/// Every message that the stream holds, once it answers; and what was said of it.
async fn read_back(acked: usize) -> Result<(BTreeSet<String>, String)> {
    let deadline = Instant::now() + PATIENCE;
    let mut said = String::new();
    while Instant::now() < deadline {
        sleep(Duration::from_secs(1)).await;
        let Ok(mut client) = Client::connect(1).await else { continue };
        let info = match client.ask("$JS.API.STREAM.INFO.S", "").await {
            Ok(info) => info,
            Err(error) => {
                said = format!("{error:#}");
                continue;
            }
        };
        if !info["error"].is_null() {
            said = info["error"]["description"].as_str().unwrap_or("an error").to_owned();
            continue;
        }
        let (first, last) = (info["state"]["first_seq"].as_u64(), info["state"]["last_seq"].as_u64());
        let (first, last) = (first.unwrap_or(1).max(1), last.unwrap_or(0));
        let mut held = BTreeSet::new();
        for seq in first..=last {
            let got = client.ask("$JS.API.STREAM.MSG.GET.S", &json!({ "seq": seq }).to_string()).await?;
            if let Some(data) = got["message"]["data"].as_str() {
                held.insert(String::from_utf8(decode(data).context("not base64")?)?);
            }
        }
        let text = format!("the stream holds {} messages, {acked} were acknowledged", held.len());
        return Ok((held, text));
    }
    Ok((BTreeSet::new(), format!("the stream does not answer within {PATIENCE:?}: {said}")))
}

/// Standard base64, which messages come in.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut held, mut bits) = (0u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        held = (held << 6 | u32::from(value)) & 0xff_ffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_it_comes() {
        assert_eq!(decode("My0xNw==").as_deref(), Some(&b"3-17"[..]));
        assert_eq!(decode("MC0x").as_deref(), Some(&b"0-1"[..]));
        assert_eq!(decode("?"), None);
    }
}
