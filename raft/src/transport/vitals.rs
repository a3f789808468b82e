//! The state that nodes announce with each pong on their links: the shards that they lead, their
//! clock, whether their disk is almost full, the largest call that they accept, and the feature
//! levels that they support.
//!
//! Earlier versions answer a ping with a bare list of leaderships. A ping of this version carries a
//! [`wire::Ping`], which earlier versions ignore. Its answer is a [`wire::Pong`] under the target
//! [`PONG`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Buf, Bytes};
use prost::Message;
use tokio::time::{Duration, Instant};
use troupe_core::{Epoch, NodeId, ShardId, Timestamp};
use troupe_proto::wire::raft as wire;

use crate::level::{Support, range_out, support_in};
use crate::transport::clocks::Clocks;
use crate::transport::frame::{CALL_BYTES, PAYLOAD_BYTES};
use crate::transport::leads;

/// The target of a reply that is a [`wire::Pong`].
pub const PONG: u64 = 1;
/// A clock reading with a longer round trip is ignored: its error is up to half of the round trip.
const ROUND_TRIP_MAX: Duration = Duration::from_millis(1_000);

/// The leaderships of the peer.
pub type Leads = Arc<BTreeMap<ShardId, Epoch>>;

/// The announcements of a peer.
#[derive(Clone, Debug, Default)]
pub struct Vitals {
    pub leads: Leads,
    /// The same including the meta group, with confirmations and commit indexes.
    pub groups: Arc<leads::Leads>,
    /// The largest call that the peer accepts; calls above a frame are sent in pieces. `None`
    /// before the first pong.
    pub call_bytes: Option<usize>,
    pub storage_low: bool,
    /// `None` before the first pong.
    pub support: Option<Support>,
}

/// The announcements of this node. Shared, cheap to clone.
#[derive(Clone)]
pub struct LocalVitals {
    storage_low: Arc<AtomicBool>,
    support: Arc<Support>,
}

impl LocalVitals {
    pub fn new(support: Support) -> LocalVitals {
        LocalVitals { storage_low: Arc::default(), support: Arc::new(support) }
    }

    pub fn support(&self) -> &Support {
        &self.support
    }

    pub fn storage_low(&self) -> bool {
        self.storage_low.load(Ordering::Relaxed)
    }

    pub fn set_storage_low(&self, low: bool) {
        self.storage_low.store(low, Ordering::Relaxed);
    }

    /// The answer to a ping, and the target of its frame.
    pub fn answer(
        &self,
        ping: &[u8],
        leads: &BTreeMap<ShardId, Epoch>,
        groups: Vec<wire::Leadership>,
        now: Timestamp,
    ) -> (u64, Vec<u8>) {
        let leads = leads_out(leads);
        match wire::Ping::decode(ping) {
            // A peer that announces no levels is 0.1, also in tests, and gets the answer of 0.1.
            Ok(ping) if ping.number != 0 && *self.support != Support::unsaid() => {
                let (number, now_ms, call_bytes) = (ping.number, now.0, CALL_BYTES as u64);
                let storage_low = self.storage_low();
                let (levels, version) = (range_out(self.support.range), self.support.version.clone());
                let leads = leads.into();
                let pong = wire::Pong { number, leads, now_ms, call_bytes, storage_low, groups, levels, version };
                (PONG, pong.encode_to_vec())
            }
            _ => (0, leads),
        }
    }
}

/// The asking side of one connection.
pub struct Pings {
    peer: NodeId,
    clocks: Clocks,
    last: u64,
    sent: Instant,
}

impl Pings {
    pub fn new(peer: NodeId, clocks: Clocks) -> Pings {
        Pings { peer, clocks, last: 0, sent: Instant::now() }
    }

    /// The payload of the next ping.
    pub fn ask(&mut self) -> Bytes {
        self.last += 1;
        self.sent = Instant::now();
        wire::Ping { number: self.last }.encode_to_vec().into()
    }

    /// Decodes a pong. An unreadable one counts as empty.
    pub fn answered(&self, target: u64, payload: Bytes) -> Vitals {
        if target != PONG {
            // An earlier version accepts no pieces.
            let leads = leads_in(payload);
            let groups = Arc::new(leads::believed(&leads, Instant::now()));
            let leads = Arc::new(leads);
            let support = Some(Support::unsaid());
            return Vitals { leads, groups, call_bytes: Some(PAYLOAD_BYTES), storage_low: false, support };
        }
        let Ok(pong) = wire::Pong::decode(payload) else { return Vitals::default() };
        let round_trip = self.sent.elapsed();
        if pong.number == self.last && round_trip <= ROUND_TRIP_MAX {
            let here = Timestamp(pong.now_ms.saturating_add(round_trip.as_millis() as u64 / 2));
            self.clocks.note(self.peer, here, Instant::now());
        }
        let call_bytes = usize::try_from(pong.call_bytes).unwrap_or(CALL_BYTES).clamp(PAYLOAD_BYTES, CALL_BYTES);
        let leads = Arc::new(leads_in(pong.leads));
        let groups = Arc::new(leads::told(pong.groups, Instant::now()));
        let support = Some(support_in(pong.levels, &pong.version));
        Vitals { leads, groups, call_bytes: Some(call_bytes), storage_low: pong.storage_low, support }
    }
}

/// Pairs of a shard and the epoch of its leadership.
fn leads_out(leads: &BTreeMap<ShardId, Epoch>) -> Vec<u8> {
    leads.iter().flat_map(|(shard, epoch)| shard.0.to_be_bytes().into_iter().chain(epoch.0.to_be_bytes())).collect()
}

fn leads_in(mut bytes: Bytes) -> BTreeMap<ShardId, Epoch> {
    const PAIR: usize = 4 + 8;
    let mut leads = BTreeMap::new();
    while bytes.len() >= PAIR {
        leads.insert(ShardId(bytes.get_u32()), Epoch(bytes.get_u64()));
    }
    leads
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads() -> BTreeMap<ShardId, Epoch> {
        BTreeMap::from([(ShardId(3), Epoch(7)), (ShardId(5), Epoch(1))])
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_of_this_version_says_everything() {
        let local_vitals = LocalVitals::new(Support::ours());
        local_vitals.set_storage_low(true);
        let clocks = Clocks::default();
        let mut pings = Pings::new(NodeId(2), clocks.clone());
        let ping = pings.ask();
        tokio::time::advance(Duration::from_millis(100)).await;
        let (target, pong) = local_vitals.answer(&ping, &leads(), Vec::new(), Timestamp(5_000));
        let vitals = pings.answered(target, pong.into());
        assert_eq!((&*vitals.leads, vitals.call_bytes, vitals.storage_low), (&leads(), Some(CALL_BYTES), true));
        assert_eq!(vitals.support, Some(Support::ours()));
        assert_eq!(clocks.skews(Timestamp(5_000)), BTreeMap::from([(NodeId(2), 50)]), "half of the round trip");
    }

    #[tokio::test(start_paused = true)]
    async fn earlier_versions_are_asked_and_answered_as_they_were() {
        // An earlier version pings with an empty payload and answers with its leaderships only.
        let (target, bare) = LocalVitals::new(Support::ours()).answer(&[], &leads(), Vec::new(), Timestamp(1));
        assert_eq!((target, bare.len()), (0, 24));
        let clocks = Clocks::default();
        let mut pings = Pings::new(NodeId(2), clocks.clone());
        pings.ask();
        let vitals = pings.answered(0, bare.into());
        assert_eq!((&*vitals.leads, vitals.call_bytes, vitals.storage_low), (&leads(), Some(PAYLOAD_BYTES), false));
        assert_eq!(vitals.support, Some(Support::unsaid()), "what says nothing of levels supports the first");
        assert!(clocks.skews(Timestamp(1)).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_late_measures_no_clock() {
        let clocks = Clocks::default();
        let mut pings = Pings::new(NodeId(2), clocks.clone());
        let first = pings.ask();
        let (target, late) = LocalVitals::new(Support::ours()).answer(&first, &leads(), Vec::new(), Timestamp(9));
        tokio::time::advance(2 * ROUND_TRIP_MAX).await;
        pings.answered(target, late.clone().into());
        pings.ask();
        pings.answered(target, late.into());
        assert!(clocks.skews(Timestamp(9)).is_empty(), "too late, and of another ping");
    }
}
