//! The asking side of a backup: finds who leads a shard, and asks again where that changes.

use std::collections::BTreeMap;
use std::io;

use tokio::time::{Duration, Instant, sleep, timeout};
use troupe_core::ShardId;
use troupe_proto::wire::raft as wire;
use troupe_proto::wire::raft::backup_request::Request;
use troupe_runtime::{NodeCtx, Stream};
use troupe_store::rows::{Digest, Part, Row};

use super::message::{self, Answer, Plan};
use crate::cluster::StartError;
use crate::port::{Port, Protocol, Security};
use crate::snapshot;

/// For one answer.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// How long a shard may be without a leader before a backup gives up.
const PATIENCE: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_millis(200);

pub struct Client {
    port: Port,
    /// Cluster addresses to ask first.
    seeds: Vec<String>,
    /// Where a restore's parts go; kept open, since there are many.
    open: BTreeMap<ShardId, Box<dyn Stream>>,
}

/// One shard as it was saved.
#[derive(Clone, Copy, Debug)]
pub struct Saved {
    /// Raft index up to which everything is in it.
    pub applied: u64,
    pub rows: u64,
}

/// What a failed question means for the next one.
enum Failed {
    Again(String),
    Never(String),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Failed {
        Failed::Again(error.to_string())
    }
}

impl Client {
    /// A holder of the token, or of none where the cluster runs without TLS.
    pub fn new(ctx: &NodeCtx, security: Security, seeds: Vec<String>) -> Result<Client, StartError> {
        Ok(Client { port: Port::dialer(ctx, security)?, seeds, open: BTreeMap::new() })
    }

    /// Which shards there are and who leads them, by the first node that knows.
    pub async fn plan(&self) -> io::Result<Plan> {
        let mut errors = Vec::new();
        for seed in &self.seeds {
            match self.ask(seed, Request::Describe(wire::BackupDescribe {})).await {
                Ok(Answer::Plan(plan)) if !plan.places.is_empty() => return Ok(plan),
                Ok(Answer::Plan(_)) => errors.push(format!("{seed} belongs to no cluster yet")),
                Ok(other) => errors.push(format!("{seed} answers {other:?}")),
                Err(error) => errors.push(format!("{seed}: {error}")),
            }
        }
        Err(io::Error::other(errors.join("; ")))
    }

    pub async fn digest(&self, shard: ShardId) -> io::Result<Digest> {
        self.of_leader(shard, async |leader: &str| {
            match self.ask(leader, Request::Digest(wire::BackupDigest { shard: shard.0 })).await? {
                Answer::Digest(digest) => Ok(digest),
                other => Err(failed(other)),
            }
        })
        .await
    }

    /// Every row of a shard, in order, to `take`; after a break the rows come from the first one again, and `begin` is called
    /// before each time.
    pub async fn save(
        &self,
        shard: ShardId,
        mut begin: impl FnMut() -> io::Result<()>,
        mut take: impl FnMut(Vec<Row>) -> io::Result<()>,
    ) -> io::Result<Saved> {
        self.of_leader(shard, async |leader: &str| {
            begin().map_err(|error| Failed::Never(error.to_string()))?;
            let mut stream = self.port.dial_as_holder(leader, Protocol::Backup).await.map_err(io::Error::from)?;
            message::send_question(&mut stream, Request::Save(wire::BackupSave { shard: shard.0 })).await?;
            let mut failed_here = None;
            let loaded = snapshot::load(&mut stream, |rows| {
                take(rows).inspect_err(|error| failed_here = Some(error.to_string()))
            })
            .await;
            match (loaded, failed_here) {
                (Ok((applied, rows)), _) => Ok(Saved { applied, rows }),
                (Err(_), Some(here)) => Err(Failed::Never(here)),
                (Err(error), None) => Err(error.into()),
            }
        })
        .await
    }

    /// Puts one part into its shard; safe to repeat.
    pub async fn restore(&mut self, shard: ShardId, part: &Part) -> io::Result<()> {
        let question = message::part_out(shard, part);
        let began = Instant::now();
        let mut leader = None;
        loop {
            let why = match self.put(shard, &mut leader, &question).await {
                Ok(()) => return Ok(()),
                Err(Failed::Never(why)) => return Err(io::Error::other(why)),
                Err(Failed::Again(why)) => why,
            };
            self.open.remove(&shard);
            if began.elapsed() > PATIENCE {
                return Err(io::Error::other(format!("shard {shard}: {why}")));
            }
            sleep(AGAIN).await;
        }
    }

    async fn put(
        &mut self,
        shard: ShardId,
        leader: &mut Option<String>,
        part: &wire::RestorePart,
    ) -> Result<(), Failed> {
        if !self.open.contains_key(&shard) {
            let address = match leader.take() {
                Some(address) => address,
                None => self.find(shard).await?,
            };
            let stream = self.port.dial_as_holder(&address, Protocol::Backup).await.map_err(io::Error::from)?;
            self.open.insert(shard, stream);
        }
        let Some(stream) = self.open.get_mut(&shard) else { return Err(Failed::Again("not connected".to_owned())) };
        let exchange = async {
            message::send_question(stream, Request::Restore(part.clone())).await?;
            message::receive_answer(stream).await
        };
        match timeout(ANSWER_TIME, exchange).await.map_err(io::Error::from)?? {
            Answer::Taken => Ok(()),
            Answer::NotLeader(hint) => {
                *leader = hint;
                Err(Failed::Again("its leader has changed".to_owned()))
            }
            other => Err(failed(other)),
        }
    }

    async fn find(&self, shard: ShardId) -> Result<String, Failed> {
        let plan = self.plan().await?;
        let place = plan.places.into_iter().find(|place| place.shard == shard);
        place.and_then(|place| place.leader).ok_or_else(|| Failed::Again("it has no leader".to_owned()))
    }

    async fn of_leader<T>(&self, shard: ShardId, mut ask: impl AsyncFnMut(&str) -> Result<T, Failed>) -> io::Result<T> {
        let began = Instant::now();
        loop {
            let outcome = match self.find(shard).await {
                Ok(leader) => ask(&leader).await,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(answer) => return Ok(answer),
                Err(Failed::Again(_)) if began.elapsed() <= PATIENCE => sleep(AGAIN).await,
                Err(Failed::Again(why) | Failed::Never(why)) => {
                    return Err(io::Error::other(format!("shard {shard}: {why}")));
                }
            }
        }
    }

    async fn ask(&self, address: &str, question: Request) -> io::Result<Answer> {
        let exchange = async {
            let mut stream = self.port.dial_as_holder(address, Protocol::Backup).await?;
            message::send_question(&mut stream, question).await?;
            message::receive_answer(&mut stream).await
        };
        timeout(ANSWER_TIME, exchange).await?
    }
}

fn failed(answer: Answer) -> Failed {
    match answer {
        Answer::Refused(why) => Failed::Never(why),
        Answer::Unavailable(why) => Failed::Again(why),
        Answer::NotLeader(_) => Failed::Again("its leader has changed".to_owned()),
        Answer::Plan(_) | Answer::Digest(_) | Answer::Taken => {
            Failed::Never("an answer to another question".to_owned())
        }
    }
}
