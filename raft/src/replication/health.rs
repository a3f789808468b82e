//! Problems of a running node: entries that cannot be sent, shards that commit nothing although
//! work waits, a disk that is almost full. [`crate::control::monitor`] detects most of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::time::{Duration, Instant};
use troupe_core::NodeId;
use troupe_store::engine::Space;

use crate::timing::SAID_AGAIN;
use crate::types::GroupId;

/// An entry that a peer cannot accept. No later entry reaches this peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsendable {
    pub group: GroupId,
    pub node: NodeId,
    pub index: u64,
    pub bytes: usize,
}

/// The space on the disk of this node, and whether it is too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    pub space: Space,
    /// Free bytes below which the disk is low.
    pub mark: u64,
    pub low: bool,
}

/// Shared, cheap to clone.
#[derive(Clone, Default)]
pub struct Health(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// With the time of the last log line about it.
    unsendable: Mutex<BTreeMap<(GroupId, NodeId), (Unsendable, Instant)>>,
    unsendable_total: AtomicU64,
    stalled: Mutex<BTreeMap<GroupId, Duration>>,
    storage: Mutex<Option<Storage>>,
}

impl Health {
    /// Called with each attempt, so its log line is rate limited.
    pub fn cannot_send(&self, what: Unsendable) {
        self.0.unsendable_total.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let mut unsendable = self.0.unsendable.lock();
        let said = unsendable.get(&(what.group, what.node)).map(|(_, said)| *said);
        let say = said.is_none_or(|said| now - said >= SAID_AGAIN);
        unsendable.insert((what.group, what.node), (what, said.filter(|_| !say).unwrap_or(now)));
        drop(unsendable);
        if say {
            let Unsendable { group, node, index, bytes } = what;
            tracing::error!(
                %group, %node, index, bytes,
                "an entry is larger than the node accepts, and no later entry reaches it; if it runs an earlier version, upgrade it"
            );
        }
    }

    pub fn sent(&self, group: GroupId, node: NodeId) {
        self.0.unsendable.lock().remove(&(group, node));
    }

    pub fn unsendable(&self) -> Vec<Unsendable> {
        self.0.unsendable.lock().values().map(|(what, _)| *what).collect()
    }

    /// Failed attempts since the start.
    pub fn unsendable_total(&self) -> u64 {
        self.0.unsendable_total.load(Ordering::Relaxed)
    }

    pub fn stalled(&self) -> BTreeMap<GroupId, Duration> {
        self.0.stalled.lock().clone()
    }

    /// `None` if the disk reports no space.
    pub fn storage(&self) -> Option<Storage> {
        *self.0.storage.lock()
    }

    /// This node no longer leads the group, so it sends nothing.
    pub fn sends_no_more(&self, group: GroupId) {
        self.0.unsendable.lock().retain(|(id, _), _| *id != group);
    }

    pub fn set_stalled(&self, stalled: BTreeMap<GroupId, Duration>) {
        *self.0.stalled.lock() = stalled;
    }

    pub fn set_storage(&self, storage: Storage) {
        *self.0.storage.lock() = Some(storage);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_sent_is_shown_until_something_is_sent() {
        let health = Health::default();
        let what = Unsendable { group: GroupId(3), node: NodeId(2), index: 9, bytes: 6_000_000 };
        health.cannot_send(what);
        health.cannot_send(what);
        assert_eq!((health.unsendable(), health.unsendable_total()), (vec![what], 2));
        health.sent(GroupId(4), NodeId(2));
        assert_eq!(health.unsendable().len(), 1);
        health.sent(GroupId(3), NodeId(2));
        assert!(health.unsendable().is_empty());
    }
}
