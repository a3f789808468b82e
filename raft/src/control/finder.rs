//! Searches for nodes that are not at the address in the table: all machines got new addresses, two
//! swapped theirs, or the table has a mistyped address.
//!
//! A node that answers a formation request names itself. So the finder asks at every known address:
//! those of the `join` list, those that the missing nodes announced, those in the table, and those
//! that a few other nodes believe in. An answer is only a hint where to dial. The link that follows
//! it verifies the certificate. When the links are back, the meta group has a leader, and each node
//! has its address corrected ([`meta_controller`](crate::control::meta_controller)).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;
use troupe_core::NodeId;
use troupe_runtime::{Backoff, Platform};

use crate::formation::who_is_at;
use crate::transport::link::Links;
use crate::transport::port::Port;

/// The interval between two checks for missing nodes.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The shortest interval between two rounds of requests.
const ASK_MIN: Duration = Duration::from_secs(1);
/// The interval grows, because a node that is switched off answers nowhere.
const BETWEEN_ROUNDS: Backoff = Backoff::new(ASK_MIN, Duration::from_secs(30));
/// Addresses asked in one round. Later ones are not asked; a node there must dial by itself.
const ADDRESSES: usize = 64;
/// Other nodes asked per round where they believe the missing ones to be.
const WITNESSES: usize = 3;

pub struct Finder {
    pub platform: Platform,
    pub port: Port,
    pub links: Links,
    pub cluster_id: [u8; 16],
    pub me: NodeId,
    /// The cluster address of this node.
    pub address: String,
    /// The `join` list without this node.
    pub seeds: Vec<String>,
}

impl Finder {
    /// Runs until it is dropped.
    pub async fn run(self) {
        let places = self.port.address_book();
        let mut known_missing = Vec::new();
        let mut backoff = BETWEEN_ROUNDS;
        let mut pause = ASK_MIN;
        let mut asked: Option<Instant> = None;
        let mut tick = self.platform.beat.interval(LOOK_EVERY);
        loop {
            let told = tokio::select! {
                () = places.news() => true,
                _ = tick.tick() => false,
            };
            let missing = self.missing();
            // A restarting node returns before it is searched for.
            let lasting = missing == known_missing;
            if !lasting {
                known_missing = missing.clone();
                backoff.reset();
                pause = ASK_MIN;
            }
            let due = asked.is_none_or(|asked| asked.elapsed() >= pause);
            if missing.is_empty() || !(told || (lasting && due)) {
                continue;
            }
            if self.look_for(&missing).await {
                backoff.reset();
            }
            pause = backoff.pause(&self.platform.rng);
            asked = Some(Instant::now());
        }
    }

    fn missing(&self) -> Vec<NodeId> {
        let nodes = self.port.address_book().nodes().into_iter();
        nodes.filter(|node| *node != self.me && !self.links.reachable(*node)).collect()
    }

    /// Returns whether any of them was found at a new address.
    async fn look_for(&self, missing: &[NodeId]) -> bool {
        let places = self.port.address_book();
        let mut first: Vec<String> = places.guesses(missing);
        first.extend(self.seeds.iter().cloned());
        first.extend(self.witnesses());
        let mut seen = BTreeSet::from([self.address.clone()]);
        let (mut news, told) = self.ask(missing, first, &mut seen).await;
        let second = told.into_iter().filter(|(node, _)| missing.contains(node)).map(|(_, address)| address).collect();
        news |= self.ask(missing, second, &mut seen).await.0;
        news
    }

    fn witnesses(&self) -> Vec<String> {
        let places = self.port.address_book().all().into_iter();
        let mut near: Vec<String> = places
            .filter(|(node, _)| *node != self.me && self.links.reachable(*node))
            .map(|(_, address)| address)
            .collect();
        // A random start: each round asks other nodes, which may know other addresses.
        if !near.is_empty() {
            let turn = self.platform.rng.range(0, near.len() as u64) as usize;
            near.rotate_left(turn);
            near.truncate(WITNESSES);
        }
        near
    }

    /// Asks at all addresses that are not in `seen`. Returns whether that brought news, and where
    /// the answering nodes believe others to be.
    async fn ask(
        &self,
        missing: &[NodeId],
        addresses: Vec<String>,
        seen: &mut BTreeSet<String>,
    ) -> (bool, BTreeMap<NodeId, String>) {
        let new: Vec<String> = addresses.into_iter().filter(|address| seen.insert(address.clone())).collect();
        let asked = join_all(new.iter().take(ADDRESSES).map(async |address| {
            let answer = who_is_at(&self.port, address).await;
            (address, answer)
        }));
        let (mut news, mut told) = (false, BTreeMap::new());
        for (address, answer) in asked.await {
            let Some(found) = answer.filter(|found| found.cluster_id == self.cluster_id) else { continue };
            let Some(node) = found.node else { continue };
            if missing.contains(&node) && self.port.address_book().found(node, address) {
                tracing::info!(%node, %address, "found at an address other than the one in the table");
                news = true;
            }
            told.extend(found.nodes);
        }
        (news, told)
    }
}
