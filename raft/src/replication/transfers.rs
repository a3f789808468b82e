//! The snapshots that this node sends. [`crate::replication::log_retention`] keeps the entries
//! behind them.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::types::GroupId;

/// Snapshots in transfer from this node: by group and receiving replica, the last entry of each.
/// Shared, cheap to clone.
#[derive(Clone, Default)]
pub struct Transfers(Arc<Mutex<BTreeMap<(GroupId, u64), u64>>>);

impl Transfers {
    /// In transfer until the result is dropped. A replica receives one at a time.
    pub fn begin(&self, group: GroupId, target: u64, upto: u64) -> Transfer {
        self.0.lock().insert((group, target), upto);
        Transfer { transfers: self.clone(), group, target }
    }

    pub fn upto(&self, group: GroupId, target: u64) -> Option<u64> {
        self.0.lock().get(&(group, target)).copied()
    }
}

pub struct Transfer {
    transfers: Transfers,
    group: GroupId,
    target: u64,
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.transfers.0.lock().remove(&(self.group, self.target));
    }
}
