//! Nodes that come and go: admissions, orders and refusals of the meta group.

use std::ops::Bound;

use troupe_core::NodeId;

use super::{Member, MetaCommand, MetaState};
use crate::api::{Addresses, NodeState};

impl MetaState {
    pub(super) fn admit(&mut self, request: [u8; 16], addresses: Addresses) -> Result<NodeId, String> {
        if let Some(&id) = self.admitted.get(&request) {
            if self.removed.contains_key(&id) {
                return Err(removed_text(id));
            }
            self.nodes.entry(id).or_default().addresses = addresses;
            return Ok(id);
        }
        self.last_node += 1;
        let id = NodeId(self.last_node);
        // A previous node at this address was wiped and can never return.
        for member in self.nodes.values_mut().filter(|member| member.addresses.cluster == addresses.cluster) {
            member.state = NodeState::Leaving { replacement: Some(id) };
        }
        self.admitted.insert(request, id);
        self.nodes.insert(id, Member { addresses, state: NodeState::Active });
        Ok(id)
    }

    pub(super) fn set_node(
        &mut self,
        node: NodeId,
        state: NodeState,
        replication: Option<u32>,
    ) -> Result<NodeId, String> {
        self.member(node)?;
        self.may_set(node, state, replication)?;
        self.member(node)?.state = state;
        if let Some(replication) = replication {
            self.replication = replication;
            // If nodes are missing for the target, a lower number is what is possible now.
            // Otherwise it is what the operator wants.
            if replication > self.target || self.active().count() >= self.target as usize {
                self.target = replication;
            }
        }
        Ok(node)
    }

    /// Refuses a state that would reduce the copies, in words for the operator.
    pub fn may_set(&self, node: NodeId, state: NodeState, replication: Option<u32>) -> Result<(), String> {
        let Some(member) = self.nodes.get(&node) else { return Err(self.unknown(node)) };
        if let NodeState::Leaving { replacement: Some(replacement) } = state {
            if replacement == node {
                return Err(format!("node {node} cannot replace itself"));
            }
            if !self.nodes.contains_key(&replacement) {
                return Err(self.unknown(replacement));
            }
            if !self.is_active(replacement) {
                return Err(format!("node {replacement} cannot take over: it is being emptied itself"));
            }
        }
        let leaves = matches!(state, NodeState::Leaving { .. });
        if let Some(replacement) = self.replacements(node).next().filter(|_| !leaves) {
            // No other state could ever be reached.
            return Err(format!(
                "node {node} cannot come back: node {replacement} has its address now, so it leaves for good; only an undrain while \
                 the process of node {node} still answers there undoes it"
            ));
        }
        let before = self.active().count();
        let after = self.active().filter(|active| *active != node).count() + usize::from(state == NodeState::Active);
        let wanted = match replication {
            Some(0) => return Err("a shard has at least one replica".to_owned()),
            Some(wanted) => wanted as usize,
            // The copies that the present nodes can hold are the ones to keep.
            None => self.agreed_copies(before),
        };
        let stops = member.state == NodeState::Active && state != NodeState::Active;
        if after == 0 && stops {
            return Err(format!("node {node} is the only active one: add a node first"));
        }
        if after < wanted && (stops || replication.is_some()) {
            return Err(too_few(wanted, after));
        }
        Ok(())
    }

    /// Later nodes that the table has at the address of this one.
    pub fn replacements(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let address =
            self.nodes.get(&node).map(|member| &member.addresses.cluster).filter(|address| !address.is_empty());
        let later = self.nodes.range((Bound::Excluded(node), Bound::Unbounded));
        later.filter(move |(_, other)| address == Some(&other.addresses.cluster)).map(|(id, _)| *id)
    }

    /// The commands that undo the replacement of a living node. The replacements lose the address,
    /// which they never held, and the node is active. They are commands of the first version, so
    /// all replicas of a mixed cluster apply them alike.
    pub fn reinstate(&self, node: NodeId) -> Vec<MetaCommand> {
        let without = |replacement: NodeId| {
            let addresses = self.nodes.get(&replacement).map(|member| member.addresses.clone()).unwrap_or_default();
            MetaCommand::UpdateNode(replacement, Addresses { cluster: String::new(), ..addresses })
        };
        self.replacements(node).map(without).collect()
    }

    /// Refuses an order that leaves fewer copies than there should be without naming their number.
    /// Checked before an order is given, not by [`Self::apply`], where versions that know no target
    /// must decide alike.
    pub fn admits_fewer(&self, node: NodeId, state: NodeState, replication: Option<u32>) -> Result<(), String> {
        let (wanted, stops) = (self.copies(self.active().count()), self.is_active(node) && state != NodeState::Active);
        let after = self.active().filter(|active| *active != node).count();
        if stops && replication.is_none() && after < wanted { Err(too_few(wanted, after)) } else { Ok(()) }
    }

    pub(super) fn remove_node(&mut self, node: NodeId) -> Result<NodeId, String> {
        if self.removed.contains_key(&node) {
            return Ok(node);
        }
        let held = self.shards_on(node);
        let member = self.member(node)?;
        if !matches!(member.state, NodeState::Leaving { .. } | NodeState::Lost) {
            return Err(format!("node {node} is not leaving"));
        }
        if held > 0 {
            return Err(format!("node {node} still has {held} replicas"));
        }
        let address = member.addresses.cluster.clone();
        self.nodes.remove(&node);
        self.removed.insert(node, address);
        Ok(node)
    }
}

fn too_few(wanted: usize, after: usize) -> String {
    let others = if after == 1 { "1 other node is".to_owned() } else { format!("{after} other nodes are") };
    format!(
        "each shard has {wanted} replicas and only {others} active: add a node first, or lower the replication with \
         --replication {}",
        after.max(1)
    )
}

/// The text that a removed node receives.
pub fn removed_text(node: NodeId) -> String {
    format!(
        "node {node} was removed from this cluster, and what it held lives on other nodes: to use this machine again, \
         empty its data directory, and it joins as a new node"
    )
}
