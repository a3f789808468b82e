//! Leaderships, as the leaders announce them with each pong ([`crate::transport::vitals`]): the
//! group, the time of the last acknowledgement by a majority, and the group's commit index.

use std::collections::BTreeMap;

use openraft::Instant as _;
use tokio::time::{Duration, Instant};
use troupe_core::{Epoch, ShardId};
use troupe_proto::wire::raft as wire;

use crate::types::{GroupId, Metrics, led_epoch};

/// A leadership, as the leader announces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lead {
    pub epoch: Epoch,
    /// The time of the last acknowledgement by a majority.
    pub confirmed: Instant,
    /// `None`: the leader's version does not announce it.
    pub committed: Option<u64>,
}

impl Lead {
    /// `None` unless this replica leads and a majority has acknowledged it.
    pub fn of(metrics: &Metrics, now: Instant) -> Option<Lead> {
        let epoch = led_epoch(metrics)?;
        let mut voters = metrics.membership_config.voter_ids();
        // openraft records no acknowledgement for a single voter, which needs none.
        let alone = voters.next() == Some(metrics.id) && voters.next().is_none();
        let confirmed = if alone { now } else { now.checked_sub(metrics.last_quorum_acked?.elapsed())? };
        Some(Lead { epoch, confirmed, committed: Some(metrics.local_committed.map_or(0, |id| id.index)) })
    }
}

/// Everything that a peer leads.
pub type Leads = BTreeMap<GroupId, Lead>;

/// The announcement of this node.
pub fn out(group: GroupId, lead: &Lead, now: Instant) -> wire::Leadership {
    wire::Leadership {
        group: group.0,
        epoch: lead.epoch.0,
        confirmed_ms_ago: u64::try_from(now.duration_since(lead.confirmed).as_millis()).unwrap_or(u64::MAX),
        committed: lead.committed.unwrap_or(0),
    }
}

/// An older confirmation is ignored.
const FORGOTTEN: Duration = Duration::from_secs(60 * 60);

/// The announcement of a peer.
pub fn told(leads: Vec<wire::Leadership>, now: Instant) -> Leads {
    let lead = |lead: wire::Leadership| {
        let age = Duration::from_millis(lead.confirmed_ms_ago);
        let confirmed = now.checked_sub(age).filter(|_| age < FORGOTTEN)?;
        Some((GroupId(lead.group), Lead { epoch: Epoch(lead.epoch), confirmed, committed: Some(lead.committed) }))
    };
    leads.into_iter().filter_map(lead).collect()
}

/// The leaderships of a peer of an earlier version, which announces neither confirmation nor commit
/// index.
pub fn believed(leads: &BTreeMap<ShardId, Epoch>, now: Instant) -> Leads {
    let lead = |epoch: &Epoch| Lead { epoch: *epoch, confirmed: now, committed: None };
    leads.iter().map(|(shard, epoch)| (GroupId::of(*shard), lead(epoch))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_told_survives_the_wire() {
        let then = Instant::now();
        tokio::time::advance(Duration::from_secs(9)).await;
        let now = Instant::now();
        let lead = |epoch, confirmed, committed| Lead { epoch: Epoch(epoch), confirmed, committed: Some(committed) };
        let leads = Leads::from([(GroupId::META, lead(3, now, 0)), (GroupId(7), lead(4, then, 900))]);
        assert_eq!(told(leads.iter().map(|(group, lead)| out(*group, lead, now)).collect(), now), leads);
        let long_ago = wire::Leadership { confirmed_ms_ago: u64::MAX, ..Default::default() };
        assert_eq!(told(vec![long_ago], now), Leads::new());
    }
}
