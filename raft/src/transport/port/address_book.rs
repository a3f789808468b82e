//! The addresses of the cluster's nodes: those in the meta group's table, and newer findings.
//!
//! An address is a hint, never an identity. The dialed node proves its identity by its certificate,
//! or states it in the preamble. A wrong hint costs one dial, so hints may come from anywhere. They
//! matter when the table is outdated: all machines have new addresses, two have swapped theirs, or
//! a node was admitted under a mistyped address. [`finder`](crate::control::finder) searches for
//! missing nodes.

use std::collections::BTreeMap;

use parking_lot::RwLock;
use tokio::sync::Notify;
use troupe_core::NodeId;

/// The longest accepted address.
const ADDRESS_BYTES: usize = 255;

#[derive(Default)]
pub struct AddressBook {
    state: RwLock<State>,
    news: Notify,
}

#[derive(Default)]
struct State {
    /// The meta group's table. An empty address leads nowhere.
    table: BTreeMap<NodeId, String>,
    /// Addresses at which nodes answered that are not where the table says.
    found: BTreeMap<NodeId, String>,
    /// Addresses that nodes announce; the last one of each.
    heard: BTreeMap<NodeId, String>,
}

impl State {
    fn address(&self, node: NodeId) -> Option<&String> {
        self.found.get(&node).or_else(|| self.table.get(&node)).filter(|address| !address.is_empty())
    }
}

impl AddressBook {
    /// Replaces the table. A finding about a node holds until the table changes its address.
    pub fn set_table(&self, table: BTreeMap<NodeId, String>) {
        let mut state = self.state.write();
        let State { table: before, found, heard } = &mut *state;
        found.retain(|node, address| {
            let now = table.get(node);
            now.is_some() && now == before.get(node) && now != Some(address)
        });
        heard.retain(|node, _| table.contains_key(node));
        *before = table;
    }

    pub fn address(&self, node: NodeId) -> Option<String> {
        self.state.read().address(node).cloned()
    }

    /// All nodes that have an address.
    pub fn all(&self) -> BTreeMap<NodeId, String> {
        let state = self.state.read();
        state.table.keys().filter_map(|node| Some((*node, state.address(*node)?.clone()))).collect()
    }

    /// Nodes of the table, with or without an address.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.state.read().table.keys().copied().collect()
    }

    /// Records the address that a node announces.
    pub fn heard(&self, node: NodeId, address: &str) {
        let mut state = self.state.write();
        let known = state.address(node).is_some_and(|known| known == address);
        if known || address.is_empty() || address.len() > ADDRESS_BYTES || !state.table.contains_key(&node) {
            return;
        }
        state.heard.insert(node, address.to_owned());
        self.news.notify_one();
    }

    /// Every address at which these nodes may be.
    pub fn guesses(&self, nodes: &[NodeId]) -> Vec<String> {
        let state = self.state.read();
        let of = |node: &NodeId| [state.heard.get(node), state.found.get(node), state.table.get(node)];
        nodes.iter().flat_map(of).flatten().filter(|address| !address.is_empty()).cloned().collect()
    }

    /// Records that a node has answered at this address. Returns whether that is new.
    pub fn found(&self, node: NodeId, address: &str) -> bool {
        let mut state = self.state.write();
        state.heard.remove(&node);
        let Some(listed) = state.table.get(&node) else { return false };
        if state.address(node).is_some_and(|known| known == address) {
            return false;
        }
        if listed == address {
            state.found.remove(&node);
        } else {
            state.found.insert(node, address.to_owned());
        }
        true
    }

    /// Resolves when a node announces another address.
    pub async fn news(&self) {
        self.news.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: NodeId = NodeId(1);
    const TWO: NodeId = NodeId(2);

    fn table(one: &str, two: &str) -> BTreeMap<NodeId, String> {
        BTreeMap::from([(ONE, one.to_owned()), (TWO, two.to_owned())])
    }

    #[test]
    fn what_was_found_holds_until_the_table_says_something_new() {
        let places = AddressBook::default();
        places.set_table(table("a:1", "b:1"));
        // The two have swapped their addresses.
        assert!(places.found(ONE, "b:1") && places.found(TWO, "a:1") && !places.found(TWO, "a:1"));
        places.set_table(table("b:1", "b:1"));
        assert_eq!(places.all(), table("b:1", "a:1"));
        places.set_table(table("c:1", "b:1"));
        assert_eq!(places.all(), table("c:1", "a:1"));
        assert!(places.found(TWO, "b:1"), "it is back where the table says");
        assert_eq!(places.all(), table("c:1", "b:1"));
        places.set_table(BTreeMap::from([(TWO, String::new())]));
        assert_eq!((places.address(ONE), places.address(TWO)), (None, None));
        assert!(!places.found(ONE, "c:1"), "it is no member");
    }

    #[test]
    fn what_is_heard_is_a_guess_only() {
        let places = AddressBook::default();
        places.set_table(table("a:1", "b:1"));
        places.heard(TWO, "c:1");
        places.heard(ONE, "a:1");
        places.heard(ONE, "");
        places.heard(ONE, &"x".repeat(ADDRESS_BYTES + 1));
        places.heard(NodeId(3), "d:1");
        assert_eq!(places.address(TWO).as_deref(), Some("b:1"));
        assert_eq!(places.guesses(&[ONE, TWO, NodeId(3)]), ["a:1", "c:1", "b:1"]);
    }
}
