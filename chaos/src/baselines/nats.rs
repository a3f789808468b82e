//! NATS JetStream, with the necessary part of its text protocol.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::Command;
use tokio::time::timeout;

use super::{NODES, PATIENCE, REQUEST, System, within};

const FIRST_PORT: u16 = 28_222;
const NOT_FOUND: u64 = 404;
/// An acknowledgement arrives within milliseconds, or never if no leader received the message.
const ACK: Duration = Duration::from_secs(1);

pub struct Nats {
    program: PathBuf,
}

fn port(node: usize) -> u16 {
    FIRST_PORT + node as u16
}

impl Nats {
    pub fn new(program: &Path) -> Nats {
        Nats { program: program.to_owned() }
    }

    /// The stream's description, from any server that answers.
    async fn stream(&self) -> Result<(Client, Value)> {
        let mut why = None;
        for node in 0..NODES {
            let asked = async {
                let mut client = self.connect(node).await?;
                let info = client.ask("$JS.API.STREAM.INFO.S", "").await?;
                anyhow::Ok((client, info))
            };
            match asked.await {
                Ok(found) => return Ok(found),
                Err(error) => why = Some(error),
            }
        }
        Err(why.context("no servers")?)
    }
}

impl System for Nats {
    type Client = Client;

    fn server(&self, node: usize, data: &Path) -> Command {
        let route = |node: usize| format!("nats://127.0.0.1:{}", port(node) + 100);
        let routes: Vec<String> = (0..NODES).map(route).collect();
        let mut command = Command::new(&self.program);
        command
            .args(["-js", "-a", "127.0.0.1", "-n", &format!("n{node}"), "-p", &port(node).to_string()])
            .args(["--cluster_name", "control", "--cluster", &route(node), "--routes", &routes.join(",")])
            .arg("-sd")
            .arg(data);
        command
    }

    async fn prepare(&self) -> Result<()> {
        let wanted = json!({ "name": "S", "subjects": ["s"], "storage": "file", "num_replicas": NODES }).to_string();
        within(PATIENCE, async || {
            let answer = self.connect(0).await?.ask("$JS.API.STREAM.CREATE.S", &wanted).await?;
            ensure!(answer["error"].is_null(), "{}", answer["error"]);
            Ok(())
        })
        .await
    }

    #[allow(clippy::disallowed_methods, reason = "speaks to another system from outside of every node")]
    async fn connect(&self, node: usize) -> Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port(node))).await?;
        let (read, mut write) = stream.into_split();
        let mut read = BufReader::new(read);
        let mut greeting = String::new();
        timeout(REQUEST, read.read_line(&mut greeting)).await.context("no greeting in time")??;
        let info: Value = serde_json::from_str(greeting.strip_prefix("INFO").context("not a NATS server")?)?;
        let version = info["version"].as_str().context("no version")?.to_owned();
        // Each connection has its own inbox, named by the server's id for it, and receives only its
        // own answers.
        let inbox = format!("_INBOX.{node}.{}", info["client_id"]);
        let hello = "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true}\r\n";
        write.write_all(format!("{hello}SUB {inbox}.* 1\r\n").as_bytes()).await?;
        Ok(Client { read, write, inbox, asked: 0, version })
    }

    async fn leader(&self) -> Result<usize> {
        let (_, info) = self.stream().await?;
        let leader = info["cluster"]["leader"].as_str().context("no leader")?;
        leader.trim_start_matches('n').parse().with_context(|| format!("not a node: {leader}"))
    }

    async fn read(&self) -> Result<BTreeSet<String>> {
        let (mut client, info) = self.stream().await?;
        let mut held = BTreeSet::new();
        // If the servers no longer know the stream, its messages are lost.
        if info["error"]["code"] == NOT_FOUND {
            return Ok(held);
        }
        ensure!(info["error"].is_null(), "{}", info["error"]);
        let (first, last) = (info["state"]["first_seq"].as_u64(), info["state"]["last_seq"].as_u64());
        let (first, last) = (first.unwrap_or(1).max(1), last.unwrap_or(0));
        for seq in first..=last {
            let got = client.ask("$JS.API.STREAM.MSG.GET.S", &json!({ "seq": seq }).to_string()).await?;
            if let Some(data) = got["message"]["data"].as_str() {
                held.insert(String::from_utf8(decode(data).context("not base64")?)?);
            }
        }
        Ok(held)
    }
}

/// One client connection.
pub struct Client {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    inbox: String,
    asked: u64,
    version: String,
}

impl super::Client for Client {
    fn version(&self) -> &str {
        &self.version
    }

    async fn publish(&mut self, body: &str) -> Result<bool> {
        let reply = self.send("s", body).await?;
        match timeout(ACK, self.answer(&reply)).await {
            // Only a confirmed store counts.
            Ok(answer) => Ok(answer?.is_some_and(|answer| answer["error"].is_null() && answer["seq"].is_u64())),
            // If the timeout cuts a line, its rest is skipped like any unknown line.
            Err(_) => Ok(false),
        }
    }
}

impl Client {
    /// Sends a request and waits for its answer.
    async fn ask(&mut self, subject: &str, body: &str) -> Result<Value> {
        let reply = self.send(subject, body).await?;
        let answer = timeout(REQUEST, self.answer(&reply)).await.context("no answer in time")??;
        answer.context("no responders")
    }

    async fn send(&mut self, subject: &str, body: &str) -> Result<String> {
        self.asked += 1;
        let reply = format!("{}.{}", self.inbox, self.asked);
        let message = format!("PUB {subject} {reply} {}\r\n{body}\r\n", body.len());
        self.write.write_all(message.as_bytes()).await?;
        Ok(reply)
    }

    /// Skips late answers to earlier requests. `None` means no responders.
    async fn answer(&mut self, reply: &str) -> Result<Option<Value>> {
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
                    // A message with headers reports that there are no responders.
                    if words[0] == "HMSG" {
                        return Ok(None);
                    }
                    return serde_json::from_slice(&body[..length]).map(Some).context("not JSON");
                }
                _ => {}
            }
        }
    }
}

/// Standard base64, the encoding of messages.
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
