//! How a running demo is told to break something: one order per connection on a socket in its data
//! folder, one line of JSON each way.
//!
//! `troupe chaos kill|freeze|partition|weather|heal` are the one end ([`send`]), `troupe demo` is
//! the other ([`listen`]), which owns the processes and the proxies ([`obey`]). The socket is as
//! private as the folder it is in.

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
use crate::proxy::{Party, Proxy, Weather};

pub const SOCKET: &str = "chaos.sock";
/// An order or an answer longer than this is none of ours.
const LINE_BYTES: u64 = 64 * 1024;
/// Orders that wait to be obeyed.
const WAITING: usize = 16;
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Order {
    Kill {
        who: Victims,
    },
    Freeze {
        who: Victims,
        seconds: u64,
    },
    /// Groups of nodes that do not hear each other; who is in no group is alone.
    Partition {
        groups: Vec<Victims>,
        one_way: bool,
    },
    /// The same between all nodes, and between them and clients.
    Weather {
        weather: Weather,
    },
    Heal,
}

/// Which nodes: their numbers, or who leads the busiest shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Victims {
    Leader,
    Follower,
    All,
    /// As people count: from 1.
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
            _ => Err(format!("\"{text}\": wants leader, follower, all, or numbers of nodes as in 1,3")),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    ok: bool,
    text: String,
}

/// An order, and where its outcome goes.
pub type Asked = (Order, oneshot::Sender<Result<String>>);

/// Listens until the receiver is dropped. Only the holder of the folder may: a socket that is there
/// is left from one that was killed.
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
            // A conversation that fails is the asker's to notice.
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

/// Gives an order to the demo that runs in a folder. Answers what it says.
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

/// Does what is ordered. Answers what was done.
pub async fn obey(cluster: &mut LocalCluster, order: Order) -> Result<String> {
    match order {
        Order::Kill { who } => {
            let victims = resolve(cluster, &who).await?;
            for &index in &victims {
                cluster.signal(index, Signal::SIGKILL)?;
            }
            Ok(format!("killed {}", names(&victims)))
        }
        Order::Freeze { who, seconds } => {
            let victims = resolve(cluster, &who).await?;
            for &index in &victims {
                cluster.signal(index, Signal::SIGSTOP)?;
                let Some(pid) = cluster.pid(index) else { continue };
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                    // It may have been killed meanwhile.
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
                    darken(proxy, side, other);
                    if !one_way {
                        darken(proxy, other, side);
                    }
                }
            }
            let texts: Vec<String> = sides.iter().map(|side| names(side)).collect();
            let how = if one_way { " is not heard by " } else { " | " };
            Ok(texts.join(how))
        }
        Order::Weather { weather } => {
            let proxy = proxies(cluster)?;
            for a in 0..cluster.len() {
                let parties = (0..cluster.len()).filter(|b| *b != a).map(Party::Node).chain([Party::Clients]);
                for other in parties {
                    proxy.set(Party::Node(a), other, weather);
                    proxy.set(other, Party::Node(a), weather);
                }
            }
            Ok("the network is as ordered, everywhere".to_owned())
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

fn darken(proxy: &Proxy, from: &[usize], to: &[usize]) {
    for a in from {
        for b in to {
            proxy.set(Party::Node(*a), Party::Node(*b), Weather::DARK);
        }
    }
}

fn proxies(cluster: &LocalCluster) -> Result<&Proxy> {
    cluster.proxy().context("this demo has no proxies between its nodes: start it with troupe demo --chaos")
}

async fn resolve(cluster: &LocalCluster, who: &Victims) -> Result<Vec<usize>> {
    let count = cluster.len();
    let leader = || cluster.leader_of(ConversationId::Everyone.slot(), PATIENCE);
    let indexes = match who {
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
        let order = Order::Kill { who: Victims::Nodes(vec![1]) };
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
        let error = send(dir.path(), &Order::Heal).await.expect_err("nobody there").to_string();
        assert!(error.contains("start troupe demo"), "{error}");
    }
}
