//! Finds a cluster for a node without an identity: asks its peers, round after round, until it has
//! one.
//!
//! Each round asks and takes at most one step. The steps themselves belong to the
//! [`identity_store`](super::identity_store). Between rounds it backs off, and every few seconds it
//! logs what it is waiting for.

use std::collections::VecDeque;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};
use troupe_core::Level;
use troupe_runtime::{Backoff, Platform};

use super::ask::ask;
use super::bootstrap::{Bootstrap, hex};
use super::identity::Identity;
use super::identity_store::{FIRST, IdentityStore, lists_differ};
use super::message::{Answer, Membership, PeerState, PeerStatus, Question};
use crate::api::{Addresses, StartError};
use crate::formation::waiting::Waiting;
use crate::transport::port::Port;
use crate::transport::port::dial::{DialError, Why};

const HELLO_TIME: Duration = Duration::from_secs(2);
const PROMISE_TIME: Duration = Duration::from_secs(5);
/// Longer than the other side spends on the admission.
const JOIN_TIME: Duration = Duration::from_secs(15);
/// Nodes asked for admission in one round, including hints.
const JOIN_HOPS: usize = 16;
const BETWEEN_ROUNDS: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(500));
const LOG_EVERY: Duration = Duration::from_secs(5);

pub struct Gatherer<'a> {
    pub platform: &'a Platform,
    pub port: &'a Port,
    pub identity_store: &'a IdentityStore,
    /// The founding list without this node.
    pub seeds: &'a [String],
    /// Receives what each round waits for.
    pub waiting: &'a Waiting,
}

/// The result of a round.
enum Step {
    /// A decision was written down: continue at once.
    Taken,
    /// The obstacles, for the log.
    Wait(Vec<String>),
}

type Asked = (String, Result<Answer, DialError>);

fn refused<T>(text: String) -> Result<T, StartError> {
    Err(StartError::Refused(text))
}

impl Gatherer<'_> {
    /// Returns with a confirmed identity.
    pub async fn settle(&self) -> Result<Identity, StartError> {
        if let Some(identity) = self.identity_store.identity().await?.filter(|identity| identity.confirmed) {
            self.check_seeds(&identity).await?;
            return Ok(identity);
        }
        let mut backoff = BETWEEN_ROUNDS;
        let mut logged: Option<Instant> = None;
        loop {
            let step = match self.identity_store.identity().await? {
                None => self.seek().await?,
                Some(identity) if identity.confirmed => return Ok(identity),
                Some(Identity { bootstrap: Some(bootstrap), me, .. }) if me == FIRST => self.found(&bootstrap).await?,
                Some(Identity { bootstrap: Some(bootstrap), .. }) => self.follow(&bootstrap).await?,
                Some(Identity { bootstrap: None, .. }) => {
                    return refused("this data directory's identity is damaged".into());
                }
            };
            let Step::Wait(reasons) = step else {
                backoff.reset();
                continue;
            };
            let reasons = format!("waiting for a place in a cluster: {}", reasons.join("; "));
            if logged.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
                info!("{reasons}");
                logged = Some(Instant::now());
            }
            self.waiting.tell(reasons);
            tokio::select! {
                biased;
                () = self.identity_store.changed() => {}
                () = sleep(backoff.pause(&self.platform.rng)) => {}
            }
        }
    }

    /// A returning node needs no other, but must not be pointed at another cluster.
    async fn check_seeds(&self, identity: &Identity) -> Result<(), StartError> {
        let mut other = None;
        for (address, answer) in self.ask_all(self.seeds, &Question::Hello, HELLO_TIME).await {
            match answer {
                Ok(Answer::Status(PeerStatus { state: PeerState::Member(theirs), .. })) => {
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

    /// An empty node searches for a cluster to join, or for the moment to bootstrap one.
    async fn seek(&self) -> Result<Step, StartError> {
        let asked = self.ask_all(self.seeds, &Question::Hello, HELLO_TIME).await;
        self.all_distrust(&asked)?;
        let mut round = Round::new();
        for (address, answer) in asked {
            match answer {
                Ok(Answer::Status(presence)) => self.note(&mut round, address, presence)?,
                Ok(_) => round.missing.push(format!("{address} does not answer with its status")),
                Err(error) => round.missing.push(error.to_string()),
            }
        }
        if let Some((_, cluster)) = round.members.first() {
            let cluster = *cluster;
            return self.join(cluster, round.members.into_iter().map(|(address, _)| address)).await;
        }
        if !round.missing.is_empty() {
            let (missing, all) = (round.missing.len(), self.identity_store.list().len());
            let texts = round.missing.join("; ");
            round.missing = vec![format!("{missing} of {all} nodes of the join list are missing: {texts}")];
        }
        // If there is a cluster to join, the join lists of empty peers do not matter.
        if let Some(awaiting) = self.identity_store.awaiting().await {
            round.missing.insert(0, awaiting.text().to_owned());
            return Ok(Step::Wait(round.missing));
        }
        if let Some(mistake) = round.mistake {
            // A silent peer may belong to such a cluster.
            if round.missing.is_empty() {
                return refused(mistake);
            }
            round.missing.push(mistake);
        }
        if !round.missing.is_empty() {
            return Ok(Step::Wait(round.missing));
        }
        let first = &self.identity_store.list()[0];
        if *first != self.identity_store.me().cluster {
            return Ok(Step::Wait(vec![format!("all nodes are present; {first} bootstraps the cluster")]));
        }
        // A founder that was wiped before its cluster was confirmed continues with the bootstrap
        // that the others have promised: none of them has taken part in anything yet.
        let newest = round.newest.min(self.identity_store.levels().range.newest);
        let bootstrap = round.promised.unwrap_or_else(|| {
            let mut nodes = round.empty;
            nodes.push(self.identity_store.me().clone());
            nodes.sort_by(|a, b| a.cluster.cmp(&b.cluster));
            Bootstrap::new(self.platform.rng.bytes(), newest, nodes)
        });
        if let Some(why) = self.identity_store.levels().objection(bootstrap.level) {
            return refused(why);
        }
        match self.identity_store.promise(&bootstrap).await? {
            Ok(()) => Ok(Step::Taken),
            // Another node's request came first.
            Err(why) => Ok(Step::Wait(vec![why])),
        }
    }

    /// Compares one peer's answer with the previous ones and with this node's list.
    fn note(&self, round: &mut Round, address: String, presence: PeerStatus) -> Result<(), StartError> {
        let PeerStatus { addresses, state: standing, levels } = presence;
        if let PeerState::Member(Membership { cluster_id: cluster, in_force, .. }) = standing {
            if let Some(why) = in_force.refusal(self.identity_store.levels().range) {
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
        let (me, ours) = (&self.identity_store.me().cluster, self.identity_store.list());
        let mistake = match standing {
            _ if addresses.cluster != address => format!(
                "the node at {address} calls itself {}: list every node by the address that it advertises",
                addresses.cluster
            ),
            PeerState::Empty(theirs) if theirs != ours => lists_differ(me, ours, theirs.iter().map(String::as_str)),
            PeerState::Promised(bootstrap) if !bootstrap.is_of(ours) => lists_differ(me, ours, bootstrap.addresses()),
            PeerState::Promised(bootstrap) => match &round.promised {
                Some(other) if *other != bootstrap => format!(
                    "{address} and another node have begun to bootstrap two clusters: as nothing is stored yet, empty the data directories of all nodes"
                ),
                _ => {
                    round.promised = Some(bootstrap);
                    return Ok(());
                }
            },
            PeerState::Empty(_) => {
                round.newest = round.newest.min(levels.newest);
                round.empty.push(addresses);
                return Ok(());
            }
            PeerState::Awaiting(_) => {
                round.missing.push(format!("{address} waits for its cluster too"));
                return Ok(());
            }
            PeerState::Member(_) => return Ok(()),
        };
        round.mistake.get_or_insert(mistake);
        Ok(())
    }

    async fn join(&self, cluster: [u8; 16], members: impl Iterator<Item = String>) -> Result<Step, StartError> {
        let Some(request) = self.identity_store.begin_join().await? else { return Ok(Step::Taken) };
        let question = Question::Join(request);
        let mut next: VecDeque<String> = members.collect();
        let mut reasons = Vec::new();
        for _ in 0..JOIN_HOPS {
            let Some(address) = next.pop_front() else { break };
            match self.ask(&address, &question, JOIN_TIME).await {
                Ok(Answer::Admitted(admission)) if admission.cluster_id == cluster => {
                    self.identity_store.admitted(admission).await?;
                    return Ok(Step::Taken);
                }
                Ok(Answer::NotLeader { hint: Some(hint) }) if hint != address => next.push_front(hint),
                Ok(Answer::NotLeader { .. }) => {
                    reasons.push(format!("{address} knows no leader that admits this node"))
                }
                Ok(Answer::Removed) => {
                    info!(%address, "this node was admitted and removed before it joined: it asks again as a new node");
                    self.identity_store.forget_join().await?;
                    return Ok(Step::Taken);
                }
                Ok(Answer::Unavailable(why)) => reasons.push(format!("{address} cannot admit this node yet: {why}")),
                Ok(Answer::Refused(why)) => return refused(format!("{address} does not admit this node: {why}")),
                Ok(_) => reasons.push(format!("{address} answers with something other than an admission")),
                Err(error) => reasons.push(error.to_string()),
            }
        }
        Ok(Step::Wait(reasons))
    }

    /// The first founder, after its own promise, has all others promise.
    async fn found(&self, bootstrap: &Bootstrap) -> Result<Step, StartError> {
        let mut missing = Vec::new();
        for (address, answer) in self.ask_all(self.seeds, &Question::Promise(bootstrap.clone()), PROMISE_TIME).await {
            match answer {
                Ok(Answer::Promised) => {}
                Ok(Answer::Refused(why)) => {
                    return refused(format!("{address} does not take part in the bootstrap of this cluster: {why}"));
                }
                Ok(Answer::Unavailable(why)) => missing.push(format!("{address} cannot promise now: {why}")),
                Ok(_) => missing.push(format!("{address} answers with something other than a promise")),
                Err(error) => missing.push(error.to_string()),
            }
        }
        if !missing.is_empty() {
            return Ok(Step::Wait(missing));
        }
        self.identity_store.confirm().await?;
        info!(cluster = %hex(bootstrap.cluster_id), nodes = bootstrap.founders.len(), "bootstrapped a cluster");
        Ok(Step::Taken)
    }

    /// The other founders wait for a node that knows that all have promised.
    async fn follow(&self, bootstrap: &Bootstrap) -> Result<Step, StartError> {
        let mut missing = Vec::new();
        for (address, answer) in self.ask_all(self.seeds, &Question::Hello, HELLO_TIME).await {
            match answer {
                Ok(Answer::Status(PeerStatus { state: PeerState::Member(theirs), .. })) => {
                    let cluster = theirs.cluster_id;
                    if cluster == bootstrap.cluster_id {
                        self.identity_store.confirm().await?;
                        return Ok(Step::Taken);
                    }
                    return refused(format!(
                        "this node has promised the bootstrap of cluster {}, but {address} belongs to cluster {}: as nothing is stored here yet, empty this data directory to join that one",
                        hex(bootstrap.cluster_id),
                        hex(cluster),
                    ));
                }
                Ok(_) => {}
                Err(error) => missing.push(error.to_string()),
            }
        }
        if missing.is_empty() {
            missing.push(format!("{} does not know yet that all have promised", bootstrap.founders[0].address));
        }
        Ok(Step::Wait(missing))
    }

    /// If every peer rejects our token, the mistake is probably here, and waiting does not help.
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

    /// Asks all at once; the answers are in the order of the addresses.
    async fn ask_all(&self, addresses: &[String], question: &Question, within: Duration) -> Vec<Asked> {
        join_all(addresses.iter().map(async |address| (address.clone(), self.ask(address, question, within).await)))
            .await
    }

    async fn ask(&self, address: &str, question: &Question, within: Duration) -> Result<Answer, DialError> {
        ask(self.port, address, question, within).await
    }

    /// The address that this node advertises must not lead to another node, which the others would
    /// take for this one.
    pub async fn check_own_address(&self) -> Result<(), StartError> {
        let mine = self.identity_store.me().cluster.as_str();
        let answer = self.ask(mine, &Question::Hello, HELLO_TIME).await;
        let Ok(Answer::Status(PeerStatus { state: PeerState::Member(theirs), .. })) = answer else { return Ok(()) };
        // Read after the answer: the node may have got its identity meanwhile.
        let ours = self.identity_store.identity().await?.map(|ours| (ours.cluster_id, ours.me));
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
    /// The highest feature level that all asked nodes support.
    newest: Level,
    promised: Option<Bootstrap>,
    /// The mistake that the operator must correct, unless there is a cluster to join.
    mistake: Option<String>,
    /// Peers that are missing, and why.
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
