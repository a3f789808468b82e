//! What a node without a place does: ask the others, again and again, until it has one.
//!
//! Each round asks and takes at most one step; the steps themselves are the
//! [`desk`](super::desk)'s. Between rounds it waits a little, with jitter and a bound, and says
//! every few seconds what it is waiting for.

use std::collections::VecDeque;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};
use troupe_core::Level;
use troupe_runtime::NodeCtx;

use super::ask::ask;
use super::desk::{Desk, FIRST, lists_differ};
use super::message::{Answer, Membership, Presence, Question, Standing};
use super::{Addresses, Birth, Identity, hex};
use crate::cluster::StartError;
use crate::port::Port;
use crate::port::dial::{DialError, Why};
use crate::waiting::Waiting;

const HELLO_TIME: Duration = Duration::from_secs(2);
const PROMISE_TIME: Duration = Duration::from_secs(5);
/// More than the other side spends on agreeing.
const JOIN_TIME: Duration = Duration::from_secs(15);
/// Nodes asked in one round for admission, hints included.
const JOIN_HOPS: usize = 16;
const DELAY_MIN: Duration = Duration::from_millis(50);
const DELAY_MAX: Duration = Duration::from_millis(500);
const LOG_EVERY: Duration = Duration::from_secs(5);

pub struct Gatherer<'a> {
    pub ctx: &'a NodeCtx,
    pub port: &'a Port,
    pub desk: &'a Desk,
    /// The founding list without this node.
    pub seeds: &'a [String],
    /// Told what each round waits for.
    pub waiting: &'a Waiting,
}

/// What a round came to.
enum Step {
    /// Something was written down: go on at once.
    Taken,
    /// What is missing, for the log.
    Wait(Vec<String>),
}

type Asked = (String, Result<Answer, DialError>);

fn refused<T>(text: String) -> Result<T, StartError> {
    Err(StartError::Refused(text))
}

impl Gatherer<'_> {
    /// Returns with a confirmed identity.
    pub async fn settle(&self) -> Result<Identity, StartError> {
        if let Some(identity) = self.desk.identity().await?.filter(|identity| identity.confirmed) {
            self.check_seeds(&identity).await?;
            return Ok(identity);
        }
        let mut delay = DELAY_MIN;
        let mut logged: Option<Instant> = None;
        loop {
            let step = match self.desk.identity().await? {
                None => self.seek().await?,
                Some(identity) if identity.confirmed => return Ok(identity),
                Some(Identity { birth: Some(birth), me, .. }) if me == FIRST => self.found(&birth).await?,
                Some(Identity { birth: Some(birth), .. }) => self.follow(&birth).await?,
                Some(Identity { birth: None, .. }) => {
                    return refused("this data directory's identity is damaged".into());
                }
            };
            let Step::Wait(reasons) = step else {
                delay = DELAY_MIN;
                continue;
            };
            let reasons = format!("waiting for a place in a cluster: {}", reasons.join("; "));
            if logged.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
                info!("{reasons}");
                logged = Some(Instant::now());
            }
            self.waiting.tell(reasons);
            let jittered = self.ctx.rng.range(delay.as_millis() as u64 / 2, delay.as_millis() as u64);
            tokio::select! {
                biased;
                () = self.desk.changed() => {}
                () = sleep(Duration::from_millis(jittered)) => {}
            }
            delay = (delay * 2).min(DELAY_MAX);
        }
    }

    /// A node that comes back needs nobody, but must not be pointed at another cluster.
    async fn check_seeds(&self, identity: &Identity) -> Result<(), StartError> {
        let mut other = None;
        for (address, answer) in self.ask_all(self.seeds, &Question::Hello, HELLO_TIME).await {
            match answer {
                Ok(Answer::Standing(Presence { standing: Standing::Member(theirs), .. })) => {
                    let cluster = theirs.cluster_id;
                    if cluster == identity.cluster_id {
                        return Ok(());
                    }
                    other = Some((address, cluster));
                }
                Err(error) if distrusts(&error) => warn!("{error}"),
                _ => {}
            }
        }
        match other {
            None => Ok(()),
            Some((address, cluster)) => refused(format!(
                "this data directory belongs to cluster {}, but {address} belongs to cluster {}: give this node the join list of its own cluster, or an empty data directory to join that one",
                hex(identity.cluster_id),
                hex(cluster),
            )),
        }
    }

    /// An empty node looks for a cluster to join, or for the moment to found one.
    async fn seek(&self) -> Result<Step, StartError> {
        let asked = self.ask_all(self.seeds, &Question::Hello, HELLO_TIME).await;
        self.all_distrust(&asked)?;
        let mut round = Round::new();
        for (address, answer) in asked {
            match answer {
                Ok(Answer::Standing(presence)) => self.note(&mut round, address, presence)?,
                Ok(_) => round.missing.push(format!("{address} answers something else than who it is")),
                Err(error) => round.missing.push(error.to_string()),
            }
        }
        if let Some((_, cluster)) = round.members.first() {
            let cluster = *cluster;
            return self.join(cluster, round.members.into_iter().map(|(address, _)| address)).await;
        }
        if !round.missing.is_empty() {
            let (missing, all) = (round.missing.len(), self.desk.list().len());
            let texts = round.missing.join("; ");
            round.missing = vec![format!("{missing} of {all} nodes of the join list are missing: {texts}")];
        }
        // Where there is a cluster to join, it does not matter what those who are empty too were
        // started for.
        if let Some(bound) = self.desk.bound().await {
            round.missing.insert(0, bound.text().to_owned());
            return Ok(Step::Wait(round.missing));
        }
        if let Some(mistake) = round.mistake {
            // Who did not answer may be such a cluster.
            if round.missing.is_empty() {
                return refused(mistake);
            }
            round.missing.push(mistake);
        }
        if !round.missing.is_empty() {
            return Ok(Step::Wait(round.missing));
        }
        let first = &self.desk.list()[0];
        if *first != self.desk.me().cluster {
            return Ok(Step::Wait(vec![format!("all nodes are present; {first} is to found the cluster")]));
        }
        // A founder that was wiped before its cluster was confirmed goes on with the birth that the
        // others have promised: none of them has taken part in anything yet.
        let newest = round.newest.min(self.desk.levels().range.newest);
        let birth = round.promised.unwrap_or_else(|| {
            let mut nodes = round.empty;
            nodes.push(self.desk.me().clone());
            nodes.sort_by(|a, b| a.cluster.cmp(&b.cluster));
            Birth::new(self.ctx.rng.bytes(), newest, nodes)
        });
        if let Some(why) = self.desk.levels().objection(birth.level) {
            return refused(why);
        }
        match self.desk.promise(&birth).await? {
            Ok(()) => Ok(Step::Taken),
            // Somebody else's question was faster.
            Err(why) => Ok(Step::Wait(vec![why])),
        }
    }

    /// One peer's answer, held against the ones before it and our own list.
    fn note(&self, round: &mut Round, address: String, presence: Presence) -> Result<(), StartError> {
        let Presence { addresses, standing, levels } = presence;
        if let Standing::Member(Membership { cluster_id: cluster, in_force, .. }) = standing {
            if let Some(why) = in_force.refusal(self.desk.levels().range) {
                return refused(format!("{address} does not admit this node: {why}"));
            }
            if let Some((other, theirs)) = round.members.first().filter(|(_, theirs)| *theirs != cluster) {
                return refused(format!(
                    "the join list names nodes of two clusters: {other} belongs to {}, {address} to {}; list those of one",
                    hex(*theirs),
                    hex(cluster),
                ));
            }
            round.members.push((address, cluster));
            return Ok(());
        }
        let (me, ours) = (&self.desk.me().cluster, self.desk.list());
        let mistake = match standing {
            _ if addresses.cluster != address => format!(
                "the node at {address} calls itself {}: list every node by the address that it advertises",
                addresses.cluster
            ),
            Standing::Empty(theirs) if theirs != ours => lists_differ(me, ours, theirs.iter().map(String::as_str)),
            Standing::Promised(birth) if !birth.is_of(ours) => lists_differ(me, ours, birth.addresses()),
            Standing::Promised(birth) => match &round.promised {
                Some(other) if *other != birth => format!(
                    "{address} and another node have begun the births of two clusters: as nothing is stored yet, empty the data directories of all nodes"
                ),
                _ => {
                    round.promised = Some(birth);
                    return Ok(());
                }
            },
            Standing::Empty(_) => {
                round.newest = round.newest.min(levels.newest);
                round.empty.push(addresses);
                return Ok(());
            }
            Standing::Bound(_) => {
                round.missing.push(format!("{address} waits for its cluster itself"));
                return Ok(());
            }
            Standing::Member(_) => return Ok(()),
        };
        round.mistake.get_or_insert(mistake);
        Ok(())
    }

    async fn join(&self, cluster: [u8; 16], members: impl Iterator<Item = String>) -> Result<Step, StartError> {
        let Some(request) = self.desk.begin_join().await? else { return Ok(Step::Taken) };
        let question = Question::Join(request);
        let mut next: VecDeque<String> = members.collect();
        let mut reasons = Vec::new();
        for _ in 0..JOIN_HOPS {
            let Some(address) = next.pop_front() else { break };
            match self.ask(&address, &question, JOIN_TIME).await {
                Ok(Answer::Admitted(admission)) if admission.cluster_id == cluster => {
                    self.desk.admitted(admission).await?;
                    return Ok(Step::Taken);
                }
                Ok(Answer::NotLeader { hint: Some(hint) }) if hint != address => next.push_front(hint),
                Ok(Answer::NotLeader { .. }) => reasons.push(format!("{address} knows no leader to admit this node")),
                Ok(Answer::Removed) => {
                    info!(%address, "the node that this one was admitted as was removed before it came: it asks as a new one");
                    self.desk.forget_join().await?;
                    return Ok(Step::Taken);
                }
                Ok(Answer::Unavailable(why)) => reasons.push(format!("{address} cannot admit this node yet: {why}")),
                Ok(Answer::Refused(why)) => return refused(format!("{address} does not admit this node: {why}")),
                Ok(_) => reasons.push(format!("{address} answers something else than an admission")),
                Err(error) => reasons.push(error.to_string()),
            }
        }
        Ok(Step::Wait(reasons))
    }

    /// The first founder, its own promise written down, has all others promise.
    async fn found(&self, birth: &Birth) -> Result<Step, StartError> {
        let mut missing = Vec::new();
        for (address, answer) in self.ask_all(self.seeds, &Question::Promise(birth.clone()), PROMISE_TIME).await {
            match answer {
                Ok(Answer::Promised) => {}
                Ok(Answer::Refused(why)) => {
                    return refused(format!("{address} does not take part in the birth of this cluster: {why}"));
                }
                Ok(Answer::Unavailable(why)) => missing.push(format!("{address} cannot promise now: {why}")),
                Ok(_) => missing.push(format!("{address} answers something else than a promise")),
                Err(error) => missing.push(error.to_string()),
            }
        }
        if !missing.is_empty() {
            return Ok(Step::Wait(missing));
        }
        self.desk.confirm().await?;
        info!(cluster = %hex(birth.cluster_id), nodes = birth.founders.len(), "a cluster is born");
        Ok(Step::Taken)
    }

    /// The others wait for anybody who knows that all have promised.
    async fn follow(&self, birth: &Birth) -> Result<Step, StartError> {
        let mut missing = Vec::new();
        for (address, answer) in self.ask_all(self.seeds, &Question::Hello, HELLO_TIME).await {
            match answer {
                Ok(Answer::Standing(Presence { standing: Standing::Member(theirs), .. })) => {
                    let cluster = theirs.cluster_id;
                    if cluster == birth.cluster_id {
                        self.desk.confirm().await?;
                        return Ok(Step::Taken);
                    }
                    return refused(format!(
                        "this node has promised the birth of cluster {}, but {address} belongs to cluster {}: as nothing is stored here yet, empty this data directory to join that one",
                        hex(birth.cluster_id),
                        hex(cluster),
                    ));
                }
                Ok(_) => {}
                Err(error) => missing.push(error.to_string()),
            }
        }
        if missing.is_empty() {
            missing.push(format!("{} has yet to hear that all have promised", birth.founders[0].address));
        }
        Ok(Step::Wait(missing))
    }

    /// When every single peer rejects our token, the mistake is most likely here, and waiting does
    /// not help.
    fn all_distrust(&self, asked: &[Asked]) -> Result<(), StartError> {
        let mut errors = Vec::new();
        for (_, answer) in asked {
            match answer {
                Err(error) if distrusts(error) => errors.push(error.to_string()),
                _ => return Ok(()),
            }
        }
        if errors.is_empty() { Ok(()) } else { refused(errors.join("; ")) }
    }

    /// All at once; the answers in the order of the addresses.
    async fn ask_all(&self, addresses: &[String], question: &Question, within: Duration) -> Vec<Asked> {
        join_all(addresses.iter().map(async |address| (address.clone(), self.ask(address, question, within).await)))
            .await
    }

    async fn ask(&self, address: &str, question: &Question, within: Duration) -> Result<Answer, DialError> {
        ask(self.port, address, question, within).await
    }

    /// The address that this node advertises must not lead to another one: the others would take
    /// that one for this.
    pub async fn check_own_address(&self) -> Result<(), StartError> {
        let mine = self.desk.me().cluster.as_str();
        let answer = self.ask(mine, &Question::Hello, HELLO_TIME).await;
        let Ok(Answer::Standing(Presence { standing: Standing::Member(theirs), .. })) = answer else { return Ok(()) };
        // Read after the answer: it may have got its place meanwhile.
        let ours = self.desk.identity().await?.map(|ours| (ours.cluster_id, ours.me));
        let Some(node) = theirs.node.filter(|node| ours != Some((theirs.cluster_id, *node))) else { return Ok(()) };
        refused(format!(
            "cluster.advertise = {mine} is taken: node {node} of cluster {} answers there; advertise an address that leads to this node",
            hex(theirs.cluster_id)
        ))
    }
}

/// One round of an empty node.
struct Round {
    members: Vec<(String, [u8; 16])>,
    empty: Vec<Addresses>,
    /// The highest feature level that all of those support.
    newest: Level,
    promised: Option<Birth>,
    /// What the operator has to mend, unless there is a cluster to join.
    mistake: Option<String>,
    /// Who cannot be counted on, and why.
    missing: Vec<String>,
}

impl Round {
    fn new() -> Round {
        let newest = Level(u32::MAX);
        Round { members: Vec::new(), empty: Vec::new(), newest, promised: None, mistake: None, missing: Vec::new() }
    }
}

fn distrusts(error: &DialError) -> bool {
    matches!(error.why, Why::BadToken | Why::WithoutTls | Why::ExpectsTls)
}
