//! The requesting side of a backup: finds the leader of a shard, and follows it when it changes.
//!
//! Any node may be asked first. A node that does not lead a shard names the leader if it knows it,
//! and [`LeaderSearch`] follows. Without such a hint all nodes are asked in turn. Only time
//! distinguishes a cluster without a majority from a failover.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use tokio::time::{Duration, Instant, sleep, timeout};
use troupe_core::ShardId;
use troupe_proto::wire::raft as wire;
use troupe_proto::wire::raft::backup_request::Request;
use troupe_runtime::{Platform, Stream};
use troupe_store::rows::{Digest, Part, Row};

use super::entries::Entries;
use super::message::{self, Answer, Plan};
use super::rows::{self, Beginning};
use crate::api::StartError;
use crate::log::restore_part::part_out;
use crate::transport::port::{Port, Protocol, Security};

/// The time for one answer.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// The time without a leader after which nothing is begun: two failovers.
const LEADERLESS: Duration = Duration::from_secs(3);
/// The same during a backup or a restore, where giving up discards work.
const PATIENCE: Duration = Duration::from_secs(15);
const AGAIN: Duration = Duration::from_millis(200);
/// Requests to one node about a shard in one search: hints of two nodes may briefly point at each
/// other.
const ASKED: u8 = 2;

pub struct Client {
    port: Port,
    /// Cluster addresses to ask first, then those that the cluster announced.
    nodes: Vec<String>,
    /// The last known leader of each shard.
    leaders: BTreeMap<ShardId, String>,
    /// Streams for the parts of a restore; kept open, because there are many parts.
    open: BTreeMap<ShardId, Box<dyn Stream>>,
}

/// One saved shard.
#[derive(Clone, Copy, Debug)]
pub struct Saved {
    /// The Raft index up to which the rows are complete.
    pub applied: u64,
    pub rows: u64,
    /// The leader's clock, no earlier than the time of any entry in the rows; 0 from a node of an
    /// earlier version.
    pub now_ms: u64,
}

/// The consequence of a failed request for the next one.
enum Failed {
    /// Ask another node, or the same again.
    Again(String),
    /// The same, but much was done before the failure: the patience starts over.
    BrokeOff(String),
    NotLeader(Option<String>),
    Never(String),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Failed {
        Failed::Again(error.to_string())
    }
}

impl Client {
    /// A client with the token, or without one if the cluster runs without TLS.
    pub fn new(platform: &Platform, security: Security, seeds: Vec<String>) -> Result<Client, StartError> {
        let port = Port::dialer(platform, security)?;
        Ok(Client { port, nodes: seeds, leaders: BTreeMap::new(), open: BTreeMap::new() })
    }

    /// The shards and their leaders. Fails within seconds if a shard has no leader; nothing was
    /// begun then.
    pub async fn plan(&mut self) -> io::Result<Plan> {
        let began = Instant::now();
        loop {
            let plan = self.best_plan().await?;
            let leaderless: Vec<String> = leaderless(&plan).map(|shard| shard.to_string()).collect();
            if leaderless.is_empty() {
                let led = plan.places.iter().filter_map(|place| Some((place.shard, place.leader.clone()?)));
                self.leaders = led.collect();
                return Ok(plan);
            }
            if began.elapsed() >= LEADERLESS {
                return Err(io::Error::other(format!(
                    "{} of {} shards have no leader that a majority of their replicas confirms (shard {}): start the nodes that are \
                     down, then ask again; nothing was done",
                    leaderless.len(),
                    plan.places.len(),
                    leaderless.join(", ")
                )));
            }
            sleep(AGAIN).await;
        }
    }

    /// Of all answers, the one with the most leaders: a node that is cut off knows few.
    async fn best_plan(&mut self) -> io::Result<Plan> {
        let (mut best, mut errors) = (None::<Plan>, Vec::new());
        // Includes nodes that are learned meanwhile.
        let mut at = 0;
        while let Some(node) = self.nodes.get(at).cloned() {
            at += 1;
            match exchange(&self.port, &node, Request::Describe(wire::BackupDescribe {})).await {
                Ok(Answer::Plan(plan)) if !plan.places.is_empty() => {
                    let same = best.as_ref().is_none_or(|best| best.cluster_id == plan.cluster_id);
                    if !same {
                        return Err(io::Error::other(format!(
                            "{node} belongs to another cluster than the previous nodes"
                        )));
                    }
                    self.learn(&plan.nodes);
                    let done = leaderless(&plan).next().is_none();
                    if best.as_ref().is_none_or(|best| leaderless(&plan).count() < leaderless(best).count()) {
                        best = Some(plan);
                    }
                    if done {
                        break;
                    }
                }
                Ok(Answer::Plan(_)) => errors.push(format!("{node} belongs to no cluster yet")),
                Ok(other) => errors.push(format!("{node} answers {other:?}")),
                Err(error) => errors.push(format!("{node}: {error}")),
            }
        }
        best.ok_or_else(|| io::Error::other(errors.join("; ")))
    }

    fn learn(&mut self, nodes: &[String]) {
        for node in nodes {
            if !node.is_empty() && !self.nodes.contains(node) {
                self.nodes.push(node.clone());
            }
        }
    }

    pub async fn digest(&mut self, shard: ShardId) -> io::Result<Digest> {
        let port = self.port.clone();
        self.of_leader(shard, async |leader: &str| {
            match exchange(&port, leader, Request::Digest(wire::BackupDigest { shard: shard.0 })).await? {
                Answer::Digest(digest) => Ok(digest),
                other => Err(failed(other)),
            }
        })
        .await
    }

    /// Committed entries of a shard's log from an index on; none if it is the next one.
    pub async fn entries(&mut self, shard: ShardId, from: u64) -> io::Result<Entries> {
        let port = self.port.clone();
        self.of_leader(shard, async |leader: &str| {
            match exchange(&port, leader, Request::Log(wire::BackupLog { shard: shard.0, from })).await? {
                Answer::Entries(found)
                    if found.entries.first().map_or(from == found.end, |first| first.index == from) =>
                {
                    Ok(found)
                }
                other => Err(failed(other)),
            }
        })
        .await
    }

    /// Passes every row of a shard, in order, to `take`. After a failure the rows start over, and
    /// `begin` is called before each start.
    pub async fn save(
        &mut self,
        shard: ShardId,
        mut begin: impl FnMut() -> io::Result<()>,
        mut take: impl FnMut(Vec<Row>) -> io::Result<()>,
    ) -> io::Result<Saved> {
        let port = self.port.clone();
        self.of_leader(shard, async |leader: &str| {
            begin().map_err(|error| Failed::Never(error.to_string()))?;
            let mut stream = port.dial_as_holder(leader, Protocol::Backup).await.map_err(io::Error::from)?;
            message::send_question(&mut stream, Request::Save(wire::BackupSave { shard: shard.0 })).await?;
            let (applied, now_ms) = match rows::begin_load(&mut stream).await? {
                Beginning::Rows { applied, now_ms } => (applied, now_ms),
                Beginning::Answer(answer) => return Err(failed(answer)),
            };
            let mut failed_here = None;
            let loaded =
                rows::load(&mut stream, |rows| take(rows).inspect_err(|error| failed_here = Some(error.to_string())))
                    .await;
            match (loaded, failed_here) {
                (Ok(rows), _) => Ok(Saved { applied, rows, now_ms }),
                (Err(_), Some(here)) => Err(Failed::Never(here)),
                (Err(error), None) => Err(Failed::BrokeOff(error.to_string())),
            }
        })
        .await
    }

    /// Restores one part into its shard; safe to repeat.
    pub async fn restore(&mut self, shard: ShardId, part: &Part) -> io::Result<()> {
        let part = part_out(shard, part);
        if let Some(stream) = self.open.get_mut(&shard) {
            match put(stream, &part).await {
                Ok(()) => return Ok(()),
                Err(Failed::Never(why)) => return Err(io::Error::other(why)),
                Err(_) => drop(self.open.remove(&shard)),
            }
        }
        let port = self.port.clone();
        let stream = self.of_leader(shard, async |leader: &str| {
            let mut stream = port.dial_as_holder(leader, Protocol::Backup).await.map_err(io::Error::from)?;
            put(&mut stream, &part).await?;
            Ok(stream)
        });
        let stream = stream.await?;
        self.open.insert(shard, stream);
        Ok(())
    }

    /// Reports that a backup is restored completely: the cluster continues with the content of the
    /// cluster `origin`.
    pub async fn adopt(&mut self, history: u64, origin: [u8; 16]) -> io::Result<()> {
        let began = Instant::now();
        loop {
            let mut last = "no node is known".to_owned();
            for node in &self.nodes {
                let adopt = wire::MetaAdopt { history, origin: origin.to_vec().into() };
                match exchange(&self.port, node, Request::Adopt(adopt)).await {
                    Ok(Answer::Taken) => return Ok(()),
                    Ok(Answer::Refused(why)) => return Err(io::Error::other(why)),
                    Ok(other) => last = format!("{node} answers {other:?}"),
                    Err(error) => last = format!("{node}: {error}"),
                }
            }
            if began.elapsed() > PATIENCE {
                return Err(io::Error::other(format!("the cluster does not record that it was restored: {last}")));
            }
            sleep(AGAIN).await;
        }
    }

    /// Sends a request to the leader of a shard, wherever it is.
    async fn of_leader<T>(
        &mut self,
        shard: ShardId,
        mut ask: impl AsyncFnMut(&str) -> Result<T, Failed>,
    ) -> io::Result<T> {
        let mut lost_since = Instant::now();
        let mut tour = LeaderSearch::new(self.leaders.get(&shard), &self.nodes);
        let mut last = "no node is known".to_owned();
        loop {
            let Some(address) = tour.next() else {
                if lost_since.elapsed() > PATIENCE {
                    return Err(io::Error::other(format!(
                        "shard {shard}: no node leads it with a majority of its replicas: start the nodes that are down, then ask again \
                         (the last answer: {last})"
                    )));
                }
                sleep(AGAIN).await;
                tour = LeaderSearch::new(None, &self.nodes);
                continue;
            };
            match ask(&address).await {
                Ok(answer) => {
                    self.leaders.insert(shard, address);
                    return Ok(answer);
                }
                Err(Failed::Never(why)) => return Err(io::Error::other(format!("shard {shard}: {why}"))),
                Err(Failed::NotLeader(hint)) => {
                    last = format!("{address} does not lead it");
                    tour.follow(hint);
                }
                Err(Failed::Again(why)) => last = format!("{address}: {why}"),
                Err(Failed::BrokeOff(why)) => {
                    last = format!("{address}: {why}");
                    lost_since = Instant::now();
                }
            }
        }
    }
}

fn leaderless(plan: &Plan) -> impl Iterator<Item = ShardId> + '_ {
    plan.places.iter().filter(|place| place.leader.is_none()).map(|place| place.shard)
}

async fn exchange(port: &Port, address: &str, question: Request) -> io::Result<Answer> {
    let exchange = async {
        let mut stream = port.dial_as_holder(address, Protocol::Backup).await?;
        message::send_question(&mut stream, question).await?;
        message::receive_answer(&mut stream).await
    };
    timeout(ANSWER_TIME, exchange).await?
}

async fn put(stream: &mut Box<dyn Stream>, part: &wire::RestorePart) -> Result<(), Failed> {
    let exchange = async {
        message::send_question(stream, Request::Restore(part.clone())).await?;
        message::receive_answer(stream).await
    };
    match timeout(ANSWER_TIME, exchange).await.map_err(io::Error::from)?? {
        Answer::Taken => Ok(()),
        other => Err(failed(other)),
    }
}

fn failed(answer: Answer) -> Failed {
    match answer {
        Answer::Refused(why) => Failed::Never(why),
        Answer::Unavailable(why) => Failed::Again(why),
        Answer::NotLeader(hint) => Failed::NotLeader(hint),
        Answer::Plan(_) | Answer::Digest(_) | Answer::Entries(_) | Answer::Taken => {
            Failed::Never("an answer to another question".to_owned())
        }
    }
}

/// The nodes to ask next about one shard: those that others name as its leader, then all nodes
/// once.
struct LeaderSearch {
    hint: Option<String>,
    list: VecDeque<String>,
    asked: BTreeMap<String, u8>,
}

impl LeaderSearch {
    fn new(leader: Option<&String>, nodes: &[String]) -> LeaderSearch {
        LeaderSearch { hint: leader.cloned(), list: nodes.iter().cloned().collect(), asked: BTreeMap::new() }
    }

    fn follow(&mut self, hint: Option<String>) {
        self.hint = hint.filter(|hint| self.asked.get(hint).is_none_or(|times| *times < ASKED));
    }

    fn next(&mut self) -> Option<String> {
        let asked = &self.asked;
        let listed = || self.list.iter().position(|node| !asked.contains_key(node));
        let next = match self.hint.take() {
            Some(hint) => hint,
            None => self.list.remove(listed()?)?,
        };
        *self.asked.entry(next.clone()).or_default() += 1;
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tour_follows_hints_first_and_ends() {
        let nodes: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        let mut tour = LeaderSearch::new(Some(&"c".to_owned()), &nodes);
        assert_eq!(tour.next().as_deref(), Some("c"));
        tour.follow(Some("d".to_owned()));
        assert_eq!(tour.next().as_deref(), Some("d"));
        tour.follow(None);
        let mut rest = Vec::new();
        while let Some(node) = tour.next() {
            // Two nodes that point at each other do not prolong the search forever.
            tour.follow(Some(if node == "a" { "b" } else { "a" }.to_owned()));
            rest.push(node);
        }
        assert_eq!(rest, ["a", "b", "a", "b"], "the leader that was asked first is not asked again");
    }
}
