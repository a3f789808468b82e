//! Refuses growth when disks are almost full.
//!
//! A full disk stops a node, so growing commands are refused long before. The remaining space is
//! for elections, cursors and deletions, and for the storage engine, which needs space to free
//! space.

use std::collections::BTreeSet;

use troupe_core::NodeId;

use crate::transport::link::Links;
use crate::transport::vitals::LocalVitals;

/// Nodes with almost full disks, as far as this node reaches them.
pub fn low_nodes(me: NodeId, local_vitals: &LocalVitals, links: &Links) -> BTreeSet<NodeId> {
    let mut low = links.storage_low();
    if local_vitals.storage_low() {
        low.insert(me);
    }
    low
}

/// Whether growth of a shard is refused: the disk of this node, which leads it, or the disks of a
/// majority of its replicas are almost full. A minority of full disks stops no user, like a
/// minority of lost nodes.
pub fn refuses(me: NodeId, low: &BTreeSet<NodeId>, replicas: &[NodeId]) -> bool {
    low.contains(&me) || 2 * replicas.iter().filter(|node| low.contains(node)).count() > replicas.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minority_of_low_disks_stops_nobody() {
        let replicas = [1, 2, 3].map(NodeId);
        let refuses = |me, low: &[u64]| refuses(NodeId(me), &low.iter().copied().map(NodeId).collect(), &replicas);
        assert!(!refuses(1, &[]) && !refuses(1, &[2]) && !refuses(1, &[2, 9]));
        assert!(refuses(1, &[1]) && refuses(1, &[2, 3]));
    }
}
