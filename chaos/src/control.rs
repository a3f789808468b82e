//! Orders to a running demo: one order per connection on a socket in its data folder, one line of
//! JSON each way.
//!
//! `troupe chaos kill|freeze|partition|network|heal` send orders ([`send`]). `troupe demo` owns the
//! processes and proxies, receives orders ([`listen`]) and executes them ([`execute`]). The socket
//! is as private as its folder.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use troupe_core::ConversationId;
use troupe_runtime::private;

use crate::local::{FolderLock, LocalCluster};
use crate::proxy::{LinkConditions, Party, Proxy};

pub const SOCKET: &str = "chaos.sock";
/// A longer order or answer is invalid.
const LINE_BYTES: u64 = 64 * 1024;
/// Orders waiting for execution.
const WAITING: usize = 16;
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Order {
    Kill {
        victims: Victims,
    },
    Freeze {
        victims: Victims,
        seconds: u64,
    },
    /// Groups of nodes that do not hear each other. Unlisted nodes form one more group.
    Partition {
        groups: Vec<Victims>,
        one_way: bool,
    },
    /// Conditions of all links between nodes, and between nodes and clients.
    Network {
        conditions: LinkConditions,
    },
    Heal,
}

/// Node numbers, or a role for the busiest shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Victims {
    Leader,
    Follower,
    All,
    /// Numbered from 1.
    Nodes(Vec<usize>),
}

impl FromStr for Victims {
    type Err = String;

    fn from_str(text: &str) -> Result<Victims, String> {
        match text {
            "leader" => return Ok(Victims::Leader),
            "follower" => return Ok(Victims::Follower),
            "all" => return Ok(Victims::All),
            _ => {}
        }
        let numbers: Result<Vec<usize>, _> = text.split(',').map(|number| number.trim().parse()).collect();
        match numbers {
            Ok(numbers) if !numbers.contains(&0) => Ok(Victims::Nodes(numbers)),
            _ => Err(format!("\"{text}\": expected leader, follower, all, or numbers of nodes as in 1,3")),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    ok: bool,
    text: String,
}

/// An order, and the receiver of its outcome.
pub type Asked = (Order, oneshot::Sender<Result<String>>);

/// Listens until the receiver is dropped. Only the holder of the folder lock may listen, so an
/// existing socket belongs to a killed process.
pub fn listen(dir: &Path, _holder: &FolderLock) -> Result<mpsc::Receiver<Asked>> {
    let path = dir.join(SOCKET);
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).with_context(|| format!("cannot listen on {}", path.display()))?;
    private::tighten(&path)?;
    let (send, receive) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if send.is_closed() {
                return;
            }
            let send = send.clone();
            // The sender notices a failed exchange.
            tokio::spawn(async move { drop(timeout(PATIENCE * 2, answer(stream, send)).await) });
        }
    });
    Ok(receive)
}

async fn answer(stream: UnixStream, orders: mpsc::Sender<Asked>) -> Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(LINE_BYTES)).read_line(&mut line).await?;
    let outcome = match serde_json::from_str::<Order>(&line) {
        Err(error) => Err(anyhow::anyhow!("not an order: {error}")),
        Ok(order) => {
            let (done, outcome) = oneshot::channel();
            orders.send((order, done)).await.ok().context("the demo is ending")?;
            outcome.await.context("the demo is ending")?
        }
    };
    let answer = match outcome {
        Ok(text) => Answer { ok: true, text },
        Err(error) => Answer { ok: false, text: format!("{error:#}") },
    };
    write.write_all(format!("{}\n", serde_json::to_string(&answer)?).as_bytes()).await?;
    Ok(())
}

/// Sends an order to the demo in a folder. Returns its answer.
pub async fn send(dir: &Path, order: &Order) -> Result<String> {
    let path: PathBuf = dir.join(SOCKET);
    let ask = async {
        let stream = UnixStream::connect(&path).await.with_context(|| {
            format!("no demo answers at {}: start troupe demo, or name its --data-dir", path.display())
        })?;
        let (read, mut write) = stream.into_split();
        write.write_all(format!("{}\n", serde_json::to_string(order)?).as_bytes()).await?;
        let mut line = String::new();
        BufReader::new(read.take(LINE_BYTES)).read_line(&mut line).await?;
        let answer: Answer = serde_json::from_str(&line).context("the demo ended before it answered")?;
        if answer.ok { Ok(answer.text) } else { bail!(answer.text) }
    };
    timeout(PATIENCE * 2, ask).await.context("the demo does not answer")?
}

/// Executes an order. Returns a description of the effect.
pub async fn execute(cluster: &mut LocalCluster, order: Order) -> Result<String> {
    match order {
        Order::Kill { victims } => {
            let victims = resolve(cluster, &victims).await?;
            for &index in &victims {
                cluster.signal(index, Signal::SIGKILL)?;
            }
            Ok(format!("killed {}", names(&victims)))
        }
        Order::Freeze { victims, seconds } => {
            let victims = resolve(cluster, &victims).await?;
            for &index in &victims {
                cluster.signal(index, Signal::SIGSTOP)?;
                let Some(pid) = cluster.pid(index) else { continue };
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                    // The process may have been killed meanwhile.
                    let _ = kill(Pid::from_raw(pid as i32), Signal::SIGCONT);
                });
            }
            Ok(format!("froze {} for {seconds} s", names(&victims)))
        }
        Order::Partition { groups, one_way } => {
            let mut sides = Vec::new();
            for group in &groups {
                sides.push(resolve(cluster, group).await?);
            }
            let rest: Vec<usize> =
                (0..cluster.len()).filter(|node| !sides.iter().flatten().any(|in_it| in_it == node)).collect();
            if !rest.is_empty() {
                sides.push(rest);
            }
            ensure!(sides.len() > 1, "all nodes are on one side: name fewer");
            let proxy = proxies(cluster)?;
            for (place, side) in sides.iter().enumerate() {
                for other in &sides[place + 1..] {
                    block(proxy, side, other);
                    if !one_way {
                        block(proxy, other, side);
                    }
                }
            }
            let texts: Vec<String> = sides.iter().map(|side| names(side)).collect();
            let how = if one_way { " is not heard by " } else { " | " };
            Ok(texts.join(how))
        }
        Order::Network { conditions } => {
            let proxy = proxies(cluster)?;
            for a in 0..cluster.len() {
                let parties = (0..cluster.len()).filter(|b| *b != a).map(Party::Node).chain([Party::Clients]);
                for other in parties {
                    proxy.set(Party::Node(a), other, conditions);
                    proxy.set(other, Party::Node(a), conditions);
                }
            }
            Ok("the conditions apply to all links".to_owned())
        }
        Order::Heal => {
            if let Some(proxy) = cluster.proxy() {
                proxy.heal();
            }
            for index in (0..cluster.len()).filter(|index| cluster.pid(*index).is_some()) {
                cluster.signal(index, Signal::SIGCONT)?;
            }
            Ok("healed".to_owned())
        }
    }
}

fn block(proxy: &Proxy, from: &[usize], to: &[usize]) {
    for a in from {
        for b in to {
            proxy.set(Party::Node(*a), Party::Node(*b), LinkConditions::BLOCKED);
        }
    }
}

fn proxies(cluster: &LocalCluster) -> Result<&Proxy> {
    cluster.proxy().context("this demo has no proxies between its nodes: start it with troupe demo --chaos")
}

async fn resolve(cluster: &LocalCluster, victims: &Victims) -> Result<Vec<usize>> {
    let count = cluster.len();
    let leader = || cluster.leader_of(ConversationId::Everyone.slot(), PATIENCE);
    let indexes = match victims {
        Victims::Leader => vec![leader().await?],
        Victims::Follower => vec![(leader().await? + 1) % count],
        Victims::All => (0..count).collect(),
        Victims::Nodes(numbers) => numbers.iter().map(|number| number - 1).collect(),
    };
    match indexes.iter().find(|index| **index >= count) {
        Some(index) => bail!("there is no node {}: this demo has {count}", index + 1),
        None => Ok(indexes),
    }
}

fn names(indexes: &[usize]) -> String {
    let names: Vec<String> = indexes.iter().map(|index| (index + 1).to_string()).collect();
    format!("node{} {}", if names.len() == 1 { "" } else { "s" }, names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn victims_are_read_as_people_write_them() {
        assert_eq!("leader".parse(), Ok(Victims::Leader));
        assert_eq!("1, 3".parse(), Ok(Victims::Nodes(vec![1, 3])));
        for wrong in ["", "0", "1,x", "lader"] {
            assert!(wrong.parse::<Victims>().is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn an_order_arrives_and_its_answer_comes_back() {
        let dir = tempfile::tempdir().expect("a folder");
        let lock = FolderLock::take(dir.path()).expect("free");
        let mut orders = listen(dir.path(), &lock).expect("a socket");
        let demo = async {
            let (first, done) = orders.recv().await.expect("an order");
            done.send(Ok("killed node 1".into())).expect("somebody waits");
            let (_, done) = orders.recv().await.expect("an order");
            done.send(Err(anyhow::anyhow!("no proxies"))).expect("somebody waits");
            first
        };
        let order = Order::Kill { victims: Victims::Nodes(vec![1]) };
        let people = async {
            let killed = send(dir.path(), &order).await.expect("done");
            let refused = send(dir.path(), &Order::Heal).await.expect_err("refused").to_string();
            (killed, refused)
        };
        let (arrived, (killed, refused)) = tokio::join!(demo, people);
        assert_eq!((arrived, killed.as_str(), refused.as_str()), (order.clone(), "killed node 1", "no proxies"));
    }

    #[tokio::test]
    async fn without_a_demo_the_text_says_what_to_start() {
        let dir = tempfile::tempdir().expect("a folder");
        let error = send(dir.path(), &Order::Heal).await.expect_err("no demo").to_string();
        assert!(error.contains("start troupe demo"), "{error}");
    }
}
