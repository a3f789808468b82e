//! The state of a cluster that continues with one of its nodes, after the others are lost.

use std::collections::{BTreeMap, BTreeSet};

use troupe_core::{Level, NodeId, ReplicaId, ShardId};

use crate::level::InForce;

use super::{Member, MetaCommand, MetaState, Placement};
use crate::api::NodeState;

impl MetaState {
    /// The same state under another cluster id, with `me` as its only node and its copies as the
    /// only replicas. A shard without a copy begins empty, under a new replica id. The target of
    /// replication stays, so new nodes get copies.
    pub fn recovered(
        &self,
        cluster_id: [u8; 16],
        history: u64,
        me: NodeId,
        copies: &BTreeMap<ShardId, ReplicaId>,
    ) -> Result<MetaState, String> {
        let mut then = self.clone();
        let origin = std::mem::replace(&mut then.cluster_id, cluster_id);
        then.apply(MetaCommand::Adopt { history, origin })?;
        // The entries that the recovery writes are of this level, and no other member is left.
        if then.in_force.level < Level::SECOND {
            then.in_force = InForce::at(Level::SECOND);
        }
        let gone: BTreeSet<NodeId> = self.nodes.keys().copied().filter(|node| *node != me).collect();
        for node in gone {
            if let Some(Member { addresses, .. }) = then.nodes.remove(&node) {
                then.removed.insert(node, addresses.cluster);
            }
        }
        let member = then.nodes.get_mut(&me).ok_or_else(|| self.unknown(me))?;
        member.state = NodeState::Active;
        for (shard, place) in &mut then.placement {
            let (replica, version) = match copies.get(shard) {
                // The members come from the log of the copy, not from the placement as in a new
                // shard.
                Some(replica) => (*replica, place.version + 1),
                None => {
                    then.last_replica += 1;
                    (ReplicaId(then.last_replica), 0)
                }
            };
            *place = Placement { replicas: vec![(me, replica)], version, moving: None };
        }
        Ok(then)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Addresses, LoginPolicy};

    #[test]
    fn one_node_goes_on_with_what_it_has_and_the_others_are_out() {
        let mut state = MetaState::default();
        let addresses = |n: u64| Addresses { cluster: format!("c{n}"), ..Addresses::default() };
        let found = MetaCommand::Found {
            cluster_id: [7; 16],
            shards: 5,
            replication: 3,
            login_policy: LoginPolicy::Replace,
            settings: crate::api::Settings::default(),
            in_force: crate::level::InForce::at(troupe_core::Level::NEWEST),
            nodes: (1..=5).map(|n| (NodeId(n), addresses(n))).collect(),
        };
        state.apply(found).unwrap();
        let me = NodeId(2);
        let held = state.placement.iter().filter_map(|(shard, place)| Some((*shard, place.replica(me)?)));
        let copies: BTreeMap<ShardId, ReplicaId> = held.collect();
        assert_eq!(copies.len(), 3);
        let then = state.recovered([8; 16], 99, me, &copies).unwrap();
        assert_eq!((then.cluster_id, then.history, then.continues.as_slice()), ([8; 16], 99, [[7; 16]].as_slice()));
        assert_eq!((then.nodes.len(), then.removed.len(), then.target), (1, 4, 3));
        for (shard, place) in &then.placement {
            assert_eq!(place.replicas.len(), 1);
            let replica = place.replica(me).unwrap();
            match copies.get(shard) {
                Some(copy) => assert!(replica == *copy && place.version == 1),
                None => assert!(!state.has_handed_out(replica) && then.has_handed_out(replica) && place.version == 0),
            }
        }
        assert!(state.recovered([8; 16], 99, NodeId(9), &copies).is_err());
    }
}
